"""What servers and drives have beside themselves, and what they may have: interfaces, snapshots, limits, images."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class NicRecord(NamedTuple):
    """A network interface. `address` is the one that it has now; bytes are counted since its server was started."""

    mac: str
    configuration: str | None = None
    address: str | None = None
    vlan_id: str | None = None
    policy: str | None = None
    bytes_received: int | None = None
    bytes_sent: int | None = None


class NetworkChoices(NamedTuple):
    """What an interface may have: free addresses; private networks and policies as (id, name)."""

    addresses: tuple[str, ...] = ()
    vlans: tuple[tuple[str, str | None], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()


class SnapshotRecord(NamedTuple):
    """A drive as it was at an instant."""

    id: str
    name: str
    drive_id: str
    is_whole: bool = True
    created_at: datetime | None = None
    size_bytes: int | None = None
    tags: tuple[str, ...] = ()
    version: int | None = None


class RangeRecord(NamedTuple):
    least: int
    most: int


class Limits(NamedTuple):
    """What one server and one drive may have, and what the project may still take (None: as much as it likes)."""

    cpu_mhz: RangeRecord
    memory_bytes: RangeRecord
    drive_bytes: RangeRecord
    cpu_mhz_left: int | None = None
    memory_bytes_left: int | None = None
    storage_bytes_left: int | None = None


class ImageRecord(NamedTuple):
    """A drive of the library, which new ones are copies of."""

    id: str
    name: str
    size_bytes: int
