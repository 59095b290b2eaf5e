"""Jobs: the clones that are under way or ended not long ago, as one can follow them.

A job is what tasks say. The clone of a drive is one task; the clone of a server is those of all its copies together.
One that began again after its host was lost is the same job. A job goes by the id of what it makes, which is made once.

Source: CloudSigma API 2.0, "Jobs".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from backend.cloud.model import Account, Task, TaskState
from backend.operations import Cloud
from backend.store import CloudTransaction

KEPT_DAYS = 3
"""How long after its end a job can still be asked about."""

Operation = Literal["drive_clone", "server_clone"]
JobState = Literal["started", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Job:
    operation: Operation
    made_id: str
    """Of the drive or server that it makes."""
    source_id: str | None
    """Of what it copies, where a drive is copied."""
    state: JobState
    progress: float
    """0 to 1."""
    begun_at: datetime
    modified_at: datetime
    children: tuple[Job, ...] = ()


async def list_jobs(cloud: Cloud, actor: Account) -> list[Job]:
    """The newest first: those that the account began, and those of what it may see. Of the cells that answer."""
    now = cloud.clock.now()
    since = now - timedelta(days=KEPT_DAYS)
    answers = await cloud.store.each_cell(lambda tx: tx.tasks_since("clone", "drive", since))
    tasks = [task for answer in answers.values() if isinstance(answer, list) for task in answer]
    visible = await _visible(cloud, actor, {task.object_id for task in tasks})
    last: dict[str, Task] = {}
    for task in tasks:
        known = last.get(task.object_id)
        is_theirs = task.actor == actor.name or task.object_id in visible
        if is_theirs and (known is None or known.id < task.id):
            last[task.object_id] = task
    jobs = [_of_drive(task, now) for task in last.values()]
    by_server: dict[str, list[Job]] = {}
    for job, task in zip(jobs, last.values(), strict=True):
        if "server" in task.payload:
            by_server.setdefault(task.payload["server"], []).append(job)
    jobs += [_of_server(server_id, children) for server_id, children in by_server.items()]
    return sorted(jobs, key=lambda job: (job.modified_at, job.operation, job.made_id), reverse=True)


def _of_drive(task: Task, now: datetime) -> Job:
    states: dict[TaskState, JobState] = {TaskState.OPEN: "started", TaskState.DONE: "success"}
    return Job(
        operation="drive_clone",
        made_id=task.object_id,
        source_id=task.payload.get("source"),
        state=states.get(task.state, "failure"),
        progress=task.progress(now),
        begun_at=task.begun_at,
        modified_at=task.ended_at or task.begun_at,
    )


def _of_server(server_id: str, children: list[Job]) -> Job:
    """It has failed where one of them has, and is done when all are."""
    found = {child.state for child in children}
    state: JobState = "failure" if "failure" in found else "started" if "started" in found else "success"
    return Job(
        operation="server_clone",
        made_id=server_id,
        source_id=None,
        state=state,
        progress=sum(child.progress for child in children) / len(children),
        begun_at=min(child.begun_at for child in children),
        modified_at=max(child.modified_at for child in children),
        children=tuple(children),
    )


async def _visible(cloud: Cloud, actor: Account, ids: set[str]) -> set[str]:
    """Those of the drives that are still there and that the account may see."""
    projects = None if actor.is_staff else actor.projects_read

    def find(tx: CloudTransaction) -> set[str]:
        return {entry.id for entry in tx.drive_entries(projects=projects, ids=ids)}

    return await cloud.store.cloud_read(find)
