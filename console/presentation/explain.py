"""`w`: why a server or drive is where it is, and why not on each other host; one decision at a time.

The columns are the parts of the key in their order, numbered; a dot is nothing to report. So the first column with ink
in the second row is the one that decided. Where more hosts have room than there are lines for, the rest is grouped by
the part of the key that it lost by; hosts without room are grouped by what they lack, the least lack first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from console.presentation import drive_detail, figures, redundancy
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Placed,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    blank,
    cells,
    compose,
    fit_id,
    fit_name,
    left,
    right,
    wrap,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import up_since
from console.records_explain import ChangeRecord, ExplanationRecord, NamedRecord, WeighedRecord, WhyDetail

NOW = 0
"""Stands for the decision that would be made now, where the numbers of past ones stand."""

WIDE, MEDIUM, NARROW = 110, 80, 60
NAMES_A_GROUP = 120
TABLE_ROWS_MIN = 4
LINES_BESIDE_TABLE = 16
LABEL_COLUMN, TEXT_COLUMN, FLOW_COLUMN = 1, 11, 26


def shown(held: WhyDetail | None, decision: int | None) -> ExplanationRecord | None:
    """The explanation of the decision that the page is about; None while it has not come.

    Without a choice that is the last decision of what is somewhere, and else the one that would be made now.
    """
    if held is None:
        return None
    if decision is None:
        return held.placed or held.explanation
    told = (each for each in (held.explanation, held.placed) if each is not None)
    return next((each for each in told if number_of(each) == decision), None)


def number_of(explanation: ExplanationRecord) -> int:
    return NOW if explanation.mark is None else explanation.mark.number


def step(held: WhyDetail, here: ExplanationRecord, by: int) -> int | None:
    """The decision before or after this one; the last is that of now. None at the end."""
    numbers = [*(mark.number for mark in held.marks), NOW]
    number = number_of(here)
    place = numbers.index(number) + by if number in numbers else len(numbers) - 1
    return numbers[place] if 0 <= place < len(numbers) else None


def view(mirror: Mirror, key: str, frame: Frame, held: WhyDetail | None, decision: int | None) -> View:
    """The page of one object, by its key: a server's id, or `drive:ID`."""
    is_drive = key.startswith("drive:")
    identity = key.removeprefix("drive:")
    title = mirror.name_of(identity) or (held.name if held is not None else None) or identity[:8]
    explanation = shown(held, decision)
    crumbs = ("drives" if is_drive else "servers", title)
    head = Lines([_state(mirror, frame, identity, is_drive=is_drive), blank(frame.width)])
    if held is None or explanation is None:
        sentence, tone = _not_told(mirror, identity, title, is_drive=is_drive)
        words = [compose(frame.width, left(LABEL_COLUMN, row, tone)) for row in wrap(sentence, frame.width - 2)]
        return View("why", crumbs, "why here", (head, Lines(words)))
    page = _Page(mirror, frame, held, explanation)
    return View(
        "why",
        crumbs,
        f"why {page.where}   {_place(held, explanation)}",
        (head, Lines(page.opening()), *page.table(), Lines(page.rest(), page.rest_keys())),
        status=lambda _key: (Span(_LEGENDS[held.kind], Tone.MUTED),),
    )


def _not_told(mirror: Mirror, identity: str, title: str, *, is_drive: bool) -> tuple[str, Tone]:
    found = drive_detail.find(mirror, identity) if is_drive else mirror.servers.get(identity)
    if found is not None and not mirror.is_cell_up(found.cell):
        return f"{found.cell} does not answer, and only it knows why {title} is where it is", Tone.UNKNOWN
    return f"not told yet: why {title} is where it is", Tone.MUTED


_LEGENDS = {
    "server": "key 1 avoid, 2 disruption, 3 room, 4 name: the first that differs decides",
    "drive": "key 1 avoid, 2 its source's host, 3 room, 4 name: the first that differs decides",
}
_KEY_NUMBERS = {"avoid": 1, "disruption": 2, "source": 2, "room": 3, "name": 4}


def _place(held: WhyDetail, explanation: ExplanationRecord) -> str:
    """Which of its decisions this is."""
    if explanation.mark is None:
        return "if it were decided now"
    numbers = [mark.number for mark in held.marks]
    number = explanation.mark.number
    return f"decision {numbers.index(number) + 1} of {len(numbers)}" if number in numbers else f"decision {number}"


def _state(mirror: Mirror, frame: Frame, identity: str, *, is_drive: bool) -> Line:
    """The object itself in one line, as the mirror knows it now."""
    glyphs, width = frame.glyphs, frame.width
    spans: list[Span] = []
    server = mirror.servers.get(identity)
    drive = drive_detail.find(mirror, identity) if is_drive else None
    if server is not None:
        look = figures.server_state(server, glyphs)
        age = figures.age_since(up_since(server), frame.now)
        where = f"{age} on {server.host}" if age and server.host else server.host or "on no host"
        spans = [Span(f"{look.glyph} {look.word}", look.tone), Span(f"  {where}")]
        if server.cpu_mhz is not None and server.memory_bytes is not None:
            spans.append(Span(f"   {figures.ghz(server.cpu_mhz)} GHz  {figures.gib(server.memory_bytes)} GiB"))
        group = redundancy.find(mirror, server.group) if server.group is not None else None
        if group is not None:
            spans.append(Span(f"  {group.name}"))
            if group.collisions:
                plural = "s" if group.collisions != 1 else ""
                spans.append(Span(f" {glyphs.violation} {group.collisions} collision{plural}", Tone.CRIT))
    elif drive is not None:
        look = figures.drive_state(drive, glyphs)
        spans = [Span(f"{look.glyph} {look.word}", look.tone), Span(f"  on {drive.host or 'no host'}")]
        if drive.size_bytes is not None:
            spans.append(Span(f"   {figures.gib(drive.size_bytes)} GiB"))
    short = fit_id(identity, 13, glyphs)
    placed = [at(LABEL_COLUMN, tuple(spans))]
    if LABEL_COLUMN + sum(cells(span.text) for span in spans) + cells(short) + 3 < width:
        placed.append(right(width - 2, short, Tone.MUTED))
    return compose(width, *placed)


class _Page:
    """The parts of the page, from top to bottom."""

    def __init__(self, mirror: Mirror, frame: Frame, held: WhyDetail, explanation: ExplanationRecord) -> None:
        self._mirror = mirror
        self._frame = frame
        self._glyphs = frame.glyphs
        self._width = frame.width
        self._held = held
        self._explanation = explanation
        self._with_room = [host for host in explanation.hosts if host.verdict in ("chosen", "beaten")]
        rows_max = max(TABLE_ROWS_MIN, frame.body_height - LINES_BESIDE_TABLE)
        self._rows, self._others = self._with_room[:rows_max], self._with_room[rows_max:]
        self._refused = [host for host in explanation.hosts if host.verdict not in ("chosen", "beaten")]

    @property
    def where(self) -> str:
        """`here` while it is where this decision put it."""
        return "here" if self._explanation.host in (None, self._held.host) else "there"

    # Above the table

    def opening(self) -> list[Line]:
        """When and among whom it was decided, by whom, and what is wrong with that."""
        told, held, glyphs = self._explanation, self._held, self._glyphs
        refused = sum(number for _, number in told.refused)
        fit = told.hosts_total - refused
        among = f"among {told.hosts_total} hosts of {held.cell}: {fit} fit, {refused} refused"
        if told.mark is None:
            opening = f"as of {figures.instant(told.at, self._frame.now)} {among}"
        else:
            opening = f"decided {figures.instant(told.at, self._frame.now)} {among}"
        lines = self._labelled(f"WHY {self.where.upper()}", opening)
        if told.mark is not None:
            by = f"decision {told.mark.number} in the log of {held.cell}, by {told.mark.actor or 'the cloud'}"
            lines += self._labelled("", by, Tone.MUTED)
        if held.placed_problem is not None and told.mark is None:
            lines += self._labelled("", held.placed_problem, Tone.WARN)
        if not told.is_as_recorded and told.mark is not None:
            lines += self._labelled(
                "",
                f"it was placed on {told.mark.host}: the settings of then were others, and what follows is decided "
                "by those of now",
                Tone.WARN,
            )
        if told.avoid:
            lines += self._labelled("", f"to avoid: {self._named(told.avoid)}", Tone.MUTED)
        if told.host is None:
            lines += self._labelled("NO ROOM", f"no host of {held.cell} has room for it", Tone.CRIT)
        elif not told.hosts:
            second = f"; second {told.runner_up}" if told.runner_up else ""
            lines += self._labelled("", f"{glyphs.running} {told.host}{second}", Tone.OK)
        return [*lines, blank(self._width)] if told.hosts else lines

    def _named(self, avoided: Iterable[NamedRecord]) -> str:
        return ", ".join(self._name(each.id, each.name) for each in avoided)

    def _name(self, identity: str, name: str | None) -> str:
        return self._mirror.name_of(identity) or name or identity[:8]

    def _labelled(self, label: str, text: str, tone: Tone = Tone.TEXT) -> list[Line]:
        """A label and its text on as many lines as it needs; below 60 columns each on lines of its own."""
        column = TEXT_COLUMN if self._width >= NARROW else 2
        rows = wrap(text, self._width - column - 1)
        lines = [compose(self._width, left(column, row, tone)) for row in rows]
        if not label:
            return lines
        bold = left(LABEL_COLUMN, label, Tone.ACCENT)
        if column < TEXT_COLUMN:
            return [compose(self._width, bold), *lines]
        return [compose(self._width, bold, left(column, rows[0], tone)), *lines[1:]]

    # The hosts with room

    def table(self) -> tuple[Region, ...]:
        if not self._with_room:
            return ()
        if self._width < NARROW:
            region: Region = Rows(None, self._rows, self._short_row, _key_of)
        elif self._held.kind == "drive":
            region = Rows(self._drive_head(), self._rows, self._drive_row, _key_of)
        else:
            region = Rows(self._head(), self._rows, self._row, _key_of)
        return (region, Lines([blank(self._width)]))

    @property
    def _host_width(self) -> int:
        """What the names of hosts need, more than 8 only where there is room."""
        if self._width < WIDE:
            return 8
        return max(8, min(20, max(cells(host.host) for host in self._rows)))

    @property
    def _columns(self) -> tuple[int, int, int, int, int, int, int]:
        """Where they are: avoid begins, stops, lost, shrunk, GHz and GiB end, the verdict begins; 0 is left out."""
        first = self._host_width + 2
        if self._width >= WIDE:
            wide = first + 18
            return (first, wide + 8, wide + 14, wide + 22, wide + 34, wide + 40, wide + 43)
        if self._width >= MEDIUM:
            return (first, first + 16, first + 22, first + 31, first + 43, first + 48, first + 51)
        return (first, first + 15, 0, first + 22, first + 33, 0, first + 35)

    def _head(self) -> Line:
        avoid, stops, lost, shrunk, ghz, gib, verdict = self._columns
        heads = [
            left(1, "HOST", Tone.MUTED),
            left(avoid, "1 AVOID", Tone.MUTED),
            right(stops, "2 STOPS", Tone.MUTED),
            right(shrunk, "SHRUNK", Tone.MUTED),
            right(ghz, "3 ROOM GHz", Tone.MUTED),
            left(verdict, "VERDICT", Tone.MUTED),
        ]
        if lost:
            heads += [right(lost, "LOST", Tone.MUTED), right(gib, "GiB", Tone.MUTED)]
        return compose(self._width, *heads)

    def _row(self, host: WeighedRecord) -> Line:
        avoid, stops, lost, shrunk, ghz, gib, verdict = self._columns
        placed = [
            self._host(host),
            self._avoid(host, avoid, stops - avoid - 7),
            self._count(stops, len(host.stops), Tone.WARN),
            self._count(shrunk, host.shrinks, Tone.BACKFILL),
            right(ghz, figures.ghz(host.room.cpu_mhz) if host.room else self._glyphs.nobody_said),
            self._verdict(host, verdict),
        ]
        if lost:
            work = sum(each.work_ghz_hours or 0 for each in host.stops)
            placed += [
                self._count(lost, work, Tone.WARN),
                right(gib, figures.gib(host.room.memory_bytes) if host.room else self._glyphs.nobody_said),
            ]
        return compose(self._width, *placed)

    def _host(self, host: WeighedRecord) -> Placed:
        is_chosen = host.verdict == "chosen"
        name = fit_name(host.host, self._host_width, self._glyphs)
        return left(1, name, Tone.OK if is_chosen else Tone.TEXT, bold=is_chosen)

    def _avoid(self, host: WeighedRecord, column: int, width: int) -> Placed:
        """What is on it of the avoid list: places, and the first one's name where there is room."""
        if not host.avoided:
            return left(column, self._glyphs.nothing, Tone.MUTED)
        first = host.avoided[0]
        if self._width >= WIDE:
            more = f" +{len(host.avoided) - 1}" if len(host.avoided) > 1 else ""
            name = fit_name(self._name(first.id, first.name), width - 3 - cells(more), self._glyphs)
            return left(column, f"{first.rank} {name}{more}", Tone.CRIT)
        places = ",".join(str(each.rank) for each in host.avoided)
        return left(column, fit_name(places, 8, self._glyphs), Tone.CRIT)

    def _count(self, last: int, number: float, tone: Tone) -> Placed:
        return right(last, f"{number:,.0f}", tone) if number else right(last, self._glyphs.nothing, Tone.MUTED)

    def _verdict(self, host: WeighedRecord, column: int) -> Placed:
        if host.verdict == "chosen":
            return left(column, f"{self._glyphs.running} chosen", Tone.OK)
        text = f"key {_KEY_NUMBERS.get(host.part or '', 0)}"
        if host is self._with_room[1]:
            text = f"second: {text}"
        if self._width >= WIDE:
            told = self._why_not(host)
            text += f", {told}" if told else ""
            text = fit_name(text, self._width - column - 1, self._glyphs)
        return left(column, text)

    def _why_not(self, host: WeighedRecord) -> str:
        """Names where there are any."""
        match host.part:
            case "avoid":
                return f"holds {self._named(host.avoided)}"
            case "disruption" if host.stops:
                return f"stops {', '.join(self._name(each.id, each.name) for each in host.stops)}"
            case "disruption":
                return f"shrinks {host.shrinks}"
            case "source":
                return "not the host of its source"
            case _:
                return ""

    def _short_row(self, host: WeighedRecord) -> Line:
        """`c2-h12 second: key 2, stops 2, shrinks 0, room 0.0`, as far as it goes."""
        chosen = host.verdict == "chosen"
        is_second = not chosen and host is self._with_room[1]
        verdict = "chosen" if chosen else f"{'second: ' if is_second else ''}key {_KEY_NUMBERS.get(host.part or '', 0)}"
        parts = [verdict]
        if host.stops:
            parts.append(f"stops {len(host.stops)}")
        if host.shrinks:
            parts.append(f"shrinks {host.shrinks}")
        if host.room is not None:
            parts.append(f"room {figures.ghz(host.room.cpu_mhz)}")
        elif host.room_bytes is not None:
            parts.append(f"room {figures.gib(host.room_bytes)}")
        text = parts[0]
        for part in parts[1:]:
            longer = f"{text}, {part}"
            text = longer if cells(longer) < self._width - 10 else text
        return compose(self._width, self._host(host), left(10, text, Tone.OK if chosen else Tone.TEXT))

    def _drive_columns(self) -> tuple[int, int, int, int]:
        """Avoid begins, source begins, GiB end, the verdict begins."""
        first = self._host_width + 2
        room = 24 if self._width >= WIDE else 10
        return first, first + room, first + room + 21, first + room + 24

    def _drive_head(self) -> Line:
        avoid, source, gib, verdict = self._drive_columns()
        return compose(
            self._width,
            left(1, "HOST", Tone.MUTED),
            left(avoid, "1 AVOID", Tone.MUTED),
            left(source, "2 SOURCE", Tone.MUTED),
            right(gib, "3 ROOM GiB", Tone.MUTED),
            left(verdict, "VERDICT", Tone.MUTED),
        )

    def _drive_row(self, host: WeighedRecord) -> Line:
        avoid, source, gib, verdict = self._drive_columns()
        is_source = self._explanation.decided_by == "source" and host.verdict == "chosen"
        return compose(
            self._width,
            self._host(host),
            self._avoid(host, avoid, source - avoid),
            left(source, "here" if is_source else self._glyphs.nothing, Tone.TEXT if is_source else Tone.MUTED),
            right(gib, self._glyphs.nobody_said if host.room_bytes is None else figures.gib(host.room_bytes)),
            self._verdict(host, verdict),
        )

    # Below the table

    def rest(self) -> list[Line]:
        """What decided, who was refused, what would help, and what the decision could not know."""
        lines = self._decided()
        if self._others:
            lines.append(compose(self._width, left(1, f"ALSO FIT  {len(self._others)}", Tone.ACCENT)))
            for head, hosts in _beaten(self._others):
                lines += self._flow(head, Tone.MUTED, hosts)
        if self._refused:
            lines.append(compose(self._width, left(1, f"REFUSED  {len(self._refused)}", Tone.ACCENT)))
            for head, tone, hosts in _refused(self._refused, self._glyphs):
                lines += self._flow(head, tone, hosts)
        elif self._explanation.refused:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._explanation.refused)
            lines += self._labelled("REFUSED", reasons)
        for place, change in enumerate(self._explanation.changes):
            lines += self._labelled("WOULD FIT" if place == 0 else "", self._change(change))
        if self._explanation.impossible:
            words = " or ".join(_IMPOSSIBLE.get(kind, kind) for kind in self._explanation.impossible)
            lines += self._labelled("NO HELP", f"no host would take it with {words}", Tone.MUTED)
        return lines + self._siblings()

    def rest_keys(self) -> list[str | None]:
        return [None] * len(self.rest())

    def _decided(self) -> list[Line]:
        told = self._explanation
        if told.host is None or told.decided_by is None:
            return []
        number = _KEY_NUMBERS.get(told.decided_by)
        text = "it was the only host with room" if number is None else f"decided by key {number}"
        if number is not None and len(self._with_room) > 1:
            text += f": {self._compared(self._with_room[0], self._with_room[1])}"
        return [compose(self._width, left(1, row)) for row in wrap(text, self._width - 2)]

    def _compared(self, best: WeighedRecord, second: WeighedRecord) -> str:
        """What both have of the part that decided."""
        a, b = best.host, second.host
        match second.measure:
            case "servers stopped":
                return f"{a} stops {_nobody(len(best.stops))}, {b} would stop {len(second.stops)}"
            case "work lost":
                lost = [sum(stop.work_ghz_hours or 0 for stop in host.stops) for host in (best, second)]
                return f"stopping on {a} loses {figures.work(lost[0])}, on {b} {figures.work(lost[1])}"
            case "CPU stopped":
                stopped = [sum(stop.cpu_mhz or 0 for stop in host.stops) for host in (best, second)]
                return f"{a} stops {figures.ghz(stopped[0])} GHz, {b} would stop {figures.ghz(stopped[1])}"
            case "servers shrunk":
                return f"{a} shrinks {_nobody(best.shrinks)}, {b} would shrink {second.shrinks}"
            case "CPU" | "memory" | "storage":
                return self._rooms(best, second)
            case "places in the avoid list":
                held = self._named(best.avoided) or "nothing to avoid"
                return f"{a} holds {held}, {b} holds {self._named(second.avoided) or 'nothing to avoid'}"
            case "on the source's host":
                return f"what it was copied from is on {a}, so its data need not move"
            case _:
                return f"{a} and {b} are alike, and {a} comes first"

    def _rooms(self, best: WeighedRecord, second: WeighedRecord) -> str:
        def room(host: WeighedRecord) -> str:
            if host.room is None:
                return f"{figures.gib(host.room_bytes or 0)} GiB"
            if second.measure == "memory":
                return f"{figures.gib(host.room.memory_bytes)} GiB"
            return f"{figures.ghz(host.room.cpu_mhz)} GHz"

        return f"{best.host} has room for {room(best)}, {second.host} for {room(second)}"

    def _flow(self, head: str, tone: Tone, hosts: Sequence[tuple[str, str]]) -> list[Line]:
        """Hosts with what they lack, one after the other, as many on a line as fit."""
        column = FLOW_COLUMN if self._width >= NARROW else 3
        lines: list[list[Placed]] = [[left(1, head, tone)]]
        if column < FLOW_COLUMN:
            lines.append([])
        place = column
        for name, amount in hosts[:NAMES_A_GROUP]:
            width = cells(name) + (1 + cells(amount) if amount else 0)
            if place > column and place + width > self._width - 1:
                lines.append([])
                place = column
            lines[-1].append(at(place, (Span(name, Tone.MUTED), Span(f" {amount}" if amount else ""))))
            place += width + 2
        if len(hosts) > NAMES_A_GROUP:
            lines.append([left(column, f"and {len(hosts) - NAMES_A_GROUP:,} more", Tone.MUTED)])
        return [compose(self._width, *pieces) for pieces in lines]

    def _change(self, change: ChangeRecord) -> str:
        if change.kind == "stops":
            names = ", ".join(self._name(each.id, each.name) for each in change.stops)
            told = [each.work_ghz_hours for each in change.stops if each.work_ghz_hours is not None]
            lost = f", {figures.work(sum(told))} lost" if told else ""
            fewer = "" if change.is_proved else "; fewer may do"
            return f"on {change.host} with {names} stopped{lost}{fewer}"
        less = []
        if change.less is not None and change.less.cpu_mhz:
            less.append(f"{change.less.cpu_mhz / 1000:g} GHz")
        if change.less is not None and change.less.memory_bytes:
            less.append(f"{_exact_gib(change.less.memory_bytes)} GiB of memory")
        if change.less_bytes:
            less.append(f"{_exact_gib(change.less_bytes)} GiB")
        return f"on {change.host} with {' and '.join(less)} less"

    def _siblings(self) -> list[Line]:
        """Members of its group on the host that it went to: those that were not to be avoided, and those that were."""
        server = self._mirror.servers.get(self._held.id)
        if server is None or server.group is None or self._explanation.host is None or self.where != "here":
            return []
        group = redundancy.find(self._mirror, server.group)
        listed = {each.id for each in self._explanation.avoid}
        lines: list[Line] = []
        for member in () if group is None else group.members:
            if member.host != self._explanation.host or member.id == server.id:
                continue
            why = "it could not be avoided" if member.id in listed else "it was not in the avoid list"
            text = f"{self._name(member.id, member.name)} of group {server.group} is on this host: {why}"
            mark = f"{self._glyphs.violation} "
            rows = wrap(text, self._width - 4)
            lines.append(compose(self._width, left(1, mark, Tone.CRIT), left(3, rows[0], Tone.CRIT)))
            lines += [compose(self._width, left(3, row, Tone.CRIT)) for row in rows[1:]]
        return lines


_IMPOSSIBLE = {
    "cpu": "less CPU alone",
    "memory": "less memory alone",
    "cpu and memory": "any smaller size",
    "stops": "backfilling servers stopped",
    "storage": "any smaller size",
}


def _key_of(host: WeighedRecord) -> str:
    return f"host:{host.host}"


def _nobody(number: int) -> str:
    return "nobody" if number == 0 else str(number)


def _exact_gib(amount: int) -> str:
    """Rounded up: a little less would not be enough."""
    hundredths = -(-amount * 100 // 2**30)
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


_LOST_BY = {
    "avoid": "key 1 to be avoided",
    "source": "key 2 not the source's",
    "disruption": "key 2 disturbs more",
    "room": "key 3 other room",
    "name": "key 4 alike, by name",
}


def _beaten(hosts: Sequence[WeighedRecord]) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Each part of the key with the hosts that lost by it, best first, and what they have of it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for host in hosts:
        found.setdefault(host.part or "", []).append((host.host, _own(host)))
    for part, members in sorted(found.items(), key=lambda pair: -_KEY_NUMBERS.get(pair[0], 0)):
        yield f"{len(members):>2} {_LOST_BY.get(part, part)}", members


def _own(host: WeighedRecord) -> str:
    match host.part:
        case "avoid":
            return ",".join(str(each.rank) for each in host.avoided)
        case "disruption":
            return f"stops {len(host.stops)}" if host.stops else f"shrinks {host.shrinks}"
        case "room" if host.room is not None:
            return figures.ghz(host.room.cpu_mhz)
        case "room" if host.room_bytes is not None:
            return figures.gib(host.room_bytes)
        case _:
            return ""


def _refused(hosts: Sequence[WeighedRecord], glyphs: Glyphs) -> Iterable[tuple[str, Tone, list[tuple[str, str]]]]:
    """Each reason with its hosts and what each of them lacks, the most frequent first, then the least lack first."""

    def ghz(host: WeighedRecord) -> str:
        return "" if host.short is None else figures.ghz(host.short.cpu_mhz)

    def gib(host: WeighedRecord) -> str:
        return "" if host.short is None else figures.gib(host.short.memory_bytes)

    def storage(host: WeighedRecord) -> str:
        return "" if host.short_bytes is None else figures.gib(host.short_bytes)

    words: dict[str, tuple[str, Tone, Callable[[WeighedRecord], str]]] = {
        "cpu": ("CPU short by GHz", Tone.MUTED, ghz),
        "memory": ("memory short by GiB", Tone.MUTED, gib),
        "cpu and memory": ("short by GHz/GiB", Tone.MUTED, lambda host: f"{ghz(host)}/{gib(host)}"),
        "storage": ("room short by GiB", Tone.MUTED, storage),
        "down": (f"{glyphs.lost} host down", Tone.CRIT, lambda _host: ""),
        "maintenance": (f"{glyphs.maintenance} maintenance", Tone.WARN, lambda _host: ""),
    }
    found: dict[str, list[WeighedRecord]] = {}
    for host in hosts:
        found.setdefault(host.verdict, []).append(host)
    for verdict, members in sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        head, tone, amount = words.get(verdict, (verdict, Tone.MUTED, lambda _host: ""))
        members.sort(key=_lack)
        yield f"{len(members):>2} {head}", tone, [(host.host, amount(host)) for host in members]


def _lack(host: WeighedRecord) -> tuple[int, int, int, str]:
    short = host.short
    return (short.cpu_mhz if short else 0, short.memory_bytes if short else 0, host.short_bytes or 0, host.host)
