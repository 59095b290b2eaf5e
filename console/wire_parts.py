"""Answers of `/ops/v1` about what servers and drives have beside themselves, as records."""

from __future__ import annotations

from console import wire
from console.records import DriveDetail, ServerDetail
from console.records_parts import ImageRecord, Limits, NetworkChoices, NicRecord, RangeRecord, SnapshotRecord
from console.wire import Body, instant, many


def server_detail(body: Body) -> ServerDetail:
    return wire.server_detail(body)._replace(nics=nics(body))


def nics(body: Body) -> tuple[NicRecord, ...]:
    return many(_nic, body.get("nics"))


def _nic(row: Body) -> NicRecord:
    get = row.get
    return NicRecord(
        mac=row["mac"],
        configuration=get("configuration"),
        address=get("address"),
        vlan_id=get("vlan_id"),
        policy=get("policy_name") or get("policy_id"),
        bytes_received=get("bytes_received"),
        bytes_sent=get("bytes_sent"),
    )


def network_choices(body: Body) -> NetworkChoices:
    return NetworkChoices(
        tuple(body.get("addresses") or ()),
        tuple((row["id"], row.get("name")) for row in body.get("vlans") or ()),
        tuple((row["id"], row["name"]) for row in body.get("policies") or ()),
    )


def drive_detail(body: Body) -> DriveDetail:
    return wire.drive_detail(body)._replace(snapshots=snapshots(body))


def snapshots(body: Body) -> tuple[SnapshotRecord, ...]:
    return many(snapshot, body.get("snapshots"))


def snapshot(row: Body) -> SnapshotRecord:
    get = row.get
    return SnapshotRecord(
        id=row["id"],
        name=row["name"],
        drive_id=row["drive_id"],
        is_whole=get("state", "available") == "available",
        created_at=instant(get("created_at")),
        size_bytes=get("size_bytes"),
        tags=tuple(get("tags") or ()),
        version=get("version"),
    )


def limits(body: Body) -> Limits:
    left = body.get("left") or {}
    return Limits(
        _range(body["cpu_mhz"]),
        _range(body["memory_bytes"]),
        _range(body["drive_bytes"]),
        left.get("cpu_mhz"),
        left.get("memory_bytes"),
        left.get("storage_bytes"),
    )


def _range(row: Body) -> RangeRecord:
    return RangeRecord(int(row["min"]), int(row["max"]))


def images(body: Body) -> tuple[ImageRecord, ...]:
    return tuple(ImageRecord(row["id"], row["name"], int(row["size_bytes"])) for row in body["images"])
