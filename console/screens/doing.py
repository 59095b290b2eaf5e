"""What each key of the list does. One function for each command of the registry, found by the command's id.

They only change what the operator chose (place, cursor, marks, freeze) or ask the screen for a worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from console import command_line, commands
from console.names import ALL_CLOUDS
from console.presentation import filtering, past
from console.presentation.lines import Tone
from console.screens import bookmarks, finding, objects, time_travel, travelling, views
from console.screens.places import Place

if TYPE_CHECKING:
    from console.screens.main import MainScreen

_OF_CELLS = frozenset({"servers", "drives", "hosts", "services", "capacity", "schedules", "coverage"})
"""Views that a cell's name narrows."""
FOLLOWED = frozenset({"open", "open.right", "describe", "raw", "why", "events", "create", "then"})
"""What leads from a row of several clouds to the cloud of the row."""
_HERE_SENTENCE = "this row is the instant that is looked at; esc goes back to now"


def do(screen: MainScreen, command_id: str) -> None:
    """Do what a key asks for."""
    is_past, offer = screen.then.is_on, screen.mirror.offer
    if is_past and (reason := time_travel.off_in_the_past(command_id)) is not None:
        screen.say(f"{reason}: esc goes back to now", Tone.WARN)
        return
    if offer is not None and command_id in offer.lacks:
        screen.say(f"{commands.BY_ID[command_id].title} is off: {offer.lacks[command_id]}", Tone.WARN)
        return
    if command_id.startswith("view."):
        screen.jump(Place(command_id.removeprefix("view.")))
    elif screen.is_across and command_id in FOLLOWED:
        screen.everywhere.follow(command_id)
    else:
        _DOINGS[command_id](screen)
    if command_id.startswith("move.") and not is_past:
        travelling.follow(screen)


def obey(screen: MainScreen, text: str, kind: str = ":") -> None:
    """Do what a line after `:` asks for, or go to the time that was typed."""
    if kind == "@":
        go_to = screen.then.go_to if screen.then.is_on else partial(travelling.go_to, screen)
        go_to(text)
    elif kind == "\\":
        finding.find(screen, text)
    else:
        _carry_out(screen, command_line.parse_line(text))


def _carry_out(screen: MainScreen, request: command_line.Request) -> None:
    match request:
        case command_line.Advance() | command_line.SetClock() if screen.then.is_on:
            screen.say(f"{time_travel.UNCHANGEABLE}: esc goes back to now", Tone.WARN)
        case command_line.Problem(sentence):
            screen.say(sentence, Tone.WARN)
        case command_line.OpenNamed(kind, name):
            _open_named(screen, kind, name)
        case command_line.GoTo(view, scope, filter_text):
            _go_to(screen, Place(view, scope, filter_text))
        case command_line.Find(text):
            finding.find(screen, text)
        case command_line.Sort(column, is_descending):
            _sort_by(screen, column, is_descending)
        case command_line.ShowCloud(name):
            _show_cloud(screen, name)
        case command_line.Run(command_id):
            do(screen, command_id)
        case command_line.Leave():
            _quit(screen)
        case command_line.SetPalette(name):
            screen.set_palette(name)
        case command_line.Advance() | command_line.SetClock() | command_line.Rehearse() as asked:
            _move_time(screen, asked)


def _move_time(screen: MainScreen, asked: command_line.Advance | command_line.SetClock | command_line.Rehearse) -> None:
    match asked:
        case command_line.Advance(seconds):
            screen.act(lambda: screen.acting.advance(seconds))
        case command_line.SetClock(mode, rate):
            _set_clock(screen, mode, rate)
        case command_line.Rehearse(name, seconds_a_second):
            screen.act(lambda: _rehearse(screen, name, seconds_a_second))


async def _rehearse(screen: MainScreen, name: str, rate: float) -> None:
    """On a cloud of its own, which takes the place of this one until one leaves it."""
    problem = "no rehearsal can be begun from here"
    if screen.rehearse is not None:
        problem = await screen.rehearse(name, rate) or ""
    if problem:
        screen.say(problem, Tone.WARN, is_verbatim=True)


def _set_clock(screen: MainScreen, mode: str, rate: float | None) -> None:
    """As the menu does: stopping the clock asks before."""
    if mode == "manual":
        asked = screen.selection()._replace(items=())
        screen.act(lambda: screen.acting.run(commands.BY_ID["clock.manual"], asked))
    else:
        screen.act(lambda: screen.acting.set_clock(mode, rate))


def _go_to(screen: MainScreen, place: Place) -> None:
    """Show a view as a line asked for it, unless what it is narrowed to, or a column of its filter, is not there."""
    known = {cell.name for cell in screen.mirror.cells or ()}
    if place.scope == ALL_CLOUDS:
        if len(screen.clouds.names) < 2:
            from console.screens.cloud_dialog import why_no_other

            screen.say(why_no_other(screen.mirror), Tone.WARN)
            return
        known = {ALL_CLOUDS}
    if place.view in _OF_CELLS and place.scope is not None and known and place.scope not in known:
        screen.say(f"no cell is called {place.scope}; /{place.scope} filters", Tone.WARN)
        return
    problem = filtering.parse(place.filter, screen.columns_of(place.view)).problem if place.filter else ""
    if problem:
        screen.say(problem, Tone.WARN)
        return
    screen.sought = place.filter or screen.sought
    screen.jump(place)


def _show_cloud(screen: MainScreen, name: str) -> None:
    """Go to a cloud by its name, or the beginning of one."""
    names = screen.clouds.names
    found = next((each for each in names if each == name), None) or next(
        (each for each in names if each.startswith(name)), None
    )
    if found is None:
        there = f"there are {', '.join(names)}" if names else "this is the only one"
        screen.say(f"no cloud is called {name}: {there}", Tone.WARN)
    else:
        screen.clouds.show(found)


def _sort_by(screen: MainScreen, column: str, is_descending: bool) -> None:
    """Sort by one of the list's orders or columns, or as it is sorted by itself."""
    orders, table = screen.view.orders, screen.view.table
    names = list(dict.fromkeys([*orders, *(each.name for each in (table.columns if table is not None else ()))]))
    wanted = column.casefold()
    found = (each for each in names if each.startswith(wanted))
    name = wanted if wanted in names else _by_heads(screen).get(wanted) or next(found, None)
    if not names:
        screen.say("nothing is sorted here", Tone.MUTED)
    elif name is None:
        screen.say(f"no column is called {column}: there are {', '.join(names)}", Tone.WARN)
    else:
        is_at_top = screen.active.spot is None or screen.active.spot.index == 0
        screen.change(sort=name if column else "", is_descending=is_descending)
        if is_at_top:  # Who stands there looks at no row in particular, but for what comes first.
            screen.moved(lambda: screen.active.go_to_end(is_last=False))


def _by_heads(screen: MainScreen) -> dict[str, str]:
    """The columns of the list by what stands above them, in small letters."""
    columns = screen.view.table.columns if screen.view.table is not None else ()
    titles = {**{each.name: each.name for each in columns}, **{each.title: each.name for each in columns}}
    return {words.casefold(): name for words, name in {**titles, **screen.view.heads}.items()}


def sort_by_head(screen: MainScreen, words: str) -> None:
    """A head was clicked on: sort by its column, or the other way round where that is done already."""
    name = _by_heads(screen).get(words.casefold())
    if name is not None:
        is_same = name == (screen.place.sort or (screen.view.orders or ("",))[0])
        screen.change(sort=name, is_descending=is_same and not screen.place.is_descending)


def _open_named(screen: MainScreen, kind: str, name: str) -> None:
    """Show an object by its name; where several have it, or none is known yet, the list of those that match."""
    mirror = screen.mirror
    if kind == "account":
        screen.enter(Place("detail", f"account:{name}"))
        return
    if kind == "host":
        if mirror.hosts is None or any(host.name == name for host in mirror.hosts):
            screen.enter(Place("detail", f"host:{name}"))
        else:
            screen.say(f"no host is called {name}", Tone.WARN)
        return
    is_server = kind == "server"
    rows = (mirror.fleet if is_server else mirror.drives).by_id.values()
    found = [row.id for row in rows if name in (row.name, row.id)]
    if len(found) == 1:
        screen.enter(Place("detail", found[0] if is_server else f"drive:{found[0]}"))
    elif not found and (mirror.is_complete if is_server else mirror.are_drives_complete):
        screen.say(f"no {kind} is called {name}; :{kind}s /{name} filters", Tone.WARN)
    else:
        screen.jump(Place(f"{kind}s", None, name))


def _left(screen: MainScreen) -> None:
    if screen.active.is_on_map:
        screen.moved(lambda: screen.active.move_aside(-1))
    else:
        _back(screen)


def _right(screen: MainScreen) -> None:
    if screen.active.is_on_map:
        screen.moved(lambda: screen.active.move_aside(1))
    else:
        _open(screen)


def _move(rows: int) -> Callable[[MainScreen], None]:
    return lambda screen: screen.moved(lambda: screen.active.move(rows))


def _page(share: float) -> Callable[[MainScreen], None]:
    return lambda screen: screen.moved(lambda: screen.active.page(share))


def _end(is_last: bool) -> Callable[[MainScreen], None]:
    return lambda screen: screen.moved(lambda: screen.active.go_to_end(is_last=is_last))


def _walk(step: int) -> Callable[[MainScreen], None]:
    return lambda screen: screen.walk(step)


def _open(screen: MainScreen) -> None:
    key = screen.cursor_key
    if key is None or key == past.HERE:
        screen.say("nothing is under the cursor" if key is None else _HERE_SENTENCE, Tone.MUTED)
    elif objects.split_key(screen.mirror, key)[0] != "ledger":
        # A row of a ledger leads nowhere: all of it is said below.
        place = objects.place_of(screen.mirror, key, screen.place.view)
        # One group of a map of drives is shown by its drives too.
        is_same_view = place.view == screen.place.view
        screen.enter(replace(place, modes=screen.place.modes) if is_same_view else place)


def _target(screen: MainScreen) -> None:
    key = screen.cursor_key
    place = None if key is None else objects.target_of(screen.mirror, key)
    if place is None:
        screen.say("nothing is under the cursor" if key is None else objects.no_target(screen.mirror, key), Tone.MUTED)
    else:
        screen.enter(place)


def _back(screen: MainScreen) -> None:
    if screen.active.is_ranging:
        screen.moved(screen.active.toggle_range)
    elif screen.place.past_at is not None:
        travelling.to_now(screen)
    elif screen.place.filter:
        screen.change(filter="")
    elif screen.active.marks and len(screen.trail.stack) == 1:
        screen.moved(lambda: screen.active.set_marks(()))
    else:
        came_from = screen.place.came_from
        screen.go(screen.kept_trail().back())
        if came_from:
            screen.clouds.show(came_from)


def _earlier(screen: MainScreen) -> None:
    screen.go(screen.kept_trail().earlier())


def _later(screen: MainScreen) -> None:
    screen.go(screen.kept_trail().later())


def _time(screen: MainScreen) -> None:
    screen.begin_prompt("@")


def _jump(**by: int) -> Callable[[MainScreen], None]:
    return lambda screen: screen.then.jump(timedelta(**by))


def _line(screen: MainScreen) -> None:
    screen.begin_prompt(":")


def _filter(screen: MainScreen) -> None:
    screen.begin_prompt("/", screen.place.filter)


def _page_about(view: str) -> Callable[[MainScreen], None]:
    def doing(screen: MainScreen) -> None:
        key = screen.subject
        if key is None or key == past.HERE:
            screen.say("nothing is under the cursor" if key is None else _HERE_SENTENCE, Tone.MUTED)
        else:
            screen.enter(Place(view, key))

    return doing


def _events(screen: MainScreen) -> None:
    key = screen.subject
    about = None if key is None else objects.events_about(screen.mirror, key)
    item = None if key is None else objects.item_of(screen.mirror, key)
    if about is not None:
        travelling.open_events(screen, about)
    elif item is not None:
        screen.enter(Place("events", None, item.name))
    else:
        screen.jump(Place("events"))


def _why(screen: MainScreen) -> None:
    key = screen.subject
    if key == past.HERE:
        screen.say(_HERE_SENTENCE, Tone.MUTED)
    elif key is None or objects.split_key(screen.mirror, key)[0] not in ("server", "drive"):
        screen.say("nothing is under the cursor" if key is None else "only servers and drives are placed", Tone.MUTED)
    else:
        screen.enter(Place("why", key))


def _decision(step: int) -> Callable[[MainScreen], None]:
    def doing(screen: MainScreen) -> None:
        from console.presentation import explain
        from console.records_explain import WhyDetail

        held, place = screen.held, screen.place
        here = explain.shown(held, place.decision) if isinstance(held, WhyDetail) else None
        if here is None or not isinstance(held, WhyDetail):
            screen.say("it has not been told yet", Tone.MUTED)
            return
        number = explain.step(held, here, step)
        if number is None:
            screen.say("there is no earlier decision" if step < 0 else "this is the decision of now", Tone.MUTED)
        else:
            screen.go(screen.kept_trail().left_as(replace(place, decision=number)))

    return doing


def _help(screen: MainScreen) -> None:
    if screen.place.view == "help":
        _back(screen)
    else:
        screen.enter(Place("help", screen.place.view))


def _preview(screen: MainScreen) -> None:
    before = screen.view
    screen.toggle_pane()
    if not (before.has_preview or screen.view.has_preview):
        screen.toggle_pane()
        screen.say("preview is off: there is no room for a pane here; d shows the same", Tone.MUTED)


def _sort(screen: MainScreen) -> None:
    orders = screen.view.orders
    if not orders:
        screen.say("this view has one order: worst first", Tone.MUTED)
        return
    # No order chosen is the first of them: the view's own.
    at = orders.index(screen.place.sort) if screen.place.sort in orders else 0
    screen.change(sort=orders[(at + 1) % len(orders)], is_descending=False)


def _reverse(screen: MainScreen) -> None:
    if screen.view.orders:
        screen.change(sort=screen.place.sort or screen.view.orders[0], is_descending=not screen.place.is_descending)


def _toggle(mode: str) -> Callable[[MainScreen], None]:
    return lambda screen: screen.change(modes=screen.place.modes ^ {mode})


def _what_if(screen: MainScreen) -> None:
    from console.screens import what_if

    screen.act(lambda: what_if.ask(screen), opens_menu=True)


def _refresh(screen: MainScreen) -> None:
    screen.refresh_now()
    if screen.place.view == "groups":
        # Its plan is asked for with the place.
        screen.go(screen.kept_trail())
    is_ours = screen.mirror.offer is None
    if is_ours and screen.place.view == "cells" and screen.cursor_key is not None and screen.client is not None:
        screen.act(lambda: screen.acting.run(commands.BY_ID["cell.ask"], screen.selection()))


def _zone(screen: MainScreen) -> None:
    calendar = screen.mirror.protection.calendar
    rows = calendar.schedules if calendar is not None else ()
    zone = next((each.time_zone for each in rows if each.key == screen.cursor_key), None)
    if screen.place.scope is None and zone in (None, "UTC"):
        screen.say("the schedule under the cursor goes by UTC; :calendar Europe/Berlin shows another zone", Tone.MUTED)
    else:
        screen.change(scope=zone if screen.place.scope is None else None)
        screen.feed.wake()


def _freeze(screen: MainScreen) -> None:
    screen.toggle_freeze()


def _mark(screen: MainScreen) -> None:
    screen.moved(screen.active.mark)


def _range(screen: MainScreen) -> None:
    screen.moved(screen.active.toggle_range)


def _mark_all(screen: MainScreen) -> None:
    screen.moved(screen.active.mark_all)


def _invert(screen: MainScreen) -> None:
    screen.moved(screen.active.invert_marks)


def _actions(screen: MainScreen) -> None:
    screen.act(screen.acting.run_menu, opens_menu=True)


def _ask_in_menu(ask: Callable[[MainScreen], Coroutine[None, None, None]]) -> Callable[[MainScreen], None]:
    return lambda screen: screen.act(lambda: ask(screen), opens_menu=True)


async def _columns(screen: MainScreen) -> None:
    from console.screens import column_dialog

    await column_dialog.choose(screen)


async def _palette(screen: MainScreen) -> None:
    from console.screens import palette_dialog

    await palette_dialog.choose(screen)


async def _clouds(screen: MainScreen) -> None:
    from console.screens import cloud_dialog

    await cloud_dialog.choose(screen)


async def _export(screen: MainScreen) -> None:
    from console.screens import exporting

    await exporting.choose(screen)


def _delete(screen: MainScreen) -> None:
    selection = screen.selection()
    if (reason := commands.reason_off(commands.BY_ID["delete"], selection)) is not None:
        screen.say(f"delete is off: {reason}", Tone.WARN)
    else:
        verb = commands.BY_ID[f"{selection.kind}.delete"]
        screen.act(lambda: screen.acting.run(verb, selection))


def _create(screen: MainScreen) -> None:
    verb = commands.BY_ID[f"{screen.place.view.removesuffix('s')}.create"]
    screen.act(lambda: screen.acting.run(verb, screen.selection()), opens_menu=True)


def _copy(screen: MainScreen) -> None:
    key = screen.subject
    if key is None:
        screen.say("nothing is under the cursor", Tone.MUTED)
        return
    row = screen.active.row_text()
    screen.act(lambda: screen.acting.run_copy(key, row), opens_menu=True)


def copy(screen: MainScreen, text: str) -> None:
    """Put a text onto the clipboard: by a program of this machine where there is one, and by the terminal (OSC 52)."""
    # Not before it is needed: it looks for programs and starts them.
    from console import clipboard

    size = len(text.encode())
    program = clipboard.command(os.environ)
    is_given = program is not None and clipboard.give(program, text)
    is_short = size <= clipboard.TERMINAL_BYTES_MAX
    if is_short:
        screen.app.copy_to_clipboard(text)
    if is_given:
        screen.say(f"copied: {text}", Tone.ACCENT, is_verbatim=True)
    elif is_short and clipboard.is_heard(os.environ):
        # Whether the terminal, or what it runs in, kept it is not answered.
        screen.say(f"sent to the terminal's clipboard: {text}", Tone.ACCENT, is_verbatim=True)
    elif is_short:
        screen.say(f"this terminal takes no clipboard; it was: {text}", Tone.WARN, is_verbatim=True)
    else:
        screen.say(f"{size:,} bytes are too many for the clipboard of a terminal", Tone.WARN)


def _undo(screen: MainScreen) -> None:
    screen.acting.grace.undo()


def _quit(screen: MainScreen) -> None:
    """Leave, unless something waits to be sent and nobody was told so far."""
    if screen.acting.grace.may_leave():
        screen.app.exit()


_DOINGS: Mapping[str, Callable[[MainScreen], None]] = {
    "move.down": _move(1),
    "move.up": _move(-1),
    "move.half_down": _page(0.5),
    "move.half_up": _page(-0.5),
    "move.page_down": _page(1),
    "move.page_up": _page(-1),
    "move.top": _end(False),
    "move.bottom": _end(True),
    "move.left": _left,
    "move.right": _right,
    "move.next_region": _walk(1),
    "move.previous_region": _walk(-1),
    "open": _open,
    "open.right": _open,
    "target": _target,
    "target.cause": _target,
    "back": _back,
    "back.left": _back,
    "history.back": _earlier,
    "history.forward": _later,
    "line": _line,
    "filter": _filter,
    "filter.page": _filter,
    "filter.value": finding.alike,
    "find": finding.begin,
    "find.page": finding.begin,
    "find.next": lambda screen: finding.again(screen, 1),
    "find.previous": lambda screen: finding.again(screen, -1),
    "palette": _ask_in_menu(_palette),
    "bookmark": bookmarks.begin,
    "bookmarks": _ask_in_menu(bookmarks.choose),
    "clouds": _ask_in_menu(_clouds),
    "columns": _ask_in_menu(_columns),
    "export": _ask_in_menu(_export),
    "delete": _delete,
    "describe": _page_about("detail"),
    "why": _why,
    "why.earlier": _decision(-1),
    "why.later": _decision(1),
    "raw": _page_about("raw"),
    "events": _events,
    "preview": _preview,
    "sort": _sort,
    "sort.reverse": _reverse,
    "time": _time,
    "then": lambda screen: screen.then.begin(),
    "then.here": lambda screen: screen.then.begin(),
    "then.now": lambda screen: screen.then.end(),
    "then.time": _time,
    "then.event_back": lambda screen: screen.then.step(-1),
    "then.event_on": lambda screen: screen.then.step(1),
    "then.minute_back": _jump(minutes=-1),
    "then.minute_on": _jump(minutes=1),
    "then.hour_back": _jump(hours=-1),
    "then.hour_on": _jump(hours=1),
    "then.day_back": _jump(days=-1),
    "then.day_on": _jump(days=1),
    "then.alarm_back": lambda screen: screen.then.to_alarm(-1),
    "then.alarm_on": lambda screen: screen.then.to_alarm(1),
    "then.this_back": lambda screen: screen.then.to_event_of_this(-1),
    "then.this_on": lambda screen: screen.then.to_event_of_this(1),
    "time.minute_back": lambda screen: travelling.step(screen, -1),
    "time.minute_on": lambda screen: travelling.step(screen, 1),
    "time.alarm_before": lambda screen: travelling.to_alarm(screen, -1),
    "time.alarm_after": lambda screen: travelling.to_alarm(screen, 1),
    "zone": _zone,
    "measure": _toggle("memory"),
    "groups.drives": _toggle(views.DRIVES),
    "fold": _toggle(views.FOLDED),
    "what_if": _what_if,
    "freeze": _freeze,
    "refresh": _refresh,
    "mark": _mark,
    "mark.range": _range,
    "mark.all": _mark_all,
    "mark.invert": _invert,
    "actions": _actions,
    "create": _create,
    "undo": _undo,
    "copy": _copy,
    "help": _help,
    "quit": _quit,
}
