"""Availability groups that an operator named by tags: who is where, how many share a host, what the group tolerates.

For staff each group with collisions also has what would restore it: of the list its number of moves, worked out cheaply
and kept until something changes; of one group the whole plan (`plan_group`), gone through to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud.errors import CloudError, Conflict, Forbidden, NotFound, Unreachable
from backend.cloud.groups import Member, Redundancy, redundancy
from backend.cloud.lifecycle import has_host
from backend.cloud.model import GROUP_TAG_PREFIX, Account, HostState, Task
from backend.operations import Cloud, RequestKey, last_known, plan_tokens, restorations
from backend.operations.cells import Picture, Pictures
from backend.operations.forking import forked
from backend.operations.plan_tokens import Parts, digest
from backend.operations.restorations import CellPlan, Done
from backend.store import CellTransaction

FIXES_MAX = 50
"""The worst so many groups of a list have what would restore them; of the others one asks by itself."""


@dataclass(frozen=True, slots=True)
class MemberView:
    id: str
    name: str | None
    cell: str
    host: str | None
    state: str
    """The core's word, or `unknown` while the cell does not answer."""
    is_known: bool


@dataclass(frozen=True, slots=True)
class Fix:
    """What would restore a group, in short."""

    moves: int
    collisions: int
    """After them."""
    is_fewest: bool
    """Whether it is proved that nobody does better."""
    notes: tuple[str, ...]
    """Why some collisions stay."""


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    members: tuple[MemberView, ...]
    needs: int
    redundancy: Redundancy
    down: frozenset[str] = frozenset()
    """The lost hosts."""
    fix: Fix | None = None
    """None where nothing is to be restored, and where nobody has worked it out."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """The fewest moves that take a group apart, and what they come to."""

    group: Group
    problem: CloudError | None
    """Why it cannot be carried out; None where it can."""
    moves: tuple[Done, ...]
    after: Redundancy
    notes: tuple[str, ...]
    """Why some collisions stay, and what is not known."""
    is_fewest: bool
    is_best: bool
    """Whether it is proved that no plan has fewer moves; and none of those with as few a better key."""
    seconds: float
    """Until the last member runs again."""
    at: datetime

    @property
    def parts(self) -> Parts:
        """What a token of it holds: whom it moves from where to where, in order, and who stops for each."""
        moves = [
            [each.move.server, each.move.source, each.move.target, sorted(each.move.stops), each.move.shrinks]
            for each in self.moves
        ]
        collisions = f"{self.group.redundancy.collisions} to {self.after.collisions}"
        return {"action": "restore", "id": self.group.name, "moves": digest(moves), "collisions": collisions}


async def list_groups(cloud: Cloud, actor: Account, pictures: Pictures) -> list[Group]:
    """Worst first. Members in silent cells count as lost, so what a group tolerates is then a lower bound."""
    found: list[Group] = await cloud.kept.of((list_groups, actor), lambda: _list_groups(cloud, actor, pictures))
    return found


async def _list_groups(cloud: Cloud, actor: Account, pictures: Pictures) -> list[Group]:
    groups = await groups_of(cloud, actor, await pictures.fresh())
    return await _with_fixes(cloud, groups) if actor.is_staff else groups


async def groups_of(cloud: Cloud, actor: Account, answers: Mapping[str, Picture | Unreachable]) -> list[Group]:
    """The groups as they are if the cells answer so, worst first."""
    members: dict[str, list[MemberView]] = {}
    down: set[str] = set()
    for cell, answer in answers.items():
        if isinstance(answer, Unreachable):
            for each in await last_known.grouped(cloud, cell):
                picture = each.picture
                if not actor.may_see(str(picture.get("project_id", ""))):
                    continue
                view = MemberView(each.id, picture.get("name"), cell, picture.get("host"), "unknown", False)
                for name in _groups_of(tuple(picture.get("tags", ()))):
                    members.setdefault(name, []).append(view)
            continue
        down |= {load.host.name for load in answer.loads if load.host.state is HostState.DOWN}
        for server in answer.grouped:
            if actor.may_see(server.project_id):
                host = server.host
                view = MemberView(server.id, server.name, cell, host, server.state.value, True)
                for name in _groups_of(server.tags):
                    members.setdefault(name, []).append(view)
    groups = [_group(name, views, frozenset(down)) for name, views in members.items()]
    return sorted(groups, key=_severity)


def _groups_of(tags: tuple[str, ...]) -> list[str]:
    return [tag[len(GROUP_TAG_PREFIX) :] for tag in tags if tag.startswith(GROUP_TAG_PREFIX)]


def _group(name: str, views: list[MemberView], down: frozenset[str], needs: int = 1) -> Group:
    found = redundancy([_member(view, down) for view in views], needs=needs)
    return Group(name, tuple(sorted(views, key=lambda view: (view.name or "", view.id))), needs, found, down)


def _member(view: MemberView, down: frozenset[str]) -> Member:
    is_up = view.is_known and has_host(view.state) and view.host not in down
    return Member(view.id, view.host if is_up else None, is_known=view.is_known, is_up=is_up)


def _severity(group: Group) -> tuple[int, int, int, str]:
    found = group.redundancy
    tolerates = -1 if found.tolerates is None else found.tolerates
    return (0 if found.collisions and found.tolerates == 0 else 1, tolerates, -found.collisions, group.name)


# --- what would restore them -----------------------------------------------------------------------------------------


def _cells_to_restore(group: Group) -> list[str]:
    """The cells where members share a host, by name."""
    counts = Counter((view.cell, view.host) for view in group.members if _member(view, group.down).is_up)
    return sorted({cell for (cell, _), count in counts.items() if count > 1})


def _ids_in(group: Group, cell: str) -> list[str]:
    return [view.id for view in group.members if view.cell == cell]


async def _with_fixes(cloud: Cloud, groups: Sequence[Group]) -> list[Group]:
    """What is asked of a cell follows the groups with collisions in it."""
    violated = [group for group in groups if group.redundancy.collisions][:FIXES_MAX]
    wanted: dict[str, dict[str, list[str]]] = {}
    for group in violated:
        for cell in _cells_to_restore(group):
            wanted.setdefault(cell, {})[group.name] = _ids_in(group, cell)
    if not wanted:
        return list(groups)
    now, settings = cloud.clock.now(), cloud.settings

    def find(tx: CellTransaction) -> dict[str, CellPlan]:
        most = restorations.LISTED_DECISIONS_MAX
        return {
            name: restorations.find_in_cell(tx, ids, now=now, settings=settings, decisions_max=most, with_ties=False)
            for name, ids in wanted[tx.cell].items()
        }

    answers = await cloud.store.each_cell(find, cells=sorted(wanted))
    fixes: dict[str, Fix] = {}
    for group in violated:
        cells = [cell for cell, answer in answers.items() if isinstance(answer, dict) and group.name in answer]
        found = {cell: answer[group.name] for cell in cells if isinstance(answer := answers[cell], dict)}
        fixes[group.name] = Fix(
            moves=sum(len(plan.restoration.steps) for plan in found.values()),
            collisions=sum(plan.restoration.after for plan in found.values()),
            is_fewest=all(plan.restoration.is_fewest for plan in found.values()),
            notes=tuple(note for cell, plan in found.items() for note in _notes(cell, plan)),
        )
    return [replace(group, fix=fixes.get(group.name)) for group in groups]


def _notes(cell: str, plan: CellPlan) -> list[str]:
    """Why collisions stay, or go by themselves."""
    found = plan.restoration
    leaving = [f"{name} is stopping and leaves by itself." for name in plan.leaving]
    if not found.after:
        return leaving
    if plan.held:
        return [*leaving, *(f"{name} {why} and is not moved." for name, why in sorted(plan.held.items()))]
    shared = "1 collision stays" if found.after == 1 else f"{found.after} collisions stay"
    if found.after == found.least:
        return [*leaving, f"In {cell} {shared}: there are not more hosts with room for its members."]
    if found.is_fewest:
        return [*leaving, f"In {cell} {shared}: each start chooses its own host, and no order of restarts ends better."]
    return [*leaving, f"In {cell} {shared}, as far as was searched."]


async def plan_group(cloud: Cloud, actor: Account, pictures: Pictures, name: str) -> GroupPlan:
    """What `restore` would do now. Raises NotFound, Forbidden; Unreachable where a cell falls silent meanwhile."""
    if not actor.is_staff:
        raise Forbidden("restore a group", "only staff may")
    groups = await groups_of(cloud, actor, await pictures.fresh())
    group = next((each for each in groups if each.name == name), None)
    if group is None:
        raise NotFound("group", name)
    now = at = cloud.clock.now()
    names = {view.id: view.name or view.id for view in group.members}
    found: dict[str, CellPlan] = {}
    for cell in _cells_to_restore(group):
        ids, begins_at = _ids_in(group, cell), at
        plan = await forked(
            cloud,
            cell,
            lambda tx: restorations.plan_in_cell(tx, names, ids, at=begins_at, settings=cloud.settings),  # noqa: B023
        )
        found[cell] = plan
        at = plan.ends_at or at
    moves = tuple(done for plan in found.values() for done in plan.done)
    notes = [note for cell, plan in found.items() for note in _notes(cell, plan)]
    notes += [
        f"What is under way in {cell} changes the plan: look again when it has ended."
        for cell, plan in found.items()
        if not plan.is_as_found and len(plan.done) < len(plan.restoration.steps)
    ]
    notes += _unknown(group)
    return GroupPlan(
        group=group,
        problem=_problem(group, moves, notes, actor),
        moves=moves,
        after=_after(group, found.values()),
        notes=tuple(notes),
        is_fewest=all(plan.restoration.is_fewest and plan.is_as_found for plan in found.values()),
        is_best=all(plan.restoration.is_best and plan.is_as_found for plan in found.values()),
        seconds=(at - now).total_seconds(),
        at=now,
    )


async def restore_group(
    cloud: Cloud,
    actor: Account,
    pictures: Pictures,
    name: str,
    *,
    token: str | None = None,
    request: RequestKey | None = None,
) -> Task:
    """Begin to carry the plan out; with a token only where it is still that one. Returns the task of the first move.

    The members may lie in several cells, which share no transaction: the plan of all is looked at first, and each
    cell's part again in the transaction that stops a member there.

    Raises:
        NotFound, Forbidden, Invalid, Conflict, Unreachable.
    """
    if token is not None:
        plan_tokens.parts_of(token)
    if request is not None and (task := await restorations.answered(cloud, request)) is not None:
        return task
    plan = await plan_group(cloud, actor, pictures, name)
    if plan.problem is not None:
        raise plan.problem
    if token is not None:
        plan_tokens.check(token, plan.parts)
    return await restorations.begin(cloud, actor.name, name, [done.move for done in plan.moves], request=request)


def _unknown(group: Group) -> list[str]:
    silent = Counter(view.cell for view in group.members if not view.is_known)
    return [
        f"{cell} does not answer: {count} member{'' if count == 1 else 's'} of it cannot be looked at or moved."
        for cell, count in sorted(silent.items())
    ]


def _problem(group: Group, moves: Sequence[Done], notes: Sequence[str], actor: Account) -> CloudError | None:
    if any(done.server.is_backfilling for done in moves) and not actor.may_backfill:
        return Forbidden("start backfilling servers", "backfilling is not enabled for this account")
    if moves:
        return None
    if not group.redundancy.collisions:
        return Conflict(" ".join([f"No members of group {group.name} share a host.", *notes]))
    return Conflict(" ".join([f"Nothing that can be moved restores group {group.name}.", *notes]))


def _after(group: Group, cell_plans: Iterable[CellPlan]) -> Redundancy:
    found = {id: server for plan in cell_plans for id, server in plan.after.items()}
    views = [
        replace(view, host=found[view.id].host, state=found[view.id].state.value) if view.id in found else view
        for view in group.members
    ]
    return redundancy([_member(view, group.down) for view in views], needs=group.needs)
