"""What a filter hides of cells that do not answer: rows whose present value nobody knows may match all the same.

The filter looks at what the API says now, and of such a row that is UNKNOWN and where it was last seen. A word that is
about a column that changes by itself (the state, the host) therefore says nothing of it; a word about its name, cell,
group or id does, where that was ever seen from here: of a row that fell silent before that, any word may be the name. A
size that is compared is only last known, and may be another by now. So each row that is left out only by what may have
changed, or was never told, is counted, and the list says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from console.presentation import figures, filtering
from console.presentation.columns import Column
from console.presentation.filtering import Comparison, Term, Word
from console.presentation.lines import Frame, Line, Span, Tone, at, cells, compose
from console.presentation.mirror import Mirror
from console.presentation.ordered import Ordered
from console.records import UNKNOWN, DriveRecord, HostRecord, ServerRecord

SERVER_STATES = ("running", "stopped", "starting", "stopping", "paused", "unavailable")
DRIVE_STATES = ("mounted", "unmounted", "creating", "cloning_src", "cloning_dst", "resizing", "uploading",
                "unavailable")  # fmt: skip


class Row(Protocol):
    """What servers and drives have in common."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str | None: ...
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
    is_partial: bool = False
    """Whether they are zones, of which other rows may well answer."""
    never: int = 0
    """Rows among the shown ones of which nothing was ever known here."""


@dataclass(frozen=True)
class _Kind(Generic[R]):
    """A kind of rows: what is known of each, and what they may be."""

    rows: Ordered[R]
    states: Sequence[str]
    columns: Sequence[Column[R]]


def of_servers(
    mirror: Mirror, frame: Frame, shown: Sequence[ServerRecord], columns: Sequence[Column[ServerRecord]]
) -> Silence | None:
    """None where every cell that the list is about answers."""
    found = _silence(mirror, frame, _Kind(mirror.fleet, SERVER_STATES, columns), shown)
    if found is None or not mirror.is_complete or mirror.reload_cells:
        return found
    counted = sum(cell.unknown or 0 for cell in mirror.cells or () if cell.name in found.cells)
    return found._replace(unread=max(0, counted - _count(mirror.fleet, frame)))


def of_drives(
    mirror: Mirror, frame: Frame, shown: Sequence[DriveRecord], columns: Sequence[Column[DriveRecord]]
) -> Silence | None:
    """As `of_servers`; how many drives a silent cell has in all is told by nobody."""
    return _silence(mirror, frame, _Kind(mirror.drives, DRIVE_STATES, columns), shown)


def _count(rows: Ordered[R], frame: Frame) -> int:
    scope = frame.scope
    if scope is None:
        return rows.by_state[UNKNOWN]
    return len(rows.found(("silent", scope), lambda: _silent(rows, {scope})))


def _all_silent(rows: Ordered[R], names: Collection[str]) -> Sequence[R]:
    return rows.found(("silent", *sorted(names)), lambda: _silent(rows, names))


def _silent(rows: Ordered[R], names: Collection[str]) -> list[R]:
    return [row for row in rows.by_id.values() if not row.is_reachable and row.cell in names]


def _silence(mirror: Mirror, frame: Frame, kind: _Kind[R], shown: Sequence[R]) -> Silence | None:
    names = tuple(sorted(c.name for c in mirror.cells or () if not c.is_up and frame.scope in (None, c.name)))
    if not names or mirror.is_offline:
        return None
    rows, wanted = kind.rows, frame.filter
    is_partial = mirror.offer is not None
    if not wanted:
        never = sum(row.name is None for row in _all_silent(rows, names)) if is_partial else 0
        return Silence(names, _count(rows, frame), is_partial=is_partial, never=never)
    hosts = [host for host in mirror.hosts or () if host.cell in names]
    question = ("silence", frame.scope, wanted, names, len(mirror.fleet), len(hosts))
    kept = [row for row in shown if not row.is_reachable]
    query = filtering.parse(wanted, kind.columns)
    hidden = rows.found(
        (*question, len(kept)), lambda: _hidden(kind, {row.id for row in kept}, query.terms, names, hosts)
    )
    never = sum(row.name is None for row in kept)
    return Silence(names, len(kept), len(hidden), is_partial=is_partial, never=never)


def _hidden(
    kind: _Kind[R], kept: Collection[str], terms: Sequence[Term], names: Collection[str], known: Iterable[HostRecord]
) -> list[R]:
    """Rows of these cells that are not kept, and that the terms match for some state and some host of their cell."""
    by_name = {column.name: column for column in kind.columns}
    lasting = [column for column in kind.columns if column.is_lasting]
    silent = _silent(kind.rows, names)
    hosts: dict[str, set[str]] = {name: {""} for name in names}
    for each in known:
        hosts[each.cell].add(each.name)
    for row in silent:
        hosts[row.cell].add(row.host or "")
    unseen = {row.cell for row in silent if row.name is None}
    # What is about neither a state nor a host is found out once: where no term may be otherwise, no row is looked at.
    concerned = {
        cell
        for cell, places in hosts.items()
        if cell in unseen
        or any(_may_change(term, by_name) and _is_possible(term, kind.states, places) for term in terms)
    }
    possible: dict[tuple[str, tuple[Term, ...]], bool] = {}

    def may_match(row: R) -> bool:
        left: list[Term] = []
        for term in terms:
            match term:
                case Word() if row.name is None and not term.is_inverted and not filtering.is_state(term, UNKNOWN):
                    continue
                case Comparison() if row.name is None and _is_unseen(by_name[term.column], row):
                    continue
                case Comparison() if by_name[term.column].is_lasting:
                    if not filtering.holds_term(term, kind.columns, row):
                        return False
                case Comparison() if term.column not in _GUESSED:
                    # It may be any number by now.
                    continue
                # UNKNOWN is what the API says now, and no guess.
                case _ if filtering.is_state(term, UNKNOWN) or _is_lasting(term, lasting, row):
                    if term.is_inverted:
                        return False
                case _:
                    left.append(term)
        asked = (row.cell, tuple(left))
        if asked not in possible:
            possible[asked] = any(
                all(filtering.is_guessed(term, state, host) for term in left)
                for state in kind.states
                for host in hosts[row.cell]
            )
        return possible[asked]

    return [row for row in silent if row.cell in concerned and row.id not in kept and may_match(row)]


def _is_unseen(column: Column[R], row: R) -> bool:
    """Whether nobody here has ever known what stands in this column of a row without a name."""
    return column.is_lasting and (column.name == "name" or column.value(row) in (None, ""))


def _is_lasting(term: Term, lasting: Sequence[Column[R]], row: R) -> bool:
    """Whether a word is about something of the row that stays as it is."""
    return isinstance(term, Word) and filtering.holds_term(_straight(term), lasting, row)


_GUESSED = frozenset({"state", "host"})


def _straight(term: Term) -> Term:
    return term._replace(is_inverted=False)


def _may_change(term: Term, by_name: Mapping[str, Column[Any]]) -> bool:
    return isinstance(term, Word) or not by_name[term.column].is_lasting


def _is_possible(term: Term, states: Iterable[str], hosts: Collection[str]) -> bool:
    """Whether a state or a host of these would matter to the term; a number always may."""
    if isinstance(term, Comparison) and term.column not in _GUESSED:
        return True
    straight = _straight(term)
    return any(filtering.is_guessed(straight, state, "") for state in states) or any(
        filtering.is_guessed(straight, "", host) for host in hosts
    )


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
    if silence.is_partial:
        return _texts_of_zones(silence, noun, frame)
    its = "its" if len(names) == 1 else "their"
    shown, more, unread = (figures.count(number) for number in silence[1:4])
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


def _texts_of_zones(silence: Silence, noun: str, frame: Frame) -> list[str]:
    """Of UNKNOWN rows that lie in some cell, nobody knows which."""
    known = silence.shown - silence.never
    never, more = figures.count(silence.never), figures.count(silence.may_match)
    long, short = [], []
    if known:
        long.append(f"{figures.count(known)} {noun}{'s are' if known != 1 else ' is'} shown as last known")
        short.append(f"{figures.count(known)} last known")
    if silence.never:
        of_what = "" if known else f" {noun}{'s' if silence.never != 1 else ''}"
        long.append(f"{never}{of_what} never seen from here")
        short.append(f"{never} never seen")
    if silence.may_match:
        word = " more" if silence.shown else ""
        long.append(f"{more}{word} may match /{frame.filter}")
        short.append(f"{more} may match")
    return [f"UNKNOWN in {' and '.join(silence.cells)}: {'; '.join(long)}", f"UNKNOWN: {', '.join(short)}",
            ", ".join(short)]  # fmt: skip
