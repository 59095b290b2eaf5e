"""What there is to say of an object in one sentence: for status rows, descriptions and attention lists."""

from __future__ import annotations

import re
from datetime import datetime

from console.presentation import figures
from console.presentation.lines import Frame, Tone
from console.presentation.mirror import Mirror
from console.records import ServerRecord


def up_since(server: ServerRecord) -> datetime | None:
    """The instant that the age of a row is counted from: of its start while it runs, else of its state."""
    if server.state in {"running", "starting"} and server.started_at is not None:
        return server.started_at
    return server.state_since


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def named(mirror: Mirror, sentence: str) -> str:
    """What the cloud said, with names for the ids that the mirror knows: nobody knows their servers by UUID."""
    return figures.in_units(_ID.sub(lambda found: mirror.name_of(found[0]) or found[0], sentence))


def offline_sentence(mirror: Mirror, frame: Frame) -> str:
    """What is tried, and how old what is shown is."""
    seconds = mirror.age_seconds(frame.wall_now)
    old = "; nothing is known of it yet" if seconds is None else f"; the rows above are {figures.age(seconds)} old"
    problem = (mirror.problem or "").rstrip(".")
    if mirror.is_refused:
        return f"{problem}; nothing is asked before r is pressed{old if seconds is not None else ''}"
    parts = [f"{problem}, try {mirror.tries}"]
    if mirror.retry_at is not None:
        wait = (mirror.retry_at - frame.wall_now).total_seconds()
        parts.append(f"next in {figures.countdown(wait)}" if wait >= 0 else "asking now")
    return f"{', '.join(parts)}{old}"


def census(mirror: Mirror) -> str:
    """How many servers are in each state; before that is known, who is being asked."""
    if mirror.cells is None:
        return mirror.problem or "asking the cloud"
    if not mirror.is_complete:
        if mirror.offer is not None:
            return "asking for the servers"
        silent = [cell.name for cell in mirror.cells if not cell.is_up]
        asked = f"asking {len(mirror.cells)} cells"
        return f"{asked}; {', '.join(silent)} do{'es' if len(silent) == 1 else ''} not answer" if silent else asked
    states = mirror.fleet.by_state
    words = {"unavailable": "lost", "unknown": "UNKNOWN", "running": "run"}
    order = ("unavailable", "error", "unknown", "paused", "starting", "stopping", "running", "stopped")
    return ", ".join(f"{states[state]:,} {words.get(state, state)}" for state in order if states[state])


def sentence(mirror: Mirror, frame: Frame, server: ServerRecord) -> str:
    """What there is to say of a server now, the most urgent thing first."""
    since = figures.age_since(up_since(server), frame.now) or frame.glyphs.nobody_said
    host = server.host or "no host"
    match server.state:
        case "unknown":
            return _unknown_sentence(mirror, frame, server)
        case "unavailable":
            return f"lost {since} ago on {host}" + (f": {_reason(server)}" if server.reason else "")
        case "error":
            return f"in error on {host}" + (f": {server.reason}" if server.reason else "; the cloud does not say why")
        case "starting" if server.waits:
            leaving = sum(each.notice_for == server.id for each in mirror.fleet.noticed)
            others = f"; {leaving} backfilling server{'s' if leaving != 1 else ''} will be stopped for it"
            return f"waits for its room on {host}, for {since} now{others if leaving else ''}"
        case "starting" | "stopping":
            return f"{server.state} on {host} for {since}"
        case "running" if server.reason:
            return f"running on {host}: {server.reason}"
        case "running" if server.notice_until is not None:
            left_seconds = (server.notice_until - frame.now).total_seconds()
            cause = mirror.name_of(server.notice_for) or "another"
            return f"will be stopped in {figures.countdown(left_seconds)}: {cause} needs its room on {host}"
        case "running" if server.is_shrunk:
            return f"on {host}, {_shrunk_sentence(mirror, frame, server)}"
        case "running":
            made_smaller = sum(other.squeezed_by == server.id for other in mirror.fleet.shrunk)
            shrank = f", shrank {made_smaller} backfilling server{'s' if made_smaller != 1 else ''}"
            return f"started {since} ago on {host}" + (shrank if made_smaller else "")
        case "stopped" if server.reason:
            return f"stopped {since} ago: {_stop_reason(mirror, server)}"
        case "stopped" if server.state_since is None:
            return "stopped"
        case _:
            return f"{server.state} for {since}"


def unread_sentence(cell: str) -> str:
    """Of what lies in a cell that answered at a moment of the past and is silent now."""
    return f"{cell}'s log cannot be read now; its name, size and host are of later"


def _unknown_sentence(mirror: Mirror, frame: Frame, server: ServerRecord) -> str:
    # A zone is no cell: what is UNKNOWN in it lies in one that does not answer, whichever that is.
    cell = server.cell if mirror.offer is None else "its cell"
    if server.known_at is None and server.name is not None and frame.past_at is not None:
        return unread_sentence(cell)
    if server.known_at is None:
        return f"{cell} does not answer, and nothing was ever known of it here"
    known = figures.instant(server.known_at, frame.wall_now)
    was = f"last known {server.last_state}" if server.last_state else "last known"
    return f"{cell} does not answer; {was} on {server.host or 'no host'} at {known}"


def _shrunk_sentence(mirror: Mirror, frame: Frame, server: ServerRecord) -> str:
    assert server.perf_factor is not None, "only a shrunk server has a sentence about its factor"
    letter, share = figures.lower_factor(server.perf_factor)
    what = "CPU" if letter == "c" else "memory"
    floor = None if server.floor is None else server.floor.cpu if letter == "c" else server.floor.memory
    text = f"{what} at {figures.factor(share)}" + (f", floor {figures.factor(floor)}" if floor is not None else "")
    cause = mirror.name_of(server.squeezed_by)
    if cause is not None:
        text += f"; shrunk by {cause}"
        if server.squeezed_at is not None:
            text += f" at {figures.instant(server.squeezed_at, frame.now)}"
    return text


def _stop_reason(mirror: Mirror, server: ServerRecord) -> str:
    if server.reason == "displaced":
        times = f", {server.displaced_count} times so far" if server.displaced_count > 1 else ""
        again = "; starts again when it fits" if server.restarts else ""
        return f"{mirror.name_of(server.displaced_for) or 'another server'} needed its room{times}{again}"
    return _reason(server)


def _reason(server: ServerRecord) -> str:
    return "its host was lost" if server.reason == "host_lost" else (server.reason or "")


def waiting(mirror: Mirror, progress: str, backend_says: str | None, frame: Frame) -> tuple[str, Tone] | None:
    """Why the rows are old or not there yet; None where all is well.

    `progress` is what a backend that is being made says of itself, empty when it says nothing.
    """
    if mirror.problem is not None:
        return (progress or offline_sentence(mirror, frame)), Tone.CRIT
    if progress:
        return progress, Tone.ACCENT
    if not mirror.answered_at:
        return backend_says or "connecting", Tone.MUTED
    if mirror.troubles:
        return "; ".join(mirror.troubles), Tone.WARN
    if not mirror.is_complete and mirror.servers_total:
        return f"reading servers: {len(mirror.servers):,} of {mirror.servers_total:,}", Tone.ACCENT
    return None
