"""Verifies every decision in a cell's log of events, from its beginning. Shares no code with what decided.

A certificate lies in the event of the placement that it is about, and speaks of the state just before it. For each: the
chosen host has room once its stops are carried out; no other set of that host is better by (count, work, CPU, ids); no
other host has a smaller key, avoid classes included; who is told to go is who the decision names; and what else it says
is so (`decision_checker`). What is not is a `Breach`. `backend.cloud.certificates` has the form.

Not every host is looked at for every decision: for each size, lower bounds of all hosts are kept, and one is worked out
anew when its host has changed or when it lies below the key in question. Work lost grows with time, so bounds lie in
heaps by (count, slope): what any `count` servers lose grows by at least the `count` least CPUs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import heappop, heappush
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

from backend.decision_checker import Rules, check_backfilling, check_decision, check_floors, check_second
from backend.event_log import Breach, CellLog, Event, Picture
from backend.host_account import Host, Hosts, Key, seconds

ENUMERATED_MAX = 3000  # sets that are tried one by one: where there are more, the certificate must bring a proof
TABLES_KEPT = 64
EVERY_KEY: Key = (1 << 60, 0, ())
Item = tuple[int, int, int]  # floors in CPU and memory, and a weight


class Question(NamedTuple):
    """What is asked of each host: that it does not come below the goal."""

    size: tuple[int, int]
    at: int
    policy: str
    goal: Key
    hints: Mapping[str, Any]


def least_key(host: Host, asked: Question, own: list[int] | None = None) -> Key:
    """What its key is at least: proved up to the goal, or else exactly. The host has room for the size.

    `own` is the set that the decision stops here, which must be the best one, as far as the goal says.
    """
    size, at, policy, goal, hints = asked
    short, works, hint = host.short(size), host.works(at), hints.get(host.name, {})
    ordered, n, count = sorted(works), len(works), host.fewest(size)
    if max(short) <= 0 or (bound := (count, sum(ordered[:count]), ())) >= goal:
        return host.key(size, (), works, policy) if max(short) <= 0 else bound
    if count < goal[0]:
        count, free = goal[0], [(*floor, 0) for floor in host.floors]
        if not is_proved(hint.get("count"), free, count - 1, (*short, 1), 0):
            raise Breach(f"nothing proves that fewer stops than {count} are not enough on {host.name}")
        if (bound := (count, sum(ordered[:count]), ())) >= goal:
            return bound
    scale = host.slopes[-1] + 1
    weights = [((works[i] * scale + host.sizes[i][0]) << n) - (1 << n - 1 - i) for i in range(n)]
    best: Any = sorted(sorted(range(n), key=weights.__getitem__)[:count])
    if not host.covers(best, short):
        if comb(n, count) <= ENUMERATED_MAX:
            fitting = (each for each in combinations(range(n), count) if host.covers(each, short))
            best = min(fitting, key=lambda each: sum(weights[i] for i in each), default=None)
            if best is None:
                return (count + 1, sum(ordered[: count + 1]), ())
        else:
            best = hint.get("stops") if own is None else own if goal[2] else None
            beyond = goal[1] * scale + min(goal[2][0] if goal[2] else -1, scale - 1)
            least = beyond << n if best is None else sum(weights[i] for i in best)
            items = [(*floor, weight) for floor, weight in zip(host.floors, weights, strict=True)]
            if not is_proved(hint.get("work"), items, count, (*short, least), n):
                raise Breach(f"nothing proves that no {count} stops on {host.name} come before the decision's")
            if best is None:
                return (count, goal[1], (goal[2][0] + 1,) if goal[2] else ())
            if len(best) != count or not host.covers(best, short):
                raise Breach(f"the hint for {host.name} names servers that do not make room")
    if own is not None and goal[2] and list(best) != own:
        raise Breach(f"another set of {count} servers to stop on {host.name} comes before the decision's")
    return host.key(size, best, works, policy)


def is_proved(tree: Any, items: Sequence[Item], count: int, owed: Sequence[int], shift: int) -> bool:
    """Whether any `count` items whose floors reach the two first of `owed` weigh as much as the third."""
    if tree is None:
        sets = combinations(items, count) if comb(len(items), count) <= ENUMERATED_MAX else None
        sums = None if sets is None else ([sum(item[d] for item in one) for d in (0, 1, 2)] for one in sets)
        return sums is not None and all(s[2] >= owed[2] for s in sums if s[0] >= owed[0] and s[1] >= owed[1])
    if len(tree) == 2:
        cpu, memory = (max(0, price) << shift for price in tree)
        least = sorted(item[2] - cpu * item[0] - memory * item[1] for item in items)
        return len(items) < count or sum(least[:count]) + cpu * owed[0] + memory * owed[1] >= owed[2]
    at, stopped, kept = tree
    one, rest = items[at], [*items[:at], *items[at + 1 :]]
    less = [owed[d] - one[d] for d in (0, 1, 2)]
    return is_proved(kept, rest, count, owed, shift) and (not count or is_proved(stopped, rest, count - 1, less, shift))


class Table:
    """Lower bounds of all hosts for one size: heaps by count and slope."""

    def __init__(self) -> None:
        self.cursor, self.at = 0, 0
        self.heaps: dict[tuple[int, int], list[tuple[int, tuple[Any, ...], str, int]]] = {}

    def hold(self, host: Host, key: Key, at: int, place: int) -> None:
        count, work, rest = key
        slope = host.slopes[count] if at >= max(host.started, default=0) else 0
        # The rest of a key lasts only where no other set of the host can come before this one later on.
        entry = (work - slope * at, rest if count == 0 or (rest and rest[0] == slope) else (), host.name, place)
        heappush(self.heaps.setdefault((count, slope), []), entry)


class CertificateChecker:
    """Judges the decisions of one cell. Give it each event before its log takes it."""

    def __init__(self, log: CellLog, rules: Rules) -> None:
        self.log, self.rules, self.checked, self.with_gap = log, rules, 0, 0
        self._hosts = Hosts(log)
        self._told: list[str] = []
        self._tables: dict[tuple[Any, ...], Table] = {}

    def end(self) -> None:
        if self._told:
            raise Breach(f"the log ends before {self._told[0]} is told to stop, as was decided")

    def look(self, event: Event) -> None:
        if event.object_kind == "server":
            check_floors(event, self.log.objects["server"].get(event.object_id, {}), self.rules)
        if self._told or event.kind == "server.notice":
            if event.kind != "server.notice" or event.object_id != (self._told.pop(0) if self._told else None):
                raise Breach(f"event {event.number} is a {event.kind} of {event.object_id}, which was not decided")
        elif event.kind == "server.placed":
            try:
                self._judge(event, self.log.objects["server"][event.object_id])
                self._told = list(event.details["decision"]["stops"])
            except Breach as breach:
                raise Breach(f"event {event.number} places server {event.object_id}: {breach}") from breach
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise Breach(f"event {event.number} cannot be understood ({error!r})") from error

    def _judge(self, event: Event, server: Picture) -> None:
        said, proof, at = event.details["decision"], event.details.get("certificate"), seconds(event.at)
        name, size = said["host"], (server["cpu_mhz"], server["memory_bytes"])
        if event.changes.get("host", (None, server.get("host")))[1] != name:
            raise Breach(f"the decision names {name}, which is not where it goes")
        if server["is_backfilling"]:
            self.checked += check_backfilling(event, server, self.log, self._hosts, self.rules)
            return
        host = self._hosts.of(name, without=event.object_id)
        stops = [host.ids.index(id) for id in said["stops"]]
        if not host.has_room(size) or not host.covers(stops, host.short(size)):
            raise Breach(f"{name} has no room for it, even after the stops")
        if proof is None:
            if stops or not all(host.room[d] >= size[d] for d in (0, 1)):
                raise Breach("it disturbs others and has no certificate")
            return
        key = host.key(size, stops, host.works(at), proof["policy"])
        if [proof["after"], *proof["key"]] != [self.log.number, key[0], key[1], *key[2][:2]]:
            raise Breach(f"the certificate is of event {proof['after']} and claims {proof['key']}, not {key[:2]} ...")
        ranks = check_decision(event, server, self._hosts, self.rules)
        check_second(said, self._hosts, event.object_id, size, ranks)
        gap = proof.get("gap")
        goal: Key = (key[0] - gap[0], 0 if gap[0] else key[1] - gap[1], ()) if gap else key
        asked = Question(size, at, proof["policy"], goal, proof.get("hints", {}))
        if least_key(host, asked, stops) < goal:
            raise Breach(f"fewer or others could stop on {name}")
        special = {name, *ranks, *([server["host"]] if server.get("host") else [])}
        classes = {each: [-rank for rank in ranks.get(each, ())] for each in special}
        for other in sorted(special - {name}):
            there = self._hosts.of(other, without=event.object_id)
            if classes[other] > classes[name] or not there.has_room(size):
                continue
            if classes[other] < classes[name] or least_key(there, asked) < goal:
                raise Breach(f"{other} comes before {name}")
        self._rule_out(asked._replace(goal=EVERY_KEY) if classes[name] else asked, special)
        self.checked, self.with_gap = self.checked + 1, self.with_gap + bool(gap)

    def _rule_out(self, asked: Question, special: Collection[str]) -> None:
        """No host but the special ones, which hold something of the avoid list or are its own, is below the goal."""
        (size, at, policy, goal, _), cheap = asked, asked._replace(goal=(0, 0, ()))
        table = self._tables.pop((*size, policy), None)
        self._tables[(*size, policy)] = table = table if table is not None and at >= table.at else Table()
        if len(self._tables) > TABLES_KEPT:
            del self._tables[next(iter(self._tables))]
        for name in dict.fromkeys(self.log.changed[table.cursor :]):
            if self._hosts.is_compute(name) and (host := self._hosts.of(name)).has_room(size):
                table.hold(host, least_key(host, cheap), at, self._hosts.place(name))
        table.cursor, table.at = len(self.log.changed), at
        kept: list[tuple[Host, Key]] = []
        for (count, slope), heap in table.heaps.items():
            while heap and (count, heap[0][0] + slope * at, heap[0][1]) < goal:
                _, _, name, place = heappop(heap)
                if place != self._hosts.place(name):
                    continue
                host = self._hosts.of(name)
                kept.append((host, least_key(host, cheap if name in special or goal == EVERY_KEY else asked)))
                if name not in special and kept[-1][1] < goal:
                    raise Breach(f"{name} comes before the host of the decision")
        for host, found in kept:
            table.hold(host, found, at, self._hosts.place(host.name))
