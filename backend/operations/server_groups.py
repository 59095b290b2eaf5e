"""Server groups: servers that are to be kept on different hosts. Their members carry the tag of an availability group.

Membership is central, so it is known while a cell does not answer. What it does is the avoid list of the members'
starts: with `soft-anti-affinity` as far as possible, with `anti-affinity` or not at all (`boots`).

Groups of the same name are one in the operator's eyes, and each its own here.

The cloud itself keeps to it as well, when it starts a member elsewhere after the loss of a host or out of one that is
emptied (`apart`).
"""

from __future__ import annotations

from dataclasses import replace

from backend.cloud.errors import Forbidden, NotFound
from backend.cloud.model import GROUP_TAG_PREFIX, Account
from backend.operations import Cloud
from backend.store import CloudTransaction, ServerGroup

GroupWithMembers = tuple[ServerGroup, list[str]]
"""A group, and the ids of its servers, oldest first."""


def tag_of(group: ServerGroup) -> str:
    """What makes its members one of the groups that an operator sees."""
    return GROUP_TAG_PREFIX + group.name


async def list_groups(cloud: Cloud, actor: Account, *, all_projects: bool = False) -> list[GroupWithMembers]:
    """Those of the account's project, or of all; in the order of creation."""

    def find(tx: CloudTransaction) -> list[GroupWithMembers]:
        groups = tx.server_groups(project_id=None if all_projects else actor.project_id)
        members = tx.members_of_groups([group.id for group in groups])
        return [(group, members.get(group.id, [])) for group in groups]

    return await cloud.store.cloud_read(find)


async def get_group(cloud: Cloud, actor: Account, group_id: str) -> GroupWithMembers:
    """Raises NotFound."""

    def find(tx: CloudTransaction) -> GroupWithMembers:
        group = tx.server_group(group_id)
        if not actor.may_see(group.project_id):
            raise NotFound("server group", group_id)
        return group, tx.members_of_groups([group.id]).get(group.id, [])

    return await cloud.store.cloud_read(find)


async def create_group(cloud: Cloud, actor: Account, name: str, *, is_hard: bool) -> ServerGroup:
    """In the account's project. Raises Forbidden."""
    if not actor.may_change(actor.project_id):
        raise Forbidden("create a server group", "this account may not change the project")
    now = cloud.clock.now()

    def add(tx: CloudTransaction) -> ServerGroup:
        group = ServerGroup(
            id=tx.next_id("cloud"),
            name=name,
            project_id=actor.project_id,
            owner=actor.name,
            policy="anti-affinity" if is_hard else "soft-anti-affinity",
            created_at=now,
        )
        tx.add_server_group(group, actor=actor.name)
        return group

    group = await cloud.store.cloud_write(add)
    await learn(cloud)
    return group


async def delete_group(cloud: Cloud, actor: Account, group_id: str) -> None:
    """Its servers stay, with the tag: they are still a group in the operator's eyes. Raises NotFound, Forbidden."""
    now = cloud.clock.now()

    def remove(tx: CloudTransaction) -> None:
        group = tx.server_group(group_id)
        if not actor.may_see(group.project_id):
            raise NotFound("server group", group_id)
        if not actor.may_change(group.project_id):
            raise Forbidden("delete the server group", "this account may only look at it")
        tx.remove_server_group(group, at=now, actor=actor.name)

    await cloud.store.cloud_write(remove)
    await learn(cloud)


async def learn(cloud: Cloud) -> None:
    """Which groups are hard, for what is decided in the cells from now on."""
    groups = await cloud.store.cloud_read(lambda tx: tx.server_groups())
    cloud.settings = replace(cloud.settings, hard_groups=frozenset(group.id for group in groups if group.is_hard))
