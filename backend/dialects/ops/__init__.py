"""`/ops/v1`: the operator's own API, and the only one that the console of an embedded cloud speaks.

Staff sees and does everything; other accounts see the objects of their projects, and cells by name and state. JSON in
snake_case; a bearer token always; every refusal is `{"error": {"code", "message", ...}}`. Any write may carry an
`Idempotency-Key`. The OpenAPI document is made from `TABLE`, which is also what is routed.

    bodies      what it takes                     reads, writes   the handlers
    schema, schema_*   what it answers            plans           decisions and previews
                                              restoring       groups to take apart, cells to lose
    backing     schedules before they run, and who is covered; agenda: what is to come of them
    backing_*   what changes backups and schedules, and what that comes to
    render      from the cloud's values to that   explaining      why something is where it is
    table       an endpoint, and its refusals     separation      what became of an avoid list
    document    OpenAPI 3.1                       cloning         clones of servers
    setting     settings of the whole cloud   services        the Compute API's services
    room        what fits, and what-ifs       differences     between moments of the past, as log_places writes them
    sizing      limits, previews, resizing    networks, snapshots   interfaces of servers, snapshots of drives
    billing     money                         metrics    how it goes, for Prometheus
    rehearsing  a rehearsal that is under way
"""

from __future__ import annotations

from functools import cache

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.ops import (
    agenda,
    backing,
    backing_verbs,
    billing,
    bodies,
    bodies_backups,
    differences,
    explaining,
    networks,
    reads,
    rehearsing,
    restoring,
    room,
    schema,
    schema_backing,
    schema_backups,
    schema_billing,
    schema_explain,
    schema_networks,
    schema_plans,
    schema_rehearsal,
    schema_room,
    schema_services,
    schema_sizing,
    schema_snapshots,
    services,
    setting,
    sizing,
    snapshots,
    writes,
)
from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.document import document
from backend.dialects.ops.metrics import metrics
from backend.dialects.ops.table import ERRORS, PREFIX, Context, Engine, Turns, get, refuse, routes_of, write
from backend.dialects.requests import Requests
from backend.operations import Cloud
from backend.operations.cells import Pictures
from backend.operations.past import Past

__all__ = ["ERRORS", "PREFIX", "TABLE", "refuse", "routes"]

TABLE = (
    get("", reads.hello, "Which cloud this is, and who asks", schema.Hello, query=NoQuery, shows_past=False),
    get("/openapi.json", reads.openapi, "This document", schema.Document, query=NoQuery, shows_past=False),
    get("/status", reads.status, "All that is small and changes by itself", schema.Status, query=NoQuery),
    get(
        "/changes",
        reads.changes,
        "What has changed after a cursor, or will soon",
        schema.Changes,
        query=bodies.ChangesQuery,
        shows_past=False,
    ),
    get(
        "/differences",
        differences.differences,
        "What was otherwise at a moment than at another",
        schema.Differences,
        query=bodies.DifferencesQuery,
    ),
    get("/servers", reads.list_servers, "A page of servers", schema.ServerPage, query=bodies.ServersQuery),
    write(
        "POST",
        "/servers",
        writes.create_server,
        "Make a stopped server, or see what that would come to",
        {200: schema.PlanAnswer, 201: schema.ServerMade},
        body=bodies.ServerToMake,
    ),
    get("/servers/{id}", reads.get_server, "One server with its drives", schema.ServerDetail, query=NoQuery),
    write(
        "POST",
        "/servers/{id}/actions",
        writes.act_on_server,
        "Act on a server, or see what an action would do",
        {200: schema.PlanAnswer, 202: schema.ServerOutcome},
        body=bodies.ServerAction,
    ),
    get(
        "/servers/{id}/networks",
        networks.network_choices,
        "What a network interface of the server may have",
        schema_networks.NetworkChoices,
        query=NoQuery,
    ),
    write(
        "POST",
        "/servers/{id}/nics",
        networks.attach_nic,
        "Add a network interface to a stopped server",
        {201: schema_networks.NicList},
        body=bodies.NicToAttach,
    ),
    write(
        "DELETE",
        "/servers/{id}/nics/{mac}",
        networks.detach_nic,
        "Take a network interface from a stopped server",
        {200: schema_networks.NicList},
        body=NoBody,
    ),
    get(
        "/limits",
        sizing.limits,
        "What there may be, and what a project has left",
        schema_sizing.Limits,
        query=bodies.LimitsQuery,
    ),
    get("/images", sizing.list_images, "The library's images", schema_sizing.ImageList, query=NoQuery),
    get("/drives", reads.list_drives, "A page of drives", schema.DrivePage, query=bodies.DrivesQuery),
    write("POST", "/drives", writes.create_drive, "Make a drive", {201: schema.DriveMade}, body=bodies.DriveToMake),
    get(
        "/drives/{id}", snapshots.get_drive, "One drive with its snapshots", schema_snapshots.DriveDetail, query=NoQuery
    ),
    write(
        "POST",
        "/drives/{id}/actions",
        writes.act_on_drive,
        "Act on a drive, or see what an action would do",
        {200: schema.PlanAnswer, 202: schema.DriveOutcome},
        body=bodies.DriveAction,
    ),
    get(
        "/drives/{id}/snapshots",
        snapshots.list_snapshots,
        "The snapshots of a drive",
        schema_snapshots.SnapshotList,
        query=NoQuery,
    ),
    write(
        "POST",
        "/drives/{id}/snapshots",
        snapshots.take_snapshot,
        "Take a snapshot of a drive",
        {201: schema_snapshots.SnapshotRow},
        body=bodies.SnapshotToTake,
    ),
    write(
        "POST",
        "/snapshots/{id}/actions",
        snapshots.act_on_snapshot,
        "Edit, delete or clone a snapshot",
        {202: schema_snapshots.SnapshotOutcome},
        body=bodies.SnapshotAction,
    ),
    get("/cells", reads.list_cells, "Every cell, and whether it answers", schema.CellList, query=NoQuery),
    write(
        "PUT",
        "/cells/{name}/reachability",
        writes.set_reachability,
        "Inject a fault, or take it away",
        {200: schema.CellRow},
        body=bodies.ReachabilityToSet,
        staff_action="inject a fault",
    ),
    write(
        "POST",
        "/cells/{name}/actions",
        restoring.act_on_cell,
        "Inject a fault, take it away, or see what it would mean",
        {200: schema_plans.CellPlanAnswer, 202: schema_plans.CellOutcome},
        body=bodies.CellAction,
        staff_action="inject a fault",
    ),
    write(
        "POST",
        "/cells/{name}/ask",
        writes.ask_cell,
        "Ask a cell now",
        {200: schema.CellRow},
        body=NoBody,
        staff_action="ask a cell",
    ),
    get(
        "/hosts",
        reads.list_hosts,
        "Every host and what is on it",
        schema.HostList,
        query=NoQuery,
        staff_action="list hosts",
    ),
    write(
        "POST",
        "/hosts/{name}/actions",
        writes.act_on_host,
        "Lose a host, take it back, drain or evacuate it, or see what that would come to",
        {200: schema.HostPlanAnswer, 202: schema.HostOutcome},
        body=bodies.HostAction,
        staff_action="act on a host",
    ),
    get(
        "/capacity", room.capacity, "What fits now", schema.CapacityRow, query=NoQuery, staff_action="see the capacity"
    ),
    write(
        "POST",
        "/preview/placement",
        room.try_placement,
        "Where servers would go that nobody has made yet; changes nothing",
        {200: schema_room.WhatIfAnswer},
        body=bodies.PlacementToTry,
        staff_action="see the capacity",
    ),
    get(
        "/services",
        services.list_services,
        "Services, as the Compute API says them, and what was last known",
        schema_services.ServiceList,
        query=NoQuery,
        staff_action="list services",
    ),
    get("/groups", reads.list_groups, "Groups and what they tolerate, worst first", schema.GroupList, query=NoQuery),
    get(
        "/groups/{name}/plan",
        restoring.plan_of_group,
        "The fewest moves that take a group apart",
        schema_plans.GroupPlanAnswer,
        query=NoQuery,
        staff_action="restore a group",
    ),
    write(
        "POST",
        "/groups/{name}/actions",
        restoring.act_on_group,
        "Take a group apart, one member at a time, or see what that would come to",
        {200: schema_plans.GroupPlanAnswer, 202: schema_plans.GroupOutcome},
        body=bodies.GroupAction,
        staff_action="restore a group",
    ),
    get(
        "/explain/{id}",
        explaining.explain,
        "Why a server or drive is where it is, or would go, and why not elsewhere",
        schema_explain.ExplainAnswer,
        query=bodies.ExplainQuery,
    ),
    get(
        "/events",
        reads.list_events,
        "The newest events, or those after a cursor",
        schema.EventPage,
        query=bodies.EventsQuery,
    ),
    get("/tasks", reads.list_tasks, "Work under way, or done", schema.TaskPage, query=bodies.TasksQuery),
    get(
        "/schedules",
        backing.list_schedules,
        "Rules that take backups",
        schema_backups.ScheduleList,
        query=bodies.SchedulesQuery,
    ),
    get(
        "/backups",
        backing.list_backups,
        "Backups, the newest first",
        schema_backups.BackupList,
        query=bodies.BackupsQuery,
    ),
    get(
        "/schedules/preview",
        backing.preview_schedule,
        "What a schedule would do: when it runs, and which backups its rules keep",
        schema_backups.SchedulePreview,
        query=bodies.SchedulePreviewQuery,
    ),
    get(
        "/backups/coverage",
        backing.list_coverage,
        "How old the last good backup of each server is, and may be; the worst first",
        schema_backups.CoverageAnswer,
        query=bodies.CoverageQuery,
    ),
    get(
        "/schedules/calendar",
        agenda.get_calendar,
        "Which schedules run in the next hours, and how many at once",
        schema_backups.CalendarAnswer,
        query=bodies.CalendarQuery,
    ),
    get(
        "/backups/storage",
        agenda.get_storage,
        "What each project's storage comes to when its schedules just run",
        schema_backups.StorageAnswer,
        query=NoQuery,
    ),
    write(
        "POST",
        "/backups",
        backing_verbs.create_backup,
        "Back something up now, or see what that would come to",
        {200: schema_backing.BackupPlanAnswer, 201: schema_backups.BackupRow},
        body=bodies_backups.BackupToMake,
    ),
    write(
        "POST",
        "/backups/{id}/actions",
        backing_verbs.act_on_backup,
        "Restore or delete a backup, or see what that would come to",
        {200: schema_backing.BackupPlanAnswer, 202: schema_backing.BackupOutcome},
        body=bodies_backups.BackupAction,
    ),
    write(
        "POST",
        "/schedules",
        backing_verbs.create_schedule,
        "Make a schedule, or see what it would do",
        {200: schema_backing.SchedulePlanAnswer, 201: schema_backups.ScheduleRow},
        body=bodies_backups.ScheduleToMake,
    ),
    write(
        "PATCH",
        "/schedules/{id}",
        backing_verbs.change_schedule,
        "Change a schedule, or see what it would do then",
        {200: schema_backing.SchedulePlanAnswer, 202: schema_backups.ScheduleRow},
        body=bodies_backups.ScheduleChange,
    ),
    write(
        "POST",
        "/schedules/{id}/actions",
        backing_verbs.act_on_schedule,
        "Switch a schedule on or off, run it, try its newest backup, or delete it; or see what that would come to",
        {200: schema_backing.BackupPlanAnswer, 202: schema_backing.ScheduleOutcome},
        body=bodies_backups.ScheduleAction,
    ),
    get(
        "/flavors",
        backing_verbs.list_flavors,
        "The sizes that a backup can be restored with",
        schema_backing.FlavorList,
        query=bodies_backups.FlavorsQuery,
    ),
    get("/schedules/{id}", backing.get_schedule, "One schedule", schema_backups.ScheduleRow, query=NoQuery),
    get(
        "/backups/{id}",
        backing.get_backup,
        "One backup with its parts, and what its schedule's rules say of it",
        schema_backups.BackupDetail,
        query=NoQuery,
    ),
    get(
        "/metrics",
        metrics,
        "How it goes, in the text format of Prometheus",
        str,
        query=NoQuery,
        staff_action="see the metrics",
    ),
    get(
        "/rehearsal",
        rehearsing.get_rehearsal,
        "What is rehearsed on this cloud, and what has become of it",
        schema_rehearsal.RehearsalAnswer,
        query=NoQuery,
        staff_action="watch a rehearsal",
    ),
    get("/clock", reads.clock, "The cloud's time", schema.ClockRow, query=NoQuery),
    write(
        "PATCH",
        "/clock",
        writes.change_clock,
        "Change how the cloud's time runs",
        {200: schema.ClockRow},
        body=bodies.ClockChange,
        staff_action="change the clock",
    ),
    write(
        "POST",
        "/clock/advance",
        writes.advance_clock,
        "Move the cloud's time forward, and run all that falls due",
        {200: schema.ClockRow},
        body=bodies.Advance,
        staff_action="move the clock",
    ),
    get(
        "/accounts",
        reads.list_accounts,
        "Every account",
        schema.AccountList,
        query=NoQuery,
        staff_action="list accounts",
    ),
    write(
        "PATCH",
        "/accounts/{name}",
        writes.change_account,
        "Grant or withdraw the right to backfilling servers",
        {200: schema.AccountRow},
        body=bodies.AccountChange,
        staff_action="change an account",
    ),
    write(
        "PUT",
        "/accounts/{name}/state",
        writes.set_account_state,
        "Say how far an account is trusted, which restricts the networks of its servers",
        {200: schema.AccountStateRow},
        body=bodies.AccountStateChange,
        staff_action="change an account",
    ),
    get(
        "/billing",
        billing.billing_summary,
        "What is burnt now and by whom, and what backfilling came to this month",
        schema_billing.BillingSummary,
        query=bodies.BillingQuery,
    ),
    get(
        "/billing/ledger",
        billing.ledger,
        "A page of an account's ledger, the newest rows first",
        schema_billing.LedgerPage,
        query=bodies.LedgerQuery,
    ),
    get(
        "/billing/servers/{id}",
        billing.server_cost,
        "What one server costs now, and came to this month",
        schema_billing.CostRow,
        query=bodies.NoQuery,
    ),
    get(
        "/billing/subscriptions",
        billing.list_subscriptions,
        "The subscriptions of an account, one's own without its name",
        schema_billing.SubscriptionList,
        query=bodies.BillingQuery,
    ),
    write(
        "POST",
        "/billing/subscriptions",
        billing.buy_subscription,
        "Buy a subscription for an account, or extend one of its own",
        {200: schema_billing.SubscriptionOffer, 201: schema_billing.SubscriptionsBought},
        body=bodies.SubscriptionToBuy,
    ),
    write(
        "PUT",
        "/accounts/{name}/balance",
        billing.give_balance,
        "Give an account a balance that it is held to",
        {200: schema_billing.AccountBalance},
        body=bodies.BalanceToGive,
        staff_action="give an account a balance",
    ),
    get(
        "/settings",
        setting.get_settings,
        "What is set for the whole cloud",
        schema.SettingsRow,
        query=NoQuery,
        staff_action="see the settings",
    ),
    write(
        "PATCH",
        "/settings",
        setting.change_settings,
        "Change what may be changed while the cloud runs",
        {200: schema.SettingsRow},
        body=bodies.SettingsChange,
        staff_action="change the settings",
    ),
)


@cache
def _document() -> bytes:
    return document(TABLE)


def routes(cloud: Cloud, credentials: wire.Credentials, engine: Engine, requests: Requests, past: Past) -> list[Route]:
    context = Context(
        cloud=cloud,
        credentials=credentials,
        engine=engine,
        pictures=Pictures(cloud),
        server_rows=wire.Fragments(),
        drive_rows=wire.Fragments(),
        answers=wire.kept_answers(cloud),
        document=_document,
        turns=Turns(),
        requests=requests,
        past=past,
    )
    return routes_of(TABLE, context)
