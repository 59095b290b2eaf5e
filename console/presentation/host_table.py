"""What an action on a host would do, and what it has begun, as text for a shell: no tones, no width to fit.

The order is that of the console's own dialog (`host_plan`): who is lost, stopped or stays first, who moves after them.
"""

from __future__ import annotations

from console.presentation import figures
from console.presentation.lines import cells
from console.records import OutcomeRecord
from console.records_plans import HostPlanRecord, MoveRecord

_ORDER = ("unavailable", "stops", "stays", "pauses", "moves", "returns")
_HEADS = ("SERVER", "GHZ", "GIB", "OUTCOME", "TO, OR WHY")


def lines(plan: HostPlanRecord) -> list[str]:
    """The plan's sentences, and a row for each server in it. A refusal is its sentence alone."""
    if not plan.is_allowed:
        return [plan.problem or plan.code or f"{plan.action} of {plan.host} is refused."]
    rows = [_row(move) for move in sorted(plan.moves, key=_rank)]
    return [*plan.sentences, *(["", *_table([_HEADS, *rows])] if rows else [])]


def outcome_sentence(action: str, name: str, outcome: OutcomeRecord) -> str:
    """What happens now, in one sentence."""
    host = outcome.host
    name = host.name if host is not None else name
    match action:
        case "fail" if host is not None and host.kind == "storage":
            held = "" if not host.drives else f" with {_counted(host.drives, 'drive')}, whose servers pause"
            return f"{name} is lost{held}, until `stratodeck host recover {name}`."
        case "fail":
            count = host.servers if host is not None else None
            held = ""
            if count:
                held = (
                    f" with {_counted(count, 'server')}, which start elsewhere or, backfilling, stop if it stays away"
                )
            return f"{name} is lost{held}; `stratodeck host recover {name}` brings it back."
        case "recover" if outcome.task is not None:
            return (
                f"{name} is up and takes placements again; its evacuation ends with the server that is on its way, and "
                "the rest stays."
            )
        case "recover":
            return f"{name} is up and takes placements again."
        case "drain" if host is not None and host.kind == "storage":
            return (
                f"{name} takes no more drives and nothing was moved: drives stay where they are unless they are "
                f"cloned. `stratodeck host recover {name}` takes it back."
            )
        case "drain":
            return (
                f"{name} takes no more placements and nothing was moved; `stratodeck host evacuate {name}` empties it, "
                f"`stratodeck host recover {name}` takes it back."
            )
        case _ if outcome.task is None:
            if outcome.host is not None and not outcome.host.servers:
                return f"Nothing is on {name}."
            return f"Nothing on {name} can move; --preview says why."
        case _:
            return (
                f"{name} is being evacuated, one server and one task at a time; `:tasks` in the console and "
                f"/ops/v1/tasks follow it, from task {outcome.task.id} on."
            )


def _rank(move: MoveRecord) -> tuple[int, str]:
    return (_ORDER.index(move.outcome) if move.outcome in _ORDER else len(_ORDER), move.title)


def _row(move: MoveRecord) -> tuple[str, ...]:
    words = [move.to] if move.to is not None else []
    if move.stops:
        words.append(f"stops {', '.join(stop.name or stop.id[:8] for stop in move.stops)}")
    if move.shrinks:
        words.append(f"shrinks {move.shrinks}")
    if move.problem is not None:
        words.append(move.problem)
    cpu = "" if move.cpu_mhz is None else figures.ghz(move.cpu_mhz)
    memory = "" if move.memory_bytes is None else figures.gib(move.memory_bytes)
    return (move.title, cpu, memory, move.outcome, ", ".join(words))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(cells(row[column]) for row in rows) for column in range(len(_HEADS))]
    made = []
    for row in rows:
        padded = [
            " " * (width - cells(text)) + text if column in (1, 2) else text + " " * (width - cells(text))
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        made.append("  ".join(padded).rstrip())
    return made


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
