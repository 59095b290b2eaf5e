"""Verbs of hosts: the plan says who moves where, who is stopped for it and who stays, and only then is it begun."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from console.commands import Command
from console.port import Port
from console.presentation import host_plan
from console.presentation.lines import Tone
from console.reasons import Selection
from console.records import OutcomeRecord
from console.records_plans import HostPlanRecord
from console.screens.agreeing import confirmed
from console.screens.dialogs import Briefing

if TYPE_CHECKING:
    from console.screens.acting import Host

_VERBS = {"fail": "lose it", "recover": "recover", "drain": "drain", "evacuate": "evacuate"}


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry a verb out for the one host of the selection, after its plan was shown. May raise ClientError."""
    action = command.id.removeprefix("host.")
    name = selection.items[0].name
    shown: list[HostPlanRecord] = []

    async def ask() -> Briefing:
        plan = await client.preview_host(name, action)
        shown[:] = [plan]
        problem = None if plan.is_allowed else plan.problem or "it is refused"
        return Briefing(
            host_plan.title(plan),
            _VERBS[action],
            command.impact,
            lambda frame: host_plan.lines(plan, frame),
            problem,
        )

    def is_changed() -> bool:
        now = next((each.version for each in host.mirror.hosts or () if each.name == name), None)
        return any(plan.version is not None and now is not None and now != plan.version for plan in shown)

    async def send() -> OutcomeRecord:
        [plan] = shown
        key = uuid.uuid4().hex
        return await client.act("host", name, action, if_version=plan.version, plan=plan.token, key=key)

    outcome = await confirmed(host, f"{action.capitalize()} {name}", ask, send, is_changed=is_changed)
    if outcome is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    host.say(*_outcome(action, name, outcome))


def _outcome(action: str, name: str, outcome: OutcomeRecord) -> tuple[str, Tone]:
    match action:
        case "fail":
            return f"{name} is down, and what is on it is lost until x r", Tone.OK
        case "recover":
            return f"{name} is up and takes placements again", Tone.OK
        case "drain":
            return f"{name} takes no more placements; x e evacuates it", Tone.OK
        case _ if outcome.task is None:
            return f"nothing on {name} can move; x e shows why", Tone.WARN
        case _:
            return f"{name} is being evacuated, one server at a time; :tasks follows it", Tone.OK
