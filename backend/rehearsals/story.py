"""What became of a cloud, told from its events alone: who was disturbed, what was missed, how long until all was well.

A pure fold: what there was at the beginning, and every event since, in the order of (instant, file, number). Objects go
by their names, for ids are nobody's business in a report. What happened before the instant from which it counts only
leads to the state that it counts from.

    shrunk      backfilling servers that were made smaller, to how little, and for whom
    stopped     servers that were stopped against their will: for room, or because their host was lost
    out         servers that could not be used, from the loss of a host or drive until they ran again
    silent      cells that did not answer
    missed      runs of schedules that were missed, and when the copy that was owed was whole
    moved       servers that are in the end on another host than at the beginning
    evacuations of hosts, with how many could not leave
    groups      whether members shared a host, for how long, and how few of them were up

A trouble is what has to be over before all is well again: `out`, `silent`, `missed`, the sharing of hosts by a group
that was apart, and a stop for room of a server that is to start again by itself. Being shrunk is none, nor is any other
stop of a backfilling server: that is what they are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.cloud.lifecycle import has_host
from backend.cloud.model import GROUP_TAG_PREFIX, HOST_LOST, STORAGE_LOST, Event, Schedule, ServerState

Picture = dict[str, Any]
"""A server by column, as events show it. What is empty is left out."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What there was when the rehearsal began."""

    servers: Mapping[str, Mapping[str, Any]]
    """Pictures by id, of the cells that answered."""
    schedules: Sequence[Schedule] = ()
    good: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When the newest good backup of each source was taken, by kind and id."""
    begun: Mapping[str, tuple[str, str, datetime]] = field(default_factory=dict)
    """Backups that were under way: kind and id of the source, and when they were begun."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of what else has a name: projects and customers by id."""
    silent: Sequence[str] = ()
    """The cells that did not answer."""


@dataclass(slots=True)
class Span:
    """From when to when; `ended_at` is None for what goes on."""

    began_at: datetime
    ended_at: datetime | None = None


@dataclass(slots=True)
class Shrunk:
    name: str
    times: int = 0
    least: tuple[float, float] = (1.0, 1.0)
    """The smallest shares of its CPU and of its memory that it had."""
    causes: list[str] = field(default_factory=list)
    """For whom, each once, in order."""


@dataclass(slots=True)
class Stopped:
    name: str
    at: datetime
    why: str
    is_backfilling: bool
    is_owed: bool = False
    """Whether it was stopped for room and is to start again by itself."""
    back_at: datetime | None = None
    """When it ran again."""


@dataclass(slots=True)
class Out(Span):
    name: str = ""
    why: str = ""
    ended_as: str | None = None


@dataclass(slots=True)
class Silent(Span):
    cell: str = ""
    is_old: bool = False
    """Whether it was silent already when the counting began: that is not for this rehearsal to mend."""


@dataclass(slots=True)
class Missed(Span):
    """`began_at` is when the first run was due; `ended_at` when the copy that makes up for it was whole."""

    name: str = ""
    why: str = ""
    runs: int = 1


@dataclass(slots=True)
class Evacuation(Span):
    host: str = ""
    stays: list[str] = field(default_factory=list)


@dataclass(slots=True)
class GroupSeen:
    name: str
    members: int = 0
    is_apart_first: bool = True
    """At the beginning, or when it first had a member that holds a host."""
    is_apart: bool = True
    up: int = 0
    up_least: int | None = None
    shared: list[Span] = field(default_factory=list)
    short: list[Span] = field(default_factory=list)
    """While a member that had a host was out."""


@dataclass(slots=True)
class Aged:
    """How old the last good backup of a source became."""

    name: str
    target_seconds: int | None
    oldest_seconds: float = 0.0


class Story:
    """See the module. `take` every event in order, `count_from` at its instant, `end` once."""

    def __init__(self, beginning: Beginning) -> None:
        self.shrunk: dict[str, Shrunk] = {}
        self.stopped: list[Stopped] = []
        self.out: list[Out] = []
        self.silent: list[Silent] = []
        self.missed: list[Missed] = []
        self.overlapped = 0
        self.backups_ready = 0
        self.longest_copy: tuple[float, str] | None = None
        """How long a copy took until it was whole, at most; and of what."""
        self.backups_failed: list[tuple[str, str]] = []
        self.switched_off: list[tuple[str, str]] = []
        self.evacuations: list[Evacuation] = []
        self.groups: dict[str, GroupSeen] = {}
        self.aged: dict[str, Aged] = {}
        """By id of the schedule."""
        self.longest_start: tuple[float, str] | None = None
        """How long a normal server waited from its place to its running, at most; and which."""
        self._servers: dict[str, Picture] = {id: dict(picture) for id, picture in beginning.servers.items()}
        self._names = {**beginning.names, **{id: str(each.get("name", "")) for id, each in self._servers.items()}}
        self._schedules: dict[str, Picture] = {each.id: _of_schedule(each) for each in beginning.schedules}
        self._good = dict(beginning.good)
        self._begun = dict(beginning.begun)
        self._owed: dict[str, Missed] = {}
        """By id of the schedule."""
        self._catching_up: dict[str, Missed] = {}
        """By id of the backup."""
        self._hosts_first: dict[str, str] = {}
        self._starting: dict[str, datetime] = {}
        self._silent_now = {cell: Silent(datetime.min, cell=cell) for cell in beginning.silent}
        self._out_now: dict[str, Out] = {}
        self._stopped_now: dict[str, list[Stopped]] = {}
        self._changed_groups: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._began_at: datetime | None = None
        self._at: datetime | None = None
        for id, picture in self._servers.items():
            self._enlist(id, picture)

    # The fold

    def take(self, event: Event) -> None:
        if self._at is not None and event.at != self._at:
            self._look_at_groups(self._at)
        self._at = event.at
        match event.object_kind:
            case "server":
                self._take_server(event)
            case "backup":
                self._take_backup(event)
            case "schedule":
                self._take_schedule(event)
            case "cell":
                self._take_cell(event)
            case "host":
                self._take_host(event)

    def count_from(self, at: datetime) -> None:
        """Forget what happened, and remember how it is: the rehearsal proper begins."""
        self._look_at_groups(self._at or at)
        self.shrunk.clear()
        for kept in (self.stopped, self.out, self.silent, self.missed, self.evacuations):
            kept.clear()
        self.backups_failed.clear()
        self.switched_off.clear()
        self.aged.clear()
        self._owed.clear()
        self._catching_up.clear()
        self._out_now.clear()
        self._stopped_now.clear()
        self.overlapped = self.backups_ready = 0
        self.longest_start = self.longest_copy = None
        self._began_at = at
        self._hosts_first = {id: str(each["host"]) for id, each in self._servers.items() if each.get("host")}
        for group in self.groups.values():
            group.is_apart_first, group.up_least = group.is_apart, group.up
            group.shared = [] if group.is_apart else [Span(at)]
            group.short = []
        self.silent = [Silent(at, cell=cell, is_old=True) for cell in sorted(self._silent_now)]
        self._silent_now = {each.cell: each for each in self.silent}

    def end(self, at: datetime) -> None:
        self._look_at_groups(self._at or at)
        for id, schedule in self._schedules.items():
            if schedule.get("is_active"):
                self._age(id, at)

    # What it comes to

    @property
    def moved(self) -> list[tuple[str, str, str]]:
        """Name, host at the beginning, host in the end; by name."""
        found = []
        for id, before in self._hosts_first.items():
            after = self._servers.get(id, {}).get("host")
            if after is not None and after != before:
                found.append((self.name_of(id), before, str(after)))
        return sorted(found)

    @property
    def troubles(self) -> Iterator[Span]:
        yield from self.out
        yield from (each for each in self.silent if not each.is_old)
        yield from self.missed
        yield from (Span(each.at, each.back_at) for each in self.stopped if each.is_owed)
        yield from (span for group in self.groups.values() if group.is_apart_first for span in group.shared)

    @property
    def recovery_seconds(self) -> float | None:
        """From the first trouble to the end of the last; 0 where there was none, None where one goes on."""
        troubles = list(self.troubles)
        if not troubles:
            return 0.0
        ends = [trouble.ended_at for trouble in troubles if trouble.ended_at is not None]
        if len(ends) < len(troubles):
            return None
        return (max(ends) - min(trouble.began_at for trouble in troubles)).total_seconds()

    def states_of(self, name: str) -> list[str]:
        """Of all servers of that name, sorted."""
        return sorted(str(each.get("state")) for each in self._servers.values() if each.get("name") == name)

    def name_of(self, id: str) -> str:
        return self._names.get(id) or id

    @property
    def names(self) -> Mapping[str, str]:
        """By id, of whatever has or had one."""
        return self._names

    # Servers

    def _take_server(self, event: Event) -> None:
        id, verb = event.object_id, event.kind.partition(".")[2]
        if verb == "deleted":
            self._gone(id, event.at)
            return
        picture = self._servers.setdefault(id, {})
        before = dict(picture)
        for column, (_, after) in event.changes.items():
            if after is None:
                picture.pop(column, None)
            else:
                picture[column] = after
        self._names[id] = str(picture.get("name", ""))
        if "tags" in event.changes or not before:
            self._enlist(id, picture)
        if {"state", "host"} & event.changes.keys():
            self._changed_groups |= set(_groups_of(picture))
        if verb == "shrunk":
            self._note_shrunk(id, picture, event)
        elif verb == "displaced":
            cause = self.name_of(str(picture.get("displaced_for", "")))
            self._note_stopped(id, picture, event.at, f"to make room for {cause}")
            self.stopped[-1].is_owed = bool(picture.get("restarts"))
        elif verb == "stopped" and picture.get("reason") == HOST_LOST:
            self._note_stopped(id, picture, event.at, f"its host {before.get('host', '')} was lost")
        self._follow_state(id, picture, before, event)

    def _note_shrunk(self, id: str, picture: Picture, event: Event) -> None:
        shrunk = self.shrunk.setdefault(id, Shrunk(self.name_of(id)))
        shrunk.times += 1
        least = tuple(
            min(old, picture.get(f"{column}_effective", 0) / picture[column])
            for old, column in zip(shrunk.least, ("cpu_mhz", "memory_bytes"), strict=True)
        )
        shrunk.least = (least[0], least[1])
        cause = self.name_of(str(event.details.get("cause", "")))
        if cause not in shrunk.causes:
            shrunk.causes.append(cause)

    def _note_stopped(self, id: str, picture: Picture, at: datetime, why: str) -> None:
        self.stopped.append(Stopped(self.name_of(id), at, why, bool(picture.get("is_backfilling"))))
        self._stopped_now.setdefault(id, []).append(self.stopped[-1])

    def _follow_state(self, id: str, picture: Picture, before: Picture, event: Event) -> None:
        state, was = picture.get("state"), before.get("state")
        if state == was:
            return
        name = self.name_of(id)
        is_out = state == ServerState.UNAVAILABLE or (
            state == ServerState.PAUSED and picture.get("reason") == STORAGE_LOST
        )
        if is_out and id not in self._out_now:
            lost = event.details.get("host")
            why = f"host {lost} was lost" if lost else "a drive of it was lost"
            self._out_now[id] = Out(event.at, name=name, why=why)
            self.out.append(self._out_now[id])
        elif state in (ServerState.RUNNING, ServerState.STOPPED) and (out := self._out_now.pop(id, None)) is not None:
            out.ended_at, out.ended_as = event.at, str(state)
        if state == ServerState.STARTING:
            self._starting[id] = event.at
        if state == ServerState.RUNNING:
            for stopped in self._stopped_now.pop(id, ()):
                stopped.back_at = event.at
            begun = self._starting.pop(id, None)
            if begun is not None and not picture.get("is_backfilling"):
                took = (event.at - begun).total_seconds()
                if self.longest_start is None or took > self.longest_start[0]:
                    self.longest_start = (took, name)

    def _gone(self, id: str, at: datetime) -> None:
        picture = self._servers.pop(id, {})
        for group in _groups_of(picture):
            self._members.get(group, set()).discard(id)
            self._changed_groups.add(group)
        if (out := self._out_now.pop(id, None)) is not None:
            out.ended_at, out.ended_as = at, "deleted"

    # Groups

    def _enlist(self, id: str, picture: Picture) -> None:
        for members in self._members.values():
            members.discard(id)
        for group in _groups_of(picture):
            self._members.setdefault(group, set()).add(id)
            self._changed_groups.add(group)

    def _look_at_groups(self, at: datetime) -> None:
        """Once for each instant: what happens at the same one is not seen half-way."""
        for name in sorted(self._changed_groups):
            pictures = [self._servers[id] for id in sorted(self._members.get(name, ()))]
            holding = [each for each in pictures if has_host(str(each.get("state"))) and each.get("host")]
            up = [each for each in holding if each["state"] in (ServerState.RUNNING, ServerState.STOPPING)]
            hosts = Counter(str(each["host"]) for each in holding)
            group = self.groups.setdefault(name, GroupSeen(name))
            is_new = group.up_least is None and self._began_at is not None
            group.members, group.up = len(pictures), len(up)
            is_apart = not hosts or max(hosts.values()) == 1
            if is_new and holding:
                group.is_apart_first, group.up_least = is_apart, len(up)
            if group.up_least is not None:
                group.up_least = min(group.up_least, len(up))
            is_short = any(id in self._out_now for id in self._members.get(name, ()))
            _toggle(group.shared, not is_apart, at)
            _toggle(group.short, is_short, at)
            group.is_apart = is_apart
        self._changed_groups.clear()

    # Cells and hosts

    def _take_cell(self, event: Event) -> None:
        cell, verb = event.object_id, event.kind.partition(".")[2]
        span = self._silent_now.get(cell)
        if verb == "up":
            if span is not None:
                span.ended_at = event.at
                del self._silent_now[cell]
        elif span is None:
            self._silent_now[cell] = Silent(event.at, cell=cell)
            self.silent.append(self._silent_now[cell])

    def _take_host(self, event: Event) -> None:
        name, verb = event.object_id, event.kind.partition(".")[2]
        last = next((each for each in reversed(self.evacuations) if each.host == name), None)
        if verb == "maintenance":
            self.evacuations.append(Evacuation(event.at, host=name))
        elif last is not None and (verb == "evacuated" or last.ended_at is None):
            # It may be evacuated again, when there is room for more of its servers: then that is when it was over.
            last.ended_at = event.at
            last.stays = sorted(self.name_of(str(id)) for id in event.details.get("stays", ()))

    # Backups

    def _take_schedule(self, event: Event) -> None:
        id, verb = event.object_id, event.kind.partition(".")[2]
        picture = self._schedules.setdefault(id, {})
        for column, (_, after) in event.changes.items():
            picture[column] = after
        if verb == "created":
            picture.setdefault("created_at", event.at)
        name = self._name_of_schedule(id)
        if verb == "missed":
            due_at = datetime.fromisoformat(str(event.details["due_at"]))
            missed = self._owed.get(id)
            if missed is None:
                missed = self._owed[id] = Missed(due_at, name=name, why=str(event.details.get("why", "")), runs=0)
                self.missed.append(missed)
            missed.runs += int(event.details.get("runs", 1))
        elif verb == "ran" and id in self._owed:
            self._catching_up[str(event.details.get("backup"))] = self._owed.pop(id)
        elif verb == "overlapped":
            self.overlapped += 1
        elif verb in ("failed", "switched_off"):
            self.switched_off.append((name, str(event.details.get("reason", "") or picture.get("reason", ""))))
        elif verb == "deleted":
            del self._schedules[id]

    def _name_of_schedule(self, id: str) -> str:
        picture = self._schedules[id]
        return str(picture.get("description") or self.name_of(str(picture.get("source_id", ""))))

    def _take_backup(self, event: Event) -> None:
        id, verb = event.object_id, event.kind.partition(".")[2]
        if verb == "created":
            kind, source = (event.changes.get(column, (None, None))[1] for column in ("source_kind", "source_id"))
            self._begun[id] = (str(kind or "server"), str(source), event.at)
        elif verb == "ready" and id in self._begun:
            kind, source, begun_at = self._begun.pop(id)
            self.backups_ready += 1
            took = (event.at - begun_at).total_seconds()
            if self.longest_copy is None or took > self.longest_copy[0]:
                self.longest_copy = (took, self.name_of(source))
            for schedule_id, picture in self._schedules.items():
                if picture.get("source_id") == source:
                    self._age(schedule_id, event.at)
            self._good[kind, source] = begun_at
            if (missed := self._catching_up.pop(id, None)) is not None:
                missed.ended_at = event.at
        elif verb == "failed":
            source = self._begun.pop(id, ("", "", event.at))[1]
            self.backups_failed.append((self.name_of(source), str(event.details.get("reason", ""))))

    def _age(self, schedule_id: str, at: datetime) -> None:
        """The last good backup of its source is as old as it gets, until a newer one is ready or all is over."""
        if self._began_at is None:
            return
        picture = self._schedules[schedule_id]
        kind, source = str(picture.get("source_kind") or "server"), str(picture.get("source_id"))
        since = self._good.get((kind, source)) or _instant(picture.get("created_at")) or at
        aged = self.aged.setdefault(
            schedule_id, Aged(self._name_of_schedule(schedule_id), picture.get("target_seconds"))
        )
        aged.oldest_seconds = max(aged.oldest_seconds, (at - since).total_seconds())


def tell(beginning: Beginning, events: Iterable[Event], *, counts_from: datetime, ends: datetime) -> Story:
    """All of it at once. `events` in the order of (instant, file, number)."""
    story = Story(beginning)
    is_counting = False
    for event in events:
        if not is_counting and event.at >= counts_from:
            story.count_from(counts_from)
            is_counting = True
        story.take(event)
    if not is_counting:
        story.count_from(counts_from)
    story.end(ends)
    return story


def _toggle(spans: list[Span], is_on: bool, at: datetime) -> None:
    open_one = spans[-1] if spans and spans[-1].ended_at is None else None
    if is_on and open_one is None:
        spans.append(Span(at))
    elif not is_on and open_one is not None:
        open_one.ended_at = at


def _groups_of(picture: Mapping[str, Any]) -> list[str]:
    tags = picture.get("tags") or ()
    return [tag[len(GROUP_TAG_PREFIX) :] for tag in tags if str(tag).startswith(GROUP_TAG_PREFIX)]


def _of_schedule(schedule: Schedule) -> Picture:
    return {
        "source_kind": schedule.source_kind,
        "source_id": schedule.source_id,
        "description": schedule.description,
        "is_active": schedule.is_active,
        "target_seconds": schedule.target_seconds,
        "created_at": schedule.created_at,
    }


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None
