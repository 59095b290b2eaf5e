"""What a cloud said of its services, frozen. None means that it did not say."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class ServiceRecord(NamedTuple):
    """One service; of one whose cell does not answer only that it is UNKNOWN, and what was last known."""

    binary: str
    host: str
    cell: str | None = None
    """None for a central one."""
    status: str = "enabled"
    """`enabled`, `disabled` or `UNKNOWN`, as the API says it."""
    state: str | None = None
    """`up` or `down`."""
    updated_at: datetime | None = None
    last_state: str | None = None
    known_at: datetime | None = None
    """The wall's instant of `last_state`."""

    @property
    def key(self) -> str:
        return f"service:{self.binary}/{self.host}"

    @property
    def is_unknown(self) -> bool:
        return self.status == "UNKNOWN"


class Services(NamedTuple):
    services: tuple[ServiceRecord, ...]
