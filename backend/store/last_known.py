"""The part of cloud.db that is about what was last seen in the cells, and which hosts they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from backend.cloud.model import Host, HostKind
from backend.store.entries import HostEntry, LastKnown
from backend.store.rows import HOST, instant_of, json_of, object_of, text_of
from backend.store.transaction import Transaction

_WRITE = (
    "INSERT INTO last_known (id, object_kind, cell, known_at, picture) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id, object_kind) DO UPDATE SET known_at = excluded.known_at, picture = excluded.picture"
)


class LastKnownTransaction(Transaction):
    """What a job may ask of the last pictures: for the operator's eyes, when a cell does not answer."""

    def last_known(self, ids: Iterable[str]) -> list[LastKnown]:
        """Those of these servers and drives of which there is one, by id."""
        where = "id IN (SELECT value FROM json_each(?)) AND object_kind <> 'host'"
        return self._last_known(where, (json_of(list(ids)),))

    def last_known_of_cell(self, cell: str, kind: Literal["server", "drive", "host"]) -> list[LastKnown]:
        """By id, of a host its name."""
        return self._last_known("cell = ? AND object_kind = ?", (cell, kind))

    def save_last_known(
        self, cell: str, pictures: Iterable[tuple[str, str, Mapping[str, Any] | None]], *, known_at: datetime
    ) -> None:
        """Pictures are (kind, id, picture), the picture None when the object is gone. Hosts enter the directory."""
        gone: list[tuple[str, str]] = []
        hosts: list[tuple[str, str, str]] = []
        known = text_of(known_at)

        def kept() -> Iterator[tuple[str, str, str, str, str]]:
            for kind, id_, picture in pictures:
                if picture is None:
                    gone.append((id_, kind))
                else:
                    if kind == "host":
                        hosts.append((id_, cell, picture["kind"]))
                    yield id_, kind, cell, known, json_of(picture)

        self._connection.executemany(_WRITE, kept())
        self._connection.executemany("DELETE FROM last_known WHERE id = ? AND object_kind = ?", gone)
        self._connection.executemany("INSERT OR IGNORE INTO host_directory (name, cell, kind) VALUES (?, ?, ?)", hosts)

    def enter_hosts(self, hosts: Iterable[Host], *, known_at: datetime) -> None:
        """With their pictures."""
        for host in hosts:
            self.save_last_known(host.cell, [("host", host.name, HOST.picture(host))], known_at=known_at)

    def save_open_tasks(self, cell: str, open_tasks: int) -> None:
        """As the last commit left them that was heard of."""
        self._run("UPDATE cell SET open_tasks = ? WHERE name = ?", (open_tasks, cell))

    def last_known_open_tasks(self) -> dict[str, int | None]:
        """By cell, None where none was ever told: how many tasks were open when it was last heard of."""
        return dict(self._run("SELECT name, open_tasks FROM cell"))

    def count_compute_hosts(self) -> dict[str, int]:
        """By cell, as the directory has them."""
        return dict(self._run("SELECT cell, count(*) FROM host_directory WHERE kind = 'compute' GROUP BY cell"))

    def count_hosts(self) -> dict[tuple[str, str, str], int]:
        """By cell, kind and state, as they were last heard of."""
        text = (
            "SELECT cell, picture ->> 'kind', picture ->> 'state', count(*) FROM last_known"
            " WHERE object_kind = 'host' AND cell = ? GROUP BY 2, 3"
        )
        cells = [name for (name,) in self._run("SELECT name FROM cell").fetchall()]
        return {(cell, kind, state): count for name in cells for cell, kind, state, count in self._run(text, (name,))}

    def host_entries(self, cell: str) -> list[HostEntry]:
        """The hosts that a cell is known to have, by name, whether it answers or not."""
        text = "SELECT name, cell, kind FROM host_directory WHERE cell = ? ORDER BY name"
        return [HostEntry(name, in_cell, HostKind(kind)) for name, in_cell, kind in self._run(text, (cell,))]

    def _last_known(self, where: str, values: tuple[Any, ...]) -> list[LastKnown]:
        text = f"SELECT id, object_kind, cell, known_at, picture FROM last_known WHERE {where} ORDER BY id"  # noqa: S608
        return [
            LastKnown(id_, kind, cell, instant_of(known_at), object_of(picture))
            for id_, kind, cell, known_at, picture in self._run(text, values)
        ]
