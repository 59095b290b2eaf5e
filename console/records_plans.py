"""What an API said it would do to a group, a cell or a host, frozen; `records` has all others."""

from __future__ import annotations

from typing import NamedTuple

from console.records import CellRecord, SizeRecord, StoppedRecord, TaskRecord


class StandingRecord(NamedTuple):
    """How well a group stands the loss of hosts."""

    collisions: int | None = None
    tolerates: int | None = None
    is_bound: bool = False


class RestartRecord(NamedTuple):
    """A member of a group that is shut down and started on another host."""

    id: str
    name: str | None = None
    cell: str = ""
    from_host: str = ""
    to: str = ""
    is_backfilling: bool = False
    stops: tuple[StoppedRecord, ...] = ()
    """Who is stopped so that it fits there."""
    shrinks: int = 0
    waits: bool = False
    seconds_down: float | None = None

    @property
    def title(self) -> str:
        return self.name or self.id[:8]


class GroupPlanRecord(NamedTuple):
    """The fewest moves that take a group apart."""

    group: str
    is_allowed: bool = True
    problem: str | None = None
    code: str | None = None
    moves: tuple[RestartRecord, ...] = ()
    """In order, one after the other."""
    before: StandingRecord = StandingRecord()
    after: StandingRecord = StandingRecord()
    is_fewest: bool = False
    is_best: bool = False
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    token: str | None = None
    sentences: tuple[str, ...] = ()


class GroupLossRecord(NamedTuple):
    """A group that would lose sight of members."""

    name: str
    members: int = 0
    before: StandingRecord = StandingRecord()
    after: StandingRecord = StandingRecord()


class CellPlanRecord(NamedTuple):
    """What would not be known, or not be there, while a cell does not answer."""

    action: str
    cell: str
    is_allowed: bool = True
    problem: str | None = None
    servers: int | None = None
    running: int | None = None
    drives: int | None = None
    hosts: int | None = None
    capacity: SizeRecord | None = None
    free: SizeRecord | None = None
    open_tasks: int | None = None
    schedules: int | None = None
    groups: tuple[GroupLossRecord, ...] = ()
    token: str | None = None
    sentences: tuple[str, ...] = ()


class GroupOutcomeRecord(NamedTuple):
    """What an action on a group has begun, or let go on."""

    task: TaskRecord


class CellOutcomeRecord(NamedTuple):
    cell: CellRecord


class MoveRecord(NamedTuple):
    """What an action on a host would do to one server."""

    id: str
    name: str | None = None
    is_backfilling: bool | None = None
    cpu_mhz: int | None = None
    memory_bytes: int | None = None
    state: str = ""
    outcome: str = ""
    """`moves`, `stops`, `stays`, `pauses`, `returns` or `unavailable`."""
    to: str | None = None
    """The host that it moves to."""
    problem: str | None = None
    """Why it stays."""
    stops: tuple[StoppedRecord, ...] = ()
    """Who is stopped so that it fits there."""
    shrinks: int = 0

    @property
    def title(self) -> str:
        return self.name or self.id[:8]


class HostPlanRecord(NamedTuple):
    """What an action on a host would do, before it is done."""

    action: str
    host: str
    is_allowed: bool = True
    problem: str | None = None
    code: str | None = None
    version: int | None = None
    """The host's version that the plan was made for."""
    sentences: tuple[str, ...] = ()
    moves: tuple[MoveRecord, ...] = ()
    seconds: float | None = None
    """How long it takes; of `fail`, how long the host may be away before its servers leave it."""
    token: str | None = None
    """As of a `PlanRecord`."""
