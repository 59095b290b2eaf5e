"""The part of cloud.db that is about money: what was in use, what was paid and bought."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from operator import attrgetter
from typing import Literal

from backend.cloud.billing import Correction, Lump
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import Interval
from backend.cloud.networks import sent_rate
from backend.cloud.prices import RESOURCES, TICK
from backend.cloud.subscriptions import Subscription, Term
from backend.store.networks import NetworksTransaction
from backend.store.rows import Row, instant_of, json_of

_INTERVAL = (
    "object_id, object_kind, account, begun_at, ended_at, state, cpu_mhz, memory_bytes, cpu_mhz_had, memory_bytes_had,"
    " size_bytes, is_backfilling, cpu_type, cpu_mhz_effective, memory_bytes_effective, sent_rate"  # as its fields
)
_OPEN = (
    f"SELECT {_INTERVAL} FROM usage_interval WHERE file = ? AND ended_at IS NULL"  # noqa: S608
    " AND object_kind = ? AND object_id IN (SELECT value FROM json_each(?))"
)
_CLOSE = (
    "DELETE FROM usage_interval WHERE file = ? AND ended_at IS NULL"
    " AND object_kind = ? AND object_id IN (SELECT value FROM json_each(?))"
)
_ADD_INTERVAL = (
    f"INSERT INTO usage_interval (file, {_INTERVAL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
)
_PRESUMED = f"SELECT {_INTERVAL} FROM presumed_interval WHERE file = ?"  # noqa: S608
_ADD_PRESUMED = _ADD_INTERVAL.replace("usage_interval", "presumed_interval")
_SERVERS = (
    f"SELECT {_INTERVAL} FROM usage_interval WHERE object_kind = 'server'"  # noqa: S608
    " AND (ended_at IS NULL OR ended_at > ?) AND begun_at < ?"
)
_PRESUMED_SERVERS = f"SELECT {_INTERVAL} FROM presumed_interval WHERE object_kind = 'server'"  # noqa: S608


class _Steps:
    """Series of amounts: those that the ledger's rows are made of, or how far they were wrong."""

    def __init__(self, table: str, condition: str) -> None:
        of_one = f"FROM {table} WHERE account = ? AND resource = ? AND file = ? {condition}"
        self.before = f"SELECT amount {of_one} AND at < ? ORDER BY at DESC LIMIT 1"
        self.since = f"SELECT at, amount {of_one} AND at >= ? ORDER BY at"
        self.clear = f"DELETE {of_one} AND at >= ?"
        self.within = (
            f"SELECT resource, file, at, amount FROM {table} WHERE account = ?"  # noqa: S608
            f" {condition} AND at > ? AND at < ? ORDER BY at"
        )
        layer = condition[-1:] + ", " if condition else ""
        self.add = f"INSERT INTO {table} VALUES (?, ?, ?, {layer}?, ?)"  # noqa: S608


_BOOKED = _Steps("usage_step", "")
_SETTLED = _Steps("late_step", "AND is_fresh = 0")
_FRESH = _Steps("late_step", "AND is_fresh = 1")
_LAYERS = {"booked": _BOOKED, "settled": _SETTLED, "fresh": _FRESH}
Layer = Literal["booked", "settled", "fresh"]
"""What the rows of the ledger are made of; how much more there was, for which there are corrections, and for which
there are none yet."""

_BROKEN = """
SELECT DISTINCT object_id FROM (
    SELECT object_id, ended_at,
           lead(begun_at) OVER (PARTITION BY file, object_kind, object_id ORDER BY begun_at) AS next_begun_at
    FROM usage_interval
)
WHERE next_begun_at IS NOT NULL AND (ended_at IS NULL OR ended_at <> next_begun_at)
ORDER BY object_id
"""

Changes = Mapping[tuple[str, str], Mapping[int, int]]
"""By account and resource: by instant, how much more is in use from it on."""


_NAMES = tuple(field.name for field in fields(Interval))
_FIELDS = attrgetter(*_NAMES)
_FLAG = _NAMES.index("is_backfilling")


def _interval_of(row: Row) -> Interval:
    values = list(row)
    values[_FLAG] = bool(values[_FLAG])
    return Interval(*values)


class BillingTransaction(NetworksTransaction):
    """What a job may ask of money."""

    # What was in use

    def metered(self) -> dict[str, int]:
        """By file, the number of the last event that was taken."""
        return dict(self._run("SELECT file, event_number FROM metered").fetchall())

    def save_metered(self, file: str, event_number: int) -> None:
        self._run("INSERT OR REPLACE INTO metered (file, event_number) VALUES (?, ?)", (file, event_number))

    def open_intervals(self, file: str, objects: Mapping[str, Collection[str]]) -> dict[tuple[str, str], Interval]:
        """By kind and id, of those that have one."""
        found: dict[tuple[str, str], Interval] = {}
        for kind, ids in objects.items():
            for row in self._run(_OPEN, (file, kind, json_of(sorted(ids)))):
                found[kind, row[0]] = _interval_of(row)
        return found

    def replace_intervals(
        self, file: str, objects: Mapping[str, Collection[str]], intervals: Iterable[Interval]
    ) -> None:
        """Write these instead of the open ones of the objects."""
        for kind, ids in objects.items():
            self._run(_CLOSE, (file, kind, json_of(sorted(ids))))
        self._connection.executemany(_ADD_INTERVAL, [(file, *_FIELDS(each)) for each in intervals])

    def sent_rates(self, server_ids: Collection[str]) -> dict[str, list[tuple[int, int]]]:
        """What each of the servers sends while it runs, from when on.

        Of one whose interfaces have not been changed since this is written down: what they are.
        """
        text = (
            "SELECT server_id, at, rate FROM traffic_rate WHERE server_id IN (SELECT value FROM json_each(?))"
            " ORDER BY server_id, at"
        )
        found: dict[str, list[tuple[int, int]]] = {}
        for server_id, at, rate in self._run(text, (json_of(sorted(server_ids)),)):
            found.setdefault(server_id, []).append((at, rate))
        for server_id, wiring in self.wiring([id_ for id_ in server_ids if id_ not in found]).items():
            found[server_id] = [(0, sent_rate(wiring.interfaces))]
        return found

    def closed_tick(self) -> int:
        """What is of the ticks before this one has been told, and stays as it is."""
        found: int = self._run("SELECT tick FROM closed_tick").fetchone()[0]
        return found

    def close_ticks(self, tick: int) -> None:
        """Before this one."""
        self._run("UPDATE closed_tick SET tick = ?", (tick,))

    def add_usage(self, file: str, changes: Changes) -> None:
        """More, or less, in use from some instants on. What is known of later ones moves with it.

        What is of a tick that is closed counts from where the last of them ends, and is late before that.
        """
        closed_at = self.closed_tick() * TICK
        for (account, resource), more in sorted(changes.items()):
            booked: dict[int, int] = {}
            late: dict[int, int] = {}
            for at, amount in more.items():
                place = max(at, closed_at)
                booked[place] = booked.get(place, 0) + amount
                if at < closed_at:
                    late[at] = late.get(at, 0) + amount
                    late[closed_at] = late.get(closed_at, 0) - amount
            self._add_steps(_BOOKED, (account, resource, file), booked)
            if late:
                self._add_steps(_FRESH, (account, resource, file), late)

    def _add_steps(self, steps: _Steps, key: tuple[str, str, str], more: Mapping[int, int]) -> None:
        first = min(more)
        row = self._run(steps.before, (*key, first)).fetchone()
        total = before = 0 if row is None else row[0]
        by_instant = dict(more)
        for at, amount in self._run(steps.since, (*key, first)).fetchall():
            by_instant[at] = by_instant.get(at, 0) + amount - before
            before = amount
        found = []
        for at in sorted(by_instant):
            if by_instant[at]:
                total += by_instant[at]
                found.append((*key, at, total))
        self._run(steps.clear, (*key, first))
        self._connection.executemany(steps.add, found)

    def in_use(
        self, account: str, begins: int, ends: int, *, resources: Iterable[str] = RESOURCES, layer: Layer = "booked"
    ) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """By resource and file, what was in use from `begins` to before `ends`: as steps, the first at `begins`."""
        steps = _LAYERS[layer]
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        files = [name for (name,) in self._run("SELECT name FROM cell").fetchall()]
        for resource in resources:
            for file in files:
                row = self._run(steps.before, (account, resource, file, begins + 1)).fetchone()
                if row is not None and row[0]:
                    found[resource, file] = [(begins, row[0])]
        for resource, file, at, amount in self._run(steps.within, (account, begins, ends)):
            found.setdefault((resource, file), []).append((at, amount))
        return found

    # What became known late, and what is taken for true until it does

    def fresh(self) -> dict[tuple[str, str], int]:
        """By account and resource, from when on there is something that no correction stands for yet."""
        text = "SELECT account, resource, min(at) FROM late_step WHERE is_fresh = 1 GROUP BY account, resource"
        return {(account, resource): at for account, resource, at in self._run(text)}

    def settle(self) -> None:
        """All that is fresh is corrected."""
        text = "SELECT account, resource, file, at, amount FROM late_step WHERE is_fresh = 1 ORDER BY 1, 2, 3, 4"
        changes: dict[tuple[str, str, str], dict[int, int]] = {}
        before: dict[tuple[str, str, str], int] = {}
        for account, resource, file, at, amount in self._run(text).fetchall():
            key = (account, resource, file)
            changes.setdefault(key, {})[at] = amount - before.get(key, 0)
            before[key] = amount
        self._run("DELETE FROM late_step WHERE is_fresh = 1")
        for key, more in changes.items():
            self._add_steps(_SETTLED, key, more)

    def add_correction(self, account: str, correction: Correction) -> None:
        text = (
            "INSERT INTO correction (account, at, resource, begins_at, ends_at, used, amount, place)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        each = correction
        values = (account, each.at, each.resource, each.begins_at, each.ends_at, each.used, str(each.amount))
        self._run(text, (*values, self._next_place()))

    def corrections(self, account: str) -> list[tuple[int, int, Correction]]:
        """Each with its number and its place, in the order of their instants."""
        text = (
            "SELECT number, place, at, resource, begins_at, ends_at, used, amount FROM correction"
            " WHERE account = ? ORDER BY at, place"
        )
        return [
            (number, place, Correction(at, resource, begins_at, ends_at, used, int(amount)))
            for number, place, at, resource, begins_at, ends_at, used, amount in self._run(text, (account,))
        ]

    def presumed_files(self) -> set[str]:
        return {file for (file,) in self._run("SELECT DISTINCT file FROM presumed_interval")}

    def presumed(self, file: str) -> list[Interval]:
        """What is taken for true of the objects of a silent cell."""
        return [_interval_of(row) for row in self._run(_PRESUMED, (file,))]

    def replace_presumed(self, file: str, intervals: Iterable[Interval]) -> None:
        self._run("DELETE FROM presumed_interval WHERE file = ?", (file,))
        self._connection.executemany(_ADD_PRESUMED, [(file, *_FIELDS(each)) for each in intervals])

    def every_open_interval(self, file: str) -> list[Interval]:
        text = f"SELECT {_INTERVAL} FROM usage_interval WHERE file = ? AND ended_at IS NULL"  # noqa: S608
        return [_interval_of(row) for row in self._run(text, (file,))]

    def mirrored_event(self, file: str) -> int:
        """`last_known` tells of the cell's events up to this number."""
        found: int = self._run("SELECT mirrored_event FROM cell WHERE name = ?", (file,)).fetchone()[0]
        return found

    def first_use(self, account: str) -> int | None:
        """When the account first used anything."""
        found: int | None = self._run("SELECT min(at) FROM usage_step WHERE account = ?", (account,)).fetchone()[0]
        return found

    def owned_from(self, account: str) -> dict[str, list[tuple[int, int]]]:
        """How many addresses and VLANs are the account's, from when on."""
        found: dict[str, list[tuple[int, int]]] = {}
        for resource, table in (("ip", "address"), ("vlan", "vlan")):
            text = f"SELECT created_at, count(*) FROM {table} WHERE owner = ? GROUP BY created_at ORDER BY created_at"  # noqa: S608
            total = 0
            for created_at, count in self._run(text, (account,)):
                total += count
                found.setdefault(resource, []).append((microseconds_of(instant_of(created_at)), total))
        return found

    def server_intervals(self, begins: int, ends: int, server_id: str | None = None) -> list[Interval]:
        """Of all servers, or of one, those that reach into the time from `begins` to before `ends`, in order.

        What is taken for true of a server of a silent cell stands in the place of what it was last told to be.
        """
        one, values = (" AND object_id = ?", (server_id,)) if server_id is not None else ("", ())
        found = [_interval_of(row) for row in self._run(f"{_SERVERS}{one}", (begins, ends, *values))]
        presumed = {row[0]: _interval_of(row) for row in self._run(f"{_PRESUMED_SERVERS}{one}", values)}
        for place, each in enumerate(found):
            if each.ended_at is None and each.object_id in presumed:
                found[place] = replace(each, ended_at=presumed[each.object_id].begun_at)
        found += [each for each in presumed.values() if each.begun_at < ends]
        return sorted(
            (each for each in found if each.ended_at is None or each.ended_at > max(begins, each.begun_at)),
            key=lambda each: (each.object_id, each.begun_at),
        )

    def intervals_of(self, object_id: str) -> list[Interval]:
        """All that are known, in order."""
        text = f"SELECT {_INTERVAL} FROM usage_interval WHERE object_id = ? ORDER BY begun_at"  # noqa: S608
        return [_interval_of(row) for row in self._run(text, (object_id,))]

    def broken_intervals(self) -> list[str]:
        """The ids of the objects whose intervals overlap, or leave a gap; there are none."""
        return [id_ for (id_,) in self._run(_BROKEN)]

    def every_interval(self) -> Iterator[tuple[str, Interval]]:
        """With the file that it is of."""
        for file, *row in self._run(f"SELECT file, {_INTERVAL} FROM usage_interval"):  # noqa: S608
            yield file, _interval_of(row)

    def every_presumed(self) -> Iterator[tuple[str, Interval]]:
        """With the file that it is of."""
        for file, *row in self._run(f"SELECT file, {_INTERVAL} FROM presumed_interval"):  # noqa: S608
            yield file, _interval_of(row)

    def every_step(self) -> Iterator[tuple[tuple[str, str, str, int], int, int]]:
        """Account, resource, file and layer; instant; amount. In this order."""
        text = (
            "SELECT account, resource, file, 2, at, amount FROM usage_step"
            " UNION ALL SELECT account, resource, file, is_fresh, at, amount FROM late_step ORDER BY 1, 2, 3, 4, 5"
        )
        for account, resource, file, layer, at, amount in self._run(text):
            yield (account, resource, file, layer), at, amount

    # What was paid

    def finite_accounts(self) -> frozenset[str]:
        """The names of those that were given a balance to live on."""
        rows = self._run("SELECT account FROM purse WHERE is_finite = 1").fetchall()
        return frozenset(name for (name,) in rows)

    def save_purse(self, account: str, *, is_finite: bool) -> None:
        self._run("INSERT OR REPLACE INTO purse (account, is_finite) VALUES (?, ?)", (account, int(is_finite)))

    def add_payment(self, account: str, at: int, amount: int, reason: str) -> None:
        """To the account; below 0 from it."""
        text = "INSERT INTO payment (account, at, amount, reason, place) VALUES (?, ?, ?, ?, ?)"
        self._run(text, (account, at, str(amount), reason, self._next_place()))

    def payments(self, account: str) -> list[Lump]:
        """In the order of their instants."""
        text = "SELECT at, number, amount, reason, place FROM payment WHERE account = ? ORDER BY at, number"
        rows = self._run(text, (account,))
        return [Lump(at, number, -int(amount), reason, place=place) for at, number, amount, reason, place in rows]

    def _next_place(self) -> int:
        (place,) = self._run("UPDATE closed_tick SET next_place = next_place + 1 RETURNING next_place - 1").fetchone()
        assert isinstance(place, int)
        return place

    # What was bought

    def subscriptions(self, account: str) -> list[Subscription]:
        """In the order in which they were bought."""
        terms: dict[int, list[Term]] = {}
        text = (
            "SELECT subscription, bought_at, begins_at, ends_at, price, place FROM subscription_term"
            " JOIN subscription ON number = subscription WHERE account = ? ORDER BY subscription, begins_at"
        )
        for number, bought_at, begins_at, ends_at, price, place in self._run(text, (account,)):
            terms.setdefault(number, []).append(Term(bought_at, begins_at, ends_at, int(price), place))
        rows = self._run(
            "SELECT number, id, account, resource, amount, period, renews, parent FROM subscription"
            " WHERE account = ? ORDER BY number",
            (account,),
        )
        return [
            Subscription(number, id_, name, resource, amount, period, bool(renews), parent, tuple(terms[number]))
            for number, id_, name, resource, amount, period, renews, parent in rows
        ]

    def add_subscription(self, subscription: Subscription) -> int:
        """Its number is given here."""
        made = self._run(
            "INSERT INTO subscription (id, account, resource, amount, period, renews, parent)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                subscription.id,
                subscription.account,
                subscription.resource,
                subscription.amount,
                subscription.period,
                int(subscription.renews),
                subscription.parent,
            ),
        )
        assert made.lastrowid is not None
        self._add_terms(made.lastrowid, [replace(each, place=self._next_place()) for each in subscription.terms])
        return made.lastrowid

    def save_subscription(self, before: Subscription, after: Subscription) -> None:
        """Whether it renews itself, and the terms that it has come to."""
        self._run("UPDATE subscription SET renews = ? WHERE number = ?", (int(after.renews), before.number))
        self._add_terms(before.number, after.terms[len(before.terms) :])

    def _add_terms(self, number: int, terms: Iterable[Term]) -> None:
        rows = [(number, each.bought_at, each.begins_at, each.ends_at, str(each.price), each.place) for each in terms]
        self._connection.executemany("INSERT INTO subscription_term VALUES (?, ?, ?, ?, ?, ?)", rows)
