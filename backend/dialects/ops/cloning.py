"""Clones of servers in `/ops/v1`: `clone`, and `separate`, which clones a server away from itself and then starts the
clone away from it.
"""

from __future__ import annotations

from typing import Any

from backend.cloud.model import GIB, Task
from backend.dialects.ops import plans, reads, separation
from backend.dialects.ops.bodies import NoQuery, ServerAction
from backend.dialects.ops.schema import CopyRow, PlanRow, ServerOutcome
from backend.dialects.ops.schema_separation import CopyPlanRow
from backend.dialects.ops.table import Answer, Call
from backend.operations import avoiding, server_clones
from backend.operations.avoiding import Entry, Placed
from backend.operations.clone_plans import CloneSpec, CopyPlan, ServerClonePlan
from backend.operations.clones import CloneBegun
from backend.operations.plans import CloningPlan, preview_server_clone
from backend.operations.plans import Plan as StartPlan


async def clone_server(call: Call[NoQuery, ServerAction]) -> Answer:
    """202 with the clone and its copies; with `preview` 200 with where they would go, and nothing happens."""
    body = call.body
    spec = CloneSpec(body.name, tuple(body.avoid or ()), is_started=body.action == "separate")
    if body.preview:
        plan = await preview_server_clone(call.cloud, call.account, call.path["id"], spec, if_version=body.if_version)
        return Answer({"plan": await _plan_row(call, plan)})
    if call.request is None:
        return await _clone(call, spec)
    # A repeat waits for the first, so that it has something to find.
    async with call.context.turns.of(call.request.key):
        return await _clone(call, spec)


async def _clone(call: Call[NoQuery, ServerAction], spec: CloneSpec) -> Answer:
    begun = await server_clones.clone_server(
        call.cloud, call.account, call.path["id"], spec, if_version=call.body.if_version, request=call.request
    )
    copying = [each.task for each in begun.copies if each.task is not None]
    last = begun.start or max(copying, key=lambda task: (task.due_at, task.id), default=None)
    entries = await server_clones.report_on_copies(call.cloud, call.account, begun)
    row: Any = reads.server_row(call, begun.server)
    outcome: ServerOutcome = {
        "server": row,
        "task": None if last is None else reads.task_row(call, last, _name_of(last, begun)),
        "decision": None,
        "copies": [_copy_row(call, each) for each in begun.copies],
        "separation": separation.rows(call, entries),
    }
    return Answer(outcome, 202)


def _name_of(task: Task, begun: server_clones.ServerCloneBegun) -> str | None:
    names = {begun.server.id: begun.server.name, **{each.drive.id: each.drive.name for each in begun.copies}}
    return names.get(task.object_id)


def _copy_row(call: Call[Any, Any], copy: CloneBegun) -> CopyRow:
    row: Any = reads.drive_row(call, copy.drive)
    return {"drive": row, "task": None if copy.task is None else reads.task_row(call, copy.task, copy.drive.name)}


# --- What it would do -------------------------------------------------------------------------------------------------


async def _plan_row(call: Call[NoQuery, ServerAction], plan: CloningPlan) -> PlanRow:
    problem, clone, start = plan.problem, plan.clone, plan.start
    row: PlanRow = {
        "action": call.body.action,
        "object_id": plan.server.id,
        "allowed": problem is None,
        "problem": None if problem is None else str(problem),
        "code": None if problem is None else problem.code,
        "decision": None,
        "stops": [],
        "shrinks": [],
        "grows": [],
        "restarts": [],
        "refused": {},
        "downtime_seconds": 0,
        "version": plan.server.version,
        "token": None,
        "sentences": [] if problem is None else [str(problem)],
    }
    if clone is None:
        return row
    row["copies"] = [_copy_plan_row(copy, clone.model.cell) for copy in clone.copies]
    row["separation"] = separation.rows(call, clone.entries)
    row["sentences"] = _sentences(plan, clone)
    if start is not None:
        started = plans.plan_row(start, if_version=None)
        for key in ("decision", "stops", "shrinks", "grows", "refused"):
            row[key] = started[key]
        row["downtime_seconds"] = clone.seconds + start.downtime_seconds if start.problem is None else 0
        row["start_separation"] = separation.rows(call, await report_of_plan(call, start))
    return row


async def report_of_plan(call: Call[Any, Any], plan: StartPlan) -> tuple[Entry, ...]:
    """What would become of the avoid list of a start."""
    if plan.decision is None:
        return ()
    placed = Placed(plan.server, plan.decision.host, frozenset(plan.decision.avoided), plan.sharing)
    return await avoiding.report(call.cloud, call.account, plan.avoid, "server", [placed])


def _copy_plan_row(copy: CopyPlan, cell: str) -> CopyPlanRow:
    return {
        "source_id": copy.source.id,
        "source_name": copy.source.name,
        "cell": cell,
        "host": copy.found.host,
        "is_same_host": copy.is_same_host,
        "size_bytes": copy.source.size_bytes,
        "seconds": copy.seconds,
        "rate_bytes_per_second": copy.rate_bytes_per_second,
    }


def _sentences(plan: CloningPlan, clone: ServerClonePlan) -> list[str]:
    name = plan.server.name or plan.server.id
    size = sum(copy.source.size_bytes for copy in clone.copies) / GIB
    count = plans.counted(len(clone.copies), "drive")
    found = [f"{clone.model.name} is a copy of {name} in {clone.model.cell}"]
    if clone.copies:
        found[0] += f", with {count}: {size:.1f} GiB in {clone.seconds} s."
    else:
        found[0] += "; there are no drives to copy."
    moved = sum(not copy.is_same_host for copy in clone.copies)
    if moved:
        verb = "crosses" if moved == 1 else "cross"
        found.append(f"{moved} of {len(clone.copies)} {verb} the network to another storage host, which is slow.")
    found += plans.owner_sentence(clone.model.owner, clone.source.owner)
    start = plan.start
    if start is None:
        found.append("It stays stopped.")
    elif start.decision is not None:
        when = "When they are whole it starts" if clone.copies else "It starts"
        found.append(f"{when}, on {start.decision.host} as things are now.")
        if start.stops:
            found.append(f"{plans.counted(len(start.stops), 'backfilling server')} will be stopped to make room.")
    else:
        found.append(f"As things are now it would then stay stopped: {start.problem}")
    return found
