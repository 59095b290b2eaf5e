"""From the cloud's values to Nova's servers: which key there is, from which microversion on, in the recorded order.

Memory and disks are MiB and GiB here, CPU is vCPUs; instants are UTC, with a `Z` or without as Nova has them.

**Source**: the recorded answers of Nova 34, and the Compute API reference, "Servers".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, assert_never

from backend.cloud.catalogue import Flavor, find_flavor, find_image, flavor_of
from backend.cloud.model import GROUP_TAG_PREFIX, Account, Drive, Server, ServerState, Size
from backend.dialects.nova.versions import PREFIX, ROOT
from backend.dialects.openstack import id_text
from backend.operations.boots import found_no_host
from backend.operations.drives import DELETE_WITH, LOCAL_TO
from backend.store import ServerEntry

NOTES = "nova"
"""The attribute of a server in which this API keeps what the cloud does not interpret: `description`, `key_name`."""

UNKNOWN = "UNKNOWN"
NO_VALID_HOST = "No valid host was found."
DEFAULT_SECURITY_GROUPS = ("default",)


class Status(NamedTuple):
    """What Nova says of a server's life, in four words."""

    status: str
    vm_state: str
    task_state: str | None
    power_state: int


_NO_STATE, _RUNNING, _PAUSED, _SHUTDOWN = 0, 1, 3, 4


def status_of(server: Server) -> Status:
    match server.state:
        case ServerState.STOPPED:
            if found_no_host(server):
                return Status("ERROR", "error", None, _NO_STATE)
            return Status("SHUTOFF", "stopped", None, _SHUTDOWN)
        case ServerState.STARTING:
            if server.has_run:
                return Status("SHUTOFF", "stopped", "powering-on", _SHUTDOWN)
            return Status("BUILD", "building", "spawning", _NO_STATE)
        case ServerState.RUNNING:
            return Status("ACTIVE", "active", None, _RUNNING)
        case ServerState.STOPPING:
            return Status("ACTIVE", "active", "powering-off", _RUNNING)
        case ServerState.PAUSED:
            return Status("PAUSED", "paused", None, _PAUSED)
        case ServerState.UNAVAILABLE:
            return Status("ERROR", "error", None, _NO_STATE)
        case _:
            assert_never(server.state)


STATUSES: Mapping[str, tuple[ServerState, ...]] = {
    "ACTIVE": (ServerState.RUNNING, ServerState.STOPPING),
    "BUILD": (ServerState.STARTING,),
    "ERROR": (ServerState.UNAVAILABLE, ServerState.STOPPED),
    "PAUSED": (ServerState.PAUSED,),
    "SHUTOFF": (ServerState.STOPPED, ServerState.STARTING),
}
"""Of each status the states among which servers have it."""

OTHER_STATUSES = frozenset(
    {
        "DELETED", "HARD_REBOOT", "MIGRATING", "PASSWORD", "REBOOT", "REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE",
        "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED", "SUSPENDED", "VERIFY_RESIZE",
    }
)  # fmt: skip
"""Those that Nova knows and no server here ever has."""


def second_text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")[:19] + "Z"


def micro_text(at: datetime) -> str:
    """Without the `Z`."""
    return at.isoformat(timespec="microseconds")[:26]


@dataclass(frozen=True, slots=True)
class View:
    """For whom servers are drawn: what their JSON depends on besides the servers."""

    base: str
    minor: int
    is_admin: bool

    def self_link(self, path: str) -> dict[str, str]:
        return {"rel": "self", "href": f"{self.base}{ROOT}/{path}"}

    def bookmark(self, path: str) -> dict[str, str]:
        return {"rel": "bookmark", "href": f"{self.base}{PREFIX}/{path}"}

    def links(self, path: str) -> list[dict[str, str]]:
        return [self.self_link(path), self.bookmark(path)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A server that answers, with what belongs to it."""

    server: Server
    entry: ServerEntry
    drives: Sequence[Drive]
    user_id: str


def user_id_of(owner: str, accounts: Mapping[str, Account]) -> str:
    """`UNKNOWN` for a user that was never recorded."""
    account = accounts.get(owner)
    return UNKNOWN if account is None else id_text(account.id)


def notes_of(server: Server) -> Mapping[str, Any]:
    found: Mapping[str, Any] = server.attributes.get(NOTES, {})
    return found


def flavor_shown(entry: ServerEntry, size: Size, disk_bytes: int) -> Flavor:
    """The flavor that it was made with, unless it has another size by now."""
    made_with = None if entry.flavor is None else find_flavor(entry.flavor)
    return made_with if made_with is not None and made_with.size == size else flavor_of(size, disk_bytes)


def tags_of(server: Server, entry: ServerEntry) -> list[str]:
    """Without the tag of its server group, which is not for the client to change."""
    return [tag for tag in server.tags if entry.server_group is None or not tag.startswith(GROUP_TAG_PREFIX)]


def volumes_of(server: Server, drives: Sequence[Drive]) -> list[Drive]:
    """Of its drives those that are volumes: all but the local disk that was made from its image."""
    return [drive for drive in drives if drive.attributes.get(LOCAL_TO) != server.id]


# -------------------------------------------------------------------------------------------------------------- servers


def brief(view: View, id: str, name: str) -> dict[str, Any]:
    """A row of the plain list."""
    return {"id": id, "name": name, "links": view.links(f"servers/{id}")}


def detailed(view: View, shown: Shown) -> dict[str, Any]:
    """A row of the detailed list."""
    found = _base(view, shown)
    found.update(_extended(view, shown))
    found.update(_status(shown))
    found["os-extended-volumes:volumes_attached"] = _volumes(view, shown)
    found.update(_newer(view, shown))
    found.update(_newest(view, shown))
    found["security_groups"] = _security_groups(shown.entry)
    return found


def whole(view: View, shown: Shown) -> dict[str, Any]:
    """One server: as in the detailed list, in another order, with its group from 2.71 on."""
    found = _base(view, shown)
    found.update(_extended(view, shown, security_groups=_security_groups(shown.entry)))
    found.update(_status(shown))
    found["os-extended-volumes:volumes_attached"] = _volumes(view, shown)
    found.update(_newer(view, shown))
    if view.minor >= 71:
        found["server_groups"] = _groups(shown.entry)
    found.update(_newest(view, shown))
    return found


def updated(view: View, shown: Shown) -> dict[str, Any]:
    """The answer to an update: before 2.75 without what were once extensions."""
    if view.minor >= 75:
        return whole(view, shown)
    found = _base(view, shown)
    found.update(_newer(View(view.base, view.minor, is_admin=False), shown))
    if view.minor >= 71:
        found["server_groups"] = _groups(shown.entry)
    if view.minor >= 73:
        found["locked_reason"] = None
    return found


def _groups(entry: ServerEntry) -> list[str]:
    return [] if entry.server_group is None else [entry.server_group]


def _security_groups(entry: ServerEntry) -> list[dict[str, str]]:
    """`default` for a server that was made elsewhere."""
    names = DEFAULT_SECURITY_GROUPS if entry.security_groups is None else entry.security_groups
    return [{"name": name} for name in names]


def _base(view: View, shown: Shown) -> dict[str, Any]:
    server, status = shown.server, status_of(shown.server)
    found: dict[str, Any] = {
        "accessIPv4": notes_of(server).get("accessIPv4") or "",
        "accessIPv6": notes_of(server).get("accessIPv6") or "",
        "addresses": {},
        "created": second_text(server.created_at),
        "flavor": _flavor(view, shown),
        "hostId": host_id(server),
        "id": server.id,
        "image": _image(view, shown.entry),
        "links": view.links(f"servers/{server.id}"),
        "metadata": dict(server.meta),
        "name": server.name,
        "status": status.status,
        "tenant_id": id_text(server.project_id),
        "user_id": shown.user_id,
        "updated": second_text(server.state_since or server.created_at),
        "OS-DCF:diskConfig": notes_of(server).get("disk_config", "MANUAL"),
    }
    if status.status in ("ACTIVE", "BUILD"):
        found["progress"] = 0
    if status.status == "ERROR":
        found["fault"] = fault_of(server)
    return found


def fault_of(server: Server) -> dict[str, Any]:
    """Why it is in ERROR: nobody has to guess why no host was found."""
    if found_no_host(server):
        message = f"{NO_VALID_HOST} {server.reason}"
    else:
        where = f"Host {server.host} is lost" if server.host else "Its host is lost"
        why = server.reason or ""
        message = f"{where}." if why in ("", "host_lost") else f"{where}. {why}"
    return {"code": 500, "created": second_text(server.state_since or server.created_at), "message": message}


def host_id(server: Server) -> str:
    """Tells one host from another, and differs from project to project. **Source**: `nova.utils.generate_hostid`."""
    if server.host is None:
        return ""
    return hashlib.sha224((id_text(server.project_id) + server.host).encode()).hexdigest()


def _flavor(view: View, shown: Shown) -> dict[str, Any]:
    disk_bytes = shown.drives[0].size_bytes if shown.drives else 0
    return embedded_flavor(view, flavor_shown(shown.entry, shown.server.size, disk_bytes))


def embedded_flavor(view: View, flavor: Flavor) -> dict[str, Any]:
    """Up to 2.46 a reference, from 2.47 on what it is."""
    if view.minor < 47:
        return {"id": flavor.id, "links": [view.bookmark(f"flavors/{flavor.id}")]}
    return {
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mib,
        "disk": flavor.disk_gib,
        "ephemeral": 0,
        "swap": 0,
        "original_name": flavor.name,
        "extra_specs": {},
    }


def _image(view: View, entry: ServerEntry) -> Any:
    """Empty text for a server that was booted from a volume."""
    if entry.image is None:
        return ""
    found: dict[str, Any] = {"id": entry.image, "links": [view.bookmark(f"images/{entry.image}")]}
    if view.minor >= 98:
        image = find_image(entry.image)
        found["properties"] = {} if image is None else {"os_distro": image.os, "os_version": image.version}
    return found


def _extended(view: View, shown: Shown, *, security_groups: Any = None) -> dict[str, Any]:
    server, notes = shown.server, notes_of(shown.server)
    has_launched = server.has_run and server.started_at is not None
    found: dict[str, Any] = {
        "OS-EXT-AZ:availability_zone": server.cell,
        "config_drive": notes.get("config_drive", ""),
        "key_name": notes.get("key_name"),
        "OS-SRV-USG:launched_at": micro_text(server.started_at) if has_launched and server.started_at else None,
        "OS-SRV-USG:terminated_at": None,
    }
    if security_groups is not None:
        found["security_groups"] = security_groups
    if not view.is_admin:
        return found
    found["OS-EXT-SRV-ATTR:host"] = server.host
    found["OS-EXT-SRV-ATTR:instance_name"] = f"instance-{server.id[:8]}"
    found["OS-EXT-SRV-ATTR:hypervisor_hostname"] = server.host
    if view.minor >= 3:
        found["OS-EXT-SRV-ATTR:hostname"] = hostname_of(server)
        found["OS-EXT-SRV-ATTR:kernel_id"] = ""
        found["OS-EXT-SRV-ATTR:launch_index"] = 0
        found["OS-EXT-SRV-ATTR:ramdisk_id"] = ""
        found["OS-EXT-SRV-ATTR:reservation_id"] = f"r-{server.id[:8]}"
        found["OS-EXT-SRV-ATTR:root_device_name"] = "/dev/vda" if shown.drives else None
        found["OS-EXT-SRV-ATTR:user_data"] = None
    return found


def hostname_of(server: Server) -> str:
    """What was asked for, or its name as a host's."""
    wanted = notes_of(server).get("hostname")
    if wanted:
        return str(wanted)
    letters = (c if c.isascii() and c.isalnum() else "-" for c in server.name.lower())
    return "".join(letters).strip("-")[:63] or f"server-{server.id[:8]}"


def _status(shown: Shown) -> dict[str, Any]:
    status = status_of(shown.server)
    return {
        "OS-EXT-STS:task_state": status.task_state,
        "OS-EXT-STS:vm_state": status.vm_state,
        "OS-EXT-STS:power_state": status.power_state,
    }


def _volumes(view: View, shown: Shown) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for drive in volumes_of(shown.server, shown.drives):
        volume: dict[str, Any] = {"id": drive.id}
        if view.minor >= 3:
            volume["delete_on_termination"] = drive.attributes.get(DELETE_WITH) == shown.server.id
        found.append(volume)
    return found


def _newer(view: View, shown: Shown) -> dict[str, Any]:
    """What came between 2.9 and 2.63."""
    found: dict[str, Any] = {}
    if view.minor >= 9:
        found["locked"] = False
    if view.minor >= 16 and view.is_admin:
        found["host_status"] = _host_status(shown.server)
    if view.minor >= 19:
        found["description"] = notes_of(shown.server).get("description")
    if view.minor >= 26:
        found["tags"] = tags_of(shown.server, shown.entry)
    if view.minor >= 63:
        found["trusted_image_certificates"] = None
    return found


def _host_status(server: Server) -> str:
    if server.state is ServerState.UNAVAILABLE:
        return "DOWN"
    return "" if server.host is None else "UP"


def _newest(view: View, shown: Shown) -> dict[str, Any]:
    """What came after 2.71."""
    found: dict[str, Any] = {}
    if view.minor >= 73:
        found["locked_reason"] = None
    if view.minor >= 90 and not view.is_admin:
        found["OS-EXT-SRV-ATTR:hostname"] = hostname_of(shown.server)
    if view.minor >= 96:
        found["pinned_availability_zone"] = shown.entry.zone
    if view.minor >= 100:
        found["scheduler_hints"] = {} if shown.entry.server_group is None else {"group": [shown.entry.server_group]}
    return found


# ------------------------------------------------------------------------------- servers of a cell that does not answer


def brief_partial(view: View, entry: ServerEntry) -> dict[str, Any]:
    """Source: "Handling Down Cells", "List Servers"."""
    return {"id": entry.id, "status": UNKNOWN, "links": view.links(f"servers/{entry.id}")}


def detailed_partial(view: View, entry: ServerEntry) -> dict[str, Any]:
    """Source: "Handling Down Cells", "List Servers Detailed"."""
    found = _central(view, entry)
    if entry.security_groups:
        found["security_groups"] = _security_groups(entry)
    return found


def whole_partial(view: View, entry: ServerEntry, *, disk_bytes: int, user_id: str) -> dict[str, Any]:
    """Source: "Handling Down Cells", "Show Server Details"."""
    found = _central(view, entry)
    found["image"] = _image(view, entry)
    found["flavor"] = embedded_flavor(view, flavor_shown(entry, entry.size, disk_bytes))
    found["OS-EXT-AZ:availability_zone"] = entry.zone or UNKNOWN
    found["OS-EXT-STS:power_state"] = _NO_STATE
    found["user_id"] = user_id
    if view.minor >= 71:
        found["server_groups"] = _groups(entry)
    return found


def _central(view: View, entry: ServerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "status": UNKNOWN,
        "tenant_id": id_text(entry.project_id),
        "created": second_text(entry.created_at),
        "links": view.links(f"servers/{entry.id}"),
    }
