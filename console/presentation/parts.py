"""What is asked and said of what hangs on servers and drives: interfaces, snapshots, names with tags and meta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.presentation import creating, figures, labels
from console.presentation.creating import Field, Wrong
from console.presentation.facts import Fact, fact
from console.presentation.lines import Frame, Glyphs, Line, Span, Tone
from console.presentation.picking import Option
from console.records import DriveRecord, HostRecord
from console.records_parts import Limits, NetworkChoices, NicRecord, SnapshotRecord

NO_POLICY = "none"

# Names, tags and meta ------------------------------------------------------------------------------------------------


def label_fields(name: str, tags: Sequence[str], meta: Mapping[str, str]) -> tuple[Field, ...]:
    """What is asked in order to edit a server or a drive, as it is now."""
    return (
        Field("name", "name", creating.read_name, "what to call it", text=name),
        Field("tags", "tags", labels.read_tags, 'commas between; a tag with a comma stands in "quotes"',
              text=labels.tags_text(tags)),
        Field("meta", "meta", labels.read_meta, 'key=value, commas between; "quotes" around a value with a comma',
              text=labels.meta_text(meta)),
    )  # fmt: skip


def edited(before: str, changes: Mapping[str, Any]) -> str:
    """What became of an edit, in a sentence."""
    others = [name for name in ("tags", "meta") if name in changes]
    if "name" not in changes:
        return f"{before}: {' and '.join(others)} changed"
    end = f", {' and '.join(others)} changed" if others else ""
    return f"{before} is called {changes['name']} now{end}"


# Sizes of drives -----------------------------------------------------------------------------------------------------


def drive_size_field(drive: DriveRecord, limits: Limits, host: HostRecord | None) -> Field:
    """What is asked in order to resize a drive: it only grows. `host` is its storage host, where that is known."""
    now = drive.size_bytes or 0
    most = limits.drive_bytes.most
    parts = [f"it has {figures.amount_of_bytes(now)} and only grows, to {figures.amount_of_bytes(most)} at most"]
    if limits.storage_bytes_left is not None:
        parts.append(f"the project has {figures.gib(limits.storage_bytes_left)} GiB left")
    if host is not None and host.storage_bytes is not None:
        free = max(0, host.storage_bytes - (host.used_bytes or 0))
        parts.append(f"{host.name} has room for {figures.gib(free)} GiB more")
    within = creating.within(creating.read_size, 0, most, figures.amount_of_bytes)

    def read(text: str) -> Any:
        value = within(text)
        if isinstance(value, int) and value <= now:
            shown = figures.amount_of_bytes(now)
            return Wrong(f"{text.strip()} is not more than the {shown} that it has; a drive only grows")
        return value

    return Field("size_bytes", "size", read, "; ".join(parts), text=figures.amount_of_bytes(now))


# Network interfaces --------------------------------------------------------------------------------------------------

_VLAN = "private network"


def nic_fields(choices: NetworkChoices) -> tuple[Field, ...]:
    """What is asked about a new interface. What the project has none of is not offered."""
    kinds = ["dhcp", *(["static"] if choices.addresses else []), *([_VLAN] if choices.vlans else []), "manual"]
    note = "left and right choose" + ("" if choices.addresses else "; no address is free, so static is not offered")
    fields = [Field("network", "network", str, note, tuple(kinds))]
    if choices.addresses:
        fields.append(Field("address", "address", str, "of static: a free one of the project", choices.addresses))
    if choices.vlans:
        fields.append(
            Field("vlan_id", "VLAN", str, "of a private network", tuple(_titled(*each) for each in choices.vlans))
        )
    if choices.policies:
        names = (NO_POLICY, *(_titled(*each) for each in choices.policies))
        fields.append(Field("policy_id", "firewall", str, "rules for what goes through it", names))
    return tuple(fields)


def nic_body(given: Mapping[str, Any], choices: NetworkChoices) -> dict[str, Any]:
    """What is sent: only what belongs to the network that was chosen."""
    policies = {_titled(*each): each[0] for each in choices.policies}
    vlans = {_titled(*each): each[0] for each in choices.vlans}
    body: dict[str, Any] = {}
    match given["network"]:
        case "static":
            body = {"configuration": "static", "address": given["address"]}
        case kind if kind == _VLAN:
            body = {"vlan_id": vlans[given["vlan_id"]]}
        case kind:
            body = {"configuration": kind}
    policy = policies.get(given.get("policy_id", NO_POLICY))
    return body if policy is None else {**body, "policy_id": policy}


def _titled(id: str, name: str | None) -> str:
    """Two may have one name: the start of the id tells them apart."""
    return f"{name} ({id[:8]})" if name else id


def nic_options(nics: Sequence[NicRecord], text: str) -> list[Option]:
    wanted = text.casefold().strip()
    return [
        Option(nic.mac, nic.mac, nic_words(nic)) for nic in nics if wanted in f"{nic.mac} {nic_words(nic)}".casefold()
    ]


def nic_words(nic: NicRecord) -> str:
    """Where it leads, and what of it is known."""
    parts = [f"VLAN {nic.vlan_id[:8]}" if nic.vlan_id else nic.configuration or "not connected"]
    if nic.address is not None:
        parts.append(nic.address)
    if nic.policy is not None:
        parts.append(f"firewall {nic.policy}")
    return "   ".join(parts)


def nic_facts(nics: Sequence[NicRecord], glyphs: Glyphs) -> list[Fact]:
    if not nics:
        return [fact("NICs", "none", glyphs, Tone.MUTED)]
    return [Fact("NICs" if place == 0 else "", _nic_line(nic)) for place, nic in enumerate(nics)]


def _nic_line(nic: NicRecord) -> Line:
    traffic = ""
    if nic.bytes_received is not None and nic.bytes_sent is not None:
        traffic = f"   {_amount(nic.bytes_received)} in, {_amount(nic.bytes_sent)} out"
    return (Span(nic.mac), Span(f"   {nic_words(nic)}"), Span(traffic, Tone.MUTED))


def _amount(size_bytes: int) -> str:
    """Of traffic: one decimal, in the unit that leaves at least one before the point."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} B"


# Snapshots -----------------------------------------------------------------------------------------------------------


def snapshot_facts(snapshots: Sequence[SnapshotRecord], frame: Frame) -> list[Fact]:
    """The newest first."""
    if not snapshots:
        return [fact("snapshots", "none", frame.glyphs, Tone.MUTED)]
    newest = sorted(snapshots, key=lambda each: (str(each.created_at), each.id), reverse=True)
    return [
        Fact(
            "snapshots" if place == 0 else "", (Span(each.name), Span(f"   {snapshot_words(each, frame)}", Tone.MUTED))
        )
        for place, each in enumerate(newest)
    ]


def snapshot_options(snapshots: Sequence[SnapshotRecord], text: str, frame: Frame) -> list[Option]:
    """The newest first."""
    wanted = text.casefold().strip()
    newest = sorted(snapshots, key=lambda each: (str(each.created_at), each.id), reverse=True)
    return [
        Option(each.id, each.name, snapshot_words(each, frame)) for each in newest if wanted in each.name.casefold()
    ]


def snapshot_words(snapshot: SnapshotRecord, frame: Frame) -> str:
    parts = ["" if snapshot.is_whole else "being made"]
    if snapshot.created_at is not None:
        parts.append(
            f"{figures.instant(snapshot.created_at, frame.now)} ({figures.age_since(snapshot.created_at, frame.now)})"
        )
    if snapshot.size_bytes is not None:
        parts.append(f"{figures.gib(snapshot.size_bytes)} GiB")
    parts.extend(snapshot.tags[:2])
    return "   ".join(part for part in parts if part)


def snapshot_fields(drive: str, frame: Frame) -> tuple[Field, ...]:
    """What is asked about a new snapshot."""
    end = f"-{frame.now:%Y%m%d-%H%M}"
    name = drive[: creating.NAME_LENGTH_MAX - len(end)] + end
    return (
        Field("name", "name", creating.read_name, "what to call the snapshot", text=name),
        Field("tags", "tags", labels.read_tags, "commas between; may be empty"),
    )


def copy_fields(snapshot: SnapshotRecord, name: str, limits: Limits) -> tuple[Field, ...]:
    """What is asked about a drive that begins as a snapshot."""
    least, most = snapshot.size_bytes or limits.drive_bytes.least, limits.drive_bytes.most
    read = creating.within(creating.read_size, least, most, figures.amount_of_bytes)
    note = f"{figures.amount_of_bytes(least)}, which is the snapshot's, or more"
    return (
        Field("name", "name", creating.read_name, "what to call the new drive", text=name),
        Field("size_bytes", "size", read, note, text=figures.amount_of_bytes(least)),
    )
