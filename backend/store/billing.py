"""The part of cloud.db that is about money: what was in use, what was paid and bought."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from operator import attrgetter

from backend.cloud.billing import Lump
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import Interval
from backend.cloud.networks import sent_rate
from backend.cloud.prices import RESOURCES
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
_STEP_OF = "FROM usage_step WHERE account = ? AND resource = ? AND file = ?"
_BEFORE = f"SELECT amount {_STEP_OF} AND at < ? ORDER BY at DESC LIMIT 1"
_FROM = f"SELECT at, amount {_STEP_OF} AND at >= ? ORDER BY at"
_AFTER = "SELECT resource, file, at, amount FROM usage_step WHERE account = ? AND at > ? AND at < ? ORDER BY at"
_BACKFILLING = (
    f"SELECT {_INTERVAL} FROM usage_interval WHERE is_backfilling = 1 AND object_kind = 'server'"  # noqa: S608
    " AND (ended_at IS NULL OR ended_at > ?) AND begun_at < ? ORDER BY object_id, begun_at"
)

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


_FIELDS = attrgetter(*(field.name for field in fields(Interval)))


def _interval_of(row: Row) -> Interval:
    found = Interval(*row)
    return found if not found.is_backfilling else replace(found, is_backfilling=True)


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

    def add_usage(self, file: str, changes: Changes) -> None:
        """More, or less, in use from some instants on. What is known of later ones moves with it."""
        for (account, resource), more in sorted(changes.items()):
            key, first = (account, resource, file), min(more)
            row = self._run(_BEFORE, (*key, first)).fetchone()
            total = 0 if row is None else row[0]
            by_instant = dict(more)
            before = total
            for at, amount in self._run(_FROM, (*key, first)).fetchall():
                by_instant[at] = by_instant.get(at, 0) + amount - before
                before = amount
            steps = []
            for at in sorted(by_instant):
                if by_instant[at]:
                    total += by_instant[at]
                    steps.append((*key, at, total))
            self._run(f"DELETE {_STEP_OF} AND at >= ?", (*key, first))
            self._connection.executemany("INSERT INTO usage_step VALUES (?, ?, ?, ?, ?)", steps)

    def in_use(
        self, account: str, begins: int, ends: int, *, resources: Iterable[str] = RESOURCES
    ) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """By resource and file, what was in use from `begins` to before `ends`: as steps, the first at `begins`."""
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for resource in resources:
            for file in self.metered():
                row = self._run(_BEFORE, (account, resource, file, begins + 1)).fetchone()
                if row is not None and row[0]:
                    found[resource, file] = [(begins, row[0])]
        for resource, file, at, amount in self._run(_AFTER, (account, begins, ends)):
            found.setdefault((resource, file), []).append((at, amount))
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

    def backfilling_intervals(self, begins: int, ends: int) -> list[Interval]:
        """Of the servers that were backfilling then, those that reach into the time from `begins` to before `ends`."""
        return [_interval_of(row) for row in self._run(_BACKFILLING, (begins, ends))]

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

    def every_step(self) -> Iterator[tuple[tuple[str, str, str], int, int]]:
        """Account, resource and file; instant; amount. In this order."""
        for account, resource, file, at, amount in self._run("SELECT * FROM usage_step ORDER BY 1, 2, 3, 4"):
            yield (account, resource, file), at, amount

    # What was paid

    def finite_accounts(self) -> frozenset[str]:
        """The names of those that were given a balance to live on."""
        rows = self._run("SELECT account FROM purse WHERE is_finite = 1").fetchall()
        return frozenset(name for (name,) in rows)

    def save_purse(self, account: str, *, is_finite: bool) -> None:
        self._run("INSERT OR REPLACE INTO purse (account, is_finite) VALUES (?, ?)", (account, int(is_finite)))

    def add_payment(self, account: str, at: int, amount: int, reason: str) -> None:
        """To the account; below 0 from it."""
        text = "INSERT INTO payment (account, at, amount, reason) VALUES (?, ?, ?, ?)"
        self._run(text, (account, at, str(amount), reason))

    def payments(self, account: str) -> list[Lump]:
        """In the order of their instants."""
        rows = self._run(
            "SELECT at, number, amount, reason FROM payment WHERE account = ? ORDER BY at, number", (account,)
        )
        return [Lump(at, number, -int(amount), reason) for at, number, amount, reason in rows]

    # What was bought

    def subscriptions(self, account: str) -> list[Subscription]:
        """In the order in which they were bought."""
        terms: dict[int, list[Term]] = {}
        text = (
            "SELECT subscription, bought_at, begins_at, ends_at, price FROM subscription_term"
            " JOIN subscription ON number = subscription WHERE account = ? ORDER BY subscription, begins_at"
        )
        for number, bought_at, begins_at, ends_at, price in self._run(text, (account,)):
            terms.setdefault(number, []).append(Term(bought_at, begins_at, ends_at, int(price)))
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
        self._add_terms(made.lastrowid, subscription.terms)
        return made.lastrowid

    def save_subscription(self, before: Subscription, after: Subscription) -> None:
        """Whether it renews itself, and the terms that it has come to."""
        self._run("UPDATE subscription SET renews = ? WHERE number = ?", (int(after.renews), before.number))
        self._add_terms(before.number, after.terms[len(before.terms) :])

    def _add_terms(self, number: int, terms: Iterable[Term]) -> None:
        rows = [(number, each.bought_at, each.begins_at, each.ends_at, str(each.price)) for each in terms]
        self._connection.executemany("INSERT INTO subscription_term VALUES (?, ?, ?, ?, ?)", rows)
