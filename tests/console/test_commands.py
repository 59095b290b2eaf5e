"""The registry of commands, and the line after `:`."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import command_line, commands, keymaps
from console.command_line import (
    Advance,
    Find,
    GoTo,
    Leave,
    OpenNamed,
    Problem,
    Rehearse,
    Request,
    Run,
    SetClock,
    SetPalette,
    ShowCloud,
    Sort,
)
from console.commands import COMMANDS, LISTS, VIEWS, Command
from console.names import SHIPPED
from console.presentation import filtering
from console.presentation.columns import Column, Kind
from console.presentation.filtering import Comparison
from console.reasons import Item, Selection

KEYMAP = keymaps.Keymap()


def a_selection(*states: str, kind: str = "server", view: str = "servers") -> Selection:
    items = tuple(Item(kind, f"id-{n}", f"name-{n}", state) for n, state in enumerate(states))
    return Selection(view, items, clock_mode="manual")


def test_no_two_commands_of_one_view_or_one_menu_share_a_key() -> None:
    assert commands.clashes() == []


def test_a_clash_is_found_and_said() -> None:
    thief = Command("thief", ("d",), "thief", "takes the key of describe", views=frozenset({"servers"}))

    assert commands.clashes([*COMMANDS, thief]) == ["d in servers is both describe and thief"]


def test_a_clash_between_the_verbs_of_the_cloud_and_of_a_kind_is_found() -> None:
    thief = Command("thief", ("t",), "thief", "takes the key of advance", 1, LISTS, "server")

    assert any("thief" in sentence for sentence in commands.clashes([*COMMANDS, thief]))


def test_nothing_with_an_impact_is_on_a_key_of_the_list() -> None:
    assert [command.id for command in COMMANDS if command.impact and command.verb_of is None] == []


def test_no_verb_is_on_a_control_chord() -> None:
    assert [
        c.id for c in COMMANDS if c.verb_of is not None and any(key not in string.ascii_letters for key in c.keys)
    ] == []


def test_verbs_do_not_use_the_keys_that_move_in_their_menu() -> None:
    assert [c.id for c in COMMANDS if c.verb_of is not None and {"j", "k", "Y"} & set(c.keys)] == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_its_key_and_can_be_left_and_filtered(view: str) -> None:
    going = commands.BY_ID[f"view.{view}"]
    assert not going.keys or KEYMAP.for_key("servers", *going.keys) is going
    assert VIEWS.index(view) > 9 or going.keys == (str(VIEWS.index(view)),)
    assert KEYMAP.for_key(view, "escape") is commands.BY_ID["back"]
    assert KEYMAP.for_key(view, "slash") is commands.BY_ID["filter"]


def test_q_leaves_only_from_the_overview() -> None:
    assert [view for view in VIEWS if KEYMAP.for_key(view, "q") is not None] == ["overview"]


@pytest.mark.parametrize(
    ("verb", "states", "reason"),
    [
        ("server.start", ["stopped"], None),
        ("server.start", ["running"], "it is running"),
        ("server.start", ["running", "stopped"], None),
        ("server.start", ["running", "paused"], "they are paused and running"),
        ("server.start", [], "nothing is under the cursor"),
        ("server.stop", ["stopped"], "it is stopped"),
        ("server.delete", ["running"], "it is running"),
        ("server.edit", ["running"], None),
        ("server.edit", ["running", "stopped"], "one at a time"),
        ("server.resize", ["stopped"], None),
        ("server.resize", ["running"], "it is running"),
        ("server.attach_nic", ["running"], "it is running"),
        ("server.detach_nic", ["stopped"], None),
        ("drive.resize", ["unmounted"], None),
        ("drive.resize", ["cloning_src"], "it is being copied"),
        ("drive.snapshot", ["cloning_src"], None),
        ("drive.snapshot", ["unavailable"], "it is lost"),
        ("drive.clone_snapshot", ["creating"], "it is creating"),
        ("drive.delete_snapshot", ["unavailable"], None),
        ("drive.attach", ["unmounted"], None),
        ("drive.attach", ["unmounted", "unmounted"], "one at a time"),
        ("drive.attach", ["cloning_src"], "it is being copied"),
        ("drive.detach", ["unmounted"], "it is unmounted"),
        ("drive.delete", ["unmounted", "creating"], None),
        ("drive.delete", ["unavailable"], "it is lost"),
        ("host.drain", ["maintenance"], "it is drained"),
        ("host.evacuate", ["up"], "drain it first"),
        ("host.evacuate", ["down"], "it is down"),
        ("host.recover", ["up"], "it is up"),
        ("host.fail", ["maintenance"], None),
    ],
)
def test_a_verb_says_why_it_is_off(verb: str, states: list[str], reason: str | None) -> None:
    assert commands.reason_off(commands.BY_ID[verb], a_selection(*states)) == reason


@pytest.mark.parametrize(
    ("held_by", "reason"),
    [
        ([""], None),
        (["web-01 is running"], "web-01 is running"),
        (["web-01 is running", ""], None),
        (["web-01 is running", "web-02 is lost"], "their servers must stop"),
    ],
)
def test_a_drive_is_detached_from_a_stopped_server_only(held_by: list[str], reason: str | None) -> None:
    items = tuple(Item("drive", f"d{n}", f"d{n}", "mounted", held_by=words) for n, words in enumerate(held_by))

    assert commands.reason_off(commands.BY_ID["drive.detach"], Selection("drives", items)) == reason


def test_an_empty_list_still_has_something_to_make() -> None:
    for view, verb in (("servers", "server.create"), ("drives", "drive.create")):
        selection = Selection(view)
        on = [each.id for each in commands.verbs_for(selection) if commands.reason_off(each, selection) is None]

        assert on == [verb]


def test_a_server_of_a_silent_cell_cannot_be_started() -> None:
    selection = Selection("servers", (Item("server", "id", "mail", "unknown", is_reachable=False),))

    assert commands.reason_off(commands.BY_ID["server.start"], selection) == "its cell is silent"


def test_every_verb_is_off_while_the_cloud_does_not_answer_and_in_read_only() -> None:
    stale = Selection("servers", (Item("server", "id", "web", "stopped"),), is_stale=True)
    read_only = Selection("servers", (Item("server", "id", "web", "stopped"),), is_read_only=True)

    assert {commands.reason_off(verb, stale) for verb in commands.verbs_for(stale)} == {"the cloud is silent"}
    assert {commands.reason_off(verb, read_only) for verb in commands.verbs_for(read_only)} == {"read-only"}


def test_only_a_simulated_cloud_loses_hosts() -> None:
    selection = Selection("hosts", (Item("host", "host:h1", "h1", "up"),), is_simulated=False)

    assert commands.reason_off(commands.BY_ID["host.fail"], selection) == "no simulated cloud"
    assert commands.reason_off(commands.BY_ID["host.drain"], selection) is None


@pytest.mark.parametrize("kind", ["drive", "host"])
def test_the_menus_of_drives_and_hosts_hold_no_verb_of_the_cloud(kind: str) -> None:
    assert {verb.verb_of for verb in commands.verbs_for(a_selection("up", kind=kind))} == {kind}


@pytest.mark.parametrize(
    ("view", "ids"), [("hosts", ["move.left", "move.right"]), ("drives", ["back.left", "open.right"])]
)
def test_on_a_map_h_and_l_move_and_elsewhere_they_go_back_and_open(view: str, ids: list[str]) -> None:
    assert [command.id for key in "hl" if (command := KEYMAP.for_key(view, key)) is not None] == ids


def test_the_menu_of_a_cell_offers_faults_and_says_which_one_it_has() -> None:
    selection = a_selection("down", kind="cell", view="cells")

    off = {verb.id: commands.reason_off(verb, selection) for verb in commands.verbs_for(selection)}

    assert off["cell.up"] is None
    assert off["cell.down"] == "it is down"


def test_the_key_row_begins_with_what_the_state_asks_for_and_ends_with_help() -> None:
    hints = commands.hints("servers", [("r", "try now")])

    assert hints[0] == ("r", "try now")
    assert hints[1] == ("enter", "open")
    assert hints[-1] == ("?", "help")
    assert [key for key, _ in hints].count("r") == 1


def test_help_names_every_command_of_a_view() -> None:
    words = {row[1] for _, rows in commands.help_sections("servers") for row in rows}

    missing = [c.id for c in COMMANDS if c.verb_of is None and c.keys and "servers" in c.views and c.help not in words]
    assert missing == []


def test_help_speaks_of_an_account_and_of_a_server() -> None:
    titles = {title for title, _ in commands.help_sections("overview")} | {
        title for title, _ in commands.help_sections("servers")
    }

    assert {"actions on an account", "actions on a server"} <= titles
    assert "actions on a account" not in titles


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("servers", GoTo("servers")),
        ("ser", GoTo("servers")),
        ("s", GoTo("servers")),
        ("servers cell-3 /db", GoTo("servers", "cell-3", "db")),
        ("servers /web 1", GoTo("servers", None, "web 1")),
        ("groups/auth", GoTo("groups", None, "auth")),
        ("/db", GoTo("servers", None, "db")),
        ("cell cell-2", GoTo("servers", "cell-2")),
        ("cell", GoTo("cells")),
        ("group web", GoTo("groups", "web")),
        ("drives cell-2 /boot", GoTo("drives", "cell-2", "boot")),
        ("hosts", GoTo("hosts")),
        ("host c2-h07", OpenNamed("host", "c2-h07")),
        ("host", GoTo("hosts")),
        ("drive a name with spaces/and a slash", OpenNamed("drive", "a name with spaces/and a slash")),
        ("drive", GoTo("drives")),
        ("ov", GoTo("overview")),
        ("q", Leave()),
        ("q!", Leave()),
        ("quit", Leave()),
        ("refresh", Run("refresh")),
        ("help", Run("help")),
        ("advance 60", Advance(60)),
        ("advance 5m", Advance(300)),
        ("advance", Advance(60)),
        ("clock", GoTo("clock")),
        ("clock manual", SetClock("manual")),
        ("clock pause", SetClock("manual")),
        ("clock stop", SetClock("manual")),
        ("clock step", Advance(60)),
        ("clock step 5m", Advance(300)),
        ("server web 08", OpenNamed("server", "web 08")),
        ("server\x1fweb 08", OpenNamed("server", "web 08")),
        ("server", GoTo("servers")),
        ("server @cell-2", GoTo("servers", "cell-2")),
        ("server cpu>4", GoTo("servers", None, "cpu>4")),
        ("clock x60", SetClock("rate", 60.0)),
        ("clock 2.5", SetClock("rate", 2.5)),
        ("palette light", SetPalette("light")),
        ("rehearse", GoTo("rehearsal")),
        ("rehearsal", GoTo("rehearsal")),
        ("reh my files/a drain.toml", Rehearse("my files/a drain.toml", 60.0)),
        ("rehearse surge-over-backfill x600", Rehearse("surge-over-backfill", 600.0)),
    ],
)
def test_a_line_is_understood(line: str, request_: Request) -> None:
    assert command_line.parse_line(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "nonsense",
        "groups @all",
        "advance soon",
        "advance -5",
        "clock soon",
        "clock nan",
        "palette x",
        "reh it x0",
    ],
)
def test_a_line_that_makes_no_sense_is_a_sentence(line: str) -> None:
    assert isinstance(command_line.parse_line(line), Problem)


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("se", "servers"),
        ("c", "cells"),
        ("cell c", "cell cell-1"),
        ("cell cell-2", None),
        ("", None),
        ("servers", None),
        ("xyz", None),
        ("overview ", None),
    ],
)
def test_a_line_is_completed_to_what_begins_with_it(text: str, completed: str | None) -> None:
    assert command_line.complete_line(text, {"cell": ("cell-1", "cell-2")}) == completed


def test_every_word_of_the_line_can_be_typed_and_is_completed_from_its_beginning() -> None:
    for word in command_line.LINE_WORDS:
        assert not isinstance(
            command_line.parse_line(f"{word} 60" if word == "advance" else word), Problem
        ) or word in (
            "clock",
            "palette",
        )


def test_a_drive_of_a_server_that_is_not_stopped_does_not_grow_and_the_reason_names_that() -> None:
    item = Item("drive", "drive:d", "data", "mounted", held_by="web-01 is running")

    assert commands.reason_off(commands.BY_ID["drive.resize"], Selection("drives", (item,))) == "web-01 is running"
    stopped = item._replace(held_by="")
    assert commands.reason_off(commands.BY_ID["drive.resize"], Selection("drives", (stopped,))) is None


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("servers @cell-2 state=running cpu>4000 /web", GoTo("servers", "cell-2", "state=running cpu>4000 web")),
        ("servers @all cloud:lab /web", GoTo("servers", "@all", "cloud:lab web")),
        ("servers all", GoTo("servers", "all")),
        ("hosts @all", GoTo("hosts", "@all")),
        ("cloud lab", ShowCloud("lab")),
        ("ctx", Run("clouds")),
        ("servers cpu>4000", GoTo("servers", None, "cpu>4000")),
        ("servers cell-2 !web", GoTo("servers", "cell-2", "!web")),
        ("servers 'web @cell-1", GoTo("servers", "cell-1", "'web")),
        ("tasks /cell-1/17", GoTo("tasks", None, "cell-1/17")),
        ("servers /a  b", GoTo("servers", None, "a b")),
        ("servers @a @b", Problem("servers is narrowed to one place at a time, not to a and b")),
        ("servers @", Problem("a name follows the at sign, such as @cell-2")),
        ("sort cpu down", Sort("cpu", True)),
        ("sort cpu desc", Sort("cpu", True)),
        ("sort cpu asc", Sort("cpu", False)),
        ("sort", Sort("")),
        ("sort cpu sideways", Problem("sort takes a column, and up or down, such as sort cpu down")),
        ("find web /x", Find("web /x")),
        ("find", Run("find")),
    ],
)
def test_a_line_may_narrow_filter_sort_and_find(line: str, request_: Request) -> None:
    assert command_line.parse_line(line) == request_


@given(st.text(max_size=30) | st.text("servers @cell-2/:=<>'! ", max_size=30))
def test_no_line_is_too_strange_to_be_read_or_completed(line: str) -> None:
    command_line.parse_line(line)

    ghost = command_line.complete_line(line, {"servers": ["cell-1"]}, lambda _view: _COLUMNS)
    assert ghost is None or ghost.startswith(line)


_COLUMNS = (
    Column[Any]("state", str, Kind.WORD, words=("running", "stopped")),
    Column[Any]("cpu", str, Kind.CPU),
    Column[Any]("cell", str, distinct=frozenset({"cell-1", "cell-2"})),
)


@pytest.mark.parametrize(
    ("typed", "ghost"),
    [
        ("servers ce", "servers cell-1"),
        ("servers @ce", "servers @cell-1"),
        ("servers @cell-1 st", "servers @cell-1 state:"),
        ("servers cpu", "servers cpu>"),
        ("servers !st", "servers !state:"),
        ("servers state=ru", "servers state=running"),
        ("servers state=running c", None),
        ("servers state=running cell:cell-", "servers state=running cell:cell-1"),
        ("servers /st", None),
        ("servers 'st", None),
        ("sort c", "sort cpu"),
        ("sort zz", None),
    ],
)
def test_a_line_is_completed_with_names_columns_and_their_words(typed: str, ghost: str | None) -> None:
    assert command_line.complete_line(typed, {"servers": ["cell-1", "cell-2"]}, lambda _view: _COLUMNS) == ghost


@pytest.mark.parametrize("kind", [*sorted({c.verb_of for c in commands.COMMANDS if c.verb_of}), "task"])
def test_every_row_of_the_clocks_page_has_all_verbs_of_the_clock_and_each_is_in_the_hint(kind: str) -> None:
    verbs = commands.verbs_for(Selection("clock", (Item(kind, f"{kind}:1", "one", "up"),)))

    of_clock = [verb for verb in verbs if verb.id.startswith("clock.")]
    assert of_clock == [verb for verb in commands.COMMANDS if verb.id.startswith("clock.")]
    told = commands.clock_hint().removeprefix("x, then ").split(", ")
    assert [each[0] for each in told] == [verb.keys[0] for verb in of_clock]


def test_the_verbs_of_a_host_in_a_rehearsal_are_its_faults_and_failing_is_the_first() -> None:
    """`d` takes a cell down there; on the row of a host it must not be another verb."""
    host, cell = Item("host", "host:h1", "h1", "up"), Item("cell", "cell:c1", "c1", "up")

    verbs = commands.verbs_for(Selection("faults", (host,)))

    assert [verb.id for verb in verbs if verb.verb_of == "host"] == ["host.fail", "host.recover"]
    assert "d" not in {key for verb in verbs for key in verb.keys}
    assert "cell.down" in {verb.id for verb in commands.verbs_for(Selection("faults", (cell,)))}
    assert "host.drain" in {verb.id for verb in commands.verbs_for(Selection("hosts", (host,)))}


def test_rows_of_several_clouds_are_looked_at_together_and_acted_on_one_cloud_at_a_time() -> None:
    mixed = a_selection("stopped", "stopped")._replace(is_mixed=True)

    assert {commands.reason_off(verb, mixed) for verb in commands.verbs_for(mixed)} == {"one cloud at a time"}
    assert commands.reason_off(commands.BY_ID["copy"], mixed) is None


def test_a_snapshot_of_a_drive_whose_cell_is_silent_is_not_deleted() -> None:
    drive = Item("drive", "drive:d1", "db-1", "unknown", is_reachable=False)

    assert commands.reason_off(commands.BY_ID["drive.delete_snapshot"], Selection("drives", (drive,))) is not None


MENU_REASON_CELLS = 66 - 4 - 28 - 7 - len("off: ")
"""Of a menu of 66 cells: without its box, the letter and the verb, and the tier."""


@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize("is_simulated", [False, True])
@pytest.mark.parametrize("is_reachable", [False, True])
@pytest.mark.parametrize("state", ["up", "down", "running", "stopped", "maintenance", "active", "inactive", "ready",
                                   "cloning_dst", "backing_up", "restoring", "apart"])  # fmt: skip
def test_a_reason_fits_the_column_of_the_menu(
    state: str, is_reachable: bool, is_simulated: bool, is_stale: bool
) -> None:
    found = set()
    for kind in ("server", "drive", "host", "group", "cell", "schedule", "backup"):
        for number in (1, 2):
            items = (Item(kind, "key", "name", state, is_reachable),) * number
            for view in ("overview", "faults", "clock"):
                selection = Selection(view, items, False, is_stale, is_simulated, "wall")
                found |= {commands.reason_off(verb, selection) for verb in commands.verbs_for(selection)}

    assert [each for each in found - {None} if len(str(each)) > MENU_REASON_CELLS] == []


@pytest.mark.parametrize(
    ("typed", "terms", "problem"),
    [
        ("state:=running", (("=", "running"),), ""),
        ("state:!=running", (("=", "running"),), ""),
        ("state:=", (), "state:= is followed by a text; state= alone finds those without one"),
        ("state:>run", (), "state is a text: state:TEXT and state=TEXT compare it"),
        ("cpu:>=4ghz", ((">=", 4000.0),), ""),
        ("cpu:=", (), "cpu takes 4000, 4000mhz or 4ghz"),
    ],
)
def test_a_sign_behind_the_colon_of_completion_means_what_it_says(
    typed: str, terms: tuple[tuple[str, object], ...], problem: str
) -> None:
    found = filtering.parse(typed, _COLUMNS)

    assert found.problem == problem
    assert tuple((term.operator, term.operand) for term in found.terms if isinstance(term, Comparison)) == terms


def test_a_sign_behind_the_colon_is_completed_too_and_scenarios_are() -> None:
    assert command_line.complete_filter("state:=ru", _COLUMNS) == "state:=running"
    assert command_line.complete_line("rehearse ", {"rehearse": SHIPPED}) == f"rehearse {SHIPPED[0]}"


def test_a_word_that_is_nearly_one_is_told_which() -> None:
    assert command_line.parse_line("svers") == Problem("no command or view is called svers; servers?")
    assert command_line.parse_line("xyzzy") == Problem("no command or view is called xyzzy")
