"""Asking what a schedule would do, which servers nobody backs up, and which are at risk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from backend.cloud import previews
from backend.cloud.backups import at_risk_from
from backend.cloud.errors import Invalid
from backend.cloud.model import SERVER, Account, Backup, ReachabilityState, Schedule
from backend.cloud.previews import Covered, Preview, Protection, Rank, Standing
from backend.cloud.retention import Policy
from backend.operations import Cloud, schedules, servers
from backend.operations.schedules import ScheduleSpec
from backend.store import CloudTransaction, Wanted


@dataclass(frozen=True, slots=True)
class Coverage:
    """The servers that need looking after most, and how many there are of each standing."""

    at: datetime
    """How old they are is counted to this instant."""
    rows: tuple[Protection, ...]
    names: Mapping[str, str]
    """Of those of the rows whose cells answer."""
    projects: Mapping[str, str]
    """The project of each row."""
    has_more: bool
    """Whether rows follow the last one."""
    total: int
    uncovered: int
    by_standing: Mapping[Standing, int]


async def preview(cloud: Cloud, actor: Account, spec: ScheduleSpec, *, schedule_id: str | None = None) -> Preview:
    """What a schedule would do; with the id of one, to its backups. Changes nothing.

    Raises:
        Invalid, NotFound.
    """
    schedules.check_spec(spec)
    schedule: Schedule | None = None
    found: list[Backup] = []
    if schedule_id is not None:
        schedule = await schedules.get_schedule(cloud, actor, schedule_id)
        found = await cloud.store.cloud_read(lambda tx: tx.backups(schedule_id=schedule_id))
    policy = Policy(spec.retention_days, spec.backups_max, spec.keeps, spec.time_zone)
    return previews.preview(spec.cron, policy, found, cloud.clock.now(), schedule=schedule)


CoveragePlace = tuple[datetime, Rank]
"""Where a list goes on: the instant that all of its pages are of, and the place of the last row before."""


async def coverage(cloud: Cloud, actor: Account, *, limit: int, after: CoveragePlace | None = None) -> Coverage:
    """Of every server that the account sees, the worst first; at most `limit` rows, those behind a place.

    As time goes by servers change places: what follows a page is told as of the instant of the first one.
    """
    now = cloud.clock.now() if after is None else after[0]
    projects = servers.projects_of(actor)
    if limit < 1:
        raise Invalid("limit", "must be at least 1")

    def find(tx: CloudTransaction) -> tuple[list[Covered], list[Schedule], dict[str, datetime]]:
        customers = {project.id: project.customer_id for project in tx.projects()}
        entries = tx.server_entries(projects=projects, states=servers.LISTED)
        covered = [Covered(each.id, each.project_id, customers.get(each.project_id, "")) for each in entries]
        last_good = {id: at for (kind, id), at in tx.last_good_backups().items() if kind == SERVER}
        return covered, tx.page_of_schedules(Wanted()), last_good

    covered, rules, last_good = await cloud.store.cloud_read(find)
    found = previews.protection(covered, rules, last_good, now)
    first = 0 if after is None else bisect_right(found, after[1], key=previews.place_of)
    rows = tuple(found[first : first + limit])
    return Coverage(
        now,
        rows,
        await servers.names_of(cloud, [each.server_id for each in rows]),
        {each.server_id: each.project_id for each in covered},
        first + limit < len(found),
        len(found),
        sum(not each.schedule_ids for each in found),
        {standing: sum(each.standing is standing for each in found) for standing in Standing},
    )


async def servers_at_risk(cloud: Cloud, *, now: datetime) -> dict[str, int]:
    """By cell: how many servers that schedules copy have no copy as new as was promised, or can be given none now.

    Worked out once for as long as nothing changes; what is asked each second is only how many instants have passed.
    """
    instants: dict[str, list[datetime]] = await cloud.kept.of(servers_at_risk, lambda: _at_risk_from(cloud))
    return {cell: bisect_right(found, now) for cell, found in instants.items()}


async def _at_risk_from(cloud: Cloud) -> dict[str, list[datetime]]:
    """By cell, sorted: from when on each server is at risk."""
    listed, copied = await cloud.store.cloud_read(lambda tx: (tx.schedules(), tx.copied_servers()))
    by_id = {schedule.id: schedule for schedule in listed}
    is_up = {cell: cloud.store.reachability(cell).state is ReachabilityState.UP for cell in cloud.store.cell_names}
    soonest: dict[tuple[str, str], datetime] = {}
    for each in copied:
        from_at = at_risk_from(by_id[each.schedule_id], each.last_good_at, is_reachable=is_up[each.cell])
        if from_at is not None:
            place = each.cell, each.server_id
            soonest[place] = min(from_at, soonest.get(place, from_at))
    found: dict[str, list[datetime]] = {cell: [] for cell in cloud.store.cell_names}
    for (cell, _), from_at in soonest.items():
        found[cell].append(from_at)
    return {cell: sorted(instants) for cell, instants in found.items()}
