"""The part of cloud.db that is about networks: interfaces, addresses, firewall policies, keys, tags, profiles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import orjson

from backend.cloud.instants import microseconds_of
from backend.cloud.model import Account
from backend.cloud.networks import (
    ADDRESSES_PER_ACCOUNT,
    LENT_MAX,
    OWNED_MAX,
    VLANS_PER_ACCOUNT,
    Address,
    FirewallPolicy,
    Interface,
    KeyPair,
    Profile,
    Tag,
    Vlan,
    Wiring,
    owned_address,
    sent_rate,
)
from backend.store.central_rows import CentralRowsTransaction
from backend.store.rows import (
    Field,
    Row,
    Table,
    instant_field,
    instant_of,
    json_of,
    object_field,
    object_of,
    plain_field,
    words_field,
    words_of,
)

T = TypeVar("T", Tag, Address, Vlan, FirewallPolicy, KeyPair)

_OWNED = [plain_field("id"), plain_field("project_id"), plain_field("owner"), instant_field("created_at")]


def _tag_of(row: Row, _file: str) -> Tag:
    id_, project_id, owner, created_at, name, meta, version = row
    return Tag(id_, project_id, owner, instant_of(created_at), name, object_of(meta), version)


TAG: Table[Tag] = Table("tag", Tag, [*_OWNED, plain_field("name"), object_field("meta")], _tag_of)


def _address_of(row: Row, _file: str) -> Address:
    id_, project_id, owner, created_at, meta, tags, version = row
    return Address(id_, project_id, owner, instant_of(created_at), object_of(meta), words_of(tags), version)


ADDRESS: Table[Address] = Table("address", Address, [*_OWNED, object_field("meta"), words_field("tags")], _address_of)


def _vlan_of(row: Row, _file: str) -> Vlan:
    id_, project_id, owner, created_at, meta, tags, version = row
    return Vlan(id_, project_id, owner, instant_of(created_at), object_of(meta), words_of(tags), version)


VLAN: Table[Vlan] = Table("vlan", Vlan, [*_OWNED, object_field("meta"), words_field("tags")], _vlan_of)


def _policy_of(row: Row, _file: str) -> FirewallPolicy:
    id_, project_id, owner, created_at, name, rules, meta, tags, version = row
    return FirewallPolicy(
        id_,
        project_id,
        owner,
        instant_of(created_at),
        name,
        tuple(orjson.loads(rules)),
        object_of(meta),
        words_of(tags),
        version,
    )


_RULES = Field(
    "rules",
    ("rules",),
    lambda value: json_of(list(value)),
    list,
    shown_of=orjson.loads,
)

FIREWALL_POLICY: Table[FirewallPolicy] = Table(
    "firewall_policy",
    FirewallPolicy,
    [*_OWNED, plain_field("name"), _RULES, object_field("meta"), words_field("tags")],
    _policy_of,
)


def _key_pair_of(row: Row, _file: str) -> KeyPair:
    id_, project_id, owner, created_at, name, public_key, fingerprint, meta, tags, version = row
    return KeyPair(
        id_,
        project_id,
        owner,
        instant_of(created_at),
        name,
        public_key,
        fingerprint,
        object_of(meta),
        words_of(tags),
        version,
    )


KEY_PAIR: Table[KeyPair] = Table(
    "key_pair",
    KeyPair,
    [
        *_OWNED,
        plain_field("name"),
        plain_field("public_key"),
        plain_field("fingerprint"),
        object_field("meta"),
        words_field("tags"),
    ],
    _key_pair_of,
)


def _profile_of(row: Row, _file: str) -> Profile:
    id_, state, attributes, meta, version = row
    return Profile(id_, state, object_of(attributes), object_of(meta), version)


PROFILE: Table[Profile] = Table(
    "profile",
    Profile,
    [plain_field("id"), plain_field("state"), object_field("attributes"), object_field("meta")],
    _profile_of,
)

OWNED_TABLES: Sequence[Table[Any]] = (TAG, ADDRESS, VLAN, FIREWALL_POLICY, KEY_PAIR)
"""Those whose objects belong to a project, by the kind that their events name."""

_INTERFACE_COLUMNS = (
    "number, server_id, project_id, position, model, boot_order, configuration, address, vlan_id, policy_id"
)
_INTERFACES = f"SELECT {_INTERFACE_COLUMNS} FROM interface WHERE"  # noqa: S608
_MANY = "IN (SELECT value FROM json_each(?))"


def _interface_row(interface: Interface) -> tuple[Any, ...]:
    return (
        interface.number,
        interface.server_id,
        interface.project_id,
        interface.position,
        interface.model,
        interface.boot_order,
        interface.configuration,
        interface.address,
        interface.vlan_id,
        interface.policy_id,
    )


class NetworksTransaction(CentralRowsTransaction):
    """What a job may ask of networks and of what is kept beside them."""

    # What belongs to a project, by its table

    def owned(self, table: Table[T], *, projects: frozenset[str] | None = None) -> list[T]:
        """By (created_at, rowid); of every project when none are named."""
        order = "ORDER BY created_at, rowid"
        if projects is None:
            return self._list(table, order)
        return self._list(table, f"WHERE project_id {_MANY} {order}", (json_of(sorted(projects)),))

    def find_owned(self, table: Table[T], id: str) -> T | None:
        return self._find(table, id)

    def count_owned(self, table: Table[Any], project_id: str) -> int:
        text = f"SELECT count(*) FROM {table.name} WHERE project_id = ?"  # noqa: S608
        return int(self._run(text, (project_id,)).fetchone()[0])

    def add_owned(self, table: Table[T], thing: T, *, actor: str) -> None:
        """Insert it and emit `KIND.created`."""
        self._add(table, thing, at=thing.created_at, actor=actor, details=None)

    def save_owned(self, table: Table[T], before: T, after: T, *, at: datetime, actor: str) -> T:
        """Write the changed columns with version + 1 and `KIND.edited`; nothing when nothing changed."""
        return self._save(table, before, after, kind=f"{table.name}.edited", at=at, actor=actor, details=None)

    def remove_owned(self, table: Table[T], thing: T, *, at: datetime, actor: str) -> None:
        """And emit `KIND.deleted`."""
        self._remove(table, thing, at=at, actor=actor)

    def projects_of_owned(self, kind: str, ids: Collection[str]) -> dict[str, str]:
        """Whose these objects of a kind are, as far as they are there."""
        text = f"SELECT id, project_id FROM {kind} WHERE id {_MANY}"  # noqa: S608
        return dict(self._run(text, (json_of(sorted(ids)),)).fetchall())

    def owned_ids(self, projects: frozenset[str]) -> list[str]:
        """Of all kinds."""
        values = json_of(sorted(projects))
        found = []
        for table in OWNED_TABLES:
            text = f"SELECT id FROM {table.name} WHERE project_id {_MANY}"  # noqa: S608
            found += [id for (id,) in self._run(text, (values,))]
        return found

    # Profiles

    def profile(self, account: Account) -> Profile:
        """As it is stored, or as it is as long as nobody has changed it."""
        return self._find(PROFILE, account.id) or Profile(account.id, version=0)

    def profiles(self) -> dict[str, Profile]:
        """Those that are stored, by the account's id."""
        return {profile.id: profile for profile in self._list(PROFILE, "ORDER BY id")}

    def save_profile(self, before: Profile, after: Profile, *, at: datetime, actor: str) -> Profile:
        """Emits `profile.edited`, the first time `profile.created`."""
        if before.version == 0:
            if after == before:
                return before
            after = replace(after, version=1)
            self._add(PROFILE, after, at=at, actor=actor, details=None)
            return after
        return self._save(PROFILE, before, after, kind="profile.edited", at=at, actor=actor, details=None)

    # Interfaces and keys of servers

    def wiring(self, server_ids: Collection[str]) -> dict[str, Wiring]:
        """Of those servers that have any."""
        wanted = (json_of(sorted(server_ids)),)
        interfaces: dict[str, list[Interface]] = {}
        for row in self._run(f"{_INTERFACES} server_id {_MANY} ORDER BY server_id, position", wanted):
            interface = Interface(*row)
            interfaces.setdefault(interface.server_id, []).append(interface)
        keys: dict[str, list[str]] = {}
        text = (
            f"SELECT server_id, key_pair_id FROM server_key_pair WHERE server_id {_MANY} ORDER BY server_id, position"  # noqa: S608
        )
        for server_id, key_pair_id in self._run(text, wanted):
            keys.setdefault(server_id, []).append(key_pair_id)
        return {
            id: Wiring(tuple(interfaces.get(id, ())), tuple(keys.get(id, ())))
            for id in dict.fromkeys([*interfaces, *keys])
        }

    def interfaces_with(self, column: str, ids: Collection[str]) -> list[Interface]:
        """Those with one of these ids in `address`, `vlan_id` or `policy_id`, by number."""
        assert column in ("address", "vlan_id", "policy_id"), column
        rows = self._run(f"{_INTERFACES} {column} {_MANY} ORDER BY number", (json_of(sorted(ids)),))
        return [Interface(*row) for row in rows]

    def public_interfaces(self, *, projects: frozenset[str] | None) -> list[Interface]:
        """Those that are lent an address while their servers run, by number."""
        where, values = ("", ()) if projects is None else (f"project_id {_MANY} AND", (json_of(sorted(projects)),))
        return [Interface(*row) for row in self._run(f"{_INTERFACES} {where} configuration = 'dhcp'", values)]

    def lent_interface(self, index: int) -> Interface | None:
        """The one whose lent address has this index."""
        row = self._run(f"{_INTERFACES} number % {LENT_MAX} = ?", (index,)).fetchone()
        return None if row is None else Interface(*row)

    def every_interface(self) -> list[Interface]:
        return [Interface(*row) for row in self._run(f"{_INTERFACES} 1 ORDER BY number")]

    def save_wiring(self, server_id: str, project_id: str, after: Wiring, *, at: datetime, actor: str) -> Wiring:
        """Have these interfaces and keys and no others; an interface with number 0 is new and gets its number.

        Emits `server.interfaces_changed` when anything changed, with the project that it is of.
        """
        before = self.wiring([server_id]).get(server_id, Wiring())
        if before == after:
            return before
        # What goes gives its address back before somebody else of this server takes it.
        self._run("DELETE FROM interface WHERE server_id = ?", (server_id,))
        for interface in after.interfaces:
            stored = interface if interface.number else replace(interface, number=self._next_interface_number())
            marks = ", ".join("?" * len(_interface_row(stored)))
            self._run(
                f"INSERT INTO interface ({_INTERFACE_COLUMNS}) VALUES ({marks})",  # noqa: S608
                _interface_row(stored),
            )
        self._run("DELETE FROM server_key_pair WHERE server_id = ?", (server_id,))
        for position, key_pair_id in enumerate(after.key_pairs):
            self._run(
                "INSERT INTO server_key_pair (server_id, key_pair_id, position) VALUES (?, ?, ?)",
                (server_id, key_pair_id, position),
            )
        stored_wiring = self.wiring([server_id]).get(server_id, Wiring())
        self._tell_of_interfaces(server_id, project_id, stored_wiring.interfaces, at=at, actor=actor)
        # What is billed of a run is what it had then, whatever becomes of the interfaces before it is reckoned.
        values = (server_id, microseconds_of(at), sent_rate(stored_wiring.interfaces))
        self._run("INSERT OR REPLACE INTO traffic_rate (server_id, at, rate) VALUES (?, ?, ?)", values)
        return stored_wiring

    def _next_interface_number(self) -> int:
        row = self._run("SELECT seq FROM sqlite_sequence WHERE name = 'interface'").fetchone()
        number = (row[0] if row else 0) + 1
        while self.lent_interface(number % LENT_MAX) is not None:
            number += 1
        return number

    def _tell_of_interfaces(
        self, server_id: str, project_id: str, after: Iterable[Interface], *, at: datetime, actor: str
    ) -> None:
        """With all that it has now: what it had at any moment is in the last of these before it."""
        details = {"project_id": project_id, "interfaces": [_interface_row(each) for each in after]}
        self.emit("server.interfaces_changed", "server", server_id, at=at, actor=actor, details=details)

    def forget_policy(self, policy: FirewallPolicy, *, at: datetime, actor: str) -> None:
        """Remove it, and take it off the interfaces that have it."""
        servers = {each.server_id: each.project_id for each in self.interfaces_with("policy_id", [policy.id])}
        self._run("UPDATE interface SET policy_id = NULL WHERE policy_id = ?", (policy.id,))
        for server_id, project_id in sorted(servers.items()):
            left = self.wiring([server_id]).get(server_id, Wiring()).interfaces
            self._tell_of_interfaces(server_id, project_id, left, at=at, actor=actor)
        self.remove_owned(FIREWALL_POLICY, policy, at=at, actor=actor)

    def rewire(self, server_id: str, rows: Iterable[Sequence[Any]]) -> None:
        """Give a server the interfaces that an event told of, and no others."""
        self._run("DELETE FROM interface WHERE server_id = ?", (server_id,))
        for row in rows:
            marks = ", ".join("?" * len(row))
            self._run(f"INSERT OR REPLACE INTO interface ({_INTERFACE_COLUMNS}) VALUES ({marks})", tuple(row))  # noqa: S608

    def unplug_server(self, server_id: str) -> None:
        """It has gone: its interfaces and what they held are free."""
        self._run("DELETE FROM interface WHERE server_id = ?", (server_id,))
        self._run("DELETE FROM server_key_pair WHERE server_id = ?", (server_id,))

    # What an account is given

    def allot_networks(self, account: Account) -> None:
        """Called before the account is added: what it gets is counted from how many there are.

        Accounts of before were given theirs by the migration, which counts in the same way.
        """
        count = int(self._run("SELECT count(*) FROM account").fetchone()[0])
        cloud_id, created_text = self._run("SELECT cloud_id, created_at FROM cloud").fetchone()
        created_at = instant_of(created_text)
        for index in range(count * ADDRESSES_PER_ACCOUNT, (count + 1) * ADDRESSES_PER_ACCOUNT):
            if index < OWNED_MAX:
                self._insert(ADDRESS, Address(owned_address(index), account.project_id, account.name, created_at))
        for index in range(count * VLANS_PER_ACCOUNT, (count + 1) * VLANS_PER_ACCOUNT):
            self._insert(VLAN, Vlan(f"{cloud_id[:24]}{index:012x}", account.project_id, account.name, created_at))

    def _insert(self, table: Table[Any], thing: Any) -> None:
        done = self._run(table.insert, table.stored(thing))
        assert done.rowcount == 1, f"there is a {table.name} {thing.id} already"
