"""What a dialog offers to choose from while one types: servers to attach to, what a clone is to stay away from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Span,
    Tone,
    at,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
)
from console.presentation.mirror import Mirror
from console.records import DriveRecord, ServerRecord

OPTIONS_MAX = 50
"""More than one looks through: typing on is faster."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose: its id, what it is called, and what there is to say of it."""

    key: str
    name: str
    words: str


def free_drives(drives: Iterable[DriveRecord], cell: str) -> Sequence[DriveRecord]:
    """Those that no server has, by name, those of the cell first."""
    free = (drive for drive in drives if drive.server_id is None and drive.state == "unmounted")
    return sorted(free, key=lambda drive: (drive.cell != cell, drive.sort_name, drive.id))


def drive_options(drives: Iterable[DriveRecord], text: str) -> Sequence[Option]:
    """Those whose name holds the text."""
    wanted = text.casefold().strip()
    found = (drive for drive in drives if wanted in drive.title.casefold())
    return [Option(drive.id, drive.title, _drive_words(drive)) for drive in islice(found, OPTIONS_MAX)]


def _drive_words(drive: DriveRecord) -> str:
    size = "" if drive.size_bytes is None else f"{figures.gib(drive.size_bytes)} GiB"
    return "   ".join(part for part in (drive.cell, size, drive.host) if part)


def stopped_servers(mirror: Mirror, cell: str, text: str) -> Sequence[Option]:
    """Stopped servers whose name holds the text, those of the cell first."""
    wanted = text.casefold().strip()
    found = [
        server
        for server in mirror.fleet.by_name()
        if server.state == "stopped" and server.is_reachable and wanted in server.title.casefold()
    ]
    ordered = chain((s for s in found if s.cell == cell), (s for s in found if s.cell != cell))
    return [Option(server.id, server.title, _server_words(server)) for server in islice(ordered, OPTIONS_MAX)]


def _server_words(server: ServerRecord) -> str:
    parts = [server.cell]
    if server.cpu_mhz is not None and server.memory_bytes is not None:
        parts.append(f"{figures.ghz(server.cpu_mhz)} GHz {figures.gib(server.memory_bytes)} GiB")
    if server.group is not None:
        parts.append(f"group {server.group}")
    return "   ".join(parts)


def to_avoid(mirror: Mirror, drive: DriveRecord, text: str) -> Sequence[Option]:
    """What a clone may be told to stay away from: its source and that one's server first, then all by name."""
    wanted = text.casefold().strip()
    near: list[Option] = [Option(drive.id, drive.title, f"itself, on {drive.host or 'no host'}")]
    if drive.server_id is not None:
        name = mirror.name_of(drive.server_id) or drive.server_id[:8]
        near.append(Option(drive.server_id, name, "its server: all drives of it"))
        siblings = mirror.drives.by_server.get(drive.server_id, ())
        near += [Option(each.id, each.title, f"its server's, on {each.host}") for each in siblings if each != drive]
    options: Iterable[Option] = near
    if wanted:
        options = chain(near, _by_name(mirror, wanted, {option.key for option in near}))
    return list(islice((option for option in options if wanted in option.name.casefold()), OPTIONS_MAX))


def near_server(mirror: Mirror, server: ServerRecord, ids: Sequence[str]) -> list[Option]:
    """What the clone of a server stays away from unless one says otherwise: itself, and others of its group."""
    return [Option(id, mirror.name_of(id) or id[:8], _ALL_DRIVES if id != server.id else f"itself: {_ALL_DRIVES}")
            for id in ids]  # fmt: skip


_ALL_DRIVES = "all drives of it"


def to_avoid_of_servers(mirror: Mirror, near: Sequence[Option], text: str) -> Sequence[Option]:
    """What the clone of a server may be told to stay away from: what is near first, then servers and drives by name."""
    wanted = text.casefold().strip()
    options: Iterable[Option] = near
    if wanted:
        options = chain(near, _by_name(mirror, wanted, {option.key for option in near}))
    return list(islice((option for option in options if wanted in option.name.casefold()), OPTIONS_MAX))


def drives_to_avoid(mirror: Mirror, text: str) -> Sequence[Option]:
    """Servers, for all their drives, and drives whose name holds the text."""
    return list(islice(_by_name(mirror, text.casefold().strip(), frozenset()), OPTIONS_MAX))


def servers_to_avoid(mirror: Mirror, text: str) -> Sequence[Option]:
    """Servers whose name holds the text, with the host that each is on."""
    wanted = text.casefold().strip()
    found = (server for server in mirror.fleet.by_name() if wanted in server.title.casefold())
    return [Option(each.id, each.title, _place_words(each)) for each in islice(found, OPTIONS_MAX)]


def _place_words(server: ServerRecord) -> str:
    return f"{server.state}, {server.cell}" if server.host is None else f"on {server.host}, {server.cell}"


def _by_name(mirror: Mirror, wanted: str, known: Collection[str]) -> Iterable[Option]:
    servers = (
        Option(each.id, each.title, f"server, {each.cell}: {_ALL_DRIVES}")
        for each in mirror.fleet.by_name()
        if wanted in each.title.casefold() and each.id not in known
    )
    drives = (
        Option(each.id, each.title, f"drive on {each.host}")
        for each in mirror.drives.by_name()
        if wanted in each.title.casefold() and each.id not in known
    )
    return chain(servers, drives)


def lines(
    question: str,
    text: str,
    options: Sequence[Option],
    chosen: Sequence[Option],
    frame: Frame,
    *,
    highlighted: int,
    rows: int,
) -> tuple[Line, ...]:
    """The question with what was typed, what was chosen in its order, and the options around the highlighted one."""
    width, glyphs = frame.width, frame.glyphs
    shown = text if len(text) < width - len(question) - 6 else glyphs.ellipsis + text[-(width - len(question) - 8) :]
    typed = (Span(f"{question}: ", Tone.ACCENT, is_bold=True), Span(shown), Span(" ", is_reversed=True))
    made = [compose(width, at(1, typed))]
    for number, option in enumerate(chosen, start=1):
        name = fit_name(option.name, width - 7, glyphs)
        made.append(compose(width, left(1, f"{number}.", Tone.ACCENT), left(5, name)))
    first = max(0, min(highlighted - rows // 2, len(options) - rows))
    taken = {option.key for option in chosen}
    for place, option in enumerate(options[first : first + rows], start=first):
        span = Span(fit_name(option.name, 20, glyphs), Tone.TEXT, is_bold=place == highlighted)
        placed: list[Placed] = [at(5, matched(span, text.strip()))]
        if option.key in taken:
            placed.append(left(3, glyphs.mark, Tone.ACCENT))
        if place == highlighted:
            placed.append(left(1, glyphs.cursor, Tone.ACCENT))
        if width >= 44:
            placed.append(left(27, fit_sentence(option.words, width - 28, glyphs), Tone.MUTED))
        made.append(compose(width, *placed))
    return tuple(made)
