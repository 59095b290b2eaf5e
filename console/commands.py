"""What one can ask of the console: every command with its keys, its words, its impact and when it is off.

The key row, the help view, the actions menu, the command line and the palette are all made from `COMMANDS`, so
none of them can promise a key that does nothing. Pure: it decides and words, screens act.

Two rules hold everywhere and are tested: no two commands of one view (or of one menu) share a key, and nothing
with an impact above 0 sits on a key of the list itself: verbs live in the menu behind `x`.

Reading order: Item and Selection, Command, COMMANDS, `keys_of`, `hints`; then the command line at the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from console import names
from console.reasons import (
    CLONED,
    SNAPSHOT,
    Selection,
    alone,
    cell_not_in,
    clock_goes,
    clock_not_manual,
    clock_not_wall,
    clock_on_wall,
    deletes_backup,
    detaches,
    ends_restoring,
    evacuates,
    fault_of_host,
    never_off,
    off_unless,
    off_where_silent,
    resizes,
    restarts,
    restores,
    restores_backup,
    simulated_only,
    switches,
)
from console.records_offer import Offer

VIEWS: tuple[str, ...] = names.VIEWS
"""Views in the order of their digits: overview is 0. Of those beyond 9 some have a letter."""
_VIEW_LETTERS = {"schedules": "b", "backups": "B", "coverage": "U", "calendar": "H", "storage": "Q"}

LISTS = frozenset(VIEWS)
PAGES = frozenset({"detail", "raw", "why", "help", "rehearsal"})
"""Views that are read rather than chosen from: opened over a list, left with esc."""

SERVER_VIEWS = frozenset({"overview", "servers", "groups", "backfill", "detail", "why"})
DRIVE_VIEWS = frozenset({"drives", "detail", "why"})
GROUP_VIEWS = frozenset({"overview", "groups"})
HOST_VIEWS = frozenset({"overview", "hosts", "groups", "detail", "capacity"})
FAULT_VIEWS = HOST_VIEWS | {"faults"}
"""Where a host is made to fail; of rehearsals only that, and no other verb of hosts."""
MAP_VIEWS = frozenset({"hosts", "capacity"})
"""Views with a map, where h and l move over it."""
COLUMN_VIEWS = frozenset(
    {"servers", "drives", "hosts", "cells", "services", "schedules", "backups", "coverage", "storage", "audit", "clock"}
)
"""Lists whose columns can be chosen."""
SCHEDULE_VIEWS = frozenset({"overview", "schedules", "calendar", "detail"})
BACKUP_VIEWS = frozenset({"backups", "detail"})
_KINDS_LISTED = {"servers": "server", "drives": "drive", "schedules": "schedule", "backups": "backup"}
"""Lists of what can be made, with its kind."""
WHY_VIEWS = frozenset({"why"})
"""Views of one decision, with others before and after it."""
TIME_VIEWS = frozenset({"events"})
"""Views of which the past can be seen."""
PAST = "past"
"""No view: the keys of the bar over whichever view is shown as it was. They come before the view's own."""
IN_THE_PAST = frozenset({PAST})
CALENDAR_VIEWS = frozenset({"calendar"})
"""Views whose hours may be those of another zone."""
CELL_VIEWS = frozenset({"overview", "cells", "detail", "capacity", "faults"})
CLOCK_VIEWS = frozenset({"clock"})
ACCOUNT_VIEWS = frozenset({"overview", "billing", "detail"})


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
    disabled_reason: Callable[[Selection], str | None] = never_off
    needs_row: bool = True
    """Whether a verb of a kind is about objects that are there already."""
    can_undo: bool = False
    """Whether it waits for a grace before it is sent: it disturbs what works, and asks for nothing but a yes."""
    is_foreign: bool = False
    """Whether only clouds have it that are not ours."""


def _needs_deletable(selection: Selection) -> str | None:
    if (reason := _needs_row(selection)) is not None:
        return reason
    verb = BY_ID.get(f"{selection.kind}.delete")
    return f"a {selection.kind or 'mixed choice'} is not deleted here" if verb is None else reason_off(verb, selection)


def _needs_row(selection: Selection) -> str | None:
    return None if selection.items else "nothing is under the cursor"


def _view_keys(name: str, place: int) -> tuple[str, ...]:
    letter = _VIEW_LETTERS.get(name, str(place) if place < 10 else "")
    return (letter,) if letter else ()


def _view_commands() -> tuple[Command, ...]:
    return tuple(
        Command(f"view.{name}", _view_keys(name, digit), name, f"go to {name}, also :{name}")
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
    Command("target.cause", ("o",), "by whom", "go to who took the room of this one", views=frozenset({"backfill"}),
            rank=2),
    Command("back", ("escape", "backspace"), "back", "back to now, no filter, or one view back", rank=80),
    Command("back.left", ("h", "left"), "back", "clear the filter, else one view back",
            views=(LISTS | PAGES) - MAP_VIEWS),
    Command("history.back", ("left_square_bracket",), "earlier", "the place before this one"),
    Command("history.forward", ("right_square_bracket",), "later", "the place after this one"),
    Command("line", ("colon",), "go to", "type a command: a view, a cell, the clock", rank=4),
    Command("filter", ("slash",), "filter", "show only rows that match", views=LISTS, rank=2),
    Command("filter.value", ("asterisk",), "alike", "show only rows with the value of this one in the sorted column",
            views=LISTS),
    Command("filter.page", ("ampersand",), "only", "show only lines that hold a text", views=frozenset({"raw"})),
    Command("find", ("backslash",), "find", "go to the next match, and hide nothing", views=LISTS),
    Command("find.page", ("slash", "backslash"), "find", "go to the next line that holds a text", views=PAGES, rank=22),
    Command("find.next", ("n",), "next", "the next match of what was found or filtered"),
    Command("find.previous", ("N",), "previous", "the one before it"),
    Command("palette", ("ctrl+p",), "palette", "find whatever can be done here"),
    Command("bookmark", ("m",), "bookmark", "keep this place under a letter"),
    Command("bookmarks", ("apostrophe",), "bookmarks", "go to a place that was kept"),
    Command("clouds", ("C",), "clouds", "go to another cloud; each is as it was left"),
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
    Command("columns", ("c",), "columns", "choose what is shown, and what to sort by", views=COLUMN_VIEWS),
    # Travel in time.
    Command("time", ("t",), "time", "go to a time: 14:03, 14:03:20, -10m, -2h, 2026-11-14 09:00, now",
            views=TIME_VIEWS, rank=2),
    Command("time.alarm_before", ("left_parenthesis",), "alarm", "the alarm before this row", views=TIME_VIEWS,
            rank=2),
    Command("time.alarm_after", ("right_parenthesis",), "next alarm", "the alarm after this row", views=TIME_VIEWS),
    Command("time.minute_back", ("left_curly_bracket",), "minute", "one minute back", views=TIME_VIEWS, rank=2),
    Command("time.minute_on", ("right_curly_bracket",), "minute on", "one minute forth; past now is now",
            views=TIME_VIEWS),
    Command("then", ("T",), "time travel", "see every view as it was, with a bar over what has happened",
            views=LISTS | PAGES, rank=45),
    Command("then.event_back", ("left_square_bracket",), "event", "one event back", views=IN_THE_PAST, rank=1),
    Command("then.event_on", ("right_square_bracket",), "event on", "one event on", views=IN_THE_PAST),
    Command("then.minute_back", ("left_curly_bracket",), "minute", "one minute back", views=IN_THE_PAST, rank=2),
    Command("then.minute_on", ("right_curly_bracket",), "minute on", "one minute on; past now is now",
            views=IN_THE_PAST),
    Command("then.alarm_back", ("left_parenthesis",), "alarm", "the alarm before", views=IN_THE_PAST, rank=3),
    Command("then.alarm_on", ("right_parenthesis",), "alarm on", "the alarm after", views=IN_THE_PAST),
    Command("then.time", ("t",), "time", "go to a time: 14:03, 14:03:20, -10m, -2h, 2026-11-14 09:00, now",
            views=IN_THE_PAST, rank=4),
    Command("then.this_back", ("comma",), "of this", "the event before of what is under the cursor", views=IN_THE_PAST,
            rank=6),
    Command("then.this_on", ("full_stop",), "of this on", "the event after of what is under the cursor",
            views=IN_THE_PAST),
    Command("then.hour_back", ("less_than_sign",), "hour", "one hour back", views=IN_THE_PAST, rank=7),
    Command("then.hour_on", ("greater_than_sign",), "hour on", "one hour on", views=IN_THE_PAST),
    Command("then.day_back", ("minus",), "day", "one day back", views=IN_THE_PAST, rank=8),
    Command("then.day_on", ("plus",), "day on", "one day on", views=IN_THE_PAST),
    Command("then.now", ("escape",), "now", "back to now, and to where you were", views=IN_THE_PAST, rank=5),
    Command("then.here", ("T",), "stay", "back to now, and stay on this view", views=IN_THE_PAST),
    Command("zone", ("z",), "zone", "hours of UTC, or of the zone of the row's schedule", views=CALENDAR_VIEWS, rank=2),
    Command("freeze", ("f",), "freeze", "hold the screen still; changes are counted", rank=40),
    Command("measure", ("M",), "CPU/memory", "show CPU or memory", views=frozenset({"capacity"}), rank=5),
    Command("groups.drives", ("M",), "drives", "map servers on hosts, or drives on storage hosts",
            views=frozenset({"groups"}), rank=5),
    Command("fold", ("F",), "fold", "fold hosts into cells, and back", views=frozenset({"groups"}), rank=22),
    Command("what_if", ("W",), "what if", "where servers of a size would go, who shrinks and who stops; makes nothing",
            views=frozenset({"backfill", "capacity"}), rank=2),
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
    Command("undo", ("u",), "undo", "take back the verb that waits to be sent", views=LISTS | PAGES),
    Command("delete", (), "ask to delete", "open the confirmation that deletes, without the menu",
            views=LISTS | {"detail"}, disabled_reason=_needs_deletable),
    Command("copy", ("Y",), "copy", "copy id, name, row, or the request as curl", views=LISTS | PAGES, rank=50),
    Command("export", ("E",), "export", "write what is shown to a file: CSV, JSON or SVG"),
    Command("help", ("question_mark", "f1"), "help", "every key of this view", rank=99),
    Command("quit", ("q",), "quit", "leave the console; :q from anywhere", views=frozenset({"overview"}),
            rank=60),
    # Verbs: letters of the menu behind x.
    Command("server.start", ("s",), "start", "start it where it fits best", 2, SERVER_VIEWS, "server",
            "may stop others", disabled_reason=off_unless({"stopped"}), can_undo=True),
    Command("server.start_apart", ("a",), "start, avoid its group", "start it away from the members of its group", 2,
            SERVER_VIEWS, "server", "may stop others", disabled_reason=off_unless({"stopped"}), can_undo=True),
    Command("server.start_away", ("A",), "start, away from …", "start it away from what you name, in that order", 2,
            SERVER_VIEWS, "server", "may stop others", disabled_reason=off_unless({"stopped"}), can_undo=True),
    Command("server.shutdown", ("h",), "shut down (ACPI)", "ask the server to shut itself down", 2, SERVER_VIEWS,
            "server", "about 12 s", disabled_reason=off_unless({"running"}), can_undo=True),
    Command("server.stop", ("o",), "power off", "cut the power", 2, SERVER_VIEWS, "server", "memory is lost",
            disabled_reason=off_unless({"running", "paused"}), can_undo=True),
    Command("server.reboot", ("y",), "reboot", "ask the server to restart itself", 2, SERVER_VIEWS, "server",
            "it restarts by itself", disabled_reason=off_unless({"running"}), can_undo=True, is_foreign=True),
    Command("server.restarts", ("r",), "start again when room", "start it again each time it was stopped for room", 1,
            SERVER_VIEWS, "server", "disturbs nobody", disabled_reason=restarts(wanted=True), can_undo=True),
    Command("server.stays", ("R",), "do not start again", "leave it stopped once it was stopped for room", 1,
            SERVER_VIEWS, "server", "disturbs nobody", disabled_reason=restarts(wanted=False), can_undo=True),
    Command("server.clone", ("c",), "clone, avoid itself …", "copy it with its drives, away from theirs", 2,
            SERVER_VIEWS, "server", "takes room and time", disabled_reason=alone(off_unless(CLONED))),
    Command("server.separate", ("C",), "clone, start apart …", "clone it away from itself, then start the clone apart",
            2, SERVER_VIEWS, "server", "may stop others", disabled_reason=alone(off_unless(CLONED))),
    Command("server.edit", ("e",), "edit …", "change its name, tags and meta", 1, SERVER_VIEWS, "server",
            "disturbs nobody", disabled_reason=alone(off_where_silent)),
    Command("server.resize", ("z",), "resize …", "give it other CPU and memory, while it is stopped", 2, SERVER_VIEWS,
            "server", "shows where it fits", disabled_reason=alone(off_unless({"stopped"}))),
    Command("server.attach_drive", ("v",), "attach drive …", "give it a drive that no server has, while it is stopped",
            2, SERVER_VIEWS, "server", "choose the drive", disabled_reason=alone(off_unless({"stopped"}))),
    Command("server.detach_drive", ("V",), "detach drive …", "take a drive away, while it is stopped", 2, SERVER_VIEWS,
            "server", "its data stay", disabled_reason=alone(off_unless({"stopped"}))),
    Command("server.attach_nic", ("n",), "attach NIC …", "add a network interface, while it is stopped", 1,
            SERVER_VIEWS, "server", "choose its network", disabled_reason=alone(off_unless({"stopped"}))),
    Command("server.detach_nic", ("d",), "detach NIC …", "take a network interface away, while it is stopped", 2,
            SERVER_VIEWS, "server", "its address is free", disabled_reason=alone(off_unless({"stopped"}))),
    Command("server.delete", ("D",), "delete", "delete it for good; its drives stay", 3, SERVER_VIEWS, "server",
            "type its name", disabled_reason=off_unless({"stopped"})),
    Command("server.delete_all", ("X",), "delete with its drives", "delete it, its drives and their data for good", 3,
            SERVER_VIEWS, "server", "type its name", disabled_reason=off_unless({"stopped"})),
    Command("server.backup", ("b",), "back up now …", "copy its drives, outside the cells", 1, SERVER_VIEWS, "server",
            "counts as storage", disabled_reason=off_unless({"running", "stopped"})),
    Command("server.schedule", ("B",), "schedule backups …", "back it up by the clock", 1, SERVER_VIEWS, "server",
            "shows when, and its cost"),
    Command("server.create", ("N",), "create server …", "make a server, normal or backfilling; + in the list", 1,
            frozenset({"servers"}), "server", "asks what it is to be", needs_row=False),
    Command("drive.attach", ("a",), "attach …", "attach it to a stopped server", 2, DRIVE_VIEWS, "drive",
            "choose the server", disabled_reason=alone(off_unless({"unmounted"}))),
    Command("drive.detach", ("d",), "detach", "take it from its server", 2, DRIVE_VIEWS, "drive",
            "its data stay", disabled_reason=detaches, can_undo=True),
    Command("drive.clone", ("c",), "clone …", "copy it, away from what you name", 2, DRIVE_VIEWS, "drive",
            "takes room and time", disabled_reason=alone(off_unless({"mounted", "unmounted"}))),
    Command("drive.rename", ("n",), "rename …", "give it another name", 1, DRIVE_VIEWS, "drive",
            "type the name", disabled_reason=alone(off_where_silent)),
    Command("drive.edit", ("e",), "edit …", "change its name, tags and meta", 1, DRIVE_VIEWS, "drive",
            "disturbs nobody", disabled_reason=alone(off_where_silent)),
    Command("drive.resize", ("z",), "resize …", "make it larger; never smaller", 1, DRIVE_VIEWS, "drive",
            "takes room", disabled_reason=alone(resizes)),
    Command("drive.snapshot", ("s",), "take snapshot …", "keep it as it is now", 1, DRIVE_VIEWS, "drive",
            "counts as storage", disabled_reason=alone(off_unless(SNAPSHOT))),
    Command("drive.clone_snapshot", ("p",), "clone a snapshot …", "make a drive of one of its snapshots", 1,
            DRIVE_VIEWS, "drive", "takes room and time", disabled_reason=alone(off_unless(SNAPSHOT))),
    Command("drive.delete_snapshot", ("P",), "delete a snapshot …", "delete one of its snapshots for good", 3,
            DRIVE_VIEWS, "drive", "type its name", disabled_reason=alone(off_where_silent)),
    Command("drive.delete", ("D",), "delete", "delete it and its data for good", 3, DRIVE_VIEWS, "drive",
            "type its name", disabled_reason=off_unless({"mounted", "unmounted"})),
    Command("drive.create", ("N",), "create drive …", "make a drive; + in the list", 1, frozenset({"drives"}), "drive",
            "asks what it is to be", needs_row=False),
    Command("schedule.run", ("r",), "run now", "take a backup now, besides those that are due", 2, SCHEDULE_VIEWS,
            "schedule", "counts as storage"),
    Command("schedule.edit", ("e",), "edit …", "change when it runs, and what it keeps", 1, SCHEDULE_VIEWS, "schedule",
            "shows what would go", disabled_reason=alone(never_off)),
    Command("schedule.activate", ("a",), "switch on", "let it run again; never at once", 1, SCHEDULE_VIEWS, "schedule",
            "runs when it is due", disabled_reason=switches("on")),
    Command("schedule.deactivate", ("o",), "switch off", "let it not run until it is switched on", 1, SCHEDULE_VIEWS,
            "schedule", "its backups stay", disabled_reason=switches("off")),
    Command("schedule.drill", ("v",), "try a restore", "restore its newest backup, see it run, and remove it", 2,
            SCHEDULE_VIEWS, "schedule", "takes room for a while", disabled_reason=alone(never_off)),
    Command("schedule.delete", ("D",), "delete", "delete it; its backups stay", 3, SCHEDULE_VIEWS, "schedule",
            "type its name", disabled_reason=alone(never_off)),
    Command("schedule.create", ("N",), "new schedule …", "back something up by the clock; + in the list", 1,
            frozenset({"schedules"}), "schedule", "asks of what, and when", needs_row=False),
    Command("backup.restore", ("r",), "restore …", "make a server of it: asks for a flavor and a name", 2, BACKUP_VIEWS,
            "backup", "makes a new server", disabled_reason=alone(restores_backup)),
    Command("backup.delete", ("D",), "delete", "delete it for good", 3, BACKUP_VIEWS, "backup", "type its name",
            disabled_reason=deletes_backup),
    Command("backup.create", ("N",), "back up now …", "take a backup; + in the list", 1, frozenset({"backups"}),
            "backup", "asks of what", needs_row=False),
    Command("host.drain", ("d",), "drain", "place nothing more there; moves nothing", 2, HOST_VIEWS, "host",
            "moves nothing yet", disabled_reason=alone(off_unless({"up"})), can_undo=True),
    Command("host.evacuate", ("e",), "evacuate", "shut its servers down and start them elsewhere, one by one", 2,
            HOST_VIEWS, "host", "restarts its servers", disabled_reason=alone(evacuates), can_undo=True),
    Command("host.recover", ("r",), "recover", "up again, from a fault or from maintenance", 2, FAULT_VIEWS, "host",
            "takes placements again", disabled_reason=alone(off_unless({"down", "maintenance"})),
            can_undo=True),
    Command("host.fail", ("f",), "fail", "inject a fault: the host is lost with all that is on it", 2, FAULT_VIEWS,
            "host", "loses what is on it", disabled_reason=alone(fault_of_host({"up", "maintenance"}))),
    Command("group.restore", ("r",), "restore", "start members again, one by one, until none share a host", 2,
            GROUP_VIEWS, "group", "restarts members", disabled_reason=alone(restores), can_undo=True),
    Command("group.end", ("e",), "end restoring", "move no other member; the one on its way starts", 1,
            GROUP_VIEWS, "group", "the rest stays", disabled_reason=alone(ends_restoring)),
    Command("cell.ask", ("a",), "ask now", "ask the cell once, now", 1, CELL_VIEWS, "cell", "one deadline, once"),
    Command("cell.up", ("u",), "let it answer", "take an injected fault back", 1, CELL_VIEWS, "cell",
            "its tasks resume", disabled_reason=cell_not_in("up")),
    Command("cell.down", ("d",), "take it down", "inject a fault: connections are refused", 2, CELL_VIEWS, "cell",
            "its servers turn UNKNOWN", disabled_reason=cell_not_in("down")),
    Command("cell.hung", ("h",), "hang it", "inject a fault: it takes requests and never answers", 2, CELL_VIEWS,
            "cell", "its servers turn UNKNOWN", disabled_reason=cell_not_in("hung")),
    Command("account.balance", ("b",), "give a balance …", "give it a balance that it is held to", 1, ACCOUNT_VIEWS,
            "account", "asks how much", disabled_reason=alone(never_off)),
    Command("account.subscribe", ("s",), "subscribe …", "buy an amount for a period, at a fixed price", 2,
            ACCOUNT_VIEWS, "account", "asks what; paid at once", disabled_reason=alone(never_off)),
    Command("account.extend", ("e",), "extend subscription …", "continue one by as much of the same", 2, ACCOUNT_VIEWS,
            "account", "asks which; paid at once", disabled_reason=alone(never_off)),
    Command("clock.advance", ("t",), "advance the clock 60 s", "run all that falls due in the next minute", 1, LISTS,
            "cloud", "does not go back", disabled_reason=clock_not_wall),
    Command("clock.manual", ("m",), "stop the clock", "simulated time moves only when it is advanced", 2, LISTS,
            "cloud", "tasks wait", disabled_reason=clock_not_manual),
    Command("clock.go", ("l",), "let the clock go", "simulated time passes by itself again, as fast as real time", 1,
            LISTS, "cloud", "tasks go on", disabled_reason=clock_goes),
    Command("clock.hour", ("T",), "advance the clock 1 h", "run all that falls due in the next hour", 1, CLOCK_VIEWS,
            "cloud", "does not go back", disabled_reason=clock_not_wall),
    Command("clock.due", ("g",), "go to what is due next", "advance the clock to the next task or backup", 1,
            CLOCK_VIEWS, "cloud", "does not go back", disabled_reason=clock_not_wall),
    Command("clock.rate", ("i",), "run at a rate …", "let simulated time run faster or slower", 1, CLOCK_VIEWS,
            "cloud", "asks for the rate", disabled_reason=simulated_only),
    Command("clock.wall", ("w",), "follow the wall", "simulated time is the wall's again", 1, CLOCK_VIEWS, "cloud",
            "may be refused", disabled_reason=clock_on_wall),
    Command("faults.end", ("E",), "take all faults back", "let every cell answer and every lost host return", 2,
            frozenset({"faults"}), "cloud", "tasks resume", disabled_reason=simulated_only),
)  # fmt: skip

BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}

SHOWN_KEYS = {
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
    "backslash": "\\",
    "apostrophe": "'",
    "ampersand": "&",
    "asterisk": "*",
    "minus": "-",
    "underscore": "_",
    "at": "@",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


_PAIRS = {"time.alarm_before": "( )", "time.minute_back": "{ }", "why.earlier": "( )", "then.event_back": "[ ]",
          "then.minute_back": "{ }", "then.alarm_back": "( )", "then.this_back": ", .", "then.hour_back": "< >",
          "then.day_back": "- +"}  # fmt: skip
"""What the key row prints for a command together with its opposite."""


def shown_key(key: str) -> str:
    """The name of a key as the key row prints it."""
    return SHOWN_KEYS.get(key, key)


def keys_of(view: str, registry: Sequence[Command] = COMMANDS) -> dict[str, Command]:
    """The commands of the keys of `view` itself, without its menus."""
    return {key: command for command in registry if command.verb_of is None and view in command.views
            for key in command.keys}  # fmt: skip


def verbs_for(selection: Selection) -> tuple[Command, ...]:
    """The verbs of the menu behind `x`, off ones included: those of the selected kind, then those of the cloud.

    The menus of what one has a verb for leave the cloud's out: where all of their own verbs are off, enter would be a
    verb of another thing.
    """
    # In an empty list there is still something to make.
    kind = selection.kind if selection.items else _KINDS_LISTED.get(selection.view)
    has_own = kind in {"server", "drive", "host", "group", "schedule", "backup", "account"}
    kinds = [each for each in (kind, None if has_own else "cloud") if each is not None]
    found = [command for kind in kinds for command in COMMANDS if command.verb_of == kind]
    found = [each for each in found if not each.is_foreign or (selection.offer and each.id in selection.offer.verbs)]
    if selection.view in CLOCK_VIEWS:
        # There the clock is stopped and let go whatever the row is about.
        of_row = [each for each in found if each.verb_of != "cloud"]
        return (*of_row, *(each for each in COMMANDS if each.verb_of == "cloud" and selection.view in each.views))
    if selection.view == "faults":
        found = sorted((each for each in found if "faults" in each.views), key=lambda each: each.id != "host.fail")
    # A view of the cloud's own has verbs of the cloud that no other view has, whatever its rows are about.
    of_view = [command for command in COMMANDS if command.verb_of == "cloud" and selection.view in command.views]
    of_view = [command for command in of_view if not command.views >= LISTS]
    others = [command for command in found if command.verb_of != "cloud" or command.views >= LISTS]
    return (*others, *of_view)


def clock_hint() -> str:
    """What the menu of a row of the clock's page has for the clock itself: `x, then t advance 60 s, ...`."""
    verbs = (command for command in COMMANDS if command.verb_of == "cloud" and command.views & CLOCK_VIEWS)
    return "x, then " + ", ".join(
        f"{each.keys[0]} {each.title.replace(' the clock', '').removesuffix(' …')}" for each in verbs
    )


def reason_off(command: Command, selection: Selection) -> str | None:
    """Why the command is off now, as words that follow "off: "; None when it is on."""
    if command.impact and selection.is_past:
        return "this is the past"
    if command.impact and selection.is_mixed:
        return "one cloud at a time"
    if command.impact and selection.is_read_only:
        return "read-only"
    if command.impact and selection.is_stale:
        return "the cloud is silent"
    if command.needs_row and command.verb_of not in (None, "cloud") and (reason := _needs_row(selection)) is not None:
        return reason
    if selection.offer is not None and command.verb_of is not None:
        return _reason_of_offer(command, selection, selection.offer)
    return command.disabled_reason(selection)


def left_out(command: Command, selection: Selection) -> list[tuple[str, str]]:
    """The rows that a verb leaves alone, by name, and why."""
    reasons = [
        (item.name, reason_off(command, selection._replace(items=(item,), hidden=0))) for item in selection.items
    ]
    return [(name, reason) for name, reason in reasons if reason is not None]


def _reason_of_offer(command: Command, selection: Selection, offer: Offer) -> str | None:
    """Another kind of cloud has few of the verbs, and some in other states than ours."""
    verb = offer.verbs.get(command.id)
    if verb is None:
        return offer.lacks.get(command.id, offer.no_verb)
    return off_unless(verb.states)(selection) if verb.states else None


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


def hints(
    view: str,
    first: Sequence[tuple[str, str]] = (),
    *,
    has_preview: bool = True,
    off: frozenset[str] = frozenset(),
    registry: Sequence[Command] = COMMANDS,
) -> list[tuple[str, str]]:
    """What the key row says, as (key, words), most used first and `? help` last; it cuts from the right.

    `first` are hints that the state of the screen puts before all others. Without a pane none is promised, and none
    of the commands that are `off` here.
    """
    shown = sorted(
        (c for c in registry if c.rank and c.keys and c.verb_of is None and view in c.views),
        key=lambda command: command.rank,
    )
    taken = {key for key, _ in first}
    found = list(first)
    for command in shown:
        is_own = command.keys == BY_ID[command.id].keys
        key = (_PAIRS.get(command.id) if is_own else None) or shown_key(command.keys[0])
        is_off = command.id in off or (command.id == "back" and view == VIEWS[0])
        is_off = is_off or (command.id == "preview" and not has_preview)
        if key not in taken and not is_off:
            found.append((key, command.title))
    return found


def help_sections(view: str, registry: Sequence[Command] = COMMANDS) -> list[tuple[str, list[tuple[str, str]]]]:
    """The help of a view: titles, each with rows of (keys, words)."""
    sections = []
    for title, prefixes in _HELP_SECTIONS:
        rows = [
            (" ".join(shown_key(key) for key in command.keys) or f":{command.title}", command.help)
            for command in registry
            if command.verb_of is None
            and view in command.views
            and command.id.startswith(prefixes)
            and (command.keys or command.id.startswith("view."))
        ]
        if rows:
            sections.append((title, rows))
    then = [(" ".join(map(shown_key, command.keys)), command.help) for command in registry if PAST in command.views]
    sections.append(("in the past, after T", then))
    for kind in ("server", "drive", "schedule", "backup", "host", "group", "cell", "account", "cloud"):
        rows = [(f"x {command.keys[0]}", f"{command.help} (tier {command.impact})")
                for command in registry
                if command.verb_of == kind and view in command.views and not command.is_foreign]  # fmt: skip
        if rows:
            sections.append((f"actions on {'an' if kind == 'account' else 'a'} {kind}", rows))
    if view in LISTS:
        sections.append(("what a filter may say", FILTER_HELP))
    sections.append(("the line after :", [(f":{usage}", words) for usage, words in LINE_HELP]))
    return sections


_HELP_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("move", ("move.",)),
    ("go", ("open", "target", "back", "history.", "line", "filter", "find", "bookmark", "clouds", "palette", "view.",
            "quit")),
    ("look", ("describe", "why", "raw", "events", "preview", "sort", "columns", "measure", "groups.", "fold", "what_if",
              "zone", "freeze", "refresh", "help")),
    ("travel in time", ("time", "then")),
    ("mark", ("mark",)),
    ("act and take away", ("actions", "create", "delete", "undo", "copy", "export")),
)  # fmt: skip

FILTER_HELP: list[tuple[str, str]] = [
    ("web", "holds web, or its letters in this order; several words: all of them"),
    ("'web !web", "holds web as it stands; does not hold it"),
    ("state:run", "a column begins so or holds it; = for all of it"),
    ("cpu>4000 mem>=8g", "compares numbers, with units; what nobody knows never matches"),
    ("age<1h !age<1h", "younger than an hour; the opposite of any of these"),
]

LINE_HELP: tuple[tuple[str, str], ...] = (
    ("servers @cell-2 cpu>4000 /web", "a view, of one cell, filtered; any beginning of the word will do"),
    ("cloud NAME", "another cloud; :cloud alone, or C, shows them all"),
    ("servers @all cloud:lab", "of all clouds that are open or need no starting; so are drives, hosts and cells"),
    ("sort cpu down", "sort by any column of the list"),
    ("find web", "go to the next row or line that matches"),
    ("server NAME", "one server; an id will do too"),
    ("host NAME", "one host, with what is on it"),
    ("drive NAME", "one drive"),
    ("cell NAME", "the servers of a cell"),
    ("group NAME", "one availability group"),
    ("account NAME", "one account: its subscriptions and its ledger"),
    ("advance 60", "advance the simulated clock; also 5m, 2h, 1d"),
    ("clock manual", "stop the simulated clock; also wall, or a rate such as x60"),
    ("palette light", f"{', '.join(names.PALETTES[:-1])} or {names.PALETTES[-1]}"),
    ("q", "leave the console"),
)
