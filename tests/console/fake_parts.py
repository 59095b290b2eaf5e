"""What the cloud in memory answers about interfaces, snapshots, limits and the library."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from console.client import ClientError
from console.records import DecisionRecord, DriveRecord, OutcomeRecord, PlanRecord, ResizedRecord
from console.records_parts import (
    ImageRecord,
    Limits,
    NetworkChoices,
    NicRecord,
    RangeRecord,
    SnapshotRecord,
)
from console.records_room import TrialRecord, WhatIfRecord

GIB = 2**30
NICS = (
    NicRecord("22:aa:00:00:00:01", "dhcp", "100.64.0.2", None, "web [b]rules[/]", 3 * 2**20, 5 * 2**30),
    NicRecord("22:aa:00:00:00:02", None, None, "1e8a6100-0000-4000-8000-000000001595"),
)
SNAPSHOTS = tuple(
    SnapshotRecord(f"5{n}", name, "d0000091", is_whole, datetime(2026, 11, 20, 8 + n, tzinfo=UTC), 20 * GIB, (), n)
    for n, name, is_whole in ((1, "nightly", True), (2, "before [red]upgrade", False))
)
LIMITS = Limits(
    RangeRecord(250, 96_000),
    RangeRecord(2**28, 520 * GIB),
    RangeRecord(GIB // 2, 15_000 * GIB),
    cpu_mhz_left=40_000,
    memory_bytes_left=80 * GIB,
    storage_bytes_left=100 * GIB,
)


class FakeParts:
    """Mixed into the cloud in memory, which remembers requests and refuses."""

    nics: tuple[NicRecord, ...] = NICS
    snapshots: tuple[SnapshotRecord, ...] = SNAPSHOTS
    choices = NetworkChoices(
        ("198.18.0.2", "198.18.0.3"),
        (("1e8a6100-0000-4000-8000-000000001595", "office"),),
        (("f0000001-0000-4000-8000-000000000000", "web [b]rules[/]"),),
    )
    image_records = (ImageRecord("img-1", "debian-12", 10 * GIB),)
    creation: PlanRecord | None = None
    refusal: ClientError | None = None

    async def what_if(self, fields: Mapping[str, Any]) -> WhatIfRecord:
        await self._request("what_if", dict(fields))
        if self.refusal is not None:
            raise self.refusal
        asked = int(fields["count"])
        trials = tuple(TrialRecord(n, "cell-1", DecisionRecord("c1-h02", "room")) for n in range(1, asked + 1))
        words = "It finds a host." if asked == 1 else f"All {asked} servers find a host."
        return WhatIfRecord(asked, asked, trials, sentences=(words,))

    async def _request(self, *request: Any) -> None:
        raise NotImplementedError

    async def _verb(self, *request: Any) -> None:
        await self._request(*request)
        if self.refusal is not None:
            raise self.refusal

    async def limits(self, project_id: str | None = None) -> Limits:
        await self._request("limits", project_id)
        return LIMITS

    async def images(self) -> tuple[ImageRecord, ...]:
        await self._request("images")
        return self.image_records

    async def network_choices(self, server_id: str) -> NetworkChoices:
        await self._request("network_choices", server_id)
        return self.choices

    async def preview_creation(self, fields: Mapping[str, Any]) -> PlanRecord:
        await self._verb("preview_creation", dict(fields))
        decision = DecisionRecord("c1-h02", "disruption", (), 1, runner_up="c1-h01")
        shrunk = ResizedRecord("r1", "render-31", 1.0, 0.5, 1.0, 1.0)
        sentences = (f"{fields['name']} is made in cell-1 and stays stopped, holding no room.",)
        return self.creation or PlanRecord("create", "", decision=decision, shrinks=(shrunk,), sentences=sentences)

    async def attach_nic(
        self, server_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[NicRecord, ...]:
        await self._verb("attach_nic", server_id, dict(fields))
        given = {name: fields.get(name) for name in ("configuration", "address", "vlan_id")}
        self.nics = (*self.nics, NicRecord("22:aa:00:00:00:03", **given))
        return self.nics

    async def detach_nic(self, server_id: str, mac: str) -> tuple[NicRecord, ...]:
        await self._verb("detach_nic", server_id, mac)
        self.nics = tuple(nic for nic in self.nics if nic.mac != mac)
        return self.nics

    async def take_snapshot(
        self, drive_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> SnapshotRecord:
        await self._verb("take_snapshot", drive_id, dict(fields))
        taken = SnapshotRecord("s9", fields["name"], drive_id, is_whole=False, tags=tuple(fields["tags"]))
        self.snapshots = (*self.snapshots, taken)
        return taken

    async def act_on_snapshot(
        self, snapshot_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> OutcomeRecord:
        await self._verb("act_on_snapshot", snapshot_id, action, fields)
        if action == "delete":
            self.snapshots = tuple(each for each in self.snapshots if each.id != snapshot_id)
            return OutcomeRecord()
        return OutcomeRecord(drive=DriveRecord("d-copy", fields["name"], "cell-1", "cloning_dst", host="c1-s02"))
