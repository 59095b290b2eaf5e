"""A cloud in memory with the methods of `CloudClient`, for screens: it answers, falls silent, and remembers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from console.app import ConsoleApp
from console.client import ClientError, CloudClient
from console.records import (
    CapacityRecord,
    CellRecord,
    Changes,
    ClockRecord,
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
    ServerDetail,
    ServerRecord,
    ServersPage,
    SizeRecord,
    Status,
    StoppedRecord,
    TaskRecord,
    Tasks,
)
from console.records_audit import Audit, AuditRecord
from console.records_billing import (
    AccountMoney,
    Billing,
    BillingOwner,
    CostRecord,
    LedgerRecord,
    SubscriptionOffer,
    SubscriptionRecord,
)
from console.records_explain import ExplanationRecord, MarkRecord, WhyDetail
from console.records_plans import (
    CellOutcomeRecord,
    CellPlanRecord,
    GroupLossRecord,
    GroupOutcomeRecord,
    GroupPlanRecord,
    HostPlanRecord,
    MoveRecord,
    RestartRecord,
    StandingRecord,
)
from console.records_rehearsal import Rehearsal, RehearsalRecord
from console.records_services import ServiceRecord, Services
from tests.console.fake_parts import FakeParts
from tests.console.fake_protection import FakeProtection

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GIB = 2**30


class ManualClock:
    """The wall's time, moved by tests."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def a_server(number: int, **changes: Any) -> ServerRecord:
    """A running normal server; only what a test is about differs."""
    made = ServerRecord(
        id=f"0000{number:04d}-0000-4000-8000-000000000000",
        name=f"web-{number:02d}",
        cell="cell-1",
        state="running",
        host="c1-h01",
        state_since=NOON - timedelta(hours=2),
        is_backfilling=False,
        cpu_mhz=4_000,
        memory_bytes=8 * GIB,
        created_at=NOON - timedelta(days=1),
        started_at=NOON - timedelta(hours=2),
        version=1,
    )
    return replace(made, **changes)


def some_servers() -> list[ServerRecord]:
    """Forty servers: running, stopped, shrunk, and some of a cell that does not answer."""
    servers = [a_server(n) for n in range(1, 25)]
    servers += [a_server(n, name=f"db-{n:02d}", state="stopped", host=None, started_at=None) for n in range(25, 31)]
    servers += [
        a_server(
            n,
            name=f"render-{n:02d}",
            is_backfilling=True,
            perf_factor=Factors(0.5, 1.0),
            floor=Factors(0.25, 0.25),
            squeezed_by=servers[0].id,
            squeezed_at=NOON - timedelta(minutes=5),
        )
        for n in range(31, 37)
    ]
    servers += [
        a_server(
            n,
            name=f"mail-{n:02d}",
            cell="cell-2",
            host="c2-h01",
            state="unknown",
            last_state="running",
            is_reachable=False,
            known_at=NOON - timedelta(minutes=3),
        )
        for n in range(37, 41)
    ]
    return servers


def a_drive(number: int, **changes: Any) -> DriveRecord:
    """A drive of 20 GiB that is mounted on the server with the same number."""
    made = DriveRecord(
        id=f"d000{number:04d}-0000-4000-8000-000000000000",
        name=f"boot-{number:02d}",
        cell="cell-1",
        state="mounted",
        host="c1-s01",
        state_since=NOON - timedelta(hours=2),
        size_bytes=20 * GIB,
        media="disk",
        server_id=a_server(number).id,
        device="virtio",
        channel="0:0",
        created_at=NOON - timedelta(days=1),
        version=1,
    )
    return replace(made, **changes)


def some_drives() -> list[DriveRecord]:
    """Nine drives: mounted on running and stopped servers, unmounted, lost, and one of a cell that does not answer."""
    free: dict[str, Any] = {"state": "unmounted", "server_id": None, "device": None, "channel": None}
    silent: dict[str, Any] = {"state": "unknown", "last_state": "mounted", "is_reachable": False}
    return [
        *(a_drive(n) for n in (1, 2, 3)),
        *(a_drive(n, name=f"db-boot-{n}") for n in (25, 26)),
        *(a_drive(n, name=f"spare-{n}", **free) for n in (91, 92)),
        a_drive(4, name="lost-04", state="unavailable", lost_from="mounted", host="c1-s02"),
        a_drive(37, name="mail-boot-37", cell="cell-2", host="c2-s01", known_at=NOON - timedelta(minutes=3), **silent),
    ]


@dataclass
class FakeCloud(FakeParts, FakeProtection, CloudClient):
    """Answers like a small cloud. `outage` is raised by every request while it is set."""

    keeps_log = False
    servers: list[ServerRecord] = field(default_factory=some_servers)
    drives: list[DriveRecord] = field(default_factory=some_drives)
    host_states: dict[str, str] = field(default_factory=lambda: {"c1-h01": "up", "c1-h02": "up", "c1-s01": "up"})
    host_plan: HostPlanRecord | None = None
    cells: dict[str, str] = field(default_factory=lambda: {"cell-1": "up", "cell-2": "down"})
    page_limit: int = 1_000
    outage: ClientError | None = None
    refusal: ClientError | None = None
    state_after_edit: str | None = None
    """Of a server; None: what it was."""
    refusals: list[ClientError] = field(default_factory=list)
    """Of the next verbs, one each."""
    plans_sent: list[str | None] = field(default_factory=list)
    """The tokens of the verbs of servers, drives and hosts."""
    plan: PlanRecord | None = None
    restoration: GroupPlanRecord | None = None
    subscriptions: list[SubscriptionRecord] = field(default_factory=list)
    more_tasks: tuple[TaskRecord, ...] = ()
    clock_mode: str = "manual"
    clock_now: datetime = NOON
    log: list[EventRecord] = field(default_factory=list)
    log_begins_at: datetime | None = None
    """All that has happened, oldest first; one event where nothing is given."""
    audited: tuple[AuditRecord, ...] = ()
    rehearsed: RehearsalRecord | None = None
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self._changes: list[Changes] = []
        self._news = asyncio.Event()

    def push(self, *servers: ServerRecord, removed: Sequence[str] = ()) -> None:
        """Say through the change feed that these servers are so now."""
        self._changes.append(Changes("", tuple(servers), removed=tuple(removed)))
        self._news.set()

    def push_drives(self, *drives: DriveRecord, removed: Sequence[str] = ()) -> None:
        """Say through the change feed that these drives are so now."""
        self._changes.append(Changes("", drives=tuple(drives), removed=tuple(removed)))
        self._news.set()

    def push_events(self, *news: EventRecord) -> None:
        """Say through the change feed that this has happened."""
        self.log.extend(news)
        self._changes.append(Changes("", events=tuple(news)))
        self._news.set()

    def fall_silent(self) -> None:
        """Fail every request from now on, also the one that waits."""
        self.outage = ClientError("connection refused", "unreachable", True)
        self._news.set()

    def come_back(self) -> None:
        self.outage = None

    async def _request(self, *request: Any) -> None:
        self.requests.append(request)
        await self.gate.wait()
        if self.outage is not None:
            raise self.outage

    def know_names(self, name_of: Callable[[str], str | None]) -> None:
        """It writes nothing down."""

    async def audit(self) -> Audit:
        return Audit(self.audited)

    async def close(self) -> None:
        self.requests.append(("close",))

    async def hello(self) -> Hello:
        await self._request("hello")
        return Hello("5d1f0000-0000-5000-8000-000000000000", "demo", "0.1.0", self._clock(), None)

    def _clock(self) -> ClockRecord:
        return ClockRecord(self.clock_now, self.clock_mode, 1.0, NOON)

    def _cell(self, name: str) -> CellRecord:
        rows = [server for server in self.servers if server.cell == name]
        state = self.cells[name]
        is_up = state == "up"
        size = SizeRecord(1_024_000, 4_096 * GIB)
        return CellRecord(
            name,
            state,
            "" if is_up else "connection refused",
            NOON - timedelta(minutes=12),
            is_injected=not is_up,
            answer_ms=4.0 if is_up else None,
            next_try_seconds=1.0 if is_up else 14.0,
            history=("up",) * 7 + (state,),
            hosts=2,
            servers=len(rows),
            unknown=0 if is_up else len(rows),
            waiting_tasks=0,
            capacity=size if is_up else None,
            normal=SizeRecord(400_000, 2_000 * GIB) if is_up else None,
            backfilling=SizeRecord(100_000, 200 * GIB) if is_up else None,
            free=SizeRecord(28_000, 232 * GIB) if is_up else None,
        )

    async def status(self) -> Status:
        await self._request("status")
        size = SizeRecord(28_000, 232 * GIB, "c1-h02")
        members = tuple(
            MemberRecord(server.id, server.name, server.cell, server.host, server.state, server.is_reachable)
            for server in self.servers[:3]
        )
        return Status(
            self._clock(),
            tuple(self._cell(name) for name in self.cells),
            CapacityRecord(size, size, size, size, size, size, ("cell-1",), ("cell-2",)),
            (GroupRecord("web", members, 1, 1, 2, 0, False, ("c1-h01",), FixRecord(1, 1)),),
            (),
            1,
            3,
            0,
        )

    async def hosts(self) -> Hosts:
        await self._request("hosts")
        size = SizeRecord(64_000, 256 * GIB)
        half, none = SizeRecord(32_000, 128 * GIB), SizeRecord(0, 0)
        return Hosts(
            tuple(
                HostRecord(name, "cell-1", "compute", state, NOON, size, half, none, none, half, servers=10, version=1)
                if "-h" in name
                else HostRecord(name, "cell-1", "storage", state, NOON, storage_bytes=1_000 * GIB,
                                used_bytes=400 * GIB, drives=7, version=1)
                for name, state in self.host_states.items()
            )
        )  # fmt: skip

    async def services(self) -> Services:
        await self._request("services")
        return Services(
            tuple(
                ServiceRecord("nova-compute", f"{name}-host", name, "enabled", "up", NOON)
                if state == "up"
                else ServiceRecord("nova-compute", f"{name}-host", name, "UNKNOWN", None, None, "up", NOON)
                for name, state in self.cells.items()
            )
        )

    async def rehearsal(self) -> Rehearsal:
        await self._request("rehearsal")
        return Rehearsal(self.rehearsed)

    async def billing(self) -> Billing:
        await self._request("billing")
        none = Decimal(0)
        owner = BillingOwner("operator@example.org", Decimal(100), none, none, none, is_finite=True)
        return Billing("USD", (), none, none, none, none, none, owners=(owner,))

    async def account_money(self, name: str) -> AccountMoney:
        await self._request("account_money", name)
        row = LedgerRecord("payment", "Balance given", Decimal(-100), Decimal(100), NOON)
        return AccountMoney(name, tuple(self.subscriptions), (row,), 1)

    async def cost(self, server_id: str) -> CostRecord:
        await self._request("cost", server_id)
        none = Decimal(0)
        return CostRecord("operator@example.org", none, none, none, 0, none, none, server_id)

    async def offer_subscription(self, fields: Mapping[str, Any]) -> SubscriptionOffer:
        await self._request("offer_subscription", dict(fields))
        if fields.get("resource") == "vlan":
            raise ClientError("there are no more VLANs", "invalid", False)
        bought = next((each for each in self.subscriptions if each.id == fields.get("extends")), None)
        resource = str(fields.get("resource")) if bought is None else bought.resource
        amount = int(fields["amount"]) if bought is None else bought.amount
        return SubscriptionOffer(resource, amount, Decimal("12.50"), fields.get("renews", False), 10, NOON)

    async def buy_subscription(
        self, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[SubscriptionRecord, ...]:
        await self._request("buy_subscription", dict(fields))
        found = await self.offer_subscription(fields)
        number = str(len(self.subscriptions) + 1)
        made = SubscriptionRecord(number, found.resource, found.amount, "active", found.renews, found.price, None, NOON)
        self.subscriptions.append(made)
        return (made,)

    async def give_balance(self, name: str, amount: Decimal, *, key: str | None = None) -> Decimal:
        await self._request("give_balance", name, amount)
        return amount

    async def servers_page(
        self, *, after: str | None = None, limit: int = 1000, cell: str | None = None
    ) -> ServersPage:
        await self._request("servers_page", after, cell)
        if cell is not None:
            return ServersPage(tuple(s for s in self.servers if s.cell == cell), None, None, None, (), cell)
        rows = [server for server in self.servers if self.cells[server.cell] == "up"]
        start = int(after or 0)
        end = start + min(limit, self.page_limit)
        more = str(end) if end < len(rows) else None
        silent = tuple(name for name, state in self.cells.items() if state != "up")
        return ServersPage(tuple(rows[start:end]), more, "0", len(self.servers), silent)

    async def server(self, server_id: str) -> ServerDetail:
        await self._request("server", server_id)
        found = next((server for server in self.servers if server.id == server_id), None)
        if found is None:
            raise ClientError("there is no such server", "not_found", False)
        raw = {"id": found.id, "name": found.name, "state": found.state, "meta": dict(found.meta)}
        drives = tuple(drive for drive in self.drives if drive.server_id == server_id)
        return ServerDetail(found, drives, raw, self.nics)

    async def drives_page(self, *, after: str | None = None, limit: int = 1000) -> DrivesPage:
        await self._request("drives_page", after)
        start = int(after or 0)
        end = start + min(limit, self.page_limit)
        more = str(end) if end < len(self.drives) else None
        return DrivesPage(tuple(self.drives[start:end]), more, len(self.drives))

    async def drive(self, drive_id: str) -> DriveDetail:
        await self._request("drive", drive_id)
        found = next((drive for drive in self.drives if drive.id == drive_id), None)
        if found is None:
            raise ClientError("there is no such drive", "not_found", False)
        raw = {"id": found.id, "name": found.name, "serial": "kept as the API said it", "meta": {"env": "prod"}}
        return DriveDetail(found, raw, self.snapshots)

    async def explain(self, object_id: str, *, decision: int | None = None) -> WhyDetail:
        await self._request("explain", object_id, decision)
        if self.refusal is not None:
            raise self.refusal
        drive = next((each for each in self.drives if each.id == object_id), None)
        known = drive or next(each for each in self.servers if each.id == object_id)
        marks = tuple(MarkRecord(n, NOON - timedelta(hours=9 - n), "cloud", f"c1-h0{n}") for n in (1, 2))
        told = {mark.number: ExplanationRecord(mark, mark.at, mark.host, "only", hosts_total=2) for mark in marks}
        now = ExplanationRecord(None, NOON, "c1-h02", "only", hosts_total=2)
        kind = "server" if drive is None else "drive"
        if decision is not None:
            return WhyDetail(known.id, known.name, kind, known.cell, known.host, marks, told[decision])
        return WhyDetail(known.id, known.name, kind, known.cell, known.host, marks, now,
                         None if known.host is None else told[2])  # fmt: skip

    async def changes(self, cursor: str, *, wait_seconds: float = 20.0, limit: int | None = None) -> Changes:
        await self._request("changes", cursor)
        while not self._changes:
            await self._news.wait()
            self._news.clear()
            if self.outage is not None:
                raise self.outage
        return self._changes.pop(0)._replace(cursor=str(int(cursor) + 1))

    async def tasks(self, *, state: str | None = None, limit: int | None = None) -> Tasks:
        await self._request("tasks")
        task = TaskRecord(
            "cell-1/7",
            "cell-1",
            "backup",
            "server",
            self.servers[0].id if self.servers else "",
            "web-01",
            begun_at=NOON - timedelta(seconds=20),
            due_at=NOON + timedelta(seconds=20),
            progress=0.5,
            actor="operator",
        )
        return Tasks((task, *self.more_tasks), 1, 3)

    async def events(
        self, *, limit: int = 200, object_id: str | None = None, until: str | None = None, since: str | None = None
    ) -> Events:
        await self._request("events", object_id, until, since)
        started = EventRecord(
            "cell-1",
            1,
            NOON - timedelta(minutes=1),
            "server.started",
            "server",
            self.servers[0].id if self.servers else "",
            1,
            "operator",
            changes={"state": ("starting", "running")},
        )
        log = [event for event in self.log or [started] if object_id in (None, event.object_id)]
        if since is not None:
            found = tuple(event for event in log if _place(event) > _place_of(since))[:limit]
        else:
            found = tuple(event for event in log if until is None or _place(event) <= _place_of(until))[-limit:]
        return Events(found, "0", self.log_begins_at)

    async def preview(
        self, kind: str, object_id: str, action: str, *, avoid: Sequence[str] | None = None, **fields: Any
    ) -> PlanRecord:
        await self._request("preview", kind, object_id, action, tuple(avoid or ()))
        if self.plan is not None:
            return self.plan._replace(action=action, object_id=object_id)
        if kind == "drive":
            drive = next(drive for drive in self.drives if drive.id == object_id)
            return PlanRecord(action, object_id, version=drive.version, sentences=(f"{action} {drive.name}",))
        known = next(server for server in self.servers if server.id == object_id)
        stopped = StoppedRecord("s1", "crawl-028", 8_000, 8 * GIB, NOON - timedelta(hours=2), 16.0)
        decision = DecisionRecord("c1-h02", "disruption", (stopped,), 1, runner_up="c1-h01")
        return PlanRecord(
            action,
            object_id,
            decision=decision if action == "start" else None,
            stops=(stopped,) if action == "start" else (),
            downtime_seconds=0 if action == "start" else 2,
            version=known.version,
            sentences=(f"{action} it",),
            token=f"plan of {action}",
        )

    async def preview_host(self, name: str, action: str) -> HostPlanRecord:
        await self._request("preview_host", name, action)
        if self.host_plan is not None:
            return self.host_plan._replace(action=action, host=name)
        stopped = StoppedRecord("s1", "crawl-028", 8_000, 8 * GIB, NOON - timedelta(hours=2), 16.0)
        moves = (
            MoveRecord("m1", "web-01", False, 4_000, 8 * GIB, "running", "moves", "c1-h02", stops=(stopped,)),
            MoveRecord("m2", "render-31", True, 4_000, 8 * GIB, "running", "stops"),
            MoveRecord("m3", "huge-01", False, 64_000, 256 * GIB, "running", "stays", None, "no host has room"),
        )
        return HostPlanRecord(action, name, version=1, sentences=(f"{name}: {action}.",), moves=moves, seconds=60,
                              token=f"plan of {action}")  # fmt: skip

    async def act(
        self,
        kind: str,
        object_id: str,
        action: str,
        *,
        if_version: int | None = None,
        plan: str | None = None,
        avoid: Sequence[str] | None = None,
        key: str | None = None,
        **fields: Any,
    ) -> OutcomeRecord:
        await self._request("act", kind, object_id, action, if_version, tuple(avoid or ()), *fields.items())
        self.plans_sent.append(plan)
        if self.refusals:
            raise self.refusals.pop(0)
        if self.refusal is not None:
            raise self.refusal
        if kind == "host":
            states = {"fail": "down", "recover": "up", "drain": "maintenance"}
            self.host_states[object_id] = states.get(action, self.host_states[object_id])
            task = TaskRecord("cell-1/8", "cell-1", action, "host", object_id) if action == "evacuate" else None
            return OutcomeRecord(task=task)
        if kind == "drive":
            known = next(drive for drive in self.drives if drive.id == object_id)
            copy = replace(known, id="d-copy", name=fields.get("name"), state="cloning_dst")
            return OutcomeRecord(drive=copy if action == "clone" else known)
        decision = DecisionRecord("c1-h02", "room") if action == "start" else None
        if action in ("edit", "resize"):
            known_server = next(server for server in self.servers if server.id == object_id)
            return OutcomeRecord(replace(known_server, state=self.state_after_edit or known_server.state))
        return OutcomeRecord(None, None, None, decision)

    async def create_server(self, fields: Mapping[str, Any], *, key: str | None = None) -> ServerRecord:
        await self._request("create_server", dict(fields), key)
        if self.refusal is not None:
            raise self.refusal
        return a_server(99, name=fields["name"], state="stopped", host=None, cell=fields.get("cell", "cell-1"))

    async def create_drive(self, fields: Mapping[str, Any], *, key: str | None = None) -> DriveRecord:
        await self._request("create_drive", dict(fields), key)
        if self.refusal is not None:
            raise self.refusal
        return a_drive(99, name=fields["name"], state="creating", server_id=None, size_bytes=fields["size_bytes"])

    async def group_plan(self, name: str) -> GroupPlanRecord:
        await self._request("group_plan", name)
        if self.refusal is not None:
            raise self.refusal
        server = self.servers[0]
        move = RestartRecord(server.id, server.name, "cell-1", server.host or "", "c1-h02", seconds_down=20)
        before, after = StandingRecord(2, 0), StandingRecord(1, 1)
        return self.restoration or GroupPlanRecord(
            name, moves=(move,), before=before, after=after, is_fewest=True, is_best=True, seconds=20, token="token-1"
        )

    async def act_on_group(
        self, name: str, action: str, *, plan: str | None = None, key: str | None = None
    ) -> GroupOutcomeRecord:
        await self._request("act_on_group", name, action, plan)
        if self.refusals:
            raise self.refusals.pop(0)
        server = self.servers[0]
        return GroupOutcomeRecord(
            TaskRecord("cloud/9", "cell-1", "restore", "group", name, name, counterpart_id=server.id,
                       counterpart_name=server.name)
        )  # fmt: skip

    async def preview_cell(self, name: str, action: str) -> CellPlanRecord:
        await self._request("preview_cell", name, action)
        lost = GroupLossRecord("web", 2, StandingRecord(1, 1), StandingRecord(0, 0, True))
        count = sum(server.cell == name for server in self.servers)
        return CellPlanRecord(action, name, servers=count, running=count, drives=7, hosts=3, open_tasks=1,
                              capacity=SizeRecord(64_000, 256 * GIB), groups=(lost,), token="token-2")  # fmt: skip

    async def act_on_cell(self, name: str, action: str, *, plan: str | None = None) -> CellOutcomeRecord:
        await self._request("act_on_cell", name, action, plan)
        if self.refusals:
            raise self.refusals.pop(0)
        self.cells[name] = action
        return CellOutcomeRecord(self._cell(name))

    async def ask_cell(self, cell: str) -> CellRecord:
        await self._request("ask_cell", cell)
        return self._cell(cell)

    async def patch_clock(self, *, mode: str | None = None, rate: float | None = None) -> ClockRecord:
        await self._request("patch_clock", mode, rate)
        self.clock_mode = mode or self.clock_mode
        return self._clock()

    async def advance(self, seconds: float) -> ClockRecord:
        await self._request("advance", seconds)
        self.clock_now += timedelta(seconds=seconds)
        return self._clock()


def _place(event: EventRecord) -> tuple[datetime, str, int]:
    return event.at, event.file, event.number


def _place_of(text: str) -> tuple[datetime, str, int]:
    """An instant is all that happened at it."""
    at, file, number = (*text.split(","), "~", "0")[:3]
    return datetime.fromisoformat(at), file, int(number)


def an_app(cloud: FakeCloud, clock: ManualClock | None = None, **options: Any) -> ConsoleApp:
    """The console on a fake cloud, with a wall clock that tests move."""

    async def connect() -> CloudClient:
        if cloud.outage is not None:
            raise cloud.outage
        return cloud

    return ConsoleApp(connect, now=clock or ManualClock(), **options)


def screen_text(app: ConsoleApp) -> str:
    """What the terminal shows, line by line, without trailing blanks."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)
