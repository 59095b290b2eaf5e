"""What if: where `count` servers of one size would go if they were made and started now, one after the other.

Nothing is made. In each cell the servers are placed in a transaction that is rolled back, by the code that would place
them. A cell is asked for as many as all of them, and notes what it would bid before each: its bid depends on nothing
outside it, so the order in which the cells get theirs is settled afterwards, as `cells.choose` would have settled it.

What is weighed is room. Quotas are not looked at, nor what else happens while a real start waits for a grace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.cloud import placement
from backend.cloud.errors import NotFound, Unreachable
from backend.cloud.model import Account, ReachabilityState, Server, Size
from backend.cloud.placement import NoValidHost, Ranks
from backend.operations import Cloud, cells, groups, plans, rooms, servers
from backend.operations.cells import Pictures
from backend.operations.forking import forked
from backend.operations.plans import Change
from backend.operations.rooms import Decision
from backend.store import CellTransaction


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is asked. With `apart`, each also avoids those that were placed before it."""

    count: int
    size: Size
    is_backfilling: bool = False
    cell: str | None = None
    avoid: tuple[str, ...] = ()
    avoid_group: str | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """One of the servers: where it would go, and what of others goes for it."""

    cell: str
    decision: Decision
    stops: tuple[Server, ...]
    shrinks: tuple[Change, ...]
    shares: int
    """How many of what it avoids would be on its host all the same."""


@dataclass(frozen=True, slots=True)
class Answer:
    asked: WhatIf
    placed: tuple[Placed, ...]
    """In the order of their starts."""
    stops: tuple[Server, ...]
    """Everybody who would be stopped, each once."""
    shrinks: tuple[Change, ...]
    """Everybody who would be smaller in the end than now."""
    refused: Mapping[str, int]
    """Why the next one would find no host: how many have no room, by reason. Empty where all are placed."""
    unreachable: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Step:
    """What a cell would bid for the next server, and what would become of that one there."""

    bid: tuple[Any, ...]
    ranks: Ranks
    """Held on the host of what is avoided; those of the servers placed before count from the end of the list on."""
    placed: Placed | None
    refused: Mapping[str, int]


async def what_if(cloud: Cloud, actor: Account, pictures: Pictures, asked: WhatIf) -> Answer:
    """Where they would go. Changes nothing.

    Raises:
        Invalid: a size that no server may have, or that no host has. NotFound: no such cell or group. Unreachable: no
        cell answers, or the named one does not.
    """
    servers.check_size(asked.size)
    wanted = list(cloud.store.cell_names)
    if asked.cell is not None:
        wanted = [await cells.choose(cloud, asked.size, actor, is_backfilling=asked.is_backfilling, cell=asked.cell)]
    await cells.check_some_host_holds(cloud, asked.size, asked.cell)
    avoid = await _avoided(cloud, actor, pictures, asked)
    up = [cell for cell in wanted if cloud.store.reachability(cell).state is ReachabilityState.UP]
    now = cloud.clock.now()

    async def ask(cell: str) -> tuple[_Step, ...] | None:
        try:
            return await forked(cloud, cell, lambda tx: tuple(_steps(tx, cloud, actor, asked, avoid=avoid, now=now)))
        except Unreachable:
            return None

    answers = dict(zip(up, await asyncio.gather(*map(ask, up)), strict=True))
    steps = {cell: answer for cell, answer in answers.items() if answer is not None}
    if not steps:
        raise Unreachable(next(iter(wanted), ""), "no cell answers")
    placed, refused = _settled(steps, asked.count, len(avoid))
    return Answer(
        asked=asked,
        placed=placed,
        stops=tuple({server.id: server for each in placed for server in each.stops}.values()),
        shrinks=_summed(placed),
        refused=refused,
        unreachable=tuple(cell for cell in wanted if cell not in steps),
        at=now,
    )


async def _avoided(cloud: Cloud, actor: Account, pictures: Pictures, asked: WhatIf) -> tuple[str, ...]:
    if asked.avoid_group is None:
        return asked.avoid
    found = await groups.list_groups(cloud, actor, pictures)
    group = next((each for each in found if each.name == asked.avoid_group), None)
    if group is None:
        raise NotFound("group", asked.avoid_group)
    return (*asked.avoid, *(member.id for member in group.members if member.id not in asked.avoid))


def _steps(
    tx: CellTransaction, cloud: Cloud, actor: Account, asked: WhatIf, *, avoid: tuple[str, ...], now: datetime
) -> Iterator[_Step]:
    """Place them all in this cell, for as long as there is room. Leaves them in the transaction."""
    settings = cloud.settings
    for number in range(asked.count):
        bid = cells.offer_of(tx, cloud, asked.size, actor, is_backfilling=asked.is_backfilling, avoid=avoid, now=now)
        draft = Server(
            id=f"what-if-{number:04d}",
            name="",
            cell=tx.cell,
            project_id=actor.project_id,
            owner=actor.name,
            size=asked.size,
            created_at=now,
            state_since=now,
            is_backfilling=asked.is_backfilling,
        )
        found = rooms.choose(tx, draft, now=now, settings=settings, avoid=avoid, visible_to=actor)
        if isinstance(found, NoValidHost):
            yield _Step(bid, (), None, dict(found.counted()))
            return
        plan = plans.start_of(tx, cloud, actor, draft, avoid=avoid, now=now)
        tx.add_server(draft, at=now, actor=actor.name)
        decision = rooms.move_in(
            tx,
            tx.server(draft.id),
            found,
            now=now,
            settings=settings,
            avoid=avoid,
            actor=actor.name,
            visible_to=actor,
        )
        shrinks = tuple(change for change in plan.shrinks if not _is_draft(change.server))
        yield _Step(
            bid, found.chosen.ranks, Placed(tx.cell, decision, plan.stops, shrinks, len(found.chosen.ranks)), {}
        )
        if asked.apart:
            avoid = (*avoid, draft.id)


def _is_draft(server: Server) -> bool:
    return server.id.startswith("what-if-")


def _settled(
    steps: Mapping[str, Sequence[_Step]], count: int, avoided: int
) -> tuple[tuple[Placed, ...], Mapping[str, int]]:
    """Which cell gets the next server, again and again: the best bid first, as `cells.choose` has it.

    A cell ranks what was placed before by its own count. Over all cells the order is the same, and the ranks are those
    of the whole sequence.
    """
    placed: list[Placed] = []
    taken: dict[str, list[int]] = {cell: [] for cell in steps}
    while len(placed) < count:
        bids = []
        for cell, numbers in taken.items():
            step = steps[cell][len(numbers)]
            ranks = tuple(rank if rank < avoided else avoided + numbers[rank - avoided] for rank in step.ranks)
            bids.append(((step.bid[0], placement.avoid_key(ranks), *step.bid[2:]), cell))
        best = min(bids)[1]
        step = steps[best][len(taken[best])]
        if step.placed is None:
            # Every other cell bids worse than one that has no room.
            return tuple(placed), _refused(steps, taken)
        taken[best].append(len(placed))
        placed.append(step.placed)
    return tuple(placed), {}


def _refused(steps: Mapping[str, Sequence[_Step]], taken: Mapping[str, Sequence[int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for cell, numbers in taken.items():
        for reason, count in steps[cell][len(numbers)].refused.items():
            counts[reason] = counts.get(reason, 0) + count
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _summed(placed: Sequence[Placed]) -> tuple[Change, ...]:
    """From what each is now to what it would be in the end; who is stopped is not among them."""
    stopped = {server.id for each in placed for server in each.stops}
    changes: dict[str, Change] = {}
    for each in placed:
        for change in each.shrinks:
            before = changes.get(change.server.id)
            changes[change.server.id] = change if before is None else replace(before, after=change.after)
    return tuple(change for id, change in changes.items() if id not in stopped)
