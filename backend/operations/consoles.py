"""What one does with a running server's screen and reset button.

A console belongs to the start that it was opened in: it is remembered with that start's instant, so that a server that
was stopped and started again has none, without anything having to close it.

Simplified: nothing boots, so behind a console there is nothing to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from backend.cloud import lifecycle
from backend.cloud.errors import WrongState
from backend.cloud.model import Account, Server, ServerState
from backend.operations import Cloud
from backend.operations.servers import entry_for
from backend.store import CellTransaction

ConsoleKind = Literal["vnc", "console"]

OPEN = "consoles_open"
"""Attribute of a server: by kind of console, the start that it was opened in."""


def is_open(server: Server, kind: ConsoleKind) -> bool:
    return server.started_at is not None and _opened(server).get(kind) == server.started_at.isoformat()


def _opened(server: Server) -> Mapping[str, str]:
    found: Mapping[str, str] = server.attributes.get(OPEN, {})
    return found


def open_in_cell(tx: CellTransaction, server_id: str, kind: ConsoleKind, *, now: datetime, actor: str) -> Server:
    """One that is open stays open. Raises NotFound, WrongState."""
    server = tx.server(server_id)
    if server.state is not ServerState.RUNNING or server.started_at is None:
        raise WrongState("server", server.id, f"open_{kind}", server.state, (ServerState.RUNNING,))
    opened = {**_opened(server), kind: server.started_at.isoformat()}
    return _save(tx, server, opened, f"server.{kind}_opened", now=now, actor=actor)


def close_in_cell(tx: CellTransaction, server_id: str, kind: ConsoleKind, *, now: datetime, actor: str) -> Server:
    """Raises NotFound, WrongState: there is none that is open."""
    server = tx.server(server_id)
    if server.state is not ServerState.RUNNING:
        raise WrongState("server", server.id, f"close_{kind}", server.state, (ServerState.RUNNING,))
    if not is_open(server, kind):
        raise WrongState(kind, server.id, f"close_{kind}", "closed", ("open",))
    left = {each: at for each, at in _opened(server).items() if each != kind}
    return _save(tx, server, left, f"server.{kind}_closed", now=now, actor=actor)


def _save(
    tx: CellTransaction, server: Server, opened: Mapping[str, str], event: str, *, now: datetime, actor: str
) -> Server:
    attributes = {name: value for name, value in server.attributes.items() if name != OPEN}
    if opened:
        attributes[OPEN] = dict(opened)
    return tx.save_server(server, replace(server, attributes=attributes), kind=event, at=now, actor=actor)


def restart_in_cell(tx: CellTransaction, server_id: str, *, now: datetime, actor: str) -> Server:
    """The reset button: it keeps its host and its size, and what it was doing since its start is lost."""
    server = tx.server(server_id)
    lifecycle.begin("server", server.id, "restart", server.state)
    again = replace(server, started_at=now, state_since=now)
    return tx.save_server(server, again, kind="server.restarted", at=now, actor=actor)


async def open_console(
    cloud: Cloud, actor: Account, server_id: str, kind: ConsoleKind, *, only_backfilling: bool = False
) -> Server:
    """Raises NotFound, Forbidden, WrongState, Unreachable, OutcomeUnknown."""
    return await _change(
        cloud,
        actor,
        server_id,
        lambda tx: open_in_cell(tx, server_id, kind, now=cloud.clock.now(), actor=actor.name),
        only_backfilling=only_backfilling,
    )


async def close_console(
    cloud: Cloud, actor: Account, server_id: str, kind: ConsoleKind, *, only_backfilling: bool = False
) -> Server:
    """Raises NotFound, Forbidden, WrongState, Unreachable, OutcomeUnknown."""
    return await _change(
        cloud,
        actor,
        server_id,
        lambda tx: close_in_cell(tx, server_id, kind, now=cloud.clock.now(), actor=actor.name),
        only_backfilling=only_backfilling,
    )


async def restart_server(cloud: Cloud, actor: Account, server_id: str, *, only_backfilling: bool = False) -> Server:
    """Raises NotFound, Forbidden, WrongState, Unreachable, OutcomeUnknown."""
    return await _change(
        cloud,
        actor,
        server_id,
        lambda tx: restart_in_cell(tx, server_id, now=cloud.clock.now(), actor=actor.name),
        only_backfilling=only_backfilling,
    )


async def _change(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    change: Callable[[CellTransaction], Server],
    *,
    only_backfilling: bool,
) -> Server:
    entry = await entry_for(cloud, actor, server_id, to_change=True, only_backfilling=only_backfilling)
    return await cloud.store.cell_write(entry.cell, change)
