"""What a cloud said, frozen. None means that it did not say; nothing here is made up for it.

CPU in MHz, memory and sizes in bytes, instants aware UTC. Every text in a record has been through
`sanitising`: it holds no control, bidirectional or invisible character. Records decide nothing.

Most are named tuples: to define thirty frozen dataclasses would take 20 ms before anything is painted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from console.records_audit import Audit
from console.records_backups import BackupAnswer, ScheduleRecord
from console.records_billing import Billing, CostRecord, ShortAccount
from console.records_offer import Offer, Pace
from console.records_parts import NicRecord, SnapshotRecord
from console.records_refused import Refused
from console.records_rehearsal import Rehearsal
from console.records_servers import NOTHING, Factors, ServerRecord, natural
from console.records_services import Services

__all__ = ["NOTHING", "Factors", "ServerRecord", "natural"]
"""What readers find here although it lives next door."""

UNKNOWN = "unknown"
"""The state of a server whose cell does not answer."""
PARTLY = "partly"
"""The state of a zone of which some servers are UNKNOWN and others answer."""


class SizeRecord(NamedTuple):
    cpu_mhz: int
    memory_bytes: int
    host: str | None = None
    """The host that offers it, where the API says."""


@dataclass(frozen=True, slots=True)
class DriveRecord:
    """A drive. One whose cell does not answer has state `unknown`, and what was last known of the rest."""

    id: str
    name: str | None
    cell: str
    state: str
    host: str | None = None
    state_since: datetime | None = None
    size_bytes: int | None = None
    media: str | None = None
    server_id: str | None = None
    device: str | None = None
    channel: str | None = None
    boot_order: int | None = None
    tags: tuple[str, ...] = ()
    project_id: str | None = None
    owner: str | None = None
    created_at: datetime | None = None
    version: int | None = None
    is_reachable: bool = True
    known_at: datetime | None = None
    last_state: str | None = None
    """Its last known state, while it is `unknown`."""
    lost_from: str | None = None
    """The state that it had before its host failed, while it is `unavailable`."""
    sort_name: str = ""
    """Made here: see `natural`."""

    def __post_init__(self) -> None:
        if not self.sort_name:
            object.__setattr__(self, "sort_name", natural(self.name or self.id))

    @property
    def title(self) -> str:
        """What to call it: its name, or else the start of its id."""
        return self.name or self.id[:8]


class HostRecord(NamedTuple):
    name: str
    cell: str
    kind: str
    """`compute` or `storage`."""
    state: str
    """`up`, `down` or `maintenance`."""
    state_since: datetime | None = None
    capacity: SizeRecord | None = None
    normal: SizeRecord | None = None
    backfilling: SizeRecord | None = None
    """Effective."""
    backfilling_nominal: SizeRecord | None = None
    free: SizeRecord | None = None
    """For the start of one backfilling server: everybody else counted at nominal size."""
    storage_bytes: int | None = None
    used_bytes: int | None = None
    servers: int | None = None
    drives: int | None = None
    is_reachable: bool = True
    version: int | None = None


class CellRecord(NamedTuple):
    name: str
    state: str
    """`up`, `down` or `hung`; of a zone of another kind of cloud also `partly`."""
    reason: str = ""
    since: datetime | None = None
    """Wall time, like everything about whether a cell answers."""
    is_injected: bool = False
    answer_ms: float | None = None
    """How long the last answer took."""
    answered_at: datetime | None = None
    next_try_seconds: float | None = None
    history: tuple[str, ...] = ()
    """The last answers, oldest first."""
    hosts: int | None = None
    servers: int | None = None
    unknown: int | None = None
    waiting_tasks: int | None = None
    """Those that were open when it was last heard of, while it does not answer."""
    backups_at_risk: int | None = None
    """Servers that schedules copy, without a copy as new as promised or that can be given none now."""
    capacity: SizeRecord | None = None
    normal: SizeRecord | None = None
    backfilling: SizeRecord | None = None
    free: SizeRecord | None = None
    """Of its best host."""

    @property
    def is_up(self) -> bool:
        return self.state == "up"

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it answers."""
        return self.state not in ("up", PARTLY)


class TaskRecord(NamedTuple):
    id: str
    """The file and the number: `cell-1/17`."""
    cell: str
    """The cell's name, or `cloud`."""
    kind: str
    object_kind: str
    object_id: str
    object_name: str | None = None
    state: str = "open"
    """`open`, `done`, `failed` or `cancelled`."""
    begun_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    progress: float | None = None
    """0 to 1; None while its cell does not answer."""
    bytes_total: int | None = None
    """Of a task that copies."""
    rate_bytes_per_second: float | None = None
    """For each simulated second."""
    counterpart_id: str | None = None
    """What it is done with: of a backup its server, of a clone its source, of `release` the copy."""
    counterpart_name: str | None = None
    """What that was called when the task began."""
    result: str | None = None
    actor: str | None = None


class EventRecord(NamedTuple):
    file: str
    number: int
    at: datetime
    kind: str
    object_kind: str
    object_id: str
    object_version: int | None = None
    actor: str = ""
    request_id: str | None = None
    changes: Mapping[str, tuple[Any, Any]] = NOTHING
    details: Mapping[str, Any] = NOTHING
    object_name: str | None = None
    """What the object is called, or was called last; a backup goes by its server's name."""

    @property
    def key(self) -> str:
        return f"{self.file}/{self.number}"


class MemberRecord(NamedTuple):
    id: str
    name: str | None
    cell: str
    host: str | None
    state: str
    is_reachable: bool = True


class FixRecord(NamedTuple):
    """What would restore a group."""

    moves: int
    collisions: int = 0
    """After them."""
    is_fewest: bool = True
    notes: tuple[str, ...] = ()
    """Why collisions stay."""


class GroupRecord(NamedTuple):
    name: str
    members: tuple[MemberRecord, ...] = ()
    needs: int = 1
    """How many members must stay."""
    hosts: int | None = None
    collisions: int | None = None
    tolerates: int | None = None
    """Lost hosts, whichever they are; None when nothing is known."""
    is_bound: bool = False
    """True where members do not answer: `tolerates` is a lower bound."""
    worst_case: tuple[str, ...] = ()
    """The hosts to lose, in the order that hurts."""
    fix: FixRecord | None = None
    """None without collisions, and where the cloud has not worked it out."""


class CapacityRecord(NamedTuple):
    """What fits now. None where the account may not know."""

    total: SizeRecord | None = None
    most_free_by_cpu: SizeRecord | None = None
    most_free_by_memory: SizeRecord | None = None
    none_shrunk: SizeRecord | None = None
    others_shrink: SizeRecord | None = None
    others_stop: SizeRecord | None = None
    cells: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    by_cell: Mapping[str, CapacityRecord] = MappingProxyType({})


class ClockRecord(NamedTuple):
    now: datetime
    """The cloud's instant when it answered."""
    mode: str = "wall"
    """`wall`, `rate` or `manual`."""
    rate: float = 1.0
    wall_now: datetime | None = None


class AccountRecord(NamedTuple):
    name: str
    is_staff: bool = False
    may_backfill: bool = False
    project_id: str | None = None


# Answers: what one request brings ------------------------------------------------------------------------------


class Hello(NamedTuple):
    cloud_id: str
    kind: str
    version: str
    clock: ClockRecord | None = None
    account: AccountRecord | None = None
    is_production: bool = False
    offer: Offer | None = None
    """What there is of a cloud that is not one of ours."""


class Status(NamedTuple):
    """What is polled each second, in one request."""

    clock: ClockRecord | None
    cells: tuple[CellRecord, ...] = ()
    capacity: CapacityRecord | None = None
    groups: tuple[GroupRecord, ...] | None = None
    schedules: tuple[ScheduleRecord, ...] | None = None
    tasks_open: int | None = None
    tasks_ended: int | None = None
    tasks_waiting: int | None = None
    short_of_money: tuple[ShortAccount, ...] = ()
    full_files: tuple[str, ...] = ()
    """What takes no changes because the disk of the cloud's folder is full: `cloud`, and names of cells."""
    pace: Pace | None = None
    """Of a cloud that is looked at now and then: how old what is known of it may be."""
    troubles: tuple[str, ...] = ()
    """Why what is shown is old although the cloud answers, in sentences."""
    notes: Mapping[str, str] = NOTHING
    """By view: what is missing from its rows, or is older than they say."""
    offer: Offer | None = None
    """As of `Hello`, where more is known by now."""


class Hosts(NamedTuple):
    hosts: tuple[HostRecord, ...]


class ServersPage(NamedTuple):
    """One page of the list that fills the mirror. The first page's cursor is where the change feed is read from."""

    servers: tuple[ServerRecord, ...]
    next: str | None = None
    cursor: str | None = None
    total: int | None = None
    unreachable: tuple[str, ...] = ()
    cell: str | None = None
    """The cell that was asked for, when it was not all of them."""


class DrivesPage(NamedTuple):
    """One page of the list of all drives, those of silent cells among them."""

    drives: tuple[DriveRecord, ...]
    next: str | None = None
    total: int | None = None


class Changes(NamedTuple):
    cursor: str
    servers: tuple[ServerRecord, ...] = ()
    drives: tuple[DriveRecord, ...] = ()
    removed: tuple[str, ...] = ()
    events: tuple[EventRecord, ...] = ()
    cells: tuple[CellRecord, ...] = ()


class Tasks(NamedTuple):
    tasks: tuple[TaskRecord, ...]
    open: int | None = None
    ended: int | None = None
    unreachable: tuple[str, ...] = ()


class Events(NamedTuple):
    events: tuple[EventRecord, ...]
    cursor: str | None = None
    begins_at: datetime | None = None
    """What happened before is not kept, and no moment before it can be shown; None where all is kept."""


class PastEvents(NamedTuple):
    """A stretch of the log without gaps, oldest first."""

    events: tuple[EventRecord, ...]
    object_id: str | None = None
    """The one object that it is about; None for all."""
    is_begun: bool = False
    """Whether nothing happened before it."""
    is_current: bool = False
    """Whether nothing had happened after it when it was read."""
    begins_at: datetime | None = None
    """As of `Events`."""


class ServerDetail(NamedTuple):
    """One server with its drives, and the object as the API gave it (its texts sanitised)."""

    server: ServerRecord
    drives: tuple[DriveRecord, ...] = ()
    raw: Mapping[str, Any] = NOTHING
    nics: tuple[NicRecord, ...] = ()
    cost: CostRecord | None = None


class DriveDetail(NamedTuple):
    """One drive with its snapshots, and the object as the API gave it (its texts sanitised)."""

    drive: DriveRecord
    raw: Mapping[str, Any] = NOTHING
    snapshots: tuple[SnapshotRecord, ...] = ()


class HostDetail(NamedTuple):
    """What has happened to one host, as far as the cloud remembers it, the newest last."""

    events: tuple[EventRecord, ...] = ()


Answer = (
    Hello | Status | Hosts | ServersPage | DrivesPage | Changes | Tasks | Events | PastEvents | Services | BackupAnswer
    | Audit | Billing | Rehearsal | Refused
)  # fmt: skip
Detail = ServerDetail | DriveDetail | HostDetail


# Verbs ---------------------------------------------------------------------------------------------------------


class StoppedRecord(NamedTuple):
    """A server that a plan would stop, with the work that would be lost."""

    id: str
    name: str | None = None
    cpu_mhz: int | None = None
    memory_bytes: int | None = None
    started_at: datetime | None = None
    work_ghz_hours: float | None = None

    @property
    def title(self) -> str:
        return self.name or self.id[:8]


class ResizedRecord(NamedTuple):
    """A backfilling server whose factors would change."""

    id: str
    name: str | None = None
    cpu_before: float | None = None
    cpu_after: float | None = None
    memory_before: float | None = None
    memory_after: float | None = None

    @property
    def title(self) -> str:
        return self.name or self.id[:8]


class DecisionRecord(NamedTuple):
    """Why a server goes where it goes."""

    host: str
    decided_by: str | None = None
    """`only`, `avoid`, `disruption`, `room` or `name`."""
    stops: tuple[StoppedRecord, ...] = ()
    shrinks: int | None = None
    waits: bool = False
    avoided: tuple[str, ...] = ()
    """Ids of the avoid list that are on the host all the same."""
    runner_up: str | None = None


class AvoidedRecord(NamedTuple):
    """What became of one entry of an avoid list, or would become of it."""

    id: str
    sentence: str
    name: str | None = None
    is_apart: bool | None = None
    """None for one that has no effect."""


class CopyPlanRecord(NamedTuple):
    """Where the copy of a drive would go, and how long it would take."""

    source_name: str | None
    host: str
    is_same_host: bool
    size_bytes: int | None = None
    seconds: float | None = None
    rate_bytes_per_second: float | None = None


class PlanRecord(NamedTuple):
    """What an action would do, before it is done."""

    action: str
    object_id: str
    is_allowed: bool = True
    problem: str | None = None
    code: str | None = None
    decision: DecisionRecord | None = None
    stops: tuple[StoppedRecord, ...] = ()
    shrinks: tuple[ResizedRecord, ...] = ()
    grows: tuple[ResizedRecord, ...] = ()
    refused: tuple[tuple[str, int], ...] = ()
    """Reasons with how many hosts have no room for it."""
    downtime_seconds: float | None = None
    version: int | None = None
    """The object's version that the plan was made for: the action is refused when it has changed."""
    sentences: tuple[str, ...] = ()
    copies: tuple[CopyPlanRecord, ...] = ()
    avoided: tuple[AvoidedRecord, ...] = ()
    """Of a start, or of the copies of a clone."""
    avoided_at_start: tuple[AvoidedRecord, ...] = ()
    """Of a clone that is then started."""
    token: str | None = None
    """What the action is given to do this, or nothing."""


class OutcomeRecord(NamedTuple):
    """What an action has begun."""

    server: ServerRecord | None = None
    drive: DriveRecord | None = None
    task: TaskRecord | None = None
    decision: DecisionRecord | None = None
    host: HostRecord | None = None
    avoided: tuple[AvoidedRecord, ...] = ()
