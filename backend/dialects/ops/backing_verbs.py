"""What changes backups and schedules in `/ops/v1`: making, editing, restoring, deleting, switching, running."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend.cloud.catalogue import FLAVORS, Flavor
from backend.cloud.errors import Invalid
from backend.cloud.model import Backup, Schedule
from backend.dialects.ops import backing, render
from backend.dialects.ops.backing_plans import (
    backup_plan_row,
    deletion_plan_row,
    restore_plan_row,
    schedule_plan_row,
    switch_plan_row,
)
from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.bodies_backups import (
    BackupAction,
    BackupToMake,
    FlavorsQuery,
    ScheduleAction,
    ScheduleChange,
    ScheduleToMake,
    instant_of,
)
from backend.dialects.ops.schema import PlanRow
from backend.dialects.ops.schema_backing import BackupOutcome, FlavorList, ScheduleOutcome
from backend.dialects.ops.schema_backups import BackupRow, ScheduleRow
from backend.dialects.ops.table import Answer, Call, once, once_made
from backend.operations import (
    RequestKey,
    backup_plans,
    backup_restores,
    backup_views,
    backups,
    restore_plans,
    schedule_runs,
    schedules,
)
from backend.operations.backup_restores import RestoreSpec
from backend.operations.schedules import ScheduleSpec

RETENTION_DAYS_MAX = 36_500

_OURS = ("preview", "if_version", "source_kind", "source_id")
"""What a body says besides the fields of a schedule."""


async def list_flavors(call: Call[FlavorsQuery, NoBody]) -> Answer:
    found = await restore_plans.flavors_for(call.cloud, call.account, call.query.backup_id)
    content: FlavorList = {
        "flavors": [
            {
                "id": each.flavor.id,
                "name": each.flavor.name,
                "vcpus": each.flavor.vcpus,
                "cpu_mhz": each.flavor.size.cpu_mhz,
                "memory_bytes": each.flavor.size.memory_bytes,
                "disk_bytes": each.flavor.disk_bytes,
                "problem": each.problem,
                "note": each.note,
            }
            for each in found
        ]
    }
    return Answer(content)


async def _backup_row(call: Call[Any, Any], backup: Backup) -> BackupRow:
    view = await backups.show_backup(call.cloud, backup)
    return render.backup_row(view.backup, view.source_name, view.size_bytes)


async def _schedule_row(call: Call[Any, Any], schedule: Schedule) -> ScheduleRow:
    return backing.schedule_row(await schedules.view_of(call.cloud, call.account, schedule.id))


# --- backups ---------------------------------------------------------------------------------------------------------


async def create_backup(call: Call[NoQuery, BackupToMake]) -> Answer:
    """201, and it is `backing_up`; with `preview` 200 with what it would come to."""
    body = call.body
    kept_until = _kept_until(body, call.cloud.clock.now())
    if body.preview:
        plan = await backup_plans.plan_backup(
            call.cloud, call.account, body.source_kind, body.source_id, kept_until=kept_until
        )
        return Answer({"plan": backup_plan_row(plan)})

    async def make(request: RequestKey | None) -> str:
        made = await backups.create_backup(
            call.cloud,
            call.account,
            body.source_kind,
            body.source_id,
            description=body.description,
            kept_until=kept_until,
            request=request,
        )
        return made.id

    async def show(id: str) -> Answer:
        return Answer(await _backup_row(call, await backups.get_backup(call.cloud, call.account, id)), 201)

    return await once_made(call, make, show)


def _kept_until(body: BackupToMake, now: datetime) -> datetime | None:
    """Raises Invalid."""
    days = body.retention_days
    if body.kept_until is not None:
        if days is not None:
            raise Invalid("retention_days", "is said by kept_until already: send one of them")
        return instant_of("kept_until", body.kept_until)
    if not days:
        return None
    if not 0 < days <= RETENTION_DAYS_MAX:
        raise Invalid("retention_days", f"must be 0, for ever, to {RETENTION_DAYS_MAX:,}, and is {days}")
    return now + timedelta(days=days)


async def act_on_backup(call: Call[NoQuery, BackupAction]) -> Answer:
    """202 with what has begun; with `preview` 200 with what would happen."""
    body = call.body
    if body.action == "restore":
        return await _restore(call)
    for name in ("flavor", "name", "plan"):
        if getattr(body, name) is not None:
            raise Invalid(name, "belongs to restore")
    if body.preview:
        plan = await backup_plans.plan_backup_deletion(
            call.cloud, call.account, call.path["id"], if_version=body.if_version
        )
        return Answer({"plan": deletion_plan_row(plan)})

    async def delete() -> Answer:
        going = await backups.delete_backup(
            call.cloud, call.account, call.path["id"], if_version=body.if_version, request=call.request
        )
        outcome: BackupOutcome = {
            "backup": await _backup_row(call, going),
            "server_id": None,
            "server_name": None,
        }
        return Answer(outcome, 202)

    return await once(call, delete)


async def _restore(call: Call[NoQuery, BackupAction]) -> Answer:
    """**Source**: NodeConductor: what may not be seen, changed or restored comes before what was asked wrongly."""
    body, cloud, account, id = call.body, call.cloud, call.account, call.path["id"]
    if body.preview and body.plan is not None:
        raise Invalid("plan", "belongs to a restore that was previewed, not to a preview")
    if body.preview:
        await backups.get_backup(cloud, account, id)
        spec = RestoreSpec(_flavor(body.flavor), body.name)
        plan = await restore_plans.preview_restore(cloud, account, id, spec, if_version=body.if_version)
        return Answer({"plan": restore_plan_row(plan)})

    async def restore() -> Answer:
        restored = await backup_views.restored_before(cloud, account, id, call.request)
        if restored is None:
            backup = await backup_restores.check_may_restore(cloud, account, id)
            flavor = _flavor(body.flavor)
            spec = RestoreSpec(flavor, body.name)
            agreed = None if body.plan is None else restore_plans.agreeing(cloud, account, backup, flavor, body.plan)
            restored = await backup_restores.restore(
                cloud, account, id, spec, if_version=body.if_version, request=call.request, agreed=agreed
            )
        outcome: BackupOutcome = {
            "backup": await _backup_row(call, restored.backup),
            "server_id": restored.server.id,
            "server_name": restored.server.name,
        }
        return Answer(outcome, 202)

    return await once(call, restore)


def _flavor(given: str | None) -> Flavor:
    """By id or name. Raises Invalid."""
    names = ", ".join(each.name for each in FLAVORS)
    if given is None:
        raise Invalid("flavor", f"is needed to restore, which makes a server of that size: one of {names}")
    found = next((each for each in FLAVORS if given in (each.id, each.name)), None)
    if found is None:
        raise Invalid("flavor", f"there is no flavor {given!r}: choose one of {names}")
    return found


# --- schedules -------------------------------------------------------------------------------------------------------


def _cron(error: Invalid) -> Invalid:
    """Under the name that the field has here."""
    return Invalid("cron", error.problem) if error.field == "schedule" else error


async def create_schedule(call: Call[NoQuery, ScheduleToMake]) -> Answer:
    """201 with the schedule; with `preview` 200 with what it would do."""
    body = call.body
    fields = {name: getattr(body, name) for name in ScheduleToMake.model_fields if name not in _OURS}
    try:
        if body.preview:
            spec = ScheduleSpec(**fields)
            plan = await backup_plans.plan_schedule(call.cloud, call.account, body.source_kind, body.source_id, spec)
            return Answer({"plan": schedule_plan_row(plan)})

        async def make(request: RequestKey | None) -> str:
            made = await schedules.create_schedule(
                call.cloud, call.account, body.source_id, source_kind=body.source_kind, request=request, **fields
            )
            return made.id

        async def show(id: str) -> Answer:
            made = await schedules.get_schedule(call.cloud, call.account, id)
            return Answer(await _schedule_row(call, made), 201)

        return await once_made(call, make, show)
    except Invalid as error:
        raise _cron(error) from None


async def change_schedule(call: Call[NoQuery, ScheduleChange]) -> Answer:
    """202 with the schedule as it is from now on; with `preview` 200 with what it would do."""
    body, id = call.body, call.path["id"]
    sent = {name: getattr(body, name) for name in body.model_fields_set if name not in _OURS}
    fields = {name: value for name, value in sent.items() if value is not None or name == "target_seconds"}
    try:
        if body.preview:
            plan = await backup_plans.plan_change(call.cloud, call.account, id, fields, if_version=body.if_version)
            return Answer({"plan": schedule_plan_row(plan)})

        async def change() -> Answer:
            changed = await schedules.change_schedule(
                call.cloud, call.account, id, if_version=body.if_version, request=call.request, **fields
            )
            return Answer(await _schedule_row(call, changed), 202)

        return await once(call, change)
    except Invalid as error:
        raise _cron(error) from None


async def act_on_schedule(call: Call[NoQuery, ScheduleAction]) -> Answer:
    """202 with what it has come to; with `preview` 200 with what would happen."""
    if call.body.preview:
        return Answer({"plan": await _plan_of_action(call)})
    return await once(call, lambda: _act_on_schedule(call))


async def _act_on_schedule(call: Call[NoQuery, ScheduleAction]) -> Answer:
    cloud, account, id, version, request = call.cloud, call.account, call.path["id"], call.body.if_version, call.request
    schedule: Schedule | None = None
    backup: Backup | None = None
    match call.body.action:
        case "activate" | "deactivate":
            is_active = call.body.action == "activate"
            schedule = await schedules.set_active(
                cloud, account, id, is_active=is_active, if_version=version, request=request
            )
        case "run":
            schedule, backup = await schedule_runs.run_now(cloud, account, id, if_version=version, request=request)
        case "drill":
            schedule, backup = await schedule_runs.drill_now(cloud, account, id, if_version=version, request=request)
        case "delete":
            await schedules.delete_schedule(cloud, account, id, if_version=version, request=request)
    outcome: ScheduleOutcome = {
        "schedule": None if schedule is None else await _schedule_row(call, schedule),
        "backup": None if backup is None else await _backup_row(call, backup),
    }
    return Answer(outcome, 202)


async def _plan_of_action(call: Call[NoQuery, ScheduleAction]) -> PlanRow:
    cloud, account, id, version = call.cloud, call.account, call.path["id"], call.body.if_version
    match call.body.action:
        case "run":
            return backup_plan_row(await backup_plans.plan_run(cloud, account, id, if_version=version))
        case "delete":
            return deletion_plan_row(await backup_plans.plan_schedule_deletion(cloud, account, id, if_version=version))
        case "drill":
            return switch_plan_row(await restore_plans.plan_drill(cloud, account, id, if_version=version))
        case action:
            return switch_plan_row(await backup_plans.plan_switch(cloud, account, id, action, if_version=version))
