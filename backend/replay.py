"""Driving a cloud from a real workload: every server of a window of the trace, at full speed, through the operations.

The cloud is one of its own, with one cell: the hosts that the trace really ran on where it says, or those of a fleet's
file; else equal hosts, as many as hold 95 % of the peak of the window, so that the last few per cent have to be earned
by shrinking, stopping and refusing. Time is simulated, in bins of 5 minutes: a server that was asked for within a bin
comes at its end, and from then on lives as long as the trace says. Each bin is handed over in batches that are durable
once they are answered: first who leaves, each at its own instant, then who comes.

What is lost is lost: a server that was refused, or stopped for room, does not come back. With equal arguments the event
log is the same, byte for byte.

Reading order: run, `_Drive`, then the transactions (`_depart`, `_reserve`, `_arrive`), Summary.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import TypeVar

from backend import fleet_file, fleet_folder, folder, trace
from backend.clock import Clock, monotonic_seconds
from backend.cloud import lifecycle
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import NoCapacity, OutcomeUnknown, Unreachable
from backend.cloud.model import GIB, NOTHING, VCPU_MHZ, HostKind, Server, ServerState, Size
from backend.fleet_file import HOSTS_MAX, Fleet, FleetAccount, FleetCell, FleetHost, FleetProblem
from backend.operations import Settings, servers, tasks
from backend.store import CellTransaction, CloudTransaction, EntryState, FolderError, FolderWriter, Store, create_folder
from backend.trace import BIN_SECONDS, Arrival, Peak, Trace, TraceProblem

CELL = "cell-1"
HOST_VCPUS = 48
HOST_SIZE = Size(HOST_VCPUS * VCPU_MHZ, 384 * GIB)
BACKFILL_SHARE = 0.5
"""Of the tenant batches, unless the trace says itself who is backfilling."""
PEAK_SHARE = 0.95
"""What the hosts hold of the most that the window needs at once."""

BATCH_SERVERS_MAX = 200
"""In one transaction."""

BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
"""The instant of a trace's second 0. No trace says which day it was; this one is made up."""

_STOP_SECONDS = lifecycle.TRANSITIONS["server"]["stop"].duration_seconds

Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""

T = TypeVar("T")


class ReplayProblem(Exception):
    """The replay cannot be done. `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How it went. Two replays with equal arguments have equal summaries; only `seconds` is the machine's."""

    trace: str
    hours: float
    backfill_share: float | None
    """None: the trace says itself who is backfilling."""
    seed: int
    peak: Peak
    """What the window wanted."""
    hosts: int
    capacity: Size
    """Of all hosts together."""
    host_size: Size | None
    """Of each host; None when they differ."""
    placed: int
    placed_backfilling: int
    """Of those placed."""
    refused: int
    refused_backfilling: int
    refusals: tuple[tuple[str, int], ...]
    """Each reason with how many refusals it had a part in, most first. A refusal may have several."""
    shrunk: int
    """Servers that were made smaller at least once."""
    stopped: int
    """Servers that were stopped for room."""
    used_most: tuple[float, float, int]
    """The largest shares of CPU and of memory in use at the end of any bin, and the most servers."""
    path: Path | None
    """Where the cloud is kept; None when it is gone."""
    seconds: float = field(compare=False)
    """Of real time, from the first server to the last, every commit included."""

    @property
    def decisions_per_second(self) -> float:
        return (self.placed + self.refused) / self.seconds if self.seconds > 0 else 0.0

    def lines(self) -> Iterator[str]:
        """For a terminal, at most 100 columns."""
        if self.host_size is not None:
            hosts = f"of {_cores(self.host_size)} cores and {self.host_size.memory_bytes / GIB:,.0f} GiB"
        else:
            hosts = f"with {_cores(self.capacity)} cores and {self.capacity.memory_bytes / GIB:,.0f} GiB together"
        hours = f"{self.hours:g} hour" + ("" if self.hours == 1 else "s")
        machines = f"{self.hosts:,} host" + ("" if self.hosts == 1 else "s")
        yield f"Replayed {hours} of {self.trace} on {machines} {hosts}, seed {self.seed}."
        backfilling = (
            f"{self.placed_backfilling + self.refused_backfilling:,} of them backfilling, as it says itself"
            if self.backfill_share is None
            else f"{self.backfill_share:.0%} of the tenant batches backfilling"
        )
        yield f"It has {self.peak.arrivals:,} servers, {backfilling}; at its peak {self.peak.servers:,} servers"
        yield f"with {self.peak.vcpus:,} vCPUs and {self.peak.memory_bytes / GIB:,.0f} GiB."
        yield ""
        yield _line("placed", self.placed, self._kinds(self.placed, self.placed_backfilling))
        yield _line("refused", self.refused, self._kinds(self.refused, self.refused_backfilling))
        for reason, count in self.refusals:
            yield _line("", count, reason)
        yield _line("shrunk", self.shrunk, "backfilling servers, at least once")
        yield _line("stopped", self.stopped, "backfilling servers, for room")
        cpu, memory, count = self.used_most
        yield _line("peak use", f"{cpu:.1%}", f"of the CPU; {memory:.1%} of the memory; {count:,} servers")
        rate = f"{self.decisions_per_second:,.0f}"
        yield _line("decisions", rate, f"a second, durable, in {self.seconds:.1f} s")
        if self.path is not None:
            yield ""
            yield f"The cloud is kept: stratodeck --data {self.path}"

    @staticmethod
    def _kinds(count: int, backfilling: int) -> str:
        return f"{count - backfilling:,} normal, {backfilling:,} backfilling"


def _cores(size: Size) -> str:
    return f"{size.cpu_mhz / VCPU_MHZ:,.0f}"


def _line(label: str, figure: int | str, words: str) -> str:
    shown = f"{figure:,}" if isinstance(figure, int) else figure
    return f"{label:<10}{shown:>9}  {words}"


def run(
    name: str,
    path: Path | None = None,
    *,
    hours: float | None = None,
    backfill_share: float | None = None,
    seed: int,
    cloud: Path | None = None,
    progress: Progress = lambda share: None,
) -> Summary:
    """Replay the first `hours` of a trace; None: as much as is usual with it.

    Args:
        name: A known trace, or the path of a CSV file in the form of `trace.own_csv`.
        path: Where to keep the cloud: a folder that holds none. None takes a temporary one.
        backfill_share: Of the tenant batches; None: half of them, or as the trace says.
        cloud: The file of a fleet with one cell, to take in place of the hosts that belong to the trace.

    Raises:
        ReplayProblem: no such trace, an option that does not go with it, or a file or folder that cannot be taken.
    """
    plan = _planned(name, hours=hours, backfill_share=backfill_share, seed=seed, cloud=cloud)
    if path is None:
        with tempfile.TemporaryDirectory(prefix="stratodeck-replay-") as temporary:
            return _run(plan, Path(temporary), None, progress)
    return _run(plan, path, path, progress)


def fill(name: str, path: Path, *, hours: float | None = None, seed: int) -> None:
    """The cloud that `run` leaves, in a folder that the caller has claimed and that holds none.

    Raises:
        ReplayProblem.
    """
    plan = _planned(name, hours=hours, backfill_share=None, seed=seed, cloud=None)
    try:
        asyncio.run(_Drive(plan, _make(path, plan)).run(path, progress=lambda share: None))
    except (FolderError, Unreachable, OutcomeUnknown, TraceProblem) as error:
        raise ReplayProblem(f"The cloud of {name} cannot be filled: {error}") from error


def _planned(name: str, *, hours: float | None, backfill_share: float | None, seed: int, cloud: Path | None) -> _Plan:
    try:
        found = trace.find(name)
        hours = _checked_hours(found, hours)
        if found.has_label and backfill_share is not None:
            raise ReplayProblem(
                f"{found.name} says itself which servers are backfilling ones: leave out --backfill-share."
            )
        if not found.has_label and backfill_share is None:
            backfill_share = BACKFILL_SHARE
        peak = trace.peak(found.arrivals(hours))
        fleet = _fleet_of(found, peak) if cloud is None else _own_fleet(cloud)
    except (TraceProblem, FleetProblem) as problem:
        raise ReplayProblem(str(problem)) from problem
    return _Plan(found, hours, backfill_share, seed, peak, fleet)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked for, with everything that could be wrong looked at."""

    trace: Trace
    hours: float
    backfill_share: float | None
    seed: int
    peak: Peak
    fleet: Fleet

    @property
    def sizes(self) -> list[Size]:
        """Of the compute hosts."""
        return [Size(host.cpu_mhz, host.memory_bytes) for host in self.fleet.hosts if host.kind is HostKind.COMPUTE]


def _checked_hours(found: Trace, hours: float | None) -> float:
    if hours is None:
        return found.hours_default
    if not 0 < hours <= found.hours_max:
        raise ReplayProblem(
            f"{found.name} has {found.hours_max:,} hours: --hours is {hours:g}, "
            f"expected more than 0 and at most {found.hours_max}."
        )
    return hours


def _run(plan: _Plan, path: Path, kept: Path | None, progress: Progress) -> Summary:
    try:
        with folder.claim(path) as claim:
            if (claim.path / "cloud.db").exists():
                raise ReplayProblem(
                    f"{path} holds a cloud already, and a replay makes its own. Choose another folder with --data."
                )
            drive = _Drive(plan, _make(claim.path, plan))
            began = monotonic_seconds()
            asyncio.run(drive.run(claim.path, progress=progress))
            seconds = monotonic_seconds() - began
    except (FolderError, folder.FolderProblem) as error:
        raise ReplayProblem(str(error)) from error
    except (Unreachable, OutcomeUnknown, TraceProblem) as error:
        raise ReplayProblem(f"The replay stopped half-way: {error}") from error
    sizes = plan.sizes
    return Summary(
        trace=plan.trace.name,
        hours=plan.hours,
        backfill_share=plan.backfill_share,
        seed=plan.seed,
        peak=plan.peak,
        hosts=len(sizes),
        capacity=sum(sizes, NOTHING),
        host_size=sizes[0] if len(set(sizes)) == 1 else None,
        placed=drive.placed.total(),
        placed_backfilling=drive.placed[True],
        refused=drive.refused.total(),
        refused_backfilling=drive.refused[True],
        refusals=tuple(sorted(drive.reasons.items(), key=lambda each: (-each[1], each[0]))),
        shrunk=len(drive.shrunk),
        stopped=drive.stopped,
        used_most=drive.used_most,
        path=kept,
        seconds=seconds,
    )


def hosts_for(peak: Peak) -> int:
    """How many hosts hold `PEAK_SHARE` of the peak, by vCPUs or by memory, whichever takes more; at least one."""
    by_cpu = math.ceil(peak.vcpus * PEAK_SHARE / HOST_VCPUS)
    by_memory = math.ceil(peak.memory_bytes * PEAK_SHARE / HOST_SIZE.memory_bytes)
    return max(1, by_cpu, by_memory)


def _fleet_of(found: Trace, peak: Peak) -> Fleet:
    """The hosts that the trace really ran on, or as many equal ones as its peak needs."""
    if found.hosts is not None:
        hosts = found.hosts()
    else:
        count = hosts_for(peak)
        if count > HOSTS_MAX:
            raise ReplayProblem(
                f"At its peak {found.name} needs {count:,} hosts, expected at most {HOSTS_MAX:,}. "
                "Take fewer --hours, or name a fleet with --cloud."
            )
        hosts = [(name, HOST_SIZE) for name in fleet_file.numbered_names("host", count)]
    return Fleet(
        cells=(
            FleetCell(
                CELL,
                tuple(
                    FleetHost(name, HostKind.COMPUTE, cpu_mhz=size.cpu_mhz, memory_bytes=size.memory_bytes)
                    for name, size in hosts
                ),
            ),
        ),
        accounts=(FleetAccount(folder.OPERATOR, found.kind, is_staff=True, may_backfill=True),),
    )


def _own_fleet(file: Path) -> Fleet:
    fleet = fleet_file.read(file)
    if len(fleet.cells) > 1:
        raise ReplayProblem(f"A replay drives one cell: {file} describes {len(fleet.cells)}, expected 1.")
    return fleet


def _make(path: Path, plan: _Plan) -> str:
    """The folder of a cloud with nothing but its fleet. Returns the id of the project whose servers come."""
    cloud_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"stratodeck/replay/{plan.trace.kind}/{plan.seed}"))
    operator = next(account for account in plan.fleet.accounts if account.name == folder.OPERATOR)
    made: list[str] = []

    def fill(writer: FolderWriter) -> None:
        made.append(fleet_folder.add(writer, plan.fleet, at=BEGIN)[operator.project])

    create_folder(
        path,
        cloud_id=cloud_id,
        kind=plan.trace.kind,
        seed=plan.seed,
        created_at=BEGIN,
        settings=fleet_folder.settings_of(plan.fleet),
        clock=_clock_at(BEGIN),
        cells=[cell.name for cell in plan.fleet.cells],
        fill=fill,
    )
    return made[0]


def _clock_at(at: datetime) -> dict[str, object]:
    """The cloud's time is the trace's: it goes on at the pace of the wall's when the cloud is opened later."""
    return Clock(mode="rate", rate=1.0, simulated_at=at, monotonic=lambda: 0.0).state()


def _bins(arrivals: Iterable[Arrival], end_seconds: float) -> Iterator[tuple[int, list[Arrival]]]:
    """The end of every bin of the window in order, and who was asked for since the last one."""
    ahead = iter(arrivals)
    following = next(ahead, None)
    for at_seconds in range(0, math.ceil(end_seconds), BIN_SECONDS):
        comes: list[Arrival] = []
        while following is not None and following.at_seconds <= at_seconds:
            comes.append(following)
            following = next(ahead, None)
        yield at_seconds, comes
    if following is not None:
        yield math.ceil(end_seconds), [following, *ahead]


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), BATCH_SERVERS_MAX):
        yield items[first : first + BATCH_SERVERS_MAX]


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A server whose time is over at `ends_at`."""

    server_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class _Refused:
    server: Server
    reasons: tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    """What one transaction in the cell came to."""

    gone: set[str] = field(default_factory=set)
    refused: list[_Refused] = field(default_factory=list)
    shrunk: set[str] = field(default_factory=set)
    stopped: int = 0
    used: Size = NOTHING
    servers: int = 0


class _Drive:
    """One replay under way: who lives until when, and what was counted so far."""

    def __init__(self, plan: _Plan, project_id: str) -> None:
        self._plan = plan
        self._cell = plan.fleet.cells[0].name
        self._project_id = project_id
        self._settings = Settings()
        self._ends: list[tuple[int, int, str]] = []
        self._loads: dict[str, tuple[HostLoad, Size]] = {}
        self.placed: Counter[bool] = Counter()
        """By whether they are backfilling ones; so is `refused`."""
        self.refused: Counter[bool] = Counter()
        self.reasons: Counter[str] = Counter()
        self.shrunk: set[str] = set()
        self.stopped = 0
        self.used_most = (0.0, 0.0, 0)

    async def run(self, path: Path, *, progress: Progress) -> None:
        store = await Store.open(path, wall=lambda: BEGIN)
        try:
            whole = sum(self._plan.sizes, NOTHING)
            self._settings = Settings.of(store.settings)
            end_seconds = math.ceil(self._plan.hours * 3600)
            done = 0
            for at_seconds, comes in _bins(self._plan.trace.arrivals(self._plan.hours), end_seconds):
                if not comes and not (self._ends and self._ends[0][0] <= at_seconds):
                    continue
                await self._let_go(store, at_seconds)
                for part in _parts(comes):
                    await self._take_in(store, part, at_seconds, whole)
                    done += len(part)
                    progress(done / max(1, self._plan.peak.arrivals))
            await self._let_go(store, end_seconds)
            end = BEGIN + timedelta(seconds=end_seconds)
            await store.cloud_write(lambda tx: tx.save_clock_state(_clock_at(end)))
            progress(1.0)
        finally:
            await store.close()

    async def _let_go(self, store: Store, at_seconds: int) -> None:
        """Everything up to this instant: tasks that fall due, and servers whose time is over."""
        now = BEGIN + timedelta(seconds=at_seconds)
        due: list[tuple[int, int, str]] = []
        while self._ends and self._ends[0][0] <= at_seconds:
            due.append(heappop(self._ends))
        for part in _parts(due):
            leaving = [_Leaving(server_id, BEGIN + timedelta(seconds=ends)) for ends, _, server_id in part]
            ids = [each.server_id for each in leaving]
            await store.cloud_write(partial(_mark, ids=ids, state="deleting"))
            seen = await store.cell_write(self._cell, partial(self._depart, leaving=leaving, now=now))
            await store.cloud_write(partial(_settle, ids=ids, gone=seen.gone))
            self._count(seen)
            for _, number, server_id in part:
                if server_id not in seen.gone:
                    heappush(self._ends, (at_seconds + BIN_SECONDS, number, server_id))
        self._count(await store.cell_write(self._cell, partial(self._depart, leaving=[], now=now)))

    async def _take_in(self, store: Store, comes: Sequence[Arrival], at_seconds: int, whole: Size) -> None:
        now = BEGIN + timedelta(seconds=at_seconds)
        wanted = await store.cloud_write(lambda tx: [self._reserve(tx, arrival, now=now) for arrival in comes])
        ids = [server.id for server in wanted]
        seen = await store.cell_write(self._cell, partial(self._arrive, wanted=wanted, now=now))
        refused = {each.server.id for each in seen.refused}
        await store.cloud_write(partial(_settle, ids=ids, gone=refused))
        for arrival, server in zip(comes, wanted, strict=True):
            if server.id in refused:
                continue
            self.placed[server.is_backfilling] += 1
            if arrival.lifetime_seconds is not None:
                heappush(self._ends, (at_seconds + arrival.lifetime_seconds, arrival.number, server.id))
        self._count(seen)
        cpu, memory, count = self.used_most
        self.used_most = (
            max(cpu, seen.used.cpu_mhz / whole.cpu_mhz),
            max(memory, seen.used.memory_bytes / whole.memory_bytes),
            max(count, seen.servers),
        )

    def _count(self, seen: _Seen) -> None:
        self.shrunk |= seen.shrunk
        self.stopped += seen.stopped
        for refused in seen.refused:
            self.refused[refused.server.is_backfilling] += 1
            self.reasons.update(refused.reasons)

    # The transactions

    def _depart(self, tx: CellTransaction, leaving: Sequence[_Leaving], *, now: datetime) -> _Seen:
        """Each stops so that its host is free at its end; all that have stopped are deleted."""
        before = tx.last_event_number()
        for each in leaving:
            stop_at = each.ends_at - timedelta(seconds=_STOP_SECONDS)
            self._run_due(tx, stop_at)
            if tx.server(each.server_id).state is ServerState.RUNNING:
                servers.stop_in_cell(tx, each.server_id, now=stop_at, actor=folder.OPERATOR)
        self._run_due(tx, now)
        seen = _Seen()
        for each in leaving:
            server = tx.server(each.server_id)
            # One that still waits for its room cannot be stopped: it leaves with a later bin.
            if server.state is ServerState.STOPPED:
                tx.remove_server(server, at=now, actor=folder.OPERATOR)
                seen.gone.add(server.id)
        _look_back(tx, before, seen)
        return seen

    def _reserve(self, tx: CloudTransaction, arrival: Arrival, *, now: datetime) -> Server:
        is_backfilling = arrival.is_backfilling
        if is_backfilling is None:
            share = self._plan.backfill_share or 0.0
            is_backfilling = trace.is_backfilling(arrival.tenant_batch, seed=self._plan.seed, share=share)
        server = Server(
            id=tx.next_id(self._cell),
            name=f"{'backfill' if is_backfilling else 'server'}-{arrival.number:06}",
            cell=self._cell,
            project_id=self._project_id,
            owner=folder.OPERATOR,
            size=arrival.size,
            created_at=now,
            state_since=now,
            is_backfilling=is_backfilling,
            smp=arrival.vcpus,
            meta={"tenant_batch": str(arrival.tenant_batch)},
        )
        tx.add_server_entry(servers.entry_of(server, state="building"))
        return server

    def _arrive(self, tx: CellTransaction, wanted: Sequence[Server], *, now: datetime) -> _Seen:
        """Each is made and started; one that finds no room is deleted again."""
        before = tx.last_event_number()
        seen = _Seen()
        for server in wanted:
            tx.add_server(server, at=now, actor=folder.OPERATOR)
            try:
                servers.start_in_cell(tx, server.id, now=now, settings=self._settings, actor=folder.OPERATOR)
            except NoCapacity as error:
                seen.refused.append(_Refused(server, tuple(reason for reason, _ in error.reasons)))
                tx.remove_server(tx.server(server.id), at=now, actor=folder.OPERATOR)
        _look_back(tx, before, seen)
        seen.used, seen.servers = self._used(tx)
        return seen

    def _run_due(self, tx: CellTransaction, until: datetime) -> None:
        tasks.run_due_in_cell(tx, until, settings=self._settings, no_earlier_than=None)

    def _used(self, tx: CellTransaction) -> tuple[Size, int]:
        """What the servers on all hosts really have, and how many they are. Only hosts that changed are added up."""
        used, count = NOTHING, 0
        for load in tx.loads():
            known = self._loads.get(load.host.name)
            if known is None or known[0] is not load:
                known = load, sum((server.effective or NOTHING for server in load.servers), NOTHING)
                self._loads[load.host.name] = known
            used += known[1]
            count += len(load.servers)
        return used, count


def _look_back(tx: CellTransaction, before: int, seen: _Seen) -> None:
    """What the events since number `before` say of backfilling servers: the log is where it is written down."""
    for event in tx.events(after=before, limit=tx.last_event_number() - before):
        if event.kind == "server.shrunk":
            seen.shrunk.add(event.object_id)
        elif event.kind == "server.displaced":
            seen.stopped += 1


def _mark(tx: CloudTransaction, ids: Iterable[str], state: EntryState) -> None:
    for server_id in ids:
        servers.set_server_entry_state(tx, server_id, state)


def _settle(tx: CloudTransaction, ids: Iterable[str], gone: set[str]) -> None:
    """The last step of what spans both files: the entries say what the cell has."""
    for server_id in ids:
        if server_id in gone:
            tx.remove_server_entry(server_id)
        else:
            servers.set_server_entry_state(tx, server_id, "active")
