"""A server as a cloud told of it, in a third of the memory that its fields would take: a console mirrors 100,000.

What many servers have alike is one object for all of them: whose they are and how large, in `_Kind`, and what few
have anything of, in `_Rest`. To its readers a record is flat.
"""

# ruff: noqa: RUF009 - the calls beside fields make properties; what a field is by default is said by `__init__`.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Factors(NamedTuple):
    """Two shares of a nominal size, 0 to 1."""

    cpu: float
    memory: float

    @property
    def lower(self) -> float:
        return min(self.cpu, self.memory)


def natural(name: str) -> str:
    """A text that sorts like the name, without regard to case and with the number at its end as a number."""
    folded = name.casefold()
    head = folded.rstrip("0123456789")
    digits = folded[len(head) :].lstrip("0")
    return f"{head}{chr(0x30 + min(len(digits), 60))}{digits}" if len(head) < len(folded) else folded


class _Kind(NamedTuple):
    cell: str
    is_backfilling: bool | None
    cpu_mhz: int | None
    memory_bytes: int | None
    perf_factor: Factors | None
    floor: Factors | None
    project_id: str | None
    owner: str | None


class _Labels(NamedTuple):
    group: str | None = None
    tags: tuple[str, ...] = ()


class _Rest(NamedTuple):
    meta: Mapping[str, str] | None = None
    waits: bool = False
    notice_until: datetime | None = None
    notice_for: str | None = None
    squeezed_by: str | None = None
    squeezed_at: datetime | None = None
    displaced_for: str | None = None
    displaced_at: datetime | None = None
    displaced_count: int = 0
    reason: str | None = None
    restarts: bool = False
    avoid: tuple[str, ...] = ()
    is_reachable: bool = True
    known_at: datetime | None = None
    last_state: str | None = None
    lost_from: str | None = None
    doing: str | None = None


@lru_cache(maxsize=16_384)
def _alike(part: T) -> T:
    """The same object for all that are equal."""
    return part


_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _shared(path: str) -> Any:
    """A field that is read from what the record shares with others."""
    return property(attrgetter(path))


@dataclass(frozen=True, init=False, eq=False)
class ServerRecord:
    """A server. One whose cell does not answer has state `unknown`, and what was last known of the rest."""

    __slots__ = ("_created", "_kind", "_labels", "_rest", "host", "id", "name", "sort_name", "started_at", "state",
                 "state_since", "version")  # fmt: skip

    id: str
    name: str | None
    state: str
    host: str | None
    state_since: datetime | None
    started_at: datetime | None
    version: int | None
    sort_name: str
    """Made here: see `natural`."""
    cell: str = _shared("_kind.cell")
    is_backfilling: bool | None = _shared("_kind.is_backfilling")
    cpu_mhz: int | None = _shared("_kind.cpu_mhz")
    memory_bytes: int | None = _shared("_kind.memory_bytes")
    """Both nominal: `perf_factor` tells what it really has."""
    perf_factor: Factors | None = _shared("_kind.perf_factor")
    floor: Factors | None = _shared("_kind.floor")
    project_id: str | None = _shared("_kind.project_id")
    owner: str | None = _shared("_kind.owner")
    group: str | None = _shared("_labels.group")
    tags: tuple[str, ...] = _shared("_labels.tags")
    created_at: datetime | None = cast(Any, property(lambda row: _instant(row._created)))
    """No two servers have the same, so it is kept as a number, which is smaller."""
    meta: Mapping[str, str] = cast(Any, property(lambda row: row._rest.meta or NOTHING))
    waits: bool = _shared("_rest.waits")
    notice_until: datetime | None = _shared("_rest.notice_until")
    notice_for: str | None = _shared("_rest.notice_for")
    squeezed_by: str | None = _shared("_rest.squeezed_by")
    squeezed_at: datetime | None = _shared("_rest.squeezed_at")
    displaced_for: str | None = _shared("_rest.displaced_for")
    displaced_at: datetime | None = _shared("_rest.displaced_at")
    displaced_count: int = _shared("_rest.displaced_count")
    reason: str | None = _shared("_rest.reason")
    restarts: bool = _shared("_rest.restarts")
    avoid: tuple[str, ...] = _shared("_rest.avoid")
    is_reachable: bool = _shared("_rest.is_reachable")
    known_at: datetime | None = _shared("_rest.known_at")
    """The wall's instant of what is last known; None for a server that answers, and where nothing was ever known."""
    last_state: str | None = _shared("_rest.last_state")
    """Its last known state, while it is `unknown`."""
    lost_from: str | None = _shared("_rest.lost_from")
    """The state that it had before its host failed, while it is `unavailable`."""
    doing: str | None = _shared("_rest.doing")
    """What is being done to it, in a word, where the cloud tells of that beside its state."""

    def __init__(
        self,
        id: str,
        name: str | None,
        cell: str,
        state: str,
        host: str | None = None,
        *,
        state_since: datetime | None = None,
        is_backfilling: bool | None = None,
        cpu_mhz: int | None = None,
        memory_bytes: int | None = None,
        perf_factor: Factors | None = None,
        floor: Factors | None = None,
        group: str | None = None,
        tags: tuple[str, ...] = (),
        meta: Mapping[str, str] = NOTHING,
        project_id: str | None = None,
        owner: str | None = None,
        created_at: datetime | None = None,
        started_at: datetime | None = None,
        waits: bool = False,
        notice_until: datetime | None = None,
        notice_for: str | None = None,
        squeezed_by: str | None = None,
        squeezed_at: datetime | None = None,
        displaced_for: str | None = None,
        displaced_at: datetime | None = None,
        displaced_count: int = 0,
        reason: str | None = None,
        restarts: bool = False,
        avoid: tuple[str, ...] = (),
        version: int | None = None,
        is_reachable: bool = True,
        known_at: datetime | None = None,
        last_state: str | None = None,
        lost_from: str | None = None,
        doing: str | None = None,
        sort_name: str = "",
    ) -> None:
        kind = _Kind(cell, is_backfilling, cpu_mhz, memory_bytes, perf_factor, floor, project_id, owner)
        labels = _Labels(group, tags)
        rest = _Rest(meta or None, waits, notice_until, notice_for, squeezed_by, squeezed_at, displaced_for,
                     displaced_at, displaced_count, reason, restarts, avoid, is_reachable, known_at, last_state,
                     lost_from, doing)  # fmt: skip
        keep = object.__setattr__
        keep(self, "id", id)
        keep(self, "name", name)
        keep(self, "state", state)
        keep(self, "host", host)
        keep(self, "state_since", state_since)
        keep(self, "_created", None if created_at is None else (created_at - _EPOCH) // _MICROSECOND)
        keep(self, "started_at", started_at)
        keep(self, "version", version)
        keep(self, "sort_name", sort_name or natural(name or id))
        keep(self, "_kind", _alike(kind))
        keep(self, "_labels", _alike(labels))
        # Labels of one's own are no key of a table, and nobody else has the same.
        keep(self, "_rest", rest if meta else _alike(rest))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerRecord) and _kept(self) == _kept(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def title(self) -> str:
        """What to call it: its name, or else the start of its id."""
        return self.name or self.id[:8]

    @property
    def is_shrunk(self) -> bool:
        return self.perf_factor is not None and self.perf_factor.lower < 1


_kept = attrgetter(*ServerRecord.__slots__)
