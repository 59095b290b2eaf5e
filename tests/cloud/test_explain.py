"""Why not each other host, and the smallest change: recomputed from the rules, and by trying everything smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.backfill import HostLoad
from backend.cloud.explain import Beaten, Change, Explanation, explain_drive, explain_server, fewest_covering
from backend.cloud.model import GIB, MIB, NOTHING, SMALLEST_SERVER, HostState, Server, Size
from backend.cloud.placement import (
    Candidate,
    DrivePlacement,
    NoValidHost,
    Placement,
    Policy,
    Ranks,
    Refusal,
    Request,
    StorageLoad,
    place_drive,
    refusal_of,
)
from backend.cloud.stops import work_lost
from tests.builders import HOUR, NOON, a_host, a_load, a_server, a_size, a_storage_host, a_storage_load
from tests.cloud.deciding import an_index, ranks_in
from tests.cloud.test_placement import cases, flat, scan
from tests.strategies import QUICK, THOROUGH


def explained(
    request: Request, loads: list[HostLoad], *, policy: Policy = "spread", level: int = 1000
) -> Explanation[Candidate]:
    ranks = ranks_in(an_index(loads), request)
    return explain_server(request, loads, now=NOON, ranks=ranks, policy=policy, start_level_permille=level)


NORMAL = Request(a_size(2000, 4), is_backfilling=False)
BACKFILLING = Request(a_size(2000, 4), is_backfilling=True)

# --- Why not ------------------------------------------------------------------------------------


def test_every_host_says_why_it_was_not_chosen() -> None:
    loads = [
        a_load(a_host("best")),
        a_load(a_host("twin")),
        a_load(a_host("less"), a_server("n1", 4000)),
        a_load(a_host("memory"), a_server("n2", 0, 8)),
        a_load(a_host("shrinks", 4000), a_server("b1", 4000, is_backfilling=True, floor_permille=250)),
        a_load(a_host("stops", 4000), a_server("b2", 4000, is_backfilling=True, floor_permille=1000)),
        a_load(a_host("avoided"), a_server("web-1", 1000)),
        a_load(a_host("short", 1000)),
        a_load(a_host("lost", state=HostState.DOWN)),
    ]

    found = explained(replace(NORMAL, avoid=("gone", "web-1")), loads)

    assert found.chosen is not None
    assert (found.chosen.host, found.decided_by) == ("best", "name")
    assert [(each.candidate.host, each.part, each.measure, each.chosen, each.own) for each in found.beaten] == [
        ("twin", "name", "name", "best", "twin"),
        ("memory", "room", "memory", 64 * GIB, 56 * GIB),
        ("less", "room", "CPU", 16_000, 12_000),
        ("shrinks", "disruption", "servers shrunk", 0, 1),
        ("stops", "disruption", "servers stopped", 0, 1),
        ("avoided", "avoid", "places in the avoid list", (), (1,)),
    ]
    assert found.refusals == (Refusal("lost", "down"), Refusal("short", "cpu", Size(1000, 0)))
    assert found.beaten[4].candidate.plan.stops == ("b2",)
    assert found.beaten[4].candidate.plan.work == 4000 * 3600


_PARTS = (
    ("avoid", "places in the avoid list"),
    ("disruption", "servers stopped"),
    ("disruption", "work lost"),
    ("disruption", "CPU stopped"),
    ("disruption", "servers shrunk"),
    ("room", "CPU"),
    ("room", "memory"),
    ("name", "name"),
)


def check_beaten(beaten: Beaten[Candidate], best: tuple[object, ...], own: tuple[object, ...], policy: Policy) -> None:
    """Against the first place where the two whole keys differ."""
    place = next(place for place, (a, b) in enumerate(zip(best, own, strict=True)) if a != b)
    assert (beaten.part, beaten.measure) == _PARTS[place]
    told: list[object] = []
    for value in (best[place], own[place]):
        if isinstance(value, tuple):
            told.append(tuple(-rank for rank in value))
        elif beaten.part == "room":
            assert isinstance(value, int)
            told.append(-value if policy == "spread" else value)
        else:
            told.append(value)
    assert [beaten.chosen, beaten.own] == told


def check_explanation(cloud: list[HostLoad], request: Request, policy: Policy) -> None:
    wanted = scan(request, cloud, policy)

    found = explained(request, cloud, policy=policy)

    candidates = [] if found.chosen is None else [found.chosen, *(each.candidate for each in found.beaten)]
    assert [flat(candidate.key) for candidate in candidates] == wanted
    for beaten, key in zip(found.beaten, wanted[1:], strict=True):
        check_beaten(beaten, wanted[0], key, policy)
    assert {refusal.host for refusal in found.refusals} == {load.host.name for load in cloud} - {k[-1] for k in wanted}
    by_name = {load.host.name: load for load in cloud}
    for refusal in found.refusals:
        check_refusal(refusal, by_name[refusal.host], request)
    assert bool(found.changes or found.impossible) == (not wanted)


def check_refusal(refusal: Refusal, load: HostLoad, request: Request) -> None:
    """What is missing is exactly enough, and nothing less of it is."""
    if load.host.state is not HostState.UP:
        assert (refusal.reason, refusal.short) == (load.host.state.value, NOTHING)
        return

    def with_more(more: Size) -> Refusal | None:
        larger = replace(load.host, capacity=load.host.capacity + more)
        return refusal_of(request, HostLoad(larger, load.servers), 1000)

    short = refusal.short
    assert with_more(short) is None
    if short.cpu_mhz:
        assert with_more(short - Size(1, 0)) is not None
    if short.memory_bytes:
        assert with_more(short - Size(0, 1)) is not None
    assert (
        refusal.reason
        == {(True, False): "cpu", (False, True): "memory", (True, True): "cpu and memory"}[
            (short.cpu_mhz > 0, short.memory_bytes > 0)
        ]
    )


@QUICK
@given(cases())
def test_each_reason_follows_from_the_rules(case: tuple[list[HostLoad], Request, Policy]) -> None:
    check_explanation(*case)


@pytest.mark.thorough
@THOROUGH
@given(cases())
def test_each_reason_follows_from_the_rules_in_many_more_cases(case: tuple[list[HostLoad], Request, Policy]) -> None:
    check_explanation(*case)


# --- The smallest change ------------------------------------------------------------------------


def test_a_refusal_says_how_much_smaller_it_would_have_to_be() -> None:
    loads = [
        a_load(a_host("h1"), a_server("n1", 15_000, 4)),
        a_load(a_host("h2"), a_server("n2", 14_500, 62)),
        a_load(a_host("h3"), a_server("n3", 1000, 62)),
        a_load(a_host("h4", state=HostState.DOWN)),
    ]

    found = explained(NORMAL, loads)

    assert found.chosen is None
    assert found.changes == (
        Change("cpu", "h1", less=Size(1000, 0)),
        Change("memory", "h3", less=Size(0, 2 * GIB)),
    )
    assert found.impossible == ("stops",)


def test_where_both_are_missing_the_least_share_of_both_is_told() -> None:
    loads = [
        a_load(a_host("h1"), a_server("n1", 15_000, 61)),
        a_load(a_host("h2"), a_server("n2", 15_500, 63)),
    ]

    found = explained(NORMAL, loads)

    assert found.changes == (Change("cpu and memory", "h1", less=Size(1000, GIB)),)
    assert found.impossible == ("cpu", "memory", "stops")


def test_of_both_the_larger_share_counts() -> None:
    even = a_load(a_host("even"), a_server("n1", 14_800, 61.6))
    uneven = a_load(a_host("uneven"), a_server("n2", 15_000, 60.4))

    found = explained(NORMAL, [uneven, even])

    # 40 % of both, against 50 % of CPU and 10 % of memory.
    [change] = found.changes
    assert (change.kind, change.host) == ("cpu and memory", "even")


def test_of_hosts_that_need_as_many_stops_the_first_by_name_is_told() -> None:
    def full(name: str) -> HostLoad:
        sizes = (Size(12_000, 4 * GIB), Size(4_000, 60 * GIB))
        servers = (
            a_server(f"{name}-{n}", size=each, host=name, is_backfilling=True, started_at=NOON)
            for n, each in enumerate(sizes)
        )
        return a_load(a_host(name), *servers)

    wanted = Request(a_size(5000, 8), is_backfilling=True)

    [change] = explained(wanted, [full("h2"), full("h1"), full("h3")]).changes
    assert change == Change("stops", "h1", stops=("h1-0", "h1-1"))


def test_the_fewest_stops_for_a_backfilling_server_lose_the_least_work() -> None:
    def b(id: str, cpu: int, hours: int) -> Server:
        return a_server(id, cpu, 4, host="h1", is_backfilling=True, started_at=NOON - hours * HOUR)

    servers = [b("before", 2000, 9), b("new", 2000, 1), b("small", 1000, 1), b("rest", 11_000, 20)]
    loads = [a_load(a_host("h1"), *servers), a_load(a_host("h2"), a_server("n", 15_000))]

    found = explained(BACKFILLING, loads)

    assert found.changes == (Change("cpu", "h2", less=Size(1000, 0)), Change("stops", "h1", stops=("new",)))


def test_where_nothing_helps_that_is_said() -> None:
    loads = [a_load(a_host("h1", 200)), a_load(a_host("h2", state=HostState.MAINTENANCE))]

    assert explained(NORMAL, loads).changes == ()
    assert explained(NORMAL, loads).impossible == ("cpu", "memory", "cpu and memory", "stops")
    assert explained(BACKFILLING, []).impossible == ("cpu", "memory", "cpu and memory", "stops")


few = st.integers(0, 12)


@st.composite
def tight_cases(draw: st.DrawFn) -> tuple[list[HostLoad], Request, int]:
    """Hosts with so little room above the smallest server that every smaller size can be tried."""
    loads = []
    for number in range(draw(st.integers(1, 3))):
        name = f"h{number}"
        servers = []
        for n in range(draw(st.integers(0, 5))):
            size = Size(1 + draw(few), 1 + draw(few))
            floor = Size(draw(st.integers(1, size.cpu_mhz)), draw(st.integers(1, size.memory_bytes)))
            age = timedelta(seconds=draw(st.sampled_from((0, 60, 3600))))
            is_normal = draw(st.sampled_from((False, False, False, True)))
            kind = {"is_backfilling": False} if is_normal else {
                "is_backfilling": True,
                "floor": floor,
                "notice_until": draw(st.sampled_from((None, None, NOON + HOUR))),
            }  # fmt: skip
            servers.append(a_server(f"{name}-{n}", size=size, host=name, started_at=NOON - age, **kind))
        state = draw(st.sampled_from((HostState.UP, HostState.UP, HostState.UP, HostState.DOWN)))
        capacity = Size(245 + 3 * draw(few), 256 * MIB - 5 + 3 * draw(few))
        loads.append(HostLoad(replace(a_host(name, state=state), capacity=capacity), tuple(servers)))
    size = Size(250 + draw(few), 256 * MIB + draw(few))
    avoid = ("h0-0",) if draw(st.booleans()) else ()
    return loads, Request(size, is_backfilling=draw(st.booleans()), avoid=avoid), draw(st.sampled_from((1000, 500)))


def check_changes(loads: list[HostLoad], request: Request, level: int) -> None:
    index = an_index(loads, start_level_permille=level)
    ranks = ranks_in(index, request)

    def host_of(size: Size, instead: Iterable[HostLoad] = ()) -> str | None:
        wanted = replace(request, size=size)
        found = index.place(wanted, now=NOON, ranks=ranks, instead={load.host.name: load for load in instead})
        return found.chosen.host if isinstance(found, Placement) else None

    found = explained(request, loads, level=level)
    changes = {change.kind: change for change in found.changes}
    if host_of(request.size) is not None:
        assert (changes, found.impossible) == ({}, ())
        return
    assert not changes.keys() & set(found.impossible)

    spare = request.size - SMALLEST_SERVER
    cpu = [Size(less, 0) for less in range(spare.cpu_mhz + 1)]
    memory = [Size(0, less) for less in range(spare.memory_bytes + 1)]
    both = [Size(a.cpu_mhz, b.memory_bytes) for a in cpu for b in memory]
    fitting = {
        kind: [less for less in scale if host_of(request.size - less) is not None]
        for kind, scale in (("cpu", cpu), ("memory", memory), ("cpu and memory", both))
    }
    for kind in ("cpu", "memory"):
        check_less(kind, changes.get(kind), fitting[kind], found.impossible)
    if fitting["cpu"] or fitting["memory"]:
        assert "cpu and memory" not in changes.keys() | set(found.impossible)
    else:

        def share(less: Size) -> tuple[Fraction, Fraction]:
            parts = Fraction(less.cpu_mhz, request.size.cpu_mhz), Fraction(less.memory_bytes, request.size.memory_bytes)
            return max(parts), sum(parts, Fraction())

        check_less("cpu and memory", changes.get("cpu and memory"), sorted(fitting["cpu and memory"], key=share),
                   found.impossible, key=share)  # fmt: skip
    for change in changes.values():
        if change.kind != "stops":
            assert host_of(request.size - change.less) == change.host
    wanted = fewest_by_trying(loads, request, host_of)
    if not request.is_backfilling or wanted is None:
        assert "stops" in found.impossible
    else:
        assert (changes["stops"].host, changes["stops"].stops, changes["stops"].is_proved) == (*wanted, True)


def check_less(
    kind: str,
    change: Change | None,
    fitting: list[Size],
    impossible: Iterable[str],
    key: Callable[[Size], object] = lambda less: less,
) -> None:
    """The first of what fits is the least; or nothing fits, and that is said."""
    if not fitting:
        assert change is None
        assert kind in impossible
    else:
        assert change is not None
        assert key(change.less) == key(fitting[0])


def fewest_by_trying(
    loads: list[HostLoad], request: Request, host_of: Callable[[Size, Iterable[HostLoad]], str | None]
) -> tuple[str, tuple[str, ...]] | None:
    """Every set of backfilling servers of every host: fewest, then the host's name, then the first by work and id."""
    plans: list[tuple[int, str, tuple[str, ...]]] = []
    for load in loads:
        stoppable = sorted((s for s in load.servers if s.is_backfilling), key=lambda s: (work_lost(s, NOON), s.id))
        for count in range(1, len(stoppable) + 1):
            for gone in combinations(stoppable, count):
                left = HostLoad(load.host, tuple(server for server in load.servers if server not in gone))
                if host_of(request.size, [left]) is not None:
                    plans.append((count, load.host.name, tuple(sorted(server.id for server in gone))))
                    break
            if plans and plans[-1][1] == load.host.name:
                break
    best = min(plans, key=lambda plan: plan[:2], default=None)
    return None if best is None else best[1:]


@QUICK
@given(tight_cases())
def test_no_smaller_change_would_do(case: tuple[list[HostLoad], Request, int]) -> None:
    check_changes(*case)


@pytest.mark.thorough
@THOROUGH
@given(tight_cases())
def test_no_smaller_change_would_do_in_many_more_cases(case: tuple[list[HostLoad], Request, int]) -> None:
    check_changes(*case)


def test_a_search_that_passes_its_bound_says_that_it_proves_nothing() -> None:
    gains = [(1, 5, 0, 0), (5, 1, 0, 0)] * 6

    picked, is_proved = fewest_covering(gains, (16, 20, 0, 0), least=4, nodes_max=3)

    assert not is_proved
    assert all(sum(gains[at][column] for at in picked) >= need for column, need in enumerate((16, 20)))
    assert fewest_covering(gains, (16, 20, 0, 0), least=4) == ((0, 1, 2, 3, 4, 5, 6), True)


# --- Drives -------------------------------------------------------------------------------------


def test_every_storage_host_says_why_it_was_not_chosen() -> None:
    loads = [
        a_storage_load(a_storage_host("s1"), 500),
        a_storage_load(a_storage_host("s2"), 100),
        a_storage_load(a_storage_host("s3"), 200),
        a_storage_load(a_storage_host("s4"), 995),
        a_storage_load(a_storage_host("s5", state=HostState.DOWN)),
        a_storage_load(a_storage_host("s6"), 100),
    ]

    clone = explain_drive(10 * GIB, loads, ranks={"s6": (0,)}, source_host="s1")
    new = explain_drive(10 * GIB, loads)

    assert clone.chosen is not None
    assert (clone.chosen.host, clone.decided_by) == ("s1", "source")
    assert [(each.candidate.host, each.part, each.chosen, each.own) for each in clone.beaten] == [
        ("s2", "source", True, False),
        ("s3", "source", True, False),
        ("s6", "avoid", (), (0,)),
    ]
    assert clone.refusals == (Refusal("s4", "storage", short_storage_bytes=5 * GIB), Refusal("s5", "down"))
    assert [(each.candidate.host, each.part, each.own) for each in new.beaten] == [
        ("s6", "name", "s6"),
        ("s3", "room", 800 * GIB),
        ("s1", "room", 500 * GIB),
    ]


storage_sizes = st.sampled_from((1, 2, 5)) | st.integers(1, 12)


@st.composite
def storage_clouds(draw: st.DrawFn) -> tuple[int, list[StorageLoad], dict[str, Ranks], Policy, str | None]:
    loads = []
    for number in range(draw(st.integers(1, 5))):
        state = draw(st.sampled_from((HostState.UP,) * 5 + (HostState.DOWN, HostState.MAINTENANCE)))
        host = replace(a_storage_host(f"s{number}", state=state), storage_bytes=draw(storage_sizes))
        loads.append(StorageLoad(host, draw(st.integers(0, host.storage_bytes)), frozenset()))
    names = [load.host.name for load in loads]
    held = {name: tuple(sorted(draw(st.sets(st.integers(0, 2))))) for name in names}
    ranks = {name: places for name, places in held.items() if places}
    source = draw(st.sampled_from([None, *names]))
    return draw(storage_sizes), loads, ranks, draw(st.sampled_from(("spread", "pack"))), source


@QUICK
@given(storage_clouds())
def test_each_reason_of_a_storage_host_follows_from_the_rules(
    case: tuple[int, list[StorageLoad], dict[str, Ranks], Policy, str | None],
) -> None:
    size, loads, ranks, policy, source = case
    sign = -1 if policy == "spread" else 1
    keys = sorted(
        (tuple(-rank for rank in ranks.get(load.host.name, ())), load.host.name != source, sign * load.free_bytes,
         load.host.name)
        for load in loads
        if load.host.state is HostState.UP and load.free_bytes >= size
    )  # fmt: skip

    found = explain_drive(size, loads, ranks=ranks, policy=policy, source_host=source, size_bytes_min=2)

    if found.chosen is None:
        assert not keys
        decide = {
            smaller: place_drive(smaller, loads, ranks=ranks, policy=policy, source_host=source)
            for smaller in range(2, size)
        }
        fitting = {smaller: each.host for smaller, each in decide.items() if isinstance(each, DrivePlacement)}
        if fitting:
            assert found.changes == (Change("storage", fitting[max(fitting)], less_bytes=size - max(fitting)),)
        else:
            assert (found.changes, found.impossible) == ((), ("storage",))
        return
    assert [found.chosen.key, *(each.candidate.key for each in found.beaten)] == keys
    for each, key in zip(found.beaten, keys[1:], strict=True):
        place = next(place for place, (best, own) in enumerate(zip(keys[0], key, strict=True)) if best != own)
        assert each.part == ("avoid", "source", "room", "name")[place]
    refused = {refusal.host: refusal for refusal in found.refusals}
    assert refused.keys() == {load.host.name for load in loads} - {key[3] for key in keys}
    for load in loads:
        if load.host.name in refused and load.host.state is HostState.UP:
            assert refused[load.host.name].short_storage_bytes == size - load.free_bytes
    assert not isinstance(place_drive(size, loads, ranks=ranks, policy=policy, source_host=source), NoValidHost)
