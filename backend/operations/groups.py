"""Availability groups that an operator named by tags: who is where, how many share a host, what the group tolerates."""

from __future__ import annotations

from dataclasses import dataclass

from backend.cloud.errors import Unreachable
from backend.cloud.groups import Member, Redundancy, redundancy
from backend.cloud.lifecycle import has_host
from backend.cloud.model import GROUP_TAG_PREFIX, Account, HostState
from backend.operations import Cloud, last_known
from backend.operations.cells import Pictures


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
class Group:
    name: str
    members: tuple[MemberView, ...]
    needs: int
    redundancy: Redundancy


async def list_groups(cloud: Cloud, actor: Account, pictures: Pictures) -> list[Group]:
    """Worst first. Members in silent cells count as lost, so what a group tolerates is then a lower bound."""
    found: list[Group] = await cloud.kept.of((list_groups, actor), lambda: _list_groups(cloud, actor, pictures))
    return found


async def _list_groups(cloud: Cloud, actor: Account, pictures: Pictures) -> list[Group]:
    members: dict[str, list[MemberView]] = {}
    down: set[str] = set()
    answers = await pictures.fresh()
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
    groups = [_group(name, views, down) for name, views in members.items()]
    return sorted(groups, key=_severity)


def _groups_of(tags: tuple[str, ...]) -> list[str]:
    return [tag[len(GROUP_TAG_PREFIX) :] for tag in tags if tag.startswith(GROUP_TAG_PREFIX)]


def _group(name: str, views: list[MemberView], down: set[str], needs: int = 1) -> Group:
    found = redundancy([_member(view, down) for view in views], needs=needs)
    return Group(name, tuple(sorted(views, key=lambda view: (view.name or "", view.id))), needs, found)


def _member(view: MemberView, down: set[str]) -> Member:
    is_up = view.is_known and has_host(view.state) and view.host not in down
    return Member(view.id, view.host if is_up else None, is_known=view.is_known, is_up=is_up)


def _severity(group: Group) -> tuple[int, int, int, str]:
    found = group.redundancy
    tolerates = -1 if found.tolerates is None else found.tolerates
    return (0 if found.collisions and found.tolerates == 0 else 1, tolerates, -found.collisions, group.name)
