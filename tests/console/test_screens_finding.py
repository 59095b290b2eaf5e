"""Stories: finding, sorting, choosing columns, keeping places, taking rows away, and doing it all with the mouse."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console import keymaps
from console.app import ConsoleApp
from console.kept import Keeper
from console.records import Hello
from tests.console.fakes import FakeCloud, screen_text
from tests.console.fakes import an_app as app_on
from tests.console.stories import app_of, bar, type_line, until

SIZE = (120, 40)


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing, or take a copied text, from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def an_app(cloud: FakeCloud | None = None, **options: Any) -> ConsoleApp:
    return app_on(cloud or FakeCloud(), **options)


class AnotherCloud(FakeCloud):
    """The same servers in a cloud with another id."""

    async def hello(self) -> Hello:
        return (await super().hello())._replace(cloud_id="another")


def written(folder: Path, form: str) -> tuple[Path, str]:
    """The one file of a form, and what is in it."""
    (path,) = folder.glob(f"*.{form}")
    return path, path.read_text()


async def at_servers(pilot: Pilot[Any]) -> None:
    await until(pilot, "overview")
    await pilot.press("1")
    await until(pilot, "web-01", "sort state")


def names(app: ConsoleApp) -> list[str]:
    """What the list shows from its first row on, by name."""
    assert app.main.view.table is not None
    return [row.name for row in app.main.view.table.rows]


async def test_a_line_narrows_filters_and_is_completed_by_tab() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)

        await type_line(pilot, ":servers @cell-2 st")
        await until(pilot, ":servers @cell-2 state:")
        await pilot.press("tab")
        await type_line(pilot, "unk")
        await pilot.press("tab", "enter")

        place = app_of(pilot).main.place
        assert (place.view, place.scope, place.filter) == ("servers", "cell-2", "state:unknown")
        assert "4 of 4" in bar(app_of(pilot), "crumbs")
        # The lines that were typed come back with the arrow.
        await pilot.press("colon", "up")
        assert "servers @cell-2 state:unknown" in screen_text(app_of(pilot))


class InProduction(FakeCloud):
    """The same cloud where a mistake hurts."""

    async def hello(self) -> Hello:
        return (await super().hello())._replace(is_production=True)


async def test_typed_lines_come_back_after_a_restart_to_the_same_cloud_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "console.json"

    async def recalled(cloud: FakeCloud, kind: str) -> str:
        async with an_app(cloud, keeper=Keeper(path)).run_test(size=SIZE) as pilot:
            await at_servers(pilot)
            await pilot.press(kind, "up")
            return app_of(pilot).main.typed_line.prompt.value

    async with an_app(keeper=Keeper(path)).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/web cpu>1")
        await pilot.press("enter")
        await type_line(pilot, ":hosts @cell-1")
        await pilot.press("enter")
        await pilot.pause()

    assert await recalled(FakeCloud(), "slash") == "web cpu>1"
    assert await recalled(FakeCloud(), "colon") == "hosts @cell-1"
    assert await recalled(AnotherCloud(), "colon") == ""


async def test_what_is_typed_in_production_is_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    async with an_app(InProduction(), keeper=Keeper(path)).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/web")
        await pilot.press("enter", "slash", "up")

        assert app_of(pilot).main.typed_line.prompt.value == "web"
    assert not path.exists()


@pytest.mark.parametrize(("word", "order"), [("gib", "memory"), ("pfCPU", "pfcpu"), ("up", "up"), ("na", "name")])
async def test_a_list_is_sorted_by_what_stands_above_a_column(word: str, order: str) -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, f":sort {word} desc")
        await pilot.press("enter")

        assert (app_of(pilot).main.place.sort, app_of(pilot).main.place.is_descending) == (order, True)


async def test_a_typed_order_shows_what_comes_first_to_whoever_stands_at_the_top_and_leaves_others_their_row() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        main = app_of(pilot).main
        await type_line(pilot, ":sort name down")
        await pilot.press("enter")
        first = main.active.key
        assert main.active.spot is not None
        assert main.active.spot.index == 0

        await pilot.press("j")
        chosen = main.active.key
        await type_line(pilot, ":sort name up")
        await pilot.press("enter")
        assert main.active.key == chosen != first


async def test_an_asterisk_leaves_what_is_alike_in_the_sorted_column_and_narrows_on() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, ":sort host")
        await pilot.press("enter", "g", "asterisk")
        assert app_of(pilot).main.place.filter == "host=c1-h01"
        await type_line(pilot, ":sort cpu")
        await pilot.press("enter", "asterisk", "asterisk")
        assert app_of(pilot).main.place.filter == "host=c1-h01 cpu=4000mhz"
        assert len(names(app_of(pilot))) > 1
        await type_line(pilot, ":sort age")
        await pilot.press("enter", "asterisk")
        await until(pilot, "no two rows share their age")


async def test_a_filter_that_means_nothing_stays_open_and_says_which_columns_there_are() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)

        await type_line(pilot, "/colour:red")
        await pilot.press("enter")

        assert bar(app_of(pilot), "keys").startswith(" no column is called colour: there are state, name")
        await pilot.press(*["backspace"] * 9)
        await type_line(pilot, "pu>4000")
        await pilot.press("enter")
        assert app_of(pilot).main.place.filter == "cpu>4000"
        assert "0 of 40" in bar(app_of(pilot), "crumbs")

        await type_line(pilot, ":servers memory>much")
        await pilot.press("enter")
        assert bar(app_of(pilot), "status").strip() == "memory takes 8g, 512m or 2t, not much"


async def test_n_goes_to_the_next_match_while_nothing_is_hidden() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        app = app_of(pilot)

        await pilot.press("n")
        assert bar(app, "status").strip().startswith("nothing is looked for yet")
        await type_line(pilot, "\\render")
        await pilot.press("enter")
        first = app.main.cursor_key
        await pilot.press("n")
        second = app.main.cursor_key
        await pilot.press("N", "N")
        last = app.main.cursor_key

        assert bar(app, "status").strip() == "6 of 6 that match render   n next   N previous"
        assert len({first, second, last}) == 3
        assert "40" in bar(app, "crumbs")
        assert app.main.place.filter == ""


async def test_what_was_filtered_by_is_what_n_looks_for_once_the_filter_is_gone() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)

        await type_line(pilot, "/db-3")
        await pilot.press("enter", "escape", "n")

        server = app_of(pilot).main.mirror.servers[app_of(pilot).main.cursor_key or ""]
        assert server.name == "db-30"


async def test_on_a_page_slash_finds_lines_and_leaves_the_others() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await pilot.press("question_mark")
        await until(pilot, "MOVE")

        await type_line(pilot, "/previous")
        await pilot.press("enter")

        assert " lines that hold previous" in bar(app_of(pilot), "status")
        assert "MOVE" in screen_text(app_of(pilot))
        await type_line(pilot, ":find nowhere-to-be-seen")
        await pilot.press("enter")
        assert bar(app_of(pilot), "status").strip() == "no line holds nowhere-to-be-seen"


async def test_on_raw_json_an_ampersand_shows_only_the_lines_that_hold_a_text() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await pilot.press("y")
        await until(pilot, '"state"')

        await type_line(pilot, "&state")
        await pilot.press("enter")

        text = await until(pilot, '"state"')
        assert '"name"' not in text
        await pilot.press("escape")
        await until(pilot, '"name"')


async def test_any_column_sorts_and_one_that_is_not_there_is_told() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        app = app_of(pilot)

        await type_line(pilot, ":sort na")
        await pilot.press("enter")
        before = names(app)
        await type_line(pilot, ":sort na down")
        await pilot.press("enter")
        assert (app.main.place.sort, app.main.place.is_descending) == ("name", True)
        assert names(app) == before[::-1]
        await type_line(pilot, ":sort colour")
        await pilot.press("enter")
        assert bar(app, "status").strip().startswith("no column is called colour: there are state, name, host")


async def test_chosen_columns_are_shown_kept_and_given_back(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "console.json")
    async with an_app(keeper=keeper).run_test(size=SIZE) as pilot:
        await at_servers(pilot)

        # Not the state; the name before everything; sorted by the fourth.
        await pilot.press("c", "space", "j", "K", "enter")
        await until(pilot, "NAME")

        assert Keeper(tmp_path / "console.json").kept.columns["servers"][0] == "name"
        head = screen_text(app_of(pilot)).splitlines()[2]
        assert "STATE" not in head
        assert head.split()[:2] == ["NAME", "CELL"]
        await pilot.press("c", "j", "j", "s")
        await until(pilot, "sort host")
        await pilot.press("c", "r")
        await until(pilot, "STATE")
        assert "servers" not in Keeper(tmp_path / "console.json").kept.columns


async def test_what_was_kept_and_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    path.write_text("{")
    async with an_app(keeper=Keeper(path)).run_test(size=SIZE) as pilot:
        await until(pilot, f"{path}: it is not JSON"[:90])


async def test_a_place_is_kept_under_a_letter_for_this_cloud_only(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    async with an_app(keeper=Keeper(path)).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/db")
        await pilot.press("enter", "m", "d", "2")
        await until(pilot, "drives")
        await pilot.press("apostrophe", "d")
        await until(pilot, "servers /db")
        await pilot.press("m", "escape", "m", "slash")
        assert bar(app_of(pilot), "status").strip() == "nothing was kept: a bookmark is a letter or a digit"

    (marks,) = Keeper(path).kept.bookmarks.values()
    assert {letter: (mark.view, mark.filter) for letter, mark in marks.items()} == {"d": ("servers", "db")}
    async with an_app(AnotherCloud(), keeper=Keeper(path)).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await pilot.press("apostrophe")
        assert bar(app_of(pilot), "status").strip().startswith("no bookmarks of this cloud yet")


async def test_what_is_shown_becomes_a_file_that_is_named(tmp_path: Path) -> None:
    async with an_app(export_folder=tmp_path).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/db")
        await pilot.press("enter", "E", "j")
        await until(pilot, "exported 6 rows to")

        path, text = written(tmp_path, "json")
        assert bar(app_of(pilot), "status").startswith(f" exported 6 rows to {path.name} in")
        whole = json.loads(text)
        assert (whole["view"], whole["filter"], len(whole["rows"])) == ("servers", "db", 6)
        await pilot.press("E", "s")
        await until(pilot, "exported ")
        assert written(tmp_path, "svg")[1].lstrip().startswith("<svg")


async def test_an_export_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async with an_app(export_folder=tmp_path / "nowhere").run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await pilot.press("E", "c")
        text = await until(pilot, "nothing was exported")
        assert "no such file or directory" in text


async def test_the_palette_finds_verbs_views_and_colours_and_says_why_one_is_off() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/web-01")
        await pilot.press("enter", "ctrl+p")
        await until(pilot, "what to do")

        await type_line(pilot, "avoid its group")
        await pilot.press("enter")
        await until(pilot, "start, avoid its group web-01 is off: it is running")
        await pilot.press("ctrl+u")
        await type_line(pilot, "hosts")
        await pilot.press("enter")
        await until(pilot, "COMPUTE")
        assert app_of(pilot).main.place.view == "hosts"


async def test_a_palette_entry_that_asks_gets_its_dialog() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, "what to do")
        await type_line(pilot, "columns")
        await pilot.press("enter")
        await until(pilot, "servers   columns")


async def test_k9s_hands_that_press_ctrl_d_get_a_question_and_nothing_is_deleted() -> None:
    cloud = FakeCloud()
    async with an_app(cloud, keymap=keymaps.make("k9s")).run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        await type_line(pilot, "/db-25")
        await pilot.press("enter", "ctrl+d")
        await until(pilot, "type db-25 to delete")
        await pilot.press("ctrl+d", "enter", "escape")
        await pilot.pause()
        assert not [request for request in cloud.requests if request[0] == "delete"]
        await pilot.press("escape")
        await type_line(pilot, "/web-01")
        await pilot.press("enter", "ctrl+d")
        await until(pilot, "delete is off: it is running")


# The mouse -------------------------------------------------------------------------------------------------------


async def test_a_click_on_a_head_sorts_and_a_second_one_turns_it_round() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        app = app_of(pilot)
        head = screen_text(app).splitlines()[2]

        await pilot.click(offset=(head.index("NAME") + 1, 2))
        assert (app.main.place.sort, app.main.place.is_descending) == ("name", False)
        await pilot.click(offset=(head.index("NAME") + 1, 2))
        assert (app.main.place.sort, app.main.place.is_descending) == ("name", True)
        await pilot.click(offset=(head.index("CPU GHz") + 1, 2))
        assert (app.main.place.sort, app.main.place.is_descending) == ("cpu", False)


async def test_a_click_on_a_hint_is_its_key_and_a_row_is_chosen_by_one() -> None:
    async with an_app().run_test(size=SIZE) as pilot:
        await at_servers(pilot)
        app = app_of(pilot)

        await pilot.click(offset=(14, 6))
        assert app.main.cursor_key is not None
        keys = bar(app, "keys")
        await pilot.click(offset=(keys.index("s sort") + 3, SIZE[1] - 1))
        assert app.main.place.sort == "name"
        await pilot.click(offset=(keys.index("? help") + 3, SIZE[1] - 1))
        await until(pilot, "MOVE")


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
async def test_every_dialog_fits_every_terminal(size: tuple[int, int]) -> None:
    async with an_app().run_test(size=size) as pilot:
        await until(pilot, "overview")
        await pilot.press("1")
        for key, words in (("c", "columns"), ("ctrl+p", "what to do"), ("E", "export"), ("Y", "copy")):
            await until(pilot, "servers")
            await pilot.press(key)
            text = await until(pilot, words)
            assert all(len(line) <= size[0] for line in text.splitlines())
            await pilot.press("escape")
            await asyncio.sleep(0)
