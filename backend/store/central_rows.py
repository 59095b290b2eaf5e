"""What the objects that cloud.db holds whole have in common: a row, a version, and an event for every change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from backend.store.rows import Table
from backend.store.transaction import Transaction


class _Kept(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=_Kept)


class CentralRowsTransaction(Transaction):
    """Adding, saving and removing by `Table`. A table's key is called `id`."""

    def _add(
        self, table: Table[Any], thing: Any, *, at: datetime, actor: str, details: Mapping[str, Any] | None
    ) -> None:
        done = self._run(table.insert, table.stored(thing))
        assert done.rowcount == 1, f"there is a {table.name} {thing.id} already"
        # What a backup contains is in its row; in the log it would only be large.
        changes = {column: (None, value) for column, value in table.picture(thing).items() if column != "contents"}
        self.emit(
            f"{table.name}.created",
            table.name,
            thing.id,
            at=at,
            version=thing.version,
            actor=actor,
            changes=changes,
            details=details,
        )

    def _save(
        self,
        table: Table[T],
        before: T,
        after: T,
        *,
        kind: str,
        at: datetime,
        actor: str,
        details: Mapping[str, Any] | None,
    ) -> T:
        difference = table.difference(before, after)
        if difference is None:
            return before
        self._write(difference, before.id, before.version)
        difference.changes.pop("contents", None)
        after = table.with_version(after, before.version + 1)
        self.emit(
            kind,
            table.name,
            after.id,
            at=at,
            version=after.version,
            actor=actor,
            changes=difference.changes,
            details=details,
        )
        return after

    def _remove(
        self, table: Table[Any], thing: Any, *, at: datetime, actor: str, details: Mapping[str, Any] | None = None
    ) -> None:
        if self._run(table.delete, (thing.id,)).rowcount:
            changes = {column: (value, None) for column, value in table.picture(thing).items() if column != "contents"}
            self.emit(
                f"{table.name}.deleted",
                table.name,
                thing.id,
                at=at,
                version=thing.version + 1,
                actor=actor,
                changes=changes,
                details=details,
            )
