"""Verbs of servers that change what becomes of them later, and disturb nothing now."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from console.commands import Command
from console.port import ClientError, Port
from console.presentation.lines import Tone
from console.reasons import Selection

if TYPE_CHECKING:
    from console.screens.acting import Host

RESTARTS = {"server.restarts": True, "server.stays": False}


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Ask that backfilling servers be started again after they were stopped for room, or that they be not."""
    wanted = RESTARTS[command.id]
    items = [item for item in selection.items if item.restarts is not None and item.restarts is not wanted]
    problems, started = [], 0
    for item in items:
        try:
            outcome = await client.act("server", item.key, "edit", restarts=wanted, key=uuid.uuid4().hex)
        except ClientError as error:
            problems.append(f"{item.name}: {error.sentence}")
        else:
            started += outcome.server is not None and outcome.server.state == "starting"
    if problems:
        host.say(f"{command.title}: {problems[0]}", Tone.CRIT)
        return
    name = items[0].name if len(items) == 1 else f"{len(items)} servers"
    if not wanted:
        host.say(f"{name}: not started again once stopped for room", Tone.OK)
    elif started:
        host.say(f"{name}: there is room, {'it starts' if len(items) == 1 else f'{started} start'} now", Tone.OK)
    else:
        host.say(f"{name}: started again whenever stopped for room and it fits again", Tone.OK)
