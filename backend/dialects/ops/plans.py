"""How `/ops/v1` says why a server was placed where it is, and what an action would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from backend.cloud.backfill import perf_factor
from backend.cloud.errors import Conflict
from backend.cloud.model import GIB, HostKind, Server, Size
from backend.dialects.ops.render import SERVER_WORDS
from backend.dialects.ops.schema import DecisionRow, HostMove, HostPlanRow, PlannedFactor, PlannedStop, PlanRow
from backend.dialects.wire import instant_text_or_none
from backend.operations.host_plans import HostPlan, Move, Outcome
from backend.operations.plan_tokens import token_of
from backend.operations.plans import Change, DrivePlan, Plan
from backend.operations.rooms import Decision

BECAUSE = {
    "only": "it is the only host with room",
    "avoid": "it holds the least of what is to be avoided",
    "source": "it is where the source is",
    "disruption": "it disturbs the fewest backfilling servers",
    "room": "it has the room that the policy prefers",
    "name": "its name comes first among equals",
}


def decision_row(decision: Decision, names: Mapping[str, str]) -> DecisionRow:
    return {
        "host": decision.host,
        "decided_by": cast(Any, decision.decided_by),
        "stops": [{"id": id, "name": names.get(id)} for id in decision.stops],
        "shrinks": decision.shrinks,
        "waits": decision.waits,
        "avoided": decision.avoided,
        "runner_up": decision.runner_up,
    }


def plan_row(plan: Plan, *, if_version: int | None) -> PlanRow:
    """A version that is not the one that the caller saw makes a plan that is not allowed, like any other problem."""
    server = plan.server
    problem = plan.problem
    if problem is None and if_version is not None and if_version != server.version:
        problem = Conflict(f"It has changed: you saw version {if_version}, it is at {server.version} now. Look again.")
    is_allowed = problem is None
    names = {stop.id: stop.name for stop in plan.stops}
    return {
        "action": plan.action,
        "object_id": server.id,
        "allowed": is_allowed,
        "problem": None if problem is None else str(problem),
        "code": None if problem is None else problem.code,
        "decision": None if plan.decision is None else decision_row(plan.decision, names),
        "stops": [stop_row(stop, plan.at) for stop in plan.stops],
        "shrinks": [factor_row(change) for change in plan.shrinks],
        "grows": [factor_row(change) for change in plan.grows],
        "restarts": [{"id": each.id, "name": each.name, "host": each.host} for each in plan.restarts],
        "refused": plan.refused,
        "downtime_seconds": plan.downtime_seconds,
        "version": server.version,
        "token": token_of(plan.parts) if is_allowed and plan.action not in ("create", "resize") else None,
        "sentences": [str(problem)] if problem else _sentences(plan),
    }


def stop_row(server: Server, at: datetime) -> PlannedStop:
    seconds = 0.0 if server.started_at is None else (at - server.started_at).total_seconds()
    return {
        "id": server.id,
        "name": server.name,
        "cpu_mhz": server.size.cpu_mhz,
        "memory_bytes": server.size.memory_bytes,
        "started_at": instant_text_or_none(server.started_at),
        "work_ghz_hours": round(server.size.cpu_mhz / 1000 * max(0.0, seconds) / 3600, 3),
    }


def factor_row(change: Change) -> PlannedFactor:
    before, after, size = change.before, change.after, change.server.size

    def factors(part: Size) -> tuple[float, float]:
        return perf_factor(part.cpu_mhz, size.cpu_mhz), perf_factor(part.memory_bytes, size.memory_bytes)

    cpu_before, memory_before = factors(before)
    cpu_after, memory_after = factors(after)
    return {
        "id": change.server.id,
        "name": change.server.name,
        "cpu_before": cpu_before,
        "cpu_after": cpu_after,
        "memory_before": memory_before,
        "memory_after": memory_after,
    }


def _sentences(plan: Plan) -> list[str]:
    """What will happen, one thing a sentence, the most important first."""
    name = plan.server.name or plan.server.id
    match plan.action:
        case "stop":
            found = [f"{name} is cut off and stopped in {plan.downtime_seconds} s; what its memory holds is lost."]
        case "shutdown":
            found = [f"{name} is asked to shut down, which takes {plan.downtime_seconds} s."]
        case "delete":
            found = [f"{name} is deleted and cannot be brought back."]
            if plan.drives and plan.with_drives:
                number = counted(len(plan.drives), "drive")
                found.append(f"Its {number} and the data there go with it: {_some(plan.drives)}.")
            elif plan.drives:
                found.append(f"Its {counted(len(plan.drives), 'drive')} will stay.")
        case "create" | "resize":
            found = _stopped_sentences(plan, name)
        case _:
            found = _start_sentences(plan, name)
    if plan.restarts:
        found.append(_restarts_sentence(plan.restarts))
    if plan.shrinks:
        found.append(f"{counted(len(plan.shrinks), 'backfilling server')} will get smaller.")
    if plan.grows:
        found.append(f"{counted(len(plan.grows), 'backfilling server')} will get larger.")
    return found


NAMES_SHOWN = 3


def _restarts_sentence(restarts: Sequence[Server]) -> str:
    """Who was stopped for room before and comes back."""
    names = _some([f"{each.name or each.id} on {each.host}" for each in restarts])
    return f"{does(len(restarts), 'displaced server', 'start')} again in the room that it leaves: {names}."


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - NAMES_SHOWN} more"] if len(names) > NAMES_SHOWN else []
    return ", ".join([*names[:NAMES_SHOWN], *more])


def _start_sentences(plan: Plan, name: str) -> list[str]:
    decision = plan.decision
    assert decision is not None, "a start that is allowed has a decision"
    found = [f"{name} starts on {decision.host}: {BECAUSE[decision.decided_by]}."]
    if plan.stops:
        found.append(f"{counted(len(plan.stops), 'backfilling server')} will be stopped to make room.")
    if decision.waits:
        found.append(f"It waits for its room, and runs in {plan.downtime_seconds} s.")
    if decision.avoided:
        found.append(f"{counted(len(decision.avoided), 'server')} of the avoid list will share the host all the same.")
    return found


def _stopped_sentences(plan: Plan, name: str) -> list[str]:
    """Of what stays stopped: a decision is that of a start now."""
    made = f"is made in {plan.server.cell}" if plan.action == "create" else "gets its new size at once"
    now = "Started now, it would go to no host: none has room."
    if plan.decision is not None:
        now = f"Started now, it would go to {plan.decision.host}: {BECAUSE[plan.decision.decided_by]}."
    return [f"{name} {made} and stays stopped, holding no room.", now]


def owner_sentence(owner: str, was: str) -> list[str]:
    """As CloudSigma has it, a clone belongs to who makes it, and counts against the quota of their project."""
    return [] if owner == was else [f"Owner: {owner} (was: {was})."]


def drive_plan_row(plan: DrivePlan, *, asked_by: str) -> PlanRow:
    problem = plan.problem
    return {
        "action": plan.action,
        "object_id": plan.drive.id,
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
        "version": plan.drive.version,
        "token": token_of(plan.parts) if problem is None else None,
        "sentences": [str(problem)] if problem else _drive_sentences(plan, asked_by),
    }


def _drive_sentences(plan: DrivePlan, asked_by: str) -> list[str]:
    name = plan.drive.name or plan.drive.id
    server = "" if plan.server is None else plan.server.name or plan.server.id
    match plan.action:
        case "attach":
            found = [f"{name} is attached to {server}."]
            if plan.server is not None and plan.server.cell != plan.drive.cell:
                cell, far = plan.drive.cell, plan.server.cell
                found.append(f"It is in {cell}, the server in {far}: while {cell} is silent, the server cannot start.")
            return found
        case "detach":
            return [f"{name} is detached from {server} and keeps its data."]
        case "delete":
            return [f"{name} is deleted with its data, and cannot be brought back."] + (
                [f"{server} loses it."] if server else []
            )
    clone = plan.clone
    assert clone is not None, "a clone that is allowed has a plan"
    size, rate = plan.drive.size_bytes / GIB, clone.rate_bytes_per_second / GIB
    if clone.is_same_host:
        found = [f"The copy of {name} stays on {clone.found.host} with its source, so it is fast."]
    else:
        found = [f"The copy of {name} goes to {clone.found.host} over the network."]
    found.append(f"{size:.1f} GiB at {rate:.2f} GiB/s take {clone.seconds} s.")
    if clone.avoided:
        found.append(f"{len(clone.avoided)} of the avoid list will share the host all the same.")
    return found + owner_sentence(asked_by, plan.drive.owner)


def host_plan_row(plan: HostPlan) -> HostPlanRow:
    problem = plan.problem
    return {
        "action": plan.action,
        "host": plan.host.name,
        "allowed": problem is None,
        "problem": None if problem is None else str(problem),
        "code": None if problem is None else problem.code,
        "moves": [_move(plan, move) for move in plan.moves],
        "drives": plan.drives,
        "seconds": plan.seconds,
        "version": plan.host.version,
        "token": token_of(plan.parts) if problem is None else None,
        "sentences": [str(problem)] if problem else _host_sentences(plan),
    }


def _move(plan: HostPlan, move: Move) -> HostMove:
    server = move.server
    return {
        "id": server.id,
        "name": server.name,
        "is_backfilling": server.is_backfilling,
        "cpu_mhz": server.size.cpu_mhz,
        "memory_bytes": server.size.memory_bytes,
        "state": SERVER_WORDS[server.state],
        "outcome": move.outcome,
        "to": move.to,
        "problem": move.problem,
        "stops": [stop_row(stop, plan.at) for stop in move.stops],
        "shrinks": move.shrinks,
    }


def _host_sentences(plan: HostPlan) -> list[str]:
    """What will happen, one thing a sentence, the most important first."""
    name, count = plan.host.name, Counter(move.outcome for move in plan.moves)
    is_storage = plan.host.kind is HostKind.STORAGE
    match plan.action:
        case "fail" if is_storage:
            found = [f"{name} is lost, and its {counted(plan.drives, 'drive')} with it."]
            if count["pauses"]:
                pauses = f"{does(count['pauses'], 'server', 'that use', 'that uses')} them"
                found.append(f"{pauses} {'is' if count['pauses'] == 1 else 'are'} paused until it is back.")
            return found
        case "fail":
            found = [f"{name} is lost: {counted(len(plan.moves), 'server')} on it cannot be reached at once."]
            found += [f"If it is not back in {plan.seconds:.0f} s:"] if plan.moves else []
        case "recover":
            found = [f"{name} takes placements again."]
            if count["returns"]:
                were = "it was" if count["returns"] == 1 else "they were"
                found.append(f"{does(count['returns'], 'server', 'go', 'goes')} on where {were}.")
            return found
        case "drain" if is_storage:
            return [
                f"{name} takes no more drives; its {does(plan.drives, 'drive', 'stay and work', 'stays and works')}."
            ]
        case "drain":
            found = [
                f"{name} takes no more placements; its {does(len(plan.moves), 'server', 'go', 'goes')} on running."
            ]
            found += ["If it is then evacuated:"] if plan.moves else []
        case _:
            found = [f"What can leave {name} does so, one server at a time, in {plan.seconds:.0f} s in all."]
    for outcome, words in _OUTCOMES.items():
        if count[outcome]:
            found.append(f"{counted(count[outcome], 'server')} {words}.")
    victims = {stop.id for move in plan.moves for stop in move.stops}
    if victims:
        found.append(f"{counted(len(victims), 'backfilling server')} elsewhere will be stopped to make room.")
    return found


_OUTCOMES: Mapping[Outcome, str] = {
    "moves": "will start elsewhere",
    "stops": "will be stopped",
    "stays": "will stay, because no other host can have them",
}


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def does(count: int, noun: str, verb: str, third_person: str | None = None) -> str:
    """`1 server goes`, `2 servers go`; the third person where it is not the verb with an s."""
    return f"{counted(count, noun)} {(third_person or verb + 's') if count == 1 else verb}"
