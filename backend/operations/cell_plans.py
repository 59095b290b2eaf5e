"""What the silence of a cell would mean, before it is injected: worked out as if the cell did not answer.

Nothing of a cell that falls silent is stopped or lost. It is not known any more: its servers and drives, its members of
groups, its room. The groups are those that the list of groups would then show, by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backend.cloud.errors import CloudError, Forbidden, NotFound, Unreachable, WrongState
from backend.cloud.groups import Redundancy
from backend.cloud.lifecycle import has_host
from backend.cloud.model import SERVER, Account, ReachabilityState, Schedule
from backend.operations import Cloud, RequestKey, backup_sources, cells, groups, plan_tokens, repeats
from backend.operations.cells import HostsUp, Picture, Pictures
from backend.operations.plan_tokens import Parts, digest
from backend.operations.servers import LISTED
from backend.store import CloudTransaction

CellAction = Literal["down", "hung"]


@dataclass(frozen=True, slots=True)
class GroupLoss:
    """A group with members in the cell."""

    name: str
    members: int
    """That would be unknown."""
    before: Redundancy
    after: Redundancy


@dataclass(frozen=True, slots=True)
class CellPlan:
    action: CellAction
    cell: str
    problem: CloudError | None
    """Why it would be refused; None when it would be done."""
    state: str
    """Whether it answers now."""
    servers: tuple[str, ...] = ()
    """The ids of all that would be unknown."""
    running: int = 0
    """How many of them hold a host."""
    drives: tuple[str, ...] = ()
    hosts: int = 0
    hosts_up: HostsUp | None = None
    """What goes of the cloud's room."""
    open_tasks: int = 0
    """That would wait."""
    schedules: int = 0
    """That would miss their runs."""
    groups: tuple[GroupLoss, ...] = ()

    @property
    def parts(self) -> Parts:
        """What a token of it holds. Tasks come and go, and the room changes: they are shown and no part."""
        lost = [[each.name, each.members, each.after.tolerates] for each in self.groups]
        return {
            "action": self.action,
            "id": self.cell,
            "state": self.state,
            "servers": digest(self.servers),
            "drives": digest(self.drives),
            "groups": digest(lost),
        }


def _is_about(tx: CloudTransaction, schedule: Schedule, server_ids: frozenset[str]) -> bool:
    """Whether any of these servers is in its source."""
    if schedule.source_kind == SERVER:
        return schedule.source_id in server_ids
    parts = backup_sources.KINDS[schedule.source_kind].servers(tx, schedule.source_id)
    return any(entry.id in server_ids for entry in parts)


async def preview_cell(cloud: Cloud, actor: Account, pictures: Pictures, name: str, action: CellAction) -> CellPlan:
    """Raises NotFound, Forbidden."""
    if not actor.is_staff:
        raise Forbidden("inject a fault", "it needs a staff account")
    if name not in cloud.store.cell_names:
        raise NotFound("cell", name)
    reachability = cloud.store.reachability(name)
    answers = await pictures.fresh()
    picture = answers[name]
    if not isinstance(picture, Picture) or reachability.state is not ReachabilityState.UP:
        problem = WrongState("cell", name, f"make {action}", reachability.state, (ReachabilityState.UP,))
        return CellPlan(action, name, problem, reachability.state.value)

    def find(tx: CloudTransaction) -> tuple[list[str], list[str], int]:
        servers = [entry.id for entry in tx.server_entries(projects=None, cells=[name], states=LISTED)]
        drives = [entry.id for entry in tx.drive_entries(projects=None, cells=[name], states=LISTED)]
        there = frozenset(servers)
        schedules = sum(schedule.is_active and _is_about(tx, schedule, there) for schedule in tx.schedules())
        return sorted(servers), sorted(drives), schedules

    servers, drives, schedules = await cloud.store.cloud_read(find)
    # What would be known of its members is what was mirrored of them: all that has happened, not all but the last.
    await cloud.store.flush_last_known()
    before = {group.name: group for group in await groups.groups_of(cloud, actor, answers)}
    silent = {**answers, name: Unreachable(name, f"injected: {action}")}
    after = {group.name: group for group in await groups.groups_of(cloud, actor, silent)}
    losses = [
        GroupLoss(group.name, members, group.redundancy, after[group.name].redundancy)
        for group in before.values()
        if (members := sum(view.cell == name for view in group.members)) and group.name in after
    ]
    return CellPlan(
        action=action,
        cell=name,
        problem=None,
        state=reachability.state.value,
        servers=tuple(servers),
        running=sum(has_host(server.state) for load in picture.loads for server in load.servers),
        drives=tuple(drives),
        hosts=len(picture.loads) + len(picture.storage),
        hosts_up=picture.hosts_up,
        open_tasks=picture.open_tasks or 0,
        schedules=schedules,
        groups=tuple(sorted(losses, key=lambda loss: (loss.after.tolerates or 0, loss.name))),
    )


async def inject(
    cloud: Cloud,
    actor: Account,
    pictures: Pictures,
    name: str,
    state: str,
    *,
    token: str | None = None,
    request: RequestKey | None = None,
) -> None:
    """As `cells.inject`; with a token only where the plan is still that one. Raises Conflict, and as that does.

    A fault is no transaction of the cell that it silences: the plan is worked out just before.
    """
    if token is not None and not await repeats.was_done(cloud, request):
        plan_tokens.parts_of(token)
        action: CellAction = "hung" if state == "hung" else "down"
        plan = await preview_cell(cloud, actor, pictures, name, action)
        if plan.problem is not None:
            raise plan.problem
        plan_tokens.check(token, plan.parts)
    await cells.inject(cloud, actor, name, state, request=request)
