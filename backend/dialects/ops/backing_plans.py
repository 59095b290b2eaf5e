"""How `/ops/v1` says what a backup, a restore or a schedule would come to."""

from __future__ import annotations

from datetime import UTC, datetime

from backend.cloud.catalogue import Flavor
from backend.cloud.errors import CloudError
from backend.cloud.filling import Filling
from backend.cloud.model import GIB, Backup, Schedule
from backend.cloud.previews import Preview
from backend.cloud.retention import Verdict
from backend.dialects.ops import plans, render
from backend.dialects.ops.plans import BECAUSE, counted, does
from backend.dialects.ops.render import backup_word
from backend.dialects.ops.schema import PlanRow
from backend.dialects.ops.schema_backing import SchedulePlanRow
from backend.dialects.ops.schema_backups import FireRow, OutlookRow, VerdictRow
from backend.dialects.ops.table import said
from backend.dialects.wire import instant_text, instant_text_or_none
from backend.operations import backup_restores, restore_sizes
from backend.operations.backup_plans import BackupPlan, DeletionPlan, Outlook, SchedulePlan, SwitchPlan
from backend.operations.backup_restores import Draft
from backend.operations.plan_tokens import token_of
from backend.operations.restore_plans import RestorePlan

OTHERS_NAMED_MAX = 3


def fire_rows(found: Preview) -> list[FireRow]:
    return [{"at": instant_text(fire.astimezone(UTC)), "local": fire.isoformat()} for fire in found.fires]


def verdict_rows(found: Preview) -> list[VerdictRow]:
    return [verdict_row(each) for each in found.verdicts]


def verdict_row(verdict: Verdict) -> VerdictRow:
    return {
        "backup_id": verdict.backup.id,
        "created_at": instant_text(verdict.backup.created_at),
        "state": backup_word(verdict.backup.state),
        "is_kept": verdict.is_kept,
        "rule": verdict.rule,
    }


def storage_row(outlook: Outlook) -> OutlookRow:
    filled = outlook.filling
    return {
        "project_id": outlook.project_id,
        "project_name": outlook.project_name,
        "used_bytes": outlook.used_bytes,
        "limit_bytes": outlook.limit_bytes,
        "left_bytes": outlook.left_bytes,
        "copy_bytes": outlook.copy_bytes,
        "copies_kept": outlook.copies_kept,
        "copies_most": outlook.copies_most,
        "copies_left": outlook.copies_left,
        "growth_bytes": outlook.growth_bytes,
        "is_enough": outlook.is_enough,
        "full_at": None if filled is None else instant_text_or_none(filled.full_at),
        "refused": None if filled is None or filled.refused is None else render.refusal_row(filled.refused),
    }


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:,.1f} GiB"


def _until(kept_until: datetime | None) -> str:
    return "It is kept for ever." if kept_until is None else f"It is kept until {_at(kept_until)}."


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _quota_sentence(outlook: Outlook, taken_bytes: int) -> str:
    of = f"Project {outlook.project_name or outlook.project_id}"
    if outlook.limit_bytes is None or outlook.left_bytes is None:
        return f"{of} has {_gib(outlook.used_bytes)} in use, and no quota of storage."
    left = _gib(max(0, outlook.left_bytes - taken_bytes))
    return f"{of} has {_gib(outlook.used_bytes)} of {_gib(outlook.limit_bytes)} in use; {left} are left after this."


def _plan(action: str, object_id: str, problem: CloudError | None, version: int, sentences: list[str]) -> PlanRow:
    return {
        "action": action,
        "object_id": object_id,
        "allowed": problem is None,
        "problem": None if problem is None else said(problem),
        "code": None if problem is None else problem.code,
        "decision": None,
        "stops": [],
        "shrinks": [],
        "grows": [],
        "restarts": [],
        "refused": {},
        "downtime_seconds": 0,
        "version": version,
        "token": None,
        "sentences": sentences if problem is None else [said(problem)],
    }


# --- backups ---------------------------------------------------------------------------------------------------------


def backup_plan_row(plan: BackupPlan) -> PlanRow:
    """Of a backup that is asked for, or of a run of a schedule."""
    name = plan.source_name or plan.source_id
    what = f"{counted(plan.drives, 'drive')} of {name}"
    if plan.servers > 1:
        what = f"{counted(plan.drives, 'drive')} of {counted(plan.servers, 'server')} of {name}"
    found = [f"{what}: {_gib(plan.size_bytes)} are copied in {plan.seconds} s; nothing is stopped for it."]
    found.append(_until(plan.kept_until))
    if plan.left_out is not None:
        found.append(f"Left out: {plan.left_out}.")
    found += [_quota_sentence(each, each.copy_bytes) for each in plan.storage]
    schedule = plan.schedule
    action, object_id, version = ("backup", plan.source_id, 0)
    if schedule is not None:
        action, object_id, version = "run", schedule.id, schedule.version
        found.append("Its next run stays when it is." if schedule.is_active else "It stays switched off.")
    row = _plan(action, object_id, plan.problem, version, found)
    row["storage"] = [storage_row(each) for each in plan.storage]
    return row


def restore_plan_row(plan: RestorePlan) -> PlanRow:
    backup, draft, start = plan.backup, plan.draft, plan.start
    row = _plan("restore", backup.id, plan.problem, backup.version, [])
    if plan.problem is not None or draft is None or start is None:
        row["sentences"] = [] if plan.problem is None else [said(plan.problem)]
        return row
    row["token"] = token_of(plan.parts)
    row["copies"] = [
        {
            "source_id": backup.id,
            "source_name": drive.name,
            "cell": draft.server.cell,
            "host": drive.host,
            "is_same_host": False,
            "size_bytes": drive.size_bytes,
            "seconds": backup_restores.copy_seconds(drive),
            "rate_bytes_per_second": drive.size_bytes // backup_restores.copy_seconds(drive),
        }
        for drive in draft.drives
    ]
    started = plans.plan_row(start, if_version=None)
    for key in ("decision", "stops", "shrinks", "grows", "refused"):
        row[key] = started[key]
    row["downtime_seconds"] = draft.seconds + start.downtime_seconds if start.problem is None else 0
    row["start_problem"] = None if start.problem is None else str(start.problem)
    if plan.storage is not None:
        row["storage"] = [storage_row(plan.storage)]
    server = draft.server
    found = [
        f"{server.name} is made in {server.cell} as {plan.flavor.name}, with {counted(len(draft.drives), 'drive')}:"
        f" {_gib(draft.storage_bytes)} in {draft.seconds} s. The server that was backed up is not touched."
    ]
    found += _differences(backup, plan.flavor, draft)
    if start.decision is not None:
        why = BECAUSE[start.decision.decided_by]
        found.append(f"When they are whole it starts, on {start.decision.host} as things are now: {why}.")
        if start.stops:
            found.append(f"{counted(len(start.stops), 'backfilling server')} would be stopped to make room.")
    else:
        found.append(f"As things are now it would then stay stopped: {start.problem}")
    if plan.storage is not None:
        found.append(_quota_sentence(plan.storage, plan.storage.copy_bytes))
    row["sentences"] = found
    return row


def _differences(backup: Backup, flavor: Flavor, draft: Draft) -> list[str]:
    """How the new server is other than the one that was backed up."""
    had, largest = restore_sizes.source_of(backup), restore_sizes.largest_disk_bytes(backup)
    found = [
        f"The server had {had.vcpus} vCPU and {_gib(had.memory_bytes)} of memory;"
        f" {flavor.name} has {flavor.vcpus} and {_gib(flavor.size.memory_bytes)}."
    ]
    if largest > flavor.disk_bytes:
        found.append(f"Drives come back as large as they were, one of {_gib(largest)}: more than the flavor's disk.")
    tags = draft.server.tags
    if tags:
        found.append(f"It has the tags that the server had, and is in their groups: {', '.join(tags)}.")
    found.append("It has no network interfaces: networks are attached to it afterwards.")
    return found


def deletion_plan_row(plan: DeletionPlan) -> PlanRow:
    name = plan.source_name or plan.thing.source_id
    match plan.thing:
        case Backup() as backup:
            found = [f"The backup of {name} of {_at(backup.created_at)} is deleted and cannot be brought back."]
            if plan.backups:
                found.append(f"{does(plan.backups, 'part', 'go', 'goes')} with it.")
            found.append(f"{_gib(plan.size_bytes)} are given back.")
            if plan.is_last_good:
                found.append(f"It is the only good backup of {name}: none is left after it.")
        case Schedule():
            found = [f"The schedule is deleted and cannot be brought back; no backups of {name} are taken by it."]
            stay = does(plan.backups, "backup", "stay")
            found.append(f"{stay}, and no rule removes them any more." if plan.backups else "It has no backups.")
    return _plan("delete", plan.thing.id, plan.problem, plan.thing.version, found)


def switch_plan_row(plan: SwitchPlan) -> PlanRow:
    schedule = plan.schedule
    if plan.next_at is not None:
        found = [f"It runs next at {_at(plan.next_at)}."]
    elif plan.backup is not None:
        found = [
            f"The backup of {plan.backup.source_name or plan.backup.source_id} of {_at(plan.backup.created_at)} is"
            " restored into a server without networks, which is removed when it has run.",
            _drill_sentence(plan),
        ]
    else:
        found = [
            "Nothing is taken by it until it is switched on again. Its backups stay, and go when their time comes."
        ]
    return _plan(plan.action, schedule.id, plan.problem, schedule.version, found)


def _drill_sentence(plan: SwitchPlan) -> str:
    if plan.drill_problem is not None:
        return f"As things are it would fail: {plan.drill_problem}"
    where = f"It is made in {plan.cell}, with its drives on {' and '.join(plan.hosts)}"
    runs = "it would not start there as things are" if plan.host is None else f"on {plan.host} as things are now"
    return f"{where}, and takes about {plan.seconds} s until it runs; {runs}."


# --- schedules -------------------------------------------------------------------------------------------------------


def schedule_plan_row(plan: SchedulePlan) -> SchedulePlanRow:
    schedule, problem = plan.schedule, plan.problem
    return {
        "schedule_id": schedule.id or None,
        "source_kind": render.source_word(schedule.source_kind),
        "source_id": schedule.source_id,
        "source_name": plan.source_name,
        "allowed": problem is None,
        "problem": None if problem is None else said(problem),
        "code": None if problem is None else problem.code,
        "words": plan.preview.words,
        "fires": fire_rows(plan.preview),
        "jitter_seconds": int(plan.preview.late.total_seconds()),
        "verdicts": verdict_rows(plan.preview),
        "storage": [storage_row(each) for each in plan.storage],
        "not_now": plan.not_now,
        "version": schedule.version if schedule.id else None,
        "sentences": [said(problem)] if problem is not None else _schedule_sentences(plan),
    }


def _schedule_sentences(plan: SchedulePlan) -> list[str]:
    schedule = plan.schedule
    found = [] if schedule.is_active else ["It is not active: nothing is taken until it is switched on."]
    going = [each for each in plan.preview.verdicts if not each.is_kept and each.backup.state != "deleting"]
    if going:
        found.append(f"Its rules would not keep {counted(len(going), 'backup')}: gone with the next good run.")
    for outlook in plan.storage:
        found += _outlook_sentences(schedule, outlook)
    if plan.others:
        names = ", ".join(each.description or each.id[:8] for each in plan.others[:OTHERS_NAMED_MAX])
        more = len(plan.others) - OTHERS_NAMED_MAX
        found.append(f"Its source is copied already by {names}{f' and {more} more' if more > 0 else ''}.")
    if not plan.storage and plan.not_now is not None:
        found.append(f"What a copy takes is not known now: {plan.not_now}.")
    elif plan.not_now is not None:
        found.append(f"It could not be copied now: {plan.not_now}. A run that falls due meanwhile is made up for.")
    if schedule.jitter_seconds and not schedule.id:
        found.append(f"Each run is later by the same time, which is at most {schedule.jitter_seconds} s.")
    return found


def _outlook_sentences(schedule: Schedule, outlook: Outlook) -> list[str]:
    of = f"Project {outlook.project_name or outlook.project_id}"
    use = f"{_gib(outlook.used_bytes)} in use"
    if outlook.limit_bytes is not None:
        use = f"{_gib(outlook.used_bytes)} of {_gib(outlook.limit_bytes)} in use"
    copy = _gib(outlook.copy_bytes)
    if outlook.growth_bytes is None:
        found = [f"{of} has {use}. Nothing removes a copy, so each run takes {copy} more."]
    else:
        most = counted(outlook.copies_most or 0, "copy").replace("copys", "copies")
        found = [f"{of} has {use}. At most {most} of {copy} at once: {_gib(outlook.growth_bytes)} more than now."]
    if outlook.filling is not None and outlook.filling.full_at is not None:
        found.insert(0, _full_sentence(schedule, outlook.filling, outlook.filling.full_at))
    return found


def _full_sentence(schedule: Schedule, filling: Filling, full_at: datetime) -> str:
    refused = filling.refused
    if refused is None:
        return f"About {_at(full_at)} the quota is full. A run that is refused then switches its schedule off."
    room = f"it needs {_gib(refused.needs_bytes)}, {_gib(refused.left_bytes)} are left then"
    if refused.schedule.id == schedule.id:
        return f"The run of {_at(refused.at)} would be refused, which switches the schedule off: {room}."
    name = refused.schedule.description or refused.schedule.id[:8]
    return f"The run of {name} of {_at(refused.at)} would be refused, which switches that off: {room}."
