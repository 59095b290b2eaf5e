"""What `POST /servers` asks for: the body's schema, and what it means to the cloud.

**Source**: Compute API reference, "Create Server"; `nova.compute.api` for the refusals.

What Nova takes and this cloud does not have is refused by name: more than one server at once, a named host, networks,
block devices that are blank or made from snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.cloud.catalogue import Flavor, Image, find_flavor, find_image
from backend.cloud.errors import Conflict, Invalid, NotFound, OverQuota, WrongState
from backend.cloud.model import GIB, MIB, VCPU_MHZ, ReachabilityState, Server
from backend.dialects.nova import shapes
from backend.dialects.nova.render import DEFAULT_SECURITY_GROUPS, NOTES
from backend.dialects.nova.table import Call, bad_request
from backend.dialects.wire import WireError
from backend.operations import boots
from backend.operations.boots import BootSpec, Volume
from backend.store import CloudTransaction

USER_DATA_LENGTH_MAX = 65_535
VOLUME_GIB_MAX = 10_000

HOSTNAME: shapes.Schema = {
    "type": "string",
    "minLength": 2,
    "maxLength": 255,
    "pattern": r"^[a-zA-Z0-9]+[a-zA-Z0-9\-.]*[a-zA-Z0-9]+\Z",
}
_INTEGER: shapes.Schema = {"type": ["integer", "string"], "pattern": r"^-?[0-9]{1,9}\Z", "maximum": 2**31}

_DEVICE: shapes.Schema = {
    "type": "object",
    "properties": {
        "boot_index": {"type": ["integer", "string", "null"], "pattern": r"^-?[0-9]{1,9}\Z"},
        "delete_on_termination": shapes.BOOLEAN,
        "destination_type": {"type": "string", "enum": ("local", "volume")},
        "device_name": shapes.TEXT_OR_NULL,
        "device_type": shapes.TEXT_OR_NULL,
        "disk_bus": shapes.TEXT_OR_NULL,
        "guest_format": shapes.TEXT_OR_NULL,
        "no_device": {},
        "source_type": {"type": "string", "enum": ("volume", "image", "snapshot", "blank")},
        "tag": {"type": "string", "maxLength": 60},
        "uuid": shapes.UUID,
        "volume_size": _INTEGER,
        "volume_type": shapes.TEXT_OR_NULL,
    },
    "required": ("source_type",),
    "additionalProperties": False,
}

_SERVER: shapes.Schema = {
    "type": "object",
    "properties": {
        "name": shapes.NAME,
        "flavorRef": {"type": ["string", "integer"], "minLength": 1, "maxLength": 255},
        "imageRef": {"type": "string", "maxLength": 255},
        "adminPass": {"type": "string", "maxLength": 255},
        "accessIPv4": {"type": "string", "maxLength": 45},
        "accessIPv6": {"type": "string", "maxLength": 45},
        "availability_zone": {"type": "string", "minLength": 1, "maxLength": 255},
        "block_device_mapping_v2": {"type": "array", "items": _DEVICE, "maxItems": 64},
        "config_drive": shapes.BOOLEAN,
        "description": shapes.TEXT_OR_NULL,
        "hostname": HOSTNAME,
        "key_name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+\Z"},
        "max_count": _INTEGER,
        "metadata": shapes.METADATA,
        "min_count": _INTEGER,
        "networks": {
            "anyOf": (
                {"type": "string", "enum": ("none", "auto")},
                {"type": "array", "items": {"type": "object"}, "maxItems": 64},
            )
        },
        "OS-DCF:diskConfig": {"type": "string", "enum": ("AUTO", "MANUAL")},
        "security_groups": {
            "type": "array",
            "maxItems": 64,
            "items": {
                "type": "object",
                "properties": {"name": shapes.NAME},
                "additionalProperties": False,
            },
        },
        "tags": {
            "type": "array",
            "maxItems": 50,
            "items": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": r"^[^,/\x00-\x1f\x7f-\x9f]*\Z"},
        },
        "user_data": {
            "type": "string",
            "maxLength": USER_DATA_LENGTH_MAX,
            "pattern": r"^[A-Za-z0-9+/\s]*={0,2}\s*\Z",
        },
    },
    "required": ("name", "flavorRef"),
    "additionalProperties": False,
}
_HINTS: shapes.Schema = {"type": "object", "properties": {"group": shapes.UUID}}
_HINT_NAMES = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")

CREATE: shapes.Schema = {
    "type": "object",
    "properties": {"server": _SERVER, **dict.fromkeys(_HINT_NAMES, _HINTS)},
    "required": ("server",),
    "additionalProperties": False,
}

_SINCE: Mapping[str, int] = {"description": 19, "tags": 52, "hostname": 90}
"""Properties that came later, with their microversions."""
_NETWORKS_SINCE = 37


@dataclass(slots=True)
class _Disks:
    """What it is to be booted from, and what else it is to have."""

    image: Image | None = None
    is_local: bool = True
    boot_drive_bytes: int = 0
    keeps_boot_drive: bool = False
    volumes: list[Volume] = field(default_factory=list)


def boot_spec(call: Call, content: Mapping[str, Any]) -> BootSpec:
    """Raises WireError 400."""
    sent: Mapping[str, Any] = content["server"]
    _check_version(call, sent)
    for name in ("min_count", "max_count"):
        if int(sent.get(name, 1)) != 1:
            raise bad_request(f"Invalid input for field/attribute {name}. This cloud makes one server a request.")
    flavor = _flavor(str(sent["flavorRef"]))
    disks = _disks(sent, flavor)
    hints: Mapping[str, Any] = next((content[name] for name in _HINT_NAMES if name in content), {})
    named = [group["name"] for group in sent.get("security_groups", []) if "name" in group]
    return BootSpec(
        name=sent["name"],
        size=flavor.size,
        flavor=flavor.id,
        image=disks.image,
        boot_drive_bytes=disks.boot_drive_bytes,
        is_local=disks.is_local,
        keeps_boot_drive=disks.keeps_boot_drive,
        volumes=disks.volumes,
        zone=_zone(call, sent.get("availability_zone")),
        group_id=hints.get("group"),
        security_groups=tuple(dict.fromkeys(named)) or DEFAULT_SECURITY_GROUPS,
        smp=flavor.vcpus,
        meta=sent.get("metadata", {}),
        tags=tuple(dict.fromkeys(sent.get("tags", ()))),
        attributes={NOTES: _notes(sent)},
    )


def _check_version(call: Call, sent: Mapping[str, Any]) -> None:
    early = [name for name, since in _SINCE.items() if name in sent and call.minor < since]
    if early:
        names = ", ".join(repr(name) for name in sorted(early))
        verb = "was" if len(early) == 1 else "were"
        message = f"Additional properties are not allowed ({names} {verb} unexpected)"
        raise bad_request(f"Invalid input for field/attribute server. Value: {dict(sent)}. {message}")
    if call.minor >= _NETWORKS_SINCE and "networks" not in sent:
        raise bad_request(
            f"Invalid input for field/attribute server. Value: {dict(sent)}. 'networks' is a required property"
        )
    networks = sent.get("networks")
    if call.minor < _NETWORKS_SINCE and isinstance(networks, str):
        message = f"{networks!r} is not of type 'array'"
        raise bad_request(f"Invalid input for field/attribute networks. Value: {networks}. {message}")
    if isinstance(networks, list) and networks:
        wanted = str(networks[0].get("uuid") or networks[0].get("port") or networks[0].get("fixed_ip") or "")
        raise bad_request(f"Network {wanted[:255]} could not be found.")


def _flavor(reference: str) -> Flavor:
    """By id, or by an address that ends in it."""
    id = reference.rstrip("/").rpartition("/")[2]
    flavor = find_flavor(id)
    if flavor is None:
        raise bad_request(f"Flavor {id} could not be found.")
    return flavor


def _image(id: str) -> Image:
    image = find_image(id)
    if image is None:
        raise bad_request("Can not find requested image")
    return image


def _zone(call: Call, name: str | None) -> str | None:
    """A zone is a cell. One that does not answer is not available."""
    if name is None:
        return None
    store = call.cloud.store
    if name not in store.cell_names or store.reachability(name).state is not ReachabilityState.UP:
        raise bad_request("The requested availability zone is not available")
    return name


def _notes(sent: Mapping[str, Any]) -> dict[str, Any]:
    notes: dict[str, Any] = {"disk_config": sent.get("OS-DCF:diskConfig", "MANUAL")}
    for name in ("accessIPv4", "accessIPv6", "description", "hostname", "key_name"):
        if sent.get(name) is not None:
            notes[name] = sent[name]
    if shapes.is_true(sent.get("config_drive")):
        notes["config_drive"] = "True"
    return notes


# ---------------------------------------------------------------------------------------------------------------- disks


def _disks(sent: Mapping[str, Any], flavor: Flavor) -> _Disks:
    disks = _Disks()
    for device in sorted(sent.get("block_device_mapping_v2", ()), key=_boot_order):
        _add_device(disks, device, flavor)
    if sent.get("imageRef"):
        image = _image(str(sent["imageRef"]).rstrip("/").rpartition("/")[2])
        if disks.image is None:
            disks.image = image
            disks.boot_drive_bytes = max(flavor.disk_bytes, image.size_bytes)
    if disks.image is None and not disks.volumes:
        raise bad_request("Invalid imageRef provided.")
    seen = [volume.drive_id for volume in disks.volumes]
    if len(set(seen)) < len(seen):
        raise bad_request("Block Device Mapping is Invalid: a volume is listed twice.")
    return disks


def _boot_order(device: Mapping[str, Any]) -> int:
    """What has no boot index, or a negative one, is not booted from."""
    index = device.get("boot_index")
    number = -1 if index is None else int(index)
    return number if number >= 0 else 1 << 30


def _add_device(disks: _Disks, device: Mapping[str, Any], flavor: Flavor) -> None:
    source, destination = device["source_type"], device.get("destination_type")
    is_deleted = shapes.is_true(device.get("delete_on_termination"))
    if source in ("volume", "image") and not device.get("uuid"):
        raise bad_request("Block Device Mapping is Invalid: Missing device UUID.")
    if source == "volume":
        disks.volumes.append(Volume(device["uuid"], is_deleted))
    elif source == "image" and disks.image is None:
        disks.image = _image(device["uuid"])
        disks.is_local = destination != "volume"
        if disks.is_local:
            disks.boot_drive_bytes = max(flavor.disk_bytes, disks.image.size_bytes)
        else:
            size_gib = int(device.get("volume_size", 0))
            if not 1 <= size_gib <= VOLUME_GIB_MAX or size_gib * GIB < disks.image.size_bytes:
                raise bad_request("Block Device Mapping is Invalid: the volume is too small for its image.")
            disks.boot_drive_bytes = size_gib * GIB
            disks.keeps_boot_drive = not is_deleted
    else:
        what = "a second image" if source == "image" else f"source_type {source}"
        raise bad_request(f"Block Device Mapping is Invalid: {what} is not supported by this cloud.")


# --------------------------------------------------------------------------------------------------------------- making


async def booted(call: Call, spec: BootSpec) -> Server:
    """Boot it, with what the cloud refuses in Nova's words. Raises WireError 400, 403."""
    try:
        return await boots.boot_server(call.cloud, call.account, spec)
    except NotFound as error:
        if error.kind == "drive":
            message = f"Block Device Mapping is Invalid: failed to get volume {error.id[:255]}."
            raise bad_request(message) from error
        raise bad_request(f"Instance group {error.id[:255]} could not be found.") from error
    except (WrongState, Conflict) as error:
        raise bad_request(f"Block Device Mapping is Invalid: {error}") from error
    except Invalid as error:
        raise bad_request(str(error)) from error
    except OverQuota as error:
        raise await _over_quota(call, error) from error


_RESOURCES = {
    "servers": ("instances", 1),
    "cpu": ("cores", VCPU_MHZ),
    "mem": ("ram", MIB),
    "storage": ("gigabytes", GIB),
}


async def _over_quota(call: Call, error: OverQuota) -> WireError:
    """403 in Nova's words. **Source**: `nova.exception.TooManyInstances`."""
    project_id = call.account.project_id

    def read(tx: CloudTransaction) -> dict[str, tuple[int | None, int]]:
        project = next(each for each in tx.projects() if each.id == project_id)
        used = tx.usage(project_id)
        return {
            "servers": (project.servers_max, used.servers),
            "cpu": (project.cpu_mhz_max, used.cpu_mhz),
            "mem": (project.memory_bytes_max, used.memory_bytes),
            "storage": (project.storage_bytes_max, used.storage_bytes),
        }

    limit, used = (await call.cloud.store.cloud_read(read))[error.resource]
    name, unit = _RESOURCES[error.resource]
    wanted, taken, most = -(-error.wanted // unit), -(-used // unit), (limit or 0) // unit
    message = f"Quota exceeded for {name}: Requested {wanted}, but already used {taken} of {most} {name}"
    return WireError(403, "over_quota", message)
