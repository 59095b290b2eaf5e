"""The nouns of the cloud, frozen. CPU in MHz, memory and sizes in bytes, instants aware UTC.

Nothing here decides anything; `lifecycle`, `placement`, `backfill` and `backups` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

GIB = 2**30
MIB = 2**20
VCPU_MHZ = 2000

HOST_LOST = "host_lost"
DISPLACED = "displaced"
STORAGE_LOST = "storage_lost"
"""Reasons of a server that was not asked to be as it is."""

GROUP_TAG_PREFIX = "group:"
"""Servers that belong together carry the tag `group:NAME`."""


class HostKind(StrEnum):
    COMPUTE = "compute"
    STORAGE = "storage"


class HostState(StrEnum):
    UP = "up"
    DOWN = "down"
    MAINTENANCE = "maintenance"


class ServerState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSED = "paused"
    UNAVAILABLE = "unavailable"


class DriveState(StrEnum):
    CREATING = "creating"
    UNMOUNTED = "unmounted"
    MOUNTED = "mounted"
    CLONING_SRC = "cloning_src"
    CLONING_DST = "cloning_dst"
    RESIZING = "resizing"
    UPLOADING = "uploading"
    UNAVAILABLE = "unavailable"


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BackupState(StrEnum):
    BACKING_UP = "backing_up"
    READY = "ready"
    RESTORING = "restoring"
    DELETING = "deleting"
    ERRED = "erred"


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of both dimensions."""

    cpu_mhz: int
    memory_bytes: int

    def __add__(self, other: Size) -> Size:
        return Size(self.cpu_mhz + other.cpu_mhz, self.memory_bytes + other.memory_bytes)

    def __sub__(self, other: Size) -> Size:
        return Size(self.cpu_mhz - other.cpu_mhz, self.memory_bytes - other.memory_bytes)

    def fits_in(self, room: Size) -> bool:
        return self.cpu_mhz <= room.cpu_mhz and self.memory_bytes <= room.memory_bytes


NOTHING = Size(0, 0)
SMALLEST_SERVER = Size(250, 256 * MIB)
LARGEST_SERVER = Size(96_000, 520 * GIB)
"""The published limits of one server. Source: CloudSigma API 2.0, capabilities."""


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    cell: str
    kind: HostKind
    state: HostState
    capacity: Size = NOTHING
    """Of a compute host; nothing for a storage host."""
    storage_bytes: int = 0
    """Of a storage host; 0 for a compute host."""
    state_since: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Server:
    """A virtual machine. What holds a host has `host`, `floor`, `effective` and `started_at`."""

    id: str
    name: str
    cell: str
    project_id: str
    owner: str
    """The account's name."""
    size: Size
    """Nominal. What it really has is `effective`."""
    created_at: datetime
    state: ServerState = ServerState.STOPPED
    state_since: datetime | None = None
    is_backfilling: bool = False
    """CloudSigma's published flag `is_grey`."""
    floor_permille: tuple[int, int] = (0, 0)
    """Its own thresholds for CPU and memory, in thousandths (`cpu_perf_threshold`, `mem_perf_threshold`)."""
    smp: int = 1
    host: str | None = None
    floor: Size | None = None
    """The least it is shrunk to, fixed at its start; equals `size` for a normal server."""
    effective: Size | None = None
    """What it really has now; None when it holds no host."""
    started_at: datetime | None = None
    """When the current start was decided: work lost is counted from here."""
    has_run: bool = False
    """False until the first start has ended: dialects tell a first start (build) from a later one."""
    waits: int | None = None
    """Place in the order of decision while its room is not yet free; None once the room is its own."""
    notice_until: datetime | None = None
    """When it is stopped for room; None without a notice."""
    notice_for: str | None = None
    """The id of the server that it makes room for."""
    squeezed_by: str | None = None
    """The id of the server whose start last made it smaller; None at full size."""
    squeezed_at: datetime | None = None
    displaced_for: str | None = None
    """The id of the server that it was last stopped for."""
    displaced_at: datetime | None = None
    displaced_count: int = 0
    reason: str | None = None
    """Why it is stopped, paused or unavailable, when it was not asked to be: `host_lost`, `storage_lost`, `displaced`,
    or the refusal of its start elsewhere."""
    restarts: bool = False
    """Whether its owner asked that it be started again, each time that it was stopped for room and fits again."""
    avoid: tuple[str, ...] = ()
    """What it was to avoid when it was last started, or, before that, when it was made."""
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What a dialect was told and the cloud does not interpret (vnc_password, nics, ...)."""
    lost_from: str | None = None
    """While its host is lost: what it was before, a state or `waiting`; see `lifecycle.before_loss`."""
    version: int = 1

    @property
    def group(self) -> str | None:
        """The first group that it belongs to, by its tags."""
        return next((tag[len(GROUP_TAG_PREFIX) :] for tag in self.tags if tag.startswith(GROUP_TAG_PREFIX)), None)


@dataclass(frozen=True, slots=True)
class Drive:
    id: str
    name: str
    cell: str
    project_id: str
    owner: str
    size_bytes: int
    host: str
    """Its storage host: a drive always has one."""
    created_at: datetime
    state: DriveState = DriveState.CREATING
    state_since: datetime | None = None
    media: str = "disk"
    """`disk` or `cdrom`."""
    server_id: str | None = None
    """The server that it is attached to, running or not."""
    device: str | None = None
    """`virtio` or `ide`, while attached."""
    channel: str | None = None
    """`controller:unit`, while attached."""
    boot_order: int | None = None
    avoid: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    lost_from: str | None = None
    """While its storage host is lost: the state that it was in before."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """Work with a due instant. Progress is derived from the instants, so it survives a restart."""

    id: int
    file: str
    """The cell's name, or `cloud`: ids are unique within a file."""
    kind: str
    object_kind: str
    object_id: str
    begun_at: datetime
    due_at: datetime
    state: TaskState = TaskState.OPEN
    ended_at: datetime | None = None
    result: str | None = None
    actor: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)

    def progress(self, now: datetime) -> float:
        """0 to 1. A task in a cell that does not answer has no progress; ask only of one that does."""
        if self.state is not TaskState.OPEN:
            return 1.0
        whole = (self.due_at - self.begun_at).total_seconds()
        return min(1.0, max(0.0, (now - self.begun_at).total_seconds() / whole)) if whole > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """An immutable fact, written in the transaction that made it true."""

    file: str
    number: int
    """From 1, without gaps within a file."""
    at: datetime
    kind: str
    """`server.started`, `server.shrunk`, `cell.down`, ..."""
    object_kind: str
    object_id: str
    object_version: int
    actor: str = ""
    """The account's name, or `cloud` when nobody asked."""
    request_id: str | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Each changed field before and after, as stored: past views are rebuilt from these."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """A user. Sees the objects of the projects it is a member of; staff sees all."""

    id: str
    name: str
    """An e-mail address: what one logs in with."""
    project_id: str
    """Where what it makes goes."""
    is_staff: bool = False
    may_backfill: bool = False
    projects_read: frozenset[str] = frozenset()
    projects_write: frozenset[str] = frozenset()

    def may_see(self, project_id: str) -> bool:
        return self.is_staff or project_id in self.projects_read

    def may_change(self, project_id: str) -> bool:
        return self.is_staff or project_id in self.projects_write

    def acting_in(self, project_id: str) -> Account | None:
        """The account as it is while it acts in that project alone; None where it may not even look at it."""
        if not self.may_see(project_id):
            return None
        only = frozenset({project_id})
        return replace(
            self,
            project_id=project_id,
            projects_read=self.projects_read & only,
            projects_write=self.projects_write & only,
        )


SERVER, PROJECT, CUSTOMER = "server", "project", "customer"
"""Kinds of what can be backed up."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron rule that takes backups of one source."""

    id: str
    source_id: str
    project_id: str
    """Of a customer's schedule: empty."""
    description: str
    cron: str
    """Five fields, or one of cron's aliases; see `backups.parse`."""
    time_zone: str
    retention_days: int
    """How long its backups are kept; 0 = for ever."""
    backups_max: int
    """How many of its backups are kept; 0 = any number."""
    is_active: bool
    next_trigger_at: datetime | None
    """When it runs next, its jitter included; None while it is not active."""
    created_at: datetime
    last_run_at: datetime | None = None
    reason: str | None = None
    """Why it is off, when it was not asked to be."""
    missed_since: datetime | None = None
    """The first run that could not reach its source; one catch-up is owed when it returns."""
    source_kind: str = SERVER
    jitter_seconds: int = 0
    """It runs up to so much later than its expression says, always by the same; see `backups.jitter`."""
    keeps: Mapping[str, int] = field(default_factory=dict)
    """How many of each period are kept whatever age and number say; see `retention.PERIODS`."""
    target_seconds: int | None = None
    """How old the source's last good backup may be; None: nobody has said."""
    drill_days: int = 0
    """How often its newest backup is restored to see that it can be; 0 = never."""
    drilled_at: datetime | None = None
    """When the last drill began."""
    drill_seconds: int | None = None
    """How long the last drill took until its server ran; None where it did not come so far."""
    drill_problem: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a server's drives at an instant, or of all servers of a project or customer. It lies outside the cells.

    Of more than a server it is the parent of one backup for each, and holds no bytes itself.
    """

    id: str
    source_id: str
    project_id: str
    """Of a customer's backup: empty."""
    schedule_id: str | None
    description: str
    state: BackupState
    created_at: datetime
    size_bytes: int
    kept_until: datetime | None
    """None = for ever."""
    contents: Mapping[str, Any] = field(default_factory=dict)
    """What a restore needs: the server and its drives as they were."""
    reason: str | None = None
    source_kind: str = SERVER
    parent_id: str | None = None
    version: int = 1

    @property
    def source_name(self) -> str | None:
        """What its source was called when it was taken."""
        return str(self.contents.get(self.source_kind, {}).get("name", "")) or None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A drive as it was at an instant. It is known centrally, and goes with its drive."""

    id: str
    drive_id: str
    project_id: str
    owner: str
    name: str
    created_at: datetime
    available_at: datetime
    """Until then it is being made."""
    size_bytes: int
    """Of the drive, as it was: the most that it can come to hold, and what the project is charged for."""
    media: str
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class PartialServer:
    """All that is centrally known of a server whose cell does not answer. Source: Nova, "Handling Down Cells"."""

    id: str
    cell: str
    project_id: str
    owner: str
    created_at: datetime
    size: Size
    is_backfilling: bool


@dataclass(frozen=True, slots=True)
class PartialDrive:
    """All that is centrally known of a drive whose cell does not answer."""

    id: str
    cell: str
    project_id: str
    owner: str
    created_at: datetime
    size_bytes: int
    server_id: str | None


class ReachabilityState(StrEnum):
    UP = "up"
    DOWN = "down"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether a cell answers. `since` and the ages made of it are wall time: it is about the real disk."""

    state: ReachabilityState
    since: datetime
    reason: str = ""
    """A sentence: `cell file is missing`, `injected: down`, `no answer within 200 ms`."""
    is_injected: bool = False
    answer_ms: float | None = None
    """How long the last answer took; None without one."""
    answered_at: datetime | None = None
    """When that was; None where this process never heard of it."""
    next_try_seconds: float | None = None
    """Until it is asked again; None while it answers."""
    history: tuple[ReachabilityState, ...] = ()
    """The last eight answers, oldest first."""


SECRET_ATTRIBUTES = frozenset({"vnc_password"})
UNTOLD = "***"


def without_secrets(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """As events and pictures tell them, which outlive a password and are read by more people than may know it."""
    if SECRET_ATTRIBUTES.isdisjoint(attributes):
        return dict(attributes)
    return {name: UNTOLD if value and name in SECRET_ATTRIBUTES else value for name, value in attributes.items()}
