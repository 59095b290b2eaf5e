"""What Hypothesis draws. Half of the amounts come from a handful of values: ties are where the faults are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st

from backend.cloud.backfill import HostLoad, floor_of
from backend.cloud.model import MIB, HostState, Server, Size
from tests.builders import NOON, a_host, a_server

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
THOROUGH = settings(max_examples=6000, deadline=None, database=None)

CPU_STEP_MHZ = 250
MEMORY_STEP_BYTES = 256 * MIB

sizes = st.builds(
    lambda cpu, memory: Size(cpu * CPU_STEP_MHZ, memory * MEMORY_STEP_BYTES),
    st.sampled_from((1, 2, 4, 8)) | st.integers(1, 12),
    st.sampled_from((1, 2, 4, 8)) | st.integers(1, 12),
)
odd_sizes = st.builds(Size, st.integers(250, 3000), st.integers(256 * MIB, 3000 * MIB))
any_sizes = sizes | odd_sizes
permilles = st.sampled_from((0, 250, 500, 1000)) | st.integers(0, 1000)
ages_seconds = st.sampled_from((0, 60, 3600)) | st.integers(0, 10_000)


@st.composite
def backfilling_servers(draw: st.DrawFn, id: str, host: str, *, has_notice: bool = False) -> Server:
    size = draw(any_sizes)
    own = (draw(permilles), draw(permilles))
    return a_server(
        id,
        size=size,
        host=host,
        is_backfilling=True,
        floor_permille=own,
        floor=floor_of(size, own, 0),
        started_at=NOON - timedelta(seconds=draw(ages_seconds)),
        notice_until=NOON + timedelta(seconds=30) if has_notice else None,
    )


@st.composite
def loads(
    draw: st.DrawFn,
    name: str = "h1",
    *,
    backfilling_max: int = 8,
    has_graces: bool = True,
    states: Sequence[HostState] = (HostState.UP,),
) -> HostLoad:
    """A host that a cloud could have: floors fit beside what runs, and beside what was decided."""
    normal = [a_server(f"{name}-n{n}", size=draw(any_sizes), host=name) for n in range(draw(st.integers(0, 3)))]
    staying = [draw(backfilling_servers(f"{name}-b{n}", name)) for n in range(draw(st.integers(0, backfilling_max)))]
    waiting: list[Server] = []
    victims: list[Server] = []
    if has_graces and draw(st.booleans()):
        places = draw(st.permutations(range(draw(st.integers(0, 3)))))
        waiting = [
            a_server(f"{name}-w{n}", size=draw(any_sizes), host=name, waits=place) for n, place in enumerate(places)
        ]
        victims = [
            draw(backfilling_servers(f"{name}-v{n}", name, has_notice=True)) for n in range(draw(st.integers(0, 3)))
        ]
    servers = tuple(sorted([*normal, *staying, *waiting, *victims], key=lambda server: server.id))
    host = replace(a_host(name), state=draw(st.sampled_from(states)))
    bare = HostLoad(replace(host, capacity=Size(0, 0)), servers)
    physical = bare.normal + bare.floors_physical
    committed = bare.normal + bare.waiting_size + bare.floors
    slack = Size(draw(st.integers(0, 12)) * CPU_STEP_MHZ, draw(st.integers(0, 12)) * MEMORY_STEP_BYTES)
    capacity = slack + Size(
        max(physical.cpu_mhz, committed.cpu_mhz), max(physical.memory_bytes, committed.memory_bytes)
    )
    return HostLoad(replace(host, capacity=capacity), servers)


@st.composite
def clouds(draw: st.DrawFn, *, hosts_max: int = 5, backfilling_max: int = 4) -> list[HostLoad]:
    """A few hosts, most of them up, some of them exactly alike."""
    states = (HostState.UP,) * 6 + (HostState.DOWN, HostState.MAINTENANCE)
    names = [f"h{n}" for n in range(draw(st.integers(1, hosts_max)))]
    drawn = [draw(loads(name, backfilling_max=backfilling_max, states=states)) for name in names]
    if len(drawn) > 1 and draw(st.booleans()):
        drawn[-1] = _twin(drawn[0], names[-1])
    return drawn


def _twin(load: HostLoad, name: str) -> HostLoad:
    """The same host again under another name, with servers of its own."""
    servers = tuple(
        replace(server, id=server.id.replace(load.host.name, name, 1), host=name) for server in load.servers
    )
    return HostLoad(replace(load.host, name=name), servers)
