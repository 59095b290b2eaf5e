"""Clones of servers: a name is asked for, and what to stay away from; the plan says where each copy goes, and only then
is it begun. And what a start is to stay away from.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.commands import Command
from console.port import Port
from console.presentation import creating, picking, plan
from console.presentation.lines import Frame, Line, Tone
from console.presentation.mirror import Mirror
from console.presentation.picking import Option
from console.reasons import Item, Selection
from console.records import OutcomeRecord, PlanRecord
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing, Confirmation
from console.screens.objects import siblings

if TYPE_CHECKING:
    from console.screens.acting import Host

ACTIONS = {"server.clone": "clone", "server.separate": "separate"}
_TITLES = {"clone": "Clone {} with its drives", "separate": "Clone {}, and start the clone apart"}
_VERBS = {"clone": "clone", "separate": "clone and start"}
_NOTES = {
    "clone": "its drives are copied to other storage hosts where there are any; the clone stays stopped",
    "separate": "the copies avoid its drives, and the clone starts away from it when they are whole",
}


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Clone the one server of the selection, after its plan was shown. May raise ClientError."""
    action, item = ACTIONS[command.id], selection.items[0]
    title = _TITLES[action].format(item.name)
    taken = {server.name for server in host.mirror.servers.values()}
    given: Given | None = await host.ask_dialog(
        Ask(title, "name of the clone", host.frame(), text=creating.clone_name(item.name, taken), note=_NOTES[action])
    )
    if given is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    away = await _away(host, title, item.key, action)
    if away is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    avoid = away.keys
    shown: list[PlanRecord] = []

    async def ask() -> Briefing:
        found = plan.with_names(
            await client.preview("server", item.key, action, avoid=avoid, name=given.text), host.mirror
        )
        shown[:] = [found]
        problem = None if found.is_allowed else found.problem or "it is refused"

        def lines(frame: Frame) -> list[Line]:
            named = plan.labelled(frame, "NAME", given.text)
            named += plan.labelled(frame, "AWAY FROM", ", then ".join(away.names) or "nothing")
            return [*named, *plan.plan_lines(found, host.mirror.servers.get(item.key), frame)]

        return Briefing(title, _VERBS[action], command.impact, lines, problem)

    def is_changed() -> bool:
        server = host.mirror.servers.get(item.key)
        now = None if server is None else server.version
        return any(each.version is not None and now not in (None, each.version) for each in shown)

    dialog = Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=is_changed)
    if not await host.ask_dialog(dialog):
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    version = shown[0].version if shown else item.version
    outcome = await client.act(
        "server", item.key, action, if_version=version, avoid=avoid, key=uuid.uuid4().hex, name=given.text
    )
    host.say(*_outcome(action, item.name, given.text, outcome))


async def _away(host: Host, title: str, key: str, action: str) -> Given | None:
    """What the copies stay away from, in order of preference; it begins with what `avoided` says."""
    server = host.mirror.servers.get(key)
    near = [] if server is None else picking.near_server(host.mirror, server, avoided(host.mirror, key, action))
    ask = Ask(
        title,
        "away from",
        host.frame(),
        options=lambda text: picking.to_avoid_of_servers(host.mirror, near, text),
        is_many=True,
        chosen=near,
        note="the first is kept away from first; tab takes one back or adds one; it never fails for this",
    )
    given: Given | None = await host.ask_dialog(ask)
    return given


async def start_away(host: Host, items: Sequence[Item]) -> tuple[str, ...] | None:
    """What servers are to be started away from, in order of preference; None where nobody wants to any more.

    It begins with what a single one was last asked to avoid.
    """
    server = host.mirror.servers.get(items[0].key) if len(items) == 1 else None
    last = () if server is None else server.avoid
    title = f"Start {items[0].name if len(items) == 1 else f'{len(items)} servers'}"
    given: Given | None = await host.ask_dialog(
        Ask(
            title,
            "away from",
            host.frame(),
            options=lambda text: picking.servers_to_avoid(host.mirror, text),
            is_many=True,
            chosen=[Option(id, host.mirror.name_of(id) or id[:8], "") for id in last],
            note="the first is kept away from first; with none it goes where it fits best; it never fails for this",
        )
    )
    return None if given is None else given.keys


def avoided(mirror: Mirror, key: str, action: str) -> tuple[str, ...]:
    """A clone joins its source's group, so it keeps away from the other members too. The recipe adds its source."""
    return (key, *siblings(mirror, key)) if action == "clone" else siblings(mirror, key)


def _outcome(action: str, name: str, clone: str, outcome: OutcomeRecord) -> tuple[str, Tone]:
    then = ", and starts when it is whole" if action == "separate" else ""
    said = f"{name} is being cloned to {clone}{then}; :tasks follows it"
    shared = sum(each.is_apart is False for each in outcome.avoided)
    return (said, Tone.OK) if not shared else (f"{said}; it shares a storage host with its origin", Tone.WARN)
