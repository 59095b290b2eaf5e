"""From decoded JSON to records. Unknown keys are passed over, missing ones are None: nobody said.

Texts are clean before they come here (`sanitising`). A value of the wrong kind raises KeyError, TypeError,
ValueError or AttributeError, which the client turns into one ClientError: the answer was not understood.

Texts, instants and factors that many rows share are kept once: at 100,000 servers that is most of their memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from sys import intern
from types import MappingProxyType
from typing import Any, TypeVar

from console.records import (
    AccountRecord,
    AvoidedRecord,
    CapacityRecord,
    CellRecord,
    Changes,
    ClockRecord,
    CopyPlanRecord,
    DecisionRecord,
    DriveDetail,
    DriveRecord,
    DrivesPage,
    EventRecord,
    Events,
    Factors,
    FixRecord,
    GroupRecord,
    Hello,
    HostRecord,
    Hosts,
    MemberRecord,
    OutcomeRecord,
    PlanRecord,
    ResizedRecord,
    ServerDetail,
    ServerRecord,
    ServersPage,
    SizeRecord,
    Status,
    StoppedRecord,
    TaskRecord,
    Tasks,
)
from console.records_backups import ScheduleRecord
from console.records_billing import ShortAccount
from console.records_plans import HostPlanRecord, MoveRecord
from console.wire_repeats import Repeats

T = TypeVar("T")
Body = Mapping[str, Any]

_NO_META: Mapping[str, str] = MappingProxyType({})


@lru_cache(maxsize=2048)
def required_instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def instant(text: str | None) -> datetime | None:
    return None if text is None else required_instant(text)


@lru_cache(maxsize=8192)
def _factors(cpu: float, memory: float) -> Factors:
    return Factors(float(cpu), float(memory))


def factors(body: Body | None) -> Factors | None:
    return None if body is None else _factors(body["cpu"], body["memory"])


@lru_cache(maxsize=8192)
def _number(number: int) -> int:
    """The same object for the same size, which thousands of servers have."""
    return number


def _shared(text: str | None) -> str | None:
    return None if text is None else intern(text)


def texts(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values)) if values else ()


def many(read: Callable[[Body], T], rows: Any) -> tuple[T, ...]:
    return tuple(map(read, rows or ()))


def size(body: Body | None, host: str | None = None) -> SizeRecord | None:
    """A size in either of the two spellings of the API: `cpu_mhz` and `memory_bytes`, or `cpu` and `mem`."""
    if body is None:
        return None
    cpu = body["cpu_mhz"] if "cpu_mhz" in body else body["cpu"]
    memory = body["memory_bytes"] if "memory_bytes" in body else body["mem"]
    return _size(cpu, memory, host if host is not None else body.get("host"))


@lru_cache(maxsize=8192)
def _size(cpu_mhz: int, memory_bytes: int, host: str | None) -> SizeRecord:
    """The same object for the same size: a large cloud's hosts are of few kinds, and many of them are empty or full."""
    return SizeRecord(int(cpu_mhz), int(memory_bytes), host)


def server(row: Body) -> ServerRecord:
    get = row.get
    meta, cpu_mhz, memory_bytes = get("meta"), get("cpu_mhz"), get("memory_bytes")
    return ServerRecord(
        id=row["id"],
        name=get("name"),
        cell=intern(row["cell"]),
        state=intern(row["state"]),
        host=_shared(get("host")),
        state_since=instant(get("state_since")),
        is_backfilling=get("is_backfilling"),
        cpu_mhz=None if cpu_mhz is None else _number(cpu_mhz),
        memory_bytes=None if memory_bytes is None else _number(memory_bytes),
        perf_factor=factors(get("perf_factor")),
        floor=factors(get("floor")),
        group=_shared(get("group")),
        tags=texts(get("tags")),
        meta=dict(meta) if meta else _NO_META,
        project_id=_shared(get("project_id")),
        owner=_shared(get("owner")),
        created_at=instant(get("created_at")),
        started_at=instant(get("started_at")),
        waits=bool(get("waits")),
        notice_until=instant(get("notice_until")),
        notice_for=get("notice_for"),
        squeezed_by=get("squeezed_by"),
        squeezed_at=instant(get("squeezed_at")),
        displaced_for=get("displaced_for"),
        displaced_at=instant(get("displaced_at")),
        displaced_count=get("displaced_count") or 0,
        reason=_shared(get("reason")),
        restarts=bool(get("restarts")),
        avoid=texts(get("avoid")),
        version=get("version"),
        is_reachable=get("reachable", True) is not False,
        known_at=instant(get("known_at")),
        last_state=_shared(get("last_state")),
        lost_from=_shared(get("lost_from")),
    )


def drive(row: Body) -> DriveRecord:
    get = row.get
    size_bytes = get("size_bytes")
    return DriveRecord(
        id=row["id"],
        name=get("name"),
        cell=intern(row["cell"]),
        state=intern(row["state"]),
        host=_shared(get("host")),
        state_since=instant(get("state_since")),
        size_bytes=None if size_bytes is None else _number(size_bytes),
        media=_shared(get("media")),
        server_id=get("server_id"),
        device=_shared(get("device")),
        channel=_shared(get("channel")),
        boot_order=get("boot_order"),
        tags=texts(get("tags")),
        project_id=_shared(get("project_id")),
        owner=_shared(get("owner")),
        created_at=instant(get("created_at")),
        version=get("version"),
        is_reachable=get("reachable", True) is not False,
        known_at=instant(get("known_at")),
        last_state=_shared(get("last_state")),
        lost_from=_shared(get("lost_from")),
    )


def host(row: Body) -> HostRecord:
    get = row.get
    storage_bytes, used_bytes = get("storage_bytes"), get("used_bytes")
    has_capacity = get("cpu_mhz") is not None and get("memory_bytes") is not None
    return HostRecord(
        name=intern(row["name"]),
        cell=intern(row["cell"]),
        kind=intern(row["kind"]),
        state=intern(row["state"]),
        state_since=instant(get("state_since")),
        capacity=size(row) if has_capacity else None,
        normal=size(get("normal")),
        backfilling=size(get("backfilling")),
        backfilling_nominal=size(get("backfilling_nominal")),
        free=size(get("free")),
        storage_bytes=None if storage_bytes is None else _number(storage_bytes),
        used_bytes=None if used_bytes is None else _number(used_bytes),
        servers=get("servers"),
        drives=get("drives"),
        is_reachable=get("reachable", True) is not False,
        version=get("version"),
    )


def cell(row: Body) -> CellRecord:
    get = row.get
    return CellRecord(
        name=row["name"],
        state=row["state"],
        reason=get("reason") or "",
        since=instant(get("since")),
        is_injected=bool(get("is_injected")),
        answer_ms=get("answer_ms"),
        answered_at=instant(get("answered_at")),
        next_try_seconds=get("next_try_seconds"),
        history=texts(get("history")),
        hosts=get("hosts"),
        servers=get("servers"),
        unknown=get("unknown"),
        waiting_tasks=get("waiting_tasks"),
        backups_at_risk=get("backups_at_risk"),
        capacity=size(get("capacity")),
        normal=size(get("normal")),
        backfilling=size(get("backfilling")),
        free=size(get("free")),
    )


def task(row: Body) -> TaskRecord:
    get = row.get
    return TaskRecord(
        id=row["id"],
        cell=row["cell"],
        kind=row["kind"],
        object_kind=get("object_kind") or "",
        object_id=get("object_id") or "",
        object_name=get("object_name"),
        state=get("state") or "open",
        begun_at=instant(get("begun_at")),
        due_at=instant(get("due_at")),
        ended_at=instant(get("ended_at")),
        progress=get("progress"),
        bytes_total=get("bytes_total"),
        rate_bytes_per_second=get("rate_bytes_per_second"),
        counterpart_id=get("counterpart_id"),
        counterpart_name=get("counterpart_name"),
        result=get("result"),
        actor=get("actor"),
    )


def event(row: Body) -> EventRecord:
    get = row.get
    changes = get("changes") or {}
    return EventRecord(
        file=row["file"],
        number=int(row["number"]),
        at=required_instant(row["at"]),
        kind=row["kind"],
        object_kind=get("object_kind") or "",
        object_id=get("object_id") or "",
        object_name=get("object_name"),
        object_version=get("object_version"),
        actor=get("actor") or "",
        request_id=get("request_id"),
        changes={name: (pair[0], pair[1]) for name, pair in changes.items()},
        details=get("details") or {},
    )


def group(row: Body) -> GroupRecord:
    get = row.get
    return GroupRecord(
        name=row["name"],
        members=many(_member, get("members")),
        needs=get("needs") or 1,
        hosts=get("hosts"),
        collisions=get("collisions"),
        tolerates=get("tolerates"),
        is_bound=bool(get("is_bound")),
        worst_case=texts(get("worst_case")),
        fix=_maybe(_fix, get("fix")),
    )


def _fix(row: Body) -> FixRecord:
    return FixRecord(
        int(row["moves"]),
        int(row.get("collisions") or 0),
        row.get("is_fewest", True) is not False,
        texts(row.get("notes")),
    )


def _member(row: Body) -> MemberRecord:
    get = row.get
    return MemberRecord(
        id=row["id"],
        name=get("name"),
        cell=intern(row["cell"]),
        host=_shared(get("host")),
        state=intern(get("state") or "unknown"),
        is_reachable=get("reachable", True) is not False,
    )


def schedule(row: Body) -> ScheduleRecord:
    get = row.get
    return ScheduleRecord(
        id=row["id"],
        server_id=get("server_id"),
        source_name=get("source_name") or get("server_name"),
        description=get("description") or "",
        cron=get("cron") or "",
        time_zone=get("time_zone") or "UTC",
        is_active=get("is_active", True) is not False,
        next_trigger_at=instant(get("next_trigger_at")),
        last_run_at=instant(get("last_run_at")),
        reason=get("reason"),
        missed_since=instant(get("missed_since")),
        retention_days=get("retention_days"),
        backups_max=get("backups_max"),
        history=texts(get("history")),
        source_kind=get("source_kind") or "server",
        source_id=get("source_id") or get("server_id") or "",
        project_id=get("project_id") or None,
        created_at=instant(get("created_at")),
        jitter_seconds=get("jitter_seconds") or 0,
        keeps={name: int(number) for name, number in (get("keeps") or {}).items()},
        target_seconds=get("target_seconds"),
        drill_days=get("drill_days") or 0,
        drilled_at=instant(get("drilled_at")),
        drill_seconds=get("drill_seconds"),
        drill_problem=get("drill_problem"),
        version=get("version"),
        backups=get("backups"),
        last_good_at=instant(get("last_good_at")),
        off_since=instant(get("off_since")),
        drilling_since=instant(get("drilling_since")),
        silent_cells=texts(get("silent_cells")),
    )


def capacity(body: Body) -> CapacityRecord:
    free, prices = body.get("free_resources") or {}, body.get("normal_prices") or {}
    return CapacityRecord(
        total=size(free.get("total")),
        most_free_by_cpu=size(free.get("most_free_by_cpu"), body.get("host_by_cpu")),
        most_free_by_memory=size(free.get("most_free_by_memory"), body.get("host_by_memory")),
        none_shrunk=size(prices.get("none_shrunk")),
        others_shrink=size(prices.get("others_shrink")),
        others_stop=size(prices.get("others_stop")),
        cells=texts(body.get("cells")),
        unreachable=texts(body.get("unreachable")),
        by_cell={str(row["cell"]): capacity(row) for row in body.get("by_cell") or ()},
    )


def clock(body: Body) -> ClockRecord:
    rate = body.get("rate")
    return ClockRecord(
        now=required_instant(body["now"]),
        mode=body.get("mode") or "wall",
        rate=1.0 if rate is None else float(rate),
        wall_now=instant(body.get("wall_now")),
    )


def _maybe(read: Callable[[Body], T], body: Any) -> T | None:
    return None if body is None else read(body)


# Answers -------------------------------------------------------------------------------------------------------


def hello(body: Body) -> Hello:
    account = body.get("account")
    return Hello(
        cloud_id=body["cloud_id"],
        kind=body.get("kind") or "",
        version=str(body.get("version") or ""),
        clock=_maybe(clock, body.get("clock")),
        account=_maybe(_account, account),
    )


def _account(body: Body) -> AccountRecord:
    return AccountRecord(
        body["name"], bool(body.get("is_staff")), bool(body.get("may_backfill")), body.get("project_id")
    )


def status(body: Body, repeats: Repeats) -> Status:
    tasks = body.get("tasks") or {}
    return Status(
        clock=_maybe(clock, body.get("clock")),
        cells=many(cell, body["cells"]),
        capacity=repeats.of("capacity", body.get("capacity"), partial(_maybe, capacity)),
        groups=repeats.of("groups", body.get("groups"), partial(_maybe, partial(many, group))),
        schedules=repeats.of("schedules", body.get("schedules"), partial(_maybe, partial(many, schedule))),
        tasks_open=tasks.get("open"),
        tasks_ended=tasks.get("ended"),
        tasks_waiting=tasks.get("waiting"),
        short_of_money=many(short_of_money, body.get("short_of_money") or ()),
        full_files=tuple(body.get("full_files") or ()),
    )


def short_of_money(row: Body) -> ShortAccount:
    return ShortAccount(
        row["account"], amount(row["balance"]), row.get("lasts_seconds"), instant(row.get("below_since"))
    )


def amount(text: Any) -> Decimal:
    """An amount of money, as exact as it was told. Raises ValueError."""
    try:
        return Decimal(text)
    except InvalidOperation as problem:
        raise ValueError("it is no amount of money") from problem


def hosts(body: Body) -> Hosts:
    return Hosts(many(host, body["hosts"]))


def servers_page(body: Body, *, cell_name: str | None = None) -> ServersPage:
    return ServersPage(
        servers=many(server, body["servers"]),
        next=body.get("next"),
        cursor=body.get("cursor"),
        total=body.get("total"),
        unreachable=texts(body.get("unreachable")),
        cell=cell_name,
    )


def server_detail(body: Body) -> ServerDetail:
    return ServerDetail(server(body), many(drive, body.get("drives")), body)


def drives_page(body: Body) -> DrivesPage:
    return DrivesPage(many(drive, body["drives"]), body.get("next"), body.get("total"))


def drive_detail(body: Body) -> DriveDetail:
    return DriveDetail(drive(body), body)


def changes(body: Body) -> Changes:
    return Changes(
        cursor=body["cursor"],
        servers=many(server, body.get("servers")),
        drives=many(drive, body.get("drives")),
        removed=texts(body.get("removed")),
        events=many(event, body.get("events")),
        cells=many(cell, body.get("cells")),
    )


def tasks(body: Body) -> Tasks:
    return Tasks(many(task, body["tasks"]), body.get("open"), body.get("ended"), texts(body.get("unreachable")))


def events(body: Body) -> Events:
    return Events(many(event, body["events"]), body.get("cursor"), instant(body.get("begins_at")))


# Verbs ---------------------------------------------------------------------------------------------------------


def stopped(row: Body) -> StoppedRecord:
    get = row.get
    return StoppedRecord(
        id=row["id"],
        name=get("name"),
        cpu_mhz=get("cpu_mhz"),
        memory_bytes=get("memory_bytes"),
        started_at=instant(get("started_at")),
        work_ghz_hours=get("work_ghz_hours"),
    )


def resized(row: Body) -> ResizedRecord:
    get = row.get
    return ResizedRecord(
        id=row["id"],
        name=get("name"),
        cpu_before=get("cpu_before"),
        cpu_after=get("cpu_after"),
        memory_before=get("memory_before"),
        memory_after=get("memory_after"),
    )


def decision(body: Body) -> DecisionRecord:
    get = body.get
    return DecisionRecord(
        host=body["host"],
        decided_by=get("decided_by"),
        stops=many(stopped, get("stops")),
        shrinks=get("shrinks"),
        waits=bool(get("waits")),
        avoided=texts(get("avoided")),
        runner_up=get("runner_up"),
    )


def _avoided(row: Body) -> AvoidedRecord:
    return AvoidedRecord(row["id"], row["sentence"], row.get("name"), row.get("separated"))


def _copy_plan(row: Body) -> CopyPlanRecord:
    get = row.get
    return CopyPlanRecord(
        source_name=get("source_name"),
        host=row["host"],
        is_same_host=get("is_same_host") is True,
        size_bytes=get("size_bytes"),
        seconds=get("seconds"),
        rate_bytes_per_second=get("rate_bytes_per_second"),
    )


def plan(body: Body) -> PlanRecord:
    body = body.get("plan") or body
    get = body.get
    return PlanRecord(
        action=body["action"],
        object_id=body["object_id"],
        is_allowed=get("allowed", True) is not False,
        problem=get("problem"),
        code=get("code"),
        decision=_maybe(decision, get("decision")),
        stops=many(stopped, get("stops")),
        shrinks=many(resized, get("shrinks")),
        grows=many(resized, get("grows")),
        refused=tuple((reason, int(number)) for reason, number in (get("refused") or {}).items()),
        downtime_seconds=get("downtime_seconds"),
        version=get("version"),
        sentences=texts(get("sentences")),
        copies=many(_copy_plan, get("copies")),
        avoided=many(_avoided, get("separation")),
        avoided_at_start=many(_avoided, get("start_separation")),
        token=get("token"),
    )


def _move(row: Body) -> MoveRecord:
    get = row.get
    return MoveRecord(
        id=row["id"],
        name=get("name"),
        is_backfilling=get("is_backfilling"),
        cpu_mhz=get("cpu_mhz"),
        memory_bytes=get("memory_bytes"),
        state=get("state") or "",
        outcome=row["outcome"],
        to=get("to"),
        problem=get("problem"),
        stops=many(stopped, get("stops")),
        shrinks=int(get("shrinks") or 0),
    )


def host_plan(body: Body) -> HostPlanRecord:
    body = body["plan"]
    get = body.get
    return HostPlanRecord(
        action=body["action"],
        host=body["host"],
        is_allowed=get("allowed", get("is_allowed", True)) is not False,
        problem=get("problem"),
        code=get("code"),
        version=get("version"),
        sentences=texts(get("sentences")),
        moves=many(_move, get("moves")),
        seconds=get("seconds"),
        token=get("token"),
    )


def outcome(body: Body) -> OutcomeRecord:
    return OutcomeRecord(
        server=_maybe(server, body.get("server")),
        drive=_maybe(drive, body.get("drive")),
        host=_maybe(host, body.get("host")),
        task=_maybe(task, body.get("task")),
        decision=_maybe(decision, body.get("decision")),
        avoided=many(_avoided, body.get("separation")),
    )
