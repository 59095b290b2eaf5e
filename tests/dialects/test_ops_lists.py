"""Pages of `/ops/v1`: their order, their tokens, and what is found by which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused


@pytest.mark.parametrize("sort", ["name", "state", "created_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_hold_every_server_once_and_in_order(tell: Tell, sort: str, order: str) -> None:
    async def story(on: Wired) -> None:
        for number in range(7):
            await on.server(f"web-{number}", cell=f"cell-{number % 2 + 1}")
        rows: list[Any] = []
        after: dict[str, str] = {}
        while True:
            page = good(await on.ops.get("/servers", params={"limit": 2, "sort": sort, "order": order, **after}))
            assert page["total"] == 7
            rows += page["servers"]
            if page["next"] is None:
                break
            after = {"after": page["next"]}

        keys = [(row[sort], row["name"] if sort == "state" else "", row["id"]) for row in rows]
        assert len({row["id"] for row in rows}) == 7
        assert keys == sorted(keys, reverse=order == "desc")

    tell(story)


def test_a_list_that_is_asked_for_again_shows_every_change_at_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        async def states() -> list[str]:
            return [row["state"] for row in good(await on.ops.get("/servers"))["servers"]]

        server = await on.server("web-1", cell="cell-1")
        before = await states()
        good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
        after = await states()
        await on.break_cell("cell-1")

        assert before == ["stopped"]
        assert after == ["starting"]
        assert good(await on.ops.get("/servers"))["unreachable"] == ["cell-1"]

    tell(story)


def test_a_page_token_of_another_order_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(3):
            await on.server(f"web-{number}")
        token = good(await on.ops.get("/servers", params={"limit": 1}))["next"]

        answer = await on.ops.get("/servers", params={"limit": 1, "sort": "state", "after": token})

        assert refused(answer, 400)["error"]["field"] == "after"

    tell(story)


def test_servers_are_found_by_part_of_a_name_by_state_and_by_id(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        web = await on.running("web-01")
        data = await on.server("data-01")

        async def names(**params: str) -> list[str]:
            page = good(await on.ops.get("/servers", params=params))
            return [row["name"] for row in page["servers"]]

        assert await names(name="WEB") == ["web-01"]
        assert await names(name="%") == []
        assert await names(state="running") == ["web-01"]
        assert await names(ids=f"{data['id']},nobody,{web['id']},{data['id']}") == ["data-01", "web-01"]

    tell(story)
