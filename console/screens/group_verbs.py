"""Verbs of groups: the plan says who moves where and what it costs, and only then is the first one shut down."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from console.commands import Command
from console.port import Port
from console.presentation import group_plan
from console.presentation.lines import Tone
from console.reasons import Selection
from console.records_plans import GroupOutcomeRecord, GroupPlanRecord
from console.screens.agreeing import confirmed
from console.screens.dialogs import Briefing

if TYPE_CHECKING:
    from console.screens.acting import Host


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry a verb out for the one group of the selection. May raise ClientError."""
    name = selection.items[0].name
    if command.id == "group.end":
        outcome = await client.act_on_group(name, "end")
        on_way = outcome.task.counterpart_name
        tail = f"; {on_way} is on its way, and starts" if on_way else ""
        host.say(f"no other member of {name} is moved{tail}", Tone.OK)
        return
    shown: list[GroupPlanRecord] = []

    async def ask() -> Briefing:
        plan = await client.group_plan(name)
        shown[:] = [plan]
        problem = None if plan.is_allowed else plan.problem or "it is refused"
        return Briefing(
            group_plan.title(plan), "restore", command.impact, lambda frame: group_plan.lines(plan, frame), problem
        )

    async def send() -> GroupOutcomeRecord:
        [plan] = shown
        return await client.act_on_group(name, "restore", plan=plan.token, key=uuid.uuid4().hex)

    def is_changed() -> bool:
        group = next((each for each in host.mirror.groups or () if each.name == name), None)
        return any(group is None or not group_plan.is_current(plan, group) for plan in shown)

    if await confirmed(host, f"Restore {name}", ask, send, is_changed=is_changed) is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    host.say(f"{name} is being restored, one member at a time; :tasks follows it, x e ends it", Tone.OK)
