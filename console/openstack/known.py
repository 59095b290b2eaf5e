"""What is known of the servers and hosts of an OpenStack, put together from several answers. Pure.

Nova tells no client of its cells. What can be told of one that does not answer is told in pieces: servers of which the
list says UNKNOWN, compute services that are UNKNOWN, servers missing from a list that had no room for them. Each server
keeps what was last known of it here, from when its cell still answered. Zones stand where our own clouds have cells; of
one of which only a part is silent that is said.

A filter hides UNKNOWN rows, and `changes-since` is one: so who answers is asked twice, once with it and once without.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from console.openstack.wire import COMPUTE, UNSEEN, Brief, Group, Listed
from console.records import PARTLY, UNKNOWN, CellRecord, GroupRecord, HostRecord, MemberRecord, ServerRecord, SizeRecord
from console.records_services import ServiceRecord

T = TypeVar("T")

GROUP_TAG = "group:"


class News(NamedTuple):
    """What has changed since it was asked for last."""

    servers: tuple[ServerRecord, ...] = ()
    removed: tuple[str, ...] = ()


class Known:
    """The rows as they were told last, and since when what does not answer."""

    def __init__(self) -> None:
        self.rows: dict[str, ServerRecord] = {}
        self.services: tuple[ServiceRecord, ...] | None = None
        self.hosts: tuple[HostRecord, ...] | None = None
        self.groups: tuple[Group, ...] | None = None
        self.seen_at: datetime | None = None
        """When the servers were looked at last with success."""
        self._group_of: Mapping[str, str] = {}
        self._zones: dict[str, str] = {}
        """Of compute hosts, also of those that are UNKNOWN now."""
        self._silent_since: dict[str, datetime] = {}
        self._hosts_told: dict[str, HostRecord] = {}
        """Each as the list of hosts had it last: that leaves out a silent one before its service is UNKNOWN."""
        self._service_seen: dict[str, tuple[str | None, datetime]] = {}
        self._revision = 0
        """What is worked out of the rows is, as long as this stays."""
        self._worked_out: dict[str, tuple[object, Any]] = {}
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}

    # ------------------------------------------------------------------------------------------------------- servers

    @property
    def unknown_ids(self) -> frozenset[str]:
        return frozenset(id for id, row in self.rows.items() if not row.is_reachable)

    def take_news(self) -> News:
        """What has changed since this was asked last: nothing is lost where a look fails in its middle."""
        news = News(tuple(self.rows[id] for id in self._changed if id in self.rows), tuple(self._removed))
        self._changed, self._removed = {}, {}
        return news

    def take_listed(self, page: Listed) -> None:
        """Rows of a detailed list: what it says of each is so now."""
        for row in page.servers:
            self._put(self._grouped(row))
        for row in page.unknown:
            self._fall_silent(row)
        self.gone(page.deleted)

    def take_brief(self, brief: Brief) -> frozenset[str]:
        """Who answers and who does not, in a list that no filter narrows. Those that answer again, of which nobody has
        told what became of them meanwhile.
        """
        for row in brief.unknown:
            self._fall_silent(row)
        return brief.answering & self.unknown_ids

    def missing_from(self, ids: Collection[str], *, also_silent: bool) -> list[str]:
        """Servers that were in no list: gone, or hidden. Of silent ones only where the list would have them."""
        return [id for id, row in self.rows.items() if id not in ids and (also_silent or row.is_reachable)]

    def gone(self, ids: Iterable[str]) -> None:
        for id in ids:
            if self.rows.pop(id, None) is not None:
                self._revision += 1
                self._changed.pop(id, None)
                self._removed[id] = None

    def fell_silent(self, ids: Iterable[str]) -> None:
        """Servers that exist and that the cloud says nothing of."""
        for id in list(ids):
            if id in self.rows:
                self._fall_silent(self.rows[id])

    def _put(self, row: ServerRecord) -> None:
        if self.rows.get(row.id) != row:
            self.rows[row.id] = row
            self._revision += 1
            self._changed[row.id] = None
            self._removed.pop(row.id, None)

    def _fall_silent(self, row: ServerRecord) -> None:
        """It stays as it was last known."""
        known = self.rows.get(row.id)
        if known is None:
            self._put(self._grouped(row))
        elif known.is_reachable:
            self._put(replace(known, state=UNKNOWN, last_state=known.state, is_reachable=False, known_at=self.seen_at,
                              doing=None))  # fmt: skip

    # --------------------------------------------------------------------------------------------- services and hosts

    def take_services(self, found: Iterable[ServiceRecord], at: datetime, *, is_list_silent: bool = False) -> None:
        """The services. Where the list of servers cannot tell UNKNOWN ones, servers of an UNKNOWN host are such."""
        services = []
        for each in found:
            if each.is_unknown:
                last, seen_at = self._service_seen.get(each.key, (None, at))
                known_at = None if last is None else seen_at
                services.append(each._replace(cell=self._zone_of(each.host), last_state=last, known_at=known_at))
                continue
            state = "maintenance" if each.status == "disabled" and each.state == "up" else each.state
            self._service_seen[each.key] = (state, at)
            if each.binary == COMPUTE and each.cell is not None:
                self._zones[each.host] = each.cell
            services.append(each)
        self._revision += 1
        self.services = tuple(services)
        if self.hosts is not None:
            self.take_hosts(None)
        silent = self.silent_hosts if is_list_silent else frozenset()
        self.fell_silent([id for id, row in self.rows.items() if row.is_reachable and row.host in silent])

    def _zone_of(self, host: str) -> str:
        return self._zones.get(host, UNSEEN)

    @property
    def silent_hosts(self) -> frozenset[str]:
        return frozenset(each.host for each in self.services or () if each.is_unknown)

    @property
    def zones_of_hosts(self) -> Mapping[str, str]:
        return self._zones

    def take_hosts(self, found: Sequence[HostRecord] | None) -> tuple[HostRecord, ...]:
        """The hosts, with who is silent marked; None where the cloud would not say: then those that are known stay."""
        silent, before = self.silent_hosts, {host.name: host for host in self.hosts or ()}
        by_service = {host.name: host for host in self._hosts_by_service()}
        hosts = {**by_service, **before} if found is None else {host.name: host for host in found}
        self._hosts_told.update({} if found is None else hosts)
        for name in silent:
            # Nova lists none of them: they are kept as they were.
            last = self._hosts_told.get(name) or before.get(name)
            hosts[name] = last if last is not None else HostRecord(name, self._zone_of(name), "compute", "up")
        self._revision += 1
        self.hosts = tuple(
            host._replace(is_reachable=host.name not in silent, state_since=self._down_since(host))
            for host in sorted(hosts.values(), key=lambda each: (each.cell, each.name))
        )
        return self.hosts

    def _down_since(self, host: HostRecord) -> datetime | None:
        """When a host that is down was heard last, as its service tells."""
        if host.state != "down":
            return host.state_since
        told = (each.updated_at for each in self.services or () if (each.binary, each.host) == (COMPUTE, host.name))
        return next(told, None) or host.state_since

    def _hosts_by_service(self) -> Iterable[HostRecord]:
        """The compute hosts as far as their services tell: no figures."""
        for each in self.services or ():
            if each.binary == COMPUTE and not each.is_unknown:
                state = "down" if each.state == "down" else "maintenance" if each.status == "disabled" else "up"
                yield HostRecord(each.host, self._zone_of(each.host), "compute", state)

    # ------------------------------------------------------------------------------------------------- server groups

    def take_groups(self, found: Sequence[Group]) -> None:
        """The groups, and with them the servers that are in another one than was known."""
        self._revision += 1
        self.groups = tuple(found)
        self._group_of = {member: group.name for group in found for member in group.members}
        for row in list(self.rows.values()):
            self._put(self._grouped(row))

    def _grouped(self, row: ServerRecord) -> ServerRecord:
        name = self._group_name(row)
        return row if row.group == name else replace(row, group=name)

    def _group_name(self, row: ServerRecord) -> str | None:
        """Its server group, or else what our own clouds go by: a tag `group:NAME` that it shares with others."""
        tagged = (tag.removeprefix(GROUP_TAG) for tag in row.tags if tag.startswith(GROUP_TAG))
        return self._group_of.get(row.id) or next(tagged, None)

    def group_records(self) -> tuple[GroupRecord, ...] | None:
        """By name; None before the server groups have been told."""
        return None if self.groups is None else self._once("groups", self._revision, self._group_records)

    def _once(self, what: str, of: object, work: Callable[[], T]) -> T:
        """What it was worked out to be, until what it is of has changed: it is asked for each second."""
        known = self._worked_out.get(what)
        if known is None or known[0] != of:
            known = self._worked_out[what] = (of, work())
        found: T = known[1]
        return found

    def _group_records(self) -> tuple[GroupRecord, ...]:
        assert self.groups is not None, "they have been told"
        told = {group.name for group in self.groups}
        members: dict[str, list[str]] = {name: [] for name in told}
        for row in self.rows.values():
            if row.group is not None:
                members.setdefault(row.group, []).append(row.id)
        # Of servers that were UNKNOWN from the first nobody knows the tags, and so neither whether they are in a group.
        are_unseen = any(not row.is_reachable and row.last_state is None for row in self.rows.values())
        return tuple(
            availability(name, ids, self.rows, may_have_more=are_unseen and name not in told)
            for name, ids in sorted(members.items())
        )

    # --------------------------------------------------------------------------------------------------------- zones

    def zones(self, at: datetime) -> tuple[CellRecord, ...]:
        """The zones in the place of cells: whether what is in each answers, and since when not."""
        return self._once("zones", (self._revision, self.seen_at), lambda: self._zone_records(at))

    def _zone_records(self, at: datetime) -> tuple[CellRecord, ...]:
        total: Counter[str] = Counter()
        silent: Counter[str] = Counter()
        hosts: dict[str, set[str]] = defaultdict(set)
        silent_hosts = self.silent_hosts
        for row in self.rows.values():
            total[row.cell] += 1
            silent[row.cell] += not row.is_reachable
        for name, zone in self._zones.items():
            hosts[zone].add(name)
        for name in silent_hosts - self._zones.keys():
            hosts[UNSEEN].add(name)
        names = sorted({*total, *hosts})
        found = []
        for name in names:
            lost = hosts[name] & silent_hosts
            state = _state(total[name] - silent[name] + len(hosts[name] - lost), silent[name] + len(lost))
            if state == "up":
                self._silent_since.pop(name, None)
            else:
                self._silent_since.setdefault(name, at)
            own = [host for host in self.hosts or () if host.cell == name]
            found.append(
                CellRecord(
                    name=name,
                    state=state,
                    reason=_reason(name, silent[name], total[name], len(lost), len(hosts[name])),
                    since=self._silent_since.get(name),
                    answered_at=self.seen_at,
                    hosts=len(hosts[name]) or None,
                    # Hosts may be told long before the list of servers has come.
                    servers=None if self.seen_at is None else total[name],
                    unknown=None if self.seen_at is None else silent[name],
                    capacity=_added(host.capacity for host in own),
                    normal=_added(host.normal for host in own),
                )
            )
        return tuple(found)


def _added(sizes: Iterable[SizeRecord | None]) -> SizeRecord | None:
    known = [size for size in sizes if size is not None]
    if not known:
        return None
    return SizeRecord(sum(size.cpu_mhz for size in known), sum(size.memory_bytes for size in known))


def _state(answering: int, silent: int) -> str:
    if not silent:
        return "up"
    return PARTLY if answering else "down"


def _reason(name: str, silent: int, total: int, hosts_silent: int, hosts: int) -> str:
    if name == UNSEEN:
        return "UNKNOWN ever since they were first listed; their zone is not told"
    parts = []
    if silent:
        parts.append(f"{silent} of {total} servers")
    if hosts_silent:
        parts.append(f"{hosts_silent} of {hosts} hosts")
    return f"{' and '.join(parts)} UNKNOWN" if parts else ""


def availability(
    name: str, ids: Iterable[str], rows: Mapping[str, ServerRecord], *, may_have_more: bool = False
) -> GroupRecord:
    """Who of a group shares a host, and how many hosts it can lose: from the hosts that the list names.

    At least so many, where members do not answer or there may be others that nobody has seen.

    Who is no administrator is told a hash of the host, which is the same for all servers of one project on it.
    """
    found = sorted((rows[id] for id in ids), key=lambda row: row.id)
    members = tuple(MemberRecord(row.id, row.name, row.cell, row.host, row.state, row.is_reachable) for row in found)
    held = Counter(row.host for row in found if row.host is not None and row.is_reachable)
    alive = Counter(row.host for row in found if row.host is not None and row.is_reachable and row.state == "running")
    left, worst = alive.total(), []
    for host, count in sorted(alive.items(), key=lambda pair: (-pair[1], pair[0])):
        worst.append(host)
        left -= count
    is_known = any(row.is_reachable for row in found)
    tolerates = len(worst) - 1 if worst else 0
    return GroupRecord(
        name=name,
        members=members,
        needs=1,
        hosts=len(held),
        collisions=held.total() - len(held),
        tolerates=tolerates if is_known else None,
        is_bound=is_known and (may_have_more or not all(row.is_reachable for row in found)),
        worst_case=tuple(worst),
    )
