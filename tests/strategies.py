"""What Hypothesis draws. Half of the amounts come from a handful of values: ties are where the faults are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st

from backend.cloud.backfill import HostLoad, floor_of
from backend.cloud.model import MIB, HostKind, HostState, Server, Size
from backend.fleet_file import STANDARD_ACCOUNTS, Fleet, FleetAccount, FleetCell, FleetHost
from backend.folder import OPERATOR
from tests.builders import NOON, a_host, a_server

QUICK = settings(max_examples=50, deadline=None, derandomize=True)
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


# Fleets

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,7}", fullmatch=True)
amounts = st.sampled_from((268_435_456, 2**40)) | st.integers(268_435_456, 2**45)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """In normal form. Names come in runs and with gaps, and sizes from few values: that is where folding goes wrong."""
    cells = draw(st.lists(names.filter(lambda name: name != "cloud"), min_size=1, max_size=3, unique_by=str.lower))
    taken: set[str] = set()
    made: list[FleetCell] = []
    for cell in cells:
        hosts: dict[str, FleetHost] = {}
        for stem in draw(st.lists(names, min_size=1, max_size=3)):
            model = FleetHost("", HostKind.COMPUTE, cpu_mhz=draw(st.sampled_from((250, 80_000))), memory_bytes=2**30)
            if draw(st.booleans()):
                model = FleetHost("", HostKind.STORAGE, capacity_bytes=draw(amounts))
            digits = draw(st.sampled_from((0, 1, 2, 2, 2, 3)))
            first, last = draw(st.integers(0, 2)), draw(st.sampled_from((1, 2, 5, 98, 100)))
            for number in range(first, last + 1) if digits else (0,):
                name = f"{stem}-{number:0{digits}}" if digits else stem
                if name not in taken:
                    hosts[name] = replace(model, name=name)
        taken |= hosts.keys()
        made.append(FleetCell(cell, tuple(sorted(hosts.values()))))
    host = FleetHost(f"{'z' * 40}", HostKind.COMPUTE, cpu_mhz=250, memory_bytes=draw(amounts))
    made[0] = FleetCell(made[0].name, tuple(sorted((*made[0].hosts, host))))
    return Fleet(
        cells=tuple(cell for cell in made if cell.hosts),
        seed=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        floor_permille=draw(st.integers(1, 1000)),
        grace_seconds=draw(st.integers(0, 86_400)),
        placement=draw(st.sampled_from(("spread", "pack"))),
        accounts=draw(accounts()),
    )


@st.composite
def accounts(draw: st.DrawFn) -> tuple[FleetAccount, ...]:
    """The standard ones, or some with the operator among them; texts are as wild as a file may have them."""
    if draw(st.booleans()):
        return STANDARD_ACCOUNTS
    wild = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cn", "Co", "Cf"]), min_size=1)
    listed = draw(st.dictionaries(wild.filter(lambda name: ":" not in name), wild.map(lambda name: name[:64])))
    found = [
        FleetAccount(name[:254], project, is_staff=draw(st.booleans()), may_backfill=draw(st.booleans()))
        for name, project in listed.items()
    ]
    operator = FleetAccount(OPERATOR, draw(st.sampled_from(("operations", "a b"))), is_staff=True)
    return tuple(sorted((*found, operator)))
