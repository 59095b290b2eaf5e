"""The widgets by themselves: what is drawn, where the cursor stays, what a key costs."""

import time
from collections.abc import Sequence

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.strip import Strip

from console.presentation.lines import ASCII, UNICODE, Glyphs, Grid, Line, Lines, Region, Rows, Span, Tone, blank_region
from console.widgets.box import Box
from console.widgets.painting import TONE_CLASSES, Bar
from console.widgets.table import RegionList

pytestmark = pytest.mark.anyio
HEAD: Line = (Span("  NAME", Tone.MUTED),)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def rows_of(names: Sequence[str], head: Line | None = HEAD) -> Rows[str]:
    return Rows(head, list(names), lambda name: (Span("  "), Span(name)), lambda name: name)


class TonedScreen(Screen[None]):
    COMPONENT_CLASSES = TONE_CLASSES


class LineApp(App[None]):
    """Whatever is in it is drawn in the console's tones."""

    CSS_PATH = "../../console/console.tcss"

    def get_default_screen(self) -> Screen[None]:
        return TonedScreen()


class ListApp(LineApp):
    """One list that fills the terminal."""

    def __init__(self, regions: Sequence[Region], glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.regions = regions
        self.list = RegionList(glyphs, id="body")

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.show(self.regions)


def drawn(widget: RegionList | Box) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_the_first_row_has_the_cursor_and_the_head_stays_on_top() -> None:
    app = ListApp([rows_of(["a", "b"])])

    async with app.run_test(size=(20, 5)):
        assert drawn(app.list) == ["  NAME", "▌ a", "  b", "", ""]


async def test_of_regions_that_are_shown_again_only_those_that_are_others_are_laid_out() -> None:
    laid_out: list[str] = []

    def region_of(*names: str) -> Rows[str]:
        def draw(name: str) -> Line:
            laid_out.append(name)
            return (Span(f"  {name}"),)

        return Rows(None, names, draw, lambda name: name)

    kept = region_of("c")
    app = ListApp([region_of("a"), region_of("b"), kept])

    async with app.run_test(size=(20, 5)):
        assert drawn(app.list) == ["▌ a", "  b", "  c", "", ""]
        laid_out.clear()
        app.list.show([region_of("a"), region_of("bb"), kept])
        assert drawn(app.list) == ["▌ a", "  bb", "  c", "", ""]
        assert laid_out == ["a", "bb"]

        app.list.show([region_of("a"), kept])
        assert drawn(app.list) == ["▌ a", "  c", "", "", ""]


async def test_the_head_stays_in_view_when_the_list_is_scrolled() -> None:
    app = ListApp([rows_of([f"r{n}" for n in range(100)])])

    async with app.run_test(size=(20, 5)):
        app.list.go_to_end(is_last=True)

        assert drawn(app.list) == ["  NAME", "  r96", "  r97", "  r98", "▌ r99"]

        app.list.move(-4)

        assert drawn(app.list) == ["  NAME", "▌ r95", "  r96", "  r97", "  r98"]


async def test_the_cursor_stays_on_its_row_when_rows_come_and_go_above_it() -> None:
    app = ListApp([rows_of(["b", "c", "d"])])

    async with app.run_test(size=(20, 8)):
        app.list.move(1)
        app.list.show([rows_of(["a", "a2", "b", "c", "d"])])

        assert app.list.key == "c"

        app.list.show([rows_of(["c", "d"])])

        assert drawn(app.list)[1] == "▌ c"


async def test_a_row_that_has_gone_leaves_the_cursor_on_the_row_that_took_its_place() -> None:
    app = ListApp([rows_of(["a", "b", "c"])])

    async with app.run_test(size=(20, 8)):
        app.list.move(1)
        app.list.show([rows_of(["a", "c"])])

        assert app.list.key == "c"

        app.list.show([rows_of(["a"])])

        assert app.list.key == "a"


async def test_several_regions_are_one_list_for_j_and_tab_walks_from_table_to_table() -> None:
    notes = Lines(((Span(" a sentence"),),))
    app = ListApp([rows_of(["a", "b"]), blank_region(20), rows_of(["x", "y"]), notes])

    async with app.run_test(size=(20, 10)):
        app.list.move(1)
        app.list.move(1)
        assert app.list.key == "x"

        app.list.go_to_end(is_last=False)
        assert app.list.go_to_region(1)
        assert app.list.key == "x"
        assert not app.list.go_to_region(1)

        app.list.go_to_end(is_last=True)
        assert app.list.key == "y"


async def test_a_list_without_rows_to_choose_scrolls() -> None:
    app = ListApp([Lines(tuple((Span(f" line {n}"),) for n in range(9)))])

    async with app.run_test(size=(20, 3)):
        assert not app.list.has_rows
        app.list.move(2)

        assert drawn(app.list) == [" line 2", " line 3", " line 4"]

        app.list.go_to_end(is_last=True)

        assert drawn(app.list) == [" line 6", " line 7", " line 8"]


async def test_marks_are_drawn_beside_the_cursor_and_stay_when_the_row_is_filtered_away() -> None:
    app = ListApp([rows_of(["a", "b", "c"])])

    async with app.run_test(size=(20, 5)):
        app.list.mark()
        app.list.move(-1)

        assert drawn(app.list)[1:3] == ["▌*a", "  b"]

        app.list.show([rows_of(["b", "c"])])

        assert app.list.marks == {"a"}


async def test_a_mark_never_covers_what_stands_in_its_column() -> None:
    names = ["cell-1", "cell-2"]
    app = ListApp([Rows(HEAD, names, lambda name: (Span(f" {name}"),), lambda name: name)])

    async with app.run_test(size=(20, 4)):
        app.list.set_marks(names)

        assert drawn(app.list)[1:3] == ["*cell-1", "*cell-2"]


async def test_a_range_marks_to_where_the_cursor_goes_and_unmarks_when_it_comes_back() -> None:
    app = ListApp([rows_of([f"r{n}" for n in range(10)])])

    async with app.run_test(size=(20, 6)):
        app.list.move(2)
        app.list.toggle_range()
        app.list.move(3)
        assert app.list.marks == {"r2", "r3", "r4", "r5"}

        app.list.move(-2)
        assert app.list.marks == {"r2", "r3"}

        app.list.move(-3)
        assert app.list.marks == {"r0", "r1", "r2"}


async def test_mark_all_and_invert_stay_in_their_region() -> None:
    app = ListApp([rows_of(["a", "b"]), rows_of(["x"])])

    async with app.run_test(size=(20, 8)):
        app.list.mark_all()
        assert app.list.marks == {"a", "b"}

        app.list.invert_marks()
        assert app.list.marks == frozenset()


async def test_a_click_moves_the_cursor_and_the_wheel_scrolls() -> None:
    app = ListApp([rows_of([f"r{n}" for n in range(50)])])

    async with app.run_test(size=(20, 6)) as pilot:
        await pilot.click("#body", offset=(4, 3))
        assert app.list.key == "r2"

        await pilot._post_mouse_events([events.MouseScrollDown], "#body", offset=(4, 3))
        await pilot.pause()

        assert app.list.key == "r3"


async def test_names_are_never_read_as_markup() -> None:
    app = ListApp([rows_of(["srv[/b]", "[@click=app.quit]x[/]"])])

    async with app.run_test(size=(40, 4)) as pilot:
        await pilot.click("#body", offset=(3, 2))

        assert drawn(app.list)[1:3] == ["  srv[/b]", "▌ [@click=app.quit]x[/]"]


async def test_every_line_is_exactly_as_wide_as_the_list_even_with_double_cells() -> None:
    app = ListApp([rows_of(["日本語" * 8, "ab"])])

    async with app.run_test(size=(21, 4)):
        assert {app.list.render_line(y).cell_length for y in range(4)} == {21}


async def test_the_ascii_cursor_is_ascii() -> None:
    app = ListApp([rows_of(["a"])], ASCII)

    async with app.run_test(size=(20, 3)):
        assert drawn(app.list)[1] == "> a"


def style_of(strip: Strip, text: str) -> str:
    return next(str(segment.style) for segment in strip if text in segment.text)


async def test_tones_become_colours_through_the_style_sheet() -> None:
    line: Line = (Span("  "), Span("lost", Tone.CRIT), Span("run", Tone.OK))
    app = ListApp([Lines((line, line), ("a", "b"))])

    async with app.run_test(size=(20, 3)):
        assert style_of(app.list.render_line(1), "lost").startswith("#e54222")
        assert style_of(app.list.render_line(1), "run").startswith("#32baff")
        # On the background of the cursor row a word in this tone would be too faint to read.
        assert style_of(app.list.render_line(0), "lost").startswith("#d8d8d8")


async def test_a_key_at_a_hundred_thousand_rows_costs_no_more_than_at_a_thousand() -> None:
    """Compared with itself in one run, because machines differ: what must not happen is a cost that grows."""

    async def cost(count: int) -> float:
        app = ListApp([rows_of([f"r{n}" for n in range(count)])])
        async with app.run_test(size=(120, 40)):
            best = float("inf")
            for _ in range(7):
                began = time.process_time()
                for _ in range(50):
                    app.list.move(1)
                    for y in range(40):
                        app.list.render_line(y)
                best = min(best, time.process_time() - began)
            return best

    assert await cost(100_000) <= 3 * await cost(1_000)


class RowApp(LineApp):
    """One row of the frame."""

    def compose(self) -> ComposeResult:
        yield Bar(id="bar")


async def test_a_bar_draws_one_line_and_cuts_what_has_no_room() -> None:
    app = RowApp()

    async with app.run_test(size=(10, 8)):
        bar = app.query_one(Bar)
        bar.show((Span("a long header line"),))

        assert bar.render_line(0).text == "a long hea"
        assert bar.text == "a long header line"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_a_box_draws_its_border_from_the_glyphs_and_keeps_its_foot_in_sight(glyphs: Glyphs) -> None:
    class BoxApp(LineApp):
        def compose(self) -> ComposeResult:
            yield Box(glyphs, id="box")

    app = BoxApp()
    async with app.run_test(size=(20, 6)) as pilot:
        box = app.query_one(Box)
        box.show("web-31", [(Span(f"line {n}"),) for n in range(9)], [(Span("foot"),)])
        await pilot.pause()

        top_left, top_right, bottom_left, _ = glyphs.corners
        rows = drawn(box)
        assert rows[0].startswith(f"{top_left}{glyphs.level} web-31")
        assert rows[0].endswith(top_right)
        assert rows[1].split()[1:3] == ["line", "0"]
        assert rows[4].split()[1] == "foot"
        assert rows[5].startswith(f"{bottom_left}{glyphs.level} 6 more ")

        box.page(1)
        assert drawn(box)[1].split()[1:3] == ["line", "2"], "one line stays in sight"
        box.scroll(99)
        assert drawn(box)[3].split()[1:3] == ["line", "8"]
        assert "more" not in drawn(box)[5]


# --------------------------------------------------------------------------------------------------------------- maps


def map_of(*rows: str) -> Grid[str]:
    """A line for each text, a record for each of its letters, from column 4 on."""
    placed = [[(4 + place, letter) for place, letter in enumerate(row)] for row in rows]
    return Grid(HEAD, placed, lambda index: (Span("    " + rows[index]),), lambda letter: letter)


async def test_on_a_map_the_cursor_moves_sideways_and_on_to_the_next_line() -> None:
    app = ListApp([map_of("abc", "", "de")])

    async with app.run_test(size=(20, 6)):
        keys = []
        for _ in range(5):
            keys.append(app.list.key)
            app.list.move_aside(1)

        assert keys == ["a", "b", "c", "d", "e"]
        app.list.move_aside(1)
        assert app.list.key == "e"
        app.list.move_aside(-1)
        app.list.move_aside(-1)
        assert app.list.key == "c"


async def test_on_a_map_up_and_down_keep_the_column_as_far_as_a_line_reaches() -> None:
    app = ListApp([map_of("abc", "de"), rows_of(["x"], head=None)])

    async with app.run_test(size=(20, 6)):
        app.list.move_aside(2)
        app.list.move(1)
        assert app.list.key == "e"
        app.list.move(1)
        assert app.list.key == "x"
        assert not app.list.is_on_map


async def test_the_sign_under_the_cursor_of_a_map_is_reversed_and_a_full_block_gives_way_to_the_cursor_s_own() -> None:
    app = ListApp([map_of("a\u2588c")])

    async with app.run_test(size=(20, 4)):
        sign = next(segment for segment in app.list.render_line(1) if segment.text == "a")
        assert sign.style is not None
        assert sign.style.reverse
        app.list.move_aside(1)

        assert drawn(app.list)[1] == "▌   a▌c"


async def test_the_cursor_of_a_map_stays_on_its_record_when_that_moves() -> None:
    app = ListApp([map_of("abc", "de")])

    async with app.run_test(size=(20, 6)):
        app.list.move_aside(2)
        app.list.show([map_of("xab", "dec")])

        assert app.list.key == "c"
        assert app.list.spot is not None
        assert (app.list.spot.index, app.list.spot.place) == (1, 2)


async def test_a_click_on_a_map_chooses_the_record_under_it() -> None:
    app = ListApp([map_of("abc", "de")])

    async with app.run_test(size=(20, 6)) as pilot:
        await pilot.click(offset=(5, 2))

        assert app.list.key == "e"


async def test_every_record_of_a_map_can_be_marked() -> None:
    app = ListApp([map_of("abc", "de")])

    async with app.run_test(size=(20, 6)):
        app.list.mark()
        assert (app.list.marks, app.list.key) == (frozenset("a"), "b")
        app.list.mark_all()

        assert app.list.marks == set("abcde")
