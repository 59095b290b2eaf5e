"""What one can ask of the console: every command with its keys, its words, its impact and when it is off.

The key row, the help view, the actions menu, the command line and the palette are all made from `COMMANDS`, so
none of them can promise a key that does nothing. Pure: it decides and words, screens act.

Two rules hold everywhere and are tested: no two commands of one view (or of one menu) share a key, and nothing
with an impact above 0 sits on a key of the list itself: verbs live in the menu behind `x`.

Reading order: Item and Selection, Command, COMMANDS, `for_key`, `hints`; then the command line at the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from console import names

VIEWS: tuple[str, ...] = names.VIEWS
"""Views in the order of their digits: overview is 0."""

LISTS = frozenset(VIEWS)
PAGES = frozenset({"detail", "raw", "why", "help"})
"""Views that are read rather than chosen from: opened over a list, left with esc."""

SERVER_VIEWS = frozenset({"overview", "servers", "groups", "backfill", "detail", "why"})
DRIVE_VIEWS = frozenset({"drives", "detail", "why"})
GROUP_VIEWS = frozenset({"overview", "groups"})
HOST_VIEWS = frozenset({"overview", "hosts", "groups", "detail"})
MAP_VIEWS = frozenset({"hosts"})
"""Views with a map, where h and l move over it."""
_KINDS_LISTED = {"servers": "server", "drives": "drive"}
"""Lists of what can be made, with its kind."""
WHY_VIEWS = frozenset({"why"})
"""Views of one decision, with others before and after it."""
TIME_VIEWS = frozenset({"events"})
"""Views of which the past can be seen."""
CELL_VIEWS = frozenset({"overview", "cells", "detail"})


class Item(NamedTuple):
    """One object that a command would act on, as the console knows it now."""

    kind: str
    key: str
    name: str
    state: str = ""
    is_reachable: bool = True
    version: int | None = None
    held_by: str = ""
    """Of a mounted drive: its server and what that does, `web-01 is running`, where that keeps it."""
    restarts: bool | None = None
    """Of a backfilling server: whether it is started again after it was stopped for room."""


class Selection(NamedTuple):
    """Where the operator stands: the view, the marked rows or else the row under the cursor, and the connection."""

    view: str
    items: tuple[Item, ...] = ()
    is_read_only: bool = False
    is_stale: bool = False
    is_simulated: bool = True
    clock_mode: str | None = None

    @property
    def kind(self) -> str | None:
        """The kind that all the items share, or None."""
        kinds = {item.kind for item in self.items}
        return kinds.pop() if len(kinds) == 1 else None


def _never_off(_selection: Selection) -> str | None:
    return None


class Command(NamedTuple):
    """One thing to ask for.

    `keys` are Textual's names of keys; `verb_of` is the kind whose menu holds it (its keys are letters of that
    menu), None for a key of the list. `impact` is the tier: 0 changes nothing, 1 is undone by its opposite, 2 asks
    once, 3 cannot be undone and asks for the name. `rank` orders the key row (0: not shown there).
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    impact: int = 0
    views: frozenset[str] = LISTS | PAGES
    verb_of: str | None = None
    cost: str = ""
    rank: int = 0
    disabled_reason: Callable[[Selection], str | None] = _never_off
    needs_row: bool = True
    """Whether a verb of a kind is about objects that are there already."""


def _needs_row(selection: Selection) -> str | None:
    return None if selection.items else "nothing is under the cursor"


_STATE_WORDS = {"cloning_src": "being copied", "cloning_dst": "a copy in the making", "unavailable": "lost",
                "maintenance": "in maintenance"}  # fmt: skip
"""How a sentence says a state that the API has a longer or stranger word for."""


def _off_unless(states: Iterable[str]) -> Callable[[Selection], str | None]:
    """Off when no item is in one of `states`, and says what they are instead."""
    wanted = frozenset(states)

    def reason(selection: Selection) -> str | None:
        if not any(item.is_reachable for item in selection.items):
            return "its cell does not answer"
        if any(item.is_reachable and item.state in wanted for item in selection.items):
            return None
        found = sorted({_STATE_WORDS.get(item.state, item.state) for item in selection.items})
        pronoun = "it is" if len(selection.items) == 1 else "they are"
        return f"{pronoun} {' and '.join(found)}"

    return reason


def _detaches(selection: Selection) -> str | None:
    if (off := _off_unless({"mounted"})(selection)) is not None:
        return off
    mounted = [item for item in selection.items if item.is_reachable and item.state == "mounted"]
    if any(not item.held_by for item in mounted):
        return None
    return mounted[0].held_by if len(mounted) == 1 else "their servers are not stopped"


def _resizes(selection: Selection) -> str | None:
    if (off := _off_unless({"mounted", "unmounted"})(selection)) is not None:
        return off
    return next((item.held_by for item in selection.items if item.held_by), None)


def _alone(reason_for: Callable[[Selection], str | None]) -> Callable[[Selection], str | None]:
    """Off for several objects at once: what is asked for would be the same for all of them."""

    def reason(selection: Selection) -> str | None:
        return "one at a time" if len(selection.items) > 1 else reason_for(selection)

    return reason


def _off_where_silent(selection: Selection) -> str | None:
    return None if any(item.is_reachable for item in selection.items) else "its cell does not answer"


def _restarts(wanted: bool) -> Callable[[Selection], str | None]:
    """Off where no backfilling server of the selection has it otherwise."""

    def reason(selection: Selection) -> str | None:
        if (off := _off_where_silent(selection)) is not None:
            return off
        found = {item.restarts for item in selection.items if item.is_reachable}
        if (not wanted) in found:
            return None
        if found == {None}:
            return "not a backfilling one"
        return "it is already" if wanted else "it is not anyway"

    return reason


def _fault_of_host(states: Iterable[str]) -> Callable[[Selection], str | None]:
    def reason(selection: Selection) -> str | None:
        return _simulated_only(selection) or _off_unless(states)(selection)

    return reason


_SNAPSHOT = frozenset({"mounted", "unmounted", "cloning_src"})
"""What a drive may be doing while a snapshot of it is taken or copied: it is only read."""
_CLONED = frozenset({"stopped", "starting", "running", "stopping", "paused"})
"""What a server may be doing while it is copied: only its drives are read."""


def _evacuates(selection: Selection) -> str | None:
    if (off := _off_unless({"maintenance"})(selection)) is None:
        return None
    return "drain it first" if all(item.state == "up" for item in selection.items) else off


def _restores(selection: Selection) -> str | None:
    state = selection.items[0].state if selection.items else ""
    return {"being restored": "it is under way", "apart": "no members share a host"}.get(state)


def _ends_restoring(selection: Selection) -> str | None:
    is_on = any(item.state == "being restored" for item in selection.items)
    return None if is_on else "it is not under way"


def _simulated_only(selection: Selection) -> str | None:
    return None if selection.is_simulated else "only a simulated cloud takes faults"


def _cell_not_in(state: str) -> Callable[[Selection], str | None]:
    def reason(selection: Selection) -> str | None:
        if (off := _simulated_only(selection)) is not None:
            return off
        return f"it is {state}" if all(item.state == state for item in selection.items) else None

    return reason


def _clock_not_wall(selection: Selection) -> str | None:
    if (off := _simulated_only(selection)) is not None:
        return off
    return "the clock follows the wall" if selection.clock_mode == "wall" else None


def _clock_not_manual(selection: Selection) -> str | None:
    if (off := _simulated_only(selection)) is not None:
        return off
    return "it stands already" if selection.clock_mode == "manual" else None


def _view_commands() -> tuple[Command, ...]:
    return tuple(
        Command(f"view.{name}", (str(digit),) if digit < 10 else (), name, f"go to {name}, also :{name}")
        for digit, name in enumerate(VIEWS)
    )


COMMANDS: tuple[Command, ...] = (
    # Move.
    Command("move.down", ("j", "down"), "down", "one row down"),
    Command("move.up", ("k", "up"), "up", "one row up"),
    Command("move.half_down", ("ctrl+d",), "half page down", "half a page down"),
    Command("move.half_up", ("ctrl+u",), "half page up", "half a page up"),
    Command("move.page_down", ("pagedown", "ctrl+f"), "page down", "a page down"),
    Command("move.page_up", ("pageup",), "page up", "a page up"),
    Command("move.top", ("g", "home"), "first", "first row"),
    Command("move.bottom", ("G", "end"), "last", "last row"),
    Command("move.next_region", ("tab",), "next table", "next table of this view"),
    Command("move.previous_region", ("shift+tab",), "previous table", "previous table of this view"),
    Command("move.right", ("l", "right"), "right", "next host of the map; in the list, open", views=MAP_VIEWS),
    Command("move.left", ("h", "left"), "left", "host before this one in the map; in the list, back", views=MAP_VIEWS),
    # Go.
    Command("open", ("enter",), "open", "open what the row is about", views=LISTS | {"detail", "why"}, rank=1),
    Command("open.right", ("l", "right"), "open", "open what the row is about",
            views=(LISTS | {"detail", "why"}) - MAP_VIEWS),
    Command("target", ("o",), "go to target", "go to what the task is about", views=frozenset({"tasks"}), rank=2),
    Command("back", ("escape", "backspace"), "back", "back to now, no filter, or one view back", rank=80),
    Command("back.left", ("h", "left"), "back", "clear the filter, else one view back",
            views=(LISTS | PAGES) - MAP_VIEWS),
    Command("history.back", ("left_square_bracket",), "earlier", "the place before this one"),
    Command("history.forward", ("right_square_bracket",), "later", "the place after this one"),
    Command("line", ("colon",), "go to", "type a command: a view, a cell, the clock", rank=4),
    Command("filter", ("slash",), "filter", "show only rows that match", views=LISTS | {"raw"}, rank=2),
    *_view_commands(),
    # Look.
    Command("describe", ("d",), "describe", "all that is known of the row", views=LISTS, rank=7),
    Command("why", ("w",), "why here", "why the server or drive is where it is, and not elsewhere",
            views=(SERVER_VIEWS | DRIVE_VIEWS) - WHY_VIEWS, rank=21),
    Command("why.earlier", ("left_parenthesis",), "decision", "the decision before this one", views=WHY_VIEWS, rank=2),
    Command("why.later", ("right_parenthesis",), "later", "the decision after this one; the last is that of now",
            views=WHY_VIEWS),
    Command("raw", ("y",), "raw", "the record as JSON", views=LISTS | {"detail", "why"}, rank=30),
    Command("events", ("e",), "events", "events of the row's object", views=LISTS | {"detail", "why"}, rank=20),
    Command("preview", ("p",), "preview", "show or hide the preview pane", views=LISTS, rank=31),
    Command("sort", ("s",), "sort", "next order of the rows", views=LISTS, rank=6),
    Command("sort.reverse", ("S",), "reverse", "the same order the other way round", views=LISTS),
    # Travel in time.
    Command("time", ("t",), "time", "go to a time: 14:03, 14:03:20, -10m, -2h, 2026-11-14 09:00, now",
            views=TIME_VIEWS, rank=2),
    Command("time.alarm_before", ("left_parenthesis",), "alarm", "the alarm before this row", views=TIME_VIEWS,
            rank=2),
    Command("time.alarm_after", ("right_parenthesis",), "next alarm", "the alarm after this row", views=TIME_VIEWS),
    Command("time.minute_back", ("left_curly_bracket",), "minute", "one minute back", views=TIME_VIEWS, rank=2),
    Command("time.minute_on", ("right_curly_bracket",), "minute on", "one minute forth; past now is now",
            views=TIME_VIEWS),
    Command("freeze", ("f",), "freeze", "hold the screen still; changes are counted", rank=40),
    Command("refresh", ("r",), "refresh", "ask again now; tries at once when the cloud does not answer", rank=41),
    # Mark.
    Command("mark", ("space",), "mark", "mark or unmark the row", views=LISTS, rank=5),
    Command("mark.range", ("v",), "range", "mark from here to where the cursor goes next; v ends it", views=LISTS),
    Command("mark.all", ("a",), "mark all", "mark every row that the filter shows, or none", views=LISTS),
    Command("mark.invert", ("i",), "invert", "invert the marks of the rows shown", views=LISTS),
    # Act and take away.
    Command("actions", ("x",), "actions", "what can be done to the row or the marked rows",
            views=LISTS | {"detail", "why"}, rank=3),
    Command("create", ("plus",), "create", "make one more, as a dialog asks", views=frozenset(_KINDS_LISTED), rank=8),
    Command("copy", ("Y",), "copy", "copy id, name, row, or the request as curl", views=LISTS | PAGES, rank=50),
    Command("help", ("question_mark", "f1"), "help", "every key of this view", rank=99),
    Command("quit", ("q",), "quit", "leave the console; :q from anywhere", views=frozenset({"overview"}),
            rank=60),
    # Verbs: letters of the menu behind x.
    Command("server.start", ("s",), "start", "start it where it fits best", 2, SERVER_VIEWS, "server",
            "may stop others", disabled_reason=_off_unless({"stopped"})),
    Command("server.start_apart", ("a",), "start, avoid its group", "start it away from the members of its group", 2,
            SERVER_VIEWS, "server", "may stop others", disabled_reason=_off_unless({"stopped"})),
    Command("server.shutdown", ("h",), "shut down (ACPI)", "ask the server to shut itself down", 2, SERVER_VIEWS,
            "server", "about 12 s", disabled_reason=_off_unless({"running"})),
    Command("server.stop", ("o",), "power off", "cut the power", 2, SERVER_VIEWS, "server", "memory is lost",
            disabled_reason=_off_unless({"running", "paused"})),
    Command("server.restarts", ("r",), "start again when room", "start it again each time it was stopped for room", 1,
            SERVER_VIEWS, "server", "disturbs nobody", disabled_reason=_restarts(wanted=True)),
    Command("server.stays", ("R",), "do not start again", "leave it stopped once it was stopped for room", 1,
            SERVER_VIEWS, "server", "disturbs nobody", disabled_reason=_restarts(wanted=False)),
    Command("server.clone", ("c",), "clone, avoid itself …", "copy it with its drives, away from theirs", 2,
            SERVER_VIEWS, "server", "takes room and time", disabled_reason=_alone(_off_unless(_CLONED))),
    Command("server.separate", ("C",), "clone, start apart …", "clone it away from itself, then start the clone apart",
            2, SERVER_VIEWS, "server", "may stop others", disabled_reason=_alone(_off_unless(_CLONED))),
    Command("server.edit", ("e",), "edit …", "change its name, tags and meta", 1, SERVER_VIEWS, "server",
            "disturbs nobody", disabled_reason=_alone(_off_where_silent)),
    Command("server.resize", ("z",), "resize …", "give it other CPU and memory, while it is stopped", 2, SERVER_VIEWS,
            "server", "shows where it fits", disabled_reason=_alone(_off_unless({"stopped"}))),
    Command("server.attach_nic", ("n",), "attach NIC …", "add a network interface, while it is stopped", 1,
            SERVER_VIEWS, "server", "choose its network", disabled_reason=_alone(_off_unless({"stopped"}))),
    Command("server.detach_nic", ("d",), "detach NIC …", "take a network interface away, while it is stopped", 2,
            SERVER_VIEWS, "server", "its address is free", disabled_reason=_alone(_off_unless({"stopped"}))),
    Command("server.delete", ("D",), "delete", "delete it for good", 3, SERVER_VIEWS, "server", "type its name",
            disabled_reason=_off_unless({"stopped"})),
    Command("server.create", ("N",), "create server …", "make a server, normal or backfilling; + in the list", 1,
            frozenset({"servers"}), "server", "asks what it is to be", needs_row=False),
    Command("drive.attach", ("a",), "attach …", "attach it to a stopped server", 2, DRIVE_VIEWS, "drive",
            "choose the server", disabled_reason=_alone(_off_unless({"unmounted"}))),
    Command("drive.detach", ("d",), "detach", "take it from its server", 2, DRIVE_VIEWS, "drive",
            "its data stay", disabled_reason=_detaches),
    Command("drive.clone", ("c",), "clone …", "copy it, away from what you name", 2, DRIVE_VIEWS, "drive",
            "takes room and time", disabled_reason=_alone(_off_unless({"mounted", "unmounted"}))),
    Command("drive.rename", ("n",), "rename …", "give it another name", 1, DRIVE_VIEWS, "drive",
            "type the name", disabled_reason=_alone(_off_where_silent)),
    Command("drive.edit", ("e",), "edit …", "change its name, tags and meta", 1, DRIVE_VIEWS, "drive",
            "disturbs nobody", disabled_reason=_alone(_off_where_silent)),
    Command("drive.resize", ("z",), "resize …", "make it larger; never smaller", 1, DRIVE_VIEWS, "drive",
            "takes room", disabled_reason=_alone(_resizes)),
    Command("drive.snapshot", ("s",), "take snapshot …", "keep it as it is now", 1, DRIVE_VIEWS, "drive",
            "counts as storage", disabled_reason=_alone(_off_unless(_SNAPSHOT))),
    Command("drive.clone_snapshot", ("p",), "clone a snapshot …", "make a drive of one of its snapshots", 1,
            DRIVE_VIEWS, "drive", "takes room and time", disabled_reason=_alone(_off_unless(_SNAPSHOT))),
    Command("drive.delete_snapshot", ("P",), "delete a snapshot …", "delete one of its snapshots for good", 3,
            DRIVE_VIEWS, "drive", "type its name", disabled_reason=_alone(_never_off)),
    Command("drive.delete", ("D",), "delete", "delete it and its data for good", 3, DRIVE_VIEWS, "drive",
            "type its name", disabled_reason=_off_unless({"mounted", "unmounted"})),
    Command("drive.create", ("N",), "create drive …", "make a drive; + in the list", 1, frozenset({"drives"}), "drive",
            "asks what it is to be", needs_row=False),
    Command("host.drain", ("d",), "drain", "place nothing more there; moves nothing", 2, HOST_VIEWS, "host",
            "moves nothing yet", disabled_reason=_alone(_off_unless({"up"}))),
    Command("host.evacuate", ("e",), "evacuate", "shut its servers down and start them elsewhere, one by one", 2,
            HOST_VIEWS, "host", "restarts its servers", disabled_reason=_alone(_evacuates)),
    Command("host.recover", ("r",), "recover", "up again, from a fault or from maintenance", 2, HOST_VIEWS, "host",
            "takes placements again", disabled_reason=_alone(_off_unless({"down", "maintenance"}))),
    Command("host.fail", ("f",), "fail", "inject a fault: the host is lost with all that is on it", 2, HOST_VIEWS,
            "host", "loses what is on it", disabled_reason=_alone(_fault_of_host({"up", "maintenance"}))),
    Command("group.restore", ("r",), "restore", "start members again, one by one, until none share a host", 2,
            GROUP_VIEWS, "group", "restarts members", disabled_reason=_alone(_restores)),
    Command("group.end", ("e",), "end restoring", "move no other member; the one on its way starts", 1,
            GROUP_VIEWS, "group", "the rest stays", disabled_reason=_alone(_ends_restoring)),
    Command("cell.ask", ("a",), "ask now", "ask the cell once, now", 1, CELL_VIEWS, "cell", "one deadline, once"),
    Command("cell.up", ("u",), "let it answer", "take an injected fault back", 1, CELL_VIEWS, "cell",
            "its tasks resume", disabled_reason=_cell_not_in("up")),
    Command("cell.down", ("d",), "take it down", "inject a fault: connections are refused", 2, CELL_VIEWS, "cell",
            "its servers turn UNKNOWN", disabled_reason=_cell_not_in("down")),
    Command("cell.hung", ("h",), "hang it", "inject a fault: it takes requests and never answers", 2, CELL_VIEWS,
            "cell", "its servers turn UNKNOWN", disabled_reason=_cell_not_in("hung")),
    Command("clock.advance", ("t",), "advance the clock 60 s", "run all that falls due in the next minute", 1, LISTS,
            "cloud", "does not go back", disabled_reason=_clock_not_wall),
    Command("clock.manual", ("m",), "stop the clock", "simulated time moves only when it is advanced", 1, LISTS,
            "cloud", "tasks wait", disabled_reason=_clock_not_manual),
)  # fmt: skip

BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}

_SHOWN_KEYS = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "plus": "+",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


_PAIRS = {"time.alarm_before": "( )", "time.minute_back": "{ }", "why.earlier": "( )"}
"""What the key row prints for a command together with its opposite."""


def shown_key(key: str) -> str:
    """The name of a key as the key row prints it."""
    return _SHOWN_KEYS.get(key, key)


def keys_of(view: str) -> dict[str, Command]:
    """The commands of the keys of `view` itself, without its menus."""
    return {key: command for command in COMMANDS if command.verb_of is None and view in command.views
            for key in command.keys}  # fmt: skip


_KEYS = {view: keys_of(view) for view in (*VIEWS, *sorted(PAGES))}


def for_key(view: str, key: str) -> Command | None:
    """The command that `key` asks for in `view`."""
    return _KEYS[view].get(key)


def verbs_for(selection: Selection) -> tuple[Command, ...]:
    """The verbs of the menu behind `x`, off ones included: those of the selected kind, then those of the cloud.

    The menus of servers, drives, hosts and groups leave the cloud's out: where all of their own verbs are off, enter
    would be a verb of another thing.
    """
    # In an empty list there is still something to make.
    kind = selection.kind if selection.items else _KINDS_LISTED.get(selection.view)
    has_own = kind in {"server", "drive", "host", "group"}
    kinds = [each for each in (kind, None if has_own else "cloud") if each is not None]
    return tuple(command for kind in kinds for command in COMMANDS if command.verb_of == kind)


def reason_off(command: Command, selection: Selection) -> str | None:
    """Why the command is off now, as words that follow "off: "; None when it is on."""
    if command.impact and selection.is_read_only:
        return "read-only"
    if command.impact and selection.is_stale:
        return "stale: the cloud does not answer"
    if command.needs_row and command.verb_of not in (None, "cloud") and (reason := _needs_row(selection)) is not None:
        return reason
    return command.disabled_reason(selection)


def clashes(commands: Sequence[Command] = COMMANDS) -> list[str]:
    """Sentences about keys that two commands of one view, or two verbs of one menu, both claim. Empty is right."""
    found = []
    owners: dict[tuple[str, str], str] = {}
    for command in commands:
        if command.verb_of is None:
            places: Iterable[str] = sorted(command.views)
        elif command.verb_of == "cloud":
            # The cloud's verbs stand in every kind's menu.
            places = [f"menu of {kind}" for kind in sorted({c.verb_of for c in commands if c.verb_of is not None})]
        else:
            places = [f"menu of {command.verb_of}"]
        for place in places:
            for key in command.keys:
                owner = owners.setdefault((place, key), command.id)
                if owner != command.id:
                    found.append(f"{key} in {place} is both {owner} and {command.id}")
    return found


def hints(view: str, first: Sequence[tuple[str, str]] = (), *, has_preview: bool = True) -> list[tuple[str, str]]:
    """What the key row says, as (key, words), most used first and `? help` last; it cuts from the right.

    `first` are hints that the state of the screen puts before all others. Without a pane none is promised.
    """
    shown = sorted(
        (command for command in COMMANDS if command.rank and command.verb_of is None and view in command.views),
        key=lambda command: command.rank,
    )
    taken = {key for key, _ in first}
    found = list(first)
    for command in shown:
        key = _PAIRS.get(command.id) or shown_key(command.keys[0])
        is_off = (command.id == "back" and view == VIEWS[0]) or (command.id == "preview" and not has_preview)
        if key not in taken and not is_off:
            found.append((key, command.title))
    return found


def help_sections(view: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The help of a view: titles, each with rows of (keys, words)."""
    sections = []
    for title, prefixes in _HELP_SECTIONS:
        rows = [
            (" ".join(shown_key(key) for key in command.keys), command.help)
            for command in COMMANDS
            if command.verb_of is None and view in command.views and command.id.startswith(prefixes)
        ]
        if rows:
            sections.append((title, rows))
    for kind in ("server", "drive", "host", "group", "cell", "cloud"):
        rows = [(f"x {command.keys[0]}", f"{command.help} (tier {command.impact})")
                for command in COMMANDS if command.verb_of == kind and view in command.views]  # fmt: skip
        if rows:
            sections.append((f"actions on a {kind}", rows))
    sections.append(("the line after :", [(f":{usage}", words) for usage, words in LINE_HELP]))
    return sections


_HELP_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("move", ("move.",)),
    ("go", ("open", "target", "back", "history.", "line", "filter", "view.", "quit")),
    ("look", ("describe", "why", "raw", "events", "preview", "sort", "freeze", "refresh", "help")),
    ("travel in time", ("time",)),
    ("mark", ("mark",)),
    ("act and take away", ("actions", "create", "copy")),
)

LINE_HELP: tuple[tuple[str, str], ...] = (
    ("servers CELL /text", "a view, perhaps of one cell, perhaps filtered; any beginning of the word will do"),
    ("host NAME", "one host, with what is on it"),
    ("drive NAME", "one drive"),
    ("cell NAME", "the servers of a cell"),
    ("group NAME", "one availability group"),
    ("advance 60", "advance the simulated clock; also 5m, 2h, 1d"),
    ("clock manual", "stop the simulated clock; also wall, or a rate such as x60"),
    ("palette light", "dark, light or contrast"),
    ("q", "leave the console"),
)
