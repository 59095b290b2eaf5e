"""What would restore a group, and what the silence of a cell means: `/ops/v1/groups/NAME`, `/cells/NAME/actions`."""

from __future__ import annotations

from typing import Any

from backend.cloud.errors import Invalid
from backend.cloud.groups import Redundancy
from backend.cloud.model import Task
from backend.dialects.ops import reads, render
from backend.dialects.ops.bodies import CellAction, GroupAction, NoBody, NoQuery
from backend.dialects.ops.plans import counted, does, stop_row
from backend.dialects.ops.schema_plans import CellPlanRow, GroupMove, GroupPlanRow, RedundancyRow
from backend.dialects.ops.table import Answer, Call, once
from backend.operations import cell_plans, groups, restorations
from backend.operations.cell_plans import CellPlan
from backend.operations.groups import GroupPlan
from backend.operations.plan_tokens import token_of
from backend.operations.restorations import Done


async def plan_of_group(call: Call[NoQuery, NoBody]) -> Answer:
    plan = await groups.plan_group(call.cloud, call.account, call.context.pictures, call.path["name"])
    return Answer({"plan": _group_plan_row(plan)})


async def act_on_group(call: Call[NoQuery, GroupAction]) -> Answer:
    """202 with the task of the first move; with `preview` 200 with the plan, and nobody moves."""
    body, cloud, name, pictures = call.body, call.cloud, call.path["name"], call.context.pictures
    if body.plan is not None and (body.preview or body.action == "end"):
        raise Invalid("plan", "belongs to a restore that was previewed, not to a preview or to its end")
    if body.action == "end":
        if body.preview:
            raise Invalid("preview", "there is nothing to show before an end")
        return await once(call, lambda: _end(call, name))
    if body.preview:
        return Answer({"plan": _group_plan_row(await groups.plan_group(cloud, call.account, pictures, name))})
    task = await groups.restore_group(cloud, call.account, pictures, name, token=body.plan, request=call.request)
    return await _group_outcome(call, name, task)


async def _end(call: Call[NoQuery, GroupAction], name: str) -> Answer:
    return await _group_outcome(call, name, await restorations.end(call.cloud, name, request=call.request))


async def _group_outcome(call: Call[Any, Any], name: str, task: Task) -> Answer:
    found = await groups.list_groups(call.cloud, call.account, call.context.pictures)
    group = next((each for each in found if each.name == name), None)
    row = None if group is None else reads.group_row(group)
    return Answer({"group": row, "task": reads.task_row(call, task, name)}, 202)


def _group_plan_row(plan: GroupPlan) -> GroupPlanRow:
    problem = plan.problem
    return {
        "action": "restore",
        "group": plan.group.name,
        "allowed": problem is None,
        "problem": None if problem is None else str(problem),
        "code": None if problem is None else problem.code,
        "moves": [_move(plan, done) for done in plan.moves],
        "before": _redundancy_row(plan.group.redundancy),
        "after": _redundancy_row(plan.after),
        "is_fewest": plan.is_fewest,
        "is_best": plan.is_best,
        "seconds": plan.seconds,
        "notes": plan.notes,
        "token": token_of(plan.parts) if problem is None else None,
        "sentences": [str(problem)] if problem else _group_sentences(plan),
    }


def _redundancy_row(found: Redundancy) -> RedundancyRow:
    return {"collisions": found.collisions, "tolerates": found.tolerates, "is_bound": found.is_bound}


def _move(plan: GroupPlan, done: Done) -> GroupMove:
    server, move = done.server, done.move
    return {
        "id": server.id,
        "name": server.name,
        "cell": move.cell,
        "is_backfilling": server.is_backfilling,
        "cpu_mhz": server.size.cpu_mhz,
        "memory_bytes": server.size.memory_bytes,
        "from_host": move.source,
        "to": move.target,
        "stops": [stop_row(stop, plan.at) for stop in done.stops],
        "shrinks": move.shrinks,
        "waits": done.waits,
        "seconds_down": done.seconds_down,
    }


def _group_sentences(plan: GroupPlan) -> list[str]:
    """What will happen, one thing a sentence, the most important first."""
    where = "a host of its own" if len(plan.moves) == 1 else "hosts of their own, one after the other"
    found = [f"{counted(len(plan.moves), 'server')} will be shut down and started on {where}."]
    stops = {stop.id for done in plan.moves for stop in done.stops}
    if stops:
        found.append(f"{counted(len(stops), 'backfilling server')} will be stopped to make room.")
    longest = max(done.seconds_down for done in plan.moves)
    found.append(f"Each is away for at most {longest:.0f} s; all is done in {plan.seconds:.0f} s.")
    found.append("That is proved to be the fewest moves." if plan.is_fewest else "Fewer moves may be possible.")
    return [*found, *plan.notes]


# --- cells -----------------------------------------------------------------------------------------------------------


async def act_on_cell(call: Call[NoQuery, CellAction]) -> Answer:
    """202 with the cell as it is then; with `preview` 200 with what its silence would mean, and it goes on."""
    body, cloud, name, pictures = call.body, call.cloud, call.path["name"], call.context.pictures
    if body.plan is not None and (body.preview or body.action == "up"):
        raise Invalid("plan", "belongs to a fault that was previewed, not to a preview or to its end")
    if body.preview:
        if body.action == "up":
            raise Invalid("preview", "there is nothing to show before a fault is taken away")
        return Answer(
            {"plan": _cell_plan_row(await cell_plans.preview_cell(cloud, call.account, pictures, name, body.action))}
        )

    async def inject() -> Answer:
        await cell_plans.inject(cloud, call.account, pictures, name, body.action, token=body.plan, request=call.request)
        return Answer({"cell": await reads.cell_row(call, name)}, 202)

    return await once(call, inject)


def _cell_plan_row(plan: CellPlan) -> CellPlanRow:
    problem, up = plan.problem, plan.hosts_up
    return {
        "action": plan.action,
        "cell": plan.cell,
        "allowed": problem is None,
        "problem": None if problem is None else str(problem),
        "code": None if problem is None else problem.code,
        "servers": len(plan.servers),
        "running": plan.running,
        "drives": len(plan.drives),
        "hosts": plan.hosts,
        "capacity": None if up is None else render.size_row(up.capacity),
        "free": None if up is None else render.size_row(up.free),
        "open_tasks": plan.open_tasks,
        "schedules": plan.schedules,
        "groups": [
            {
                "name": loss.name,
                "members": loss.members,
                "before": _redundancy_row(loss.before),
                "after": _redundancy_row(loss.after),
            }
            for loss in plan.groups
        ],
        "token": token_of(plan.parts) if problem is None else None,
        "sentences": [str(problem)] if problem else _cell_sentences(plan),
    }


def _cell_sentences(plan: CellPlan) -> list[str]:
    found = [
        f"{counted(len(plan.servers), 'server')} and {counted(len(plan.drives), 'drive')} of {plan.cell} turn UNKNOWN; "
        "nothing of them is stopped or lost."
    ]
    if plan.groups:
        weakened = sum((loss.after.tolerates or 0) < (loss.before.tolerates or 0) for loss in plan.groups)
        found.append(f"{does(len(plan.groups), 'group', 'lose')} sight of members; {weakened} of them for the worse.")
    found.append(f"Its {does(plan.hosts, 'host', 'take')} no placements.")
    if plan.open_tasks:
        found.append(f"{does(plan.open_tasks, 'task', 'wait')} until it answers.")
    if plan.schedules:
        found.append(f"{does(plan.schedules, 'schedule', 'miss', 'misses')} runs until then.")
    return found
