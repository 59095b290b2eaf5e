"""What a backup of a server needs of a flavor, and what that server had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from backend.cloud.catalogue import FLAVORS, Flavor
from backend.cloud.errors import Invalid
from backend.cloud.model import VCPU_MHZ, Backup


def disks_of(backup: Backup) -> list[Mapping[str, Any]]:
    return [each for each in backup.contents.get("drives", ()) if each.get("media", "disk") == "disk"]


class SourceSize(NamedTuple):
    """What a server had when it was backed up."""

    vcpus: int
    """As many as give the CPU that it had."""
    memory_bytes: int


def source_of(backup: Backup) -> SourceSize:
    told = backup.contents.get("server", {})
    return SourceSize(-(-int(told.get("cpu_mhz", 0)) // VCPU_MHZ), int(told.get("memory_bytes", 0)))


def largest_disk_bytes(backup: Backup) -> int:
    """Of its drives, which come back as large as they were whatever the disk of a flavor."""
    return max((int(each["size_bytes"]) for each in disks_of(backup)), default=0)


def disk_bytes_needed(backup: Backup) -> int:
    """What the disk of a flavor has to hold: the drive that the server boots from.

    Simplified: of a drive that no flavor's disk would hold, those with the largest disk are large enough.
    """
    disks = disks_of(backup)
    return min(int(disks[0]["size_bytes"]) if disks else 0, max(each.disk_bytes for each in FLAVORS))


def check_flavor(backup: Backup, flavor: Flavor) -> None:
    """Raises Invalid where its disk would not hold what it has to."""
    needed = disk_bytes_needed(backup)
    if flavor.disk_bytes < needed:
        fitting = ", ".join(each.name for each in FLAVORS if each.disk_bytes >= needed)
        raise Invalid(
            "flavor",
            f"the flavor {flavor.name} has a disk of {flavor.disk_gib} GiB, and the drive to restore has"
            f" {needed / 2**30:.1f} GiB: choose one of {fitting}",
        )
