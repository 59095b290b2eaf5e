"""Sizes: what there is to have, what a server of a size would come to, and giving a stopped one another.

A server that is made or resized is stopped and holds no host, so both previews say where it would start now: the same
decision as that of a start, for a server that is not there so yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.cloud.errors import CloudError, Forbidden, NotFound, WrongState
from backend.cloud.model import Account, Server, ServerState, Size
from backend.operations import Cloud, RequestKey, cells, check_version, editing, plans, quotas, repeats, servers
from backend.operations.editing import ServerChanges
from backend.operations.plans import Plan
from backend.operations.servers import ServerSpec
from backend.store import CloudTransaction


@dataclass(frozen=True, slots=True)
class Left:
    """What a project may still take; None where it has no quota."""

    servers: int | None
    cpu_mhz: int | None
    memory_bytes: int | None
    storage_bytes: int | None


async def left_in(cloud: Cloud, actor: Account, project_id: str) -> Left:
    """Raises NotFound."""
    if not actor.may_see(project_id):
        raise NotFound("project", project_id)

    def read(tx: CloudTransaction) -> Left:
        project = next((project for project in tx.projects() if project.id == project_id), None)
        if project is None:
            raise NotFound("project", project_id)
        used = tx.usage(project_id)
        return Left(
            _left(project.servers_max, used.servers),
            _left(project.cpu_mhz_max, used.cpu_mhz),
            _left(project.memory_bytes_max, used.memory_bytes),
            _left(project.storage_bytes_max, used.storage_bytes),
        )

    return await cloud.store.cloud_read(read)


def _left(most: int | None, used: int) -> int | None:
    return None if most is None else max(0, most - used)


async def preview_creation(cloud: Cloud, actor: Account, spec: ServerSpec) -> Plan:
    """Of a server with no id yet, in the cell that it would be made in. Changes nothing.

    `problem` is why it would not be made. Where it would be made and fits on no host now, the plan has no decision.

    Raises:
        Invalid, NotFound, Unreachable.
    """
    project_id = spec.project_id or actor.project_id
    servers.check_size(spec.size)
    servers.check_name(spec.name)
    cell = await cells.choose(
        cloud, spec.size, actor, is_backfilling=spec.is_backfilling, avoid=spec.avoid, cell=spec.cell
    )
    await cells.check_some_host_holds(cloud, spec.size, spec.cell)
    draft = Server(
        id="",
        name=spec.name,
        cell=cell,
        project_id=project_id,
        owner=actor.name,
        size=spec.size,
        created_at=cloud.clock.now(),
        is_backfilling=spec.is_backfilling,
        floor_permille=spec.floor_permille,
    )
    plan = replace(await _started(cloud, actor, draft, avoid=spec.avoid), action="create", downtime_seconds=0)
    if not actor.may_change(project_id):
        return replace(plan, problem=Forbidden("create a server", "this account may not change the project"))
    if spec.is_backfilling and not actor.may_backfill:
        problem = Forbidden("create a backfilling server", "backfilling is not enabled for this account")
        return replace(plan, problem=problem)
    return replace(plan, problem=await _over_quota(cloud, project_id, servers=1, size=spec.size))


async def preview_resize(
    cloud: Cloud, actor: Account, server_id: str, size: Size, *, if_version: int | None = None
) -> Plan:
    """As `preview_creation`, of a server that is there. Raises NotFound, Invalid, Unreachable."""
    entry = await servers.entry_for(cloud, actor, server_id)
    servers.check_size(size)
    stored = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id))
    nothing = Plan("resize", stored, None, None, (), (), (), 0, cloud.clock.now())
    if not actor.may_change(entry.project_id):
        return replace(nothing, problem=Forbidden("resize", "this account may only look at it"))
    try:
        _check_stopped(stored)
        check_version(stored.version, if_version)
        await cells.check_some_host_holds(cloud, size, entry.cell)
    except CloudError as problem:
        return replace(nothing, problem=problem)
    larger = Size(
        max(0, size.cpu_mhz - stored.size.cpu_mhz),
        max(0, size.memory_bytes - stored.size.memory_bytes),
    )
    plan = await _started(cloud, actor, replace(stored, size=size), avoid=stored.avoid)
    return replace(
        plan, action="resize", downtime_seconds=0, problem=await _over_quota(cloud, entry.project_id, size=larger)
    )


async def _started(cloud: Cloud, actor: Account, draft: Server, *, avoid: tuple[str, ...]) -> Plan:
    now = cloud.clock.now()
    return await cloud.store.cell_read(
        draft.cell, lambda tx: plans.start_of(tx, cloud, actor, draft, avoid=avoid, now=now)
    )


async def _over_quota(cloud: Cloud, project_id: str, *, servers: int = 0, size: Size) -> CloudError | None:
    try:
        await cloud.store.cloud_read(lambda tx: quotas.check(tx, project_id, servers=servers, size=size))
    except CloudError as problem:
        return problem
    return None


def _check_stopped(server: Server) -> None:
    if server.state is not ServerState.STOPPED:
        raise WrongState("server", server.id, "resize", server.state, (ServerState.STOPPED,))


async def resize_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    size: Size,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Server:
    """Give a stopped server another size. One that is not stopped is refused, where an edit would leave it as it was.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, Unreachable, OutcomeUnknown.
    """
    entry = await servers.entry_for(cloud, actor, server_id, to_change=True)
    servers.check_size(size)
    stored = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id))
    if await repeats.was_done(cloud, request, cell=entry.cell):
        return stored
    check_version(stored.version, if_version)
    _check_stopped(stored)
    await cells.check_some_host_holds(cloud, size, entry.cell)
    changes = ServerChanges(size=size)
    # With the version that was seen to be stopped, nothing can start it in between.
    return await editing.edit_server(cloud, actor, server_id, changes, if_version=stored.version, request=request)
