"""What was asked of a cloud from this machine, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

ACCEPTED, REFUSED, NOT_SENT, UNKNOWN = "accepted", "refused", "not sent", "outcome unknown"
SENDING = "sending"
"""No outcome yet: this program waits for it."""


class AuditRecord(NamedTuple):
    """One request that could change something. It was written down before it was sent."""

    id: str
    at: datetime
    """The wall's instant."""
    method: str
    path: str
    """Below the API's own prefix, with what it asks for behind a `?`."""
    body: Mapping[str, Any]
    """Without secrets."""
    outcome: str = UNKNOWN
    """One of the five; unknown also where this program ended before an answer came."""
    sentence: str = ""
    ended_at: datetime | None = None
    name: str = ""
    """What the object was called when it was sent, where its path has only an id."""

    @property
    def key(self) -> str:
        return f"audit:{self.id}"


class Audit(NamedTuple):
    """The newest records, oldest first."""

    records: tuple[AuditRecord, ...]
