"""Clones of servers with their drives, and the published recipe for a redundant one: clone avoiding itself, then start
avoiding the origin.

The clone is a stopped server with a copy of each drive, attached as the original is. It lies in one cell with all its
copies: reserved centrally in one transaction, made in the cell in one transaction, and then active. So a crash leaves a
whole clone or none, and recovery needs to know nothing of clones. `avoid` is about the storage hosts of the copies;
`clone_plans` decides where each goes.

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

from backend.cloud import lifecycle
from backend.cloud.errors import Conflict, NoCapacity, NotFound
from backend.cloud.model import Account, Drive, DriveState, Server, ServerState, Task, TaskState
from backend.cloud.placement import Ranks
from backend.operations import (
    Cloud,
    RequestKey,
    Settings,
    avoiding,
    clones,
    drives,
    funds,
    networks,
    quotas,
    repeats,
    servers,
    settling,
)
from backend.operations.avoiding import Entry, Placed
from backend.operations.clone_plans import CloneSpec, Draft, copy_name, draft_of
from backend.operations.clones import CloneBegun
from backend.operations.explain import explain_last
from backend.store import CellTransaction, CloudTransaction

NOT_ENDED = "The first request with this Idempotency-Key has not ended yet. Ask again."

START = "start_apart"
"""The task that waits for the copies of a clone."""

COPIES_EXPLAINED_MAX = 32


@dataclass(frozen=True, slots=True)
class ServerCloneBegun:
    server: Server
    copies: tuple[CloneBegun, ...]
    start: Task | None
    """By the recipe: the task that starts it; None in the answer to a repeat once it has ended."""
    avoid: tuple[str, ...] = ()
    placed: tuple[Placed, ...] = ()
    """Of each copy, where it went and why; nothing in the answer to a repeat."""


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
    return ServerCloneBegun(tx.server(server.id), tuple(begun), start)


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
        tx.reschedule(task, due_at=later, payload=task.payload)
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
    if request is not None and (made := await _made_before(cloud, request)) is not None:
        await clones.hold_again(cloud, made.copies)
        return replace(made, avoid=spec.avoid_of(server_id))
    draft = await draft_of(cloud, actor, server_id, spec, if_version=if_version, only_backfilling=only_backfilling)
    size = draft.model.size if spec.is_started else None
    is_backfilling = draft.model.is_backfilling
    await funds.check_new(
        cloud, actor.name, "the clone", size=size, is_backfilling=is_backfilling, storage=draft.storage_bytes
    )
    undone = await repeats.undone(cloud, request, CloudTransaction.find_server_entry)
    reserved: list[str] = []
    try:
        server, copies = await cloud.store.cloud_write(
            lambda tx: _reserve(tx, cloud, draft, request=request, undone=undone, reserved=reserved)
        )
        starts = _starts(draft, actor) if spec.is_started else None
        begun = await _make(cloud, actor, draft, server, copies, starts=starts)
    finally:
        cloud.live.difference_update(reserved)
    for drive, each in zip(draft.attached, begun.copies, strict=True):
        if drive.cell != server.cell and each.task is not None:
            await clones.hold_elsewhere(cloud, drive, each.drive, each.task)
    return replace(begun, avoid=draft.avoid, placed=_placed_as_planned(begun, draft))


async def _make(
    cloud: Cloud,
    actor: Account,
    draft: Draft,
    server: Server,
    copies: Mapping[str, Drive],
    *,
    starts: Mapping[str, Any] | None,
) -> ServerCloneBegun:
    """What was reserved, in its cell. Raises NoCapacity, NotFound, WrongState, Unreachable, OutcomeUnknown."""
    return await settling.carried_out(
        cloud,
        server.cell,
        lambda tx: add_clone_in_cell(
            tx,
            server,
            copies,
            {drive.id: drive for drive in draft.attached},
            source=draft.source,
            now=server.created_at,
            settings=cloud.settings,
            ranks=draft.ranks,
            actor=actor.name,
            starts=starts,
        ),
        acknowledged=lambda tx, _: _activate(tx, server.id, copies),
        given_back=lambda tx: _give_back(tx, server.id, copies),
    )


def _placed_as_planned(begun: ServerCloneBegun, draft: Draft) -> tuple[Placed, ...]:
    """Where each copy went, and why; nothing where the cell has changed since it was asked, and decided otherwise."""
    placed = tuple(replace(planned, of=each.drive) for planned, each in zip(draft.placed(), begun.copies, strict=True))
    return placed if all(each.host == each.of.host for each in placed) else ()


async def report_on_copies(cloud: Cloud, actor: Account, begun: ServerCloneBegun) -> tuple[Entry, ...]:
    """What became of the avoid list when the copies were placed; of a repeated request as the log tells it.

    Nothing where there are too many copies to ask the log about, or it does not reach back so far.
    """
    if not begun.avoid:
        return ()
    placed = list(begun.placed)
    if not placed:
        for each in begun.copies[:COPIES_EXPLAINED_MAX]:
            explained = await explain_last(cloud, actor, each.drive)
            told = None if explained is None else avoiding.placed_as_explained(explained)
            placed += [] if told is None else [told]
    if len(placed) < len(begun.copies):
        return ()
    return await avoiding.report(cloud, actor, begun.avoid, "drive", placed)


def _starts(draft: Draft, actor: Account) -> dict[str, Any]:
    """What the task that starts the clone has to know: what its account could see counts, whatever becomes of it."""
    return {
        "avoid": list(draft.avoid),
        "source": draft.source.id,
        "source_name": draft.source.name,
        "sees": None if actor.is_staff else sorted(actor.projects_read),
    }


# --- in cloud.db ------------------------------------------------------------------------------------------------------


def _reserve(
    tx: CloudTransaction,
    cloud: Cloud,
    draft: Draft,
    *,
    request: RequestKey | None,
    undone: str | None,
    reserved: list[str],
) -> tuple[Server, dict[str, Drive]]:
    """The ids, the quota and the entries of the server and all copies; the copies by the ids of their sources."""
    if repeats.begun(tx, request, CloudTransaction.find_server_entry, undone=undone) is not None:
        raise Conflict(NOT_ENDED)
    model = draft.model
    quotas.check(tx, model.project_id, servers=1, size=model.size, storage_bytes=draft.storage_bytes)
    server = replace(model, id=tx.next_id(model.cell))
    copies = {
        source.id: replace(
            source,
            id=tx.next_id(model.cell),
            name=copy_name(source.name),
            cell=model.cell,
            project_id=model.project_id,
            owner=model.owner,
            host="",
            created_at=model.created_at,
            state_since=model.created_at,
            server_id=server.id,
            attributes={**source.attributes, drives.CLONED_WITH: server.id},
            avoid=draft.avoid,
            lost_from=None,
            version=1,
        )
        for source in draft.attached
    }
    reserved += [server.id, *(copy.id for copy in copies.values())]
    # Before anybody can read the entries: until this operation has ended nobody else finishes or undoes them.
    cloud.live.update(reserved)
    tx.add_server_entry(servers.entry_of(server, state="building"))
    for copy in copies.values():
        tx.add_drive_entry(drives.entry_of(copy, state="building"))
    networks.copy_wiring(tx, draft.source.id, server)
    repeats.note_made(tx, request, server, copies=[copy.id for copy in copies.values()])
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
        return ServerCloneBegun(tx.server(server_id), begun, start)

    try:
        return await cloud.store.cell_read(cell, look)
    except NotFound:
        # It is still under way, or its outcome is unknown until its cell has been asked.
        raise Conflict(NOT_ENDED) from None
