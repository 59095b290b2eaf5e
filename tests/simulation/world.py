"""The cloud that lives through a story: its process, its disk, its console, and what everybody was promised."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from backend.app import App, running
from backend.clock import Clock
from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import GIB, ReachabilityState, Size
from backend.operations.cells import Pictures
from backend.store import CloudTransaction, look
from tests.backend.support import OPERATOR, TENANT, Harness, make_folder
from tests.builders import NOON
from tests.dialects.support import keys
from tests.outages import IN_PLACE, Gone, Outage, Vanishing, cell_file, copy_database, epoch_of
from tests.simulation import asking
from tests.simulation.asking import ASKED, MADE, Answered, Asked, ask
from tests.simulation.console import Watcher
from tests.simulation.steps import CELLS, Step
from tests.simulation.virtual import Lanes, VirtualLoop
from tests.simulation.watch import Promises, Watch, Wrong

MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where files lie in memory: no story is about how fast the disk is."""
NOBODY = "00000000-0000-4000-8000-000000000000"
DEADLINE_SECONDS = 0.2
WALL_SECONDS_MAX = 60.0
"""The backend looks after its cells twice a second, whatever else happens."""
NOT_SURE = (b"outcome", b"NovaException", b"DBConnectionError")
"""What is in the answers of 500 that say that a cell does not answer: Nova has no other word for it."""
MAY_BE = b"may have been carried out"
"""What is in every answer that leaves it open, whatever status a published API has for that."""


def _pipes(folder: str, names: list[str]) -> list[str]:
    """Whoever read one would wait for ever."""
    return [name for name in names if Path(folder, name).is_fifo()]


@cache
def _template() -> Path:
    """Where every story begins: made once."""
    place = tempfile.TemporaryDirectory(prefix="stratodeck-simulation-", dir=MEMORY)
    atexit.register(place.cleanup)
    folder = Path(place.name) / "data"
    make_folder(folder, hosts=2, capacity=Size(16_000, 40 * GIB), servers_max=20, storage_bytes_max=3000 * GIB)
    return folder


def _half_way(tx: CloudTransaction) -> list[str]:
    """The ids of what is entered as being made, changed or deleted."""
    servers = [entry.id for cell in CELLS for entry in tx.unfinished_server_entries(cell)]
    return servers + [entry.id for cell in CELLS for entry in tx.unfinished_drive_entries(cell)]


class _Killed(BaseException):
    """Ends a process that is not to end well."""


class _Process:
    """One life of the backend: from opening its folder to its end, good or bad."""

    def __init__(self, world: World) -> None:
        self._opened: asyncio.Future[App] = asyncio.get_running_loop().create_future()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.get_running_loop().create_task(self._live(world))

    async def _live(self, world: World) -> None:
        clock = world.clock_of_folder()
        async with running(
            world.folder, credentials=world.keyring, clock=clock, list_deadline_seconds=DEADLINE_SECONDS
        ) as app:
            self._opened.set_result(app)
            await self._over

    async def app(self) -> App:
        both: set[asyncio.Future[Any]] = {self.task, self._opened}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            self.task.result()
        return self._opened.result()

    @property
    def why(self) -> str:
        return "cancelled" if self.task.cancelled() else repr(self.task.exception())

    async def close(self) -> None:
        self._over.set_result(None)
        await self.task

    async def kill(self) -> None:
        """Of whatever it says at its end nothing counts: it was not there any more."""
        if not self._over.done():
            self._over.set_exception(_Killed())
        await asyncio.wait({self.task})
        self._over.exception()
        if not self.task.cancelled():
            self.task.exception()


@dataclass
class World:
    folder: Path
    lanes: Lanes
    is_wall: bool = False
    """Whether the cloud's time is the wall's; else it moves by itself, and only when it is told to."""
    whole_every: int = 100
    """After so many steps all of `stratodeck check` is done, and not only what has changed."""
    look_every: int = 20
    """After so many steps the console looks, besides when the story says so."""
    watcher: Callable[[], Watcher] = Watcher
    """What looks at the cloud as a console does."""
    ids: dict[str, str] = field(default_factory=dict)
    outages: dict[str, Outage] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    jumped_seconds: float = 0.0
    answers: dict[int, int] = field(default_factory=dict)
    """How often each status was answered."""
    refused: dict[str, int] = field(default_factory=dict)
    """By deed, how often it was not done."""
    lines: list[str] = field(default_factory=list)
    """What was answered, one line a step: where two runs differ is where their lines do."""

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()
        self.promises = Promises()

    # Time

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time() + self.jumped_seconds)

    def clock_of_folder(self) -> Clock:
        if self.is_wall:
            return Clock(mode="wall", wall=self.wall)
        with look(self.folder) as seen:
            return Clock.restored(seen.cloud.clock_state(), wall=self.wall)

    # Life and death

    async def begin(self) -> None:
        shutil.copytree(_template(), self.folder)
        self.keyring = keys(self.folder)
        self.watch = Watch(self.folder, self.promises)
        await self._open()
        self.console = self.watcher()

    async def _open(self) -> None:
        self.lanes.anew()
        self.process = _Process(self)
        self.app = await self.process.app()
        cloud = self.app.cloud
        operator, tenant = await cloud.account(OPERATOR), await cloud.account(TENANT)
        self.on = Harness(cloud, self.app.engine, cloud.clock, operator, tenant, Pictures(cloud))

    async def end(self) -> None:
        """Everything is put right, time passes, and all of it is looked at."""
        await self.mend_files()
        await self.mend_disks()
        await asyncio.sleep(2)
        for cell in CELLS:
            await self._asked("inject", {"cell": cell, "state": "up"}, key=f"end-{cell}")
        await self.pass_time(600, key="end")
        await self._settle()
        await self.look()
        for id in await self.app.cloud.store.cloud_read(_half_way):
            raise Wrong(f"{id} is entered as half-way, and nothing will end that")
        self.watch.step(self.readable(), is_whole=True)
        await self.process.close()
        self.watch.close()
        self.watch.step(CELLS, is_whole=True)
        self.watch.close()

    async def abandon(self) -> None:
        """After something went wrong: nothing of it may be left for the next story."""
        if hasattr(self, "watch"):
            self.watch.close()
        self.lanes.bury()
        if hasattr(self, "process"):
            await self.process.kill()
        for outage in self.outages.values():
            outage.restarted()

    async def restart(self) -> None:
        """Closed on disks as they are, and opened on such as are well."""
        self.watch.close()
        await self.process.close()
        for outage in self.outages.values():
            outage.restarted()
        await self._open()

    async def kill(self, commits: int, deed: str, values: Mapping[str, Any], number: int) -> None:
        """In the middle of something: what was committed is there when the folder is opened anew, and nothing else.

        What was asked of `/ops/v1` is asked again, with the same key.
        """
        disk = self.lanes.disk
        disk.die_after(commits)
        # What is asked again later is the same request: a drive may have a name that means nothing before it is made.
        asked = ASKED[deed](values, self.id_of)
        asking_ = asyncio.get_running_loop().create_task(self._ask(asked, key=f"step-{number}"))
        death = asyncio.get_running_loop().create_task(disk.death.wait())
        await asyncio.wait({asking_, death}, return_when=asyncio.FIRST_COMPLETED)
        was_answered = asking_.done() and not asking_.cancelled()
        death.cancel()
        disk.death.set()
        image = self.folder.with_name("image")
        shutil.copytree(self.folder, image, ignore=_pipes)
        for pipe in [path for path in self.folder.rglob("*") if path.is_fifo()]:
            os.mkfifo(image / pipe.relative_to(self.folder))
        self.watch.close()
        self.lanes.bury()
        await self.process.kill()
        asking_.cancel()
        await asyncio.wait({asking_, death})
        for outage in self.outages.values():
            outage.restarted()
        shutil.rmtree(self.folder)
        image.rename(self.folder)
        await self._open()
        if was_answered:
            self.note(deed, values, asking_.result())
        else:
            self.promises.unknown(deed, values, self.ids)
        if asked.by == "ops" and deed != "advance":
            again = await self._ask(asked, key=f"step-{number}")
            self.note(deed, values, again)
            self.take(f"again {again.status}", again.told)
            if was_answered and asking_.result().status < 300 and deed in MADE:
                first, second = (asking.id_of(MADE[deed][0], each.json) for each in (asking_.result(), again))
                if first != second:
                    raise Wrong(f"{deed} was done twice for one Idempotency-Key: {first} and {second}")

    # Steps

    async def step(self, step: Step) -> None:
        """What happens, and what must hold then. Raises Wrong."""
        answer = None
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.turns = 0
        if step.deed in ASKED and step.deed != "advance":
            answer = await self._asked(step.deed, step.values, key=f"step-{step.number}")
        elif step.deed in ("restart", "kill", "look", "advance", "pause"):
            await self._live_on(step)
        else:
            await self._damage(step)
        await self._settle()
        status = "" if answer is None else answer.status
        self.take(f"{step.number} {step.deed} {status}", answer.told if answer else b"")
        if step.number % self.look_every == 0:
            await self.look()
        is_whole = step.number % self.whole_every == 0
        self.watch.step(self.readable(), is_whole=is_whole, unsettled=self.unsettled())
        self.take("events", self.watch.digest())

    async def _live_on(self, step: Step) -> None:
        values = step.values
        match step.deed:
            case "restart":
                await self.restart()
            case "kill":
                await self.kill(values["commits"], values["deed"], values["inner"], step.number)
            case "look":
                await self._settle()
                await self.look()
            case "advance":
                await self.pass_time(values["seconds"], key=f"step-{step.number}")
            case _:
                await asyncio.sleep(values["seconds"])

    async def _damage(self, step: Step) -> None:
        values = step.values
        match step.deed:
            case "jump":
                self.jumped_seconds += values["seconds"]
            case "break file":
                await self.break_file(values["cell"], values["manner"])
            case "mend file":
                await self.mend_files()
            case "keep copy":
                self.keep_copy(values["cell"])
            case "slow disk":
                self.lanes.disk.slow_seconds[values["file"]] = values["seconds"]
            case "full disk":
                self.lanes.disk.full.add(values["file"])
            case "failing disk":
                self.lanes.disk.failing[values["file"]] = values["is_kept"]
            case _:
                await self.mend_disks()

    def take(self, title: str, content: bytes) -> None:
        """Into the digest of the story."""
        line = f"{title} {hashlib.sha256(content).hexdigest()[:12]}"
        self.lines.append(line)
        self._digest.update(line.encode())

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def id_of(self, name: str) -> str:
        return self.ids.get(name, NOBODY)

    async def _asked(self, deed: str, values: Mapping[str, Any], *, key: str) -> Answered:
        answer = await self._ask(ASKED[deed](values, self.id_of), key=key)
        self.note(deed, values, answer)
        return answer

    async def _ask(self, asked: Asked, *, key: str) -> Answered:
        answer = await ask(self.app, asked, key=key)
        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
        return answer

    def note(self, deed: str, values: Mapping[str, Any], answer: Answered) -> None:
        """What was promised by an answer."""
        if answer.status >= 300:
            self.refused[deed] = self.refused.get(deed, 0) + 1
            if answer.status >= 500 and answer.status != 503 and not any(word in answer.content for word in NOT_SURE):
                raise Wrong(f"{deed} was answered {answer.status}: {answer.content[:300]!r}")
            if answer.status >= 500 or MAY_BE in answer.content:
                self.promises.unknown(deed, values, self.ids)
            return
        if deed in MADE:
            kind, which = MADE[deed]
            self.ids[values[which]] = asking.id_of(kind, answer.json)
        self.promises.kept(deed, values, self.ids)

    async def pass_time(self, seconds: float, *, key: str) -> None:
        if self.is_wall:
            await asyncio.sleep(min(seconds, WALL_SECONDS_MAX))
        else:
            await self._asked("advance", {"seconds": seconds}, key=key)

    async def _settle(self) -> None:
        """What follows at once from what was asked has happened."""
        await self.app.engine.noted()
        # On a disk that is full the engine tries again later.
        with suppress(Unreachable, OutcomeUnknown):
            await self.app.engine.run_due()
        await self.app.engine.noted()
        if self.process.task.done():
            raise Wrong(f"the backend has ended by itself: {self.process.why}")

    async def look(self) -> None:
        await self.console.look(self.app, self.wall)

    # Faults

    def readable(self) -> Sequence[str]:
        return [cell for cell in CELLS if cell not in self.outages]

    def unsettled(self) -> set[str]:
        """Cells of which cloud.db has not been told the last: it did not take it, or they fell silent in the middle."""
        cloud = self.app.cloud
        found = {cell: cloud.store.reachability(cell) for cell in CELLS}
        silent = {cell for cell, each in found.items() if each.state is not ReachabilityState.UP}
        return cloud.unsettled | {cell for cell in silent if not found[cell].is_injected}

    def keep_copy(self, cell: str) -> None:
        if cell not in self.outages:
            self.copies[cell] = self.folder.with_name(f"{cell}.copy")
            copy_database(cell_file(self.folder, cell), self.copies[cell])

    async def break_file(self, cell: str, manner: str) -> None:
        if self.outages:
            return
        outage: Outage
        match manner:
            case "gone with its log":
                outage = Gone(self.folder, cell, takes_log=True)
            case "deleted":
                outage = Gone(self.folder, cell, is_copied=True)
            case "vanishing":
                outage = Vanishing(self.folder, cell)
            case "old copy":
                if cell not in self.copies or epoch_of(self.copies[cell]) >= self.epoch(cell):
                    return
                outage = Gone(self.folder, cell, partial(shutil.copyfile, self.copies[cell]), is_copied=True)
            case _:
                outage = Gone(self.folder, cell, IN_PLACE[manner])
        self.watch.forget(cell)
        self.outages[cell] = outage
        await outage.begin(self.on)

    def epoch(self, cell: str) -> int:
        return self.app.cloud.store._links[cell].epoch

    async def mend_files(self) -> None:
        for cell, outage in list(self.outages.items()):
            is_older = isinstance(outage, Gone) and outage.is_copied and epoch_of(outage.kept) < self.epoch(cell)
            if not is_older:
                # Else an old copy and the log that was left beside it were all of the cell, and it has gone on there.
                await outage.end(self.on)
            del self.outages[cell]
            await self.app.cloud.store.ask(cell)

    async def mend_disks(self) -> None:
        self.lanes.disk.slow_seconds.clear()
        self.lanes.disk.full.clear()
        self.lanes.disk.failing.clear()


async def live(folder: Path, lanes: Lanes, story: Sequence[Step], **shape: Any) -> World:
    """Live through a story, to a good end. Raises Wrong, with the step that it was after."""
    world = World(folder, lanes, **shape)
    step: Step | None = None
    try:
        await world.begin()
        for step in story:
            await world.step(step)
        step = None
        await world.end()
    except Exception as error:
        await world.abandon()
        raise Failed(step, error) from error
    return world


class Failed(Exception):
    """What went wrong in a story, and after which step; None is its end."""

    def __init__(self, step: Step | None, error: Exception) -> None:
        super().__init__(str(error))
        self.step = step
        self.error = error

    @property
    def what(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"
