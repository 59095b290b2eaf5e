"""What `/ops/v1` takes: bodies and query strings, checked by pydantic. The OpenAPI document is made from these too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from backend.dialects.wire import AVOID_LENGTH_MAX, INTEGER_MAX, avoid_list

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
Avoid = Annotated[
    list[Id],
    Field(
        description="UUIDs, what is most to be avoided first; of nothing, or twice, they have no effect",
        json_schema_extra={"maxItems": AVOID_LENGTH_MAX},
    ),
    AfterValidator(avoid_list),
]
Version = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
PlanToken = Annotated[str, Field(max_length=4096, description="the `token` of a plan: do that, or nothing")]
Floor = Annotated[float, Field(ge=0.001, le=1, allow_inf_nan=False)]
Amount = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
CpuMhz = Annotated[Amount, Field(description="MHz in all")]
Bytes = Annotated[Amount, Field(description="bytes")]


class Body(BaseModel):
    """A JSON body: nothing unknown in it, and no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


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
    cpu_floor: Floor | None = None
    memory_floor: Floor | None = None
    preview: bool = False
    """Answers what it would come to, and where it would start; nothing is made."""


class ServerAction(Body):
    """`preview` answers what it would do and changes nothing. `name`, `meta`, `tags` and `restarts` belong to `edit`.

    A `start` without `avoid` avoids what the server was last asked to, when it was started or made; with an empty list
    it avoids nothing.

    A backfilling server that `restarts` is started again, when there is room, each time that it was stopped for room.

    `clone` copies the server with its drives, whose hosts `avoid` is about; it stays stopped. `separate` is a clone
    that avoids its source and is then started, avoiding it too; it takes further ids to avoid. Both take a `name`.

    `resize` gives a stopped server another `cpu_mhz`, `memory_bytes` or both. `delete` leaves its drives, unless it is
    `with_drives`.
    """

    action: Literal["start", "stop", "shutdown", "delete", "edit", "clone", "separate", "resize"]
    preview: bool = False
    plan: PlanToken | None = None
    if_version: Version | None = None
    avoid: Avoid | None = None
    name: Name | None = None
    meta: Meta | None = None
    tags: Tags | None = None
    restarts: bool | None = None
    cpu_mhz: CpuMhz | None = None
    memory_bytes: Bytes | None = None
    with_drives: bool = False


class NicToAttach(Body):
    """With `vlan_id` it is in that private network; with `configuration` it is public, `static` with an `address`."""

    model: Literal["virtio", "e1000", "i82551", "i82557b", "i82559er", "ne2k_pci", "pcnet", "rtl8139"] = "virtio"
    configuration: Literal["dhcp", "static", "manual"] | None = None
    address: Id | None = None
    vlan_id: Id | None = None
    policy_id: Id | None = None


class DriveToMake(Body):
    """With `image`, the id of one of the library's, it begins as a copy of that."""

    name: Name
    size_bytes: Bytes
    media: Literal["disk", "cdrom"] = "disk"
    avoid: Avoid = []
    cell: Name | None = None
    meta: Meta = {}
    tags: Tags = []
    image: Id | None = None


class DriveAction(Body):
    """`preview` answers what it would do and changes nothing.

    `server_id`, `device`, `channel` and `boot_order` belong to `attach`; `name`, `meta` and `tags` to `edit`; `name`
    and `avoid` to `clone`, whose copy is called after its source if it is given no name; `size_bytes`, more than it
    has, to `resize`.
    """

    action: Literal["attach", "detach", "clone", "delete", "edit", "resize"]
    preview: bool = False
    plan: PlanToken | None = None
    if_version: Version | None = None
    avoid: Avoid = []
    server_id: Id | None = None
    device: Literal["virtio", "ide"] | None = None
    channel: Annotated[str, Field(pattern=r"^\d{1,4}:\d{1,4}$")] | None = None
    boot_order: Annotated[int, Field(ge=1, le=1000)] | None = None
    name: Name | None = None
    meta: Meta | None = None
    tags: Tags | None = None
    size_bytes: Bytes | None = None


class SnapshotToTake(Body):
    """Without a name it is called after its drive and the instant."""

    name: Name | None = None
    meta: Meta = {}
    tags: Tags = []


class SnapshotAction(Body):
    """`name` belongs to `edit` and `clone`; `meta` and `tags` to `edit`; `avoid` and `size_bytes` to `clone`."""

    action: Literal["clone", "delete", "edit"]
    if_version: Version | None = None
    avoid: Avoid = []
    name: Name | None = None
    meta: Meta | None = None
    tags: Tags | None = None
    size_bytes: Bytes | None = None


class HostAction(Body):
    """`fail` is an injected fault; `drain` moves nothing; `evacuate` moves what is on a drained host."""

    action: Literal["fail", "recover", "drain", "evacuate"]
    preview: bool = False
    plan: PlanToken | None = None
    if_version: Version | None = None


class GroupAction(Body):
    """`restore` moves members apart, one at a time; `end` lets the one that is on its way start, and moves no other."""

    action: Literal["restore", "end"]
    preview: bool = False
    plan: PlanToken | None = None


class CellAction(Body):
    """Injected faults. `up` takes one away; a file that is really broken stays down."""

    action: Literal["down", "hung", "up"]
    preview: bool = False
    plan: PlanToken | None = None


PLACEMENTS_MAX = 50
"""Servers in one what-if: each is placed in every cell."""


class PlacementToTry(Body):
    """`count` servers of one size, made and started now one after the other. With `apart` each avoids those before it;
    `avoid_group` is the name of an availability group whose members they avoid.
    """

    count: Annotated[int, Field(ge=1, le=PLACEMENTS_MAX)] = 1
    cpu_mhz: CpuMhz
    memory_bytes: Bytes
    is_backfilling: bool = False
    cell: Name | None = None
    avoid: Avoid = []
    avoid_group: Name | None = None
    apart: bool = False


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


class AccountStateChange(Body):
    """How far an account is trusted: what its servers may not send follows from it."""

    state: Literal["REGULAR", "NEW_USER", "TRIAL"]


class SettingsChange(Body):
    """Only what may change while the cloud runs; what is absent stays as it is."""

    list_records_by_skipping_down_cells: bool | None = None
    default_cpu_type: Literal["amd", "intel"] | None = None
    rate_limits: bool | None = None
    history_seconds: int | None = None


# ------------------------------------------------------------------------------------------------------------- queries

LIMIT_MAX = 1000
WAIT_SECONDS_MAX = 25
"""A long poll answers after this long at the latest."""

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, Field(max_length=4096, description="opaque, from an earlier answer")]


class Query(BaseModel):
    """The query string, as one text for each name; an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


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


class LimitsQuery(Query):
    """`project` is whose quota; without it, that of the account's own project."""

    project: Id | None = None


class ChangesQuery(Query):
    after: Cursor
    wait_seconds: Annotated[float, Field(ge=0, le=WAIT_SECONDS_MAX, allow_inf_nan=False)] = 0
    limit: Limit = LIMIT_MAX


LogPlace = Annotated[
    str, Field(max_length=350, description="an instant, or AT,FILE,NUMBER of an event: 2026-11-20T14:03:27Z,cell-1,17")
]


class EventsQuery(Query):
    """`object` gives the events of one object; with `after` those that follow a cursor.

    `until` gives the newest `limit` events at or before a place in the log, `since` the oldest ones behind it. A place
    is an instant or one event of it, so that a page goes on exactly where another ended.
    """

    after: Cursor | None = None
    until: LogPlace | None = None
    since: LogPlace | None = None
    limit: Limit = 100
    object: Annotated[str, Field(max_length=255)] | None = None


class DifferencesQuery(Query):
    """`after` is the `cursor` of another answer of this endpoint."""

    after: Cursor | None = None


class ExplainQuery(Query):
    """`decision` is the number of an event of the object's cell: `server.placed`, or `drive.created`."""

    decision: Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None = None


class TasksQuery(Query):
    state: Literal["open", "ended"] | None = None
    """None: what is open, then what has ended."""
    limit: Limit = 200


Count = Annotated[int, Field(ge=0, le=36_500)]


class SchedulePreviewQuery(Query):
    """What a schedule is to be; with `schedule_id`, what its rules would do with the backups of that one."""

    schedule: Annotated[str, Field(min_length=1, description="five fields of cron, or an alias")]
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    retention_days: Count = 0
    backups_max: Count = 0
    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    schedule_id: Annotated[str, Field(max_length=64)] | None = None


class BillingQuery(Query):
    """Of one account; without it, of all that one may see."""

    account: Annotated[str, Field(max_length=255)] | None = None


class LedgerQuery(Query):
    """Of one account, one's own without it; `before` is what the page before said."""

    account: Annotated[str, Field(max_length=255)] | None = None
    before: Annotated[str, Field(pattern=r"^[0-9]{1,18}\.[0-9]{1,6}$")] | None = None
    limit: Limit = 100


class BalanceToGive(Body):
    """What the account has from now on, and is held to."""

    balance: Annotated[str, Field(max_length=40, description="an amount of money, such as 100.00")]


class SubscriptionToBuy(Body):
    """What to buy for an account: an amount of a resource for a period, or what continues another subscription.

    `amount` is in the resource's base units. What `extends` another one, by its id, is as much of the same, for
    `period` or as long as that was bought for. `preview` answers what it would cost, and buys nothing.
    """

    account: Annotated[str, Field(max_length=255)]
    resource: Annotated[str, Field(max_length=40)] | None = None
    amount: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    period: Annotated[str, Field(max_length=100, description="such as 30 days, 1 month or 1 year")] | None = None
    renews: bool = False
    extends: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    preview: bool = False


class CoverageQuery(Query):
    limit: Limit = 100
    after: Cursor | None = None


class SchedulesQuery(Query):
    """`covering` is the id of a server: those that copy it, itself or with its project or customer."""

    limit: Limit = LIMIT_MAX
    after: Cursor | None = None
    covering: Id | None = None


class BackupsQuery(Query):
    """`source` is the id of a server, project or customer; `parent` gives the parts of a backup."""

    limit: Limit = LIMIT_MAX
    after: Cursor | None = None
    schedule: Id | None = None
    source: Id | None = None
    project: Id | None = None
    parent: Id | None = None


class CalendarQuery(Query):
    """`time_zone` is where the hours begin."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    limit: Limit = 500
