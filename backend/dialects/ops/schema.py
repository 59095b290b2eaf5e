"""The shapes of `/ops/v1`: what it answers (typed dicts), and what it takes (pydantic models).

The renderers return these typed dicts, the handlers take these models, and the OpenAPI document is made from both: a
shape is written once. JSON in snake_case; CPU in MHz, memory and sizes in bytes, times in seconds, instants in UTC as
`2026-11-20T14:03:27Z`, with milliseconds when there are any. `null` means that nobody said, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from backend.dialects.wire import INTEGER_MAX

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
    """Where its cell does not answer: `state` is `unknown`, and what is not centrally known is as of `known_at`."""

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
    version: int
    reachable: bool
    known_at: str | None
    last_state: NotRequired[str | None]


class ServerDetail(ServerRow):
    drives: list[DriveRow]
    attributes: JsonObject


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
    reachable: bool


class CellRow(TypedDict):
    name: str
    state: Literal["up", "down", "hung"]
    reason: str
    since: str
    is_injected: bool
    answer_ms: float | None
    next_try_seconds: float | None
    history: list[str]
    hosts: int | None
    servers: int
    unknown: int
    waiting_tasks: int | None
    capacity: SizeRow | None
    normal: SizeRow | None
    backfilling: SizeRow | None
    free: SizeRow | None


class TaskRow(TypedDict):
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
    result: str | None
    actor: str


class EventRow(TypedDict):
    file: str
    number: int
    at: str
    kind: str
    object_kind: str
    object_id: str
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


class GroupRow(TypedDict):
    """`tolerates`: how many hosts may be lost, whichever they are; `is_bound`: at least so many, some are unknown."""

    name: str
    members: list[MemberRow]
    needs: int
    hosts: int
    collisions: int
    tolerates: int | None
    is_bound: bool
    worst_case: Sequence[str]


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


class CapacityRow(TypedDict):
    free_resources: FreeResources
    host_by_cpu: str | None
    host_by_memory: str | None
    normal_prices: NormalPrices
    cells: list[str]
    unreachable: list[str]


class ScheduleRow(TypedDict):
    id: str
    server_id: str
    server_name: str | None
    project_id: str
    description: str
    cron: str
    time_zone: str
    retention_days: int
    backups_max: int
    is_active: bool
    next_trigger_at: str | None
    created_at: str
    last_run_at: str | None
    reason: str | None
    missed_since: str | None
    version: int
    history: list[str]


class BackupRow(TypedDict):
    id: str
    server_id: str
    server_name: str | None
    project_id: str
    schedule_id: str | None
    description: str
    state: Literal["backing_up", "ready", "restoring", "deleting", "erred"]
    created_at: str
    size_bytes: int
    kept_until: str | None
    reason: str | None
    version: int


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


class StopRow(TypedDict):
    id: str
    name: str | None


class DecisionRow(TypedDict):
    """Why there. `refused` counts the other hosts by reason; `avoided` are the ids of the avoid list on this host."""

    host: str
    decided_by: Literal["only", "avoid", "disruption", "room", "name"]
    stops: list[StopRow]
    shrinks: int
    waits: bool
    avoided: Sequence[str]
    runner_up: str | None
    refused: Mapping[str, int]


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


class PlanRow(TypedDict):
    """What an action would do now. `problem` is a sentence and `code` its error code where it is not `allowed`."""

    action: str
    object_id: str
    allowed: bool
    problem: str | None
    code: str | None
    decision: DecisionRow | None
    stops: list[PlannedStop]
    shrinks: list[PlannedFactor]
    grows: list[PlannedFactor]
    downtime_seconds: int | float
    version: int
    sentences: Sequence[str]


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


class ServerPage(TypedDict):
    """`cursor` is the place in the feed of changes before the rows were read: follow it from the first page's."""

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


class ServerOutcome(TypedDict):
    server: ServerRow | None
    task: TaskRow | None
    decision: DecisionRow | None


class DriveOutcome(TypedDict):
    drive: DriveRow | None
    task: TaskRow | None


class PlanAnswer(TypedDict):
    plan: PlanRow


class Changes(TypedDict):
    cursor: str
    servers: list[ServerRow]
    drives: list[DriveRow]
    removed: list[str]
    events: list[EventRow]
    cells: list[CellRow]


class EventPage(TypedDict):
    events: list[EventRow]
    cursor: str


class TaskPage(TypedDict):
    tasks: list[TaskRow]
    open: int
    ended: int
    unreachable: list[str]


class ScheduleList(TypedDict):
    schedules: list[ScheduleRow]


class BackupList(TypedDict):
    backups: list[BackupRow]


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


# ------------------------------------------------------------------------------------------------------- what it takes

NAME_LENGTH_MAX = 255
TAGS_MAX = 64
META_MAX = 64
META_KEY_LENGTH_MAX = 32
"""Source: CloudSigma API 2.0, "Meta": keys of at most 32 characters. One store serves all dialects."""

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Tag = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Tags = Annotated[list[Tag], Field(max_length=TAGS_MAX)]
Meta = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=META_KEY_LENGTH_MAX)],
        Annotated[str, Field(max_length=4096)],
    ],
    Field(max_length=META_MAX),
]
Id = Annotated[str, Field(max_length=255)]
Avoid = Annotated[list[Id], Field(max_length=1000)]
Version = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Floor = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
CpuMhz = Annotated[Amount, Field(description="MHz in all")]
Bytes = Annotated[Amount, Field(description="bytes")]


class Body(BaseModel):
    """A JSON body: nothing unknown in it, and no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoBody(Body):
    """Nothing, or an empty object."""


class ServerToMake(Body):
    name: Name
    cpu_mhz: CpuMhz
    memory_bytes: Bytes
    smp: Annotated[int, Field(ge=1, le=32)] = 1
    is_backfilling: bool = False
    tags: Tags = []
    meta: Meta = {}
    cell: Name | None = None
    avoid: Avoid = []
    cpu_floor: Floor = 0.0
    memory_floor: Floor = 0.0


class ServerAction(Body):
    """`preview` answers what it would do and changes nothing. `name`, `meta` and `tags` belong to `edit`."""

    action: Literal["start", "stop", "shutdown", "delete", "edit"]
    preview: bool = False
    if_version: Version | None = None
    avoid: Avoid = []
    name: Name | None = None
    meta: Meta | None = None
    tags: Tags | None = None


class DriveToMake(Body):
    name: Name
    size_bytes: Bytes
    media: Literal["disk", "cdrom"] = "disk"
    avoid: Avoid = []
    cell: Name | None = None
    meta: Meta = {}
    tags: Tags = []


class DriveAction(Body):
    """`server_id`, `device`, `channel` and `boot_order` belong to `attach`; `name`, `meta` and `tags` to `edit`."""

    action: Literal["attach", "detach", "delete", "edit"]
    if_version: Version | None = None
    server_id: Id | None = None
    device: Literal["virtio", "ide"] | None = None
    channel: Annotated[str, Field(pattern=r"^\d{1,4}:\d{1,4}$")] | None = None
    boot_order: Annotated[int, Field(ge=1, le=1000)] | None = None
    name: Name | None = None
    meta: Meta | None = None
    tags: Tags | None = None


class ReachabilityToSet(Body):
    """`up` takes an injected fault away; a file that is really broken stays down."""

    state: Literal["up", "down", "hung"]


class ClockChange(Body):
    """`rate` is simulated seconds for each real one, in mode `rate`."""

    mode: Literal["wall", "rate", "manual"] | None = None
    rate: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None


SECONDS_MAX = 366 * 86_400


class Advance(Body):
    seconds: Annotated[float, Field(ge=0, le=SECONDS_MAX, allow_inf_nan=False)]


class AccountChange(Body):
    may_backfill: bool


# ------------------------------------------------------------------------------------------------------------- queries

LIMIT_MAX = 1000
WAIT_SECONDS_MAX = 25
"""A long poll answers after this long at the latest."""

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, Field(max_length=4096, description="opaque, from an earlier answer")]


class Query(BaseModel):
    """The query string, as one text for each name; an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """Nothing."""


class ServersQuery(Query):
    limit: Limit = LIMIT_MAX
    after: Cursor | None = None
    sort: Literal["name", "state", "created_at"] = "name"
    order: Literal["asc", "desc"] = "asc"
    cell: Name | None = None
    state: Literal["stopped", "starting", "running", "stopping", "paused", "unavailable", "unknown"] | None = None
    name: Annotated[str, Field(max_length=NAME_LENGTH_MAX, description="part of the name")] | None = None
    ids: Annotated[str, Field(max_length=40_000, description="ids, separated by commas")] | None = None


class DrivesQuery(Query):
    limit: Limit = LIMIT_MAX
    after: Cursor | None = None


class ChangesQuery(Query):
    after: Cursor
    wait_seconds: Annotated[float, Field(ge=0, le=WAIT_SECONDS_MAX, allow_inf_nan=False)] = 0
    limit: Limit = LIMIT_MAX


class EventsQuery(Query):
    """`object` gives the events of one object; with `after` those that follow a cursor."""

    after: Cursor | None = None
    limit: Limit = 100
    object: Annotated[str, Field(max_length=255)] | None = None


class TasksQuery(Query):
    state: Literal["open", "ended"] = "open"
    limit: Limit = 200
