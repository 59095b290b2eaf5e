"""Going back in the log of events, and coming back: what the keys of the events view do.

A step moves at once, and what is not known there is asked for behind it: the newest step wins. What was read is handed
to the mirror as a stretch of the log, so that descriptions and raw records of old events find them there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual.worker import Worker

from console.port import ClientError, Port
from console.presentation import event_words, events, past
from console.presentation.lines import Tone
from console.records import PastEvents
from console.screens.feed import Answered
from console.screens.places import Place

if TYPE_CHECKING:
    from console.screens.main import MainScreen

PAGE_LIMIT = 200
SEARCH_LIMIT = 1_000
PAGES_SEARCHED = 5
EVENTS_MAX = 10_000
"""So many are held of one stretch; who wants to see more goes there by time."""
MINUTE = timedelta(minutes=1)


def problem_of(screen: MainScreen, text: str) -> str:
    """Why one cannot go to a time as it was typed; "" where one can, or nothing was typed."""
    at = past.parse_time(text, screen.now()) if text.strip() else None
    return at if isinstance(at, str) else ""


def go_to(screen: MainScreen, text: str) -> None:
    """Go to a time as it was typed, which has no problem."""
    at = past.parse_time(text, screen.now())
    assert not isinstance(at, str), "the line stays open while what is typed is no time"
    if at is None:
        to_now(screen)
    else:
        _look_at(screen, at)


def step(screen: MainScreen, minutes: int) -> None:
    """Go so many minutes from where the cursor is; past now is now."""
    at = _base(screen)[0] + minutes * MINUTE
    if at >= screen.frame().now:
        to_now(screen)
    else:
        _look_at(screen, at)


def to_now(screen: MainScreen) -> None:
    """Come back: to the newest event, and to those that are still to happen."""
    if screen.place.past_at is not None:
        _put(screen, None, None)
        newest = screen.view.regions[0]
        _put(screen, None, newest.key(0) if len(newest) else None)


def to_alarm(screen: MainScreen, direction: int) -> None:
    """Go to the alarm before or after the row under the cursor, through as many pages as that needs."""
    start = _base(screen)
    known = past.window(screen.mirror, screen.frame())
    if known is None or not _to_known_alarm(screen, known, start, direction):
        _work(screen, lambda client: _search(screen, client, start, direction))


def follow(screen: MainScreen) -> None:
    """Where the cursor has come to the end of what is known, ask for what lies behind it."""
    key = screen.cursor_key
    if screen.place.view != "events" or key is None:
        return
    region = screen.view.regions[0]
    is_first, is_last = key == region.key(0), key == region.key(len(region) - 1)
    # Only at the ends: to join what is known costs more than a key may.
    known = past.window(screen.mirror, screen.frame()) if is_first or is_last else None
    if known is None or not 0 < len(known.events) < EVENTS_MAX:
        return
    if is_last and not known.is_begun:
        _work(screen, lambda client: _read_on(screen, client, known, -1, PAGE_LIMIT))
    elif is_first and not known.is_current:
        _work(screen, lambda client: _read_on(screen, client, known, 1, PAGE_LIMIT))


def open_events(screen: MainScreen, scope: str) -> None:
    """Show the events of an object, also those of long ago."""
    screen.enter(Place("events", scope))
    object_id = past.object_of(screen.mirror, scope)
    if object_id is not None and screen.then.moment is None:
        _work(screen, lambda client: _read_object(screen, client, object_id))


# -------------------------------------------------------------------------------------------------------- moving there


def _base(screen: MainScreen) -> past.Position:
    region = next(iter(screen.view.regions), None)
    is_first = region is not None and len(region) > 0 and region.key(0) == screen.cursor_key
    frame = screen.frame()
    return past.base(past.window(screen.mirror, frame), frame, screen.cursor_key, is_first=is_first)


def _look_at(screen: MainScreen, at: datetime) -> None:
    """Be at an instant, and ask for what is not known around it."""
    known = past.window(screen.mirror, screen.frame()._replace(past_at=at))
    _hold(screen, known)
    _put(screen, at, past.HERE)
    if known is None:
        object_id = past.object_of(screen.mirror, screen.place.scope)
        _work(screen, lambda client: _read_around(screen, client, at, object_id))


def _hold(screen: MainScreen, known: PastEvents | None) -> None:
    """Leave a stretch as it is, also when it was made of the present."""
    if known is not None and screen.mirror.pasts.get(known.object_id) != known:
        screen.post_message(Answered(known, screen.wall_now()))


def _put(screen: MainScreen, at: datetime | None, cursor: str | None) -> None:
    screen.go(screen.trail.left_as(replace(screen.place, past_at=at, cursor=cursor, region=None)))
    screen.body.centre()


def _to_known_alarm(screen: MainScreen, known: PastEvents, start: past.Position, direction: int) -> bool:
    """Go to the next alarm of a known stretch; False where it holds none."""
    shown = events.wanted(screen.mirror, screen.frame(), known)
    alarm = past.alarm_beside(shown, start, direction, event_words.is_alarm)
    if alarm is None:
        return False
    _hold(screen, known)
    _put(screen, alarm.at, f"event:{alarm.key}")
    return True


# -------------------------------------------------------------------------------------------------------------- asking


def _work(screen: MainScreen, ask: Callable[[Port], Awaitable[object]]) -> None:
    """Ask for a part of the log; a newer wish takes the place of an older one."""
    client = screen.client
    if client is None:
        screen.say("there is no connection yet", Tone.WARN)
        return

    async def work() -> None:
        try:
            await ask(client)
        except ClientError as error:
            screen.say(f"the log cannot be read: {error.sentence}", Tone.WARN)

    # As a function: a coroutine that is cancelled before its turn comes would never be awaited.
    _: Worker[None] = screen.run_worker(work, group="past", exclusive=True, exit_on_error=False)


async def _deliver(screen: MainScreen, known: PastEvents) -> PastEvents:
    message = Answered(known, screen.wall_now())
    screen.post_message(message)
    await message.taken.wait()
    return known


async def _read_around(screen: MainScreen, client: Port, at: datetime, object_id: str | None) -> PastEvents:
    """What happened at an instant, before it and after it."""
    place = at.isoformat()
    before, after = await asyncio.gather(
        client.events(limit=PAGE_LIMIT, object_id=object_id, until=place),
        client.events(limit=PAGE_LIMIT, object_id=object_id, since=place),
    )
    is_begun, is_current = len(before.events) < PAGE_LIMIT, len(after.events) < PAGE_LIMIT
    events_found = past.joined(before.events, after.events)
    known = PastEvents(events_found, object_id, is_begun, is_current, before.begins_at)
    await _deliver(screen, known)
    if screen.place.past_at == at and screen.cursor_key == past.HERE:
        _put(screen, at, past.HERE)
    return known


async def _read_object(screen: MainScreen, client: Port, object_id: str) -> PastEvents:
    """The newest events of one object."""
    found = await client.events(limit=PAGE_LIMIT, object_id=object_id)
    is_begun = len(found.events) < PAGE_LIMIT
    return await _deliver(screen, PastEvents(found.events, object_id, is_begun, True, found.begins_at))


async def _read_on(screen: MainScreen, client: Port, known: PastEvents, direction: int, limit: int) -> PastEvents:
    """The stretch with one more page before or after it. A page before holds the oldest known event again."""
    if direction < 0:
        place = past.place_text(known.events[0])
        page = await client.events(limit=limit, object_id=known.object_id, until=place)
        known = known._replace(is_begun=len(page.events) < limit)
    else:
        place = past.place_text(known.events[-1])
        page = await client.events(limit=limit, object_id=known.object_id, since=place)
        known = known._replace(is_current=len(page.events) < limit)
    events_found = past.joined(known.events, page.events)
    return await _deliver(screen, known._replace(events=events_found, begins_at=page.begins_at))


async def _search(screen: MainScreen, client: Port, start: past.Position, direction: int) -> None:
    """Read on until there is an alarm, the log ends, or enough was read."""
    known = past.window(screen.mirror, screen.frame())
    if known is None and screen.place.past_at is not None:
        object_id = past.object_of(screen.mirror, screen.place.scope)
        known = await _read_around(screen, client, screen.place.past_at, object_id)
    for _ in range(PAGES_SEARCHED):
        if known is not None and _to_known_alarm(screen, known, start, direction):
            return
        if known is None or not known.events or (known.is_begun if direction < 0 else known.is_current):
            screen.say(f"there is no alarm {'before' if direction < 0 else 'after'} this", Tone.MUTED)
            return
        known = await _read_on(screen, client, known, direction, SEARCH_LIMIT)
    if known is None or not _to_known_alarm(screen, known, start, direction):
        screen.say(f"no alarm within {PAGES_SEARCHED * SEARCH_LIMIT:,} events; go on with the same key", Tone.MUTED)
