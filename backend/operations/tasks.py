"""Tasks: what is under way, and running what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.cloud.errors import CloudError, Unreachable
from backend.cloud.model import Account, Task, TaskState
from backend.operations import Cloud, Settings, clones, drains, drives, losses, resizing, rooms, server_clones, servers
from backend.store import CellTransaction, Transaction


@dataclass(frozen=True, slots=True)
class TaskView:
    task: Task
    object_name: str | None


@dataclass(frozen=True, slots=True)
class TaskListing:
    items: list[TaskView]
    open: int
    ended: int
    unreachable: tuple[str, ...]


def run_due_in_cell(
    tx: CellTransaction, until: datetime, *, settings: Settings, no_earlier_than: datetime | None
) -> int:
    """End every task of the cell that is due by `until`, in order, each at its own instant. Returns how many.

    A task that became due while its cell was silent ends when the cell is back, at `no_earlier_than`.
    """
    count = 0
    for task in tx.each_due_task(until):
        at = max(task.due_at, no_earlier_than) if no_earlier_than is not None else task.due_at
        try:
            _run(tx, task, at=at, settings=settings)
        except CloudError as problem:
            tx.end_task(task, TaskState.FAILED, at=at, result=str(problem))
        count += 1
    return count


def _run(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    match task.object_kind, task.kind:
        case "server", "start":
            servers.end_start(tx, task, at=at)
        case "server", "stop":
            servers.end_stop(tx, task, at=at, settings=settings)
        case "server", "displace":
            rooms.displace(tx, task, at=at, settings=settings)
        case "server", server_clones.START:
            server_clones.start_when_whole(tx, task, at=at, settings=settings)
        case "host", "relocate":
            losses.relocate(tx, task, at=at, settings=settings)
        case "host", "evacuate":
            drains.end_move(tx, task, at=at, settings=settings)
        case "drive", "create" | "clone":
            drives.end_create(tx, task, at=at)
        case "drive", "resize":
            resizing.end_resize(tx, task, at=at)
        case "drive", "release":
            clones.release(tx, task, at=at)
        case unknown:
            raise AssertionError(f"no handler for task {unknown}")


def _central_name(task: Task) -> str | None:
    """A group is called by its name, which is its id; a backup by its server's."""
    return task.object_id if task.object_kind == "group" else str(task.payload.get("name", "")) or None


async def list_tasks(cloud: Cloud, actor: Account, *, is_open: bool, limit: int) -> TaskListing:
    """Open: what is due first, first. Ended: the newest first. Of the cells that answer, and of the cloud itself."""
    found: TaskListing = await cloud.kept.of(
        (list_tasks, actor, is_open, limit), lambda: _list_tasks(cloud, actor, is_open=is_open, limit=limit)
    )
    return found


async def _list_tasks(cloud: Cloud, actor: Account, *, is_open: bool, limit: int) -> TaskListing:
    def find(tx: CellTransaction) -> tuple[list[TaskView], tuple[int, int]]:
        found = tx.tasks(is_open=is_open, limit=limit)
        known_servers = tx.servers({task.object_id for task in found if task.object_kind == "server"})
        known_drives = tx.drives({task.object_id for task in found if task.object_kind == "drive"})
        views = []
        for task in found:
            target = known_servers.get(task.object_id) or known_drives.get(task.object_id)
            if actor.is_staff or (target is not None and actor.may_see(target.project_id)):
                # A host is called by its name, which is its id.
                name = target.name if target else task.object_id if task.object_kind == "host" else None
                views.append(TaskView(task, name))
        return views, tx.count_tasks() if actor.is_staff else (len(views) * is_open, len(views) * (not is_open))

    def find_central(tx: Transaction) -> tuple[list[TaskView], tuple[int, int]]:
        found = tx.tasks(is_open=is_open, limit=limit) if actor.is_staff else []
        views = [TaskView(task, _central_name(task)) for task in found]
        return views, tx.count_tasks() if actor.is_staff else (0, 0)

    answers = await cloud.store.each_cell(find)
    central = await cloud.store.cloud_read(find_central)
    items: list[TaskView] = []
    open_count = ended_count = 0
    unreachable: list[str] = []
    for cell, answer in [*answers.items(), ("cloud", central)]:
        if isinstance(answer, Unreachable):
            unreachable.append(cell)
            continue
        views, counts = answer
        items.extend(views)
        open_count += counts[0]
        ended_count += counts[1]
    if is_open:
        items.sort(key=lambda view: (view.task.due_at, view.task.file, view.task.id))
    else:
        items.sort(
            key=lambda view: (view.task.ended_at or view.task.due_at, view.task.file, view.task.id), reverse=True
        )
    return TaskListing(items[:limit], open_count, ended_count, tuple(unreachable))
