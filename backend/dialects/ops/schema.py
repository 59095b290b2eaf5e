"""The shapes of what `/ops/v1` answers, as typed dicts; `bodies` has what it takes.

The renderers return these, and the OpenAPI document is made from them: a shape is written once. JSON in snake_case; CPU
in MHz, memory and sizes in bytes, times in seconds, instants in UTC as `2026-11-20T14:03:27Z`, with milliseconds when
there are any. `null` means that nobody said, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict

from backend.dialects.ops.schema_backups import OutlookRow, ScheduleRow
from backend.dialects.ops.schema_billing import ShortAccount
from backend.dialects.ops.schema_networks import NicRow
from backend.dialects.ops.schema_separation import AvoidedRow, CopyPlanRow

# ----------------------------------------------------------------------------------------------------- what it answers

JsonObject = Mapping[str, Any]


class SizeRow(TypedDict):
    cpu_mhz: int
    memory_bytes: int


class Ratio(TypedDict):
    """Of both dimensions, above 0 and at most 1, rounded down."""

    cpu: float
    memory: float


class ServerRow(TypedDict):
    """Where its cell does not answer: `state` is `unknown`, and what is not centrally known is as of `known_at`.

    Of a moment of the past at which a cell answered that is silent now, there is what a server is called, its host, its
    group and its tags, as they are last known, and no `known_at`.
    """

    id: str
    name: str | None
    cell: str
    host: str | None
    state: Literal["stopped", "starting", "running", "stopping", "paused", "unavailable", "unknown"]
    state_since: str | None
    is_backfilling: bool
    cpu_mhz: int
    memory_bytes: int
    smp: int | None
    perf_factor: Ratio | None
    floor: Ratio | None
    group: str | None
    tags: Sequence[str]
    meta: Mapping[str, str]
    project_id: str
    owner: str
    created_at: str
    started_at: str | None
    waits: bool
    notice_until: str | None
    notice_for: str | None
    squeezed_by: str | None
    squeezed_at: str | None
    displaced_for: str | None
    displaced_at: str | None
    displaced_count: int
    reason: str | None
    restarts: bool
    lost_from: str | None
    avoid: Sequence[str]
    version: int
    reachable: bool
    known_at: str | None
    last_state: NotRequired[str | None]


class DriveRow(TypedDict):
    id: str
    name: str | None
    cell: str
    host: str | None
    state: Literal[
        "creating",
        "unmounted",
        "mounted",
        "cloning_src",
        "cloning_dst",
        "resizing",
        "uploading",
        "unavailable",
        "unknown",
    ]
    state_since: str | None
    size_bytes: int
    media: str | None
    server_id: str | None
    device: str | None
    channel: str | None
    boot_order: int | None
    tags: Sequence[str]
    meta: Mapping[str, str]
    project_id: str
    owner: str
    created_at: str
    lost_from: str | None
    version: int
    reachable: bool
    known_at: str | None
    last_state: NotRequired[str | None]


class ServerDetail(ServerRow):
    drives: list[DriveRow]
    attributes: JsonObject
    nics: list[NicRow]


class HostRow(TypedDict):
    name: str
    cell: str
    kind: Literal["compute", "storage"]
    state: Literal["up", "down", "maintenance"]
    state_since: str | None
    cpu_mhz: int
    memory_bytes: int
    storage_bytes: int
    normal: SizeRow
    backfilling: SizeRow
    backfilling_nominal: SizeRow
    free: SizeRow
    servers: int
    drives: int
    used_bytes: int
    version: int
    reachable: bool


class CellRow(TypedDict):
    name: str
    state: Literal["up", "down", "hung"]
    reason: str
    since: str
    is_injected: bool
    answer_ms: float | None
    answered_at: str | None
    next_try_seconds: float | None
    history: list[str]
    hosts: int | None
    servers: int | None
    unknown: int | None
    waiting_tasks: int | None
    backups_at_risk: int | None
    capacity: SizeRow | None
    normal: SizeRow | None
    backfilling: SizeRow | None
    free: SizeRow | None


class TaskRow(TypedDict):
    """Bytes, and bytes for each simulated second, where something is copied.

    `counterpart_id` is what it is done with: of a backup its server, of a clone its source, of `release` the copy, of a
    step of `evacuate` or `restore` the server that moves. Of a task of the cloud that works in a cell, that is `cell`.
    """

    id: str
    cell: str
    kind: str
    object_kind: str
    object_id: str
    object_name: str | None
    state: Literal["open", "done", "failed", "cancelled"]
    begun_at: str
    due_at: str
    ended_at: str | None
    progress: float | None
    bytes_total: int | None
    rate_bytes_per_second: float | None
    counterpart_id: str | None
    counterpart_name: str | None
    result: str | None
    actor: str


class EventRow(TypedDict):
    """`object_name` is what the object is called, or was called last; a backup goes by its server's name."""

    file: str
    number: int
    at: str
    kind: str
    object_kind: str
    object_id: str
    object_name: str | None
    object_version: int
    actor: str
    request_id: str | None
    changes: JsonObject
    details: JsonObject


class MemberRow(TypedDict):
    id: str
    name: str | None
    cell: str
    host: str | None
    state: str
    reachable: bool


class FixRow(TypedDict):
    """What would restore a group: `moves` restarts, `collisions` after them; `notes` say why some of these stay."""

    moves: int
    collisions: int
    is_fewest: bool
    notes: Sequence[str]


class GroupRow(TypedDict):
    """`tolerates`: how many hosts may be lost, whichever they are; `is_bound`: at least so many, some are unknown.

    `fix` is null without collisions, and where nobody has worked it out; `GET /groups/NAME/plan` does.
    """

    name: str
    members: list[MemberRow]
    needs: int
    hosts: int
    collisions: int
    tolerates: int | None
    is_bound: bool
    worst_case: Sequence[str]
    fix: FixRow | None


class FreeAmount(TypedDict):
    """CPU in MHz, memory in bytes, under CloudSigma's published names."""

    cpu: int
    mem: int


class FreeResources(TypedDict):
    total: FreeAmount
    most_free_by_cpu: FreeAmount
    most_free_by_memory: FreeAmount


class PriceRow(TypedDict):
    cpu_mhz: int
    memory_bytes: int
    host: str | None


class NormalPrices(TypedDict):
    """The largest normal server that would find room: with nobody shrunk, others shrunk, others stopped."""

    none_shrunk: PriceRow
    others_shrink: PriceRow
    others_stop: PriceRow


class FitsRow(TypedDict):
    """The largest single servers that would start now: creating and starting exactly one of them succeeds."""

    free_resources: FreeResources
    host_by_cpu: str | None
    host_by_memory: str | None
    normal_prices: NormalPrices


class CellFitsRow(FitsRow):
    cell: str


class CapacityRow(FitsRow):
    cells: list[str]
    unreachable: list[str]
    by_cell: list[CellFitsRow]


class ClockRow(TypedDict):
    now: str
    mode: Literal["wall", "rate", "manual"]
    rate: float
    wall_now: str


class AccountRow(TypedDict):
    id: str
    name: str
    is_staff: bool
    may_backfill: bool
    project_id: str


class AccountStateRow(TypedDict):
    name: str
    state: Literal["REGULAR", "NEW_USER", "TRIAL"]


class SettingsRow(TypedDict):
    """`list_records_by_skipping_down_cells` is of the Compute API: what its lists do that cannot show partial rows.
    `default_cpu_type` is of CloudSigma's: of a server that is made without naming one. So is `rate_limits`: whether
    more requests a minute than are published are refused. `history_seconds` is for how long the log and ended tasks
    are kept at least, in the cloud's time; what is charged for stays.
    """

    grace_seconds: int
    floor: float
    placement: Literal["spread", "pack"]
    start_level: float
    list_records_by_skipping_down_cells: bool
    default_cpu_type: Literal["amd", "intel"]
    rate_limits: bool
    history_seconds: int


class StopRow(TypedDict):
    id: str
    name: str | None


class DecisionRow(TypedDict):
    """Why there. `avoided` are the ids of the avoid list on this host."""

    host: str
    decided_by: Literal["only", "avoid", "disruption", "room", "name"]
    stops: list[StopRow]
    shrinks: int
    waits: bool
    avoided: Sequence[str]
    runner_up: str | None


class PlannedStop(TypedDict):
    id: str
    name: str | None
    cpu_mhz: int
    memory_bytes: int
    started_at: str | None
    work_ghz_hours: float


class PlannedFactor(TypedDict):
    id: str
    name: str | None
    cpu_before: float
    cpu_after: float
    memory_before: float
    memory_after: float


class PlannedRestart(TypedDict):
    id: str
    name: str
    host: str | None


class PlanRow(TypedDict):
    """What an action would do now. `problem` is a sentence and `code` its error code where it is not `allowed`.

    Of a start, `refused` counts the hosts without room by reason. `separation` is what would become of each entry of
    the avoid list; of `separate` that of the copies, and `start_separation` that of the start.

    The action with this `token` as its `plan` is refused where it would not be this any more; a plan that is not
    allowed has none, and neither has that of a clone of a server.

    Of backups, `storage` is what it takes of each project's; of a restore, `decision` and what follows from it are
    those of the start, if that were now, and `start_problem` is why there would be none.
    """

    action: str
    object_id: str
    allowed: bool
    problem: str | None
    code: str | None
    decision: DecisionRow | None
    stops: list[PlannedStop]
    shrinks: list[PlannedFactor]
    grows: list[PlannedFactor]
    restarts: list[PlannedRestart]
    refused: Mapping[str, int]
    downtime_seconds: int | float
    version: int
    token: str | None
    sentences: Sequence[str]
    copies: NotRequired[list[CopyPlanRow]]
    separation: NotRequired[list[AvoidedRow]]
    start_separation: NotRequired[list[AvoidedRow]]
    storage: NotRequired[list[OutlookRow]]
    start_problem: NotRequired[str | None]


class HostMove(TypedDict):
    """What becomes of one server. `to` is the host that it starts on; `problem` says why it stays."""

    id: str
    name: str
    is_backfilling: bool
    cpu_mhz: int
    memory_bytes: int
    state: str
    outcome: Literal["moves", "stops", "stays", "pauses", "returns"]
    to: str | None
    problem: str | None
    stops: list[PlannedStop]
    shrinks: int


class HostPlanRow(TypedDict):
    """What an action on a host comes to in the end: `fail` if it does not come back, `drain` if it is evacuated."""

    action: str
    host: str
    allowed: bool
    problem: str | None
    code: str | None
    moves: list[HostMove]
    drives: int
    seconds: float
    version: int
    token: str | None
    sentences: Sequence[str]


class HostPlanAnswer(TypedDict):
    plan: HostPlanRow


class HostOutcome(TypedDict):
    host: HostRow
    task: TaskRow | None


class Hello(TypedDict):
    cloud_id: str
    kind: str
    version: str
    clock: ClockRow
    account: AccountRow


class CellList(TypedDict):
    cells: list[CellRow]


class HostList(TypedDict):
    hosts: list[HostRow]


class GroupList(TypedDict):
    groups: list[GroupRow]


class TaskCounts(TypedDict):
    open: int
    ended: int
    waiting: int


class Status(TypedDict):
    clock: ClockRow
    cells: list[CellRow]
    capacity: CapacityRow | None
    groups: list[GroupRow]
    tasks: TaskCounts
    schedules: list[ScheduleRow]
    accounts_seen: int
    short_of_money: list[ShortAccount]
    full_files: list[str]


class ServerPage(TypedDict):
    """`cursor` is the place in the feed of changes before the rows were read: follow it from the first page's.

    `total` counts what the directory has in the cells that were asked, whatever else was asked for.
    """

    servers: list[ServerRow]
    next: str | None
    cursor: str
    total: int
    unreachable: list[str]


class DrivePage(TypedDict):
    drives: list[DriveRow]
    next: str | None
    cursor: str
    total: int
    unreachable: list[str]


class CopyRow(TypedDict):
    drive: DriveRow
    task: TaskRow | None


class ServerOutcome(TypedDict):
    """`separation` is what became of each entry of an avoid list. Of `clone` and `separate`, `task` is the one that
    ends all; what became of the list when `separate` starts the clone is in its result, and in the explanation.
    """

    server: ServerRow | None
    task: TaskRow | None
    decision: DecisionRow | None
    copies: NotRequired[list[CopyRow]]
    separation: NotRequired[list[AvoidedRow]]


class DriveOutcome(TypedDict):
    drive: DriveRow | None
    task: TaskRow | None
    separation: NotRequired[list[AvoidedRow]]


class ServerMade(ServerRow):
    separation: NotRequired[list[AvoidedRow]]


class DriveMade(DriveRow):
    separation: NotRequired[list[AvoidedRow]]


class PlanAnswer(TypedDict):
    plan: PlanRow


class Differences(TypedDict):
    """`removed` are ids of what is not there at the moment. `cursor` is the moment's."""

    cursor: str
    servers: list[ServerRow]
    drives: list[DriveRow]
    removed: list[str]


class Changes(TypedDict):
    cursor: str
    servers: list[ServerRow]
    drives: list[DriveRow]
    removed: list[str]
    events: list[EventRow]
    cells: list[CellRow]


class EventPage(TypedDict):
    """`begins_at`: no moment before it can be rebuilt, and nothing that happened before is told; null while nothing has
    been forgotten.
    """

    events: list[EventRow]
    cursor: str
    begins_at: str | None


class TaskPage(TypedDict):
    tasks: list[TaskRow]
    open: int
    ended: int
    unreachable: list[str]


class AccountList(TypedDict):
    accounts: list[AccountRow]


class Document(TypedDict):
    """An OpenAPI 3.1 document."""

    openapi: str
    info: JsonObject
    security: list[JsonObject]
    paths: JsonObject
    components: JsonObject


class Problem(TypedDict, total=False):
    """`code` is for machines, `message` for people; the other fields belong to the code."""

    code: str
    message: str


class ErrorAnswer(TypedDict):
    error: Problem
