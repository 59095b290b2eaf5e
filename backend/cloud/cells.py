"""A cell that does not answer: when to ask again, and what is still known of its servers and drives.

What is known is what is kept centrally. Nothing is guessed: state, host and name are the cell's own to tell.
**Source**: Nova, "Handling Down Cells".
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from backend.cloud.model import PartialDrive, PartialServer, Size

BACK_OFF_SECONDS_MAX = 60


def back_off_seconds(tries: int) -> int:
    """How long to wait before asking again after `tries` questions without an answer: 1, 2, 4, ... 60."""
    return min(BACK_OFF_SECONDS_MAX, 1 << min(max(tries, 1) - 1, 6))


class CentralServer(Protocol):
    """What is centrally known of a server."""

    @property
    def id(self) -> str: ...
    @property
    def cell(self) -> str: ...
    @property
    def project_id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def size(self) -> Size: ...
    @property
    def is_backfilling(self) -> bool: ...


class CentralDrive(Protocol):
    """What is centrally known of a drive."""

    @property
    def id(self) -> str: ...
    @property
    def cell(self) -> str: ...
    @property
    def project_id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def server_id(self) -> str | None: ...


def partial_server(entry: CentralServer) -> PartialServer:
    """The server as it is shown while its cell does not answer."""
    return PartialServer(
        id=entry.id,
        cell=entry.cell,
        project_id=entry.project_id,
        owner=entry.owner,
        created_at=entry.created_at,
        size=entry.size,
        is_backfilling=entry.is_backfilling,
    )


def partial_drive(entry: CentralDrive) -> PartialDrive:
    """The drive as it is shown while its cell does not answer."""
    return PartialDrive(
        id=entry.id,
        cell=entry.cell,
        project_id=entry.project_id,
        owner=entry.owner,
        created_at=entry.created_at,
        size_bytes=entry.size_bytes,
        server_id=entry.server_id,
    )
