"""A backend in its own process, a console in a terminal, and a client: what they do to each other for so long.

The servers of a real workload come and go at sixty times its speed, a few a second of those that it has, and none for
longer than an hour of the cloud's, nor more of them than come in twelve seconds of ours: so there are as many at the
end as after the warm-up, and what grows all the same is no server. Lists are asked for four times a second. Somebody at
the console goes from view to view, filters, opens and closes what is under the cursor. Once a minute a cell falls
silent for two seconds.

One thread does all of it, one request after the other: it measures how long each takes, and waits for nothing else. An
endpoint that does nothing is asked beside each list: what the machine's other programs do to it they do to all.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, cycle, groupby
from pathlib import Path
from typing import Any

import httpx

from backend import trace
from backend.folder import OPERATOR
from backend.trace import BIN_SECONDS, Arrival
from tests.benchmarks.list_page import bare_endpoint
from tests.benchmarks.programs import OVERVIEW_WORDS, console, make_demo
from tests.served import Served, served
from tests.soak.judging import WARM_UP_SHARE, Timed
from tests.soak.watching import Files, Held, look, rows
from tests.terminal import Terminal

HISTORY_SECONDS = 3600
"""For as long the cloud keeps its past: that is reached within the warm-up of a run of four minutes."""
SPEED = 60
"""Seconds of the cloud's time in one of ours."""
LIFETIME_SECONDS_MAX = 3600
BACKFILLING_SHARE = 0.5
LIVING_SECONDS = 12
"""So many seconds of arrivals live at once: when one more comes, the oldest leaves, whatever was left of its time."""
STOPPED_SECONDS = 0.5
"""How soon after a server was told to stop it is deleted; it takes ten of the cloud's."""
LIST_SECONDS = 0.25
LIST_ROWS = 100
PRESS_SECONDS = 1.0
FAULT_SECONDS, FAULT_LASTS_SECONDS = 60.0, 2.0
FAULTS = (("cell-3", "down"), ("cell-1", "down"), ("cell-2", "hung"))
"""The first is silent in the demo: what it takes to have it back is taken before anything is judged."""
SAMPLE_SECONDS = 2.0
PAUSE_SECONDS = 0.002
"""How long the terminal is read at least between two requests: a console that cannot draw stands still."""

REFUSED = (400, 402, 404, 409, 503)
"""What the client takes for an answer: no room, or a cell that does not answer. It goes on."""

_VIEWS = ("servers", "hosts", "cells", "groups", "backfill", "events", "tasks", "schedules", "capacity", "overview")
_PRESSED: dict[str, tuple[str, ...]] = {
    "servers": ("jjjj", "G", "g", "d", "\x1b", "/web\r", "jj", "\x1b", "s", "s"),
    "hosts": ("jjj", "d", "\x1b"),
    "events": ("jjjj", "G", "g"),
    "capacity": ("M", "M"),
    "groups": ("jj", "M", "M"),
    "backfill": ("jj", "w", "\x1b"),
}
"""What is pressed in a view, after it was gone to."""


@dataclass(slots=True)
class Seen:
    """What was measured, each with the instant, in seconds since the beginning."""

    backend: list[tuple[float, Held]] = field(default_factory=list)
    console: list[tuple[float, Held]] = field(default_factory=list)
    files: list[tuple[float, Files]] = field(default_factory=list)
    writes: list[Timed] = field(default_factory=list)
    """How many there had been when the files were looked at."""
    servers: list[Timed] = field(default_factory=list)
    """How many of the workload's lived then."""
    bare_seconds: list[Timed] = field(default_factory=list)
    """Of an endpoint that does nothing, asked at the same time."""
    list_seconds: list[Timed] = field(default_factory=list)
    write_seconds: list[Timed] = field(default_factory=list)
    view_seconds: list[Timed] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """Of writes, by what was asked and the status."""
    rows: list[dict[str, int]] = field(default_factory=list)
    """Of each table, after the warm-up and at the end."""


class Life:
    def __init__(self, cloud: Served, on: Terminal, client: httpx.Client, bare: httpx.Client, *, rate: float) -> None:
        self.seen = Seen()
        self._cloud = cloud
        self._on = on
        self._client = client
        self._bare = bare
        self._rate = rate
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._begun = time.perf_counter()
        self._writes = 0
        self._running: dict[str, None] = {}
        """The oldest first."""
        self._is_faulty = False
        self._faults = cycle(FAULTS)
        self._presses = _presses()

    def run(self, seconds: float, tell: Callable[[str], None]) -> None:
        self._begun = time.perf_counter()
        self._arrivals = _paced(self._rate)
        self._next_arrival()
        self._every(LIST_SECONDS, self._list)
        self._every(PRESS_SECONDS, self._press)
        self._every(FAULT_SECONDS, self._fault, first=FAULT_SECONDS / 2)
        self._every(SAMPLE_SECONDS, self._sample)
        self._at(WARM_UP_SHARE * seconds, self._count_rows)
        self._every(60.0, lambda: tell(self._line()), first=30.0)
        while self.now() < seconds:
            at, _, do = self._agenda[0]
            self._on.watch(min(max(PAUSE_SECONDS, at - self.now()), seconds))
            if self.now() >= at:
                heappop(self._agenda)
                do()
        self._count_rows()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._begun

    def _at(self, at: float, do: Callable[[], None]) -> None:
        heappush(self._agenda, (at, next(self._numbers), do))

    def _every(self, seconds: float, do: Callable[[], None], *, first: float = 0.0) -> None:
        def again(at: float) -> None:
            do()
            # Whoever was late does not do it twice.
            following = max(at + seconds, self.now())
            self._at(following, lambda: again(following))

        self._at(first, lambda: again(first))

    # The workload

    def _next_arrival(self) -> None:
        at, arrival = next(self._arrivals)

        def come() -> None:
            self._next_arrival()
            self._come(arrival)

        self._at(at, come)

    def _come(self, arrival: Arrival) -> None:
        body = {
            "name": f"soak-{arrival.number:06}",
            "cpu_mhz": arrival.size.cpu_mhz,
            "memory_bytes": arrival.size.memory_bytes,
            "smp": min(32, arrival.vcpus),
            "is_backfilling": trace.is_backfilling(arrival.tenant_batch, seed=1, share=BACKFILLING_SHARE),
        }
        made = self._write("create", "/servers", body)
        if made is None:
            return
        server_id = made["id"]
        if self._write("start", f"/servers/{server_id}/actions", {"action": "start"}) is None:
            self._delete(server_id)
            return
        self._running[server_id] = None
        if len(self._running) > LIVING_SECONDS * self._rate:
            self._leave(next(iter(self._running)))
        lifetime = min(arrival.lifetime_seconds or LIFETIME_SECONDS_MAX, LIFETIME_SECONDS_MAX)
        self._at(self.now() + max(lifetime, BIN_SECONDS) / SPEED, lambda: self._leave(server_id))

    def _leave(self, server_id: str) -> None:
        if server_id in self._running:
            del self._running[server_id]
            self._stop(server_id)

    def _stop(self, server_id: str) -> None:
        self._write("stop", f"/servers/{server_id}/actions", {"action": "stop"})
        self._at(self.now() + STOPPED_SECONDS, lambda: self._delete(server_id))

    def _delete(self, server_id: str) -> None:
        if self._write("delete", f"/servers/{server_id}/actions", {"action": "delete"}) is None:
            # Its cell is silent, or it waits for room and cannot stop yet.
            self._at(self.now() + 5.0, lambda: self._stop(server_id))

    def _write(self, what: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """None where it was refused."""
        begun = time.perf_counter()
        answer = self._client.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        seconds = time.perf_counter() - begun
        told = f"{what} {answer.status_code}"
        self.seen.answers[told] = self.seen.answers.get(told, 0) + 1
        if answer.status_code in REFUSED:
            return None
        assert answer.status_code in (200, 201, 202), f"{told}: {answer.text}"
        self._writes += 1
        if what == "create" and not self._is_faulty:
            self.seen.write_seconds.append((self.now(), seconds))
        found: dict[str, Any] = answer.json()
        return found

    # The clients

    def _list(self) -> None:
        begun = time.perf_counter()
        self._bare.get("/")
        self.seen.bare_seconds.append((self.now(), time.perf_counter() - begun))
        begun = time.perf_counter()
        answer = self._client.get("/servers", params={"limit": LIST_ROWS})
        seconds = time.perf_counter() - begun
        assert answer.status_code == 200, answer.text
        if not self._is_faulty:
            self.seen.list_seconds.append((self.now(), seconds))

    def _press(self) -> None:
        view, keys = next(self._presses)
        begun = time.perf_counter()
        self._on.type(keys)
        if view is not None:
            self._on.wait_until(lambda text: view in "".join(text.splitlines()[:2]), f"the view {view}")
            self.seen.view_seconds.append((self.now(), time.perf_counter() - begun))

    def _fault(self) -> None:
        cell, state = next(self._faults)
        self._is_faulty = True
        self._reach(cell, state)
        self._at(self.now() + FAULT_LASTS_SECONDS, lambda: self._mend(cell))

    def _mend(self, cell: str) -> None:
        self._reach(cell, "up")

        def is_over() -> None:
            self._is_faulty = False

        self._at(self.now() + FAULT_LASTS_SECONDS, is_over)

    def _reach(self, cell: str, state: str) -> None:
        answer = self._client.put(f"/cells/{cell}/reachability", json={"state": state})
        assert answer.status_code == 200, answer.text

    # What is looked at

    def _sample(self) -> None:
        now, seen = self.now(), self.seen
        seen.backend.append((now, Held.of(self._cloud.process.pid)))
        seen.console.append((now, Held.of(self._on.process.pid)))
        seen.files.append((now, look(self._cloud.folder)))
        seen.writes.append((now, self._writes))
        seen.servers.append((now, len(self._running)))

    def _count_rows(self) -> None:
        self.seen.rows.append(dict(rows(self._cloud.folder)))

    def _line(self) -> str:
        seen = self.seen
        (_, backend), (_, console), (_, files) = seen.backend[-1], seen.console[-1], seen.files[-1]
        return (
            f"{self.now():5.0f} s  backend {backend.memory_bytes / 1e6:.1f} MB {backend.handles} handles  "
            f"console {console.memory_bytes / 1e6:.1f} MB {console.handles} handles  "
            f"logs {files.log_bytes / 1e6:.1f} MB  files {files.file_bytes / 1e6:.1f} MB  "
            f"{files.events_kept:,} events  {files.open_tasks} + {files.ended_tasks:,} tasks  "
            f"{files.requests:,} requests  {len(self._running)} servers  {self._writes:,} writes"
        )


def _paced(rate: float) -> Iterator[tuple[float, Arrival]]:
    """So many a second, each at the time that the trace has for it; from its beginning again when it is over."""
    in_bin = max(1, round(rate * BIN_SECONDS / SPEED))
    begun = 0.0
    while True:
        at_seconds = 0
        for at_seconds, comes in groupby(trace.arrivals(), key=lambda arrival: arrival.at_seconds):
            every = list(comes)
            taken = every[:: max(1, len(every) // in_bin)][:in_bin]
            for number, arrival in enumerate(taken):
                yield begun + (at_seconds + BIN_SECONDS * number / len(taken)) / SPEED, arrival
        begun += (at_seconds + BIN_SECONDS) / SPEED


def _presses() -> Iterator[tuple[str | None, str]]:
    """The view that the keys lead to, where they lead to one; and the keys. Without end."""
    for view in cycle(_VIEWS):
        yield view, f":{view}\r"
        for keys in _PRESSED.get(view, ("j",)):
            yield None, keys


@contextmanager
def begun(folder: Path, *, rate: float) -> Iterator[Life]:
    """A demo that was made and closed, served at sixty times the speed of time, with a console on it."""
    data = make_demo(folder / "data")
    (folder / "body").write_bytes(b"{}")
    environment = {"XDG_STATE_HOME": str(folder / "state")}
    with (
        served(data, "--clock-rate", str(SPEED), "--log", "none", module="tests.soak.backend") as cloud,
        cloud.client(OPERATOR) as client,
        bare_endpoint(folder / "body") as (bare_url, _),
        httpx.Client(base_url=bare_url, timeout=10) as bare,
        console("--data", data, environment=environment) as on,
    ):
        answer = client.patch("/settings", json={"history_seconds": HISTORY_SECONDS})
        assert answer.status_code == 200, answer.text
        on.wait(*OVERVIEW_WORDS)
        yield Life(cloud, on, client, bare, rate=rate)
