"""Deciding on a host for a normal server where nobody has to make room, with 100 to 100,000 hosts.

Ours is what an operation asks: `operations.rooms.choose` in a transaction of a cell. Beside it the pure decision,
`HostIndex.place` over the same hosts. The rivals decide the same from nothing but lists of numbers: a plain loop
over all hosts, and numpy where it is installed (`pip install -e '.[benchmarks]'`; never a dependency of anything). All
of them must choose the same host each time, or the run stops. Three clouds, two servers on each host:

    mixed       hosts between half full and full
    no CPU      95 % of the hosts have no CPU left, and most of their memory
    no memory   the reverse
"""

from __future__ import annotations

import gc
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

from backend.cloud import placement
from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import GIB, Host, HostKind, HostState, Server, ServerState, Size
from backend.cloud.placement import Placement, Request
from backend.operations import Settings, rooms
from backend.store import CellTransaction
from backend.store.migrations import migrate
from backend.store.rows import HOST, SERVER
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, interleaved, p99, quantile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CELL = "cell-1"
HOST_SIZE = Size(96_000, 384 * GIB)
SERVERS_ON_HOST = 2
SIZES = (100, 1_000, 10_000, 100_000)
SCARCE_SHARE = 0.95

PURE, LOOP, NUMPY = "the index alone", "plain loop", "numpy"

CLOUDS = {"mixed": "mixed", "no_cpu": "95 % out of CPU", "no_memory": "95 % out of memory"}
CASES = tuple((cloud, avoids) for cloud in CLOUDS for avoids in ((0, 5) if cloud == "mixed" else (5,)))
PERCENTILES = {"p50": 0.5, "p99": 0.99}

BUDGETS = {"p50": Budget(at_most=100), "p99": Budget(at_most=1_000)}
"""Microseconds, at 10,000 hosts with 5 avoids."""

FIGURES = {
    **{
        f"{cloud}_{avoids}_avoids_{hosts}_{percentile}": Figure(
            f"placement, {hosts:,} hosts, {CLOUDS[cloud]}, {avoids} avoids, {percentile}",
            "us",
            BUDGETS[percentile] if hosts == 10_000 and avoids == 5 else "asked for at 10,000 hosts with 5 avoids",
            (LOOP, NUMPY, PURE),
            is_in_table=hosts == 10_000 and avoids == 5,
        )
        for hosts in SIZES
        for cloud, avoids in CASES
        for percentile in PERCENTILES
    },
    "growth": Figure(
        "placement, 100,000 hosts to 1,000, mixed, 5 avoids, p50", "x", Budget(at_most=4), (LOOP, NUMPY, PURE)
    ),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A server that wants a host."""

    server: Server
    avoid: tuple[str, ...]


Decide = Callable[[Question], str]
"""The name of the host."""


def run(scale: Scale) -> Iterator[Measured]:
    p50s: dict[int, Mapping[str, list[float]]] = {}
    sizes = scale.of(SIZES, SIZES[:1])
    for hosts in sizes:
        for cloud in CLOUDS:
            field = _Field.of(cloud, hosts)
            for avoids in (avoids for each, avoids in CASES if each == cloud):
                found = _measure(field, avoids, scale)
                for percentile, values in found.items():
                    ours, rivals = _split(values)
                    yield of_rounds(f"{cloud}_{avoids}_avoids_{hosts}_{percentile}", ours, rivals)
                if cloud == "mixed" and avoids == 5:
                    p50s[hosts] = found["p50"]
            field.close()
    if {1_000, 100_000} <= p50s.keys():
        small, large = p50s[1_000], p50s[100_000]
        growth = {side: [b / a for a, b in zip(small[side], large[side], strict=True)] for side in small}
        ours, rivals = _split(growth)
        yield of_rounds("growth", ours, rivals)


OURS = "ours"


def _split(values: Mapping[str, list[float]]) -> tuple[list[float], dict[str, list[float]]]:
    return values[OURS], {side: found for side, found in values.items() if side != OURS}


def _measure(field: _Field, avoids: int, scale: Scale) -> dict[str, dict[str, list[float]]]:
    """Microseconds by percentile and side, one for each round. All sides are asked the same, and answer the same."""
    questions = field.questions(scale.of(400, 5), avoids)
    deciders: dict[str, Decide] = {OURS: field.choose, LOOP: field.loop, PURE: field.place}
    if find_spec("numpy") is not None:
        deciders[NUMPY] = _numpy_decider(field)
    began = time.perf_counter()
    answers = {side: decide(questions[0]) for side, decide in deciders.items()}
    assert len(set(answers.values())) == 1, f"they do not agree: {answers}"
    # So many questions a round that a round takes about a second, and at least three.
    count = max(3, min(len(questions), int(len(questions) * 0.002 / (time.perf_counter() - began))))

    def ask(side: str) -> Callable[[], tuple[list[float], list[str]]]:
        return lambda: _asked(deciders[side], questions[:count])

    rounds = scale.of(5, 1)
    gc.freeze()
    found = dict(zip(deciders, interleaved(rounds, *(ask(side) for side in deciders)), strict=True))
    gc.unfreeze()
    for side, results in found.items():
        assert results[0][1] == found[OURS][0][1], f"{side} chooses other hosts"
    return {
        percentile: {
            side: [1e6 * (p99(taken) if percentile == "p99" else quantile(taken, share)) for taken, _ in results]
            for side, results in found.items()
        }
        for percentile, share in PERCENTILES.items()
    }


def _asked(decide: Decide, questions: Sequence[Question]) -> tuple[list[float], list[str]]:
    taken, chosen = [], []
    for question in questions:
        began = time.perf_counter()
        host = decide(question)
        taken.append(time.perf_counter() - began)
        chosen.append(host)
    return taken, chosen


# ----------------------------------------------------------------------------------------------------------- the field


@dataclass(frozen=True, slots=True)
class _Field:
    """The hosts of one cloud, in a cell's file and as bare numbers."""

    connection: sqlite3.Connection
    transaction: CellTransaction
    loads: list[HostLoad]
    index: HostIndex
    bare: list[tuple[int, int, str]]
    """Free CPU, free memory and the name of each host, by name."""
    host_of: dict[str, int]
    """The place of each server's host."""

    @classmethod
    def of(cls, cloud: str, hosts: int) -> _Field:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(connection, "cell")
        connection.execute("BEGIN")
        chance = random.Random(hosts)
        names = [f"h{number:06}" for number in range(hosts)]
        connection.executemany(HOST.insert, (HOST.stored(_host(name)) for name in names))
        connection.executemany(
            SERVER.insert, (SERVER.stored(server) for name in names for server in _servers(cloud, name, chance))
        )
        transaction = CellTransaction(connection, CELL)
        loads = transaction.loads()
        bare = [(load.room.cpu_mhz, load.room.memory_bytes, load.host.name) for load in loads]
        host_of = {server.id: place for place, load in enumerate(loads) for server in load.servers}
        index = HostIndex()
        index.fill(loads)
        return cls(connection, transaction, loads, index, bare, host_of)

    def close(self) -> None:
        self.transaction.forget()
        self.connection.close()

    def questions(self, count: int, avoids: int) -> list[Question]:
        chance = random.Random(count)
        ids = sorted(self.host_of)
        return [
            Question(
                _server(f"wanted-{number}", Size(2000 * chance.randint(1, 4), chance.randint(2, 12) * GIB), None),
                # Whom one avoids is where one would go: every second one is on a host with much room.
                tuple(self._neighbours(avoids, chance) if number % 2 else chance.sample(ids, avoids)),
            )
            for number in range(count)
        ]

    def _neighbours(self, count: int, chance: random.Random) -> list[str]:
        roomiest = sorted(self.loads, key=lambda load: (-load.room.cpu_mhz, -load.room.memory_bytes))[:8]
        return [chance.choice(load.servers).id for load in roomiest[:count]]

    # The sides

    def choose(self, question: Question) -> str:
        found = rooms.choose(
            self.transaction, question.server, now=NOW, settings=Settings(), avoid=question.avoid, visible_to=None
        )
        assert isinstance(found, Placement), "there is room"
        return found.chosen.host

    def place(self, question: Question) -> str:
        loads = self.loads
        ranks = placement.avoided_ranks(
            question.avoid, {id: loads[self.host_of[id]].host.name for id in question.avoid}
        )
        request = Request(question.server.size, is_backfilling=False, avoid=question.avoid)
        found = self.index.place(request, now=NOW, ranks=ranks)
        assert isinstance(found, Placement), "there is room"
        return found.chosen.host

    def loop(self, question: Question) -> str:
        """Every host, one after the other: the least key wins."""
        size, held = question.server.size, self.held(question)
        best: tuple[tuple[int, ...], int, int, str] | None = None
        for place, (cpu_mhz, memory_bytes, name) in enumerate(self.bare):
            if cpu_mhz >= size.cpu_mhz and memory_bytes >= size.memory_bytes:
                key = (held.get(place, ()), -cpu_mhz, -memory_bytes, name)
                if best is None or key < best:
                    best = key
        assert best is not None, "there is room"
        return best[3]

    def held(self, question: Question) -> dict[int, tuple[int, ...]]:
        """By the place of the host, what it holds of the avoid list, as `placement.avoid_key` orders it."""
        ranks: dict[int, tuple[int, ...]] = {}
        for rank, id in enumerate(question.avoid):
            place = self.host_of[id]
            ranks[place] = (*ranks.get(place, ()), -rank)
        return ranks


def _numpy_decider(field: _Field) -> Decide:
    """Columns of free CPU and memory: hosts without avoided servers first, the others by hand, for they are few."""
    import numpy

    cpu = numpy.array([each[0] for each in field.bare])
    memory = numpy.array([each[1] for each in field.bare])

    def decide(question: Question) -> str:
        size, held = question.server.size, field.held(question)
        fits = (cpu >= size.cpu_mhz) & (memory >= size.memory_bytes)
        free = fits.copy()
        free[list(held)] = False
        if free.any():
            most_cpu = numpy.where(free, cpu, -1)
            tied = numpy.flatnonzero(most_cpu == most_cpu.max())
            # The first of equals: hosts are in the order of their names.
            return field.bare[int(tied[memory[tied].argmax()])][2]
        place = min((held[each], -field.bare[each][0], -field.bare[each][1], each) for each in held if fits[each])[3]
        return field.bare[place][2]

    return decide


def _host(name: str) -> Host:
    return Host(name, CELL, HostKind.COMPUTE, HostState.UP, HOST_SIZE, state_since=NOW)


def _servers(cloud: str, host: str, chance: random.Random) -> Iterator[Server]:
    """Two normal servers that share what is in use of the host."""
    used = {"cpu": chance.uniform(0.5, 1.0), "memory": chance.uniform(0.5, 1.0)}
    if cloud != "mixed" and chance.random() < SCARCE_SHARE:
        scarce, rich = ("cpu", "memory") if cloud == "no_cpu" else ("memory", "cpu")
        used = {scarce: 1.0, rich: chance.uniform(0.05, 0.3)}
    cpu_mhz = int(used["cpu"] * HOST_SIZE.cpu_mhz) // SERVERS_ON_HOST
    memory_bytes = int(used["memory"] * HOST_SIZE.memory_bytes) // SERVERS_ON_HOST
    for number in range(SERVERS_ON_HOST):
        yield _server(f"{host}-{number}", Size(cpu_mhz, memory_bytes), host)


def _server(id: str, size: Size, host: str | None) -> Server:
    is_running = host is not None
    return Server(
        id=id,
        name=id,
        cell=CELL,
        project_id="project",
        owner="operator@stratodeck.local",
        size=size,
        created_at=NOW,
        state_since=NOW,
        state=ServerState.RUNNING if is_running else ServerState.STOPPED,
        host=host,
        floor=size if is_running else None,
        effective=size if is_running else None,
        started_at=NOW if is_running else None,
        has_run=is_running,
    )
