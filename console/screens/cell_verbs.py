"""Faults of cells: what the silence would mean is shown, and only then is it injected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.commands import Command
from console.port import ClientError, Port
from console.presentation import cell_plan
from console.presentation.lines import Tone
from console.reasons import Selection
from console.records_plans import CellPlanRecord
from console.screens.agreeing import STALE, confirmed
from console.screens.dialogs import Briefing

if TYPE_CHECKING:
    from console.screens.acting import Host

STATES = {"cell.up": "up", "cell.down": "down", "cell.hung": "hung"}
_TITLES = {"down": "Take {} down", "hung": "Hang {}", "up": "Let {} answer"}


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Inject a fault into the cells of the selection, or take it away. May raise ClientError."""
    state = STATES[command.id]
    names = [item.name for item in selection.items]
    if command.impact < 2:
        await _send(host, client, names, state, {})
        return
    title = _TITLES[state].format(", ".join(names))
    shown: dict[str, CellPlanRecord] = {}

    async def ask() -> Briefing:
        shown.clear()
        for name in names:
            shown[name] = await client.preview_cell(name, state)
        refused = [plan for plan in shown.values() if not plan.is_allowed]
        problem = refused[0].problem or "it is refused" if len(refused) == len(names) else None
        plans = list(shown.values())
        return Briefing(title, f"inject {state}", command.impact, lambda frame: cell_plan.lines(plans, frame), problem)

    async def send() -> bool:
        await _send(host, client, names, state, shown)
        return True

    if await confirmed(host, title, ask, send, is_changed=lambda: False) is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)


async def _send(host: Host, client: Port, names: list[str], state: str, shown: dict[str, CellPlanRecord]) -> None:
    """Each of several cells was looked at as things are; the first one changes them for the next."""
    for name in names:
        plan = shown[name].token if len(names) == 1 and name in shown else None
        try:
            outcome = await client.act_on_cell(name, state, plan=plan)
        except ClientError as error:
            if plan is not None and error.code == STALE:
                raise
            host.say(f"{name}: {error.sentence}", Tone.CRIT)
            return
        host.say(f"{outcome.cell.name} is {outcome.cell.state}", Tone.OK)
