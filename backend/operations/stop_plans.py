"""What comes of the room that a stopped server leaves, worked out by stopping it and undoing that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.cloud.model import Server, Size
from backend.operations import Settings, rooms
from backend.store import CellTransaction


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Servers that start again in the room, as they would be, in the order in which they do; and other sizes."""

    restarted: tuple[Server, ...] = ()
    resized: tuple[tuple[Server, Size, Size], ...] = ()
    """Backfilling servers that run already, as they are, with what they have and what they would have."""


def of_stop(tx: CellTransaction, server: Server, *, at: datetime, settings: Settings) -> Aftermath:
    """In a transaction that may write, before it has. What happens until the stop is over is not foreseen."""
    number = tx.last_event_number()

    def stopped() -> tuple[tuple[Server, ...], dict[str, Server]]:
        rooms.move_out(tx, server, now=at, settings=settings, kind="server.stopped")
        events = tx.events(after=number, limit=100_000)
        restarted = dict.fromkeys(
            event.object_id for event in events if event.kind == "server.placed" and event.details.get("restart")
        )
        resized = {event.object_id for event in events if event.kind in ("server.grown", "server.shrunk")}
        return tuple(tx.server(id_) for id_ in restarted), tx.servers(resized - restarted.keys())

    restarted, after = tx.undone(stopped)
    before = tx.servers(after)
    resized = [
        (before[id_], was, will)
        for id_ in sorted(after)
        if (was := before[id_].effective) is not None and (will := after[id_].effective) is not None and was != will
    ]
    return Aftermath(restarted, tuple(resized))
