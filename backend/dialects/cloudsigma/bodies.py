"""What CloudSigma's clients send: validated here, in the published names.

Clients PUT back what they GOT, so fields that are read-only or unknown are ignored, and a reference may be a uuid or an
object with one. A field that is absent from a PUT keeps its value: `model_fields_set` tells absent from null.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    model_validator,
)

from backend.cloud.errors import Invalid
from backend.dialects.wire import INTEGER_MAX, validated

NAME_LENGTH_MAX = 255
META_KEY_LENGTH_MAX = 32
"""Source: CloudSigma API 2.0, "Meta"."""

SIZE_STEP_BYTES = 16 * 1024
"""Sizes of drives are rounded up to this, as the production cloud does."""


def _whole_number(value: Any) -> Any:
    """Clients send sizes as decimal text too. True is not 1, and 0.5 MHz is nobody's wish."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,20}", value, re.ASCII):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("Enter a whole number.")
    return value


def _reference(value: Any) -> Any:
    """The uuid of `"uuid"` or of `{"uuid": "..."}`."""
    return value.get("uuid") if isinstance(value, dict) else value


Whole = Annotated[int, Field(ge=0, le=INTEGER_MAX), BeforeValidator(_whole_number)]
Reference = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_reference)]
Text = Annotated[StrictStr, Field(max_length=NAME_LENGTH_MAX)]
Meta = Annotated[
    dict[
        Annotated[StrictStr, Field(min_length=1, max_length=META_KEY_LENGTH_MAX)],
        Annotated[StrictStr, Field(max_length=65_536)],
    ],
    Field(max_length=1024),
]


SMALL_META_CHARACTERS_MAX = 65_536
"""Of all keys and values of what lies centrally, so that it stays small."""


def _small(meta: dict[str, str]) -> dict[str, str]:
    if sum(len(key) + len(value) for key, value in meta.items()) > SMALL_META_CHARACTERS_MAX:
        raise ValueError(f"may have at most {SMALL_META_CHARACTERS_MAX:,} characters in all")
    return meta


def _port_text(value: Any) -> Any:
    """Clients send ports as numbers too."""
    return str(value) if type(value) is int else value


Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Tags = Annotated[list[Reference], Field(max_length=64)]


_NULLABLE = frozenset({"boot_order", "cpu_model"})


class Sent(BaseModel):
    """Null stands for a field that is not there, except where null is a value of its own."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: part for key, part in value.items() if part is not None or key in _NULLABLE}


class Mount(Sent):
    """A drive of a server. Without a channel it gets the next free one; without either it stays as it is."""

    drive: Reference
    boot_order: Annotated[int, Field(ge=1, le=1024)] | None = None
    dev_channel: Annotated[StrictStr, Field(pattern=r"^[0-9]{1,3}:[0-9]{1,3}$")] | None = None
    device: Literal["virtio", "ide"] = "virtio"

    @property
    def is_placed(self) -> bool:
        """Whether it says where it is attached, which nobody can tell while the drive's cell does not answer."""
        return not self.model_fields_set.isdisjoint(("device", "dev_channel"))


class IpConfiguration(Sent):
    conf: Literal["dhcp", "static", "manual"]
    ip: Reference | None = None


NicModel = Literal["virtio", "e1000", "i82551", "i82557b", "i82559er", "ne2k_pci", "pcnet", "rtl8139"]
"""Source: CloudSigma API 2.0, "NIC Models"."""


class Nic(Sent):
    mac: Text | None = None
    model: NicModel = "virtio"
    boot_order: Annotated[int, Field(ge=1, le=1024)] | None = None
    ip_v4_conf: IpConfiguration | None = None
    ip_v6_conf: IpConfiguration | None = None
    vlan: Reference | None = None
    firewall_policy: Reference | None = None


class ServerSent(Sent):
    """All four of name, cpu, mem and vnc_password are required, by POST and by PUT."""

    name: Text
    cpu: Whole
    mem: Whole
    vnc_password: Text
    smp: Annotated[int, Field(ge=1, le=32), BeforeValidator(_whole_number)] = 1
    is_grey: StrictBool = False
    cpu_perf_threshold: Threshold = 0.0
    mem_perf_threshold: Threshold = 0.0
    meta: Meta = {}
    tags: Tags = []
    drives: Annotated[list[Mount], Field(max_length=1024)] = []
    nics: Annotated[list[Nic], Field(max_length=64)] = []
    pubkeys: Annotated[list[Reference], Field(max_length=64)] = []
    cpu_type: Literal["amd", "intel"] = "amd"
    cpu_model: Text | None = None
    hypervisor: Literal["kvm"] = "kvm"
    requirements: Annotated[list[Text], Field(max_length=64)] = []
    context: StrictBool = True
    cpus_instead_of_cores: StrictBool = False
    enable_numa: StrictBool = False
    hv_relaxed: StrictBool = False
    hv_tsc: StrictBool = False
    auto_start: StrictBool = False


class ServerCloned(Sent):
    name: Text | None = None
    random_vnc_password: StrictBool = False


PLAIN_ATTRIBUTES = (
    "vnc_password",
    "cpu_type",
    "cpu_model",
    "hypervisor",
    "requirements",
    "context",
    "cpus_instead_of_cores",
    "enable_numa",
    "hv_relaxed",
    "hv_tsc",
    "auto_start",
)
"""Fields of a server that the cloud keeps as they are and does not interpret."""


class DriveSent(Sent):
    name: Text
    size: Whole
    media: Literal["disk", "cdrom"]
    meta: Meta = {}
    tags: Tags = []
    storage_type: Literal["dssd"] = "dssd"
    allow_multimount: StrictBool = False
    affinities: Annotated[list[Text], Field(max_length=64)] = []


class DriveEdited(DriveSent):
    """A PUT may leave out what it does not change."""

    name: Text = ""
    size: Whole = 0
    media: Literal["disk", "cdrom"] = "disk"


class DriveCloned(Sent):
    name: Text | None = None
    media: Literal["disk", "cdrom"] | None = None
    size: Whole | None = None
    storage_type: Literal["dssd"] | None = None
    affinities: Annotated[list[Text], Field(max_length=64)] | None = None


class DriveResized(DriveEdited):
    """Another size is what it is about."""

    size: Whole


class SnapshotSent(Sent):
    drive: Reference
    name: Text | None = None
    meta: Meta = {}
    tags: Tags = []


class SnapshotEdited(SnapshotSent):
    """Of which drive it is does not change."""

    drive: Reference = ""


SmallMeta = Annotated[Meta, AfterValidator(_small)]
Name = Annotated[StrictStr, Field(max_length=NAME_LENGTH_MAX)]


class TagSent(Sent):
    """Clients send names of tags beside uuids of what carries them."""

    name: Name
    meta: SmallMeta = {}
    resources: Annotated[list[Reference], Field(max_length=10_000)] = []


class TagEdited(TagSent):
    name: Name = ""


class AddressEdited(Sent):
    meta: SmallMeta = {}
    tags: Tags = []


class VlanEdited(Sent):
    meta: SmallMeta = {}
    tags: Tags = []


class Rule(Sent):
    action: Literal["accept", "drop"]
    direction: Literal["in", "out", "both"]
    comment: Annotated[StrictStr, Field(max_length=1024)] | None = None
    ip_proto: Literal["tcp", "udp"] | None = None
    src_ip: Text | None = None
    dst_ip: Text | None = None
    src_port: Annotated[StrictStr, BeforeValidator(_port_text)] | None = None
    dst_port: Annotated[StrictStr, BeforeValidator(_port_text)] | None = None


class PolicySent(Sent):
    name: Name = ""
    rules: Annotated[list[Rule], Field(max_length=1024)] = []
    meta: SmallMeta = {}
    tags: Tags = []


class KeyPairSent(Sent):
    name: Name
    public_key: Annotated[StrictStr, Field(max_length=16_384)] = ""
    private_key: Annotated[StrictStr, Field(max_length=65_536)] = ""
    meta: SmallMeta = {}
    tags: Tags = []


class KeyPairEdited(KeyPairSent):
    name: Name = ""


class ProfileEdited(Sent):
    """Source: CloudSigma API 2.0, "Profile", "Schema": what is not read-only there."""

    address: Text = ""
    clone_naming: Literal["NONE", "COUNTER", "DATE", "TIMESTAMP"] = "NONE"
    company: Text = ""
    country: Text = ""
    first_name: Text = ""
    key_auth: StrictBool = False
    language: Text = "EN"
    last_name: Text = ""
    mailing_list: StrictBool = True
    meta: SmallMeta = {}
    my_notes: Annotated[StrictStr, Field(max_length=16_384)] = ""
    nickname: Text = ""
    phone: Text = ""
    postcode: Text = ""
    title: Text = ""
    town: Text = ""
    vat: Text = ""


class LoginSent(Sent):
    username: Text
    password: Text


DRIVE_ATTRIBUTES = ("storage_type", "allow_multimount", "affinities")


def objects_of(content: Any) -> list[Any]:
    """The objects of a create: `{"objects": [...]}`, a bare list, or one bare object. Raises Invalid."""
    if isinstance(content, dict) and "objects" in content:
        content = content["objects"]
    found = content if isinstance(content, list) else [content]
    if not found or not all(isinstance(each, dict) for each in found):
        raise Invalid("objects", "must be one object or a list of them")
    return found


def uuids_of(content: Any) -> list[str]:
    """Of a bulk delete: those of `{"objects": [...]}` or a bare list, as text or as objects. Raises Invalid."""
    found = content.get("objects") if isinstance(content, dict) else content
    if not isinstance(found, list) or not found:
        raise Invalid("objects", "must be a list of what is to be deleted")
    uuids = [_reference(each) for each in found]
    if not all(isinstance(uuid, str) and 0 < len(uuid) <= 255 for uuid in uuids):
        raise Invalid("objects", "must be UUIDs, or objects with one")
    return list(dict.fromkeys(uuid.lower() for uuid in uuids))


def servers_sent(content: Any) -> list[ServerSent]:
    return [validated(ServerSent, each) for each in objects_of(content)]


def drives_sent(content: Any) -> list[DriveSent]:
    return [validated(DriveSent, each) for each in objects_of(content)]


def rounded_size(size_bytes: int) -> int:
    return -(-size_bytes // SIZE_STEP_BYTES) * SIZE_STEP_BYTES


def channels(mounts: list[Mount]) -> list[tuple[Mount, str]]:
    """Each mount with its channel: the one that it names, or the first free unit of its device.

    Source: CloudSigma API 2.0, servers on KVM: ide has 2 controllers of 2 units, virtio 6 units a controller.

    Raises:
        Invalid: a channel that the device does not have, or one that is named twice; a drive that is listed twice.
    """
    taken: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for mount in mounts:
        if mount.drive in seen:
            raise Invalid("drives", f"drive {mount.drive} is listed twice")
        seen.add(mount.drive)
        if mount.dev_channel is None:
            continue
        controller, _, unit = mount.dev_channel.partition(":")
        controllers, units = (2, 2) if mount.device == "ide" else (256, 6)
        if not (int(controller) < controllers and int(unit) < units):
            raise Invalid("dev_channel", f"{mount.device} has no channel {mount.dev_channel}")
        if (mount.device, mount.dev_channel) in taken:
            raise Invalid("dev_channel", f"{mount.device} channel {mount.dev_channel} is used twice")
        taken.add((mount.device, mount.dev_channel))
    found = []
    for mount in mounts:
        channel = mount.dev_channel
        if channel is None:
            units, count = (2, 4) if mount.device == "ide" else (6, 1536)
            free = (f"{number // units}:{number % units}" for number in range(count))
            channel = next((each for each in free if (mount.device, each) not in taken), None)
            if channel is None:
                raise Invalid("dev_channel", f"{mount.device} has no free channel")
            taken.add((mount.device, channel))
        found.append((mount, channel))
    return found
