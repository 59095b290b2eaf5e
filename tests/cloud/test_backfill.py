"""The arithmetic of one host, against its definition in fractions and against every subset."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.backfill import (
    NO_STOPS,
    HostLoad,
    admissions,
    count_shrunk,
    effective_sizes,
    fits_by_shrinking,
    fits_empty,
    fits_without_shrinking,
    floor_held,
    floor_of,
    free_for_backfilling,
    free_resources,
    least_cost,
    normal_prices,
    perf_factor,
    room_for_backfilling,
    stop_set,
    water_fill,
    withdrawals,
)
from backend.cloud.model import (
    GIB,
    LARGEST_SERVER,
    MIB,
    NOTHING,
    SMALLEST_SERVER,
    HostState,
    Server,
    Size,
)
from backend.cloud.placement import Placement, Request
from backend.cloud.stops import CoverProblem, Victim, work_lost
from tests.builders import HOUR, NOON, a_host, a_load, a_server, a_size
from tests.cloud.deciding import place
from tests.strategies import QUICK, THOROUGH, any_sizes, clouds, loads, permilles, sizes

# --- Floors and factors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "own", "cloud", "floor"),
    [
        (a_size(2000, 4), (0, 0), 250, a_size(500, 1)),
        (a_size(2000, 4), (500, 0), 250, a_size(1000, 1)),
        (a_size(2000, 4), (100, 750), 250, a_size(500, 3)),
        (a_size(2000, 4), (1000, 1000), 250, a_size(2000, 4)),
        # Rounded up, never below the smallest server, and never above the size.
        (Size(2001, GIB + 1), (0, 0), 500, Size(1001, GIB // 2 + 1)),
        (a_size(500, 0.5), (0, 0), 250, Size(250, 256 * MIB)),
        (Size(200, 100 * MIB), (0, 0), 250, Size(200, 100 * MIB)),
        (a_size(2000, 4), (0, 0), 0, SMALLEST_SERVER),
    ],
)
def test_a_floor_is_the_higher_of_both_thresholds_and_at_least_the_smallest_server(
    size: Size, own: tuple[int, int], cloud: int, floor: Size
) -> None:
    assert floor_of(size, own, cloud) == floor


@pytest.mark.parametrize(
    ("left", "servers", "shares"),
    [
        (10, [], []),
        (10, [(4, 1), (6, 2)], [4, 6]),
        (5, [(4, 1), (6, 1)], [2, 3]),
        (7, [(4, 4), (6, 1)], [4, 3]),
        (6, [(8, 2), (8, 4)], [2, 4]),
        (7, [(8, 2), (8, 4)], [3, 4]),
        (9, [(10, 0), (10, 0), (10, 0)], [3, 3, 3]),
        (8, [(10, 0), (10, 0), (10, 0)], [2, 2, 2]),
        # More is promised than is there: floors are kept, whatever left says.
        (1, [(4, 2), (4, 2)], [2, 2]),
        (-3, [(4, 2)], [2]),
        (0, [(4, 0)], [0]),
    ],
)
def test_what_is_left_is_divided_by_one_level_above_the_floors(
    left: int, servers: list[tuple[int, int]], shares: list[int]
) -> None:
    assert water_fill(left, servers) == shares


def level_by_definition(left: int, servers: list[tuple[int, int]]) -> Fraction:
    """The highest level in [0, 1] with `sum(max(floor, nominal x level)) <= left`; 0 when only the floors fit."""
    if sum(nominal for nominal, _ in servers) <= left:
        return Fraction(1)
    best = Fraction(0)
    for turn in {Fraction(floor, nominal) for nominal, floor in servers}:
        pinned = sum(floor for nominal, floor in servers if Fraction(floor, nominal) >= turn)
        rest = sum(nominal for nominal, floor in servers if Fraction(floor, nominal) < turn)
        candidates = [turn] if not rest else [turn, Fraction(left - pinned, rest)]
        candidates.append(Fraction(left, sum(nominal for nominal, _ in servers)))
        for level in candidates:
            if 0 <= level <= 1 and sum(max(Fraction(floor), nominal * level) for nominal, floor in servers) <= left:
                best = max(best, level)
    return best


pairs = st.tuples(st.integers(1, 40), st.integers(0, 40)).map(lambda pair: (pair[0], min(pair)))
rooms = st.lists(pairs, max_size=6).flatmap(
    lambda servers: st.tuples(st.integers(sum(f for _, f in servers), 250), st.just(servers))
)


def check_water_fill(room: tuple[int, list[tuple[int, int]]]) -> None:
    left, servers = room
    level = level_by_definition(left, servers)

    shares = water_fill(left, servers)

    assert shares == [max(floor, int(nominal * level)) for nominal, floor in servers]
    assert sum(shares) <= left
    assert min(left, sum(nominal for nominal, _ in servers)) - sum(shares) < max(1, len(servers))


@QUICK
@given(rooms)
def test_shares_equal_the_definition_in_fractions(room: tuple[int, list[tuple[int, int]]]) -> None:
    check_water_fill(room)


@pytest.mark.thorough
@THOROUGH
@given(rooms)
def test_shares_equal_the_definition_in_fractions_in_many_more_cases(room: tuple[int, list[tuple[int, int]]]) -> None:
    check_water_fill(room)


def test_backfilling_servers_of_a_host_shrink_together_and_normal_ones_never() -> None:
    load = a_load(
        a_host(cpu_mhz=10_000, memory_gib=64),
        a_server("normal", 6000, 8),
        a_server("b1", 4000, 8, is_backfilling=True),
        a_server("b2", 4000, 8, is_backfilling=True),
    )

    assert effective_sizes(load) == {"normal": a_size(6000, 8), "b1": a_size(2000, 8), "b2": a_size(2000, 8)}


def test_nothing_shrinks_for_a_server_that_still_waits_for_its_room() -> None:
    load = a_load(
        a_host(cpu_mhz=8000),
        a_server("waiting", 6000, host="h1", waits=1),
        a_server("stays", 4000, is_backfilling=True),
        a_server("goes", 4000, host="h1", is_backfilling=True, notice_until=NOON),
    )

    sizes_now = effective_sizes(load)

    assert sizes_now["stays"].cpu_mhz == sizes_now["goes"].cpu_mhz == 4000
    assert sizes_now["waiting"] == NOTHING


def test_shrunk_memory_is_whole_mebibytes_but_a_full_size_is_left_as_it_is() -> None:
    odd = Size(1000, GIB + 1)
    full = a_load(a_host(memory_gib=8), a_server("odd", size=odd, is_backfilling=True))
    tight = a_load(
        a_host(memory_gib=2),
        a_server("normal", 1000, 1.5),
        a_server("odd", size=odd, is_backfilling=True, floor_permille=0),
    )

    assert effective_sizes(full)["odd"] == odd
    assert effective_sizes(tight)["odd"].memory_bytes == 512 * MIB


@QUICK
@given(loads())
def test_what_is_given_out_never_exceeds_the_host_and_never_falls_below_a_floor(load: HostLoad) -> None:
    effective = effective_sizes(load)

    given_out = NOTHING
    for server in load.servers:
        given_out += effective[server.id]
        if server.waits is None:
            assert floor_held(server).fits_in(effective[server.id])
        assert effective[server.id].fits_in(server.size)
    assert given_out.fits_in(load.host.capacity)


@pytest.mark.parametrize(
    ("effective", "nominal", "factor"),
    [(2000, 2000, 1.0), (1000, 2000, 0.5), (1999, 2000, 0.9995), (99_999, 100_000, 0.9999), (1, 100_000, 0.0001)],
)
def test_a_factor_is_rounded_down_and_is_neither_0_nor_falsely_1(effective: int, nominal: int, factor: float) -> None:
    assert perf_factor(effective, nominal) == factor


# --- Making room --------------------------------------------------------------------------------


def test_nobody_stops_while_shrinking_is_enough() -> None:
    load = a_load(a_host(cpu_mhz=8000), *(a_server(f"b{n}", 2000, is_backfilling=True) for n in range(4)))

    assert stop_set(load, a_size(6000, 4), now=NOON) == NO_STOPS
    assert fits_by_shrinking(load, a_size(6000, 4))
    assert not fits_without_shrinking(load, a_size(6000, 4))


def test_the_newest_of_equal_servers_go_first() -> None:
    load = a_load(
        a_host(cpu_mhz=8000),
        *(
            a_server(
                f"b{n}", 2000, host="h1", is_backfilling=True, floor_permille=1000, started_at=NOON - (9 - n) * HOUR
            )
            for n in range(4)
        ),
    )

    plan = stop_set(load, a_size(4000, 4), now=NOON)

    assert plan is not None
    assert plan.stops == ("b2", "b3")
    assert (plan.count, plan.cpu_mhz, plan.is_proved) == (2, 4000, True)
    assert plan.work == 2000 * (7 * 3600 + 6 * 3600)


def test_one_large_server_stops_rather_than_two_small_ones() -> None:
    load = a_load(
        a_host(cpu_mhz=8000),
        a_server("large", 4000, is_backfilling=True, floor_permille=1000),
        a_server("small-1", 2000, is_backfilling=True, floor_permille=1000),
        a_server("small-2", 2000, is_backfilling=True, floor_permille=1000),
    )

    plan = stop_set(load, a_size(4000, 4), now=NOON)

    assert plan is not None
    assert plan.stops == ("large",)


def test_a_server_under_notice_is_not_chosen_again_and_its_room_is_spoken_for() -> None:
    load = a_load(
        a_host(cpu_mhz=4000),
        a_server("first", 2000, host="h1", waits=1),
        a_server("goes", 2000, host="h1", is_backfilling=True, floor_permille=1000, notice_until=NOON),
        a_server("stays", 2000, is_backfilling=True, floor_permille=1000),
    )

    plan = stop_set(load, a_size(2000, 4), now=NOON)

    assert plan is not None
    assert plan.stops == ("stays",)
    assert stop_set(load, a_size(2001, 4), now=NOON) is None


def test_work_is_counted_in_whole_seconds_of_both_instants() -> None:
    server = a_server("b", 2000, host="h1", started_at=NOON + timedelta(milliseconds=900))

    assert work_lost(server, NOON + timedelta(milliseconds=999)) == 0
    assert work_lost(server, NOON + timedelta(seconds=1)) == 2000
    assert work_lost(server, NOON - HOUR) == 0


def plan_by_subsets(load: HostLoad, size: Size, now: datetime = NOON) -> tuple[int, int, int, tuple[str, ...]] | None:
    """The least (count, work, CPU, ids) over every subset of the servers that stay."""
    staying = sorted((s for s in load.servers if s.is_backfilling and s.notice_until is None), key=lambda s: s.id)
    kept = load.host.capacity
    for server in load.servers:
        if not server.is_backfilling:
            kept -= server.size
    plans = []
    for count in range(len(staying) + 1):
        for subset in combinations(staying, count):
            gone = {server.id for server in subset}
            need = size
            for server in staying:
                if server.id not in gone:
                    need += floor_held(server)
            if need.fits_in(kept):
                until = now.replace(microsecond=0)
                ages = [max(0, int((until - (s.started_at or until)).total_seconds())) for s in subset]
                work = sum(s.size.cpu_mhz * age for s, age in zip(subset, ages, strict=True))
                plans.append((count, work, sum(s.size.cpu_mhz for s in subset), tuple(s.id for s in subset)))
        if plans:
            return min(plans)
    return None


def check_stop_set(load: HostLoad, size: Size) -> None:
    wanted = plan_by_subsets(load, size)

    plan = stop_set(load, size, now=NOON)

    if plan is None or wanted is None:
        assert (plan is None) == (wanted is None)
        assert not fits_empty(load, size)
        return
    assert (plan.count, plan.work, plan.cpu_mhz, plan.stops) == wanted
    assert plan.is_proved
    if plan.count:
        assert least_cost(load, size, now=NOON) <= (plan.count, plan.work)


requests = sizes | any_sizes.map(lambda size: Size(3 * size.cpu_mhz, 2 * size.memory_bytes))


@QUICK
@given(loads(), requests)
def test_the_stop_set_is_the_best_of_all_subsets(load: HostLoad, size: Size) -> None:
    check_stop_set(load, size)


@pytest.mark.thorough
@THOROUGH
@given(loads(), requests)
def test_the_stop_set_is_the_best_of_all_subsets_in_many_more_cases(load: HostLoad, size: Size) -> None:
    check_stop_set(load, size)


def a_crowd(count: int) -> HostLoad:
    """Backfilling servers of which CPU and memory are at odds, all started in the same second."""
    crowd = [
        a_server(
            f"b{n:02}",
            size=Size(1000 + 37 * (n * n % 53), (3000 - 37 * (n * n % 53)) * MIB),
            is_backfilling=True,
            floor_permille=1000,
        )
        for n in range(count)
    ]
    cpu, memory = sum(s.size.cpu_mhz for s in crowd), sum(s.size.memory_bytes for s in crowd)
    return a_load(a_host(cpu_mhz=cpu, memory_gib=memory / GIB), *crowd)


def test_the_search_for_the_least_work_is_bounded_and_says_so_but_the_count_stays_the_least() -> None:
    load = a_crowd(40)
    size = Size(17_001, 17_003 * MIB)

    hurried = stop_set(load, size, now=NOON, nodes_max=5)
    patient = stop_set(load, size, now=NOON)

    assert hurried is not None
    assert patient is not None
    assert not hurried.is_proved
    assert hurried.count == patient.count
    assert hurried.cost >= patient.cost
    for plan in (hurried, patient):
        gone = [server for server in load.servers if server.id in plan.stops]
        assert size.fits_in(Size(sum(s.size.cpu_mhz for s in gone), sum(s.size.memory_bytes for s in gone)))


def is_fewest(load: HostLoad, size: Size) -> bool:
    problem = CoverProblem(
        [Victim(s.size.cpu_mhz, s.size.memory_bytes, 0, s.size.cpu_mhz) for s in load.servers],
        size.cpu_mhz,
        size.memory_bytes,
    )
    return problem.any_of_fewest()[1]


@pytest.mark.parametrize("count", [16, 32, 64])
@pytest.mark.parametrize("share", [0.11, 0.23, 0.37, 0.49])
def test_the_count_is_proved_even_where_sizes_are_at_odds(count: int, share: float) -> None:
    load = a_crowd(count)
    whole = load.host.capacity

    assert is_fewest(load, Size(int(whole.cpu_mhz * share), int(whole.memory_bytes * share)))


def shrunk_by_definition(load: HostLoad, size: Size, stops: tuple[str, ...]) -> int:
    before_all = [s for s in load.servers if s.is_backfilling and s.notice_until is None]
    after_all = [s for s in before_all if s.id not in stops]

    def factors(servers: list[Server], left: Size) -> dict[str, tuple[Fraction, Fraction]]:
        cpu = level_by_definition(left.cpu_mhz, [(s.size.cpu_mhz, floor_held(s).cpu_mhz) for s in servers])
        memory = level_by_definition(
            left.memory_bytes, [(s.size.memory_bytes, floor_held(s).memory_bytes) for s in servers]
        )
        return {
            s.id: (
                max(Fraction(floor_held(s).cpu_mhz, s.size.cpu_mhz), cpu),
                max(Fraction(floor_held(s).memory_bytes, s.size.memory_bytes), memory),
            )
            for s in servers
        }

    before, after = factors(before_all, load.left), factors(after_all, load.left - size)
    return sum(after[id][0] < before[id][0] or after[id][1] < before[id][1] for id in after)


def check_shrunk(load: HostLoad, size: Size) -> None:
    plan = stop_set(load, size, now=NOON)
    if plan is None:
        return

    shrunk = count_shrunk(load, size, plan.stops)

    assert shrunk == shrunk_by_definition(load, size, plan.stops)
    if fits_without_shrinking(load, size):
        assert shrunk == 0
    elif fits_by_shrinking(load, size):
        assert shrunk > 0


@QUICK
@given(loads(), requests)
def test_the_count_of_shrunk_servers_equals_the_definition_in_fractions(load: HostLoad, size: Size) -> None:
    check_shrunk(load, size)


@pytest.mark.thorough
@THOROUGH
@given(loads(), requests)
def test_the_count_of_shrunk_servers_equals_the_definition_in_many_more_cases(load: HostLoad, size: Size) -> None:
    check_shrunk(load, size)


# --- Grace --------------------------------------------------------------------------------------


def test_waiting_servers_get_room_in_the_order_of_decision_and_nobody_overtakes() -> None:
    load = a_load(
        a_host(cpu_mhz=8000),
        a_server("a-small-one", 1000, host="h1", waits=2),
        a_server("the-first", 6000, host="h1", waits=1),
        a_server("goes", 4000, host="h1", is_backfilling=True, floor_permille=1000, notice_until=NOON),
    )
    freed = HostLoad(load.host, tuple(server for server in load.servers if server.id != "goes"))

    assert admissions(load) == []
    assert [server.id for server in admissions(freed)] == ["the-first", "a-small-one"]


@QUICK
@given(loads())
def test_admitted_servers_leave_everybody_a_floor(load: HostLoad) -> None:
    admitted = admissions(load)

    need = load.normal + load.floors_physical
    for server in admitted:
        need += server.size
    assert need.fits_in(load.host.capacity)
    assert tuple(admitted) == load.waiting[: len(admitted)]
    for first_left in load.waiting[len(admitted) : len(admitted) + 1]:
        assert not (need + first_left.size).fits_in(load.host.capacity)


def test_a_notice_is_withdrawn_when_its_cause_has_gone_but_not_while_anybody_waits() -> None:
    goes = a_server("goes", 4000, host="h1", is_backfilling=True, notice_until=NOON)
    alone = a_load(a_host(cpu_mhz=8000), goes)
    contested = a_load(a_host(cpu_mhz=8000), goes, a_server("waiting", 1000, host="h1", waits=1))

    assert withdrawals(alone) == [goes]
    assert withdrawals(contested) == []


@QUICK
@given(loads())
def test_withdrawn_notices_still_leave_the_floors_their_room(load: HostLoad) -> None:
    floors = load.floors
    for server in withdrawals(load):
        floors += floor_held(server)

    assert floors.fits_in(load.left)


# --- What is free -------------------------------------------------------------------------------


def test_free_resources_name_the_best_hosts_and_total_may_mix_two() -> None:
    hosts = [
        a_load(a_host("h1", 16_000, 32), a_server("n1", 4000, 28)),
        a_load(a_host("h2", 16_000, 64), a_server("n2", 8000, 16)),
        a_load(a_host("h3", 96_000, 512, state=HostState.DOWN)),
    ]

    free = free_resources(hosts)

    assert (free.most_free_by_cpu, free.host_by_cpu) == (a_size(12_000, 4), "h1")
    assert (free.most_free_by_memory, free.host_by_memory) == (a_size(8000, 48), "h2")
    assert free.total == a_size(12_000, 48)


def test_a_host_that_is_out_of_one_dimension_offers_none_of_the_other() -> None:
    load = a_load(a_host(cpu_mhz=16_000, memory_gib=8), a_server("n", 1000, 7.9))

    assert free_for_backfilling(load) == NOTHING
    assert free_resources([load]).host_by_cpu is None


def test_servers_that_wait_and_servers_under_notice_count_at_full_size() -> None:
    load = a_load(
        a_host(cpu_mhz=16_000),
        a_server("waiting", 2000, host="h1", waits=1),
        a_server("goes", 4000, host="h1", is_backfilling=True, notice_until=NOON),
        a_server("stays", 3000, is_backfilling=True),
    )

    assert free_for_backfilling(load).cpu_mhz == 16_000 - 2000 - 4000 - 3000


def test_a_lower_start_level_lets_servers_in_where_others_are_shrunk() -> None:
    load = a_load(
        a_host(cpu_mhz=8000),
        a_server("n", 4000),
        a_server("b", 4000, is_backfilling=True),
    )

    assert room_for_backfilling(load).cpu_mhz == 0
    assert room_for_backfilling(load, start_level_permille=500).cpu_mhz == 3000, "the floor of b stays its own"


def test_no_more_is_offered_than_the_largest_server() -> None:
    free = free_resources([a_load(a_host(cpu_mhz=128_000, memory_gib=1024))])

    assert free.most_free_by_cpu == LARGEST_SERVER


def check_free_resources(cloud: list[HostLoad]) -> None:
    free = free_resources(cloud)

    for size, host in (
        (free.most_free_by_cpu, free.host_by_cpu),
        (free.most_free_by_memory, free.host_by_memory),
    ):
        if host is None:
            assert not isinstance(place(Request(SMALLEST_SERVER, is_backfilling=True), cloud, now=NOON), Placement)
            assert size == NOTHING
            continue
        chosen = place(Request(size, is_backfilling=True), cloud, now=NOON)
        assert isinstance(chosen, Placement)
        by_name = {load.host.name: load for load in cloud}
        assert not stop_effects(by_name[chosen.chosen.host], size)
        for more in (Size(free.total.cpu_mhz + 1, 256 * MIB), Size(250, free.total.memory_bytes + 1)):
            assert not isinstance(place(Request(more, is_backfilling=True), cloud, now=NOON), Placement)


def stop_effects(load: HostLoad, size: Size) -> bool:
    """Whether a backfilling start of `size` would take anything from anybody there."""
    new = a_server("new", size=size, host=load.host.name, is_backfilling=True, floor_permille=0)
    after = HostLoad(load.host, (*load.servers, new))
    before, later = effective_sizes(load), effective_sizes(after)
    return later["new"] != size or any(before[id] != later[id] for id in before)


@QUICK
@given(clouds())
def test_a_start_of_exactly_what_is_free_succeeds_and_disturbs_nobody(cloud: list[HostLoad]) -> None:
    check_free_resources(cloud)


@pytest.mark.thorough
@THOROUGH
@given(clouds())
def test_a_start_of_exactly_what_is_free_succeeds_in_many_more_cases(cloud: list[HostLoad]) -> None:
    check_free_resources(cloud)


@QUICK
@given(clouds())
def test_normal_servers_of_the_three_prices_start_at_those_prices(cloud: list[HostLoad]) -> None:
    none_shrunk, others_shrink, others_stop = normal_prices(cloud)

    for (size, host), price in zip((none_shrunk, others_shrink, others_stop), range(3), strict=True):
        if host is None:
            continue
        placement = place(Request(size, is_backfilling=False), cloud, now=NOON)
        assert isinstance(placement, Placement)
        assert placement.chosen.plan.count == 0 or price == 2
        assert placement.chosen.shrunk == 0 or price > 0
    assert none_shrunk[0].cpu_mhz <= others_shrink[0].cpu_mhz <= others_stop[0].cpu_mhz


@QUICK
@given(loads(), permilles.filter(bool))
def test_a_backfilling_start_at_any_level_leaves_everybody_a_floor(load: HostLoad, level: int) -> None:
    size = free_for_backfilling(load, start_level_permille=level)

    assert (load.floors_physical + load.normal + load.waiting_size + size).fits_in(
        load.host.capacity
    ) or not size.cpu_mhz
