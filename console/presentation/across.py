"""A list of several clouds in one table: what each view of one cloud shows as values, with the cloud of each row.

A row's key carries its cloud, since ids of different clouds may be the same. A cloud that has fallen silent keeps its
rows, drawn as last known, and below the list each cloud has a line with how it is and how old what is known of it is.
Everything else is the one table of columns: filters, orders, choices, exports and completion come from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from console.presentation import cells as cells_view
from console.presentation import chosen, drives, figures, filtering, hosts, many, servers, silence, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Region,
    Span,
    Tone,
    View,
    at,
    blank,
    cells,
    compose,
    fit_sentence,
    left,
    retoned,
    right,
    text_of,
)
from console.presentation.many import Cloud
from console.presentation.mirror import Mirror
from console.presentation.narrowing import narrow
from console.presentation.ordered import Ordered
from console.records import CellRecord, HostRecord

SEPARATOR = "|"
"""Between a cloud's name, which has none, and a key of it."""
NAME_WIDTH, NAME_WIDTH_NARROW = 20, 13
SEEN_WIDTH = 7
SILENT_WORDS_MIN = 24
"""Below so much room nothing that a filter hides can be said."""
COUNT_AFTER = 34
"""Where the number of rows of a cloud begins, behind its name."""
MEDIUM = 60
"""From this width on a list has more than what must be there."""


class Row(NamedTuple):
    """A record of one cloud among those of several."""

    id: str
    """Its key: the cloud's name, and the key that the cloud's own list knows it by."""
    cloud: str
    sort_name: str
    state: str
    cell: str
    record: Any


def _sort_name(record: Any) -> str:
    return str(record.name if isinstance(record, HostRecord | CellRecord) else record.sort_name)


def _cell(record: Any) -> str:
    return str(record.name if isinstance(record, CellRecord) else record.cell)


class _List(NamedTuple):
    """How a view of one cloud is listed for several."""

    records: Callable[[Mirror], Iterable[Any]]
    key_of: Callable[[Any], str]
    columns: Callable[[Mirror, Frame], Sequence[Column[Any]]]
    orders: Mapping[str, sorting.SortKey]
    shown: tuple[str, ...]
    """The columns that are shown where none were chosen, beside the cloud."""
    is_known: Callable[[Mirror, Any], bool]
    status: Callable[[Mirror, Frame, str | None], Line]
    is_complete: Callable[[Mirror], bool] = lambda mirror: mirror.is_complete


def _is_reachable(_mirror: Mirror, record: Any) -> bool:
    return bool(record.is_reachable)


_LISTS: Mapping[str, _List] = {
    "servers": _List(
        lambda mirror: mirror.fleet.by_id.values(),
        attrgetter("id"),
        servers.columns,
        servers.ORDERS,
        ("state", "name", "cell", "host", "cpu", "memory", "seen", "factor", "group", "up", "kind", "owner"),
        _is_reachable,
        servers.status,
    ),
    "drives": _List(
        lambda mirror: mirror.drives.by_id.values(),
        drives.key_of,
        drives.columns,
        {name: key for name, key in drives.ORDERS.items() if name != "server"},
        ("state", "name", "server", "size", "seen", "cell", "host", "media"),
        _is_reachable,
        drives.status,
        lambda mirror: mirror.are_drives_complete,
    ),
    "hosts": _List(
        lambda mirror: mirror.hosts or (),
        hosts.key_of,
        hosts.columns,
        hosts.ORDERS,
        ("state", "name", "cell", "kind", "fill", "free", "seen", "free-memory", "servers", "drives", "since"),
        lambda mirror, host: mirror.is_host_known(host),
        hosts.status,
        lambda mirror: mirror.hosts is not None,
    ),
    "cells": _List(
        lambda mirror: mirror.cells or (),
        cells_view.key_of,
        lambda _mirror, frame: cells_view.columns(frame),
        {"state": lambda cell: (cell.is_up, cell.state), "name": attrgetter("name")},
        ("state", "name", "for", "hosts", "servers", "unknown", "seen", "waiting", "answer"),
        lambda _mirror, cell: bool(cell.is_up),
        cells_view.status,
        lambda mirror: mirror.cells is not None,
    ),
}
VIEWS = frozenset(_LISTS)
"""The lists that there are of several clouds."""


def split(key: str) -> tuple[str, str]:
    """The cloud of a row, and the key that the cloud's own lists know it by."""
    cloud, _, own = key.partition(SEPARATOR)
    return cloud, own


def key_in(cloud: str, own: str) -> str:
    """The key of a row of a cloud."""
    return f"{cloud}{SEPARATOR}{own}"


class Gathered:
    """The rows of several clouds of one kind. `gathered` gives the next value; this one stays as it is."""

    def __init__(self, view: str) -> None:
        self.view = view
        self.rows: Ordered[Row] = Ordered()
        self._known: Mapping[str, Mapping[str, Any]] = {}
        """By cloud, then by its own key: the records that the rows are of."""
        self._sources: Mapping[str, Any] = {}

    def gathered(self, clouds: Sequence[Cloud]) -> Gathered:
        """With what the clouds' mirrors hold now: of each one that has changed, only what has."""
        listed = _LISTS[self.view]
        following, known, sources = Gathered(self.view), dict(self._known), {}
        changed: list[Row] = []
        removed: list[str] = []
        for cloud in clouds:
            if cloud.mirror is None:
                continue
            records = listed.records(cloud.mirror)
            sources[cloud.name] = records if isinstance(records, tuple) else cloud.mirror
            if self._is_source(cloud.name, cloud.mirror, records):
                continue
            before = known.get(cloud.name, {})
            now = {listed.key_of(record): record for record in records}
            changed += [
                Row(key_in(cloud.name, key), cloud.name, _sort_name(record), record.state, _cell(record), record)
                for key, record in now.items()
                if before.get(key) is not record
            ]
            removed += [key_in(cloud.name, key) for key in before.keys() - now.keys()]
            known[cloud.name] = now
        for name in self._known.keys() - sources.keys():
            removed += [key_in(name, key) for key in known.pop(name)]
        following.rows = self.rows.changed(changed, removed)
        following._known, following._sources = known, sources
        return following

    def _is_source(self, name: str, mirror: Mirror, records: Iterable[Any]) -> bool:
        """Whether these are the very records that were gathered last."""
        before = self._sources.get(name)
        if isinstance(before, Mirror):
            return before.fleet is mirror.fleet and before.drives is mirror.drives
        return before is not None and before is records


# ---------------------------------------------------------------------------------------------------- the one table


def columns(view: str, clouds: Sequence[Cloud], frame: Frame) -> tuple[Column[Row], ...]:
    """The cloud, then what the view of one cloud has, then how old what is known of the row is."""
    opened = {cloud.name: cloud for cloud in clouds if cloud.mirror is not None}
    by_name = {cloud.name: cloud for cloud in clouds}
    width = min(many.NAME_WIDTH_MAX, max((cells(cloud.name) for cloud in clouds), default=5))
    own = {name: _columns_of(view, cloud, frame) for name, cloud in opened.items()}
    template = next(iter(own.values()), tuple(_LISTS[view].columns(Mirror(), frame)))
    name_width = NAME_WIDTH if frame.width >= MEDIUM else NAME_WIDTH_NARROW
    lifted = [_lifted(place, column, own, name_width) for place, column in enumerate(template)]
    return (
        Column("cloud", attrgetter("cloud"), Kind.TEXT, width=max(5, width), is_searched=True, is_lasting=True,
               words=tuple(by_name), distinct=frozenset(by_name),
               draw=lambda row: many.chip(by_name[row.cloud], width, frame)),
        *lifted,
        Column("seen", lambda row: _seen_seconds(by_name[row.cloud], row.record, frame), Kind.SECONDS, "SEEN",
               SEEN_WIDTH, is_lasting=True, draw=lambda row: _seen(by_name[row.cloud], row.record, frame)),
    )  # fmt: skip


def _columns_of(view: str, cloud: Cloud, frame: Frame) -> Sequence[Column[Any]]:
    assert cloud.mirror is not None, "only an opened cloud has rows"
    return _LISTS[view].columns(cloud.mirror, _frame_of(cloud, frame))


def _frame_of(cloud: Cloud, frame: Frame) -> Frame:
    """The frame as the cloud's own: its instant, for clouds have clocks of their own."""
    assert cloud.mirror is not None, "only an opened cloud has an instant"
    return frame._replace(now=cloud.mirror.now(frame.wall_now), scope=None)


def _lifted(place: int, column: Column[Any], own: Mapping[str, Sequence[Column[Any]]], name_width: int) -> Column[Row]:
    """A column of the records of one cloud as one of the rows of several."""

    def of(pick: Callable[[Column[Any]], Callable[[Any], Any] | None]) -> Callable[[Row], Any] | None:
        if pick(column) is None:
            return None
        found = {name: pick(columns[place]) for name, columns in own.items()}
        return lambda row: found[row.cloud](row.record)  # type: ignore[misc]

    value = of(lambda each: each.value)
    assert value is not None, "every column has a value"
    texts = [columns[place].distinct for columns in own.values()]
    distinct = None if None in texts else frozenset(text for each in texts for text in each or ())
    width = min(column.width, name_width) if column.name == "name" else column.width
    return column._replace(
        value=value, last=of(lambda each: each.last), draw=of(lambda each: each.draw), distinct=distinct, width=width
    )


def _seen_seconds(cloud: Cloud, record: Any, frame: Frame) -> float | None:
    """How old what is known of it is: as old as its cloud's last answer, or as its cell's."""
    assert cloud.mirror is not None, "only an opened cloud has rows"
    if _is_never_seen(cloud, record):
        return None
    known_at = getattr(record, "known_at", None)
    if known_at is not None and not record.is_reachable:
        return max(0.0, float((frame.wall_now - known_at).total_seconds()))
    return cloud.mirror.age_seconds(frame.wall_now)


def _is_never_seen(cloud: Cloud, record: Any) -> bool:
    """Whether nothing of it was ever told here, but that it is there."""
    is_foreign = cloud.mirror is not None and cloud.mirror.offer is not None
    return is_foreign and not getattr(record, "is_reachable", True) and getattr(record, "name", "") is None


def _seen(cloud: Cloud, record: Any, frame: Frame) -> Line:
    seconds = _seen_seconds(cloud, record, frame)
    is_never = _is_never_seen(cloud, record)
    text = "never" if is_never else figures.or_dash(None if seconds is None else figures.age(seconds), frame.glyphs)
    return (Span(text.rjust(SEEN_WIDTH), Tone.UNKNOWN if is_never or seconds is None else Tone.TEXT),)


def _orders(view: str) -> dict[str, sorting.SortKey]:
    def lifted(key: sorting.SortKey) -> sorting.SortKey:
        return lambda row: key(row.record)

    return {**{name: lifted(key) for name, key in _LISTS[view].orders.items()}, "cloud": attrgetter("cloud")}


def table(gathered: Gathered, clouds: Sequence[Cloud], frame: Frame) -> tuple[Table[Row], int]:
    """What the list shows, as values, and how many rows there are without the filter."""
    listed, mirrors = _LISTS[gathered.view], {cloud.name: cloud.mirror for cloud in clouds if cloud.mirror is not None}
    frame = frame._replace(scope=None)
    known, orders = columns(gathered.view, clouds, frame), _orders(gathered.view)
    order = sorting.order_of(frame, orders, known)
    rows = gathered.rows.ordered(order, sorting.key_of(order, orders, known), is_descending=frame.is_descending)
    is_up = None if frame.is_descending else order
    shown, total = narrow(gathered.rows, rows, (order, frame.is_descending), frame, known, order=is_up)

    def is_known(row: Row) -> bool:
        mirror = mirrors[row.cloud]
        return not mirror.is_offline and listed.is_known(mirror, row.record)

    return Table(known, shown, attrgetter("id"), is_known), total


def view(gathered: Gathered, clouds: Sequence[Cloud], frame: Frame) -> View:
    """The list of several clouds, as wide as the frame."""
    width, listed, by_name = frame.width, _LISTS[gathered.view], {cloud.name: cloud for cloud in clouds}
    found, total = table(gathered, clouds, frame)
    names = ("cloud", *(frame.columns or listed.shown))
    region: Region
    if found.rows:
        drawn = chosen.region(found, frame._replace(columns=tuple(dict.fromkeys(names))), width)
        silent = {cloud.name for cloud in clouds if cloud.mirror is not None and cloud.mirror.is_offline}
        region = replace(drawn, draw=lambda row: _dimmed(drawn.draw(row)) if row.cloud in silent else drawn.draw(row))
    else:
        region = Lines((compose(width, left(2, _instead(gathered.view, clouds, frame), Tone.MUTED)),))
    below = _below(gathered.view, clouds, found, frame)

    def status(key: str | None) -> Line:
        cloud = by_name.get(split(key)[0]) if key is not None else None
        if cloud is None or cloud.mirror is None:
            return ()
        own = listed.status(cloud.mirror, _frame_of(cloud, frame), split(key or "")[1])
        return (Span(f"{cloud.name}: ", Tone.MUTED), *own)

    order = sorting.order_of(frame, _orders(gathered.view), found.columns)
    number = filtering.number_of(len(found.rows), total, frame.filter)
    return View(
        gathered.view,
        ("all clouds", gathered.view),
        f"sort {order}{' down' if frame.is_descending else ''}   {number}",
        (region,),
        status=status,
        below=below,
        orders=tuple(_orders(gathered.view)),
        table=found,
        heads=servers.HEADS if gathered.view == "servers" else {},
        problem=filtering.parse(frame.filter, found.columns).problem,
    )


def _dimmed(line: Line) -> Line:
    """A row of a cloud that does not answer: all of it is last known, but whose it is."""
    start = next((place for place, span in enumerate(line) if span.text.strip()), 0) + 1
    return (*line[:start], *retoned(line[start:], Tone.UNKNOWN))


def _instead(view: str, clouds: Sequence[Cloud], frame: Frame) -> str:
    if frame.filter:
        return f"no {view} match /{frame.filter}   esc clears the filter"
    is_reading = any(cloud.mirror is not None and not _LISTS[view].is_complete(cloud.mirror) for cloud in clouds)
    return frame.glyphs.ellipsis if is_reading else f"no {view} in any cloud that was opened"


# ---------------------------------------------------------------------------------------------------- a line a cloud


def _below(view: str, clouds: Sequence[Cloud], found: Table[Row], frame: Frame) -> tuple[Line, ...]:
    """How each cloud is and how old; where there is no room for all of them, the calm ones are counted."""
    room = max(1, (frame.body_height - 3) // 3)
    counts = Counter(map(attrgetter("cloud"), found.rows))
    ranked = sorted(clouds, key=lambda cloud: many.state(cloud, frame).tone is Tone.OK)
    if len(ranked) <= room:
        return (blank(frame.width), *(_line(view, cloud, found, counts, frame) for cloud in clouds))
    shown = ranked[: room - 1]
    rest = len(ranked) - len(shown)
    words = left(2, f"and {rest} more; C shows them all", Tone.MUTED)
    lines = (_line(view, cloud, found, counts, frame) for cloud in shown)
    return (blank(frame.width), *lines, compose(frame.width, words))


def _line(view: str, cloud: Cloud, found: Table[Row], counts: Counter[str], frame: Frame) -> Line:
    width, stands = frame.width, many.state(cloud, frame)
    name_width = many.NAME_WIDTH_MAX if width >= 60 else 10
    words, tone = many.age(cloud, frame)
    is_opened = cloud.mirror is not None or cloud.problem
    text = stands.words if is_opened else "not opened, as that would start it: C does"
    has_count = cloud.mirror is not None and cloud.mirror.cells is not None and width >= MEDIUM
    silent = ""
    if has_count and frame.filter and stands.tone is Tone.OK and width < name_width + 52 + 12 + SILENT_WORDS_MIN:
        # Where there is no room beside it, it stands where the cloud's state would say that all is well.
        silent = _silent_words(view, cloud, found, frame, COUNT_AFTER - 4)
    text = silent or text
    stands = stands._replace(tone=Tone.WARN) if silent else stands
    text = fit_sentence(text, COUNT_AFTER - 6 if has_count else max(1, width - name_width - 18), frame.glyphs)
    placed = [
        at(2, many.chip(cloud, name_width, frame)),
        at(name_width + 3, (Span(stands.glyph, stands.tone), Span(f" {text}", stands.tone))),
    ]
    if has_count and cloud.mirror is not None:
        number = counts[cloud.name]
        if not _LISTS[view].is_complete(cloud.mirror) and not cloud.mirror.is_offline:
            counted = f"reading {view}"
        else:
            counted = f"{figures.count(number)} {view if number != 1 else view.removesuffix('s')}"
        placed.append(left(name_width + COUNT_AFTER, counted, Tone.UNKNOWN if cloud.mirror.is_offline else Tone.MUTED))
        start = name_width + 52
        hidden = _silent_words(view, cloud, found, frame, width - start - 12)
        if hidden:
            placed.append(left(start, hidden, Tone.WARN))
    placed.append(right(width - 3, f"age {words}" if cloud.mirror is not None else words, tone))
    return compose(width, *placed)


def _silent_words(view: str, cloud: Cloud, found: Table[Row], frame: Frame, room: int) -> str:
    """What the list shows, and hides, of cells of the cloud that do not answer, as the cloud's own list says it.

    Nothing where there is no room for it.
    """
    assert cloud.mirror is not None, "only an opened cloud has rows"
    own = _frame_of(cloud, frame)
    records = [row.record for row in found.rows if row.cloud == cloud.name] if frame.filter else []
    match view:
        case "servers":
            said = silence.of_servers(cloud.mirror, own, records, servers.columns(cloud.mirror, own))
        case "drives":
            said = silence.of_drives(cloud.mirror, own, records, drives.columns(cloud.mirror, own))
        case _:
            return ""
    # What fills its line may have been cut: then a shorter form of it is asked for, and at last none.
    for width in range(room, 0, -4):
        lines = silence.banner(said, view.removesuffix("s"), own, width)
        words = text_of(lines[0]).strip() if lines else ""
        if cells(words) < width - 2:
            return words
    return ""
