"""Verbs of the cloud's clock that ask for something or must look first; and the end of all faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console import command_line
from console.commands import Command
from console.port import Port
from console.presentation import clock, faults
from console.presentation.lines import Frame, Line, Tone
from console.presentation.plan import labelled
from console.records import CellRecord
from console.screens.agreeing import confirmed
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing

if TYPE_CHECKING:
    from console.screens.acting import Acting, Host

IDS = frozenset({"clock.advance", "clock.hour", "clock.due", "clock.manual", "clock.go", "clock.wall", "clock.rate"})
RATE_MAX = 100_000


async def act(host: Host, acting: Acting, command: Command) -> None:
    """Move the clock, or change how it runs."""
    match command.id:
        case "clock.advance":
            await acting.advance(60)
        case "clock.hour":
            await acting.advance(3600)
        case "clock.due":
            seconds = clock.seconds_to_next(host.mirror, host.frame().now)
            if seconds is None:
                host.say("nothing is told to fall due", Tone.MUTED)
            else:
                await acting.advance(seconds)
        case "clock.go":
            await acting.set_clock("rate", 1.0)
        case "clock.rate":
            await _ask_rate(host, acting)
        case _:
            await acting.set_clock(command.id.removeprefix("clock."), None)


async def _ask_rate(host: Host, acting: Acting) -> None:
    question = "simulated seconds in each second"

    def comes_to(text: str) -> str:
        rate = _rate_of(text)
        return "" if rate is None else clock.rate_sentence(rate, clock.seconds_to_next(host.mirror, host.frame().now))

    given: Given | None = await host.ask_dialog(
        Ask(
            "Run the clock at a rate",
            question,
            host.frame(),
            text="60",
            note=f"such as 60, or 0.5; up to {RATE_MAX:,}",
            is_suggestion=True,
            comes_to=comes_to,
            mistake_of=_mistake_of,
        )
    )
    if given is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    rate = _rate_of(given.text)
    assert rate is not None, "the line stays until it is one"
    await acting.set_clock("rate", rate)


def _mistake_of(text: str) -> str:
    return f"{text} is no rate: a number above 0, up to {RATE_MAX:,}" if _rate_of(text) is None else ""


def _rate_of(text: str) -> float | None:
    match command_line.parse_line(f"clock x{text.strip().removeprefix('x')}"):
        case command_line.SetClock("rate", rate):
            return rate
        case _:
            return None


async def end_faults(host: Host, client: Port, command: Command) -> None:
    """Take back all that is injected, cells first. May raise ClientError."""
    found = faults.injected(host.mirror)
    title = f"Take back {len(found)} fault{'s' if len(found) != 1 else ''}"

    async def ask() -> Briefing:
        def lines(frame: Frame) -> Sequence[Line]:
            made: list[Line] = []
            for place, subject in enumerate(found):
                verb = "answers again" if isinstance(subject, CellRecord) else "is up again, with what it held"
                made += labelled(frame, "" if place else "BACK", f"{subject.name} {verb}", Tone.OK)
            return made

        return Briefing(title, "take back", command.impact, lines, None if found else "nothing is injected")

    async def send() -> int:
        for subject in found:
            if isinstance(subject, CellRecord):
                await client.act_on_cell(subject.name, "up")
            else:
                await client.act("host", subject.name, "recover")
        return len(found)

    def is_changed() -> bool:
        return {subject.name for subject in faults.injected(host.mirror)} != {subject.name for subject in found}

    done = await confirmed(host, title, ask, send, is_changed=is_changed)
    if done is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
    else:
        host.say(f"{done} taken back; what waited for them goes on", Tone.OK)
