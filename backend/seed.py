"""The demo cloud, deterministic from one integer seed and one instant; and an empty one with the same hosts.

Sizes, tenants and who belongs together come from the trace in `package_data`; names are invented. The servers are not
written down but started, in their order, by the operations that everybody uses: what is shrunk, what was stopped and
which groups collide is what placement made of it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backend import trace
from backend.cloud import backfill
from backend.cloud.errors import NoCapacity
from backend.cloud.model import (
    GIB,
    GROUP_TAG_PREFIX,
    PROJECT,
    VCPU_MHZ,
    Account,
    Drive,
    Host,
    HostKind,
    HostState,
    ReachabilityState,
    Server,
    ServerState,
    Size,
)
from backend.operations import Settings, backup_sources, backups, drives, losses, schedules, servers, tasks
from backend.store import CellTransaction, CloudTransaction, FolderWriter, create_folder

KINDS = ("demo", "empty")
CELLS = ("cell-1", "cell-2", "cell-3", "cell-4")
COMPUTE_HOSTS = 24
STORAGE_HOSTS = 4
STORAGE_BYTES = 20 * 1024 * GIB
HOST = Size(48_000, 128 * GIB)
LARGE_HOST = Size(64_000, 192 * GIB)

DOWN_CELL = "cell-3"
LOST_HOST = ("cell-2", "c2-h01")
LARGE = ("warehouse-01", 20, Size(20 * VCPU_MHZ, 96 * GIB))
"""The first server of the cell that will lose a host. It is on that host, and fits on no other."""

PROJECTS = ("operations", "shop", "render-farm", "ledger")
OPERATOR = "operator@stratodeck.local"
TENANT = "tenant@stratodeck.local"
OWNER = "owner@stratodeck.local"
MANAGER = "manager@stratodeck.local"

GROUPS = (
    ("web", 8), ("api", 6), ("ci", 5), ("search", 5), ("queue", 4), ("proxy", 4), ("cache", 4), ("etcd", 3), ("log", 3),
    ("vault", 3), ("db-main", 3), ("metrics", 3), ("mq", 3), ("dns", 3), ("auth", 2), ("smtp", 2), ("billing", 2),
    ("git", 2), ("lb", 2), ("ldap", 2),
)  # fmt: skip
CARELESS = frozenset({"web", "cache", "db-main", "ldap", "metrics", "ci"})
"""Groups whose members were started without an avoid list."""

BACKFILL_NAMES = ("render", "encode", "crawl", "train")
BACKFILL_SHARE = 0.3
NORMAL_SHARE = 0.68
"""Of a cell's CPU: what comes beyond it lives on leftovers."""
FULL_SHARE = {"cell-1": 0.95, "cell-2": 0.97, "cell-3": 0.93, "cell-4": 0.8}

PRESSING = (
    # name, cell, whether somebody must stop for it, minutes ago: the oldest first
    ("erp-02", "cell-1", True, 33),
    ("app-big-1", "cell-2", True, 28),
    ("mail-05", "cell-1", False, 25),
    ("mail-04", "cell-2", False, 19),
    ("shop-11", "cell-4", False, 14),
    ("db-09", "cell-1", False, 11),
    ("web-31", "cell-2", False, 5),
)

SCHEDULES: tuple[tuple[str, str, schedules.ScheduleSpec], ...] = tuple(
    # what is copied, what there is of the schedule, and how long ago it was made: days, or hours of what runs often
    (source, made, schedules.ScheduleSpec(cron=cron, description=description, **said))
    for source, made, description, cron, said in (
        ("project ledger", "10d", "ledger weekly", "0 4 * * 0",
         {"retention_days": 60, "target_seconds": 8 * 86_400, "jitter_seconds": 1800}),
        ("api-01", "11h", "api hourly", "15 * * * *",
         {"retention_days": 2, "backups_max": 24, "target_seconds": 2 * 3600}),
        ("mq-01", "11h", "mq hourly", "5 * * * *",
         {"retention_days": 2, "backups_max": 24, "target_seconds": 45 * 60}),
        ("web-01", "10d", "web nightly", "0 23 * * *",
         {"time_zone": "Europe/Berlin", "backups_max": 5, "keeps": {"daily": 7, "weekly": 4},
          "target_seconds": 26 * 3600}),
        ("log-02", "10d", "log nightly", "30 1 * * *",
         {"retention_days": 10, "backups_max": 10, "target_seconds": 86_400}),
        ("git-01", "10d", "git weekly", "0 3 * * 6", {}),
        ("vault-01", "10d", "vault monthly", "0 4 1 * *",
         {"retention_days": 365, "backups_max": 12, "target_seconds": 32 * 86_400}),
        ("search-03", "11h", "search often", "*/10 * * * *",
         {"retention_days": 1, "backups_max": 7, "target_seconds": 15 * 60}),
        ("db-main-01", "10d", "db-main nightly", "0 2 * * *",
         {"retention_days": 7, "backups_max": 7, "target_seconds": 86_400}),
        ("billing-01", "10d", "billing nightly", "0 2 * * *", {"retention_days": 7, "is_active": False}),
    )
)  # fmt: skip
DRILLED = "log nightly"
"""The schedule of which the newest backup was restored on trial the day before."""
HISTORY = timedelta(days=10)
SILENT_FOR = timedelta(minutes=12)
"""How long ago the cell that is down was heard of."""

Progress = Callable[[str, float], None]
"""Told a sentence and how much is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server of the demo, before it has an id and a cell."""

    name: str
    size: Size
    vcpus: int
    project: str
    is_backfilling: bool
    group: str | None
    cell: str
    created_at: datetime
    is_started: bool


@dataclass(slots=True)
class _Demo:
    """What is known while the demo is made: the way from names to ids."""

    settings: Settings
    projects: Mapping[str, str]
    ids: dict[str, str]
    cell_of: dict[str, str]


def make(
    folder: Path,
    kind: str,
    *,
    seed: int,
    now: datetime,
    clock_state: Mapping[str, Any],
    progress: Progress = lambda sentence, share: None,
) -> None:
    """Make the folder of a new cloud. Interrupted, it leaves nothing that opens as a cloud.

    Raises:
        FolderError: the folder cannot be written, or holds something else.
    """
    chance = random.Random(seed)  # noqa: S311 - the demo is meant to be the same for everybody
    cloud_id = uuid.UUID(int=chance.getrandbits(128), version=4) if kind == "demo" else uuid.uuid4()
    progress("making the hosts", 0.0)

    def fill(writer: FolderWriter) -> None:
        demo = _Demo(Settings(), add_tenants(writer.cloud), {}, {})
        for cell in CELLS:
            _add_hosts(writer.cell(cell), cell, now=now - HISTORY)
        if kind == "demo":
            _fill(writer, demo, chance, now=now, progress=progress)

    create_folder(
        folder,
        cloud_id=str(cloud_id),
        kind=kind,
        seed=seed,
        created_at=now,
        settings={},
        clock=clock_state,
        cells=CELLS,
        fill=fill,
    )
    progress("done", 1.0)


def add_tenants(tx: CloudTransaction) -> dict[str, str]:
    """The standard customers, projects, accounts and memberships. Returns the projects' ids by name."""
    inside, outside = tx.next_id("cloud"), tx.next_id("cloud")
    tx.add_customer(inside, "stratodeck")
    tx.add_customer(outside, "tenants")
    ids = {name: tx.next_id("cloud") for name in PROJECTS}
    tx.add_project(ids["operations"], "operations", inside)
    tx.add_project(ids["shop"], "shop", outside, servers_max=500, storage_bytes_max=40 * 1024 * GIB)
    tx.add_project(ids["render-farm"], "render-farm", outside)
    tx.add_project(ids["ledger"], "ledger", inside, storage_bytes_max=1_400 * GIB)
    for name, project, is_staff, may_backfill in (
        (OPERATOR, "operations", True, True),
        (TENANT, "shop", False, False),
        (OWNER, "shop", False, False),
        (MANAGER, "shop", False, False),
    ):
        tx.add_account(Account(tx.next_id("cloud"), name, ids[project], is_staff=is_staff, may_backfill=may_backfill))
    for project in ("operations", "render-farm", "ledger"):
        tx.add_membership(OPERATOR, "project_admin", ids[project])
    tx.add_membership(TENANT, "project_admin", ids["shop"])
    tx.add_membership(OWNER, "customer_owner", outside)
    tx.add_membership(MANAGER, "project_manager", ids["shop"])
    return ids


def host_names() -> tuple[str, ...]:
    """Of every cell, of the demo and of an empty cloud."""
    return tuple(name for number in range(1, len(CELLS) + 1) for names in _host_names(number) for name in names)


def server_names() -> frozenset[str]:
    """Of the demo: they are the same whatever its seed."""
    chance = random.Random(0)  # noqa: S311 - what is drawn with it is no part of a name
    made = {wanted.name for wanted in _wanted(chance, now=datetime(2026, 1, 1, tzinfo=UTC))}
    return frozenset(made | {name for name, *_ in PRESSING})


def _host_names(number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the compute hosts and of the storage hosts of a cell, the first being number 1."""
    computing = tuple(f"c{number}-h{index:02}" for index in range(1, COMPUTE_HOSTS + 1))
    return computing, tuple(f"s{number}-{index:02}" for index in range(1, STORAGE_HOSTS + 1))


def _add_hosts(tx: CellTransaction, cell: str, *, now: datetime) -> None:
    number = CELLS.index(cell) + 1
    capacity = LARGE_HOST if cell == CELLS[-1] else HOST
    computing, storing = _host_names(number)
    for name in computing:
        tx.add_host(Host(name, cell, HostKind.COMPUTE, HostState.UP, capacity, state_since=now), at=now)
    for name in storing:
        storage = Host(name, cell, HostKind.STORAGE, HostState.UP, storage_bytes=STORAGE_BYTES, state_since=now)
        tx.add_host(storage, at=now)


def _fill(writer: FolderWriter, demo: _Demo, chance: random.Random, *, now: datetime, progress: Progress) -> None:
    by_cell: dict[str, list[Wanted]] = {cell: [] for cell in CELLS}
    for wanted in _wanted(chance, now=now):
        by_cell[wanted.cell].append(wanted)
    for place, cell in enumerate(CELLS):
        progress(f"filling {cell}: {len(by_cell[cell])} servers", 0.1 + 0.8 * place / len(CELLS))
        tx = writer.cell(cell)
        for wanted in sorted(by_cell[cell], key=lambda each: (each.created_at, each.name)):
            _add(writer.cloud, tx, demo, wanted, chance)
        if cell == LOST_HOST[0]:
            losses.fail_in_cell(tx, LOST_HOST[1], now=now - timedelta(minutes=40))
        _press(writer.cloud, tx, demo, cell, chance, now=now)
        tasks.run_due_in_cell(tx, now, settings=demo.settings, no_earlier_than=None)
    progress("taking backups", 0.9)
    _schedule(writer, demo, now=now)
    writer.cloud.save_injected(DOWN_CELL, ReachabilityState.DOWN)


def _wanted(chance: random.Random, *, now: datetime) -> Iterator[Wanted]:
    """The servers of the demo: tenants' batches of the trace until the cells are full, then the named groups."""
    long_lived = [each for each in trace.arrivals(4.0) if (each.lifetime_seconds or 10**9) >= 3600]
    room_cpu = {cell: COMPUTE_HOSTS * (LARGE_HOST if cell == CELLS[-1] else HOST).cpu_mhz for cell in CELLS}
    normal_cpu, all_cpu = dict.fromkeys(CELLS, 0), dict.fromkeys(CELLS, 0)
    counts: dict[str, int] = {}
    name, vcpus, size = LARGE
    normal_cpu[LOST_HOST[0]] = all_cpu[LOST_HOST[0]] = size.cpu_mhz
    created_at = now - timedelta(days=10)
    yield Wanted(name, size, vcpus, "operations", False, None, LOST_HOST[0], created_at, True)
    for number, arrival in enumerate(long_lived):
        cell = min(CELLS, key=lambda name: (all_cpu[name] / (room_cpu[name] * FULL_SHARE[name]), name))
        if all_cpu[cell] >= FULL_SHARE[cell] * room_cpu[cell]:
            break
        is_backfilling = (
            trace.is_backfilling(arrival.tenant_batch, seed=1, share=BACKFILL_SHARE)
            or normal_cpu[cell] >= NORMAL_SHARE * room_cpu[cell]
        )
        kind = BACKFILL_NAMES[arrival.tenant_batch % len(BACKFILL_NAMES)] if is_backfilling else "app"
        is_started = number % 29 != 7
        all_cpu[cell] += arrival.size.cpu_mhz if is_started else 0
        normal_cpu[cell] += 0 if is_backfilling or not is_started else arrival.size.cpu_mhz
        counts[kind] = counts.get(kind, 0) + 1
        age = timedelta(days=9, seconds=-chance.randrange(60)) - timedelta(seconds=number * 540)
        yield Wanted(
            name=f"{kind}-{counts[kind]:03}",
            size=arrival.size,
            vcpus=arrival.vcpus,
            project="render-farm" if is_backfilling else PROJECTS[arrival.tenant_batch % 2],
            is_backfilling=is_backfilling,
            group=None,
            cell=cell,
            created_at=now - max(age, timedelta(hours=3, seconds=chance.randrange(3600))),
            is_started=is_started,
        )
    small = [each for each in long_lived if each.vcpus <= 2]
    for index, (group, members) in enumerate(GROUPS):
        model = small[(index * 37) % len(small)]
        for member in range(members):
            # A careless group keeps to one cell and starts at once: its members land where room is, together.
            is_apart = members > 2 and group not in CARELESS
            yield Wanted(
                name=f"{group}-{member + 1:02}",
                size=model.size,
                vcpus=model.vcpus,
                project="ledger" if group == "db-main" else "shop" if index % 3 else "operations",
                is_backfilling=False,
                group=group,
                cell=CELLS[(index + 1 + (member if is_apart else member // 3)) % len(CELLS)],
                created_at=now - timedelta(hours=3, seconds=-60 * index - 20 * member),
                is_started=True,
            )


def _add(cloud: CloudTransaction, tx: CellTransaction, demo: _Demo, wanted: Wanted, chance: random.Random) -> str:
    """One server with its boot drive, and a data drive for some; started if it is meant to run and finds room."""
    at = wanted.created_at
    tasks.run_due_in_cell(tx, at, settings=demo.settings, no_earlier_than=None)
    owner = TENANT if wanted.project == "shop" else OPERATOR
    server = Server(
        id=cloud.next_id(wanted.cell),
        name=wanted.name,
        cell=wanted.cell,
        project_id=demo.projects[wanted.project],
        owner=owner,
        size=wanted.size,
        created_at=at,
        state_since=at,
        is_backfilling=wanted.is_backfilling,
        floor_permille=(500, 0) if wanted.is_backfilling and chance.random() < 0.25 else (0, 0),
        smp=wanted.vcpus,
        tags=(f"{GROUP_TAG_PREFIX}{wanted.group}",) if wanted.group else (),
    )
    cloud.add_server_entry(servers.entry_of(server, state="active"))
    tx.add_server(server, at=at, actor=owner)
    demo.ids[wanted.name], demo.cell_of[wanted.name] = server.id, wanted.cell
    sizes = [("boot", 20)]
    if wanted.group in ("db-main", "log", "search") or chance.random() < 0.1:
        sizes.append(("data", chance.choice((80, 100, 120))))
    for unit, (label, gib) in enumerate(sizes):
        _add_drive(cloud, tx, server, name=f"{wanted.name}-{label}", size_bytes=gib * GIB, unit=unit, at=at)
    tasks.run_due_in_cell(tx, at + timedelta(seconds=5), settings=demo.settings, no_earlier_than=None)
    if wanted.is_started:
        avoid: tuple[str, ...] = ()
        if wanted.group in CARELESS and int(wanted.name[-2:]) % 3 == 1:
            _make_hole(tx, demo, at=at + timedelta(seconds=5))
        if wanted.group is not None and wanted.group not in CARELESS:
            avoid = tuple(demo.ids[name] for name in demo.ids if name.startswith(f"{wanted.group}-"))
        _start(tx, demo, server.id, at=at + timedelta(seconds=6), avoid=avoid, actor=owner)
    return server.id


def _make_hole(tx: CellTransaction, demo: _Demo, *, at: datetime) -> None:
    """A large tenant leaves: whoever starts next without an avoid list lands where it was."""
    running = [server for load in tx.loads() for server in load.servers if server.state is ServerState.RUNNING]
    largest = max(running, key=lambda server: (server.is_backfilling, server.size.cpu_mhz, server.id))
    servers.stop_in_cell(tx, largest.id, now=at - timedelta(seconds=3), actor=largest.owner)
    tasks.run_due_in_cell(tx, at, settings=demo.settings, no_earlier_than=None)


def _add_drive(
    cloud: CloudTransaction,
    tx: CellTransaction,
    server: Server,
    *,
    name: str,
    size_bytes: int,
    unit: int,
    at: datetime,
) -> None:
    drive = Drive(
        id=cloud.next_id(server.cell),
        name=name,
        cell=server.cell,
        project_id=server.project_id,
        owner=server.owner,
        size_bytes=size_bytes,
        host="",
        created_at=at,
        state_since=at,
    )
    cloud.add_drive_entry(drives.entry_of(replace(drive, server_id=server.id), state="active"))
    drives.add_in_cell(tx, drive, now=at, policy="spread", ranks={}, actor=server.owner)
    drives.attach_in_cell(
        tx,
        drive.id,
        server.id,
        now=at,
        device="virtio",
        channel=f"0:{unit}",
        boot_order=1 if unit == 0 else None,
        actor=server.owner,
    )


def _start(
    tx: CellTransaction, demo: _Demo, server_id: str, *, at: datetime, avoid: tuple[str, ...] = (), actor: str
) -> None:
    try:
        servers.start_in_cell(tx, server_id, now=at, settings=demo.settings, avoid=avoid, actor=actor)
    except NoCapacity:
        # A full cloud refuses, and the demo keeps the server stopped: that is how it looks in life.
        return


def _press(
    cloud: CloudTransaction, tx: CellTransaction, demo: _Demo, cell: str, chance: random.Random, *, now: datetime
) -> None:
    """The last half hour: normal servers just larger than what is free, so that others are shrunk, or even stopped."""
    for name, where, stops, minutes in PRESSING:
        if where != cell:
            continue
        none_shrunk, others_shrink, others_stop = (price[0] for price in backfill.normal_prices(tx.loads()))
        cpu_mhz = (others_shrink.cpu_mhz + others_stop.cpu_mhz) // 2 if stops else none_shrunk.cpu_mhz + 5000
        vcpus = min(cpu_mhz, others_stop.cpu_mhz if stops else others_shrink.cpu_mhz) // VCPU_MHZ
        wanted = Wanted(
            name=name,
            size=Size(vcpus * VCPU_MHZ, 8 * GIB),
            vcpus=vcpus,
            project="operations",
            is_backfilling=False,
            group=None,
            cell=cell,
            created_at=now - timedelta(minutes=minutes, seconds=chance.randrange(50)),
            is_started=True,
        )
        _add(cloud, tx, demo, wanted, chance)


def _schedule(writer: FolderWriter, demo: _Demo, *, now: datetime) -> None:
    """Schedules with the runs of the last days; those of the silent cell miss their runs from a while ago."""
    cloud = writer.cloud
    for source, made, spec in SCHEDULES:
        length = int(made[:-1])
        began = now - (timedelta(days=length) if made.endswith("d") else timedelta(hours=length))
        parts = _parts(writer, demo, source)
        scope = backup_sources.scope_of_server(parts[0].server)
        if source.startswith("project "):
            found = backup_sources.find(cloud, PROJECT, demo.projects[source.removeprefix("project ")])
            assert found is not None, "the demo has this project"
            scope = found
        owner = parts[0].server.owner
        schedule = schedules.new_schedule(cloud, scope, spec, now=began, actor=owner)
        while schedule.next_trigger_at is not None and schedule.next_trigger_at <= now:
            at = schedule.next_trigger_at
            backups.run_due_centrally(cloud, at)
            is_silent = at >= now - SILENT_FOR and any(DOWN_CELL in part.cells for part in parts)
            reading = None if is_silent else backup_sources.Reading(scope, parts)
            schedules.run_schedule(cloud, schedule, reading, now=at)
            backups.expire(cloud, at)
            schedule = cloud.backup_schedule(schedule.id)
        if spec.description == DRILLED:
            at = now - timedelta(days=1)
            drilled = replace(schedule, drill_days=30, drilled_at=at, drill_seconds=641)
            cloud.save_schedule(schedule, drilled, kind="schedule.drilled", at=at + timedelta(seconds=641))
    backups.run_due_centrally(cloud, now)
    backups.expire(cloud, now)


def _parts(writer: FolderWriter, demo: _Demo, source: str) -> tuple[backup_sources.Source, ...]:
    """The servers that a schedule copies, with their drives: one by its name, or those of a project."""
    ids = [demo.ids[source]] if source in demo.ids else []
    if source.startswith("project "):
        project_id = demo.projects[source.removeprefix("project ")]
        ids = [entry.id for entry in writer.cloud.server_entries(projects=frozenset({project_id}))]
    names = {id: name for name, id in demo.ids.items()}
    cells = [writer.cell(demo.cell_of[names[id]]) for id in ids]
    return tuple(
        backup_sources.Source(tx.server(id), tuple(tx.drives_of(id))) for id, tx in zip(ids, cells, strict=True)
    )
