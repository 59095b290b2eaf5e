"""Random lives of a small cloud whose cells fall silent in every way there is, and come back: nothing that was answered
is lost, nothing is done twice, and no other cell is ever taken for silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from backend import check as checking
from backend.cloud.errors import NotFound, OutcomeUnknown, OverQuota
from backend.cloud.model import (
    GIB,
    BackupState,
    DriveState,
    Event,
    HostState,
    Reachability,
    ReachabilityState,
    ServerState,
    Size,
    Task,
    TaskState,
)
from backend.operations import RequestKey, backups, clones, drives, losses, restorations, schedules, servers
from backend.operations.drives import DriveSpec
from backend.operations.servers import ServerSpec
from backend.store import CellTransaction, CloudTransaction, Commit
from tests.backend.support import Harness, make_folder, opened
from tests.outages import (
    IMPATIENT_SECONDS,
    NAMES,
    OPENING_SECONDS,
    PATIENT_SECONDS,
    Locked,
    Outage,
    cell_file,
    copy_database,
    epoch_of,
    let_go,
    link_of,
    some_outage,
    wait_for,
)
from tests.test_simulation import Life, Weighed, check, check_storage

CELLS = ("cell-1", "cell-2", "cell-3")
SERVERS_MAX = 12
STEPS = 30
QUIET_ROUNDS_MAX = 20
MEMORY = Path("/dev/shm")


@dataclass
class Ledger:
    """What was answered, by file: nothing of it may be missing later."""

    told: dict[str, int] = field(default_factory=dict)
    """The newest event whose commit was acknowledged."""
    seen: dict[str, dict[int, tuple[str, str, datetime]]] = field(default_factory=dict)
    """What was read of the log: kind, object and instant by number."""
    fell: list[str] = field(default_factory=list)
    """Healthy cells that were taken for silent."""

    def committed(self, commit: Commit) -> None:
        self.told[commit.file] = commit.event_number

    async def look(self, on: Harness) -> None:
        after = {cell: max(self.seen.get(cell, {0: None})) for cell in CELLS}
        answers = await on.cloud.store.each_cell(lambda tx: tx.events(after=after[tx.cell], limit=1000))
        for cell, events in answers.items():
            if isinstance(events, list):
                self.seen.setdefault(cell, {}).update((event.number, _line(event)) for event in events)

    def compare(self, file: str, events: list[Event]) -> None:
        found = {event.number: _line(event) for event in events}
        assert max(found, default=0) >= self.told.get(file, 0), f"{file} has lost what was acknowledged"
        for number, line in self.seen.get(file, {}).items():
            assert found[number] == line, f"event {number} of {file} was {line}, and is {found[number]}"


def _line(event: Event) -> tuple[str, str, datetime]:
    return event.kind, event.object_id, event.at


@dataclass
class Outages(Life):
    """A life with cells that fall silent. It asks again where it was not told whether something was done."""

    folder: Path = Path()
    ledger: Ledger = field(default_factory=Ledger)
    out: dict[str, Outage] = field(default_factory=dict)
    over: list[Outage] = field(default_factory=list)
    """Those that have ended since the backend started."""
    old_copies: dict[str, Path] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    """The id of each server that was made, by its name."""
    unanswered: dict[str, ServerSpec] = field(default_factory=dict)
    """By name: perhaps it was made."""
    deleted: set[str] = field(default_factory=set)
    """Servers whose deletion was acknowledged."""
    perhaps_deleted: set[str] = field(default_factory=set)
    is_together: bool = False
    """Whether it does several things at once."""
    names: int = 0
    backups: int = 0
    """That there were at the end."""
    outages: Counter[str] = field(default_factory=Counter)

    def deeds(self) -> list[Weighed]:
        return [
            (self.create, 7),
            (self.ask_again, 2),
            (self.start, 9),
            (self.stop, 5),
            (self.delete, 2),
            (self.edit, 2),
            (self.create_drive, 4),
            (self.attach, 5),
            (self.detach, 1),
            (self.clone_drive, 4),
            (self.clone_server, 4),
            (self.delete_drive, 1),
            # One that is made while the clock jumps is late at once.
            (self.schedule, 0 if self.is_together else 3),
            (self.advance, 12),
            (self.lose_host, 3),
            (self.restore, 1),
        ]

    async def create(self) -> None:
        self.names += 1
        spec = ServerSpec(
            f"s{self.names}",
            Size(self.chance.choice((1, 1, 2, 4, 8)) * 2000, self.chance.choice((1, 2, 8, 32)) * GIB),
            is_backfilling=self.chance.random() < 0.4,
            tags=("group:web",) if self.chance.random() < 0.3 else (),
        )
        await self.make(spec)

    async def ask_again(self) -> None:
        if self.unanswered:
            await self.make(self.chance.choice(list(self.unanswered.values())))

    async def make(self, spec: ServerSpec) -> None:
        request = RequestKey(spec.name, spec.name)
        try:
            made = await servers.create_server(self.on.cloud, self.on.operator, spec, request=request)
        except OutcomeUnknown:
            self.unanswered[spec.name] = spec
            raise
        self.unanswered.pop(spec.name, None)
        self.answered[spec.name] = made.id
        self.servers.append(made.id)

    async def delete(self) -> None:
        recurse = self.chance.choice(("none", "all_drives"))
        server_id = self.some_server()
        self.perhaps_deleted.add(server_id)
        self.story.append(f"is to delete {server_id}")
        await servers.delete_server(self.on.cloud, self.on.operator, server_id, recurse=recurse)
        self.deleted.add(server_id)

    async def clone_drive(self) -> None:
        """Into any cell: half of the clones begin in one and end in another."""
        begun = await clones.clone_drive(
            self.on.cloud, self.on.operator, self.some_drive(), cell=self.chance.choice((None, *CELLS))
        )
        self.drives.append(begun.drive.id)

    # Outages

    async def fall_silent(self) -> None:
        healthy = [cell for cell in CELLS if cell not in self.out]
        if not healthy:
            return
        cell = self.chance.choice(healthy)
        name, outage = some_outage(self.folder, cell, self.chance, self._old_copy(cell))
        self.story.append(f"{cell}: {name}")
        self.outages[name] += 1
        self.out[cell] = outage
        wait_for(link_of(self.on, cell), IMPATIENT_SECONDS)
        await outage.begin(self.on)
        if self.chance.random() < 0.4:
            # Otherwise an operation is the first to notice, or nobody does.
            await self.on.cloud.store.ask(cell)

    def _old_copy(self, cell: str) -> Path | None:
        """One that lacks something that was acknowledged."""
        copy = self.old_copies.get(cell)
        return copy if copy is not None and epoch_of(copy) < link_of(self.on, cell).epoch else None

    def copy_a_cell(self) -> None:
        cell = self.chance.choice([cell for cell in CELLS if cell not in self.out] or [""])
        if cell:
            self.old_copies[cell] = self.folder / f"{cell}.old"
            copy_database(cell_file(self.folder, cell), self.old_copies[cell])

    async def come_back(self, cell: str) -> None:
        self.story.append(f"{cell} comes back")
        outage = self.out[cell]
        wait_for(link_of(self.on, cell), PATIENT_SECONDS)
        await outage.end(self.on)
        # Whoever was asking already may have seen what was there before.
        for _ in range(3):
            if (await self.on.cloud.store.ask(cell)).state is ReachabilityState.UP:
                break
        found = self.on.cloud.store.reachability(cell)
        assert found.state is ReachabilityState.UP, f"{cell} does not come back: {found.reason}"
        await self.on.engine.noted()
        self.over.append(self.out.pop(cell))

    # The backend

    @asynccontextmanager
    async def backend(self, at: datetime) -> AsyncIterator[None]:
        is_locked = any(isinstance(outage, Locked) for outage in self.out.values())
        seconds = OPENING_SECONDS if is_locked else PATIENT_SECONDS
        async with opened(self.folder, at=at, deadline_seconds=seconds) as on:
            self.on = on
            for cell in CELLS:
                wait_for(link_of(on, cell), IMPATIENT_SECONDS if cell in self.out else PATIENT_SECONDS)
            self.listen()
            yield
            await on.engine.noted()
            await on.engine.save_clock()
            for cell in self.out:
                wait_for(link_of(on, cell), IMPATIENT_SECONDS)
        for cell in CELLS:
            let_go(link_of(on, cell))
        for outage in (*self.out.values(), *self.over):
            outage.restarted()
        self.over.clear()

    def listen(self) -> None:
        store = self.on.cloud.store
        tell, note = store.on_commit, store.on_reachability
        assert tell is not None
        assert note is not None

        def committed(commit: Commit) -> None:
            self.ledger.committed(commit)
            tell(commit)

        def changed(cell: str, before: Reachability, after: Reachability) -> None:
            if after.state is not ReachabilityState.UP and cell not in self.out:
                self.ledger.fell.append(f"{cell} is healthy, and was declared {after.state}: {after.reason}")
            note(cell, before, after)

        store.on_commit, store.on_reachability = committed, changed

    async def live(self, at: datetime, steps: int) -> None:
        while steps > 0:
            async with self.backend(at):
                self.story.append("the backend starts")
                for _ in range(self.chance.choice((steps, steps // 2 + 1))):
                    await self.turn()
                    steps -= 1
                if steps <= 0:
                    await self.end_well()
                at = self.on.clock.now()

    async def turn(self) -> None:
        what = self.chance.random()
        if what < 0.12:
            await self.fall_silent()
        elif what < 0.2 and self.out:
            await self.come_back(self.chance.choice(sorted(self.out)))
        elif what < 0.24:
            self.copy_a_cell()
        elif what < 0.27:
            await self.on.cloud.store.flush_last_known()
        elif what < 0.4:
            # Together: what is committed together is also cut off together.
            self.story.append("three at once")
            self.is_together = True
            await asyncio.gather(*(self.step() for _ in range(3)))
            self.is_together = False
        else:
            await self.step()
        await self.ledger.look(self.on)
        assert not self.ledger.fell, self.ledger.fell

    async def end_well(self) -> None:
        for cell in sorted(self.out):
            await self.come_back(cell)
        self.story.append("all are back")
        await check(self.on)
        await self.on.engine.advance(1)
        await self.on.cloud.store.cloud_read(self.nothing_is_owed)
        for spec in list(self.unanswered.values()):
            # What was not made may be over the quota by now.
            with contextlib.suppress(OverQuota):
                await self.make(spec)
        with contextlib.suppress(NotFound):
            await restorations.end(self.on.cloud, "web")
        for hosts in (await self.on.cloud.store.each_cell(lambda tx: tx.hosts())).values():
            assert isinstance(hosts, list)
            for host in hosts:
                if host.state is not HostState.UP:
                    await losses.recover_host(self.on.cloud, "operator", host.name)
        await self.on.engine.advance(600)
        await self.on.cloud.store.cloud_write(self.switch_off)
        for _ in range(QUIET_ROUNDS_MAX):
            await self.on.engine.advance(600)
            if not await self.open_tasks():
                break
        await self.everything_has_ended()

    def nothing_is_owed(self, tx: CloudTransaction) -> None:
        """What was missed has been caught up with, or is looked at again as long as its source is not ready."""
        there = {entry.id for entry in tx.server_entries()}
        active = [schedule for schedule in tx.schedules() if schedule.is_active and schedule.source_id in there]
        missed = [schedule.id for schedule in active if schedule.missed_since is not None]
        owed = [id for id in missed if not tx.open_tasks_of(id)]
        assert not owed, f"backups are still owed: {owed}"

    def switch_off(self, tx: CloudTransaction) -> None:
        """From here nothing new begins."""
        self.nothing_is_owed(tx)
        for id in {schedule.source_id for schedule in tx.schedules()}:
            backups.switch_off_schedules(tx, id, reason="enough", now=self.on.clock.now())

    async def open_tasks(self) -> list[Task]:
        return [task for tasks in (await self.tasks(is_open=True)).values() for task in tasks]

    async def tasks(self, *, is_open: bool) -> dict[str, list[Task]]:
        found: dict[str, list[Task]] = {}
        answers = await self.on.cloud.store.each_cell(lambda tx: tx.tasks(is_open=is_open, limit=10**6))
        for cell, tasks in answers.items():
            assert isinstance(tasks, list), tasks
            found[cell] = tasks
        found["cloud"] = await self.on.cloud.store.cloud_read(lambda tx: tx.tasks(is_open=is_open, limit=10**6))
        return found

    async def everything_has_ended(self) -> None:
        store = self.on.cloud.store
        await check(self.on)
        await check_storage(self.on)
        assert not self.ledger.fell, self.ledger.fell
        waiting = [f"{task.file}/{task.id} {task.kind} of {task.object_id}" for task in await self.open_tasks()]
        assert not waiting, f"still open: {waiting}"
        ended = await self.tasks(is_open=False)
        logs: dict[str, list[Event]] = {}
        for cell, events in (await store.each_cell(lambda tx: tx.events(after=0, limit=10**6))).items():
            assert isinstance(events, list), events
            logs[cell] = events
        logs["cloud"] = await store.cloud_read(lambda tx: tx.events(after=0, limit=10**6))
        for file, events in logs.items():
            self.ledger.compare(file, events)
            check_ends(ended[file], events)
        # Besides what cannot be reached, only what should not be copied just then is: it is starting, for example.
        missed = {str(event.details["why"]) for event in logs["cloud"] if event.kind == "schedule.missed"}
        late = {why for why in missed if why != "unreachable" and not why.startswith(("server ", "drive "))}
        assert not late, "a run was late though the backend was there"
        await self.check_objects()

    async def check_objects(self) -> None:
        store = self.on.cloud.store
        entries, drive_entries, all_backups = await store.cloud_read(
            lambda tx: (tx.server_entries(), tx.drive_entries(), tx.backups())
        )
        self.backups = len(all_backups)
        assert len(entries) <= SERVERS_MAX, "the project is over its quota"
        half_way = [entry.id for entry in entries if entry.state != "active"]
        half_way += [entry.id for entry in drive_entries if entry.state != "active"]
        assert not half_way, f"half-way for ever: {half_way}"
        there = {entry.id for entry in entries}
        for name, id in self.answered.items():
            assert id in there or id in self.perhaps_deleted, f"{name} was made, and is not there"
            assert id in there or id not in self.unanswered
        assert not there & self.deleted, "what was deleted is there again"
        names: Counter[str] = Counter()
        for cell, found in (await store.each_cell(lambda tx: (tx.all_servers(), tx.all_drives()))).items():
            assert isinstance(found, tuple), cell
            names.update(server.name for server in found[0] if server.name.startswith("s") and "-" not in server.name)
            for server in found[0]:
                assert server.state in (ServerState.STOPPED, ServerState.RUNNING), server
            for drive in found[1]:
                assert drive.state in (DriveState.MOUNTED, DriveState.UNMOUNTED), drive
        assert not names or max(names.values()) == 1, f"made twice: {names.most_common(1)}"
        for backup in all_backups:
            has_failed = backup.state is BackupState.ERRED and bool(backup.reason)
            assert backup.state is BackupState.READY or has_failed, f"neither whole nor failed for a reason: {backup}"


FINISHED = {
    "stop": ("server.stopped",),
    "start": ("server.running", "server.paused"),
    "create": ("drive.unmounted", "drive.mounted"),
    "clone": ("drive.unmounted", "drive.mounted"),
    "backup": ("backup.ready",),
}


def check_ends(ended: list[Task], events: list[Event]) -> None:
    """Each task has one end, and the log tells of it once."""
    for task in ended:
        if task.state is not TaskState.DONE:
            assert task.result, f"{task} does not say why"
    done: Counter[tuple[str, datetime | None]] = Counter(
        (task.object_id, task.ended_at) for task in ended if task.state is TaskState.DONE and task.kind in FINISHED
    )
    told: Counter[tuple[str, datetime | None]] = Counter(
        (event.object_id, event.at) for event in events if event.kind in sum(FINISHED.values(), ())
    )
    for what, count in done.items():
        assert told[what] >= count, f"{what} has ended, and the log does not tell of it"
    starts = Counter(event.details["task"] for event in events if event.kind == "server.running")
    assert not starts or max(starts.values()) == 1, f"a task has ended twice: {starts.most_common(1)}"
    by_id = {task.id: task for task in ended}
    for id in starts:
        assert (by_id[id].kind, by_id[id].state) == ("start", TaskState.DONE), by_id[id]
    ready = Counter(event.object_id for event in events if event.kind == "backup.ready")
    assert not ready or max(ready.values()) == 1, "a backup was taken twice"


# --- schedules --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Template:
    """A small cloud at work, made once and copied for each schedule."""

    folder: Path
    servers: tuple[str, ...]
    drives: tuple[str, ...]
    at: datetime


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that is kept in memory, where there is one: what a disk does is not what is tested."""
    if os.access(MEMORY, os.W_OK):
        with tempfile.TemporaryDirectory(dir=MEMORY, prefix="stratodeck-outages-") as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("outages")


@pytest.fixture(scope="module")
def template(memory: Path) -> Template:
    folder = memory / "template"
    make_folder(folder, cells=CELLS, capacity=Size(16_000, 40 * GIB), servers_max=SERVERS_MAX)
    return asyncio.run(_furnish(folder))


async def _furnish(folder: Path) -> Template:
    """Two servers in each cell, one of them running with a drive that is backed up; one drive lies in another cell."""
    async with opened(folder) as on:
        made, disks = [], []
        for number, cell in enumerate(CELLS):
            server = await on.server(f"t{number}", vcpus=4, cell=cell, tags=("group:web",))
            where = "cell-2" if cell == "cell-1" else cell
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", 10 * GIB, cell=where))
            await on.engine.advance(3)
            await drives.attach_drive(on.cloud, on.operator, drive.id, server.id)
            await servers.start_server(on.cloud, on.operator, server.id)
            await schedules.create_schedule(
                on.cloud, on.operator, server.id, description="x", cron="*/5 * * * *", backups_max=2
            )
            spare = await on.server(f"t{number}-spare", vcpus=4, gib=8, is_backfilling=True, cell=cell)
            made += [server.id, spare.id]
            disks.append(drive.id)
        await on.engine.advance(10)
        await on.engine.save_clock()
        return Template(folder, tuple(made), tuple(disks), on.clock.now())


@contextmanager
def told(seed: int, life: Outages) -> Iterator[None]:
    """Whatever goes wrong tells which schedule it was, and what happened until then."""
    try:
        yield
    except BaseException as problem:
        problem.add_note(f"schedule {seed}:\n  " + "\n  ".join(life.story))
        raise


def play(template: Template, folder: Path, seed: int, steps: int, kind: type[Outages] = Outages) -> Outages:
    shutil.copytree(template.folder, folder)
    life = kind(
        None,  # type: ignore[arg-type]  # it is opened in a moment
        random.Random(seed),
        list(template.servers),
        list(template.drives),
        folder=folder,
    )
    with told(seed, life):
        asyncio.run(life.live(template.at, steps))
        proved = checking.check(folder)
        assert proved.breach is None, proved.breach
    shutil.rmtree(folder)
    return life


@pytest.mark.parametrize("seed", range(15))
def test_nothing_is_lost_or_done_twice_whatever_a_cell_suffers(template: Template, memory: Path, seed: int) -> None:
    life = play(template, memory / f"{seed}", seed, STEPS)

    assert life.done


class Forgetful(Outages):
    """A cell that is back has forgotten what was under way in it."""

    async def come_back(self, cell: str) -> None:
        await super().come_back(cell)

        def forget(tx: CellTransaction) -> None:
            for task in tx.tasks(is_open=True, limit=100):
                tx.end_task(task, TaskState.CANCELLED, at=self.on.clock.now(), result="forgotten")

        await self.on.cloud.store.cell_write(cell, forget)


class Repeating(Outages):
    """What is asked for again is done again."""

    async def ask_again(self) -> None:
        for name, id in self.answered.items():
            if id not in self.perhaps_deleted:
                await self.on.server(name)


@pytest.mark.parametrize("kind", [Forgetful, Repeating])
def test_what_is_lost_or_done_twice_is_found(template: Template, memory: Path, kind: type[Outages]) -> None:
    def play_some() -> None:
        for seed in range(10):
            play(template, memory / f"{kind.__name__}{seed}", seed, STEPS, kind)

    with pytest.raises(AssertionError) as found:
        play_some()

    assert found.value.__notes__[0].startswith("schedule ")


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_thousands_of_schedules_lose_nothing(template: Template, memory: Path, first: int) -> None:
    outages: Counter[str] = Counter()
    for seed in range(first, first + 100):
        outages += play(template, memory / f"{seed}", seed, STEPS).outages

    assert set(outages) == set(NAMES), f"not every fault was tried: {outages}"
