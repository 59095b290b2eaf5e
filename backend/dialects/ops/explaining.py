"""`GET /ops/v1/explain/ID[?decision=N]`: why something is where it is, and why not elsewhere.

An account that is not staff gets its own objects, and of the hosts what a preview tells it: the chosen one, the second,
and how many others were refused for what. What is on the others, and how full they are, is for staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from backend.cloud.explain import Beaten, Change, Explanation, Value
from backend.cloud.model import GIB, NOTHING, Server, Size
from backend.cloud.placement import Candidate, DriveCandidate, Refusal, count_refusals
from backend.dialects.ops import render, schema_explain, separation
from backend.dialects.ops.bodies import ExplainQuery, NoBody
from backend.dialects.ops.plans import BECAUSE, counted, does, stop_row
from backend.dialects.ops.schema import PlannedStop
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text
from backend.operations import avoiding
from backend.operations import explain as explaining
from backend.operations.explain import Explained, Mark

AnyCandidate = Candidate | DriveCandidate
AnyExplanation = Explanation[Candidate] | Explanation[DriveCandidate]


async def explain(call: Call[ExplainQuery, NoBody]) -> Answer:
    found = await explaining.explain(call.cloud, call.account, call.path["id"], decision=call.query.decision)
    row: schema_explain.ExplainAnswer = {
        "id": found.of.id,
        "name": found.of.name,
        "kind": "server" if isinstance(found.of, Server) else "drive",
        "cell": found.of.cell,
        "host": found.of.host,
        "decisions": [_mark_row(mark) for mark in found.marks],
        "explanation": await _with_separation(call, found.asked),
        "placed": None if found.placed is None else await _with_separation(call, found.placed),
        "placed_problem": found.placed_problem,
    }
    return Answer(row)


async def _with_separation(call: Call[ExplainQuery, NoBody], explained: Explained) -> schema_explain.ExplanationRow:
    row = _explanation_row(explained, is_staff=call.account.is_staff)
    if explained.avoid:
        entries = await avoiding.of_explained(call.cloud, call.account, [explained])
        row["separation"] = separation.rows(call, entries)
    return row


def _mark_row(mark: Mark) -> schema_explain.DecisionMark:
    return {"number": mark.number, "at": instant_text(mark.at), "actor": mark.actor, "host": mark.host}


def _explanation_row(explained: Explained, *, is_staff: bool) -> schema_explain.ExplanationRow:
    explanation = explained.explanation
    chosen = explanation.chosen
    stops = chosen.plan.stops if isinstance(chosen, Candidate) else ()
    return {
        "decision": None if explained.mark is None else _mark_row(explained.mark),
        "at": instant_text(explained.at),
        "host": None if chosen is None else chosen.host,
        "decided_by": explanation.decided_by,
        "runner_up": explanation.beaten[0].candidate.host if explanation.beaten else None,
        "avoid": _avoided(explained, range(len(explained.avoid))),
        "avoided": [] if chosen is None else _avoided(explained, chosen.ranks),
        "stops": [{"id": id, "name": explained.servers[id].name} for id in stops],
        "shrinks": chosen.shrunk if isinstance(chosen, Candidate) else 0,
        "refused": dict(count_refusals(explanation.refusals)),
        "hosts_total": explained.hosts,
        "is_as_recorded": explained.is_as_recorded,
        "hosts": _host_rows(explained) if is_staff else [],
        "changes": [_change_row(explained, change) for change in explanation.changes] if is_staff else [],
        "impossible": explanation.impossible if is_staff else [],
        "sentences": _sentences(explained, is_staff=is_staff),
    }


def _avoided(explained: Explained, ranks: Iterable[int]) -> list[schema_explain.NamedRow]:
    return [
        {"id": id, "name": explained.names.get(id), "rank": rank + 1}
        for rank in ranks
        for id in (explained.avoid[rank],)
    ]


# --- Hosts -----------------------------------------------------------------------------------------------------------


def _host_rows(explained: Explained) -> list[schema_explain.ExplainedHost]:
    explanation = explained.explanation
    rows = [] if explanation.chosen is None else [_candidate_row(explained, explanation.chosen, None)]
    rows += [_candidate_row(explained, each.candidate, _key_part(each)) for each in explanation.beaten]
    return rows + [_refused_row(refusal) for refusal in explanation.refusals]


def _candidate_row(
    explained: Explained, candidate: AnyCandidate, lost_by: schema_explain.KeyPart | None
) -> schema_explain.ExplainedHost:
    row: schema_explain.ExplainedHost = {
        "host": candidate.host,
        "verdict": "chosen" if lost_by is None else "beaten",
        "avoided": _avoided(explained, candidate.ranks),
        "stops": [],
        "shrinks": 0,
        "room": None,
        "room_bytes": None,
        "short": None,
        "short_bytes": None,
        "lost_by": lost_by,
    }
    if isinstance(candidate, DriveCandidate):
        row["room_bytes"] = candidate.room_bytes
    else:
        row["stops"] = _stops(explained.servers, candidate.plan.stops, explained.at)
        row["shrinks"] = candidate.shrunk
        row["room"] = render.size_row(candidate.room)
    return row


def _stops(servers: Mapping[str, Server], ids: Iterable[str], at: datetime) -> list[PlannedStop]:
    return [stop_row(servers[id], at) for id in ids]


def _refused_row(refusal: Refusal) -> schema_explain.ExplainedHost:
    is_storage = refusal.reason == "storage"
    return {
        "host": refusal.host,
        "verdict": refusal.reason,
        "avoided": [],
        "stops": [],
        "shrinks": 0,
        "room": None,
        "room_bytes": None,
        "short": None if is_storage or refusal.short == NOTHING else render.size_row(refusal.short),
        "short_bytes": refusal.short_storage_bytes if is_storage else None,
        "lost_by": None,
    }


def _key_part(beaten: Beaten[Candidate] | Beaten[DriveCandidate]) -> schema_explain.KeyPart:
    return {
        "part": beaten.part,
        "measure": beaten.measure,
        "chosen": _value(beaten.chosen),
        "own": _value(beaten.own),
    }


def _value(value: Value) -> int | bool | str | list[int]:
    return [rank + 1 for rank in value] if isinstance(value, tuple) else value


def _change_row(explained: Explained, change: Change) -> schema_explain.SmallestChange:
    return {
        "kind": change.kind,
        "host": change.host,
        "less": None if change.less == NOTHING else render.size_row(change.less),
        "less_bytes": change.less_bytes or None,
        "stops": _stops(explained.servers, change.stops, explained.at),
        "is_proved": change.is_proved,
    }


# --- Sentences -------------------------------------------------------------------------------------------------------


def _sentences(explained: Explained, *, is_staff: bool) -> list[str]:
    """The answer in words, the most important first."""
    explanation, mark = explained.explanation, explained.mark
    name = explained.of.name or explained.of.id
    if explanation.chosen is None:
        reasons = ", ".join(f"{count} {reason}" for reason, count in count_refusals(explanation.refusals))
        found = [f"No host has room for {name} ({reasons})." if reasons else f"No host has room for {name}."]
        if is_staff:
            found += [_change_sentence(explained, change) for change in explanation.changes]
            found += _impossible(explanation)
        return found
    assert explanation.decided_by is not None, "what was chosen was decided by something"
    verb = "would go" if mark is None else "went"
    found = [f"{name} {verb} to {explanation.chosen.host}: {BECAUSE[explanation.decided_by]}."]
    if not explained.is_as_recorded and mark is not None:
        found.insert(0, f"It was placed on {mark.host}; with the settings of now it would have gone elsewhere:")
    if explanation.refusals:
        found.append(f"{counted(len(explanation.refusals), 'host')} had no room." if mark else
                     f"{does(len(explanation.refusals), 'host', 'have', 'has')} no room.")  # fmt: skip
    return found


def _change_sentence(explained: Explained, change: Change) -> str:
    if change.kind == "stops":
        names = ", ".join(explained.servers[id].name for id in change.stops)
        return f"It would fit on {change.host} with {counted(len(change.stops), 'server')} stopped: {names}."
    return f"It would fit on {change.host} with {_less(change.less, change.less_bytes)} less."


def _less(size: Size, storage_bytes: int) -> str:
    parts = [
        *([f"{size.cpu_mhz / 1000:g} GHz"] if size.cpu_mhz else []),
        *([f"{size.memory_bytes / GIB:.2f} GiB of memory"] if size.memory_bytes else []),
        *([f"{storage_bytes / GIB:.2f} GiB"] if storage_bytes else []),
    ]
    return " and ".join(parts)


_IMPOSSIBLE = {
    "cpu": "less CPU alone",
    "memory": "less memory alone",
    "cpu and memory": "a smaller size",
    "stops": "stopping backfilling servers",
    "storage": "a smaller size",
}


def _impossible(explanation: AnyExplanation) -> list[str]:
    if not explanation.impossible:
        return []
    words = [_IMPOSSIBLE[kind] for kind in explanation.impossible]
    return [f"No host would take it with {' or '.join(words)}."]
