"""The port: what the console asks of a cloud, whichever kind it is. `client` speaks to our own, `openstack` to others.

What a kind of cloud need not have is refused here in a sentence; what each must have is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from decimal import Decimal

    from console.records import (
        CellRecord,
        Changes,
        ClockRecord,
        DriveDetail,
        DriveRecord,
        DrivesPage,
        Events,
        Hello,
        HostDetail,
        Hosts,
        OutcomeRecord,
        PlanRecord,
        ServerDetail,
        ServerRecord,
        ServersPage,
        Status,
        Tasks,
    )  # fmt: skip
    from console.records_audit import Audit
    from console.records_backup_plans import (
        BackupOutcomeRecord,
        BackupPlanRecord,
        FlavorRecord,
        ScheduleOutcomeRecord,
        SchedulePlanRecord,
    )  # fmt: skip
    from console.records_backups import (
        BackupDetail,
        BackupRecord,
        Backups,
        Calendar,
        Coverage,
        ScheduleDetail,
        SchedulePreviewRecord,
        ScheduleRecord,
        Schedules,
        Storage,
    )  # fmt: skip
    from console.records_billing import AccountMoney, Billing, CostRecord, SubscriptionOffer, SubscriptionRecord
    from console.records_explain import WhyDetail
    from console.records_parts import ImageRecord, Limits, NetworkChoices, NicRecord, SnapshotRecord
    from console.records_plans import (
        CellOutcomeRecord,
        CellPlanRecord,
        GroupOutcomeRecord,
        GroupPlanRecord,
        HostPlanRecord,
    )
    from console.records_rehearsal import Rehearsal
    from console.records_room import WhatIfRecord
    from console.records_services import Services

NOT_OFFERED = "not_offered"
"""The code of what a kind of cloud does not have."""
UNAUTHORIZED = "unauthorized"
"""The code of credentials that the cloud refuses."""
LATER = "later"
"""The code of a source that has not answered and is asked again when its time has come; the cloud itself answers."""


@dataclass(eq=False)
class ClientError(Exception):
    """A request that brought no result, in a sentence for the operator.

    `code` is the API's own, or one of `no_answer` (nobody listens), `timeout`, `broken`, `outcome_unknown` (a verb was
    sent and its answer never came), `bad_answer` (not understood), `bad_address`, `not_offered`, `later`. Codes in
    `OFFLINE` mean that the cloud itself cannot be reached; every other one is an answer of it. `is_retryable` says that
    the same request may simply be sent again.
    """

    sentence: str
    code: str
    is_retryable: bool

    OFFLINE = frozenset({"no_answer", "timeout", "broken"})

    def __str__(self) -> str:
        return self.sentence

    @property
    def is_offline(self) -> bool:
        return self.code in self.OFFLINE


def not_offered(what: str) -> ClientError:
    return ClientError(f"this cloud has no {what}", NOT_OFFERED, False)


class Port(Protocol):
    """One cloud. Every method raises ClientError and nothing else; `client` says what each one is."""

    keeps_log: bool = False
    """Whether it tells of its own past: see `then`. Of one that does not, the console may write down what it sees."""

    # How often it is asked

    def attend(self, *, is_watched: bool) -> None:
        """Somebody pressed a key, or the terminal came into sight; with False, it is out of sight."""
        return

    def hurry(self) -> None:
        """Somebody wants to know now, and not when it is due."""
        return

    # What is asked

    async def groups_apart(self) -> Mapping[str, str]:
        """The ids of the groups that keep servers apart, by name, where a new server is put into one."""
        raise not_offered("groups that are chosen at creation")

    async def close(self) -> None: ...
    async def hello(self) -> Hello: ...
    async def status(self) -> Status: ...
    async def hosts(self) -> Hosts:
        raise not_offered("hosts")

    async def services(self) -> Services:
        raise not_offered("services")

    async def billing(self) -> Billing:
        raise not_offered("billing")

    async def account_money(self, name: str) -> AccountMoney:
        raise not_offered("billing")

    async def cost(self, server_id: str) -> CostRecord:
        raise not_offered("billing")

    async def offer_subscription(self, fields: Mapping[str, Any]) -> SubscriptionOffer:
        raise not_offered("billing")

    async def buy_subscription(
        self, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[SubscriptionRecord, ...]:
        raise not_offered("billing")

    async def give_balance(self, name: str, amount: Decimal, *, key: str | None = None) -> Decimal:
        raise not_offered("billing")

    async def rehearsal(self) -> Rehearsal:
        raise not_offered("rehearsals")

    async def servers_page(
        self, *, after: str | None = None, limit: int = 1_000, cell: str | None = None
    ) -> ServersPage: ...
    async def server(self, server_id: str) -> ServerDetail: ...
    async def drives_page(self, *, after: str | None = None, limit: int = 1_000) -> DrivesPage:
        raise not_offered("drives")

    async def drive(self, drive_id: str) -> DriveDetail:
        raise not_offered("drives")

    async def limits(self, project_id: str | None = None) -> Limits:
        raise not_offered("limits")

    async def images(self) -> tuple[ImageRecord, ...]:
        raise not_offered("images")

    async def network_choices(self, server_id: str) -> NetworkChoices:
        raise not_offered("network interfaces")

    async def host_detail(self, name: str) -> HostDetail: ...
    async def explain(self, object_id: str, *, decision: int | None = None) -> WhyDetail:
        raise not_offered("explanations")

    async def group_plan(self, name: str) -> GroupPlanRecord:
        raise not_offered("plans")

    def then(self, moment: str) -> Port:
        raise not_offered("record of its past")

    async def differences(self, after: str | None = None) -> Changes:
        raise not_offered("record of its past")

    async def changes(self, cursor: str, *, wait_seconds: float = 20.0, limit: int | None = None) -> Changes: ...
    async def tasks(self, *, state: str | None = None, limit: int | None = None) -> Tasks:
        raise not_offered("tasks")

    async def events(
        self, *, limit: int = 200, object_id: str | None = None, until: str | None = None, since: str | None = None
    ) -> Events: ...
    async def audit(self) -> Audit: ...
    def know_names(self, name_of: Callable[[str], str | None]) -> None:
        """How what is done is to be written down: `name_of` an id is its name, as long as anybody knows it."""
        ...

    async def preview(
        self, kind: str, object_id: str, action: str, *, avoid: Sequence[str] | None = None, **fields: Any
    ) -> PlanRecord: ...
    async def preview_host(self, name: str, action: str) -> HostPlanRecord:
        raise not_offered("plans")

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
    ) -> OutcomeRecord: ...
    async def preview_cell(self, name: str, action: str) -> CellPlanRecord:
        raise not_offered("plans")

    async def act_on_cell(self, name: str, action: str, *, plan: str | None = None) -> CellOutcomeRecord:
        raise not_offered("cells")

    async def act_on_group(
        self, name: str, action: str, *, plan: str | None = None, key: str | None = None
    ) -> GroupOutcomeRecord:
        raise not_offered("plans")

    async def create_server(self, fields: Mapping[str, Any], *, key: str | None = None) -> ServerRecord: ...
    async def create_drive(self, fields: Mapping[str, Any], *, key: str | None = None) -> DriveRecord:
        raise not_offered("drives")

    async def preview_creation(self, fields: Mapping[str, Any]) -> PlanRecord: ...
    async def what_if(self, fields: Mapping[str, Any]) -> WhatIfRecord:
        raise not_offered("plans")

    async def attach_nic(
        self, server_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[NicRecord, ...]:
        raise not_offered("network interfaces")

    async def detach_nic(self, server_id: str, mac: str) -> tuple[NicRecord, ...]:
        raise not_offered("network interfaces")

    async def take_snapshot(
        self, drive_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> SnapshotRecord:
        raise not_offered("snapshots")

    async def act_on_snapshot(
        self, snapshot_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> OutcomeRecord:
        raise not_offered("snapshots")

    async def ask_cell(self, cell: str) -> CellRecord:
        raise not_offered("cells")

    async def patch_clock(self, *, mode: str | None = None, rate: float | None = None) -> ClockRecord:
        raise not_offered("clock")

    async def advance(self, seconds: float) -> ClockRecord:
        raise not_offered("clock")

    async def schedules_page(
        self, *, scope: str | None = None, after: str | None = None, limit: int = 1_000
    ) -> Schedules:
        raise not_offered("schedules")

    async def backups_page(self, *, scope: str | None = None, after: str | None = None, limit: int = 1_000) -> Backups:
        raise not_offered("backups")

    async def coverage_page(self, *, after: str | None = None, limit: int = 1_000) -> Coverage:
        raise not_offered("backups")

    async def coverage_counts(self) -> Coverage:
        raise not_offered("backups")

    async def calendar(self, *, time_zone: str = "UTC") -> Calendar:
        raise not_offered("schedules")

    async def storage(self) -> Storage:
        raise not_offered("backups")

    async def preview_schedule(self, asked: Mapping[str, Any]) -> SchedulePreviewRecord:
        raise not_offered("schedules")

    async def schedule_detail(self, schedule_id: str) -> ScheduleDetail:
        raise not_offered("schedules")

    async def backup_detail(self, backup_id: str) -> BackupDetail:
        raise not_offered("backups")

    async def flavors(self, backup_id: str | None = None) -> tuple[FlavorRecord, ...]:
        raise not_offered("flavors")

    async def plan_backup(self, fields: Mapping[str, Any]) -> BackupPlanRecord:
        raise not_offered("backups")

    async def create_backup(self, fields: Mapping[str, Any], *, key: str | None = None) -> BackupRecord:
        raise not_offered("backups")

    async def plan_of_backing(self, kind: str, object_id: str, action: str, **fields: Any) -> BackupPlanRecord:
        raise not_offered("backups")

    async def act_on_backup(
        self, backup_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> BackupOutcomeRecord:
        raise not_offered("backups")

    async def plan_schedule(self, fields: Mapping[str, Any], *, schedule_id: str | None = None) -> SchedulePlanRecord:
        raise not_offered("schedules")

    async def save_schedule(
        self, fields: Mapping[str, Any], *, schedule_id: str | None = None, key: str | None = None
    ) -> ScheduleRecord:
        raise not_offered("schedules")

    async def act_on_schedule(
        self, schedule_id: str, action: str, *, if_version: int | None = None, key: str | None = None
    ) -> ScheduleOutcomeRecord:
        raise not_offered("schedules")
