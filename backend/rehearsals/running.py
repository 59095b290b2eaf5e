"""Doing what a scenario says, on a cloud of its own, and telling what became of it.

`rehearse` runs it at once on a clock that moves only from one thing that is due to the next: nothing waits, and the
same file with the same seed gives the same report, byte for byte; or at a rate, as life would have it. `Rehearsal` is
the same work on a cloud that is open already, for whoever watches.

A step that the cloud refuses is told in the report and ends nothing. Cells are broken as an operator's fault (`down`,
`hung`), or by putting something else in the place of their file (`garbage`, `old`); before the end every file is put
back, so that what is kept of the cloud is whole.

Reading order: rehearse, Rehearsal, the steps.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, assert_never

from backend import check, fleet_folder, folder, replay, seed, trace
from backend.clock import Clock
from backend.cloud.errors import CloudError
from backend.cloud.model import GROUP_TAG_PREFIX, SERVER, VCPU_MHZ, BackupState, Event
from backend.engine import Engine
from backend.folder import OPERATOR, FolderProblem
from backend.operations import Cloud, cells, drains, drives, editing, groups, losses, schedules, servers, settings
from backend.operations.cells import Pictures
from backend.operations.drives import DriveSpec
from backend.operations.feed import CLOUD_FILE
from backend.operations.servers import ServerSpec
from backend.rehearsals import story as stories
from backend.rehearsals.broken_files import BrokenFiles
from backend.rehearsals.known import Known
from backend.rehearsals.report import Report, StepDone, report_of
from backend.rehearsals.scenario import Scenario, ScenarioProblem
from backend.rehearsals.steps import (
    CellFault,
    ChangeSettings,
    Create,
    HostVerb,
    MakeSchedule,
    RestoreGroup,
    ServerVerb,
    Step,
)
from backend.rehearsals.story import Beginning, Story
from backend.store import CloudTransaction, FolderError, Store, Transaction, look

PATIENCE_SECONDS = 2.0
"""How long a cell may take to answer. A rehearsal that does not wait can afford more than somebody at a terminal, and
its report must not depend on how busy the machine is."""

LOOK_SECONDS = 0.5
"""How long one waits for an instant, at most, before one looks whether the clock still goes there."""
EVENTS_AT_ONCE = 10_000
AGAIN_SECONDS = 0.3
"""How long a change that spans two files may take while the cloud that is checked is being served."""

Progress = Callable[[str, float], None]
"""Told a sentence and how much is done, 0 to 1."""


def rehearse(
    scenario: Scenario,
    path: Path | None = None,
    *,
    rate: float | None = None,
    progress: Progress = lambda sentence, share: None,
) -> Report:
    """Run it from the beginning to the end.

    Args:
        path: Where to keep the cloud: a folder that holds none. None takes a temporary one.
        rate: Simulated seconds in a second. None: nothing waits, and the report is the same each time.

    Raises:
        ScenarioProblem: it names a cell or a host that its cloud does not have.
        FolderProblem: the folder cannot be used, or holds a cloud.
    """
    if path is not None:
        return _rehearse(scenario, path, rate, progress)
    with tempfile.TemporaryDirectory(prefix="stratodeck-rehearsal-") as temporary:
        return _rehearse(scenario, Path(temporary), rate, progress)


def _rehearse(scenario: Scenario, path: Path, rate: float | None, progress: Progress) -> Report:
    with folder.claim(path) as claim:
        if (claim.path / "cloud.db").exists():
            raise FolderProblem(
                f"{path} holds a cloud already, and a rehearsal makes its own. Choose another folder with --data."
            )
        progress("making the cloud", 0.0)
        make(scenario, claim.path, clock={"mode": "manual", "rate": 0.0})
        rehearsal = asyncio.run(
            _run_at_once(scenario, claim.path, progress)
            if rate is None
            else _run_paced(scenario, claim.path, rate, progress)
        )
        progress("checking what is left", 1.0)
        return rehearsal.report(check.check(claim.path).breach)


async def _run_at_once(scenario: Scenario, path: Path, progress: Progress) -> Rehearsal:
    async with _opened(path) as (cloud, engine):

        async def reach(at: datetime) -> None:
            await engine.advance((at - cloud.clock.now()).total_seconds())

        rehearsal = Rehearsal(scenario, cloud, engine, reach=reach, progress=progress)
        await rehearsal.run()
        return rehearsal


async def _run_paced(scenario: Scenario, path: Path, rate: float, progress: Progress) -> Rehearsal:
    async with _opened(path, rate=rate) as (cloud, engine):
        working = asyncio.create_task(engine.run())
        rehearsal = Rehearsal(scenario, cloud, engine, reach=waiting(cloud, engine), progress=progress)
        try:
            await rehearsal.run()
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        return rehearsal


def waiting(cloud: Cloud, engine: Engine) -> Callable[[datetime], Awaitable[None]]:
    """How a cloud whose time runs by itself gets somewhere. A clock that is stopped on the way, or set, is news."""

    async def reach(at: datetime) -> None:
        while cloud.clock.now() < at:
            seconds = cloud.clock.seconds_until(at)
            await cloud.changed(LOOK_SECONDS if seconds is None else min(LOOK_SECONDS, max(seconds, 0.01)))
        await engine.run_due()

    return reach


@asynccontextmanager
async def _opened(path: Path, *, rate: float | None = None) -> AsyncIterator[tuple[Cloud, Engine]]:
    """The cloud of a folder. Without a rate nothing in it works by itself: only who moves the clock does anything."""
    try:
        clock = Clock.manual(stands_at(path))
        if rate is not None:
            clock = Clock(mode="rate", rate=rate, simulated_at=stands_at(path))
        store = await Store.open(path, wall=clock.wall_now, list_deadline_seconds=PATIENCE_SECONDS)
        try:
            cloud = Cloud(store, clock)
            engine = Engine(cloud)
            await engine.start()
            yield cloud, engine
            await engine.noted()
            await engine.save_clock()
        finally:
            await store.close()
    except FolderError as problem:
        raise FolderProblem(str(problem)) from problem


def stands_at(path: Path) -> datetime:
    """The instant at which the cloud of a folder stands, which has a timeline of its own."""
    with look(path) as seen:
        return datetime.fromisoformat(str(seen.cloud.clock_state()["simulated_at"]))


def make(scenario: Scenario, path: Path, *, clock: Mapping[str, Any], progress: Progress = lambda *_: None) -> None:
    """Make the folder of the scenario's cloud, as it is before the first step.

    Args:
        clock: Mode and rate that it goes on with.

    Raises:
        FolderProblem.
    """
    state = {**clock, "simulated_at": scenario.begin.isoformat()}
    try:
        if scenario.fleet is not None:
            fleet = replace(scenario.fleet, seed=scenario.seed)
            fleet_folder.make(path, fleet, now=scenario.begin, clock_state=state, progress=progress)
        elif scenario.cloud == "demo":
            seed.make(path, "demo", seed=scenario.seed, now=scenario.begin, clock_state=state, progress=progress)
        else:
            assert scenario.cloud in trace.NAMES, "nothing else fills a cloud"
            replay.fill(scenario.cloud, path, hours=scenario.trace_hours, seed=scenario.seed)
    except (FolderError, replay.ReplayProblem) as problem:
        raise FolderProblem(str(problem)) from problem
    if scenario.has_old_copies:
        BrokenFiles(path).keep_copies()


@dataclass(slots=True)
class _Doing:
    """One step under way: what was done of it, what was refused."""

    step: Step
    what: str
    done: int = 0
    refused: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    """Ids by name of the servers that it made."""


@dataclass(frozen=True, slots=True)
class _Deed:
    """A step, or the part of one that happens at one instant."""

    at_seconds: int
    doing: _Doing
    name: str = ""
    """Of the server to make, or to start once it is made."""
    is_start: bool = False


class Rehearsal:
    """One scenario on one open cloud."""

    def __init__(
        self,
        scenario: Scenario,
        cloud: Cloud,
        engine: Engine,
        *,
        reach: Callable[[datetime], Awaitable[None]],
        progress: Progress = lambda sentence, share: None,
    ) -> None:
        """`reach` returns when the cloud's time is so far, and all that was due by then has run."""
        self.scenario = scenario
        self._cloud = cloud
        self._engine = engine
        self._reach = reach
        self._progress = progress
        self._pictures = Pictures(cloud)
        self._files = BrokenFiles(cloud.store.path)
        self._began_at = cloud.clock.now()
        self._beginning = Beginning({})
        self._seen: dict[str, int] = {}
        """The number of the last event that was read, by file."""
        self._events: list[Event] = []
        self._reading = asyncio.Lock()
        self._known: dict[str, str] = {}
        """Names of servers by id."""
        self._doings = [_Doing(step, _about(step)) for step in scenario.steps]
        self._words = ""
        self._so_far: tuple[int, Report] | None = None
        """With how many events it was made of."""

    async def run(self) -> None:
        """From the first step to the last instant. Raises ScenarioProblem before the first one."""
        await self._begin()
        try:
            for deed in _deeds(self._doings):
                await self._reach(self._instant(deed.at_seconds))
                self._progress(
                    f"{deed.doing.step.verb} {deed.doing.what}", deed.at_seconds / self.scenario.lasts_seconds
                )
                await self._read()
                await self._do(deed)
                await self._engine.noted()
                await self._engine.run_due()
            await self._reach(self._instant(self.scenario.lasts_seconds))
            await self._read()
        finally:
            self._files.put_all_back()

    def _instant(self, seconds: int) -> datetime:
        return self._began_at + timedelta(seconds=seconds)

    # What is seen

    async def _begin(self) -> None:
        store = self._cloud.store
        answers = await store.each_cell(lambda tx: (tx.last_event_number(), tx.pictures("server")))
        found = {cell: answer for cell, answer in answers.items() if isinstance(answer, tuple)}
        self._seen = {cell: number for cell, (number, _) in found.items()}
        pictures = {id: picture for _, part in found.values() for id, picture in part.items()}
        self._known = {id: str(picture.get("name", "")) for id, picture in pictures.items()}
        names = store.cell_names
        hosts = await store.cloud_read(lambda tx: [host.name for cell in names for host in tx.host_entries(cell)])
        silent = [cell for cell in store.cell_names if cell not in found]
        # A cell that is silent may have any server.
        all_servers = None if silent else frozenset(self._known.values())
        if misfits := self.scenario.misfits(Known(store.cell_names, hosts, all_servers)):
            raise ScenarioProblem([f"{self.scenario.file}: {sentence}." for sentence in misfits])
        self._words = _words(self.scenario, store.cell_names, silent, len(hosts), len(pictures))
        number, self._beginning = await store.cloud_read(lambda tx: _read_beginning(tx, pictures, silent))
        self._seen[CLOUD_FILE] = number

    async def _read(self) -> None:
        """What has happened since the last look; of a cell that does not answer it is read when it does."""
        fresh: list[Event] = []
        # Who watches reads too, and no event may be taken twice.
        async with self._reading:
            while len(part := await self._read_part()) >= EVENTS_AT_ONCE:
                fresh += part
            fresh += part
        fresh.sort(key=lambda event: (event.at, event.file, event.number))
        self._events += fresh
        for event in fresh:
            if event.kind == "server.created":
                self._known[event.object_id] = str(event.changes.get("name", (None, ""))[1])
            elif event.kind == "server.deleted":
                self._known.pop(event.object_id, None)

    async def _read_part(self) -> list[Event]:
        store, seen = self._cloud.store, dict(self._seen)

        def find(tx: Transaction) -> list[Event]:
            return tx.events(after=seen.get(tx.file, 0), limit=EVENTS_AT_ONCE)

        answers = [*(await store.each_cell(find)).values(), await store.cloud_read(find)]
        parts = [part for part in answers if isinstance(part, list) and part]
        self._seen |= {part[-1].file: part[-1].number for part in parts}
        return [event for part in parts for event in part]

    @property
    def share(self) -> float:
        """How much of its time is over, 0 to 1."""
        passed = (self._cloud.clock.now() - self._began_at).total_seconds()
        return min(1.0, passed / self.scenario.lasts_seconds)

    @property
    def has_begun(self) -> bool:
        return bool(self._words)

    async def so_far(self) -> Report:
        """What has become of it by now. Nothing is checked, so that is taken to be as it must be."""
        await self._read()
        number = sum(self._seen.values())
        if self._so_far is None or self._so_far[0] != number:
            self._so_far = number, self.report(None)
        return self._so_far[1]

    def _story(self) -> Story:
        ordered = sorted(self._events, key=lambda event: (event.at, event.file, event.number))
        counts_from = self._instant(self.scenario.counts_from_seconds)
        return stories.tell(self._beginning, ordered, counts_from=counts_from, ends=self._cloud.clock.now())

    def report(self, breach: str | None) -> Report:
        found = self._story()
        return report_of(
            self.scenario,
            found,
            [
                StepDone(
                    each.step.at_seconds,
                    each.step.verb,
                    each.what,
                    each.done,
                    tuple(_named(sentence, found.names) for sentence in each.refused),
                )
                for each in self._doings
            ],
            cloud=self._words,
            began_at=self._began_at,
            breach=None if breach is None else _named(breach, found.names),
        )

    async def checked(self) -> Report:
        """The report of a cloud that goes on being served."""
        pause = threading.Event()

        def again() -> bool:
            pause.wait(AGAIN_SECONDS)
            return True

        found = await asyncio.to_thread(check.check, self._cloud.store.path, again=again)
        return self.report(found.breach)

    # The steps

    async def _do(self, deed: _Deed) -> None:
        doing = deed.doing
        act = doing.step.act
        match act:
            case CellFault():
                await self._attempt(doing, self._break(act))
            case HostVerb():
                await self._attempt(doing, self._act_on_host(act))
            case Create() if deed.is_start:
                if deed.name in doing.made:
                    await self._attempt(doing, self._start_made(doing, act, deed.name))
            case Create():
                await self._attempt(doing, self._create(doing, act, deed.name), counts=not act.is_started)
            case ServerVerb():
                for id in self._found(doing, act.servers):
                    await self._attempt(doing, self._act_on_server(act, id))
            case MakeSchedule():
                for id in self._found(doing, act.servers):
                    await self._attempt(doing, self._schedule(act, id))
            case ChangeSettings():
                await self._attempt(doing, self._change_settings(act))
            case RestoreGroup():
                await self._attempt(doing, self._restore(act))
            case _:
                assert_never(act)

    async def _attempt(self, doing: _Doing, work: Awaitable[None], *, counts: bool = True) -> None:
        try:
            await work
        except CloudError as refusal:
            doing.refused.append(str(refusal))
        else:
            doing.done += counts

    def _found(self, doing: _Doing, patterns: Sequence[str]) -> list[str]:
        """The ids of the servers that are called so, by name; a pattern that names nobody is refused."""
        found: dict[str, None] = {}
        for pattern in patterns:
            ids = [
                id
                for id, name in sorted(self._known.items(), key=lambda each: (each[1], each[0]))
                if name == pattern or fnmatchcase(name, pattern)
            ]
            if not ids:
                doing.refused.append(f"No server is called {pattern}.")
            found |= dict.fromkeys(ids)
        return list(found)

    async def _break(self, act: CellFault) -> None:
        operator = await self._cloud.account(OPERATOR)
        if act.state in ("garbage", "old"):
            self._files.replace(act.cell, act.state)
            await cells.ask(self._cloud, act.cell)
            return
        if act.state == "up":
            self._files.put_back(act.cell)
        await cells.inject(self._cloud, operator, act.cell, act.state)

    async def _act_on_host(self, act: HostVerb) -> None:
        do = {
            "fail": losses.fail_host,
            "recover": losses.recover_host,
            "drain": drains.drain_host,
            "evacuate": drains.evacuate_host,
        }[act.action]
        await do(self._cloud, OPERATOR, act.host)

    async def _create(self, doing: _Doing, act: Create, name: str) -> None:
        cloud, operator = self._cloud, await self._cloud.account(OPERATOR)
        server = await servers.create_server(
            cloud,
            operator,
            ServerSpec(
                name,
                act.size,
                smp=max(1, act.size.cpu_mhz // VCPU_MHZ),
                is_backfilling=act.is_backfilling,
                floor_permille=(act.floor_permille, act.floor_permille),
                tags=(f"{GROUP_TAG_PREFIX}{act.group}",) if act.group else (),
                avoid=tuple(doing.made.values()) if act.is_apart else (),
                cell=act.cell,
            ),
        )
        self._known[server.id] = name
        doing.made[name] = server.id
        if act.drive_bytes:
            spec = DriveSpec(f"{name}-boot", act.drive_bytes, cell=server.cell)
            drive = await drives.create_drive(cloud, operator, spec)
            await drives.attach_drive(
                cloud, operator, drive.id, server.id, device="virtio", channel="0:0", boot_order=1
            )
        if act.restarts:
            await editing.edit_server(cloud, operator, server.id, editing.ServerChanges(restarts=True))

    async def _start_made(self, doing: _Doing, act: Create, name: str) -> None:
        """Away from all that were made with it: from those too that are started after it, should it move one day."""
        others = tuple(id for other, id in doing.made.items() if other != name)
        operator = await self._cloud.account(OPERATOR)
        await servers.start_server(self._cloud, operator, doing.made[name], avoid=others if act.is_apart else None)

    async def _act_on_server(self, act: ServerVerb, id: str) -> None:
        cloud, operator = self._cloud, await self._cloud.account(OPERATOR)
        match act.action:
            case "start":
                await servers.start_server(cloud, operator, id, avoid=None)
            case "stop" | "shutdown":
                await servers.stop_server(cloud, operator, id, action=act.action)
            case "delete":
                await servers.delete_server(cloud, operator, id, recurse="all_drives")
                self._known.pop(id, None)

    async def _schedule(self, act: MakeSchedule, id: str) -> None:
        operator = await self._cloud.account(OPERATOR)
        await schedules.create_schedule(
            self._cloud,
            operator,
            id,
            SERVER,
            cron=act.cron,
            time_zone=act.time_zone,
            description=f"{self._known[id]}, {act.cron}",
            retention_days=act.retention_days,
            backups_max=act.backups_max,
            target_seconds=act.target_seconds,
        )

    async def _change_settings(self, act: ChangeSettings) -> None:
        operator = await self._cloud.account(OPERATOR)
        await settings.change_settings(self._cloud, operator, **act.values)

    async def _restore(self, act: RestoreGroup) -> None:
        operator = await self._cloud.account(OPERATOR)
        await groups.restore_group(self._cloud, operator, self._pictures, act.group)


def _deeds(doings: Sequence[_Doing]) -> list[_Deed]:
    """All that happens, by instant; what happens at the same one in the order of the file."""
    found: list[_Deed] = []
    for doing in doings:
        at, act = doing.step.at_seconds, doing.step.act
        if isinstance(act, Create):
            names = act.names
            making = [_Deed(at + place * act.over_seconds // len(names), doing, name)
                      for place, name in enumerate(names)]  # fmt: skip
            starting = [replace(deed, is_start=True) for deed in making if act.is_started]
            # Who is to keep away from all others is started when they are made; else each comes and finds its place.
            parts = [making, starting] if act.is_apart else [list(pair) for pair in zip(making, starting, strict=False)]
            found += [deed for part in (parts if act.is_started else [making]) for deed in part]
        else:
            found.append(_Deed(at, doing))
    return sorted(found, key=lambda deed: deed.at_seconds)


def _about(step: Step) -> str:
    act = step.act
    match act:
        case CellFault():
            return act.cell
        case HostVerb():
            return act.host
        case Create():
            names = act.names
            kind = "backfilling " if act.is_backfilling else ""
            return f"{kind}{names[0]}" if len(names) == 1 else f"{kind}{names[0]} to {names[-1]}"
        case ServerVerb():
            return ", ".join(act.servers)
        case MakeSchedule():
            return f"of {', '.join(act.servers)}: {act.cron}"
        case ChangeSettings():
            return ", ".join(f"{name} = {value}" for name, value in sorted(act.values.items()))
        case RestoreGroup():
            return act.group
        case _:
            assert_never(act)


def _words(scenario: Scenario, cell_names: Sequence[str], silent: Sequence[str], hosts: int, server_count: int) -> str:
    """What it runs on."""
    kind = {"demo": "the demo cloud", "fleet": "a fleet"}.get(scenario.cloud, f"the cloud of {scenario.cloud}")
    cells_said = f"{len(cell_names)} cell" + ("" if len(cell_names) == 1 else "s")
    known = f"{server_count:,} servers" + (f" where it answers, not in {', '.join(silent)}" if silent else "")
    return f"{kind} of {cells_said}, {hosts:,} hosts and {known}"


def _named(sentence: str, names: Mapping[str, str]) -> str:
    """With names for ids."""
    return check.ID.sub(lambda found: names.get(found[0]) or found[0], sentence)


def _read_beginning(
    tx: CloudTransaction, pictures: Mapping[str, Mapping[str, Any]], silent: Sequence[str]
) -> tuple[int, Beginning]:
    begun = {
        backup.id: (backup.source_kind, backup.source_id, backup.created_at)
        for backup in tx.backups()
        if backup.state is BackupState.BACKING_UP
    }
    names = {project.id: project.name for project in tx.projects()} | dict(tx.customers())
    return tx.last_event_number(), Beginning(
        pictures, tuple(tx.schedules()), tx.last_good_backups(), begun, names, silent
    )
