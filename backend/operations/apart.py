"""Members of server groups whose policy is hard: what the cloud itself starts again never joins another one's host.

Which groups there are is central knowledge, and what is started again is decided in a cell: `Settings.hard_groups`
takes the one to the other. Who is a member is what the cell has.

**Source**: Nova's `anti-affinity`, which evacuations and migrations keep to as well.
"""

from __future__ import annotations

from datetime import datetime

from backend.cloud.errors import NoCapacity
from backend.cloud.model import Server
from backend.cloud.placement import NoValidHost, Placement
from backend.operations import Settings, rooms
from backend.store import CellTransaction

MEMBER_OF = "server_group"
"""Attribute of a server: the id of the server group that it was booted into. Whether there still is one is central."""

SHARES_A_HOST = "sharing a host with another member of the group"


def others_of_group(tx: CellTransaction, server: Server, group_id: str | None) -> tuple[str, ...]:
    """The others of a group that lie in this cell, whose hosts alone it could share. By id.

    As the cell has them: of two that are booted at once, the second one knows of the first.
    """
    if group_id is None:
        return ()
    others = tx.grouped_servers()
    return tuple(each.id for each in others if each.attributes.get(MEMBER_OF) == group_id and each.id != server.id)


def avoid_of(tx: CellTransaction, server: Server, avoid: tuple[str, ...], *, settings: Settings) -> tuple[str, ...]:
    """What the server avoids when it is started again: first the others of its group, if that is a hard one."""
    members = _members(tx, server, settings)
    return (*members, *(id for id in avoid if id not in members))


def _members(tx: CellTransaction, server: Server, settings: Settings) -> tuple[str, ...]:
    group_id = server.attributes.get(MEMBER_OF)
    return others_of_group(tx, server, group_id) if group_id in settings.hard_groups else ()


def choose_again(
    tx: CellTransaction, server: Server, *, now: datetime, settings: Settings, avoid: tuple[str, ...]
) -> Placement | NoCapacity:
    """Where it would start with `avoid`, which is `avoid_of` it. A refusal is returned, not raised."""
    return choose(tx, server, now=now, settings=settings, avoid=avoid, never=_members(tx, server, settings))


def choose(
    tx: CellTransaction,
    server: Server,
    *,
    now: datetime,
    settings: Settings,
    avoid: tuple[str, ...],
    never: tuple[str, ...],
) -> Placement | NoCapacity:
    """Where it would start, only where nothing of `never` is: the beginning of `avoid`, or nothing.

    As avoided they count before all else, so whoever is beside one of them had no other host. A refusal is returned,
    not raised.
    """
    found = rooms.choose(tx, server, now=now, settings=settings, avoid=avoid)
    what = f"server {server.name or server.id}"
    if isinstance(found, NoValidHost):
        return NoCapacity(what, found.counted())
    if not any(avoid[rank] in never for rank in found.chosen.ranks):
        return found
    others = {each.host for id in never if (each := tx.find_server(id)) is not None} - {None}
    refused = rooms.refused(tx, server, settings=settings)
    return NoCapacity(what, [*refused.items(), (SHARES_A_HOST, len(others))])
