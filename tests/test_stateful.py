"""Anything in any order: a machine that makes up whole lives of a small cloud, shrinks those that go wrong, and has the
whole folder checked after every step.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backend import check as checking
from backend.cloud.catalogue import IMAGES, Image
from backend.cloud.errors import CloudError
from backend.cloud.model import GIB, Drive, ReachabilityState, Size
from backend.operations import (
    boots,
    cells,
    clones,
    consoles,
    drains,
    drives,
    editing,
    library,
    losses,
    resizing,
    server_groups,
    servers,
    snapshots,
)
from backend.operations.drives import DriveSpec
from backend.operations.editing import ServerChanges
from backend.operations.snapshots import SnapshotSpec
from tests.backend.support import Harness, make_folder, opened
from tests.test_simulation import check, check_storage

T = TypeVar("T")

VCPUS = st.sampled_from((1, 1, 2, 4, 6, 8))
"""Of hosts of 8: ties and servers that fill a host are what goes wrong."""
HOSTS = st.sampled_from(("c1-h1", "c1-h2", "c1-h1", "c1-h2", "c2-h1", "s1-1", "s1-2", "s2-1"))
NUMBER = st.integers(0, 11)
"""Which server or drive, of those that were made: also ones that are gone."""
NUMBERS = st.lists(NUMBER, max_size=3)
CELLS = st.sampled_from(("cell-1", "cell-1", "cell-1", "cell-2"))
"""Most of it happens in one, so that it is full."""


class Life(RuleBasedStateMachine):
    """A refusal is an answer like any other; what may not happen is in the invariants."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "data"
        self.on: Harness | None = None
        self.servers: list[str] = []
        self.drives: list[str] = []
        self.snapshots: list[str] = []
        self.groups: dict[str, str] = {}

    def server(self, number: int) -> str:
        return self.servers[number % len(self.servers)] if self.servers else "none"

    def drive(self, number: int) -> str:
        return self.drives[number % len(self.drives)] if self.drives else "none"

    def some(self, numbers: list[int]) -> tuple[str, ...]:
        """Servers, and drives among them."""
        return tuple(self.drive(number) if number % 3 == 2 else self.server(number) for number in numbers)

    def run(self, deed: Coroutine[Any, Any, T]) -> T | None:
        try:
            return self.runner.run(deed)
        except CloudError:
            return None

    @property
    def harness(self) -> Harness:
        assert self.on is not None
        return self.on

    @property
    def asks(self) -> tuple[Any, Any]:
        return self.harness.cloud, self.harness.operator

    def open(self) -> None:
        self.opening = opened(self.folder)
        self.on = self.runner.run(self.opening.__aenter__())

    def close(self) -> None:
        self.runner.run(self.harness.engine.save_clock())
        self.runner.run(self.opening.__aexit__(None, None, None))
        self.on = None

    @initialize(
        floor_permille=st.sampled_from((250, 500, 1000)),
        level=st.sampled_from((1000, 750)),
        first=st.lists(st.tuples(VCPUS, st.booleans()), min_size=4, max_size=12),
    )
    def begin(self, floor_permille: int, level: int, first: list[tuple[int, bool]]) -> None:
        make_folder(
            self.folder,
            capacity=Size(16_000, 16 * GIB),
            settings={"floor_permille": floor_permille, "start_level_permille": level, "grace_seconds": 10},
        )
        self.open()
        for vcpus, is_backfilling in first:
            self.create_and_start(vcpus, is_backfilling, "cell-1", [])
        self.advance(11)

    def teardown(self) -> None:
        try:
            if self.on is not None:
                self.end_well()
                self.close()
        finally:
            self.runner.close()
            self.stack.close()

    def end_well(self) -> None:
        """Every cell answers again and time passes: nothing is left that does not fit together."""
        for cell in self.harness.cloud.store.cell_names:
            self.run(cells.inject(*self.asks, cell, ReachabilityState.UP))
        self.runner.run(self.harness.engine.advance(600))
        self.runner.run(check(self.harness))
        self.runner.run(check_storage(self.harness))

    # What is asked. Of the rules one is as likely as another, so what matters most has a rule of its own.

    def create_and_start(self, vcpus: int, is_backfilling: bool, cell: str, avoid: list[int]) -> None:
        made = self.run(self.harness.server("s", vcpus=vcpus, gib=vcpus, is_backfilling=is_backfilling, cell=cell))
        if made is not None:
            self.servers.append(made.id)
            self.run(servers.start_server(*self.asks, made.id, avoid=self.some(avoid)))

    @rule(vcpus=VCPUS, cell=CELLS, avoid=NUMBERS)
    def add_normal(self, vcpus: int, cell: str, avoid: list[int]) -> None:
        self.create_and_start(vcpus, False, cell, avoid)

    @rule(vcpus=VCPUS, cell=CELLS, avoid=NUMBERS)
    def add_backfilling(self, vcpus: int, cell: str, avoid: list[int]) -> None:
        self.create_and_start(vcpus, True, cell, avoid)

    @rule(number=NUMBER, avoid=NUMBERS)
    def start(self, number: int, avoid: list[int]) -> None:
        self.run(servers.start_server(*self.asks, self.server(number), avoid=self.some(avoid)))

    @rule(number=NUMBER, action=st.sampled_from(("stop", "shutdown")))
    def stop(self, number: int, action: str) -> None:
        self.run(servers.stop_server(*self.asks, self.server(number), action=action))

    @rule(
        number=NUMBER,
        vcpus=st.none() | VCPUS,
        is_backfilling=st.none() | st.booleans(),
        restarts=st.none() | st.booleans(),
    )
    def edit(self, number: int, vcpus: int | None, is_backfilling: bool | None, restarts: bool | None) -> None:
        size = None if vcpus is None else Size(vcpus * 2000, vcpus * GIB)
        changes = ServerChanges(size=size, is_backfilling=is_backfilling, restarts=restarts)
        self.run(editing.edit_server(*self.asks, self.server(number), changes))

    @rule(number=NUMBER, deed=st.sampled_from(("want all back", "delete", "delete with drives")))
    def change_server(self, number: int, deed: str) -> None:
        if deed == "want all back":
            for id in self.servers:
                self.run(editing.edit_server(*self.asks, id, ServerChanges(restarts=True)))
        else:
            recurse = "all_drives" if deed == "delete with drives" else "none"
            self.run(servers.delete_server(*self.asks, self.server(number), recurse=recurse))

    @rule(
        deed=st.sampled_from(("create", "create", "clone", "detach", "delete")),
        number=NUMBER,
        cell=CELLS,
        avoid=NUMBERS,
        onto=NUMBER,
    )
    def change_drive(self, deed: str, number: int, cell: str, avoid: list[int], onto: int) -> None:
        match deed:
            case "create":
                spec = DriveSpec("disk", 10 * GIB, cell=cell, avoid=self.some(avoid))
                drive = self.run(drives.create_drive(*self.asks, spec))
                if drive is not None:
                    self.drives.append(drive.id)
                    self.advance(3)
                    self.run(drives.attach_drive(*self.asks, drive.id, self.server(onto)))
            case "clone":
                begun = self.run(clones.clone_drive(*self.asks, self.drive(number), avoid=self.some(avoid)))
                if begun is not None:
                    self.drives.append(begun.drive.id)
            case "detach":
                self.run(drives.detach_drive(*self.asks, self.drive(number)))
            case _:
                self.run(drives.delete_drive(*self.asks, self.drive(number)))

    @rule(
        deed=st.sampled_from(("resize", "snapshot", "clone snapshot", "copy image", "reset", "console")),
        number=NUMBER,
        avoid=NUMBERS,
        gib=st.sampled_from((11, 40, 990, 1000)),
    )
    def change_published(self, deed: str, number: int, avoid: list[int], gib: int) -> None:
        match deed:
            case "resize":
                self.run(resizing.resize_drive(*self.asks, self.drive(number), gib * GIB))
            case "snapshot":
                taken = self.run(snapshots.create_snapshots(*self.asks, [SnapshotSpec(self.drive(number))]))
                self.snapshots += [snapshot.id for snapshot in taken or ()]
            case "clone snapshot":
                snapshot_id = self.snapshots[number % len(self.snapshots)] if self.snapshots else "none"
                begun = self.run(snapshots.clone_snapshot(*self.asks, snapshot_id, avoid=self.some(avoid)))
                self.drives += [] if begun is None else [begun.drive.id]
            case "copy image":
                spec = DriveSpec("copy", gib * GIB, avoid=self.some(avoid))
                made = self.run(library.clone_image(*self.asks, IMAGES[number % len(IMAGES)], spec))
                self.drives += [] if made is None else [made.id]
            case "reset":
                self.run(consoles.restart_server(*self.asks, self.server(number)))
            case _:
                self.run(consoles.open_console(*self.asks, self.server(number), "vnc"))

    @rule(
        vcpus=VCPUS,
        image=st.none() | st.sampled_from(IMAGES),
        number=NUMBER,
        is_kept=st.booleans(),
        group=st.none() | st.sampled_from(("anti-affinity", "soft-anti-affinity")),
    )
    def boot(self, vcpus: int, image: Image | None, number: int, is_kept: bool, group: str | None) -> None:
        if group is not None and group not in self.groups:
            made = self.run(server_groups.create_group(*self.asks, group, is_hard=group == "anti-affinity"))
            assert made is not None
            self.groups[group] = made.id
        spec = boots.BootSpec(
            name="booted",
            size=Size(vcpus * 2000, vcpus * GIB),
            flavor="1",
            image=image,
            boot_drive_bytes=0 if image is None else 10 * GIB,
            is_local=not is_kept,
            keeps_boot_drive=is_kept,
            volumes=() if image is not None and number % 2 else (boots.Volume(self.drive(number), not is_kept),),
            group_id=None if group is None else self.groups[group],
        )
        server = self.run(boots.boot_server(*self.asks, spec))
        if server is not None:
            self.servers.append(server.id)
            self.drives += [drive.id for drive in self.drives_now(server.id)]

    def drives_now(self, server_id: str) -> list[Drive]:
        return (self.run(drives.drives_of(self.harness.cloud, [server_id])) or {}).get(server_id, [])

    @rule(number=NUMBER, deed=st.sampled_from(("delete", "start", "reboot", "drop groups")))
    def change_booted(self, number: int, deed: str) -> None:
        match deed:
            case "delete":
                self.run(boots.delete_server(*self.asks, self.server(number)))
            case "start":
                entry = self.run(servers.entry_for(*self.asks, self.server(number)))
                if entry is not None:
                    self.run(boots.start_member(*self.asks, entry))
            case "reboot":
                self.run(boots.reboot_server(*self.asks, self.server(number), is_hard=True))
            case _:
                for id in self.groups.values():
                    self.run(server_groups.delete_group(*self.asks, id))
                self.groups.clear()

    # What happens

    @rule(seconds=st.sampled_from((1, 3, 9, 11, 61)))
    def advance(self, seconds: int) -> None:
        self.runner.run(self.harness.engine.advance(seconds))

    @rule(host=HOSTS, deed=st.sampled_from(("fail", "recover", "recover", "drain", "evacuate")))
    def change_host(self, host: str, deed: str) -> None:
        match deed:
            case "fail":
                self.run(losses.fail_host(self.harness.cloud, "operator", host))
            case "recover":
                self.run(losses.recover_host(self.harness.cloud, "operator", host))
            case _:
                self.run(drains.drain_host(self.harness.cloud, "operator", host))
                if deed == "evacuate":
                    self.run(drains.evacuate_host(self.harness.cloud, "operator", host))

    @rule(cell=CELLS, deed=st.sampled_from(("down", "up", "up", "restart", "restart")))
    def change_cell(self, cell: str, deed: str) -> None:
        if deed == "restart":
            self.close()
            self.open()
        else:
            self.run(cells.inject(*self.asks, cell, deed))

    # What holds

    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        if self.on is None:
            return
        self.runner.run(check(self.on))
        assert checking.check(self.folder).breach is None


class LongLife(Life):
    """The same, for as long as it takes."""


def _lives(count: int, *, steps: int) -> settings:
    return settings(
        max_examples=count, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )


Life.TestCase.settings = _lives(8, steps=30)
LongLife.TestCase.settings = _lives(400, steps=60)
TestLife = Life.TestCase
TestLongLife = pytest.mark.thorough(LongLife.TestCase)
