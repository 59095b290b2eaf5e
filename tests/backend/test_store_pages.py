"""A page over the cells is a piece of the sorted list of all rows, whatever the sizes of the cells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.cloud.model import ReachabilityState, Server
from backend.store import CellTransaction, FolderWriter, Page, Store
from backend.store.rows import SERVER
from tests.backend.store_support import fill, make_folder, with_store
from tests.builders import NOON, a_server

TEXT = st.characters(exclude_categories=["Cs"])
CELLS = ("cell-1", "cell-2", "cell-3")
NAMES = ("web", "Web", "web-2", "db", "d_b", "d%b", "é", "z" * 40, "")


def fleet() -> list[Server]:
    """Uneven: most servers in one cell, none in another."""
    servers = []
    for number in range(150):
        cell = "cell-1" if number % 5 else "cell-2"
        server = a_server(f"s{number:03}", cell=cell, host="h1" if number % 3 else None)
        servers.append(
            replace(
                server,
                name=NAMES[number % len(NAMES)],
                created_at=NOON + timedelta(seconds=number * 7 % 11),
                project_id="a" if number % 4 else "b",
            )
        )
    return servers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def fill_all(writer: FolderWriter) -> None:
        fill(writer)
        for server in fleet():
            writer.cell(server.cell).add_server(server, at=NOON, actor="me")

    return make_folder(tmp_path_factory.mktemp("pages") / "data", cells=CELLS, fill=fill_all)


def key(server: Server, sort: str) -> tuple[Any, ...]:
    if sort == "name":
        return server.name, server.id
    if sort == "state":
        return server.state.value, server.name, server.id
    return server.created_at, server.id


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sort=st.sampled_from(["name", "state", "created_at"]),
    descending=st.booleans(),
    limit=st.integers(1, 60) | st.just(150) | st.just(151),
    projects=st.none() | st.frozensets(st.sampled_from(["a", "b", "c"])),
    state=st.none() | st.sampled_from(["running", "stopped", "paused"]),
    name_contains=st.none() | st.sampled_from(["web", "WEB", "_", "%", "\\", "é"]),
    cells=st.none() | st.lists(st.sampled_from(CELLS), unique=True),
)
def test_the_pages_laid_together_are_the_sorted_list_of_all(folder: Path, **wanted: Any) -> None:
    sort, limit = wanted["sort"], wanted["limit"]

    def is_wanted(server: Server) -> bool:
        contains = wanted["name_contains"]
        return (
            (wanted["projects"] is None or server.project_id in wanted["projects"])
            and (wanted["state"] is None or server.state == wanted["state"])
            and (wanted["cells"] is None or server.cell in wanted["cells"])
            and (contains is None or contains.lower() in server.name.lower())
        )

    async def story(store: Store) -> list[Page]:
        pages = [await store.page_servers(**wanted)]
        while pages[-1].next_after is not None:
            pages.append(await store.page_servers(**wanted, after=pages[-1].next_after))
        return pages

    pages = with_store(folder, story)

    expected = sorted(filter(is_wanted, fleet()), key=lambda server: key(server, sort), reverse=wanted["descending"])
    assert [row.server() for page in pages for row in page.rows] == expected
    assert all(len(page.rows) == limit for page in pages[:-1])
    assert pages[-1].rows or not expected, "the last page is not empty"


def test_a_cell_that_does_not_answer_gives_no_rows_and_is_named(folder: Path) -> None:
    async def story(store: Store) -> Page:
        await store.inject("cell-1", ReachabilityState.DOWN)
        try:
            return await store.page_servers(limit=1000)
        finally:
            await store.inject("cell-1", ReachabilityState.UP)

    page = with_store(folder, story)

    assert page.unreachable == ("cell-1",)
    assert {server.cell for server in page.rows} == {"cell-2"}


def test_a_cell_that_is_lost_in_the_middle_of_a_page_gives_no_rows_and_is_named(folder: Path) -> None:
    from backend.cloud.errors import Unreachable
    from backend.store.pages import Query, page_servers

    async def story(store: Store) -> Page:
        asked: list[str] = []

        async def each_cell(fn: Any, cells: Any) -> dict[str, Any]:
            answers: dict[str, Any] = await store.each_cell(fn, cells=cells)
            asked.extend(answers)
            if asked.count("cell-1") > 1:
                answers["cell-1"] = Unreachable("cell-1")
            return answers

        query = Query("name", False, None, None, None)
        # Weights that are wrong: the large cell runs dry and is asked again.
        return await page_servers(
            each_cell, CELLS, query, after=None, limit=100, weights={"cell-1": 1, "cell-2": 50, "cell-3": 50}
        )

    page = with_store(folder, story)

    assert page.unreachable == ("cell-1",)
    assert [server.id for server in page.rows] == [
        server.id for server in sorted(fleet(), key=lambda each: key(each, "name")) if server.cell == "cell-2"
    ]
    assert page.next_after is None


def test_every_order_has_an_index_so_that_a_page_costs_the_page(folder: Path) -> None:
    def plans(tx: CellTransaction) -> list[str]:
        from backend.store.pages import Query

        found = []
        for sort, after in (("name", ("n", "i")), ("state", ("s", "n", "i")), ("created_at", ("c", "i"))):
            tail, values = Query(sort, False, None, None, None).tail(after, 10)  # type: ignore[arg-type]
            plan = tx._connection.execute(f"EXPLAIN QUERY PLAN {SERVER.gather(tail)}", values)
            found.append(" ".join(row[3] for row in plan))
        return found

    for plan in with_store(folder, lambda store: store.cell_read("cell-1", plans)):
        assert "SEARCH server USING INDEX" in plan, plan
        assert "TEMP B-TREE" not in plan, plan


@given(name=st.text(TEXT), meta=st.dictionaries(st.text(TEXT), st.text(TEXT)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_that_are_gathered_are_the_rows_as_they_lie(folder: Path, name: str, meta: dict[str, str]) -> None:

    def both(tx: CellTransaction) -> tuple[Any, Any]:
        server = replace(a_server("gathered", cell="cell-1"), name=name, meta=meta)
        tx.add_server(server, at=NOON, actor="me")
        found = tx.find_server("gathered"), tx.servers(["gathered"])["gathered"]
        tx.remove_server(server, at=NOON, actor="me")
        return found

    alone, gathered = with_store(folder, lambda store: store.cell_write("cell-1", both), deadline_seconds=1.0)

    assert gathered == alone
    assert alone.name == name
