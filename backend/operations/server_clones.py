"""Clones of servers with their drives, and the published recipe for a redundant one: clone avoiding itself, then start
avoiding the origin.

The clone is a stopped server with a copy of each drive, attached as the original is. It lies in one cell with all its
copies: reserved centrally in one transaction, made in the cell in one transaction, and then active. So a crash leaves a
whole clone or none, and recovery needs to know nothing of clones. The cell is the one where the copies avoid most, and
of equal ones the source's own; `avoid` is about the storage hosts of the copies.

With `is_started` a task of the clone waits for its copies and then starts it, avoiding the same list. Where no host has
room the task fails with the reason, and the clone stays stopped.

Source: CloudSigma API 2.0, "Availability Groups and Avoid", "drives-avoid" and "Recipe".

Simplified: the published cloud shares a mounted cdrom with the clone; here a drive has one server, so it is copied too.
A copy is taken at the instant of the request, as any drive's clone is (see `clones`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.avoiding import sharing_of
from backend.cloud.errors import (
    CloudError,
    Conflict,
    Forbidden,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
    Unreachable,
)
from backend.cloud.model import (
    Account,
    Drive,
    DriveState,
    PartialDrive,
    Server,
    ServerState,
    Task,
    TaskState,
)
from backend.cloud.placement import DrivePlacement, NoValidHost, Ranks
from backend.operations import (
    Cloud,
    RequestKey,
    Settings,
    avoiding,
    cells,
    check_version,
    clones,
    drives,
    quotas,
    servers,
)
from backend.operations.avoiding import Entry, Placed
from backend.operations.clones import CloneBegun
from backend.operations.explain import explain_last
from backend.store import CellTransaction, CloudTransaction

COPY_SUFFIX = "-clone"
START = "start_apart"
"""The task that waits for the copies of a clone."""


@dataclass(frozen=True, slots=True)
class CloneSpec:
    """What is asked for."""

    name: str | None = None
    """None: after its source."""
    avoid: tuple[str, ...] = ()
    """Ids of drives, or of servers, which stand for all their drives at one rank."""
    is_started: bool = False
    """By the recipe: the source is avoided before all else, by the copies and by the start."""
    attributes: Mapping[str, Any] | None = None
    """Laid over those of the source."""

    def avoid_of(self, source_id: str) -> tuple[str, ...]:
        if not self.is_started:
            return self.avoid
        return (source_id, *(id for id in self.avoid if id != source_id))


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """Where the copy of one drive would go, and how long it would take."""

    source: Drive
    found: DrivePlacement
    is_same_host: bool
    seconds: int
    rate_bytes_per_second: int


@dataclass(frozen=True, slots=True)
class ServerClonePlan:
    source: Server
    cell: str
    name: str
    avoid: tuple[str, ...]
    copies: tuple[CopyPlan, ...]
    entries: tuple[Entry, ...]
    """What would become of the avoid list, for the copies."""
    model: Server
    """The clone as it would be made."""

    @property
    def seconds(self) -> int:
        """Until the last copy is whole."""
        return max((copy.seconds for copy in self.copies), default=0)


@dataclass(frozen=True, slots=True)
class ServerCloneBegun:
    server: Server
    copies: tuple[CloneBegun, ...]
    start: Task | None
    """By the recipe: the task that starts it; None in the answer to a repeat once it has ended."""
    avoid: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Home:
    """The cell that the clone goes to, and what was found there for each drive."""

    cell: str
    found: tuple[DrivePlacement, ...]
    ranks: Mapping[str, Ranks]


# --- one transaction in the clone's cell ------------------------------------------------------------------------------


def add_clone_in_cell(
    tx: CellTransaction,
    server: Server,
    copies: Mapping[str, Drive],
    sources: Mapping[str, Drive],
    *,
    source: Server,
    now: datetime,
    settings: Settings,
    ranks: Mapping[str, Ranks],
    actor: str,
    starts: Mapping[str, Any] | None,
) -> ServerCloneBegun:
    """Add the clone with its copies, and begin to copy: all of it, or nothing.

    Args:
        copies: By the id of what each is a copy of, attached to `server`, in the order of their placement.
        sources: By id.
        starts: What the task that starts it has to know; None where it stays stopped.

    Raises:
        NoCapacity, NotFound, WrongState: a drive has changed meanwhile.
    """
    begun = []
    for source_id, copy in copies.items():
        copied = sources[source_id]
        if copied.cell == tx.cell:
            copied = tx.drive(source_id)
            lifecycle.begin("drive", source_id, "clone", copied.state)
        added, task = clones.add_copy_in_cell(
            tx, copy, copied, now=now, policy=settings.placement, ranks=ranks, actor=actor
        )
        begun.append(CloneBegun(added, task))
    tx.add_server(server, at=now, actor=actor, details={"source": source.id, "source_name": source.name})
    start = None
    if starts is not None:
        due_at = max((each.task.due_at for each in begun if each.task is not None), default=now)
        start = tx.schedule(START, "server", server.id, begun_at=now, due_at=due_at, actor=actor, payload=starts)
    return ServerCloneBegun(tx.server(server.id), tuple(begun), start, ())


def start_when_whole(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    """The copies should be whole by now: start the clone. A copy that is not puts the start off.

    Raises:
        WrongState: a drive cannot be used.
    """
    server = tx.server(task.object_id)
    if server.state is not ServerState.STOPPED or server.state_since != task.begun_at:
        tx.end_task(task, TaskState.CANCELLED, at=at, result="somebody else has started it")
        return
    if (later := _look_again_at(tx, task, at=at)) is not None:
        tx.put_off_task(task, due_at=later)
        return
    avoid, sees = tuple(task.payload["avoid"]), task.payload["sees"]
    asker = Account("", task.actor, "", is_staff=sees is None, projects_read=frozenset(sees or ()))
    try:
        started = servers.start_in_cell(
            tx, server.id, now=at, settings=settings, avoid=avoid, visible_to=asker, actor=task.actor
        )
    except NoCapacity as problem:
        tx.save_server(server, replace(server, reason=str(problem)), kind="server.stays", at=at)
        raise
    decision = started.decision
    result = f"starts on {decision.host}"
    if decision.avoided:
        others = "no other host has room" if decision.runner_up is None else "the others with room hold what is avoided"
        result += f", which it shares with {_called(tx, decision.avoided, asker)}: {others}"
    elif task.payload["source"] in avoid:
        result += f", apart from {task.payload['source_name']}"
    tx.end_task(task, TaskState.DONE, at=at, result=result)


def _called(tx: CellTransaction, ids: tuple[str, ...], asker: Account) -> str:
    known = tx.servers(ids)
    return ", ".join(known[id].name if id in known and asker.may_see(known[id].project_id) else id for id in ids)


def _look_again_at(tx: CellTransaction, task: Task, *, at: datetime) -> datetime | None:
    """When a copy may be whole that is not yet; None when all are."""
    looks = []
    for drive in tx.drives_of(task.object_id):
        if drive.state is DriveState.CLONING_DST:
            # Its host was lost for a while, and the copy began again.
            looks += [copying.due_at for copying in tx.open_tasks_of(drive.id) if copying.kind == "clone"]
        elif drive.state is DriveState.UNAVAILABLE:
            waited_seconds = (at - task.begun_at).total_seconds()
            seconds = min(max(waited_seconds, lifecycle.COPY_LOOK_SECONDS), lifecycle.RELOCATE_SECONDS_MAX)
            looks.append(at + timedelta(seconds=seconds))
    return max(*looks, at + timedelta(seconds=1)) if looks else None


# --- operations -------------------------------------------------------------------------------------------------------


async def plan_server_clone(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    spec: CloneSpec,
    *,
    if_version: int | None = None,
    only_backfilling: bool = False,
) -> ServerClonePlan:
    """What `clone_server` would do now.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, NoCapacity, Unreachable.
    """
    source, attached = await _source(
        cloud, actor, server_id, spec, if_version=if_version, only_backfilling=only_backfilling
    )
    avoid = spec.avoid_of(source.id)
    home = await _choose_home(cloud, actor, source, attached, avoid, is_started=spec.is_started)
    model = _model(cloud, actor, source, spec, home.cell)
    storage_bytes = sum(drive.size_bytes for drive in attached)
    await cloud.store.cloud_read(
        lambda tx: quotas.check(tx, model.project_id, servers=1, size=model.size, storage_bytes=storage_bytes)
    )
    copies = tuple(_copy_plan(drive, found) for drive, found in zip(attached, home.found, strict=True))
    placed = [_placed(copy, avoid, home.ranks) for copy in copies]
    entries = await avoiding.report(cloud, actor, avoid, "drive", placed)
    return ServerClonePlan(source, home.cell, model.name, avoid, copies, entries, model)


async def clone_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    spec: CloneSpec,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    only_backfilling: bool = False,
) -> ServerCloneBegun:
    """A copy of the server and of each of its drives, in the account's own project. `avoid` never fails.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, NoCapacity, Unreachable, OutcomeUnknown.
    """
    avoid = spec.avoid_of(server_id)
    if request is not None and (made := await _made_before(cloud, request)) is not None:
        return replace(made, avoid=avoid)
    source, attached = await _source(
        cloud, actor, server_id, spec, if_version=if_version, only_backfilling=only_backfilling
    )
    home = await _choose_home(cloud, actor, source, attached, avoid, is_started=spec.is_started)
    model = _model(cloud, actor, source, spec, home.cell)
    reserved: list[str] = []
    server, copies = await cloud.store.cloud_write(
        lambda tx: _reserve(tx, cloud, model, attached, avoid, request=request, reserved=reserved)
    )
    try:
        begun = await cloud.store.cell_write(
            home.cell,
            lambda tx: add_clone_in_cell(
                tx,
                server,
                copies,
                {drive.id: drive for drive in attached},
                source=source,
                now=server.created_at,
                settings=cloud.settings,
                ranks=home.ranks,
                actor=actor.name,
                starts=_starts(source, avoid, actor) if spec.is_started else None,
            ),
        )
        await cloud.store.cloud_write(lambda tx: _activate(tx, server.id, copies))
    except OutcomeUnknown:
        raise
    except CloudError:
        # The cell has refused it or was never asked, so nothing was made: all reservations go back.
        await cloud.store.cloud_write(lambda tx: _give_back(tx, server.id, copies))
        raise
    finally:
        cloud.live.difference_update(reserved)
    for drive, each in zip(attached, begun.copies, strict=True):
        if drive.cell != home.cell and each.task is not None:
            await clones.hold_elsewhere(cloud, drive, each.drive, each.task)
    return replace(begun, avoid=avoid)


async def report_on_copies(cloud: Cloud, actor: Account, begun: ServerCloneBegun) -> tuple[Entry, ...]:
    """What became of the avoid list when the copies were placed. Told from the log, so also of a repeated request."""
    if not begun.avoid:
        return ()
    explained = [await explain_last(cloud, actor, each.drive) for each in begun.copies]
    placed = [avoiding.placed_as_explained(each) for each in explained if each is not None]
    return await avoiding.report(cloud, actor, begun.avoid, "drive", [each for each in placed if each is not None])


# --- the source -------------------------------------------------------------------------------------------------------


async def _source(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    spec: CloneSpec,
    *,
    if_version: int | None,
    only_backfilling: bool,
) -> tuple[Server, list[Drive]]:
    """The server, and its drives in the order of their channels."""
    entry = await servers.entry_for(cloud, actor, server_id, only_backfilling=only_backfilling)
    if not actor.may_change(actor.project_id):
        raise Forbidden("clone the server", "this account may not change its project")
    if entry.is_backfilling and not actor.may_backfill:
        raise Forbidden("clone a backfilling server", "backfilling is not enabled for this account")
    if spec.name is not None:
        servers.check_name(spec.name)
    source = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id))
    check_version(source.version, if_version)
    lifecycle.begin("server", source.id, "clone", source.state)
    mounted = await cloud.store.cloud_read(lambda tx: tx.drive_entries_of(server_id))
    attached: list[Drive] = []
    for drive in await drives.read_drives(cloud, [each for each in mounted if actor.may_see(each.project_id)]):
        if isinstance(drive, PartialDrive):
            raise Unreachable(drive.cell, cloud.store.reachability(drive.cell).reason)
        if drive is not None:
            lifecycle.begin("drive", drive.id, "clone", drive.state)
            attached.append(drive)
    if len(attached) != len(mounted):
        raise Conflict("Not all of its drives can be copied: some belong to a project that this account may not see.")
    return source, sorted(attached, key=lambda drive: (drive.channel or "", drive.id))


def _model(cloud: Cloud, actor: Account, source: Server, spec: CloneSpec, cell: str) -> Server:
    """The clone as it will be, without an id."""
    now = cloud.clock.now()
    return Server(
        id="",
        name=_copy_name(source.name) if spec.name is None else spec.name,
        cell=cell,
        project_id=actor.project_id,
        owner=actor.name,
        size=source.size,
        created_at=now,
        state_since=now,
        is_backfilling=source.is_backfilling,
        floor_permille=source.floor_permille,
        smp=source.smp,
        meta=source.meta,
        tags=source.tags,
        attributes={**source.attributes, **(spec.attributes or {})},
    )


def _copy_name(name: str) -> str:
    return name[: servers.NAME_LENGTH_MAX - len(COPY_SUFFIX)] + COPY_SUFFIX


def _starts(source: Server, avoid: tuple[str, ...], actor: Account) -> dict[str, Any]:
    """What the task that starts the clone has to know: what its account could see counts, whatever becomes of it."""
    return {
        "avoid": list(avoid),
        "source": source.id,
        "source_name": source.name,
        "sees": None if actor.is_staff else sorted(actor.projects_read),
    }


# --- where ------------------------------------------------------------------------------------------------------------


async def _choose_home(
    cloud: Cloud,
    actor: Account,
    source: Server,
    attached: list[Drive],
    avoid: tuple[str, ...],
    *,
    is_started: bool,
) -> _Home:
    """The cell where the copies avoid most, drive by drive; then, of one to be started, where that goes best; then the
    source's own. One that would have no room to start it comes last. Raises NoCapacity, Unreachable.
    """
    ranks = placement.avoided_ranks(avoid, await drives.hosts_to_avoid(cloud, actor, avoid))
    wanted = [(drive.size_bytes, drive.host) for drive in attached]
    now = cloud.clock.now()

    def offer(tx: CellTransaction) -> tuple[list[DrivePlacement | NoValidHost], tuple[Any, ...]]:
        found = placement.place_drives(wanted, tx.storage_loads(), ranks=ranks, policy=cloud.settings.placement)
        start: tuple[Any, ...] = (0, (), 0, 0, 0)
        if is_started:
            start = cells.offer_of(
                tx, cloud, source.size, actor, is_backfilling=source.is_backfilling, avoid=avoid, now=now
            )
        return found, start

    answers = await cloud.store.each_cell(offer)
    offers: list[tuple[tuple[Any, ...], str, tuple[DrivePlacement, ...]]] = []
    refused: dict[str, int] = {}
    for cell, answer in answers.items():
        if isinstance(answer, Unreachable):
            continue
        found, (is_refused, start_avoids, stops, work, room) = answer
        placed = tuple(each for each in found if isinstance(each, DrivePlacement))
        if len(placed) < len(attached):
            for each in found:
                for reason, count in each.counted() if isinstance(each, NoValidHost) else ():
                    refused[reason] = refused.get(reason, 0) + count
            continue
        avoids = tuple(placement.avoid_key(each.ranks) for each in placed)
        key = (is_refused, avoids, start_avoids, stops, cell != source.cell, work, room, cell)
        offers.append((key, cell, placed))
    if not offers:
        if refused:
            raise NoCapacity(f"a clone of server {source.name or source.id}", sorted(refused.items()))
        raise Unreachable(next(iter(answers), ""), "no cell answers")
    _, cell, placed = min(offers)
    return _Home(cell, placed, ranks)


def _copy_plan(source: Drive, found: DrivePlacement) -> CopyPlan:
    is_same_host = found.host == source.host
    return CopyPlan(
        source,
        found,
        is_same_host,
        lifecycle.clone_seconds(source.size_bytes, is_same_host=is_same_host),
        lifecycle.clone_rate(is_same_host=is_same_host),
    )


def _placed(copy: CopyPlan, avoid: tuple[str, ...], ranks: Mapping[str, Ranks]) -> Placed:
    found = copy.found
    shared = frozenset(avoid[rank] for rank in found.ranks)
    model = replace(copy.source, id="", name=_copy_name(copy.source.name), host=found.host)
    if not shared:
        return Placed(model, found.host, shared)
    has_rival = found.runner_up is not None
    sharing = sharing_of(found.host, has_rival=has_rival, refusals=found.refusals, ranks=ranks)
    return Placed(model, found.host, shared, sharing)


# --- in cloud.db ------------------------------------------------------------------------------------------------------


def _reserve(
    tx: CloudTransaction,
    cloud: Cloud,
    model: Server,
    attached: list[Drive],
    avoid: tuple[str, ...],
    *,
    request: RequestKey | None,
    reserved: list[str],
) -> tuple[Server, dict[str, Drive]]:
    """The ids, the quota and the entries of the server and all copies; the copies by the ids of their sources."""
    storage_bytes = sum(drive.size_bytes for drive in attached)
    quotas.check(tx, model.project_id, servers=1, size=model.size, storage_bytes=storage_bytes)
    server = replace(model, id=tx.next_id(model.cell))
    copies = {
        source.id: replace(
            source,
            id=tx.next_id(model.cell),
            name=_copy_name(source.name),
            cell=model.cell,
            project_id=model.project_id,
            owner=model.owner,
            host="",
            created_at=model.created_at,
            state_since=model.created_at,
            server_id=server.id,
            avoid=avoid,
            lost_from=None,
            version=1,
        )
        for source in attached
    }
    reserved += [server.id, *(copy.id for copy in copies.values())]
    # Before anybody can read the entries: until this operation has ended nobody else finishes or undoes them.
    cloud.live.update(reserved)
    tx.add_server_entry(servers.entry_of(server, state="building"))
    for copy in copies.values():
        tx.add_drive_entry(drives.entry_of(copy, state="building"))
    if request is not None:
        answer = {"id": server.id, "copies": [copy.id for copy in copies.values()]}
        tx.remember(request.key, request.digest, answer, at=server.created_at)
    return server, copies


def _activate(tx: CloudTransaction, server_id: str, copies: Mapping[str, Drive]) -> None:
    servers.set_server_entry_state(tx, server_id, "active")
    for copy in copies.values():
        drives.set_drive_entry(tx, copy.id, state="active")


def _give_back(tx: CloudTransaction, server_id: str, copies: Mapping[str, Drive]) -> None:
    for copy in copies.values():
        tx.remove_drive_entry(copy.id)
    tx.remove_server_entry(server_id)


async def _made_before(cloud: Cloud, request: RequestKey) -> ServerCloneBegun | None:
    """The clone that this request has made; None the first time, and where what it began was undone or is gone.

    Raises:
        Conflict, Unreachable.
    """

    def find(tx: CloudTransaction) -> tuple[str, str, list[str]] | None:
        if (answer := request.remembered(tx)) is None:
            return None
        entry = tx.find_server_entry(answer["id"])
        return None if entry is None or entry.state == "deleting" else (entry.cell, entry.id, answer["copies"])

    made = await cloud.store.cloud_read(find)
    if made is None:
        return None
    cell, server_id, copy_ids = made

    def look(tx: CellTransaction) -> ServerCloneBegun:
        found = tx.drives(copy_ids)
        begun = tuple(
            CloneBegun(found[id], next((task for task in tx.open_tasks_of(id) if task.kind == "clone"), None))
            for id in copy_ids
            if id in found
        )
        start = next((task for task in tx.open_tasks_of(server_id) if task.kind == START), None)
        return ServerCloneBegun(tx.server(server_id), begun, start, ())

    try:
        return await cloud.store.cell_read(cell, look)
    except NotFound:
        # It is still under way, or its outcome is unknown until its cell has been asked.
        raise Conflict("The first request with this Idempotency-Key has not ended yet. Ask again.") from None
