"""The part of cloud.db that is about server groups: which there are, and which servers belong to them."""

from __future__ import annotations

from datetime import datetime

from backend.cloud.errors import NotFound
from backend.store.entries import SERVER_ENTRY_COLUMNS, ServerEntry, ServerGroup, server_entry_of
from backend.store.rows import Row, instant_of, json_of, text_of
from backend.store.transaction import Transaction

_COLUMNS = "id, name, project_id, owner, policy, created_at"
_OF_GROUP = f"SELECT {SERVER_ENTRY_COLUMNS} FROM server_directory WHERE server_group = ? ORDER BY created_at, id"  # noqa: S608
_MEMBERS = (
    "SELECT server_group, id FROM server_directory"
    " WHERE server_group IN (SELECT value FROM json_each(?)) AND state <> 'deleting' ORDER BY created_at, id"
)


def _group_of(row: Row) -> ServerGroup:
    id_, name, project_id, owner, policy, created_at = row
    return ServerGroup(id_, name, project_id, owner, policy, instant_of(created_at))


class ServerGroupsTransaction(Transaction):
    """What a job may ask of the server groups."""

    def server_groups(self, *, project_id: str | None = None) -> list[ServerGroup]:
        """By (created_at, id); of every project when none is named."""
        where, values = ("", ()) if project_id is None else ("WHERE project_id = ?", (project_id,))
        text = f"SELECT {_COLUMNS} FROM server_group {where} ORDER BY created_at, id"  # noqa: S608
        return [_group_of(row) for row in self._run(text, values)]

    def find_server_group(self, id: str) -> ServerGroup | None:
        row = self._run(f"SELECT {_COLUMNS} FROM server_group WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return None if row is None else _group_of(row)

    def server_group(self, id: str) -> ServerGroup:
        """NotFound if there is none."""
        found = self.find_server_group(id)
        if found is None:
            raise NotFound("server group", id)
        return found

    def members_of_groups(self, ids: list[str]) -> dict[str, list[str]]:
        """The ids of the servers of each group that has any, oldest first."""
        members: dict[str, list[str]] = {}
        for group, id in self._run(_MEMBERS, (json_of(ids),)):
            members.setdefault(group, []).append(id)
        return members

    def server_entries_of_group(self, id: str) -> list[ServerEntry]:
        """By (created_at, id), whatever their state."""
        return [server_entry_of(row) for row in self._run(_OF_GROUP, (id,))]

    def add_server_group(self, group: ServerGroup, *, actor: str) -> None:
        """Insert it and emit `server_group.created`."""
        self._run(
            f"INSERT INTO server_group ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            (group.id, group.name, group.project_id, group.owner, group.policy, text_of(group.created_at)),
        )
        changes = {"name": (None, group.name), "policy": (None, group.policy)}
        self.emit("server_group.created", "server_group", group.id, at=group.created_at, actor=actor, changes=changes)

    def remove_server_group(self, group: ServerGroup, *, at: datetime, actor: str) -> None:
        """Its servers stay, and belong to no group any more. Emits `server_group.deleted`."""
        self._run("UPDATE server_directory SET server_group = NULL WHERE server_group = ?", (group.id,))
        self._run("DELETE FROM server_group WHERE id = ?", (group.id,))
        changes = {"name": (group.name, None), "policy": (group.policy, None)}
        self.emit("server_group.deleted", "server_group", group.id, at=at, actor=actor, changes=changes)
