"""What became of an avoid list, entry by entry: kept apart or not, and why not. Worked out when somebody asks.

A start keeps the ids that share its host in its decision; everything else is looked up when the report is read, so that
a decision costs nothing more for it. What an account may not see is told to it like what does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backend.cloud.avoiding import Sharing, sharing_of
from backend.cloud.errors import Unreachable
from backend.cloud.model import Account, Drive, Server
from backend.operations import Cloud, drives, rooms, servers
from backend.operations.explain import Explained, explain_last
from backend.operations.rooms import Decision
from backend.store import CellTransaction, CloudTransaction, DriveEntry, ServerEntry

Kind = Literal["server", "drive"]
Fate = Literal["apart", "shares", "nowhere", "unreachable", "unknown", "wrong_kind", "itself", "repeated", "undecided"]
"""`nowhere`: it holds no host, or has no drives. `unreachable`: its cell does not answer, so it is in another one. The
next four have no effect at all; `undecided` is where nothing has been placed yet."""

_NO_ANSWER: tuple[Fate, ...] = ("unknown", "wrong_kind", "itself", "repeated", "undecided")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know of an avoided entry, whatever was placed."""

    name: str | None
    kind: Kind | None
    fate: Fate
    """`apart` where it counts: whether it is, the placement says."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Something that went to a host with an avoid list, or would go there."""

    of: Server | Drive
    """As it was asked for: the host is `host`."""
    host: str
    shared: frozenset[str]
    """The ids of the list that are on that host too."""
    sharing: Sharing | None = None
    """Why, where that is known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an avoid list, and what became of it."""

    place: int
    """In the list, from 1."""
    id: str
    name: str | None
    kind: Kind | None
    fate: Fate
    sharers: tuple[Placed, ...] = ()
    """What shares a host with it."""
    first_place: int | None = None
    """Of one that is listed again: the place that counts."""

    @property
    def is_apart(self) -> bool | None:
        """None for one that has no effect, or none yet."""
        return None if self.fate in _NO_ANSWER else self.fate != "shares"


async def report(
    cloud: Cloud, actor: Account, avoid: Sequence[str], placing: Kind, placed: Iterable[Placed]
) -> tuple[Entry, ...]:
    """Each entry of the list in its order, with everything of `placed` that shares a host with it."""
    if not avoid:
        return ()
    found = list(placed)
    known = await _look_up(cloud, actor, avoid, placing, itself=frozenset(each.of.id for each in found))
    return entries(avoid, known, found)


def entries(avoid: Sequence[str], known: Mapping[str, Known], placed: Sequence[Placed]) -> tuple[Entry, ...]:
    """The report, from what is known of the entries and from what was placed."""
    first: dict[str, int] = {}
    made = []
    for place, id in enumerate(avoid, start=1):
        about = known[id]
        if id in first:
            made.append(Entry(place, id, about.name, about.kind, "repeated", first_place=first[id]))
            continue
        first[id] = place
        sharers = tuple(each for each in placed if id in each.shared)
        made.append(Entry(place, id, about.name, about.kind, "shares" if sharers else about.fate, sharers))
    return tuple(made)


async def _look_up(
    cloud: Cloud, actor: Account, avoid: Sequence[str], placing: Kind, *, itself: frozenset[str]
) -> dict[str, Known]:
    wanted = list(dict.fromkeys(avoid))

    def find(tx: CloudTransaction) -> tuple[list[ServerEntry], list[DriveEntry], frozenset[str]]:
        projects = servers.projects_of(actor)
        found_servers = tx.server_entries(projects=projects, ids=wanted, states=servers.LISTED)
        found_drives = tx.drive_entries(projects=projects, ids=wanted, states=servers.LISTED)
        with_drives = (entry.id for entry in found_servers if placing == "drive" and tx.drive_entries_of(entry.id))
        return found_servers, found_drives, frozenset(with_drives)

    server_entries, drive_entries, with_drives = await cloud.store.cloud_read(find)
    found: dict[str, Known] = {id: Known(None, None, "unknown") for id in wanted}
    for entry, server in zip(server_entries, await servers.read_servers(cloud, server_entries), strict=True):
        name = server.name if isinstance(server, Server) else None
        found[entry.id] = Known(name, "server", "apart")
        if entry.id in itself:
            found[entry.id] = Known(name, "server", "itself")
        elif placing == "drive":
            if entry.id not in with_drives:
                found[entry.id] = Known(name, "server", "nowhere")
        elif not isinstance(server, Server):
            found[entry.id] = Known(name, "server", "unreachable")
        elif server.host is None:
            found[entry.id] = Known(name, "server", "nowhere")
    for drive_entry, drive in zip(drive_entries, await drives.read_drives(cloud, drive_entries), strict=True):
        name = drive.name if isinstance(drive, Drive) else None
        fate: Fate = "apart" if isinstance(drive, Drive) else "unreachable"
        if placing == "server":
            fate = "wrong_kind"
        elif drive_entry.id in itself:
            fate = "itself"
        found[drive_entry.id] = Known(name, "drive", fate)
    return found


# --- What was placed --------------------------------------------------------------------------------------------------


async def before_start(cloud: Cloud, actor: Account, server: Server, avoid: Sequence[str]) -> tuple[Entry, ...]:
    """Of a server that was made and not started: what counts is decided then."""
    found = await report(cloud, actor, avoid, "server", [Placed(server, "", frozenset())])
    counts: tuple[Fate, ...] = ("apart", "nowhere", "unreachable")
    return tuple(replace(entry, fate="undecided") if entry.fate in counts else entry for entry in found)


async def of_drive(cloud: Cloud, actor: Account, drive: Drive, avoid: Sequence[str]) -> tuple[Entry, ...]:
    """Of a drive that was made or copied, as its log tells it."""
    if not avoid:
        return ()
    explained = await explain_last(cloud, actor, drive)
    return () if explained is None else await of_explained(cloud, actor, [explained])


async def of_start(
    cloud: Cloud, actor: Account, server: Server, avoid: tuple[str, ...], decision: Decision
) -> tuple[Entry, ...]:
    """Of a start that has just been decided. Why it shares a host is told of the hosts as they are now."""
    if not avoid:
        return ()
    placed = Placed(server, decision.host, frozenset(decision.avoided))
    if decision.avoided:

        def look(tx: CellTransaction) -> Sharing:
            return rooms.sharing_of(
                tx,
                server,
                decision.host,
                has_rival=decision.runner_up is not None,
                settings=cloud.settings,
                avoid=avoid,
                visible_to=actor,
            )

        try:
            placed = replace(placed, sharing=await cloud.store.cell_read(server.cell, look))
        except Unreachable:
            # It is started all the same: its cell has fallen silent since.
            placed = replace(placed, sharing=None)
    return await report(cloud, actor, avoid, "server", [placed])


def placed_as_explained(explained: Explained) -> Placed | None:
    """Of a decision that is explained; None where no host has room."""
    explanation = explained.explanation
    chosen = explanation.chosen
    if chosen is None:
        return None
    sharing = sharing_of(
        chosen.host,
        has_rival=bool(explanation.beaten),
        refusals=explanation.refusals,
        ranks=explained.ranks,
        size=explained.of.size if isinstance(explained.of, Server) else None,
    )
    shared = frozenset(explained.avoid[rank] for rank in chosen.ranks)
    return Placed(explained.of, chosen.host, shared, sharing if shared else None)


async def of_explained(cloud: Cloud, actor: Account, explained: Iterable[Explained]) -> tuple[Entry, ...]:
    """Of decisions that are explained, all with the same avoid list and of the same kind."""
    found = list(explained)
    if not found or not found[0].avoid:
        return ()
    kind: Kind = "server" if isinstance(found[0].of, Server) else "drive"
    placed = [each for each in map(placed_as_explained, found) if each is not None]
    return await report(cloud, actor, found[0].avoid, kind, placed)
