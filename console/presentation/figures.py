"""Numbers, ages, bars and states: how each kind of figure is written, everywhere the same.

A bar never stands without its number, a number that nobody said is `—`, and one that is last known touches a `~`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.presentation.lines import UNICODE, Glyphs, Line, Span, Tone, cells
from console.records import CellRecord, DriveRecord, Factors, HostRecord, ServerRecord, SizeRecord

GIB, TIB = 2**30, 2**40
MINUTE, HOUR, DAY = 60, 3600, 86_400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# Numbers ---------------------------------------------------------------------------------------------------------


def count(number: int) -> str:
    return f"{number:,}"


def ghz(cpu_mhz: float) -> str:
    return f"{cpu_mhz / 1000:,.1f}"


def work(ghz_hours: float) -> str:
    """GHz times hours with its unit: whole from 10 up, below with one decimal; what that would make 0 is in MHz h."""
    if ghz_hours >= 10:
        return f"{ghz_hours:,.0f} GHz h"
    if ghz_hours >= 0.05:
        return f"{ghz_hours:.1f} GHz h"
    return f"{ghz_hours * 1000:.0f} MHz h" if ghz_hours >= 0.001 else "under 1 MHz h"


def ghz_whole(cpu_mhz: float) -> str:
    """For sums over many hosts."""
    return f"{cpu_mhz / 1000:,.0f}"


def gib(size_bytes: float) -> str:
    """Whole from 10 up; below, one decimal unless it is whole."""
    amount = size_bytes / GIB
    return f"{amount:,.0f}" if amount >= 10 or amount == int(amount) else f"{amount:,.1f}"


_MHZ = re.compile(r"\b(\d{4,}) MHz\b")
_BYTES = re.compile(r"\b(\d{7,})(?: bytes\b)?")
_FIELDS = re.compile(r"\b(size_bytes|memory_bytes|cpu_mhz|cpu_floor|memory_floor)\b")
_FIELD_WORDS = {"size_bytes": "size", "memory_bytes": "memory", "cpu_mhz": "CPU", "cpu_floor": "CPU floor",
                "memory_floor": "memory floor"}  # fmt: skip


def in_units(sentence: str) -> str:
    """What the API said of sizes, and by its names of fields, as the screen writes both."""
    if "bytes" in sentence:
        sentence = _BYTES.sub(lambda found: amount_of_bytes(int(found[1])), sentence)
    sentence = _MHZ.sub(lambda found: f"{ghz(int(found[1]))} GHz", sentence)
    return _FIELDS.sub(lambda found: _FIELD_WORDS[found[1]], sentence)


def amount_of_bytes(size_bytes: int) -> str:
    """As it may be typed: `12 TiB`, `8 GiB`, `2.5 GiB`, `512 MiB`; what is no such amount is rounded down to one."""
    if size_bytes % TIB == 0:
        return f"{size_bytes // TIB} TiB"
    if size_bytes % GIB == 0 or size_bytes >= 10 * TIB:
        return f"{size_bytes // GIB} GiB"
    if size_bytes > GIB and size_bytes * 10 % GIB == 0:
        return f"{size_bytes / GIB:.1f} GiB"
    return f"{size_bytes // 2**20} MiB"


def factor(share: float) -> str:
    """Two decimals. Less than all never prints 1.00, and more than nothing never prints 0.00."""
    if 0 < share < 1:
        return f"{min(0.99, max(0.01, round(share, 2))):.2f}"
    return f"{share:.2f}"


def percent(share: float) -> str:
    """A share of 1 as an integer; 100 only when it is true."""
    return str(min(99, round(share * 100)) if share < 1 else 100)


def or_dash(text: str | None, glyphs: Glyphs) -> str:
    """`—` where nobody said."""
    return glyphs.nobody_said if text is None else text


def last_known(text: str | None, glyphs: Glyphs) -> str:
    """The figure with the tilde that takes part in its alignment; `—` where nothing was ever known."""
    return glyphs.nobody_said if text is None else glyphs.last_known + text


# Time ------------------------------------------------------------------------------------------------------------


def age(seconds: float) -> str:
    """Two units at most, seconds up to 10 minutes: `46s` `2m17s` `12m` `3h55m` `1d03h` `142d`."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    return _hours_and_days(whole)


def duration(seconds: float) -> str:
    """Like an age, with its seconds up to an hour: what is waited for is worth them."""
    whole = max(0, int(seconds))
    if 10 * MINUTE <= whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    return age(whole)


def countdown(seconds: float) -> str:
    """`0s`, then `due`."""
    return duration(seconds) if seconds >= 0 else "due"


def _hours_and_days(whole: int) -> str:
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    days = whole // DAY
    return f"{days}d{whole % DAY // HOUR:02}h" if days < 100 else f"{days}d"


def seconds_since(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else (now - instant).total_seconds()


def age_since(instant: datetime | None, now: datetime) -> str | None:
    seconds = seconds_since(instant, now)
    return None if seconds is None else age(seconds)


def time_of_day(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}"


def day(instant: datetime) -> str:
    return f"{instant.day:02} {_MONTHS[instant.month - 1]}"


def instant(at: datetime, now: datetime) -> str:
    """`13:51:02` today, `19 Nov 22:00` on another day, with the year in another year."""
    if at.date() == now.date():
        return time_of_day(at)
    if abs(now - at) > timedelta(days=300):
        return f"{day(at)} {at.year}"
    return f"{day(at)} {at:%H:%M}"


def instant_short(at: datetime, now: datetime) -> str:
    """In 8 cells: the time today, the day otherwise."""
    return time_of_day(at) if at.date() == now.date() else day(at)


def iso(at: datetime | None) -> str | None:
    """An instant for other programs: exact, and the same whoever reads it when."""
    return None if at is None else at.isoformat(timespec="seconds")


# Bars ------------------------------------------------------------------------------------------------------------


def bar_widths(parts: Sequence[float], whole: float, width: int) -> list[int]:
    """Cells for each part and for what is free, from the cumulated sum, so that they always add up to `width`.

    A part above zero gets at least one cell, and free above zero keeps at least one, as long as there are cells.
    """
    if whole <= 0:
        return [*(0 for _ in parts), width]
    amounts = [max(0.0, part) for part in parts]
    amounts.append(max(0.0, whole - sum(amounts)))
    edges, total, scale = [0], 0.0, max(whole, sum(amounts))
    for amount in amounts:
        total += amount
        edges.append(round(total / scale * width))
    widths = [after - before for before, after in itertools.pairwise(edges)]
    for place, amount in enumerate(amounts):
        widest = max(range(len(widths)), key=widths.__getitem__)
        if amount > 0 and widths[place] == 0 and widths[widest] > 1:
            widths[place] += 1
            widths[widest] -= 1
    return widths


def use_bar(normal: float, backfill: float, whole: float, width: int, glyphs: Glyphs, *, is_known: bool = True) -> Line:
    """Normal, backfilling and free in one bar."""
    widths = bar_widths((normal, backfill), whole, width)
    signs = (glyphs.normal, glyphs.backfill, glyphs.free)
    tones = (Tone.TEXT, Tone.BACKFILL, Tone.MUTED) if is_known else (Tone.UNKNOWN,) * 3
    return tuple(Span(sign * size, tone) for sign, size, tone in zip(signs, widths, tones, strict=True) if size)


def progress_bar(share: float, width: int, glyphs: Glyphs) -> Line:
    """What is done, in accent. Something done shows, and all shows only when it is true."""
    done, left = bar_widths((min(1.0, max(0.0, share)),), 1.0, width)
    spans = (Span(glyphs.normal * done, Tone.ACCENT), Span(glyphs.free * left, Tone.MUTED))
    return tuple(span for span in spans if span.text)


def factor_tone(share: float, floor: float | None) -> Tone:
    if share >= 1:
        return Tone.MUTED
    return Tone.WARN if floor is not None and share <= floor + 0.005 else Tone.BACKFILL


def gauge(share: float, floor: float | None, glyphs: Glyphs, *, width: int = 10) -> Line:
    """A perf_factor from 0 to 1 with its floor drawn over the fill. The number belongs beside it, always.

    Below 10 cells there is no honest gauge, and none is drawn.
    """
    if width < 10:
        return ()
    fill = min(width if share >= 1 else width - 1, max(1, round(share * width)))
    mark = min(width - 1, round(floor * width)) if floor is not None else None
    tone = factor_tone(share, floor)
    spans: list[Span] = []
    for place in range(width):
        if place == mark:
            sign, meaning = glyphs.floor, Tone.MUTED
        elif place < fill:
            sign, meaning = glyphs.normal, tone
        else:
            sign, meaning = glyphs.free, Tone.MUTED
        if spans and spans[-1].tone is meaning:
            spans[-1] = Span(spans[-1].text + sign, meaning)
        else:
            spans.append(Span(sign, meaning))
    return tuple(spans)


def gauge_and_number(share: float | None, floor: float | None, glyphs: Glyphs, *, width: int = 10) -> Line:
    """The gauge with its number, `width` + 5 cells."""
    if share is None:
        return (Span(" " * (width + 4)), Span(glyphs.nobody_said, Tone.UNKNOWN))
    return (*gauge(share, floor, glyphs, width=width), Span(" "), Span(factor(share), factor_tone(share, floor)))


def factor_in_use(server: ServerRecord) -> Factors | None:
    """The factors of a server that has its host; what is lost with its host runs at none."""
    return None if server.state == "unavailable" else server.perf_factor


def lower_factor(factors: Factors) -> tuple[str, float]:
    """The letter of the worse dimension and its share: `c` for CPU, `m` for memory."""
    return ("c", factors.cpu) if factors.cpu <= factors.memory else ("m", factors.memory)


def short_factor(share: float) -> str:
    """`.62`, `1.0`: for three cells."""
    return factor(share)[1:] if share < 1 else "1.0"


# Hosts -----------------------------------------------------------------------------------------------------------

_HEAT_LIMITS = (0.25, 0.50, 0.75, 0.995)
STRIP_HOSTS_MAX = 24
"""Above this many hosts in a cell, equal glyphs are counted instead of repeated."""


def cpu_fill(host: HostRecord) -> float:
    """The used share of a host's CPU, effective sizes counted."""
    if host.capacity is None or host.capacity.cpu_mhz <= 0:
        return 0.0
    used = sum(part.cpu_mhz for part in (host.normal, host.backfilling) if part is not None)
    return used / host.capacity.cpu_mhz


def host_fill(host: HostRecord) -> float:
    """The used share of what a host is for: CPU of a compute host, room for drives of a storage host."""
    if host.kind != "storage":
        return cpu_fill(host)
    return (host.used_bytes or 0) / host.storage_bytes if host.storage_bytes else 0.0


def host_glyph(host: HostRecord, glyphs: Glyphs) -> str:
    if host.state == "down":
        return glyphs.lost
    if host.state == "maintenance":
        return glyphs.maintenance
    fill = host_fill(host)
    return glyphs.heat[sum(fill >= limit for limit in _HEAT_LIMITS)]


def by_fill(hosts: Iterable[HostRecord], kind: str = "compute") -> list[HostRecord]:
    """The hosts of a kind: lost ones, those in maintenance, then the fullest first."""
    ranks = {"down": 0, "maintenance": 1}
    of_kind = (host for host in hosts if host.kind == kind)
    return sorted(of_kind, key=lambda host: (ranks.get(host.state, 2), -host_fill(host), host.name))


def strip(hosts: Iterable[HostRecord], glyphs: Glyphs, *, width: int = 16, is_known: bool = True) -> Line:
    """One glyph for each compute host, so that a row is also a histogram.

    Where they do not fit, or are more than 24, equal ones are counted; lost hosts and maintenance never are.
    """
    signs = [host_glyph(host, glyphs) for host in by_fill(hosts)]
    spans: list[Span] = []
    for sign in signs if len(signs) <= min(width, STRIP_HOSTS_MAX) else _counted(signs, glyphs):
        tone = _strip_tone(sign, glyphs) if is_known else Tone.UNKNOWN
        if spans and spans[-1].tone is tone:
            spans[-1] = Span(spans[-1].text + sign, tone)
        else:
            spans.append(Span(sign, tone))
    return tuple(spans)


def _counted(signs: Sequence[str], glyphs: Glyphs) -> list[str]:
    alone = {glyphs.lost, glyphs.maintenance}
    parts = [sign for sign in signs if sign in alone]
    for sign in dict.fromkeys(sign for sign in signs if sign not in alone):
        parts.append(f"{sign}{signs.count(sign)}")
    return parts


def _strip_tone(sign: str, glyphs: Glyphs) -> Tone:
    if sign == glyphs.lost:
        return Tone.CRIT
    return Tone.WARN if sign == glyphs.maintenance else Tone.TEXT


def added(*sizes: SizeRecord | None) -> SizeRecord | None:
    """The sum of what was said; None when nothing was."""
    said = [size for size in sizes if size is not None]
    if not said:
        return None
    return SizeRecord(sum(size.cpu_mhz for size in said), sum(size.memory_bytes for size in said))


# States ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StateLook:
    """A state in three channels: glyph, word, tone; and the letter that stands for the word at 40 columns."""

    glyph: str
    word: str
    tone: Tone
    letter: str
    rank: int = 0
    """Worst first, of a host or a cell."""


_RANKS = {
    "unavailable": 0,
    "error": 0,
    "unknown": 1,
    "paused": 2,
    "starting": 5,
    "stopping": 6,
    "running": 8,
    "stopped": 9,
}


def server_rank(server: ServerRecord) -> int:
    """Worst first: lost, UNKNOWN, paused, given notice, waiting, starting, stopping, shrunk, running, stopped."""
    rank = _RANKS.get(server.state, 1)
    if rank == 8:
        return 3 if server.notice_until is not None else 7 if server.is_shrunk else 8
    return 4 if rank == 5 and server.waits else rank


SERVER_STATES_SHOWN = {"run": "running", "start": "starting", "halting": "stopping", "lost": "unavailable"}
"""The states that the list has a word of its own for, as the API calls them."""


def server_state(server: ServerRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    """The look of a server's state. What waits for room, what has been given notice, and what others stopped say so."""
    match server.state:
        case "unavailable" | "error" as state:
            return StateLook(glyphs.lost, "error" if state == "error" else "lost", Tone.CRIT, "X")
        case "unknown":
            return StateLook(glyphs.unknown, "UNKNOWN", Tone.UNKNOWN, "U")
        case "running" | "stopped" | "paused" if server.doing is not None:
            return StateLook(glyphs.busy, server.doing[:7], Tone.ACCENT, "B")
        case "paused":
            return StateLook(glyphs.paused, "paused", Tone.WARN, "P")
        case "starting" if server.waits:
            return StateLook(glyphs.busy, "waits", Tone.WARN, "W")
        case "starting":
            return StateLook(glyphs.busy, "start", Tone.ACCENT, "B")
        case "stopping":
            return StateLook(glyphs.busy, "halting", Tone.ACCENT, "E")
        case "running" if server.notice_until is not None:
            return StateLook(glyphs.attention, "notice", Tone.WARN, "N")
        case "running":
            return StateLook(glyphs.running, "run", Tone.OK, "R")
        case "stopped" if server.reason in {"displaced", "host_lost"}:
            return StateLook(glyphs.violation, "no room" if server.reason == "displaced" else "no host", Tone.CRIT, "C")
        case "stopped":
            return StateLook(glyphs.stopped, "stopped", Tone.MUTED, "S")
        case other:
            return StateLook(glyphs.unknown, other[:7], Tone.UNKNOWN, "U")


_DRIVE_LOOKS = {
    # state: glyph, word, tone, letter, rank
    "unavailable": ("lost", "lost", Tone.CRIT, "X", 0),
    "unknown": ("unknown", "UNKNOWN", Tone.UNKNOWN, "U", 1),
    "creating": ("busy", "creating", Tone.ACCENT, "C", 2),
    "cloning_dst": ("busy", "a clone", Tone.ACCENT, "K", 3),
    "cloning_src": ("busy", "is copied", Tone.ACCENT, "K", 4),
    "resizing": ("busy", "resizing", Tone.ACCENT, "Z", 5),
    "uploading": ("busy", "uploading", Tone.ACCENT, "L", 6),
    "mounted": ("running", "mounted", Tone.OK, "M", 8),
    "unmounted": ("stopped", "unmounted", Tone.MUTED, "S", 9),
}


DRIVE_STATES_SHOWN = {"lost": "unavailable"}


def drive_rank(drive: DriveRecord) -> int:
    """Worst first: lost, UNKNOWN, what is being worked on, mounted, unmounted."""
    look = _DRIVE_LOOKS.get(drive.state)
    return 1 if look is None else look[4]


def drive_state(drive: DriveRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    look = _DRIVE_LOOKS.get(drive.state)
    if look is None:
        return StateLook(glyphs.unknown, drive.state[:9], Tone.UNKNOWN, "U", 1)
    glyph, word, tone, letter, rank = look
    return StateLook(str(getattr(glyphs, glyph)), word, tone, letter, rank)


def host_state(host: HostRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    match host.state:
        case "up":
            return StateLook(glyphs.running, "up", Tone.OK, "R", 2)
        case "maintenance":
            return StateLook(glyphs.maintenance, "maint", Tone.WARN, "M", 1)
        case _:
            return StateLook(glyphs.lost, "down", Tone.CRIT, "X", 0)


def cell_state(cell: CellRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    match cell.state:
        case "up":
            return StateLook(glyphs.running, "up", Tone.OK, "R", 2)
        case "hung":
            return StateLook(glyphs.unknown, "hung", Tone.UNKNOWN, "U", 1)
        case "partly":
            return StateLook(glyphs.attention, "part", Tone.WARN, "P", 1)
        case _:
            return StateLook(glyphs.lost, "down", Tone.CRIT, "X", 0)


def fits(text: str, width: int) -> bool:
    """Whether a figure can be shown whole: a number is never cut, its column is dropped instead."""
    return cells(text) <= width
