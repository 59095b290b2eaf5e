"""What a filter hides of cells that do not answer: rows whose present value nobody knows may match all the same.

The filter looks at what the API says now, and of such a row that is UNKNOWN and where it was last seen. A word that is
about a column that changes by itself (the state, the host) therefore says nothing of it; a word about its name, cell,
group or id does. So each row that is left out only by words of the first kind is counted, and the list says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from console.presentation import figures
from console.presentation.lines import Frame, Line, Span, Tone, at, cells, compose
from console.presentation.mirror import Mirror
from console.presentation.ordered import Ordered
from console.records import UNKNOWN, DriveRecord, HostRecord, ServerRecord

ID_LETTERS_MIN = 4
"""So many signs of an id are needed to find it by."""
SERVER_STATES = ("running", "stopped", "starting", "stopping", "paused", "unavailable")
DRIVE_STATES = ("mounted", "unmounted", "creating", "cloning_src", "cloning_dst", "resizing", "uploading",
                "unavailable")  # fmt: skip


class Row(Protocol):
    """What servers and drives have in common."""

    @property
    def id(self) -> str: ...
    @property
    def sort_name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def cell(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def is_reachable(self) -> bool: ...


R = TypeVar("R", bound=Row)


class Silence(NamedTuple):
    """What a list shows, and does not show, of the cells that do not answer."""

    cells: tuple[str, ...]
    shown: int
    """Rows of theirs that are shown as last known."""
    may_match: int = 0
    """Rows of theirs that the filter leaves out although it may match what they are now."""
    unread: int = 0
    """Rows of theirs that the cloud counts and has not told here."""


@dataclass(frozen=True)
class _Kind(Generic[R]):
    """A kind of rows: what they may be, and whether a text is about something of a row that stays as it is."""

    rows: Ordered[R]
    states: Sequence[str]
    is_stable: Callable[[R, str], bool]


def of_servers(mirror: Mirror, frame: Frame, shown: Sequence[ServerRecord]) -> Silence | None:
    """None where every cell that the list is about answers."""

    def is_stable(row: ServerRecord, text: str) -> bool:
        return text in (row.name or row.id).casefold() or text in (row.group or "").casefold() or _is_at(row, text)

    found = _silence(mirror, frame, _Kind(mirror.fleet, SERVER_STATES, is_stable), shown)
    if found is None or not mirror.is_complete or mirror.reload_cells:
        return found
    counted = sum(cell.unknown or 0 for cell in mirror.cells or () if cell.name in found.cells)
    return found._replace(unread=max(0, counted - _count(mirror.fleet, frame)))


def of_drives(mirror: Mirror, frame: Frame, shown: Sequence[DriveRecord]) -> Silence | None:
    """As `of_servers`; how many drives a silent cell has in all is told by nobody."""

    def is_stable(row: DriveRecord, text: str) -> bool:
        server = mirror.servers.get(row.server_id or "")
        names = (row.name or row.id, row.media or "", "" if server is None else server.name or server.id)
        return any(text in name.casefold() for name in names) or _is_at(row, text)

    return _silence(mirror, frame, _Kind(mirror.drives, DRIVE_STATES, is_stable), shown)


def _is_at(row: Row, text: str) -> bool:
    return text in row.cell.casefold() or (len(text) >= ID_LETTERS_MIN and row.id.startswith(text))


def _count(rows: Ordered[R], frame: Frame) -> int:
    scope = frame.scope
    if scope is None:
        return rows.by_state[UNKNOWN]
    return len(rows.found(("silent", scope), lambda: _silent(rows, {scope})))


def _silent(rows: Ordered[R], names: Collection[str]) -> list[R]:
    return [row for row in rows.by_id.values() if not row.is_reachable and row.cell in names]


def _silence(mirror: Mirror, frame: Frame, kind: _Kind[R], shown: Sequence[R]) -> Silence | None:
    names = tuple(sorted(c.name for c in mirror.cells or () if not c.is_up and frame.scope in (None, c.name)))
    if not names or mirror.is_offline:
        return None
    rows, wanted = kind.rows, frame.filter
    if not wanted:
        return Silence(names, _count(rows, frame))
    hosts = [host for host in mirror.hosts or () if host.cell in names]
    question = ("silence", frame.scope, wanted, names, len(mirror.fleet), len(hosts))
    kept = rows.found((*question, "shown"), lambda: [row for row in shown if not row.is_reachable])
    hidden = rows.found((*question, "hidden"), lambda: _hidden(kind, {row.id for row in kept}, wanted, names, hosts))
    return Silence(names, len(kept), len(hidden))


def _hidden(
    kind: _Kind[R], kept: Collection[str], wanted: str, names: Collection[str], known: Iterable[HostRecord]
) -> list[R]:
    """Rows of these cells that are not kept, and that the words match for some state and some host of their cell."""
    words = [_word(word) for word in wanted.casefold().split()]
    silent = _silent(kind.rows, names)
    hosts: dict[str, set[str]] = {name: {""} for name in names}
    for each in known:
        hosts[each.cell].add(each.name.casefold())
    for row in silent:
        hosts[row.cell].add((row.host or "").casefold())
    # Whether a word is about a state or a host is found out once for each cell: where none is, no row is looked at.
    concerned = {
        cell
        for cell, places in hosts.items()
        if any(any(state.startswith(text) for state in kind.states) or _is_in(text, places) for _, text in words)
    }
    possible: dict[tuple[str, tuple[_Word, ...]], bool] = {}

    def may_match(row: R) -> bool:
        left: list[_Word] = []
        for is_inverted, text in words:
            # UNKNOWN is what the API says now, and no guess.
            if UNKNOWN.startswith(text) or kind.is_stable(row, text):
                if is_inverted:
                    return False
            else:
                left.append((is_inverted, text))
        asked = (row.cell, tuple(left))
        if asked not in possible:
            possible[asked] = any(
                all(is_inverted != (state.startswith(text) or text in host) for is_inverted, text in left)
                for state in kind.states
                for host in hosts[row.cell]
            )
        return possible[asked]

    return [row for row in silent if row.cell in concerned and row.id not in kept and may_match(row)]


def _is_in(text: str, names: Iterable[str]) -> bool:
    return any(text in name for name in names)


_Word = tuple[bool, str]
"""Whether it is inverted, and its text."""


def _word(word: str) -> _Word:
    is_inverted = word.startswith("!") and len(word) > 1
    return is_inverted, word.removeprefix("!") if is_inverted else word


# In words --------------------------------------------------------------------------------------------------------


def banner(silence: Silence | None, noun: str, frame: Frame, width: int) -> tuple[Line, ...]:
    """The line below the list, in as many words as fit; no line where nothing of a silent cell is at stake."""
    if silence is None or not (silence.shown or silence.may_match or silence.unread):
        return ()
    glyph = frame.glyphs.attention
    texts = _texts(silence, noun, frame)
    text = next((each for each in texts if cells(each) <= width - 4), texts[-1])
    return (compose(width, at(1, (Span(glyph, Tone.WARN), Span(f" {text}", Tone.WARN)))),)


def _texts(silence: Silence, noun: str, frame: Frame) -> list[str]:
    """The same said in fewer and fewer words."""
    names = silence.cells
    who = " and ".join(names) if len(names) <= 2 else f"{len(names)} cells"
    does = "does" if len(names) == 1 else "do"
    its = "its" if len(names) == 1 else "their"
    shown, more, unread = (figures.count(number) for number in silence[1:])
    long, middle, short, least = [], [], [], []
    if silence.shown:
        is_one = silence.shown == 1
        long.append(f"{shown} of {its} {noun}s {'is' if is_one else 'are'} shown as last known")
        middle.append(f"{shown} {noun if is_one else f'{noun}s'} as last known")
        short.append(f"{shown} last known")
        least.append(f"{shown}{frame.glyphs.last_known}")
    if silence.may_match:
        word = " more" if silence.shown else ""
        long.append(f"{more}{word} may match /{frame.filter}")
        middle.append(f"{more}{word} may match")
        short.append(f"{more} may match")
        least.append(f"{more}{frame.glyphs.unknown}")
    if silence.unread:
        for texts in (long, middle):
            texts.append(f"{unread} not read yet")
        short.append(f"{unread} unread")
    return [
        f"{who} {does} not answer: {'; '.join(long)}",
        f"{who} {does} not answer: {', '.join(middle)}",
        f"{who} silent: {', '.join(middle)}",
        f"{who}: {', '.join(short)}",
        f"{len(names)} silent: {', '.join(short)}",
        f"{len(names)} silent: {' '.join(least)}",
    ]
