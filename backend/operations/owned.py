"""What belongs to a project and lies centrally: tags, addresses, private networks, firewall policies, keys.

All of these are read, made, changed and removed alike, whether any cell answers or not; what is special to one of them
is in `networks`, `tags` and `key_pairs`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backend.cloud.errors import Forbidden, NotFound, OverQuota
from backend.cloud.model import Account
from backend.cloud.networks import COUNTS_MAX, Address, FirewallPolicy, KeyPair, Tag, Vlan
from backend.operations import Cloud
from backend.operations.servers import projects_of
from backend.store import CloudTransaction, Table

T = TypeVar("T", Tag, Address, Vlan, FirewallPolicy, KeyPair)

WORDS = {"firewall_policy": "firewall policy", "key_pair": "key pair", "vlan": "VLAN", "address": "IP"}
"""What a kind is called in a sentence, where it is not its own name."""


async def list_owned(cloud: Cloud, actor: Account, table: Table[T]) -> list[T]:
    """Those that the account may see, in the order of creation."""
    return await cloud.store.cloud_read(lambda tx: tx.owned(table, projects=projects_of(actor)))


async def get_owned(cloud: Cloud, actor: Account, table: Table[T], id: str) -> T:
    """Raises NotFound."""
    return await cloud.store.cloud_read(lambda tx: find(tx, actor, table, id))


def find(tx: CloudTransaction, actor: Account, table: Table[T], id: str, *, to_change: bool = False) -> T:
    """Raises NotFound, Forbidden."""
    word = WORDS.get(table.name, table.name)
    found = tx.find_owned(table, id)
    if found is None or not actor.may_see(found.project_id):
        raise NotFound(word, id)
    if to_change and not actor.may_change(found.project_id):
        raise Forbidden(f"change the {word}", "this account may only look at it")
    return found


def add(tx: CloudTransaction, actor: Account, table: Table[T], thing: T) -> None:
    """Raises OverQuota."""
    check_room(tx, table, thing.project_id, 1)
    tx.add_owned(table, thing, actor=actor.name)


def check_room(tx: CloudTransaction, table: Table[Any], project_id: str, wanted: int) -> None:
    """Raises OverQuota."""
    left = COUNTS_MAX[table.name] - tx.count_owned(table, project_id)
    if left < wanted:
        raise OverQuota(f"{table.name}s", wanted, left)


def may_create(actor: Account, what: str) -> None:
    """Raises Forbidden."""
    if not actor.may_change(actor.project_id):
        raise Forbidden(f"create a {what}", "this account may not change the project")


async def edit_owned(cloud: Cloud, actor: Account, table: Table[T], id: str, change: Callable[[T], T]) -> T:
    """With what `change` makes of it as it is then. Raises NotFound, Forbidden, and what `change` raises."""
    now = cloud.clock.now()

    def edit(tx: CloudTransaction) -> T:
        before = find(tx, actor, table, id, to_change=True)
        return tx.save_owned(table, before, change(before), at=now, actor=actor.name)

    return await cloud.store.cloud_write(edit)


async def remove_owned(cloud: Cloud, actor: Account, table: Table[Any], id: str) -> None:
    """Raises NotFound, Forbidden."""
    now = cloud.clock.now()

    def remove(tx: CloudTransaction) -> None:
        thing = find(tx, actor, table, id, to_change=True)
        tx.remove_owned(table, thing, at=now, actor=actor.name)

    await cloud.store.cloud_write(remove)
