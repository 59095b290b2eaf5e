"""A whole run, and what is made of it: which figures there are, and how much each may rise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.check import Report, check
from tests.benchmarks.measuring import p99, quantile, temporary_folder
from tests.soak.judging import Bound, Timed, Verdict, after_warm_up, against, judge, per
from tests.soak.living import Seen, begun
from tests.soak.watching import Held

RATE = 3.0
"""Servers that come in a second."""

MEMORY = Bound(0.03)
HANDLES = Bound(0.0, slack=2.0)
LOGS = Bound(0.1, room=150.0)
"""A log is written from its beginning again after some thousand rows: up to 30 MB, for each of five files."""
TASKS = Bound(0.2, slack=20)
KEPT = Bound(0.1)
"""Rows of the past, over the second half of a run: by then as much goes as comes."""
ACCOUNT = Bound(0.1, room=400.0)
"""What is charged for stays. Beside that files have pages that were freed, and grow by one now and then."""
WORK = Bound(0.1)
MIDDLE = Bound(0.5, is_jumpy=True)
SLOWEST = Bound(1.0, is_jumpy=True)


@dataclass(frozen=True, slots=True)
class Soaked:
    verdicts: Sequence[Verdict]
    seen: Seen
    rows: Counter[str]
    """By how much each table has grown, from the warm-up to the end."""
    checked: Report
    """What `stratodeck check` says of the folder afterwards."""


def soak(seconds: float, *, rate: float = RATE, tell: Callable[[str], None] = lambda _: None) -> Soaked:
    with temporary_folder() as folder:
        with begun(folder, rate=rate) as life:
            life.run(seconds, tell)
        checked = check(folder / "data")
    first, last = life.seen.rows
    return Soaked(verdicts(life.seen, seconds), life.seen, Counter(last) - Counter(first), checked)


def verdicts(seen: Seen, seconds: float) -> list[Verdict]:
    def of(name: str, unit: str, values: Sequence[Timed], bound: Bound) -> Verdict:
        return judge(name, unit, after_warm_up(values, 0.0, seconds), bound)

    def held(values: Sequence[tuple[float, Held]], figure: Callable[[Held], float]) -> list[Timed]:
        return [(at, figure(each)) for at, each in values]

    def megabytes(each: Held) -> float:
        return each.memory_bytes / 1e6

    found = []
    for name, process in (("backend", seen.backend), ("console", seen.console)):
        found.append(of(f"{name}, memory", "MB", held(process, megabytes), MEMORY))
        found.append(of(f"{name}, handles", "", held(process, lambda each: each.handles), HANDLES))
        found.append(of(f"{name}, threads", "", held(process, lambda each: each.threads), HANDLES))
    found.append(of("write-ahead logs", "MB", [(at, each.log_bytes / 1e6) for at, each in seen.files], LOGS))
    found.append(of("tasks that are open", "", [(at, each.open_tasks) for at, each in seen.files], TASKS))
    found.append(of("servers of the workload", "", seen.servers, TASKS))
    events = after_warm_up([(at, each.events) for at, each in seen.files], 0.0, seconds)
    written = after_warm_up([(at, each.file_bytes) for at, each in seen.files], 0.0, seconds)
    writes = after_warm_up(seen.writes, 0.0, seconds)
    found.append(judge("events of a write", "", per(events, writes), WORK))
    late = [(at, each) for at, each in seen.files if at >= seconds / 2]
    found.append(judge("events that are kept", "", [(at, each.events_kept) for at, each in late], KEPT))
    found.append(judge("tasks that have ended", "", [(at, each.ended_tasks) for at, each in late], KEPT))
    found.append(judge("requests that are remembered", "", [(at, each.requests) for at, each in late], KEPT))
    found.append(judge("bytes of an event", "B", per(written, events, bins=12), ACCOUNT))
    bare = after_warm_up(seen.bare_seconds, 0.0, seconds)
    for name, taken in (("list", seen.list_seconds), ("write", seen.write_seconds), ("view", seen.view_seconds)):
        ours = after_warm_up(taken, 0.0, seconds)
        found.append(judge(f"{name}, p50 of bare", "x", against(ours, bare, _middle), MIDDLE))
        found.append(judge(f"{name}, p99 of bare", "x", against(ours, bare, p99), SLOWEST))
    return found


def told_latencies(seen: Seen, seconds: float) -> str:
    """As they were, in milliseconds, with all that the machine's other programs did to them."""
    parts = []
    for name in ("bare", "list", "write", "view"):
        values = [1000 * value for _, value in after_warm_up(getattr(seen, f"{name}_seconds"), 0.0, seconds)]
        parts.append(f"{name} {_middle(values):.1f} and {p99(values):.1f} ms")
    return ", ".join(parts)


def _middle(values: Sequence[float]) -> float:
    return quantile(values, 0.5)
