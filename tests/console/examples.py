"""Records with legal defaults, and one invented cloud at one instant, for tests of what is drawn.

The cloud has six cells of sixteen hosts: cell-3 is down, cell-5 hangs, c2-h13 is lost, c4-h05 is in maintenance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from console.presentation.lines import Frame
from console.presentation.mirror import Mirror
from console.records import (
    AccountRecord,
    CapacityRecord,
    CellRecord,
    ClockRecord,
    DriveRecord,
    DrivesPage,
    EventRecord,
    Events,
    Factors,
    GroupRecord,
    Hello,
    HostRecord,
    Hosts,
    MemberRecord,
    ServerRecord,
    ServersPage,
    SizeRecord,
    Status,
    TaskRecord,
    Tasks,
)
from console.records_backups import ScheduleRecord
from console.records_billing import Billing, BillingLine, BillingOwner, CostRecord, LevelHistory
from console.records_services import ServiceRecord, Services

GIB = 2**30
NOW = datetime(2026, 11, 20, 14, 3, 27, tzinfo=UTC)
POLLED = NOW - timedelta(seconds=1)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def today(hour: int, minute: int, second: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute, second=second)


def size(ghz: float, gib: float, host: str | None = None) -> SizeRecord:
    return SizeRecord(round(ghz * 1000), round(gib * GIB), host)


def a_frame(width: int = 80, height: int = 24, **choices: Any) -> Frame:
    return Frame(**{"width": width, "height": height, "now": NOW, "wall_now": NOW, **choices})


def a_server(name: str, cell: str = "cell-1", host: str | None = "c1-h04", **said: Any) -> ServerRecord:
    """A running normal server of 4 GHz and 16 GiB, up for an hour."""
    defaults: dict[str, Any] = {
        "id": f"id-{name}",
        "state": "running",
        "state_since": ago(hours=1),
        "started_at": ago(hours=1),
        "created_at": ago(days=2),
        "is_backfilling": False,
        "cpu_mhz": 4000,
        "memory_bytes": 16 * GIB,
        "version": 1,
    }
    return ServerRecord(**{"name": name, "cell": cell, "host": host, **defaults, **said})


def an_unknown(name: str | None, cell: str, host: str | None, **said: Any) -> ServerRecord:
    """A server of a cell that does not answer, as it was last known."""
    known: dict[str, Any] = {"state": "unknown", "is_reachable": False, "last_state": "running"}
    server = a_server(name or "nameless", cell, host, **{**known, **said})
    return server if name is not None else replace(server, name=None)


def a_shrunk(
    name: str,
    cell: str,
    host: str,
    amount: SizeRecord,
    *,
    factor: tuple[float, float],
    floor: tuple[float, float],
    **said: Any,
) -> ServerRecord:
    return a_server(
        name,
        cell,
        host,
        is_backfilling=True,
        cpu_mhz=amount.cpu_mhz,
        memory_bytes=amount.memory_bytes,
        perf_factor=Factors(*factor),
        floor=Factors(*floor),
        **said,
    )


def a_host(
    name: str, cell: str, ghz: float = 64, normal: float = 40, backfilling: float = 20, **said: Any
) -> HostRecord:
    free = max(0.0, ghz - normal - backfilling)
    defaults: dict[str, Any] = {
        "kind": "compute",
        "state": "up",
        "state_since": ago(days=6),
        "capacity": size(ghz, 256),
        "normal": size(normal, 128),
        "backfilling": size(backfilling, 64),
        "backfilling_nominal": size(backfilling, 64),
        "free": size(free, 64),
        "servers": 12,
    }
    return HostRecord(**{"name": name, "cell": cell, **defaults, **said})


def a_group(name: str, hosts: Iterable[str], **said: Any) -> GroupRecord:
    """A group with one member on each named host (`c1-h04`); a name may come twice."""
    members = tuple(
        MemberRecord(f"id-{name}-{n:02}", f"{name}-{n:02}", f"cell-{host[1]}", host, "running")
        for n, host in enumerate(hosts, start=1)
    )
    return GroupRecord(**{"name": name, "members": members, "hosts": len({m.host for m in members}), **said})


def a_task(number: int, kind: str, name: str, cell: str = "cell-2", **said: Any) -> TaskRecord:
    defaults: dict[str, Any] = {"object_kind": "server", "object_id": f"id-{name}", "object_name": name}
    return TaskRecord(**{"id": f"{cell}/{number}", "cell": cell, "kind": kind, **defaults, **said})


def an_event(number: int, kind: str, object_id: str, at: datetime, file: str = "cell-2", **said: Any) -> EventRecord:
    return EventRecord(
        **{
            "file": file,
            "number": number,
            "at": at,
            "kind": kind,
            "object_kind": kind.partition(".")[0],
            "object_id": object_id,
            **said,
        }
    )


# The invented cloud ------------------------------------------------------------------------------------------------

_FILLS = {
    # cell: capacity, normal, backfilling, (hosts full, nearly full, half full)
    "cell-1": (1024, 646, 320, (4, 11, 1)),
    "cell-2": (1024, 796, 148, (7, 8, 0)),
    "cell-3": (1024, 654, 320, (1, 15, 0)),
    "cell-4": (1024, 706, 246, (7, 8, 0)),
    "cell-5": (1024, 646, 272, (1, 15, 0)),
    "cell-6": (1536, 918, 280, (0, 10, 6)),
}
_MEMORY = {"cell-1": 3124, "cell-2": 2708, "cell-3": 2672, "cell-4": 2520, "cell-5": 2560, "cell-6": 3136}
_SERVERS = {"cell-1": 183, "cell-2": 200, "cell-3": 190, "cell-4": 196, "cell-5": 200, "cell-6": 235}
_ANSWERS = {"cell-1": 4, "cell-2": 6, "cell-4": 5, "cell-6": 7}
_BEST = {"cell-1": (6, 100), "cell-2": (6, 148), "cell-4": (6, 160), "cell-6": (28, 260)}


def the_cells() -> tuple[CellRecord, ...]:
    up = {
        name: CellRecord(
            name,
            "up",
            "",
            ago(days=2, hours=11) if name == "cell-6" else ago(days=6, hours=4),
            answer_ms=_ANSWERS.get(name, 5),
            next_try_seconds=1,
            history=("up",) * 8,
            hosts=16,
            servers=_SERVERS[name],
            unknown=0,
            waiting_tasks=0,
            capacity=size(whole, 6144 if name == "cell-6" else 4096),
            normal=size(normal, _MEMORY[name] - 500),
            backfilling=size(backfilling, 500),
            free=size(*_BEST[name]) if name in _BEST else None,
        )
        for name, (whole, normal, backfilling, _) in _FILLS.items()
    }
    up["cell-3"] = up["cell-3"]._replace(
        state="down",
        reason="connection refused",
        since=today(13, 51, 2),
        next_try_seconds=48,
        history=("up",) * 6 + ("down",) * 2,
        unknown=190,
        waiting_tasks=6,
        backups_at_risk=3,
        answer_ms=4,
        answered_at=today(13, 51, 1),
    )
    up["cell-5"] = up["cell-5"]._replace(
        state="hung",
        reason="no answer within 200 ms",
        since=today(14, 2, 41),
        answer_ms=None,
        next_try_seconds=14,
        history=("up",) * 5 + ("hung",) * 3,
        unknown=200,
        waiting_tasks=2,
    )
    return tuple(up.values())


def the_hosts() -> tuple[HostRecord, ...]:
    hosts = []
    for cell, (whole, _, _, (full, nearly, half)) in _FILLS.items():
        ghz = whole / 16
        fills = [1.0] * full + [0.9] * nearly + [0.6] * half
        number = cell[-1]
        names = [f"c{number}-h{n:02}" for n in range(1, 17)]
        special = {"c2-h13": "down", "c4-h05": "maintenance"}
        plain = [name for name in names if name not in special]
        for name, fill in zip(plain, fills, strict=False):
            normal = ghz * fill * 0.7
            hosts.append(
                a_host(name, cell, ghz, normal, ghz * fill - normal, is_reachable=cell not in {"cell-3", "cell-5"})
            )
        for name, state in special.items():
            if name in names:
                hosts.append(a_host(name, cell, ghz, 0, 0, state=state, state_since=today(13, 38, 20)))
    return tuple(hosts)


def the_storage_hosts() -> tuple[HostRecord, ...]:
    """Two in each cell, the second twice as full."""
    return tuple(
        HostRecord(
            f"c{cell}-s0{number}",
            f"cell-{cell}",
            "storage",
            "up",
            ago(days=3),
            storage_bytes=10_240 * GIB,
            used_bytes=cell * number * 700 * GIB,
            drives=cell * number * 10,
            is_reachable=cell not in {3, 5},
        )
        for cell in range(1, 7)
        for number in (1, 2)
    )


def a_drive(name: str, cell: str = "cell-2", host: str | None = "c2-s02", **said: Any) -> DriveRecord:
    """An unmounted drive of 20 GiB."""
    defaults: dict[str, Any] = {
        "id": f"id-{name}",
        "state": "unmounted",
        "state_since": ago(hours=3),
        "size_bytes": 20 * GIB,
        "media": "disk",
        "created_at": ago(days=2),
        "version": 1,
    }
    return DriveRecord(**{"name": name, "cell": cell, "host": host, **defaults, **said})


def the_drives() -> tuple[DriveRecord, ...]:
    web: dict[str, Any] = {"server_id": "id-web-31", "device": "virtio"}
    return (
        a_drive("web-31-boot", state="mounted", channel="0:0", boot_order=1, **web),
        a_drive("web-31-data", state="cloning_src", channel="0:1", size_bytes=120 * GIB, **web),
        a_drive("web-31-copy", "cell-1", "c1-s01", state="cloning_dst", size_bytes=120 * GIB),
        a_drive("web-05-boot", state="unavailable", lost_from="mounted", server_id="id-web-05"),
        a_drive("spare"),
        a_drive("auth-boot", "cell-3", "c3-s01", state="unknown", last_state="mounted", server_id="id-auth-01",
                is_reachable=False, known_at=today(13, 51, 2)),
        a_drive("never-seen", "cell-5", None, state="unknown", is_reachable=False, size_bytes=None, media=None),
    )  # fmt: skip


def the_servers() -> tuple[ServerRecord, ...]:
    lost = {"state": "unavailable", "state_since": ago(minutes=25, seconds=7), "started_at": None}
    down, hung = today(13, 51, 2), today(14, 2, 41)
    squeezed = {"squeezed_by": "id-web-31", "squeezed_at": today(14, 1, 10)}
    return (
        a_server("smtp-01", "cell-2", "c2-h13", group="smtp", **lost),
        a_server("app-898", "cell-2", "c2-h13", cpu_mhz=2000, memory_bytes=8 * GIB, **lost),
        an_unknown("auth-01", "cell-3", "c3-h02", cpu_mhz=2000, memory_bytes=8 * GIB, group="auth", known_at=down),
        an_unknown("render-121", "cell-3", "c3-h01", is_backfilling=True, perf_factor=Factors(1.0, 1.0), known_at=down),
        an_unknown("mq-03", "cell-5", "c5-h06", group="mq", known_at=hung),
        an_unknown(None, "cell-5", None, cpu_mhz=None, memory_bytes=None, last_state=None),
        a_shrunk("render-20", "cell-1", "c1-h04", size(8, 48), factor=(1.0, 0.3333), floor=(0.25, 0.25),
                 started_at=ago(hours=3, minutes=55),
                 squeezed_by="id-db-09", squeezed_at=today(13, 51, 47)),
        a_shrunk("crawl-17", "cell-1", "c1-h04", size(8, 32), factor=(1.0, 0.5), floor=(0.25, 0.5),
                 started_at=ago(days=1, hours=23)),
        a_shrunk("render-12", "cell-2", "c2-h07", size(12, 48), factor=(0.6181, 1.0), floor=(0.25, 0.25),
                 started_at=ago(hours=6, minutes=44), **squeezed),
        a_shrunk("train-04", "cell-2", "c2-h07", size(10, 32), factor=(0.6181, 1.0), floor=(0.5, 0.5),
                 started_at=ago(days=1, hours=3),
                 **squeezed),
        a_shrunk("encode-31", "cell-2", "c2-h07", size(8, 24), factor=(0.8, 1.0), floor=(0.8, 0.25),
                 started_at=ago(days=1, hours=5),
                 **squeezed),
        a_server("web-31", "cell-2", "c2-h07", cpu_mhz=16_000, memory_bytes=48 * GIB, group="web",
                 started_at=ago(minutes=2, seconds=17), tags=("group:web",), avoid=("id-web-03",)),
        a_server("web-05", "cell-2", "c2-h07", group="web", started_at=ago(days=54, hours=17)),
        a_server("web-03", "cell-2", "c2-h02", group="web", started_at=ago(days=15, hours=13)),
        a_server("db-09", "cell-1", "c1-h04", group="db-main", started_at=today(13, 51, 47)),
        a_server("proxy-02", "cell-2", "c2-h11", state="starting", started_at=ago(seconds=2), group="proxy"),
        a_server("shop-11", "cell-6", "c6-h15", cpu_mhz=24_000, memory_bytes=64 * GIB,
                 started_at=ago(minutes=5, seconds=20)),
        a_server("train-09", "cell-2", None, is_backfilling=True, cpu_mhz=12_000, state="stopped", reason="displaced",
                 state_since=today(13, 41, 10), displaced_for="id-shop-11", displaced_at=today(13, 41, 10),
                 displaced_count=2, started_at=None),
        a_server("crawl-22", "cell-2", None, is_backfilling=True, state="stopped", reason="host_lost",
                 state_since=today(13, 38, 20), started_at=None),
    )  # fmt: skip


def the_groups() -> tuple[GroupRecord, ...]:
    web = a_group("web", ("c1-h03", "c1-h11", "c2-h02", "c4-h02", "c2-h07", "c6-h01", "c6-h08", "c2-h07"),
                  needs=4, collisions=1, tolerates=3, worst_case=("c2-h07", "c1-h03", "c1-h11"))  # fmt: skip
    names = dict(zip((3, 7), ("web-04", "web-31"), strict=True))
    members = tuple(member._replace(name=names.get(place, member.name)) for place, member in enumerate(web.members))
    auth = a_group("auth", ("c3-h02", "c3-h09"), collisions=0, tolerates=None, is_bound=True)
    auth = auth._replace(members=tuple(m._replace(state="unknown", is_reachable=False) for m in auth.members))
    return (
        web._replace(members=members),
        a_group("cache", ("c2-h08", "c2-h08", "c2-h08", "c4-h01"), needs=2, collisions=2, tolerates=0),
        a_group("ldap", ("c4-h10", "c4-h10"), collisions=1, tolerates=0, worst_case=("c4-h10",)),
        a_group("billing", ("c2-h06", "c6-h12"), collisions=0, tolerates=1),
        a_group("metrics", ("c1-h08", "c5-h03", "c5-h03"), collisions=1, tolerates=0, is_bound=True),
        auth,
    )


def the_schedules() -> tuple[ScheduleRecord, ...]:
    return (
        ScheduleRecord("sch-1", "id-api-01", "api-01", "api hourly", "15 * * * *", next_trigger_at=today(14, 15)),
        ScheduleRecord("sch-2", "id-db-09", "db-09", "db-09 nightly", "0 2 * * *", is_active=False,
                       reason="storage quota", last_run_at=NOW.replace(day=14, hour=2, minute=0, second=0),
                       history=("ok",) * 9 + ("failed",), retention_days=7, backups_max=7),
    )  # fmt: skip


def the_tasks() -> tuple[TaskRecord, ...]:
    def going(
        number: int, kind: str, name: str, *, done: float, seconds: float, cell: str = "cell-2", **said: Any
    ) -> TaskRecord:
        begun = ago(seconds=seconds)
        return a_task(number, kind, name, cell, begun_at=begun, due_at=begun + timedelta(seconds=seconds / done),
                      progress=done, **said)  # fmt: skip

    return (
        going(1, "backup", "api-01", done=0.81, seconds=151, cell="cell-1", object_kind="backup", object_id="backup-1",
              counterpart_id="id-api-01", counterpart_name="api-01"),
        going(2, "clone", "web-03-data-clone", done=0.46, seconds=320, object_kind="drive", bytes_total=120 * GIB,
              rate_bytes_per_second=0.172 * GIB, counterpart_id="id-web-03-data", counterpart_name="web-03-data"),
        going(8, "release", "web-03-data", done=0.46, seconds=320, cell="cell-1", object_kind="drive",
              counterpart_id="id-web-03-data-clone"),
        going(3, "start", "proxy-02", done=0.25, seconds=2),
        a_task(4, "stop", "auth-02", "cell-3", begun_at=ago(minutes=12, seconds=1)),
        a_task(5, "start", "app-914", "cell-5", begun_at=ago(seconds=41)),
        a_task(6, "start", "web-31", state="done", begun_at=today(14, 1, 10), ended_at=today(14, 1, 18)),
        a_task(7, "backup", "db-09", "cell-1", state="failed", object_kind="backup",
               begun_at=NOW.replace(day=14, hour=2, minute=0, second=0),
               ended_at=NOW.replace(day=14, hour=2, minute=0, second=4), result="quota: needs 148 GiB, 96 were left"),
    )  # fmt: skip


def the_events() -> tuple[EventRecord, ...]:
    return (
        an_event(1, "host.down", "c2-h13", today(13, 38, 20)),
        an_event(2, "server.displaced", "id-train-09", today(13, 41, 10), details={"host": "c2-h16"},
                 changes={"displaced_for": (None, "id-shop-11")}),
        an_event(1, "cell.down", "cell-3", today(13, 51, 2), "cloud", details={"reason": "connection refused"}),
        an_event(3, "server.shrunk", "id-render-12", today(14, 1, 10),
                 changes={"cpu_mhz_effective": (12_000, 7_400)}, details={"cause": "id-web-31", "host": "c2-h07"}),
        an_event(4, "server.running", "id-web-31", today(14, 1, 18), actor="operator@stratodeck.local"),
    )  # fmt: skip


def the_services() -> tuple[ServiceRecord, ...]:
    """A few of them, in the order of the API."""
    return (
        ServiceRecord("nova-scheduler", "stratodeck", None, "enabled", "up", POLLED),
        ServiceRecord("nova-conductor", "stratodeck", None, "enabled", "up", POLLED),
        ServiceRecord("nova-compute", "c2-h07", "cell-2", "enabled", "up", POLLED),
        ServiceRecord("nova-compute", "c2-h13", "cell-2", "enabled", "down", POLLED),
        ServiceRecord("nova-conductor", "cell-2", "cell-2", "enabled", "up", POLLED),
        ServiceRecord("nova-compute", "c3-h01", "cell-3", "UNKNOWN", last_state="up", known_at=today(13, 51, 1)),
        ServiceRecord("nova-compute", "c3-h02", "cell-3", "UNKNOWN"),
        ServiceRecord("nova-compute", "c4-h05", "cell-4", "disabled", "up", POLLED),
    )


def the_billing() -> Billing:
    """Two accounts; one of them backfills, and was stopped for room once."""
    money = Decimal
    return Billing(
        currency="USD",
        lines=(
            BillingLine("cpu", 3_052_000, 52_000, money("0.0162"), money("0.8424"), "GHz/hour", 3_000_000, 10, 11),
            BillingLine("mem", 9_148 * GIB, 0, money("0.0221"), money(0), "GB/hour", 9_600 * GIB, 11, 11),
            BillingLine("bcpu", 994_000, 994_000, money("0.0065"), money("6.461"), "GHz/hour", None, 10, 11),
            BillingLine("bmem", 2_284 * GIB, 2_284 * GIB, money("0.0088"), money("20.0992"), "GB/hour", None, 11, 11),
            BillingLine("ip", 4, 4, money(5), money("0.02777"), "IP", 0),
            BillingLine("tx", 0, 0, money("0.05"), money(0), "GB"),
        ),
        burst_per_hour=money("27.43"),
        backfilling_per_hour=money("26.56"),
        at_normal_price_per_hour=money("66.58"),
        charged_this_month=money("8412.06"),
        projected_this_month=money("14996.21"),
        month_ends_at=NOW.replace(day=1, month=12, hour=0, minute=0, second=0, microsecond=0),
        owners=(
            BillingOwner("operator@stratodeck.local", money("8412.06"), money("0.84"), money("26.56"), money("8400"),
                         is_finite=True, lasts_seconds=13 * 86_400),
            BillingOwner("tenant@stratodeck.local", money("999999.94"), money("0.03"), money(0), money("12.06"),
                         lasts_seconds=10**11),
        ),
        history=(
            LevelHistory("cpu", ((today(13, 0), 8), (today(13, 30), 10)), 11, today(14, 10)),
            LevelHistory("mem", ((today(13, 0), 11),), 11, today(14, 10)),
        ),
        servers=(
            CostRecord("operator@stratodeck.local", money("310.5"), money(0), money(0), 0, money(0), money(0),
                       "id-web-01", "web-01", False, money("0.4312"), money("312.75")),
            CostRecord("operator@stratodeck.local", money("76.14"), money("116.1"), money(0), 0, money(0),
                       money("116.1"), "id-render-12", "render-12", True, money("0.11"), money("76.14")),
            CostRecord("operator@stratodeck.local", money("27.14"), money("41.25"), money("2.35"), 1, money("0.004"),
                       money("41.246"), "id-train-09", "train-09", True, money("0.052"), money("27.14")),
        ),
        servers_total=3,
        by_owner=(
            CostRecord("operator@stratodeck.local", money("103.28"), money("157.35"), money("2.35"), 1,
                       money("0.004"), money("157.346")),
        ),
        silent=("cell-3",),
    )  # fmt: skip


def the_capacity() -> CapacityRecord:
    return CapacityRecord(
        total=size(28, 260),
        most_free_by_cpu=size(28, 232, "c6-h13"),
        most_free_by_memory=size(22, 260, "c6-h05"),
        none_shrunk=size(28, 232, "c6-h13"),
        others_shrink=size(47, 268, "c6-h13"),
        others_stop=size(56, 280, "c6-h13"),
        by_cell={
            f"cell-{number}": CapacityRecord(
                total=size(6, 148),
                most_free_by_cpu=size(6, 100, f"c{number}-h16"),
                most_free_by_memory=size(4, 148, f"c{number}-h15"),
                none_shrunk=size(6, 100, f"c{number}-h16"),
                others_shrink=size(17, 120, f"c{number}-h16"),
                others_stop=size(24, 128, f"c{number}-h16"),
            )
            for number in (1, 2, 4)
        }
        | {
            "cell-6": CapacityRecord(
                most_free_by_cpu=size(28, 232, "c6-h13"),
                most_free_by_memory=size(22, 260, "c6-h05"),
                others_shrink=size(47, 268, "c6-h13"),
                others_stop=size(56, 280, "c6-h13"),
            )
        },
    )


def the_status() -> Status:
    return Status(
        ClockRecord(NOW - timedelta(seconds=60), "rate", 60.0),
        the_cells(),
        the_capacity(),
        the_groups(),
        the_schedules(),
        tasks_open=5,
        tasks_ended=412,
        tasks_waiting=2,
    )


def the_cloud() -> Mirror:
    """Everything told, a second ago; the drives have been asked for."""
    account = AccountRecord("operator@stratodeck.local", is_staff=True, may_backfill=True)
    mirror = Mirror().apply(Hello("6f1d", "demo", "0.1", None, account), POLLED)
    mirror = mirror.apply(the_status(), POLLED).apply(Hosts((*the_hosts(), *the_storage_hosts())), POLLED)
    mirror = mirror.apply(Services(the_services()), POLLED).apply(the_billing(), POLLED)
    mirror = mirror.apply(Tasks(the_tasks(), 5, 412), POLLED).apply(Events(the_events()), POLLED)
    mirror = mirror.apply(ServersPage(the_servers(), None, "cursor-1", len(the_servers())), POLLED)
    return mirror.drives_begun().apply(DrivesPage(the_drives(), None, len(the_drives())), POLLED)


def a_large_fleet(count: int) -> tuple[ServerRecord, ...]:
    """Many servers of ten cells, the same ones every time."""
    states = ("running", "running", "running", "stopped", "starting")
    return tuple(
        a_server(
            f"app-{n * 7919 % count:05}",
            f"cell-{n % 10}",
            f"c{n % 10}-h{n % 97:02}",
            id=f"{n * 2654435761 % 2**32:08x}-0000-4000-8000-{n:012x}",
            state=states[n % 5],
            cpu_mhz=1000 * (1 + n % 16),
            memory_bytes=GIB * (1 + n % 64),
            is_backfilling=n % 6 == 0,
            perf_factor=Factors(0.25 + (n % 4) / 4, 1.0) if n % 6 == 0 else None,
        )
        for n in range(count)
    )
