"""The endpoints of `/ops/v1` that change something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from backend.clock import ClockError
from backend.cloud.errors import Conflict, Invalid
from backend.cloud.model import Server, Size, Task
from backend.dialects import wire
from backend.dialects.ops import cloning, plans, reads, render, separation, sizing
from backend.dialects.ops.bodies import (
    AccountChange,
    AccountStateChange,
    Advance,
    ClockChange,
    DriveAction,
    DriveToMake,
    HostAction,
    NoBody,
    NoQuery,
    ReachabilityToSet,
    ServerAction,
    ServerToMake,
)
from backend.dialects.ops.schema import DecisionRow, ServerOutcome
from backend.dialects.ops.table import Answer, Call, once
from backend.operations import (
    accounts,
    avoiding,
    cells,
    clones,
    drains,
    drives,
    editing,
    losses,
    profiles,
    servers,
)
from backend.operations.avoiding import Entry, Placed
from backend.operations.host_plans import agreeing_host, preview_host
from backend.operations.plan_tokens import Agreed
from backend.operations.plans import agreeing, agreeing_clone, agreeing_drive, preview, preview_drive
from backend.operations.rooms import Decision


def _all_none(*values: object) -> bool:
    return all(value is None for value in values)


# -------------------------------------------------------------------------------------------------------------- servers


async def create_server(call: Call[NoQuery, ServerToMake]) -> Answer:
    body = call.body
    for name, floor in (("cpu_floor", body.cpu_floor), ("memory_floor", body.memory_floor)):
        if floor is not None and not body.is_backfilling:
            raise Invalid(name, "belongs to a backfilling server: a normal one is never shrunk")
    spec = servers.ServerSpec(
        name=body.name,
        size=Size(body.cpu_mhz, body.memory_bytes),
        smp=body.smp,
        is_backfilling=body.is_backfilling,
        floor_permille=(wire.permille(body.cpu_floor or 0), wire.permille(body.memory_floor or 0)),
        meta=body.meta,
        tags=tuple(body.tags),
        avoid=tuple(body.avoid),
        cell=body.cell,
    )
    if body.preview:
        return await sizing.preview_creation(call, spec)
    server = await servers.create_server(call.cloud, call.account, spec, request=call.request)
    if not spec.avoid:
        return Answer(reads.server_row(call, server), 201)
    entries = await avoiding.before_start(call.cloud, call.account, server, spec.avoid)
    return Answer({**render.server_row(server), "separation": separation.rows(call, entries)}, 201)


def _check_belongs(body: ServerAction) -> None:
    """Raises Invalid for what belongs to another action."""
    is_clone = body.action in ("clone", "separate")
    if body.action != "edit" and not _all_none(None if is_clone else body.name, body.meta, body.tags, body.restarts):
        raise Invalid("action", "name, meta, tags and restarts are changed by edit")
    if not (is_clone or body.action == "start") and body.avoid:
        raise Invalid("avoid", "belongs to start, clone and separate")
    if body.action != "resize" and not _all_none(body.cpu_mhz, body.memory_bytes):
        raise Invalid("action", "cpu_mhz and memory_bytes are changed by resize")
    if body.action != "delete" and body.with_drives:
        raise Invalid("with_drives", "belongs to delete")
    check_plan_belongs(body)


async def act_on_server(call: Call[NoQuery, ServerAction]) -> Answer:
    """202 with what has begun; with `preview` 200 with what would happen, and nothing does."""
    body, cloud, account, id = call.body, call.cloud, call.account, call.path["id"]
    _check_belongs(body)
    if body.action == "resize":
        return await sizing.resize_server(call)
    if body.action in ("clone", "separate"):
        return await cloning.clone_server(call)
    avoid = None if body.avoid is None else tuple(body.avoid)
    if body.preview:
        if body.action == "edit":
            raise Invalid("preview", "there is nothing to show before an edit")
        plan = await preview(cloud, account, id, body.action, avoid=avoid, with_drives=body.with_drives)
        row = plans.plan_row(plan, if_version=body.if_version)
        row["separation"] = separation.rows(call, await cloning.report_of_plan(call, plan))
        return Answer({"plan": row})
    agreed = None
    if body.plan is not None:
        agreed = await agreeing(cloud, account, id, body.action, body.plan, avoid=avoid, with_drives=body.with_drives)
    match body.action:
        case "start":
            started = await servers.start_server(
                cloud, account, id, avoid=avoid, if_version=body.if_version, request=call.request, agreed=agreed
            )
            entries = await avoiding.of_start(cloud, account, started.server, started.server.avoid, started.decision)
            decision = await _decision_row(call, started.decision)
            return _outcome(call, started.server, started.task, decision, entries)
        case "stop" | "shutdown":
            begun = await servers.stop_server(
                cloud,
                account,
                id,
                action=body.action,
                if_version=body.if_version,
                request=call.request,
                agreed=agreed,
            )
            return _outcome(call, begun.server, begun.task, None)
        case "edit":
            return await once(call, lambda: _edit_server(call))
        case "delete":
            return await once(call, lambda: _delete_server(call, agreed))
        case "clone" | "separate" | "resize":
            raise AssertionError("a clone and a resize remember their request themselves")


def check_plan_belongs(body: ServerAction | DriveAction | HostAction) -> None:
    """Raises Invalid for a token where there is nothing to agree to."""
    if body.plan is None:
        return
    if body.preview or body.action in ("edit", "resize"):
        raise Invalid("plan", "belongs to an action that was previewed, not to a preview, an edit or a resize")
    if isinstance(body, ServerAction) and body.action in ("clone", "separate"):
        raise Invalid("plan", "the clone of a server takes none: its preview has no token")


async def _edit_server(call: Call[NoQuery, ServerAction]) -> Answer:
    body = call.body
    changes = editing.ServerChanges(
        name=body.name,
        meta=body.meta,
        tags=None if body.tags is None else tuple(body.tags),
        restarts=body.restarts,
    )
    server = await editing.edit_server(
        call.cloud, call.account, call.path["id"], changes, if_version=body.if_version, request=call.request
    )
    return _outcome(call, server, None, None)


async def _delete_server(call: Call[NoQuery, ServerAction], agreed: Agreed | None) -> Answer:
    """Its drives stay, unless they are to go too."""
    await servers.delete_server(
        call.cloud,
        call.account,
        call.path["id"],
        recurse="all_drives" if call.body.with_drives else "none",
        if_version=call.body.if_version,
        request=call.request,
        agreed=agreed,
    )
    return _outcome(call, None, None, None)


def _outcome(
    call: Call[Any, Any],
    server: Server | None,
    task: Task | None,
    decision: DecisionRow | None,
    entries: Iterable[Entry] = (),
) -> Answer:
    row: Any = None if server is None else reads.server_row(call, server)
    outcome: ServerOutcome = {
        "server": row,
        "task": None if task is None else reads.task_row(call, task, None if server is None else server.name),
        "decision": decision,
        "separation": separation.rows(call, entries),
    }
    return Answer(outcome, 202)


async def _decision_row(call: Call[Any, Any], decision: Decision) -> DecisionRow:
    names = await servers.names_of(call.cloud, decision.stops) if decision.stops else {}
    return plans.decision_row(decision, names)


# --------------------------------------------------------------------------------------------------------------- drives


async def create_drive(call: Call[NoQuery, DriveToMake]) -> Answer:
    body = call.body
    spec = drives.DriveSpec(
        name=body.name,
        size_bytes=body.size_bytes,
        media=body.media,
        avoid=tuple(body.avoid),
        meta=body.meta,
        tags=tuple(body.tags),
        cell=body.cell,
    )
    if body.image is not None:
        return await sizing.make_of_image(call, body.image, spec)
    drive = await drives.create_drive(call.cloud, call.account, spec, request=call.request)
    if not spec.avoid:
        return Answer(reads.drive_row(call, drive), 201)
    entries = await avoiding.of_drive(call.cloud, call.account, drive, spec.avoid)
    return Answer({**render.drive_row(drive), "separation": separation.rows(call, entries)}, 201)


async def act_on_drive(call: Call[NoQuery, DriveAction]) -> Answer:
    body = call.body
    if body.action != "attach" and not _all_none(body.server_id, body.device, body.channel, body.boot_order):
        raise Invalid("action", "server_id, device, channel and boot_order belong to attach")
    if body.action != "edit" and not _all_none(None if body.action == "clone" else body.name, body.meta, body.tags):
        raise Invalid("action", "name, meta and tags are changed by edit")
    if body.action != "clone" and body.avoid:
        raise Invalid("avoid", "belongs to clone")
    if body.action == "attach" and body.server_id is None:
        raise Invalid("server_id", "is needed to attach")
    if body.action != "resize" and body.size_bytes is not None:
        raise Invalid("size_bytes", "belongs to resize")
    check_plan_belongs(body)
    if body.action == "resize":
        return await sizing.resize_drive(call)
    if body.preview:
        if body.action == "edit":
            raise Invalid("preview", "there is nothing to show before an edit")
        plan = await preview_drive(
            call.cloud,
            call.account,
            call.path["id"],
            body.action,
            server_id=body.server_id,
            avoid=tuple(body.avoid),
            if_version=body.if_version,
        )
        row = plans.drive_plan_row(plan, asked_by=call.account.name)
        if plan.clone is not None:
            clone, avoid = plan.clone, tuple(body.avoid)
            placed = Placed(replace(plan.drive, id=""), clone.found.host, frozenset(clone.avoided), clone.sharing)
            entries = await avoiding.report(call.cloud, call.account, avoid, "drive", [placed])
            row["separation"] = separation.rows(call, entries)
        return Answer({"plan": row})
    if body.action == "clone":
        return await _clone_drive(call)
    return await once(call, lambda: _act_on_drive(call))


async def _clone_drive(call: Call[NoQuery, DriveAction]) -> Answer:
    body = call.body
    begun = await clones.clone_drive(
        call.cloud,
        call.account,
        call.path["id"],
        name=body.name,
        avoid=tuple(body.avoid),
        if_version=body.if_version,
        request=call.request,
        agreed=None if body.plan is None else agreeing_clone(body.plan),
    )
    task = None if begun.task is None else reads.task_row(call, begun.task, begun.drive.name)
    entries = await avoiding.of_drive(call.cloud, call.account, begun.drive, tuple(body.avoid))
    row = reads.drive_row(call, begun.drive)
    return Answer({"drive": row, "task": task, "separation": separation.rows(call, entries)}, 202)


async def _act_on_drive(call: Call[NoQuery, DriveAction]) -> Answer:
    body, cloud, account, id = call.body, call.cloud, call.account, call.path["id"]
    agreed = None
    if body.plan is not None:
        assert body.action != "edit", "checked before"
        assert body.action != "resize", "checked before"
        agreed = agreeing_drive(id, body.action, body.plan, server_id=body.server_id)
    match body.action:
        case "attach":
            assert body.server_id is not None, "checked before"
            drive = await drives.attach_drive(
                cloud,
                account,
                id,
                body.server_id,
                device=body.device or "virtio",
                channel=body.channel or await _free_channel(call, body.server_id, body.device or "virtio"),
                boot_order=body.boot_order,
                if_version=body.if_version,
                request=call.request,
                agreed=agreed,
            )
        case "detach":
            drive = await drives.detach_drive(
                cloud, account, id, if_version=body.if_version, request=call.request, agreed=agreed
            )
        case "edit":
            changes = editing.DriveChanges(
                name=body.name, meta=body.meta, tags=None if body.tags is None else tuple(body.tags)
            )
            drive = await editing.edit_drive(
                cloud, account, id, changes, if_version=body.if_version, request=call.request
            )
        case "delete":
            await drives.delete_drive(
                cloud, account, id, if_version=body.if_version, request=call.request, agreed=agreed
            )
            return Answer({"drive": None, "task": None}, 202)
        case "clone" | "resize":
            raise AssertionError("a clone and a resize remember their request themselves")
    return Answer({"drive": reads.drive_row(call, drive), "task": None}, 202)


async def _free_channel(call: Call[Any, Any], server_id: str, device: str) -> str:
    """The first channel of the device that no drive of the server has. Raises Invalid."""
    attached = (await drives.drives_of(call.cloud, [server_id])).get(server_id, [])
    taken = {drive.channel for drive in attached if drive.device == device}
    controllers, units = (2, 2) if device == "ide" else (256, 6)
    free = (f"{controller}:{unit}" for controller in range(controllers) for unit in range(units))
    channel = next((each for each in free if each not in taken), None)
    if channel is None:
        raise Invalid("device", f"{device} has no free channel")
    return channel


# ---------------------------------------------------------------------------------------------------------------- hosts


async def act_on_host(call: Call[NoQuery, HostAction]) -> Answer:
    """202 with what has begun; with `preview` 200 with what it would come to, and nothing does."""
    body, cloud, name = call.body, call.cloud, call.path["name"]
    check_plan_belongs(body)
    if body.preview:
        plan = await preview_host(cloud, call.account, name, body.action, if_version=body.if_version)
        return Answer({"plan": plans.host_plan_row(plan)})
    act = _HOST_ACTIONS[body.action]
    agreed = None if body.plan is None else await agreeing_host(cloud, name, body.action, body.plan)
    begun = await act(cloud, call.account.name, name, if_version=body.if_version, request=call.request, agreed=agreed)
    task = None if begun.task is None else reads.task_row(call, begun.task, name)
    return Answer({"host": await reads.host_row(call, name), "task": task}, 202)


_HOST_ACTIONS = {
    "fail": losses.fail_host,
    "recover": losses.recover_host,
    "drain": drains.drain_host,
    "evacuate": drains.evacuate_host,
}


# ------------------------------------------------------------------------------------------- cells, clock, accounts


async def set_reachability(call: Call[NoQuery, ReachabilityToSet]) -> Answer:
    """A fault that stays until it is taken away, also over a restart."""
    name = call.path["name"]

    async def inject() -> Answer:
        await cells.inject(call.cloud, call.account, name, call.body.state, request=call.request)
        return Answer(await reads.cell_row(call, name))

    return await once(call, inject)


async def ask_cell(call: Call[NoQuery, NoBody]) -> Answer:
    """Ask the cell now, without waiting for the next try."""
    name = call.path["name"]
    await cells.ask(call.cloud, name)
    return Answer(await reads.cell_row(call, name))


async def change_clock(call: Call[NoQuery, ClockChange]) -> Answer:
    """A rate alone means mode `rate`."""
    body, clock = call.body, call.cloud.clock
    mode = body.mode or ("rate" if body.rate is not None else clock.mode)
    if mode != "rate" and body.rate is not None:
        raise Invalid("rate", "belongs to mode rate")
    rate = body.rate if body.rate is not None else clock.rate if clock.mode == "rate" else None
    if mode == "rate" and rate is None:
        raise Invalid("rate", "is needed for mode rate")

    async def change() -> Answer:
        try:
            await call.context.engine.change_clock(mode=mode, rate=rate, request=call.request)
        except ClockError as error:
            raise Conflict(str(error)) from error
        return Answer(render.clock_row(clock))

    return await once(call, change)


async def advance_clock(call: Call[NoQuery, Advance]) -> Answer:
    """Returns when all that fell due on the way has run."""

    async def advance() -> Answer:
        try:
            await call.context.engine.advance(call.body.seconds, request=call.request)
        except ClockError as error:
            raise Conflict(str(error)) from error
        return Answer(render.clock_row(call.cloud.clock))

    return await once(call, advance)


async def set_account_state(call: Call[NoQuery, AccountStateChange]) -> Answer:
    name, state = call.path["name"], call.body.state

    async def change() -> Answer:
        profile = await profiles.set_account_state(call.cloud, call.account, name, state, request=call.request)
        return Answer({"name": name, "state": profile.state})

    return await once(call, change)


async def change_account(call: Call[NoQuery, AccountChange]) -> Answer:
    name, may = call.path["name"], call.body.may_backfill

    async def change() -> Answer:
        account = await accounts.allow_backfilling(call.cloud, call.account, name, may=may, request=call.request)
        return Answer(render.account_row(account))

    return await once(call, change)
