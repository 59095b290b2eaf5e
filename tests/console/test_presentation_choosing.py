"""The palette's order, the choice of columns, and the list that is drawn of chosen ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import cells, chosen, column_choice, drives, hosts, palette, servers, services
from console.presentation.column_choice import ColumnChoice
from console.presentation.lines import ASCII, UNICODE, Glyphs, Line, Tone, text_of
from console.presentation.palette import Entry
from tests.console.drawn import a_silent_cloud, plate
from tests.console.examples import a_frame, the_cloud

ENTRIES = [
    Entry("1", "start web-31", "start it", reason="it is running"),
    Entry("2", "stop web-31", "cut the power"),
    Entry("3", "restart", "begins again"),
    Entry("4", "hosts", "go to hosts", "3"),
    Entry("5", "sort", "next order; start with the worst"),
]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", ["2", "3", "4", "5", "1"]),
        # At the start of a title, in it, letter after letter, in the words; of equals, what is on.
        ("start", ["1", "3", "5"]),
        ("web", ["2", "1"]),
        ("sw", ["2", "1"]),
        ("power", ["2"]),
        ("start web", ["1"]),
        ("3", ["2", "1", "4"]),
        ("nothing like it", []),
    ],
)
def test_the_palette_has_the_best_first(text: str, ids: list[str]) -> None:
    assert [entry.id for entry in palette.ranked(ENTRIES, text)] == ids


@pytest.mark.parametrize("width", [20, 40, 80])
def test_what_is_off_says_why_instead_of_what_it_does(width: int) -> None:
    lines = palette.lines(ENTRIES, "web", a_frame(width), highlighted=1)

    assert all(len(text_of(line)) == width for line in lines)
    if width == 80:
        assert "off: it is running" in text_of(lines[0])
        assert text_of(lines[1]).strip().startswith(UNICODE.cursor)


# Columns ---------------------------------------------------------------------------------------------------------

COLUMNS = servers.columns(the_cloud(), a_frame())
NAMES = tuple(column.name for column in COLUMNS)


def test_a_choice_begins_with_what_was_chosen_and_forgets_what_there_is_no_more() -> None:
    choice = ColumnChoice.begin(COLUMNS, ("cpu", "no such column", "name"))

    assert choice.chosen == ("cpu", "name")
    assert set(choice.names) == set(NAMES)


@given(st.lists(st.sampled_from(("down", "up", "toggle", "right", "left")), max_size=30))
def test_however_columns_are_chosen_none_is_lost_and_one_is_shown(moves: list[str]) -> None:
    choice = ColumnChoice.begin(COLUMNS, ())
    for move in moves:
        match move:
            case "down" | "up":
                choice = choice.moved(1 if move == "down" else -1)
            case "toggle":
                choice = choice.toggled()
            case _:
                choice = choice.carried(1 if move == "right" else -1)

    assert sorted(choice.names) == sorted(NAMES)
    assert choice.chosen
    assert 0 <= choice.at < len(NAMES)
    assert len(column_choice.lines(choice, COLUMNS, a_frame(50))) == len(NAMES)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("view", [servers, drives, hosts, cells, services])
def test_a_list_of_chosen_columns_fits_every_terminal(view: object, width: int, glyphs: Glyphs) -> None:
    for mirror in (the_cloud(), a_silent_cloud()):
        frame = a_frame(width, glyphs=glyphs, has_pane=False)
        make = view.view  # type: ignore[attr-defined]
        names = tuple(column.name for column in make(mirror, frame).table.columns)
        for order in (names, names[::-1]):
            region = make(mirror, frame._replace(columns=order)).regions[-1]
            lines = [line for line in (region.head, *map(region.line, range(len(region)))) if line is not None]
            assert {len(text_of(line)) for line in lines} == {width}
            assert {text_of(line)[-1] for line in lines} == {" "}
            assert {text_of(line)[:2] for line in lines} == {"  "}


def test_columns_that_do_not_fit_are_left_out_whole() -> None:
    fitting = chosen.fitting(COLUMNS, ("name", "id", "state"), 28)

    assert [column.name for _, column in fitting] == ["name"]


def test_columns_of_another_version_leave_the_list_its_own() -> None:
    own, strange = (servers.view(the_cloud(), a_frame(columns=names)) for names in ((), ("colour",)))

    assert text_of(strange.regions[0].line(0)) == text_of(own.regions[0].line(0))


def test_what_is_last_known_keeps_its_tilde_and_its_tone() -> None:
    view = servers.view(the_cloud(), a_frame(filter="auth-01", columns=("name", "cpu", "memory", "state")))
    line = view.regions[0].line(0)

    assert text_of(line).split()[:2] == ["auth-01", "~2.0"]
    assert "u" in plate(line)
    assert [span.tone for span in line if span.text.startswith("~")] == [Tone.UNKNOWN] * 2


@pytest.mark.parametrize("width", [60, 80, 120, 140, 200])
def test_a_choice_begins_with_what_the_list_shows_at_this_width(width: int) -> None:
    view = servers.view(the_cloud(), a_frame(width, has_pane=False))
    head = text_of(view.regions[0].head or ())
    shown = ColumnChoice.begin(COLUMNS, (), chosen.in_heads(view)).chosen

    for name, word in (("up", "UP/SEEN"), ("floor", "FLOORS"), ("created", "CREATED"), ("id", " ID"), ("cell", "CELL"),
                       ("kind", " B "), ("factor", " pf "), ("pfcpu", "pfCPU"), ("pfmem", "pfMEM"),
                       ("owner", "OWNER")):  # fmt: skip
        assert (name in shown) == (word in head), name


def test_to_hide_a_column_changes_no_other() -> None:
    mirror = the_cloud()
    own = servers.view(mirror, a_frame(120, has_pane=False))
    names = chosen.in_heads(own)
    without_host = a_frame(120, has_pane=False, columns=tuple(name for name in names if name != "host"))
    less = servers.view(mirror, without_host)

    assert words(less.regions[0].head) == [head for head in words(own.regions[0].head) if head != "HOST"]
    for index, server in enumerate(servers.visible(mirror, without_host)[0]):
        before, after = words(own.regions[0].line(index)), words(less.regions[0].line(index))
        if server.host is not None and not any("…" in word for word in (*before, *after)):
            assert after == [word for word in before if word != server.host]


def words(line: Line | None) -> list[str]:
    return text_of(line or ()).split()


def test_what_nobody_said_is_not_shown_as_nothing_where_its_column_was_chosen() -> None:
    view = servers.view(the_cloud(), a_frame(filter="nameless", columns=("name", "host", "group")))

    assert words(view.regions[0].line(0)) == ["id-nameless", UNICODE.nobody_said, UNICODE.nothing]


def test_keeping_what_the_list_shows_takes_nothing_away() -> None:
    narrow = ColumnChoice.begin(COLUMNS, (), chosen.in_heads(servers.view(the_cloud(), a_frame(80))))
    assert column_choice.told(narrow, COLUMNS, 80) == f"{len(narrow.chosen)} shown"

    view = servers.view(the_cloud(), a_frame(120, has_pane=False))
    choice = ColumnChoice.begin(COLUMNS, (), chosen.in_heads(view))

    assert column_choice.told(choice, COLUMNS, 120) == f"{len(choice.chosen)} shown"
    assert {"up", "floor", "created", "id"} <= set(choice.chosen)
    more = (*choice.chosen, "owner", "tags")
    full = ColumnChoice.begin(COLUMNS, more)
    assert column_choice.told(full, COLUMNS, 120).endswith("left out, as the list is too narrow: owner, tags")
