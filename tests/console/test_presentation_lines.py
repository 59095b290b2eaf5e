"""Widths, cuts and the composing of lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import get_character_cell_size

from console.presentation import lines
from console.presentation.lines import ASCII, UNICODE, Lines, Rows, Span, TallRows, Tone, compose, left, right, text_of
from console.sanitising import sanitise

CLEAN = st.text(max_size=40).map(sanitise)


def test_every_printable_character_is_as_wide_as_rich_draws_it() -> None:
    wrong = [
        f"U+{number:04X}"
        for number in range(0x20, 0x110000)
        if chr(number).isprintable() and sanitise(chr(number)) == chr(number)
        if lines.cells(chr(number)) != get_character_cell_size(chr(number))
    ]

    assert wrong == []


def test_every_glyph_of_both_sets_is_one_cell_wide_but_what_stands_in_or_before_a_figure() -> None:
    for glyphs in (UNICODE, ASCII):
        signs = [sign for name in glyphs._fields for sign in _signs(getattr(glyphs, name), name)]

        assert all(lines.cells(sign) == 1 for sign in signs)


def _signs(value: object, name: str) -> tuple[str, ...]:
    if name in {"name", "endless", "at_least"}:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def test_the_ascii_set_is_ascii() -> None:
    assert all("".join(_signs(getattr(ASCII, name), name)).isascii() for name in ASCII._fields)


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("web-31", 12, "web-31"),
        ("billing-01", 8, "bill…-01"),
        ("billing-01", 4, "b…01"),
        ("a-very-long-name-without-end", 11, "a-very…-end"),
        ("app-1234567", 8, "a…234567"),
        ("web", 2, "w…"),
        ("web", 1, "w"),
        ("数据库服务器-07", 10, "数据库…-07"),
        ("", 5, ""),
    ],
)
def test_a_name_loses_its_middle_and_keeps_the_number_at_its_end(name: str, width: int, shown: str) -> None:
    assert lines.fit_name(name, width) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [(36, "1e8a6100-0000-4000-8000-000000001595"), (13, "1e8a6100…1595"), (12, "1e8a…"), (5, "1e8a…")],
)
def test_an_id_is_cut_to_its_ends(width: int, shown: str) -> None:
    assert lines.fit_id("1e8a6100-0000-4000-8000-000000001595", width) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [(40, "no answer within 200 ms"), (20, "no answer within…"), (10, "no answer…"), (5, "no…"), (1, "n"), (0, "")],
)
def test_a_sentence_is_cut_at_a_word(width: int, shown: str) -> None:
    assert lines.fit_sentence("no answer within 200 ms", width) == shown


@given(CLEAN, st.integers(0, 30))
def test_nothing_that_was_fitted_is_wider_than_its_room(text: str, width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        assert lines.cells(lines.fit_name(text, width, glyphs)) <= width
        assert lines.cells(lines.fit_sentence(text, width, glyphs)) <= width
        assert lines.cells(lines.take(text, width)) <= width
        assert lines.cells(lines.take_end(text, width)) <= width


@given(CLEAN, st.integers(2, 30))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    rows = lines.wrap(text, width)

    assert all(lines.cells(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


@given(st.lists(st.tuples(st.integers(0, 50), CLEAN), max_size=6), st.integers(1, 60))
def test_a_line_has_exactly_its_width_and_its_last_column_is_empty(pieces: list[tuple[int, str]], width: int) -> None:
    line = compose(width, *(left(column, text) for column, text in pieces))

    assert lines.span_width(line) == width
    assert text_of(line).endswith(" ")


def test_a_piece_that_would_reach_over_the_next_one_pushes_it_on() -> None:
    line = compose(20, left(1, "abcdef"), left(4, "gh"), right(18, "9"))

    assert text_of(line) == " abcdefgh         9 "


def test_a_wide_character_is_never_cut_in_half() -> None:
    assert text_of(lines.cut((Span("数据"),), 3)) == "数"


def test_what_the_filter_matched_is_underlined_and_nothing_else_changes() -> None:
    spans = lines.matched(Span("prod-Web-01", Tone.BACKFILL), "web")

    assert [(span.text, span.is_underlined) for span in spans] == [("prod-", False), ("Web", True), ("-01", False)]
    assert {span.tone for span in spans} == {Tone.BACKFILL}
    assert lines.matched(Span("Straße"), "zz") == (Span("Straße"),)


def test_rows_are_drawn_only_when_they_are_asked_for() -> None:
    drawn: list[int] = []

    def draw(number: int) -> lines.Line:
        drawn.append(number)
        return (Span(str(number)),)

    region = Rows(None, range(100_000), draw, str)

    assert (region.line(7), region.key(7), region.find("99999"), region.find("x")) == ((Span("7"),), "7", 99_999, None)
    assert drawn == [7]


def test_the_cursor_stops_only_at_the_first_line_of_a_tall_row() -> None:
    region = TallRows(None, ["a", "b"], 2, lambda row, part: (Span(f"{row}{part}"),), str)

    assert [region.key(place) for place in range(len(region))] == ["a", None, "b", None]
    assert text_of(region.line(3)) == "b1"
    assert (region.find("b"), region.find("c")) == (2, None)


def test_lines_without_keys_hold_no_cursor() -> None:
    assert Lines(((Span("x"),),)).key(0) is None
    assert Lines(((Span("x"),),), ("k",)).find("k") == 0
