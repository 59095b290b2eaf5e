"""The part of cloud.db that is about snapshots of drives. They go with their drive's entry, which is a foreign key."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from backend.cloud.errors import NotFound
from backend.cloud.model import Snapshot
from backend.store.rows import Row, instant_of, json_of, object_of, text_of, words_of
from backend.store.transaction import Transaction

_COLUMNS = "id, drive_id, project_id, owner, name, created_at, available_at, size_bytes, media, meta, tags, version"
_SELECT = f"SELECT {_COLUMNS} FROM snapshot"  # noqa: S608
_KNOWN_DRIVE = "drive_id IN (SELECT id FROM drive_directory WHERE state <> 'deleting')"


def _snapshot_of(row: Row) -> Snapshot:
    id_, drive_id, project_id, owner, name, created_at, available_at, size_bytes, media, meta, tags, version = row
    return Snapshot(
        id_,
        drive_id,
        project_id,
        owner,
        name,
        instant_of(created_at),
        instant_of(available_at),
        size_bytes,
        media,
        object_of(meta),
        words_of(tags),
        version,
    )


def _row(snapshot: Snapshot) -> Row:
    return (
        snapshot.id,
        snapshot.drive_id,
        snapshot.project_id,
        snapshot.owner,
        snapshot.name,
        text_of(snapshot.created_at),
        text_of(snapshot.available_at),
        snapshot.size_bytes,
        snapshot.media,
        json_of(dict(snapshot.meta)),
        json_of(list(snapshot.tags)),
        snapshot.version,
    )


class SnapshotsTransaction(Transaction):
    """What a job may ask of the snapshots."""

    def snapshots(
        self, *, projects: frozenset[str] | None = None, drives: Collection[str] | None = None
    ) -> list[Snapshot]:
        """By (created_at, id), without those of drives that are being deleted. None: any."""
        where, values = _KNOWN_DRIVE, []
        for column, wanted in (("project_id", projects), ("drive_id", drives)):
            if wanted is not None:
                where += f" AND {column} IN (SELECT value FROM json_each(?))"  # noqa: S608
                values.append(json_of(sorted(wanted)))
        return [_snapshot_of(row) for row in self._run(f"{_SELECT} WHERE {where} ORDER BY created_at, id", values)]

    def snapshot(self, id: str) -> Snapshot:
        """NotFound if there is none, or its drive is being deleted."""
        row = self._run(f"{_SELECT} WHERE id = ? AND {_KNOWN_DRIVE}", (id,)).fetchone()
        if row is None:
            raise NotFound("snapshot", id)
        return _snapshot_of(row)

    def stray_snapshots(self) -> list[str]:
        """The ids of those that are of no drive, by id: there are none, unless the file was tampered with."""
        text = "SELECT id FROM snapshot WHERE drive_id NOT IN (SELECT id FROM drive_directory) ORDER BY id"
        return [id_ for (id_,) in self._run(text)]

    def add_snapshot(self, snapshot: Snapshot, *, actor: str) -> None:
        """Insert it and emit `snapshot.created`."""
        marks = ", ".join("?" * len(_row(snapshot)))
        self._run(f"INSERT INTO snapshot ({_COLUMNS}) VALUES ({marks})", _row(snapshot))  # noqa: S608
        self.emit(
            "snapshot.created",
            "snapshot",
            snapshot.id,
            at=snapshot.created_at,
            version=snapshot.version,
            actor=actor,
            changes={"name": (None, snapshot.name), "size_bytes": (None, snapshot.size_bytes)},
            details={"drive": snapshot.drive_id},
        )

    def save_snapshot(self, before: Snapshot, after: Snapshot, *, at: datetime, actor: str) -> Snapshot:
        """Write name, meta and tags and emit `snapshot.edited`; nothing when nothing changed. Gives the version."""
        changes = {
            field: (getattr(before, field), getattr(after, field))
            for field in ("name", "meta", "tags")
            if getattr(before, field) != getattr(after, field)
        }
        if not changes:
            return before
        self._run(
            "UPDATE snapshot SET name = ?, meta = ?, tags = ?, version = version + 1 WHERE id = ?",
            (after.name, json_of(dict(after.meta)), json_of(list(after.tags)), before.id),
        )
        saved = self.snapshot(before.id)
        self.emit("snapshot.edited", "snapshot", before.id, at=at, version=saved.version, actor=actor, changes=changes)
        return saved

    def remove_snapshot(self, snapshot: Snapshot, *, at: datetime, actor: str) -> None:
        """Delete it and emit `snapshot.deleted`; nothing if it has gone already."""
        if self._run("DELETE FROM snapshot WHERE id = ?", (snapshot.id,)).rowcount:
            changes = {"name": (snapshot.name, None), "size_bytes": (snapshot.size_bytes, None)}
            self.emit(
                "snapshot.deleted",
                "snapshot",
                snapshot.id,
                at=at,
                version=snapshot.version + 1,
                actor=actor,
                changes=changes,
                details={"drive": snapshot.drive_id, "row": list(_row(snapshot))},
            )

    def put_back_snapshot(self, row: Row) -> None:
        """As the event told that removed it."""
        marks = ", ".join("?" * len(row))
        self._run(f"INSERT OR IGNORE INTO snapshot ({_COLUMNS}) VALUES ({marks})", tuple(row))  # noqa: S608
