"""The grammar of filters, and that the quick way over whole lists says what the plain way says of each row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.presentation import filtering, fuzzy, servers
from console.presentation.columns import Column, Kind, parse_number
from console.presentation.filtering import Comparison, Query, Word
from console.presentation.lines import Frame
from console.presentation.mirror import Mirror
from console.records import Factors, ServerRecord
from tests.console.drawn import body
from tests.console.examples import GIB, NOW, a_frame, a_server, an_unknown, the_cloud

COLUMNS: tuple[Column[dict[str, Any]], ...] = (
    Column("state", lambda row: row["state"], Kind.WORD, is_searched=True),
    Column("name", lambda row: row["name"], is_searched=True),
    Column("host", lambda row: row["host"], is_searched=True, distinct=frozenset({"c1-h01", "c2-h13"})),
    Column("cpu", lambda row: row["cpu"], Kind.CPU),
    Column("memory", lambda row: row["memory"], Kind.BYTES),
    Column("age", lambda row: row["age"], Kind.SECONDS),
    Column("id", lambda row: row["id"], Kind.ID, is_searched=True),
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("Web", (Word("web"),)),
        ("'web", (Word("web", is_exact=True),)),
        ("!web", (Word("web", is_exact=True, is_inverted=True),)),
        ("!'web", (Word("web", is_exact=True, is_inverted=True),)),
        ("web 01", (Word("web"), Word("01"))),
        ("state:RUN", (Comparison("state", ":", "run"),)),
        ("st=running", (Comparison("state", "=", "running"),)),
        ("state!=running", (Comparison("state", "=", "running", is_inverted=True),)),
        ("!cpu>4", (Comparison("cpu", ">", 4000.0, is_inverted=True),)),
        ("cpu>4000", (Comparison("cpu", ">", 4000.0),)),
        ("cpu:>=4ghz", (Comparison("cpu", ">=", 4000.0),)),
        ("mem>=8g", (Comparison("memory", ">=", 8.0 * GIB),)),
        ("age<1h", (Comparison("age", "<", 3600.0),)),
        ("host=", (Comparison("host", "=", ""),)),
        # Signs that say nothing yet leave everything.
        ("! ' '", (Word("!"),)),
        ("state:", ()),
    ],
)
def test_a_filter_is_read_word_by_word(text: str, terms: tuple[filtering.Term, ...]) -> None:
    assert filtering.parse(text, COLUMNS) == Query(terms)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # What the list calls lost, the API calls unavailable; what it calls run, running.
        ("state:lost", {"smtp-01", "pay-01"}),
        ("state:lo", {"smtp-01", "pay-01"}),
        ("state=lost", {"smtp-01", "pay-01"}),
        ("lost", {"smtp-01", "pay-01", "lost-and-found"}),
        ("!lost", {"web-01", "web-02"}),
        ("state=run", {"web-01"}),
        ("state!=run", {"smtp-01", "pay-01", "web-02", "lost-and-found"}),
        ("state:unavail", {"smtp-01", "pay-01"}),
        ("state:halting", {"web-02"}),
        ("state:stop", {"web-02", "lost-and-found"}),
    ],
)
def test_a_state_is_found_by_the_word_that_the_list_has_for_it(text: str, names: set[str]) -> None:
    rows = [
        a_server("smtp-01", state="unavailable"),
        a_server("pay-01", state="unavailable"),
        a_server("web-01", state="running"),
        a_server("web-02", state="stopping"),
        a_server("lost-and-found", state="stopped"),
    ]
    known = servers.columns(Mirror(), a_frame())
    query = filtering.parse(text, known)

    assert {row.name for row in rows if filtering.holds(query, known, row)} == names
    plain = [column._replace(distinct=None) for column in known]
    assert {row.name for row in filtering.matching(rows, query, plain)} == names


@pytest.mark.parametrize(
    ("text", "column"),
    [("gib>8", "memory"), ("pf<1", "factor"), ("pfcpu<1", "pfcpu"), ("pfMEM<1", "pfmem"), ("floors<1", "floor")],
)
def test_a_column_is_meant_by_what_stands_above_it(text: str, column: str) -> None:
    (term,) = filtering.parse(text, servers.columns(Mirror(), a_frame())).terms

    assert isinstance(term, Comparison)
    assert term.column == column


def test_either_factor_is_compared_by_itself() -> None:
    known = servers.columns(Mirror(), a_frame())
    rows = [
        a_server("both", perf_factor=Factors(0.5, 0.5)),
        a_server("memory", perf_factor=Factors(1.0, 0.5)),
        a_server("none"),
    ]
    query = filtering.parse("pfcpu<1", known)

    assert [row.name for row in filtering.matching(rows, query, known)] == ["both"]


def test_the_rest_of_a_word_is_looked_for_in_all_rows_where_it_means_a_state() -> None:
    known = servers.columns(Mirror(), a_frame())
    begun, whole = (filtering.parse(text, known) for text in ("los", "lost"))

    assert not filtering.is_narrower(whole, begun)
    assert filtering.is_narrower(filtering.parse("losta", known), begun)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour:red", "no column is called colour: there are state, name, host, cpu, memory, age, id"),
        ("cpu>", "cpu takes 4000, 4000mhz or 4ghz"),
        ("cpu>much", "cpu takes 4000, 4000mhz or 4ghz, not much"),
        ("age<1parsec web", "age takes 90s, 5m, 1h30m or 2d, not 1parsec"),
        ("name>web", "name is a text: name:TEXT and name=TEXT compare it"),
    ],
)
def test_what_means_nothing_is_left_out_and_told(text: str, sentence: str) -> None:
    query = filtering.parse(text, COLUMNS)

    assert query.problem == sentence
    assert all(isinstance(term, Word) for term in query.terms)


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("4000", Kind.CPU, 4000),
        ("4", Kind.CPU, 4000),
        ("0.5ghz", Kind.CPU, 500),
        ("249", Kind.CPU, 249_000),
        ("250", Kind.CPU, 250),
        ("100mhz", Kind.CPU, 100),
        ("8", Kind.BYTES, 8 * GIB),
        ("512MiB", Kind.BYTES, GIB / 2),
        ("2t", Kind.BYTES, 2048 * GIB),
        ("0b", Kind.BYTES, 0),
        ("1h30m", Kind.SECONDS, 5400),
        ("90", Kind.SECONDS, 90),
        ("1h30", Kind.SECONDS, None),
        ("50%", Kind.SHARE, 0.5),
        (".5", Kind.SHARE, 0.5),
        ("3", Kind.COUNT, 3),
        ("3x", Kind.COUNT, None),
        ("-1", Kind.COUNT, None),
        ("1e3", Kind.COUNT, None),
        ("", Kind.COUNT, None),
    ],
)
def test_numbers_have_the_units_that_the_screen_and_the_wire_have(text: str, kind: Kind, number: float | None) -> None:
    assert parse_number(text, kind) == number


@pytest.mark.parametrize(
    ("wanted", "text", "is_found"),
    [
        ("wb1", "web-01", True),
        ("w1", "web-12", True),
        ("w1", "web-21", False),
        ("c1", "c2-h13", False),
        ("c1h4", "c1-h04", True),
        ("c1h4", "c12-h04", False),
        ("rb", "web", False),
        ("eb", "worker-bee", False),
        ("bee", "worker-bee", True),
        ("prdb", "prod-db-3", True),
        ("é1", "é-01", True),
    ],
)
def test_letters_are_found_in_their_order_and_numbers_as_numbers(wanted: str, text: str, is_found: bool) -> None:
    assert fuzzy.is_found(wanted, text) is is_found
    assert bool(fuzzy.places(wanted, text)) is is_found
    assert fuzzy.is_found(wanted, text, is_exact=True) is (wanted in text)


def test_a_sentence_is_searched_as_it_stands() -> None:
    """In most sentences some letters stand in some order."""
    columns: tuple[Column[tuple[str, str]], ...] = (
        Column("name", lambda row: row[0], is_searched=True),
        Column("reason", lambda row: row[1], Kind.SENTENCE, is_searched=True),
    )
    rows = [("auth-01", ""), ("db-01", "a source could not be reached, and that is owed")]

    def found(text: str) -> list[str]:
        return [name for name, _ in filtering.matching(rows, filtering.parse(text, columns), columns)]

    assert (found("auth"), found("reached"), found("reason:owed")) == (["auth-01"], ["db-01"], ["db-01"])


letters = st.text("web-01c .'!é:=<>\\[(²", max_size=8)


@given(letters, letters, letters)
def test_typing_on_only_narrows(wanted: str, more: str, text: str) -> None:
    if wanted and fuzzy.is_found(wanted + more, text):
        assert fuzzy.is_found(wanted, text)
        spans = fuzzy.places(wanted, text)
        assert all(start < end <= len(text) for start, end in spans)


# Whole lists -----------------------------------------------------------------------------------------------------

values = st.sampled_from
rows = st.fixed_dictionaries(
    {
        "state": values(("running", "stopped", "unknown")),
        "name": values(("web-01", "web-11", "db-1", "Cafe-é", "é", "")),
        "host": values(("c1-h01", "c2-h13", None)),
        "cpu": values((None, 0, 2000, 4000, 4010, 16000)),
        "memory": values((None, 2.0 * GIB, 8.0 * GIB)),
        "age": values((None, 0.0, 59.9, 3600.0)),
        "id": values(("0000abcd-1", "1111abcd-2", None)),
    }
)
terms = values(
    ("web", "wb1", "'web", "!web", "run", "!run", "c1", "h13", "0000", "000", "é", "state:run", "state=running",
     "state!=running", "host=", "!host:c1", "cpu>4", "cpu=4000", "cpu!=4000", "!cpu<4000", "mem>=8g", "age<1h",
     "age>=1m", "id:1111", "name:WEB", "nothing:here", "cpu>", "!", "'", "w", "b1")
)  # fmt: skip
texts = st.lists(terms, max_size=3).map(" ".join)


@settings(max_examples=150)
@given(st.lists(rows, max_size=8), texts)
def test_the_quick_way_finds_what_the_plain_way_finds(rows: list[dict[str, Any]], text: str) -> None:
    query = filtering.parse(text, COLUMNS)

    found = filtering.matching(rows, query, COLUMNS)

    assert list(found) == [row for row in rows if filtering.holds(query, COLUMNS, row)]


@settings(max_examples=120)
@given(st.lists(rows, max_size=6), texts, texts | st.text("web01'!c:>4", max_size=6))
def test_a_narrower_filter_leaves_only_what_the_wider_one_left(rows: list[dict[str, Any]], old: str, more: str) -> None:
    wide = filtering.parse(old, COLUMNS)
    for text in (old + more, f"{old} {more}"):
        narrow = filtering.parse(text, COLUMNS)
        if filtering.is_narrower(narrow, wide):
            left = filtering.matching(rows, wide, COLUMNS)
            assert filtering.matching(left, narrow, COLUMNS) == filtering.matching(rows, narrow, COLUMNS)


@given(st.text(max_size=30) | st.text("ab!':=<>stacpu 0", max_size=20))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    query = filtering.parse(text, COLUMNS)

    filtering.matching([dict.fromkeys(("state", "name", "host", "cpu", "memory", "age", "id"))], query, COLUMNS)
    assert filtering.places(text, "web-01 straße") is not None


@given(st.sampled_from(("cpu>0", "cpu<=0", "!cpu>0", "!cpu<=0", "cpu=0", "cpu!=0", "age<1d", "!age<1d")))
def test_what_nobody_knows_never_matches_a_comparison(text: str) -> None:
    row = {"state": "unknown", "name": "web", "host": None, "cpu": None, "memory": None, "age": None, "id": None}

    assert not filtering.matching([row], filtering.parse(text, COLUMNS), COLUMNS)


def test_typing_sign_by_sign_leaves_the_servers_that_the_whole_filter_leaves() -> None:
    for text in ("web-3", "ren cpu>4", "!ren st:run", "state=running cpu>4000 web", "id-we", "age<1h c1", "factor<1 a"):
        mirror = the_cloud()
        for size in range(1, len(text) + 1):
            typed = servers.visible(mirror, a_frame(filter=text[:size]))[0]
        columns = servers.columns(mirror, a_frame())
        query = filtering.parse(text, columns)
        plain = {row.id for row in mirror.servers.values() if filtering.holds(query, columns, row)}

        assert {row.id for row in typed} == plain, text


IDS = tuple(f"id-{number}" for number in range(16))
fleet_rows = st.builds(
    a_server,
    values(("web-01", "web-02", "db-01", "db-11", "mail-1")),
    cell=values(("cell-1", "cell-2")),
    id=values(IDS),
    state=values(("running", "stopped")),
    cpu_mhz=values((None, 2000, 8000)),
)


@settings(max_examples=60)
@given(
    # Enough rows that one change is few of them: when many change, all is asked anew.
    st.lists(fleet_rows, min_size=9, max_size=14, unique_by=lambda row: row.id),
    st.lists(fleet_rows | values(IDS), max_size=6),
    st.builds(
        a_frame,
        filter=values(("web", "!web", "cpu>4", "d1", "state:run", "web cpu<4")),
        sort=values(("", "name", "cpu")),
        scope=values((None, "cell-1")),
        is_descending=st.booleans(),
    ),
    st.booleans(),
)
def test_what_was_found_is_kept_right_while_rows_change(
    rows: list[ServerRecord], changes: list[ServerRecord | str], frame: Frame, is_asked_each_time: bool
) -> None:
    mirror = Mirror(fleet=Mirror().fleet.changed(rows))
    servers.visible(mirror, frame)
    for change in changes:
        news, gone = ((), (change,)) if isinstance(change, str) else ((change,), ())
        mirror = Mirror(fleet=mirror.fleet.changed(news, gone))
        if is_asked_each_time:
            servers.visible(mirror, frame)

    anew = Mirror(fleet=Mirror().fleet.changed(mirror.servers.values()))

    assert list(servers.visible(mirror, frame)[0]) == list(servers.visible(anew, frame)[0])


# In views ------------------------------------------------------------------------------------------------------


def test_a_column_that_is_no_order_of_its_own_sorts_the_unknown_last() -> None:
    rows = [a_server("web-1", owner="b@x"), a_server("web-2", owner=None), a_server("web-3", owner="A@x")]
    mirror = Mirror(fleet=Mirror().fleet.changed(rows))

    up, down = (servers.visible(mirror, a_frame(sort="owner", is_descending=each))[0] for each in (False, True))

    assert [row.name for row in up] == ["web-3", "web-1", "web-2"]
    assert [row.name for row in down] == ["web-1", "web-3", "web-2"]


def test_sizes_of_a_silent_cell_never_match_and_are_told_to_perhaps() -> None:
    mirror = the_cloud()
    view = servers.view(mirror, a_frame(160, filter="cpu>0", has_pane=False))

    assert view.table is not None
    assert all(row.is_reachable for row in view.table.rows)
    assert "4 may match /cpu>0" in "".join(span.text for line in view.below for span in line)


def test_ages_match_again_when_time_has_passed() -> None:
    row = a_server("web-1", created_at=NOW - timedelta(minutes=59))
    mirror = Mirror(fleet=Mirror().fleet.changed([row]))
    frame = a_frame(filter="age<1h")

    assert servers.visible(mirror, frame)[0]
    assert not servers.visible(mirror, frame._replace(now=NOW + timedelta(minutes=2)))[0]


def test_a_factor_equals_what_the_screen_shows_of_it() -> None:
    row: ServerRecord = replace(a_server("r-1"), is_backfilling=True, perf_factor=Factors(0.618, 1.0))
    mirror = Mirror(fleet=Mirror().fleet.changed([row]))

    assert servers.visible(mirror, a_frame(filter="factor=0.62"))[0] == [row]


def test_what_a_filter_found_letter_by_letter_is_underlined() -> None:
    lines = servers.view(the_cloud(), a_frame(filter="wb3")).regions[0]
    found = [span.text for span in lines.line(0) if span.is_underlined]

    assert found in (["w", "b", "3"], ["w", "b", "-3"])


def test_the_unknown_are_not_all_alike() -> None:
    """A stopped server is known to have no host; one of a silent cell had one."""
    rows = [a_server("web-1", host=None, state="stopped"), an_unknown("web-2", "cell-3", "c3-h01")]
    mirror = Mirror(fleet=Mirror().fleet.changed(rows))

    assert [row.name for row in servers.visible(mirror, a_frame(filter="host="))[0]] == ["web-1"]
    assert body(servers.view(mirror, a_frame(filter="host:c3")))[1].split()[2] == "web-2"
