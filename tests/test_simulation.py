"""Random lives of a small cloud, with faults: whatever is asked and whatever fails, the invariants hold after each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend import check as checking
from backend.cloud import backfill
from backend.cloud.backfill import HostLoad
from backend.cloud.catalogue import FLAVORS
from backend.cloud.errors import CloudError
from backend.cloud.model import (
    GIB,
    LARGEST_SERVER,
    NOTHING,
    DriveState,
    HostState,
    ReachabilityState,
    Server,
    ServerState,
    Size,
)
from backend.cloud.placement import NoValidHost
from backend.operations import (
    Settings,
    backup_restores,
    backups,
    cells,
    clones,
    drains,
    drives,
    editing,
    groups,
    losses,
    restorations,
    rooms,
    schedules,
    server_clones,
    servers,
)
from backend.operations.clone_plans import CloneSpec
from backend.operations.drives import DriveSpec
from backend.operations.editing import ServerChanges
from backend.store import CellTransaction
from tests.backend.support import Harness, make_folder, opened
from tests.builders import NOON

HOLDING = {
    ServerState.STARTING,
    ServerState.RUNNING,
    ServerState.STOPPING,
    ServerState.PAUSED,
    ServerState.UNAVAILABLE,
}

Weighed = tuple[Callable[[], Awaitable[None]], int]
"""Something that a player may do, and how likely it is."""


@dataclass
class Life:
    """What the player knows: the ids that it was told. It asks for anything of anything."""

    on: Harness
    chance: random.Random
    servers: list[str] = field(default_factory=list)
    drives: list[str] = field(default_factory=list)
    is_pressing: bool = False
    """Asks for little but room."""
    done: int = 0
    refused: int = 0
    story: list[str] = field(default_factory=list)
    """What it did, and why it was refused."""

    def some_server(self) -> str:
        return self.chance.choice([*self.servers, "nonsense"])

    def some_drive(self) -> str:
        return self.chance.choice([*self.drives, "nonsense"])

    async def create(self) -> None:
        made = await self.on.server(
            f"s{len(self.servers)}",
            vcpus=self.chance.choice((1, 1, 2, 4, 8)),
            gib=self.chance.choice((1, 2, 8, 32)),
            is_backfilling=self.chance.random() < 0.6,
            tags=("group:web",) if self.chance.random() < 0.3 else (),
        )
        self.servers.append(made.id)

    async def start(self) -> None:
        avoid = tuple(self.some_server() for _ in range(self.chance.randrange(4)))
        await servers.start_server(self.on.cloud, self.on.operator, self.some_server(), avoid=avoid)

    async def stop(self) -> None:
        action = self.chance.choice(("stop", "shutdown"))
        await servers.stop_server(self.on.cloud, self.on.operator, self.some_server(), action=action)

    async def delete(self) -> None:
        recurse = self.chance.choice(("none", "all_drives"))
        await servers.delete_server(self.on.cloud, self.on.operator, self.some_server(), recurse=recurse)

    async def edit(self) -> None:
        changes = ServerChanges(
            size=self.chance.choice((None, Size(2000, GIB), Size(16_000, 32 * GIB))),
            is_backfilling=self.chance.choice((None, None, True, False)),
            restarts=self.chance.choice((None, True, True, False)),
        )
        await editing.edit_server(self.on.cloud, self.on.operator, self.some_server(), changes)

    async def want_back(self) -> None:
        changes = ServerChanges(restarts=True)
        await editing.edit_server(self.on.cloud, self.on.operator, self.some_server(), changes)

    async def create_drive(self) -> None:
        avoid = tuple(self.chance.sample([*self.servers, *self.drives], min(2, len(self.servers) + len(self.drives))))
        spec = DriveSpec("disk", self.chance.choice((1, 10)) * GIB, avoid=avoid)
        self.drives.append((await drives.create_drive(self.on.cloud, self.on.operator, spec)).id)

    async def attach(self) -> None:
        await drives.attach_drive(self.on.cloud, self.on.operator, self.some_drive(), self.some_server())

    async def detach(self) -> None:
        await drives.detach_drive(self.on.cloud, self.on.operator, self.some_drive())

    async def clone_drive(self) -> None:
        avoid = tuple(self.some_drive() for _ in range(self.chance.randrange(3)))
        begun = await clones.clone_drive(self.on.cloud, self.on.operator, self.some_drive(), avoid=avoid)
        self.drives.append(begun.drive.id)

    async def clone_server(self) -> None:
        avoid = tuple(self.chance.choice([*self.servers, *self.drives, "nonsense"]) for _ in range(2))
        spec = CloneSpec(avoid=avoid, is_started=self.chance.random() < 0.5)
        begun = await server_clones.clone_server(self.on.cloud, self.on.operator, self.some_server(), spec)
        self.servers.append(begun.server.id)
        self.drives += [each.drive.id for each in begun.copies]

    async def delete_drive(self) -> None:
        await drives.delete_drive(self.on.cloud, self.on.operator, self.some_drive())

    async def schedule(self) -> None:
        await schedules.create_schedule(
            self.on.cloud,
            self.on.operator,
            *self.chance.choice(((self.some_server(),), ("inside", "project"))),
            description="x",
            cron="*/7 * * * *",
            backups_max=2,
            drill_days=self.chance.randrange(2),
        )

    async def back_up(self) -> None:
        source = self.chance.choice((("server", self.some_server()), ("project", "inside"), ("customer", "customer")))
        await backups.create_backup(self.on.cloud, self.on.operator, *source)

    async def use_backup(self) -> None:
        """Restore one, or delete it."""
        found = await backups.list_backups(self.on.cloud, self.on.operator)
        if not found:
            return
        backup = self.chance.choice(found).backup
        if self.chance.random() < 0.4:
            await backups.delete_backup(self.on.cloud, self.on.operator, backup.id)
            return
        spec = backup_restores.RestoreSpec(self.chance.choice(FLAVORS[:3]))
        restored = await backup_restores.restore(self.on.cloud, self.on.operator, backup.id, spec)
        self.servers.append(restored.server.id)

    async def advance(self) -> None:
        await self.on.engine.advance(self.chance.choice((1, 3, 9, 31, 300)))

    async def fault(self) -> None:
        cell = self.chance.choice(self.on.cloud.store.cell_names)
        state = self.chance.choice(("down", "up", "up"))
        await cells.inject(self.on.cloud, self.on.operator, cell, state)

    async def lose_host(self) -> None:
        deed = self.chance.choice(
            (losses.fail_host, losses.recover_host, losses.recover_host, drains.drain_host, drains.evacuate_host)
        )
        cell = self.chance.choice(range(1, len(self.on.cloud.store.cell_names) + 1))
        host = self.chance.choice((f"c{cell}-h1", f"c{cell}-h2", f"s{cell}-1", f"s{cell}-2"))
        await deed(self.on.cloud, self.on.operator.name, host)

    async def restore(self) -> None:
        if self.chance.random() < 0.2:
            await restorations.end(self.on.cloud, "web")
            return
        plan = await groups.plan_group(self.on.cloud, self.on.operator, self.on.pictures, "web")
        if plan.problem is not None:
            raise plan.problem
        moves = [done.move for done in plan.moves]
        await restorations.begin(self.on.cloud, self.on.operator.name, "web", moves)

    def deeds(self) -> list[Weighed]:
        if self.is_pressing:
            return [(self.create, 8), (self.start, 20), (self.stop, 3), (self.want_back, 3), (self.advance, 6)]
        return [
            (self.create, 6),
            (self.start, 12),
            (self.stop, 5),
            (self.delete, 2),
            (self.edit, 4),
            (self.create_drive, 3),
            (self.attach, 3),
            (self.detach, 2),
            (self.clone_drive, 2),
            (self.clone_server, 2),
            (self.delete_drive, 1),
            (self.schedule, 1),
            (self.back_up, 1),
            (self.use_backup, 1),
            (self.advance, 10),
            (self.fault, 1),
            (self.lose_host, 3),
            (self.restore, 3),
        ]

    async def step(self) -> None:
        deeds = self.deeds()
        (deed,) = self.chance.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])
        try:
            await deed()
            self.done += 1
            self.story.append(deed.__name__)
        except CloudError as refusal:
            self.refused += 1
            self.story.append(f"{deed.__name__}: {refusal}")


def check_host(load: HostLoad) -> None:
    is_lost = load.host.state is HostState.DOWN
    for server in load.servers:
        assert (server.state is ServerState.UNAVAILABLE) == is_lost, f"{server.name} is {server.state}"
        assert (server.lost_from is not None) == is_lost
    if is_lost:
        # It is settled when it returns.
        return
    held = sum((server.effective or NOTHING for server in load.servers), NOTHING)
    assert held.fits_in(load.host.capacity), f"{load.host.name} holds {held}"
    wanted = backfill.effective_sizes(load)
    for server in load.servers:
        assert server.effective == wanted.get(server.id, server.effective), f"{server.name} is not what it should be"
        assert server.effective is not None
        assert server.floor is not None
        if server.is_backfilling:
            assert server.floor.fits_in(server.effective), f"{server.name} is below its floor"


def check_restarts(tx: CellTransaction, settings: Settings) -> None:
    """Nobody who is wanted back stays away while there is room."""
    for server in tx.servers_to_restart(LARGEST_SERVER, limit=1000):
        assert (server.state, server.is_backfilling) == (ServerState.STOPPED, True)
        if not rooms.lost_drives(tx, server.id):
            found = rooms.choose(tx, server, now=NOON, settings=settings, avoid=server.avoid)
            assert isinstance(found, NoValidHost), f"{server.name} would fit on {found.chosen.host}"


def check_cell(tx: CellTransaction, settings: Settings) -> tuple[dict[str, Server], dict[str, str | None]]:
    for load in tx.loads():
        check_host(load)
    check_restarts(tx, settings)
    all_servers = tx.all_servers()
    for server in all_servers:
        assert (server.host is not None) == (server.state in HOLDING), server
    down = {host.name for host in tx.hosts() if host.state is HostState.DOWN}
    for drive in tx.all_drives():
        assert (drive.state is DriveState.UNAVAILABLE) == (drive.host in down), drive
        assert (drive.lost_from is not None) == (drive.host in down), drive
    numbers = [event.number for event in tx.events(after=0, limit=10**6)]
    assert numbers == list(range(1, len(numbers) + 1)), "the log has a gap"
    for server in all_servers:
        open_tasks = [task.kind for task in tx.open_tasks_of(server.id)]
        assert len(open_tasks) == len(set(open_tasks)), f"{server.name} has the same work twice: {open_tasks}"
        if server.state is ServerState.STOPPING or (server.state is ServerState.STARTING and server.waits is None):
            assert open_tasks, f"{server.name} is {server.state} for ever"
    return {server.id: server for server in all_servers}, tx.mounts()


async def check(on: Harness) -> None:
    found = await on.cloud.store.each_cell(lambda tx: check_cell(tx, on.cloud.settings))
    entries, drive_entries = await on.cloud.store.cloud_read(lambda tx: (tx.server_entries(), tx.drive_entries()))
    for cell, answer in found.items():
        if not isinstance(answer, tuple):
            continue
        there, mounts = answer
        of_cell = {entry.id: entry.state for entry in entries if entry.cell == cell}
        assert of_cell.keys() == there.keys(), f"{cell} has {there.keys() - of_cell.keys()}, and {of_cell} are entered"
        assert {entry.id for entry in drive_entries if entry.cell == cell} == mounts.keys()
        for drive in drive_entries:
            if drive.cell == cell:
                assert drive.server_id == mounts[drive.id]
        for entry in entries:
            if entry.cell == cell:
                assert (entry.size, entry.is_backfilling) == (there[entry.id].size, there[entry.id].is_backfilling)


async def check_storage(on: Harness) -> None:
    """With all cells answering: who runs has all its drives, and who is paused has lost one."""
    answers = await on.cloud.store.each_cell(lambda tx: (tx.servers_of_lost_drives(), tx.all_servers()))
    found = [answer for answer in answers.values() if isinstance(answer, tuple)]
    assert len(found) == len(answers)
    lost = frozenset[str]().union(*(ids for ids, _ in found))
    for _, all_servers in found:
        for server in all_servers:
            if server.state in (ServerState.RUNNING, ServerState.PAUSED):
                assert (server.state is ServerState.PAUSED) == (server.id in lost), server


def live(folder: Path, seed: int, steps: int, *, is_pressing: bool = False) -> list[tuple[str, int, str]]:
    make_folder(folder, hosts=2, capacity=Size(16_000, 40 * GIB))

    async def story() -> list[tuple[str, int, str]]:
        async with opened(folder) as on:
            life = Life(on, random.Random(seed), is_pressing=is_pressing)
            for _ in range(steps):
                await life.step()
                await check(on)
            for cell in on.cloud.store.cell_names:
                await cells.inject(on.cloud, on.operator, cell, ReachabilityState.UP)
            await on.engine.advance(600)
            await check(on)
            await check_storage(on)
            assert life.done > steps // 4, f"only {life.done} of {steps} were carried out: this tests nothing"
            proved = checking.check(folder)
            assert proved.breach is None, proved.breach
            assert proved.certificates >= (3 if is_pressing else 0), "it has proved nothing"
            events = [event for event in await on.events() if event.object_kind != "cell"]
            return [(event.file, event.number, event.kind) for event in events]

    return asyncio.run(story())


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_keeps_the_invariants(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "data", seed, 120)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_a_life_short_of_room_keeps_the_invariants_and_proves_who_made_some(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "data", seed, 300, is_pressing=True)


def test_the_same_life_gives_the_same_events(tmp_path: Path) -> None:
    assert live(tmp_path / "one", 7, 60) == live(tmp_path / "two", 7, 60)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 130))
def test_a_long_random_life_keeps_the_invariants(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "data", seed, 600)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 130))
def test_a_long_life_short_of_room_proves_who_made_some(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "data", seed, 400, is_pressing=True)
