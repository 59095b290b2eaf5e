"""What holds of every list: one grammar of filters, every column sorted by, written to a file, and chosen."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from console.commands import COLUMN_VIEWS, VIEWS
from console.presentation import exports, filtering, sorting
from console.presentation.columns import NUMBERS, Kind
from console.presentation.lines import Frame, View, text_of
from console.presentation.lines import cells as cells_of
from console.presentation.mirror import Mirror
from console.records_audit import ACCEPTED, Audit, AuditRecord
from console.screens import views
from console.screens.places import Place
from tests.console.drawn import body
from tests.console.examples import POLLED, a_frame, ago
from tests.console.protecting import the_calendar, the_protected_cloud

IN_PARTS = frozenset({"overview", "tasks", "faults"})
"""Lists of several tables, each sorted by itself; that of the overview stays the worst first."""


def draw(name: str, mirror: Mirror, frame: Frame) -> View:
    return views.make(Place(name), mirror, frame, {})


def the_logged_cloud() -> Mirror:
    """The cloud with something in every list."""
    records = (
        AuditRecord("1", ago(minutes=9), "POST", "/clock", {"mode": "manual"}, ACCEPTED, "", ago(minutes=9)),
        AuditRecord("2", ago(minutes=3), "DELETE", "/servers/id-web-31", {}),
    )
    return the_protected_cloud().apply(Audit(records), POLLED)


@pytest.mark.parametrize(
    ("name", "filter", "number"),
    [
        ("servers", "state:running cpu>=16", "2 of"),
        ("drives", "size>=20g state:mounted", None),
        ("hosts", "state=down", "1 of"),
        ("hosts", "kind:storage cell-2", None),
        ("cells", "state!=up", "2 of 6"),
        ("cells", "unknown>100", None),
        ("groups", "collisions>0", None),
        ("services", "state:unknown", "2 of"),
        ("tasks", "progress>0.5", None),
        ("backfill", "factor<0.5", None),
        ("events", "kind:server", None),
        ("overview", "tone:crit", None),
        ("schedules", "next<2h", "2 of 6"),
        ("schedules", "state=failed kept>5", "1 of 6"),
        ("backups", "size>3g !copying", "3 of 4"),
        ("schedules", "!state:on cron:0", None),
        ("coverage", "covered:uncovered", "of 1,204   2 of the 4 worst"),
        ("coverage", "age>1d", "of 1,204   1 of the 4 worst"),
        ("calendar", "size>=20g", "2 of 4"),
        ("storage", "full<30d share<1", "1 of 4"),
        ("storage", "trend:endless", "1 of 4"),
        ("capacity", "backfill>20 state:up", "1 of 6"),
        ("billing", "saved>50", "1 of 3"),
        ("audit", "outcome:unknown ago<5m", "1 of 2"),
        ("clock", "backup due<2h", None),
        ("faults", "injected:yes", None),
    ],
)
def test_every_list_takes_the_same_filters(name: str, filter: str, number: str | None) -> None:
    mirror = the_logged_cloud()
    whole, filtered = draw(name, mirror, a_frame()), draw(name, mirror, a_frame(filter=filter))

    assert filtered.problem == ""
    assert whole.table is not None
    assert filtered.table is not None
    assert 0 < len(filtered.table.rows) < len(whole.table.rows)
    assert number is None or number in filtered.note


@pytest.mark.parametrize(
    ("name", "choices", "note"),
    [
        ("coverage", {}, "sort worst   the 4 worst of 1,204"),
        ("coverage", {"filter": "web"}, "sort worst   of 1,204   2 of the 4 worst"),
        ("calendar", {}, "24 h   sort first run   4 of 90"),
        ("calendar", {"filter": "nightly"}, "24 h   sort first run   of 90   1 of the first 4"),
    ],
)
def test_where_the_cloud_tells_only_the_first_rows_it_is_said_that_one_looks_among_those(
    name: str, choices: dict[str, Any], note: str
) -> None:
    mirror = the_logged_cloud().apply(the_calendar()._replace(total=90), POLLED)

    assert draw(name, mirror, a_frame(**choices)).note == note


@pytest.mark.parametrize("name", VIEWS)
def test_every_list_says_which_columns_it_has_before_it_has_any_rows_too(name: str) -> None:
    for mirror in (the_logged_cloud(), Mirror()):
        made = draw(name, mirror, a_frame(filter="colour:red"))

        assert made.table is not None
        assert made.problem == f"no column is called colour: there are {filtering.names_of(made.table.columns)}"


@pytest.mark.parametrize("name", VIEWS)
def test_every_list_sorts_by_each_of_its_columns_with_the_unknown_last(name: str) -> None:
    mirror = the_logged_cloud()
    whole = draw(name, mirror, a_frame()).table
    assert whole is not None
    assert whole.rows
    assert len({column.name for column in whole.columns}) == len(whole.columns)
    keys = set(map(whole.key_of, whole.rows))
    for column in whole.columns:
        for is_descending in (False, True):
            made = draw(name, mirror, a_frame(sort=column.name, is_descending=is_descending))
            assert made.table is not None
            assert set(map(made.table.key_of, made.table.rows)) == keys
            if name not in IN_PARTS and column.name not in made.orders:
                is_known = [sorting.by_column(column)(row) is not None for row in made.table.rows]
                assert is_known == sorted(is_known, reverse=True), f"{name} {column.name}"


@pytest.mark.parametrize("name", VIEWS)
def test_what_a_row_holds_in_a_column_is_a_filter_that_leaves_this_row_and_those_alike(name: str) -> None:
    table = draw(name, the_logged_cloud(), a_frame()).table
    assert table is not None
    for column in table.columns:
        for row in table.rows[:3]:
            term = filtering.term_of(column, row)
            if term is None:
                assert column.kind is Kind.SECONDS or column.value(row) is None
                continue
            query = filtering.parse(term, table.columns)
            left = filtering.matching(table.rows, query, table.columns)
            assert query.problem == ""
            assert row in left, f"{name} {term}"
            if "=" in term and column.kind not in NUMBERS:
                values = {str(column.value(each) or "").casefold() for each in left}
                assert values == {str(column.value(row) or "").casefold()}


@pytest.mark.parametrize("name", VIEWS)
def test_every_list_is_written_for_a_spreadsheet_and_for_a_program(name: str) -> None:
    table = draw(name, the_logged_cloud(), a_frame()).table
    assert table is not None

    assert len(list(csv.reader(io.StringIO(exports.as_csv(table))))) == len(table.rows) + 1
    assert len(json.loads(exports.as_json(table, {}))["rows"]) == len(table.rows)


@pytest.mark.parametrize("name", sorted(COLUMN_VIEWS))
def test_every_list_whose_columns_can_be_chosen_draws_each_of_them(name: str) -> None:
    mirror = the_logged_cloud()
    table = draw(name, mirror, a_frame()).table
    assert table is not None
    for column in table.columns:
        made = draw(name, mirror, a_frame(columns=(column.name,)))
        heads = [text_of(region.head).split() for region in made.regions if region.head is not None]
        assert column.title.split() in heads
        assert all(cells_of(line) == a_frame().width for line in body(made))
