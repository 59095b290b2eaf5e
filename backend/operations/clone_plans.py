"""What a clone of a server would be: its source, its cell, and where the copy of each drive goes.

Worked out from what is read; `server_clones` carries it out. The clone lies in one cell with all its copies: the one
where they avoid most, and of equal ones the source's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.avoiding import sharing_of
from backend.cloud.errors import Conflict, Forbidden, NoCapacity, Unreachable
from backend.cloud.model import Account, Drive, PartialDrive, Server
from backend.cloud.placement import DrivePlacement, NoValidHost, Ranks
from backend.operations import Cloud, avoiding, cells, check_version, drives, quotas, servers
from backend.operations.avoiding import Entry, Placed
from backend.store import CellTransaction

COPY_SUFFIX = "-clone"


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
    model: Server
    """The clone as it would be made, without an id."""
    avoid: tuple[str, ...]
    copies: tuple[CopyPlan, ...]
    entries: tuple[Entry, ...]
    """What would become of the avoid list, for the copies."""

    @property
    def seconds(self) -> int:
        """Until the last copy is whole."""
        return max((copy.seconds for copy in self.copies), default=0)


@dataclass(frozen=True, slots=True)
class Draft:
    """All that is decided of a clone before anything is written."""

    source: Server
    attached: tuple[Drive, ...]
    """The source's drives, in the order of their channels."""
    model: Server
    """The clone as it will be, without an id; its cell is the one that was chosen."""
    found: tuple[DrivePlacement, ...]
    """Where the copy of each drive goes."""
    ranks: Mapping[str, Ranks]
    """Which places of the avoid list are on each storage host."""
    avoid: tuple[str, ...]

    @property
    def storage_bytes(self) -> int:
        return sum(drive.size_bytes for drive in self.attached)

    def copies(self) -> tuple[CopyPlan, ...]:
        return tuple(_copy_plan(drive, found) for drive, found in zip(self.attached, self.found, strict=True))

    def placed(self) -> tuple[Placed, ...]:
        """Each copy as what went to a host with an avoid list."""
        return tuple(_placed(copy, self.avoid, self.ranks) for copy in self.copies())


async def draft_of(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    spec: CloneSpec,
    *,
    if_version: int | None = None,
    only_backfilling: bool = False,
) -> Draft:
    """Raises NotFound, Forbidden, Invalid, WrongState, Conflict, NoCapacity, Unreachable."""
    source, attached = await _source(
        cloud, actor, server_id, spec, if_version=if_version, only_backfilling=only_backfilling
    )
    avoid = spec.avoid_of(source.id)
    ranks = placement.avoided_ranks(avoid, await drives.hosts_to_avoid(cloud, actor, avoid))
    cell, found = await _choose_home(cloud, actor, source, attached, avoid, ranks=ranks, is_started=spec.is_started)
    return Draft(source, tuple(attached), _model(cloud, actor, source, spec, cell), found, ranks, avoid)


async def plan_server_clone(
    cloud: Cloud, actor: Account, server_id: str, spec: CloneSpec, *, if_version: int | None = None
) -> ServerClonePlan:
    """What `server_clones.clone_server` would do now.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, NoCapacity, Unreachable.
    """
    draft = await draft_of(cloud, actor, server_id, spec, if_version=if_version)
    model = draft.model
    await cloud.store.cloud_read(
        lambda tx: quotas.check(tx, model.project_id, servers=1, size=model.size, storage_bytes=draft.storage_bytes)
    )
    entries = await avoiding.report(cloud, actor, draft.avoid, "drive", draft.placed())
    return ServerClonePlan(draft.source, model, draft.avoid, draft.copies(), entries)


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
        name=copy_name(source.name) if spec.name is None else spec.name,
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


def copy_name(name: str) -> str:
    return name[: servers.NAME_LENGTH_MAX - len(COPY_SUFFIX)] + COPY_SUFFIX


# --- where ------------------------------------------------------------------------------------------------------------


async def _choose_home(
    cloud: Cloud,
    actor: Account,
    source: Server,
    attached: list[Drive],
    avoid: tuple[str, ...],
    *,
    ranks: Mapping[str, Ranks],
    is_started: bool,
) -> tuple[str, tuple[DrivePlacement, ...]]:
    """The cell where the copies avoid most, drive by drive; then, of one to be started, where that goes best; then the
    source's own. One that would have no room to start it comes last. Raises NoCapacity, Unreachable.
    """
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
    return cell, placed


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
    model = replace(copy.source, id="", name=copy_name(copy.source.name), host=found.host)
    if not shared:
        return Placed(model, found.host, shared)
    has_rival = found.runner_up is not None
    sharing = sharing_of(found.host, has_rival=has_rival, refusals=found.refusals, ranks=ranks)
    return Placed(model, found.host, shared, sharing)
