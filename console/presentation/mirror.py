"""What the console knows of a cloud, as one immutable value: `mirror.apply(answer, at)` is the next one.

The mirror is honest about time. A row of a cell that does not answer becomes `unknown` with the instant at which it
was last known, and stays so until the cell itself has told it anew. Figures of such a cell are kept, and are drawn
as last known. When the cloud itself falls silent nothing is emptied: `problem` is set and every source keeps its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar, assert_never

from console.presentation.drive_fleet import DriveFleet
from console.presentation.fleet import Fleet
from console.presentation.protection import Protection
from console.records import (
    UNKNOWN,
    AccountRecord,
    Answer,
    CapacityRecord,
    CellRecord,
    Changes,
    ClockRecord,
    DriveRecord,
    DrivesPage,
    EventRecord,
    Events,
    GroupRecord,
    Hello,
    HostRecord,
    Hosts,
    PastEvents,
    ServerRecord,
    ServersPage,
    Status,
    TaskRecord,
    Tasks,
)
from console.records_audit import Audit, AuditRecord
from console.records_backups import (
    BackupDetail,
    Backups,
    Calendar,
    Coverage,
    ScheduleDetail,
    ScheduleRecord,
    Schedules,
    Storage,
)
from console.records_billing import Billing, ShortAccount
from console.records_offer import Offer, Pace
from console.records_refused import Refused
from console.records_rehearsal import Rehearsal
from console.records_services import ServiceRecord, Services

Row = TypeVar("Row", ServerRecord, DriveRecord)

EVENTS_KEPT = 500
PASTS_KEPT = 4
FEED_WAIT_SECONDS = 25
"""A feed without changes may be silent for as long as this, and is fresh all the same."""


@dataclass(frozen=True)
class Mirror:
    cloud: str = ""
    """Its id."""
    kind: str = ""
    """What an embedded cloud was filled with: `demo`, `empty`."""
    account: AccountRecord | None = None
    is_production: bool = False
    """Whether a mistake hurts here, as the operator's settings say."""
    offer: Offer | None = None
    """What there is of a cloud that is not one of ours; None: all there is to show."""
    pace: Pace | None = None
    """How gently a cloud is asked that is looked at now and then."""
    troubles: tuple[str, ...] = ()
    """Why what is shown is old, while the cloud itself answers."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """By view: what is missing from its rows, or is older than they say."""
    clock: ClockRecord | None = None
    clock_at: datetime | None = None
    """The wall's instant at which the clock was read."""
    fleet: Fleet = field(default_factory=Fleet)
    cells: tuple[CellRecord, ...] | None = None
    hosts: tuple[HostRecord, ...] | None = None
    are_hosts_followed: bool = False
    """Whether they have been read since the feed began and every cell answers as it did then: from there on the feed's
    events keep their states right, and nobody need ask for them where they are not looked at."""
    capacity: CapacityRecord | None = None
    groups: tuple[GroupRecord, ...] | None = None
    schedules: tuple[ScheduleRecord, ...] | None = None
    """Those in trouble, and those that run next; all of them are in `protection`."""
    protection: Protection = field(default_factory=Protection)
    tasks: tuple[TaskRecord, ...] | None = None
    services: tuple[ServiceRecord, ...] | None = None
    """None until a view has asked for them."""
    audit: tuple[AuditRecord, ...] | None = None
    """What was done to this cloud from here, oldest first; None until a view has asked for it."""
    billing: Billing | None = None
    short_of_money: tuple[ShortAccount, ...] = ()
    full_files: tuple[str, ...] = ()
    rehearsal: Rehearsal | None = None
    """None until a view has asked for it."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why this account is not told of a source, by its name."""
    tasks_open: int | None = None
    tasks_ended: int | None = None
    tasks_waiting: int | None = None
    events: tuple[EventRecord, ...] = ()
    """The latest ones, newest last."""
    log_begins_at: datetime | None = None
    """As `Events`."""
    pasts: Mapping[str | None, PastEvents] = field(default_factory=dict)
    """By object (None: of all): the stretches of the log that were read last."""
    cursor: str | None = None
    """Where the change feed is read on from."""
    next_page: str | None = None
    """Where the list that fills the mirror goes on; None before the first page and after the last."""
    servers_total: int | None = None
    is_complete: bool = False
    """Whether every page of the list has been read."""
    reload_cells: frozenset[str] = frozenset()
    """Cells that answer again, whose rows must be asked for anew (`servers_page(cell=NAME)`)."""
    answered_at: Mapping[str, datetime] = field(default_factory=dict)
    """By source (`status`, `servers`, `hosts`, `tasks`, `events`): the wall's instant of its last answer."""
    is_recorded: bool = False
    """Whether it is of the past, put together from what this console wrote down."""
    problem: str | None = None
    """Why the last request failed, in a sentence; None after an answer."""
    failed_at: datetime | None = None
    tries: int = 0
    retry_at: datetime | None = None
    is_refused: bool = False
    """Whether the cloud refuses the credentials, and is not asked again before somebody wants that."""
    unconfirmed: frozenset[str] = frozenset()
    """While the list is read again: rows that no page has brought yet. They go when the last page has come."""
    removed: frozenset[str] = frozenset()
    """While the list is read: ids that the feed has removed, so that an older page cannot bring them back."""
    drives: DriveFleet = field(default_factory=DriveFleet)
    """Empty until a view asks for them: see `drives_begun`."""
    drives_total: int | None = None
    are_drives_followed: bool = False
    """Whether the change feed keeps them up to date."""
    are_drives_complete: bool = False
    """Whether every page of their list has been read, and nothing since has made that stale."""
    unconfirmed_drives: frozenset[str] = frozenset()
    removed_drives: frozenset[str] = frozenset()

    @property
    def servers(self) -> Mapping[str, ServerRecord]:
        return self.fleet.by_id

    @property
    def is_offline(self) -> bool:
        """Whether the cloud has stopped answering. Before the first answer it is only late."""
        return self.problem is not None and bool(self.answered_at)

    def apply(self, answer: Answer, at: datetime) -> Mirror:
        """The mirror after this answer, which came at the wall's instant `at`."""
        match answer:
            case Hello():
                return self._after_hello(answer, at)
            case Status():
                return self._after_status(answer, at)
            case Hosts():
                hosts = _with_kept_hosts(self.hosts, answer.hosts)
                return self._answered("hosts", at, hosts=hosts, are_hosts_followed=self.cursor is not None)
            case ServersPage():
                return self._after_page(answer, at)
            case DrivesPage():
                return self._after_drives_page(answer, at)
            case Changes():
                return self._after_changes(answer, at)
            case Tasks():
                tasks = (*answer.tasks, *_kept_tasks(self.tasks, answer))
                return self._answered("tasks", at, tasks=tasks, tasks_open=answer.open, tasks_ended=answer.ended)
            case Services() | Billing() | Rehearsal() | Audit() | Refused():
                return self._after_listing(answer, at)
            case Events() | PastEvents():
                return self._after_events(answer, at)
            case Schedules() | Backups() | Coverage() | Calendar() | Storage() | ScheduleDetail() | BackupDetail():
                return self._answered(type(answer).__name__.lower(), at, protection=self.protection.apply(answer))
            case _:
                assert_never(answer)

    def failed(
        self, problem: str, at: datetime, *, retry_at: datetime | None = None, is_refused: bool = False
    ) -> Mirror:
        """The mirror after a request that brought no answer from the cloud: rows stay, with their age.

        Only for a cloud that cannot be reached: a request that it refuses (403, 409) is an answer.
        """
        return replace(
            self, problem=problem, failed_at=at, tries=self.tries + 1, retry_at=retry_at, is_refused=is_refused
        )

    def restarted(self) -> Mirror:
        """The mirror before its list is read again from the first page: rows stay until they are replaced."""
        return replace(
            self,
            cursor=None,
            next_page=None,
            is_complete=False,
            unconfirmed=frozenset(self.fleet.by_id),
            removed=frozenset(),
            are_hosts_followed=False,
            are_drives_followed=False,
            are_drives_complete=False,
        )

    def drives_begun(self) -> Mirror:
        """The mirror before the first page of the drives is asked for: from now on the feed's news of them are kept.

        Rows that are there already stay until they are replaced.
        """
        return replace(
            self,
            are_drives_followed=True,
            are_drives_complete=False,
            unconfirmed_drives=frozenset(self.drives.by_id),
            removed_drives=frozenset(),
        )

    def now(self, wall_now: datetime) -> datetime:
        """The cloud's instant, from its clock and rate; it stands still while the cloud does not answer."""
        if self.clock is None or self.clock_at is None:
            return wall_now
        if self.clock.mode == "manual" or self.problem is not None:
            return self.clock.now
        rate = self.clock.rate if self.clock.mode == "rate" else 1.0
        return self.clock.now + timedelta(seconds=max(0.0, (wall_now - self.clock_at).total_seconds()) * rate)

    def age_seconds(self, wall_now: datetime) -> float | None:
        """How old what is shown is; None before there is anything. A quiet feed is not an old one."""
        ages = []
        if self.pace is not None:
            # What the last looks add up to is no newer than they are.
            at = self.answered_at.get("servers")
            return None if at is None else max(0.0, (wall_now - at).total_seconds())
        for source, quiet_seconds in (("status", 0), ("servers", FEED_WAIT_SECONDS)):
            if source in self.answered_at:
                ages.append((wall_now - self.answered_at[source]).total_seconds() - quiet_seconds)
        return max(0.0, *ages) if ages else None

    def cell(self, name: str) -> CellRecord | None:
        return next((cell for cell in self.cells or () if cell.name == name), None)

    def is_cell_up(self, name: str) -> bool:
        """Whether anything of a cell answers. One that nobody has spoken of yet is taken to."""
        cell = self.cell(name)
        return cell is None or not cell.is_silent

    def is_host_known(self, host: HostRecord) -> bool:
        return host.is_reachable and self.is_cell_up(host.cell)

    def name_of(self, object_id: str | None) -> str | None:
        """The name of a server or drive, or what a schedule or backup is called, if it is one that the mirror knows."""
        if object_id is not None and object_id in self.fleet.by_id:
            return self.fleet.by_id[object_id].name
        if object_id is not None and object_id in self.drives.by_id:
            return self.drives.by_id[object_id].name
        if object_id is None:
            return None
        if (backup := self.protection.find_backup(object_id)) is not None:
            return backup.title
        schedule = self.find_schedule(object_id)
        return None if schedule is None else schedule.title

    def find_schedule(self, schedule_id: str) -> ScheduleRecord | None:
        """As it was told last: with the status, or in the list."""
        told = next((each for each in self.schedules or () if each.id == schedule_id), None)
        told = self.protection.find_schedule(schedule_id) if told is None else told
        return None if told is None else self.with_name(told)

    def with_name(self, schedule: ScheduleRecord) -> ScheduleRecord:
        """As it was told; one that goes by the name of a source that does not answer keeps the name last known."""
        if schedule.description or schedule.source_name is not None:
            return schedule
        server = self.fleet.by_id.get(schedule.server_id or schedule.source_id)
        return schedule if server is None else schedule._replace(source_name=server.name)

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Of backups and schedules, by their ids: the id and the name of their source, as any known event told them."""
        found: dict[str, tuple[str, str]] = {}
        for events in (*(past.events for past in self.pasts.values()), self.events):
            for event in events:
                if event.object_kind in {"backup", "schedule"} and event.changes:
                    told = [event.changes.get(name, (None, None)) for name in ("source_id", "server_id", "source_name")]
                    id, server, name = (str(after or before or "") for before, after in told)
                    if id or server:
                        found[event.object_id] = (id or server, name)
        return found

    def find_event(self, key: str) -> EventRecord | None:
        """The event with this key, among the latest and in what was read of the past."""
        known = (self.events, *(past.events for past in self.pasts.values()))
        return next((event for events in known for event in events if event.key == key), None)

    # Each kind of answer -----------------------------------------------------------------------------------------

    def _answered(self, source: str, at: datetime, **changes: object) -> Mirror:
        fields = {"problem": None, "failed_at": None, "tries": 0, "retry_at": None, "is_refused": False, **changes}
        return replace(self, answered_at={**self.answered_at, source: at}, **fields)  # type: ignore[arg-type]

    def _after_hello(self, answer: Hello, at: datetime) -> Mirror:
        clock = {"clock": answer.clock, "clock_at": at} if answer.clock is not None else {}
        return self._answered(
            "hello",
            at,
            cloud=answer.cloud_id,
            kind=answer.kind,
            account=answer.account,
            is_production=answer.is_production,
            offer=answer.offer,
            refused={},
            **clock,
        )

    def _after_status(self, answer: Status, at: datetime) -> Mirror:
        cells = tuple(_with_kept_figures(self.cell(cell.name), cell) for cell in answer.cells)
        changes: dict[str, object] = {"capacity": answer.capacity} if answer.capacity is not None else {}
        for name, value in (
            ("groups", answer.groups),
            ("schedules", answer.schedules),
            ("tasks_open", answer.tasks_open),
            ("tasks_ended", answer.tasks_ended),
            ("tasks_waiting", answer.tasks_waiting),
            ("pace", answer.pace),
            ("offer", answer.offer),
        ):
            if value is not None:
                changes[name] = value
        changes |= {"troubles": answer.troubles, "notes": answer.notes}
        if answer.clock is not None:
            changes |= {"clock": answer.clock, "clock_at": at}
        changes |= {"short_of_money": answer.short_of_money, "full_files": answer.full_files}
        return self._with_cells(cells, at)._answered("status", at, **changes)

    def _with_cells(self, cells: tuple[CellRecord, ...], at: datetime) -> Mirror:
        """The mirror with these cells; the rows of those that have just stopped answering become unknown."""
        # What is silent of a zone that answers in part tells each of its rows itself.
        before = {cell.name: not cell.is_silent for cell in self.cells or ()}
        lost = {cell.name: cell.since or at for cell in cells if cell.is_silent and before.get(cell.name, True)}
        back = {cell.name for cell in cells if cell.is_up and before.get(cell.name) is False}
        news = back | ({cell.name for cell in cells} - before.keys())
        fleet, drives = self.fleet, self.drives
        # Drives have no list by cell: those of one that answers again come with all the others.
        are_drives_complete = self.are_drives_complete and not (back and drives.by_state[UNKNOWN])
        if lost:
            fleet = fleet.changed(_fallen_silent(fleet.by_id.values(), lost))
            drives = drives.changed(_fallen_silent(drives.by_id.values(), lost))
        if back:
            back &= {row.cell for row in fleet.by_id.values() if not row.is_reachable and row.cell in back}
        reload = (self.reload_cells | back) - lost.keys()
        return replace(
            self,
            cells=cells,
            fleet=fleet,
            reload_cells=frozenset(reload),
            # The feed is silent about a cell that is: what it missed is read.
            are_hosts_followed=self.are_hosts_followed and not news,
            drives=drives,
            are_drives_complete=are_drives_complete,
        )

    def _after_page(self, page: ServersPage, at: datetime) -> Mirror:
        rows = (row for row in page.servers if row.id not in self.removed)
        fleet = self.fleet.changed(self._news(rows, self.fleet.by_id))
        if page.cell is not None:
            is_read = page.next is None and page.cell not in self._missed(fleet)
            reload = self.reload_cells - {page.cell} if is_read else self.reload_cells
            return self._answered("servers", at, fleet=fleet, reload_cells=reload)
        unconfirmed = self.unconfirmed.difference(row.id for row in page.servers) if self.unconfirmed else frozenset()
        is_complete = page.next is None
        if is_complete and unconfirmed:
            # The list leaves out cells that do not answer: their rows are not gone.
            gone = [row_id for row_id in unconfirmed if self._is_gone(self.fleet.by_id.get(row_id))]
            fleet = fleet.changed((), gone)
            unconfirmed = frozenset()
        return self._answered(
            "servers",
            at,
            fleet=fleet,
            cursor=self.cursor or page.cursor,
            next_page=page.next,
            servers_total=page.total if page.total is not None else self.servers_total,
            is_complete=is_complete,
            unconfirmed=unconfirmed,
            removed=frozenset() if is_complete else self.removed,
        )

    def _missed(self, rows: Fleet | DriveFleet) -> set[str]:
        """Cells that answer, and have rows that are not known: they fell silent, and came back, while a list was read
        and nobody asked how they were. What is to be known of them is read once more.
        """
        if not rows.by_state[UNKNOWN]:
            return set()
        up = {cell.name for cell in self.cells or () if cell.is_up}
        return {row.cell for row in rows.by_id.values() if not row.is_reachable and row.cell in up}

    def _is_gone(self, row: ServerRecord | None) -> bool:
        return row is not None and self.is_cell_up(row.cell)

    def _after_drives_page(self, page: DrivesPage, at: datetime) -> Mirror:
        rows = (row for row in page.drives if row.id not in self.removed_drives)
        drives = self.drives.changed(self._news(rows, self.drives.by_id))
        unconfirmed = self.unconfirmed_drives.difference(row.id for row in page.drives)
        is_complete = page.next is None
        if is_complete and unconfirmed:
            # Unlike the list of servers, this one names those of silent cells too: what it left out is gone.
            drives = drives.changed((), unconfirmed)
        return self._answered(
            "drives",
            at,
            drives=drives,
            drives_total=page.total if page.total is not None else self.drives_total,
            # Read on while the feed was lost, the list may lack what happened meanwhile: it is read once more.
            are_drives_complete=is_complete and self.are_drives_followed and not self._missed(drives),
            unconfirmed_drives=frozenset() if is_complete else unconfirmed,
            removed_drives=frozenset() if is_complete else self.removed_drives,
        )

    def _after_changes(self, answer: Changes, at: datetime) -> Mirror:
        mirror = self
        if answer.cells:
            news = {cell.name: cell for cell in answer.cells}
            cells = tuple(_with_kept_figures(cell, news.pop(cell.name, cell)) for cell in self.cells or ())
            mirror = self._with_cells((*cells, *news.values()), at)
        fleet = mirror.fleet.changed(mirror._news(answer.servers, mirror.fleet.by_id), answer.removed)
        drive_changes: dict[str, object] = {}
        if self.are_drives_followed:
            drive_changes["drives"] = mirror.drives.changed(
                mirror._news(answer.drives, mirror.drives.by_id), answer.removed
            )
            if not mirror.are_drives_complete:
                drive_changes["removed_drives"] = self.removed_drives.union(answer.removed)
                confirmed = (row.id for row in answer.drives)
                drive_changes["unconfirmed_drives"] = self.unconfirmed_drives.difference(confirmed)
        events = _merged_events(self.events, answer.events) if answer.events else self.events
        told = [event for event in answer.events if event.object_kind == "host"]
        removed = self.removed if self.is_complete else self.removed.union(answer.removed)
        unconfirmed = self.unconfirmed.difference(row.id for row in answer.servers)
        return mirror._answered(
            "servers",
            at,
            troubles=(),  # They were of this list, which has answered.
            fleet=fleet,
            hosts=_with_told_states(mirror.hosts, told) if told else mirror.hosts,
            cursor=answer.cursor,
            events=events,
            removed=removed,
            unconfirmed=unconfirmed,
            **drive_changes,
        )

    def _after_listing(self, answer: Services | Billing | Rehearsal | Audit | Refused, at: datetime) -> Mirror:
        match answer:
            case Rehearsal():
                return self._answered("rehearsal", at, rehearsal=answer)
            case Billing():
                return self._answered("billing", at, billing=answer)
            case Services():
                return self._answered("services", at, services=answer.services)
            case Audit():
                # It is this machine's own: that it was read says nothing of the cloud.
                return replace(self, audit=answer.records)
            case Refused():
                return replace(self, refused={**self.refused, answer.source: answer.sentence})

    def _after_events(self, answer: Events | PastEvents, at: datetime) -> Mirror:
        if isinstance(answer, Events):
            events = _merged_events(self.events, answer.events)
            return self._answered("events", at, events=events, log_begins_at=answer.begins_at)
        # Those of the past say nothing of now, not even that the cloud answers: they may have been known already.
        others = [past for past in self.pasts.values() if past.object_id != answer.object_id]
        return replace(self, pasts={past.object_id: past for past in (*others, answer)[-PASTS_KEPT:]})

    def _known_until_silence(self, row: Row) -> Row:
        """A row that was last written down at some instant stayed true until its cell stopped answering.

        Only a cell that has answered lately says when it stopped: one that was silent when its backend started has
        been so for longer than `since` tells.
        """
        cell = self.cell(row.cell)
        if row.known_at is None or cell is None or cell.is_up or cell.since is None or cell.since <= row.known_at:
            return row
        if "up" not in cell.history:
            return row
        return replace(row, known_at=cell.since)

    def _news(self, rows: Iterable[Row], by_id: Mapping[str, Row]) -> list[Row]:
        """The rows that say something newer than what is known: pages and the feed overtake each other."""
        news = []
        for row in rows:
            known = by_id.get(row.id)
            if known is None:
                news.append(row if row.is_reachable else self._known_until_silence(row))
            elif not row.is_reachable:
                # Central knowledge is less than what this console has seen itself.
                kept = _made_unknown(known, row.known_at or known.known_at)
                news.append(self._known_until_silence(row) if row.name is not None else kept)
            elif row != known and not _is_older(row, known):
                news.append(row)
        return news


def _is_older(row: Row, known: Row) -> bool:
    if not known.is_reachable or row.version is None or known.version is None:
        return False
    return row.version < known.version


def _made_unknown(row: Row, known_at: datetime | None) -> Row:
    if row.state == UNKNOWN:
        return row
    return replace(row, state=UNKNOWN, last_state=row.state, is_reachable=False, known_at=known_at)


def _fallen_silent(rows: Iterable[Row], lost: Mapping[str, datetime]) -> list[Row]:
    """The rows of cells that have stopped answering, as they were last known."""
    return [_made_unknown(row, lost[row.cell]) for row in rows if row.cell in lost]


def _with_kept_figures(before: CellRecord | None, cell: CellRecord) -> CellRecord:
    """A cell that does not answer keeps the figures that it had: they are drawn as last known."""
    if before is None or cell.is_up:
        return cell
    return cell._replace(
        hosts=before.hosts if cell.hosts is None else cell.hosts,
        capacity=cell.capacity or before.capacity,
        normal=cell.normal or before.normal,
        backfilling=cell.backfilling or before.backfilling,
    )


def _kept_tasks(before: tuple[TaskRecord, ...] | None, answer: Tasks) -> list[TaskRecord]:
    """What was open in cells that do not answer now: it waits for them, however far it was."""
    silent = set(answer.unreachable)
    return [task._replace(progress=None) for task in before or () if task.cell in silent and task.state == "open"]


def _with_kept_hosts(before: tuple[HostRecord, ...] | None, hosts: tuple[HostRecord, ...]) -> tuple[HostRecord, ...]:
    """The hosts, and those of cells from which none has come: as they were, and marked as not answering."""
    answered = {host.cell for host in hosts}
    known = {host.name: host for host in before or ()}
    # What the feed has told of a host may be newer than a list that was on its way.
    hosts = tuple(_newer_state(known.get(host.name), host) for host in hosts)
    told = {host.name for host in hosts}
    missing = (host for host in before or () if host.cell not in answered and host.name not in told)
    kept = (host._replace(is_reachable=False) for host in missing)
    return tuple(sorted((*hosts, *kept), key=lambda host: (host.cell, host.name)))


def _newer_state(known: HostRecord | None, host: HostRecord) -> HostRecord:
    if known is None or known.version is None or host.version is None or known.version <= host.version:
        return host
    return host._replace(state=known.state, state_since=known.state_since, version=known.version)


def _with_told_states(
    hosts: tuple[HostRecord, ...] | None, told: Iterable[EventRecord]
) -> tuple[HostRecord, ...] | None:
    """The hosts after these events. Their figures wait for the next list."""
    if hosts is None:
        return None
    by_name = {host.name: host for host in hosts}
    for event in told:
        if event.object_id in by_name:
            by_name[event.object_id] = _told(by_name[event.object_id], event)
    return tuple(by_name.values())


def _told(host: HostRecord, event: EventRecord) -> HostRecord:
    _, state = event.changes.get("state", (None, None))
    if not isinstance(state, str):
        return host
    if host.version is not None and event.object_version is not None and event.object_version <= host.version:
        return host
    return host._replace(state=state, state_since=event.at, version=event.object_version)


def _merged_events(before: tuple[EventRecord, ...], news: Sequence[EventRecord]) -> tuple[EventRecord, ...]:
    if before and news and all(map(_is_earlier, (before[-1], *news), news)):
        # What the feed brings has nearly always happened after all that is known, and comes in order.
        return (*before, *news)[-EVENTS_KEPT:]
    events = {event.key: event for event in (*before, *news)}
    return tuple(sorted(events.values(), key=lambda event: (event.at, event.file, event.number))[-EVENTS_KEPT:])


def _is_earlier(event: EventRecord, other: EventRecord) -> bool:
    return (event.at, event.file, event.number) < (other.at, other.file, other.number)
