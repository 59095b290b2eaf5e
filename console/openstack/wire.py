"""From the Compute API's JSON to records, and the words of each for the other.

A zone stands where our own clouds have a cell: a client is told of no cells. CPU is vCPUs of 2 GHz, as in our own
Compute API. Texts are clean before they come here; a value of the wrong kind raises KeyError, TypeError, ValueError or
AttributeError.

**Source**: Compute API reference, "Servers", "Hypervisors", "Compute services", "Server groups"; recorded answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any, NamedTuple

from console.records import UNKNOWN, HostRecord, ServerRecord, SizeRecord
from console.records_backup_plans import FlavorRecord
from console.records_parts import ImageRecord, NicRecord
from console.records_services import ServiceRecord

Body = Mapping[str, Any]

VCPU_MHZ = 2_000
"""What a vCPU counts for where the rest of the console reckons in MHz."""
MIB, GIB = 2**20, 2**30

COMPUTE = "nova-compute"
INTERNAL = "internal"
"""The zone of what is no compute service."""
NO_ZONE = "no zone"
"""Where a server is that was never placed."""
UNSEEN = "unseen"
"""Where a server is that is UNKNOWN and was never seen here: the list does not say its zone."""
HASHED = "#"
"""Before the start of a host's hash: who is no administrator is told of a host only whether it is the same one."""

_STATES: Mapping[str, str] = {
    "ACTIVE": "running", "PASSWORD": "running", "REBOOT": "running", "HARD_REBOOT": "running", "MIGRATING": "running",
    "RESIZE": "running", "VERIFY_RESIZE": "running", "REVERT_RESIZE": "running", "RESCUE": "running",
    "BUILD": "starting", "REBUILD": "starting", "SHUTOFF": "stopped", "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped", "SOFT_DELETED": "stopped", "PAUSED": "paused", "SUSPENDED": "paused",
    "ERROR": "error", "UNKNOWN": UNKNOWN,
}  # fmt: skip
_PLAIN = frozenset({"ACTIVE", "BUILD", "SHUTOFF", "PAUSED", "ERROR", "UNKNOWN"})
"""Statuses of which the state says all there is to say."""
_ON_THE_WAY = {"powering-off": "stopping", "powering-on": "starting"}

_TASK_WORDS = {"rebooting": "reboots", "reboot": "reboots", "deleting": "deletes", "rebuilding": "rebuild",
               "migrating": "migrate", "suspending": "suspend", "unpausing": "unpause", "shelving": "shelves",
               "rescuing": "rescue"}  # fmt: skip


class Listed(NamedTuple):
    """One page of a list of servers."""

    servers: tuple[ServerRecord, ...] = ()
    """Those that answer, once each."""
    unknown: tuple[ServerRecord, ...] = ()
    """Those of which the cloud says UNKNOWN, and nothing else."""
    deleted: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    """The ids of those that answer, in the order of the list: only they can be markers."""
    has_more: bool = False


def instant(text: str | None) -> datetime | None:
    """Nova leaves the zone out here and there; it is always UTC."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def listed(body: Body, flavors: Mapping[str, FlavorRecord] | None = None) -> Listed:
    """A detailed list. Of an id that is there twice, the row that says more counts."""
    found: dict[str, ServerRecord] = {}
    unknown: dict[str, ServerRecord] = {}
    deleted = []
    for row in body["servers"]:
        if row.get("status") == "UNKNOWN":
            unknown.setdefault(row["id"], partial(row))
        elif row.get("status") == "DELETED":
            deleted.append(row["id"])
        else:
            found[row["id"]] = server(row, flavors or {})
    silent = tuple(row for id, row in unknown.items() if id not in found)
    return Listed(tuple(found.values()), silent, tuple(deleted), tuple(found), has_more(body, "servers"))


class Brief(NamedTuple):
    """The plain list: who answers and who does not, and no more."""

    answering: frozenset[str]
    unknown: tuple[ServerRecord, ...]
    has_more: bool


def brief(body: Body) -> Brief:
    answering = frozenset(row["id"] for row in body["servers"] if row.get("status") != "UNKNOWN")
    unknown = {row["id"]: partial(row) for row in body["servers"] if row["id"] not in answering}
    return Brief(answering, tuple(unknown.values()), has_more(body, "servers"))


def has_more(body: Body, key: str) -> bool:
    return any(link.get("rel") == "next" for link in body.get(f"{key}_links") or ())


def partial(row: Body) -> ServerRecord:
    """What is centrally known of a server whose cell does not answer."""
    zone = row.get("OS-EXT-AZ:availability_zone")
    return ServerRecord(
        id=row["id"],
        name=None,
        cell=UNSEEN if zone in (None, "", "UNKNOWN") else intern(str(zone)),
        state=UNKNOWN,
        project_id=row.get("tenant_id"),
        created_at=instant(row.get("created")),
        is_reachable=False,
    )


def server(row: Body, flavors: Mapping[str, FlavorRecord]) -> ServerRecord:
    get = row.get
    status = str(row["status"])
    doing = get("OS-EXT-STS:task_state")
    state = _ON_THE_WAY.get(str(doing), _STATES.get(status, "running"))
    cpu_mhz, memory_bytes = _size(get("flavor") or {}, flavors)
    return ServerRecord(
        id=row["id"],
        name=get("name"),
        cell=intern(get("OS-EXT-AZ:availability_zone") or NO_ZONE),
        state=intern(state),
        host=_host(row),
        is_backfilling=False,
        cpu_mhz=cpu_mhz,
        memory_bytes=memory_bytes,
        tags=tuple(map(str, get("tags") or ())),
        meta={str(key): str(value) for key, value in (get("metadata") or {}).items()},
        project_id=get("tenant_id"),
        owner=get("user_id"),
        created_at=instant(get("created")),
        started_at=instant(get("OS-SRV-USG:launched_at")),
        reason=_reason(status, doing, get("fault")),
        doing=_doing(doing),
    )


def _doing(task_state: object) -> str | None:
    """Nova's task in a word as short as a state: `reboot_started` is a reboot, `image_uploading` of an image."""
    if not task_state or task_state in _ON_THE_WAY:
        return None
    word = str(task_state).partition("_")[0]
    return intern(_TASK_WORDS.get(word, word))


def _host(row: Body) -> str | None:
    name = row.get("OS-EXT-SRV-ATTR:host")
    if name:
        return intern(str(name))
    hashed = row.get("hostId")
    return intern(f"{HASHED}{hashed[:8]}") if hashed else None


def _reason(status: str, doing: object, fault: Body | None) -> str | None:
    if status == "ERROR" and fault is not None:
        return str(fault.get("message") or "") or None
    words = [] if status in _PLAIN else [status.lower().replace("_", " ")]
    if doing and doing not in _ON_THE_WAY:
        words.append(str(doing).replace("_", " "))
    return ", ".join(words) or None


def _size(flavor: Body, flavors: Mapping[str, FlavorRecord]) -> tuple[int | None, int | None]:
    """Up to 2.46 a flavor is only named."""
    if "vcpus" in flavor:
        return int(flavor["vcpus"]) * VCPU_MHZ, int(flavor["ram"]) * MIB
    known = flavors.get(str(flavor.get("id")))
    if known is None or known.vcpus is None:
        return None, None
    return known.vcpus * VCPU_MHZ, known.memory_bytes


def nics(row: Body) -> tuple[NicRecord, ...]:
    """The interfaces of a server: the networks' names stand for how they are configured."""
    return tuple(
        NicRecord(str(each.get("OS-EXT-IPS-MAC:mac_addr") or ""), str(network), str(each["addr"]))
        for network, addresses in (row.get("addresses") or {}).items()
        for each in addresses
    )


def flavor(row: Body) -> FlavorRecord:
    return FlavorRecord(
        str(row["id"]), row["name"], int(row["vcpus"]), int(row["ram"]) * MIB, int(row.get("disk") or 0) * GIB
    )


def image(row: Body) -> ImageRecord:
    size = max(int(row.get("min_disk") or 0) * GIB, int(row.get("size") or 0))
    return ImageRecord(str(row["id"]), row.get("name") or str(row["id"]), size)


def service(row: Body) -> ServiceRecord:
    """Of one whose cell does not answer, only that: no zone, no state."""
    zone = row.get("zone")
    return ServiceRecord(
        binary=row["binary"],
        host=row["host"],
        cell=None if zone in (None, INTERNAL) else str(zone),
        status=str(row.get("status") or "enabled"),
        state=row.get("state"),
        updated_at=instant(row.get("updated_at")),
    )


def host(row: Body, zones: Mapping[str, str]) -> HostRecord:
    """A hypervisor. `zones` are by the name of its compute service."""
    name = str((row.get("service") or {}).get("host") or row["hypervisor_hostname"])
    state = "down" if row.get("state") == "down" else "maintenance" if row.get("status") == "disabled" else "up"
    return HostRecord(
        name=name,
        cell=zones.get(name, NO_ZONE),
        kind="compute",
        state=state,
        capacity=_host_size(row, "vcpus", "memory_mb"),
        normal=_host_size(row, "vcpus_used", "memory_mb_used"),
        servers=row.get("running_vms"),
    )


def merged(hosts: Iterable[HostRecord]) -> tuple[HostRecord, ...]:
    """One record a host: a compute service may have many hypervisors, as that of bare metal has a node each."""
    found: dict[str, HostRecord] = {}
    for each in hosts:
        known = found.get(each.name)
        found[each.name] = each if known is None else known._replace(
            state=known.state if known.state == each.state else "up",
            capacity=_sum(known.capacity, each.capacity),
            normal=_sum(known.normal, each.normal),
            servers=None if known.servers is None or each.servers is None else known.servers + each.servers,
        )  # fmt: skip
    return tuple(found.values())


def _sum(one: SizeRecord | None, other: SizeRecord | None) -> SizeRecord | None:
    if one is None or other is None:
        return one or other
    return SizeRecord(one.cpu_mhz + other.cpu_mhz, one.memory_bytes + other.memory_bytes)


def _host_size(row: Body, cpu: str, memory: str) -> SizeRecord | None:
    if row.get(cpu) is None or row.get(memory) is None:
        return None
    return SizeRecord(int(row[cpu]) * VCPU_MHZ, int(row[memory]) * MIB)


class Group(NamedTuple):
    """A server group as the API has it."""

    id: str
    name: str
    policy: str
    members: tuple[str, ...]

    @property
    def keeps_apart(self) -> bool:
        return "anti" in self.policy


def group(row: Body) -> Group:
    policy = row.get("policy") or next(iter(row.get("policies") or ()), "")
    return Group(
        str(row["id"]), row.get("name") or str(row["id"]), str(policy), tuple(map(str, row.get("members") or ()))
    )


def with_own_names(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Several groups may have one name; each of those then has the start of its id behind it."""
    found = list(groups)
    names = [each.name for each in found]
    return tuple(
        each._replace(name=f"{each.name} {each.id[:8]}") if names.count(each.name) > 1 else each for each in found
    )
