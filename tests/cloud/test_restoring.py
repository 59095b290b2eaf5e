"""The fewest moves against every order of moves, each made as a new index of the hosts would have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cloud.backfill import HostLoad, floor_of
from backend.cloud.model import HostState, Server, Size
from backend.cloud.placement import NoValidHost, Policy, Request
from backend.cloud.restoring import Restoration, apart_bounds, count_collisions, fewest_moves, without
from backend.cloud.stops import work_lost
from tests.builders import HOUR, NOON, a_host, a_load, a_server
from tests.cloud.deciding import an_index, place
from tests.strategies import CPU_STEP_MHZ, MEMORY_STEP_BYTES, any_sizes, backfilling_servers, sizes

FLOOR_PERMILLE = 250
Key = tuple[int, int, int, int, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Case:
    """Hosts, and which servers on them are the group's; those that may not move stand where they are."""

    loads: tuple[HostLoad, ...]
    members: frozenset[str]
    movable: frozenset[str]
    policy: Policy = "spread"

    def restored(self, **more: Any) -> Restoration:
        return fewest_moves(
            an_index(self.loads, policy=self.policy),
            members_of(self.loads, self.members),
            movable=self.movable,
            now=NOON,
            floor_permille=FLOOR_PERMILLE,
            **more,
        )


# --- Tables of values ---------------------------------------------------------------------------


def a_case(*loads: HostLoad, stays: Sequence[str] = (), policy: Policy = "spread") -> Case:
    """Whoever is called `web-...` is a member."""
    ids = frozenset(server.id for load in loads for server in load.servers if server.id.startswith("web"))
    return Case(loads, ids, ids - frozenset(stays), policy)


def told(found: Restoration) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(step.server_id, step.source, step.target, step.stops) for step in found.steps]


def web(number: int, cpu_mhz: int = 2000) -> Server:
    return a_server(f"web-{number}", cpu_mhz)


def test_one_of_two_on_a_host_moves_and_of_equal_ones_the_first_by_name() -> None:
    found = a_case(a_load(a_host("h1"), web(1), web(2)), a_load(a_host("h2")), a_load(a_host("h3"), web(3))).restored()

    assert told(found) == [("web-1", "h1", "h2", ())]
    assert (found.before, found.after, found.least, found.is_fewest, found.is_best) == (1, 0, 0, True, True)


def test_a_group_without_collisions_moves_nobody() -> None:
    found = a_case(a_load(a_host("h1"), web(1)), a_load(a_host("h2"), web(2))).restored()

    assert (found.steps, found.before, found.is_fewest) == ((), 0, True)


def test_to_move_who_stops_nobody_is_better_than_to_move_the_first() -> None:
    full = a_load(a_host("h2"), a_server("b", 14_000, is_backfilling=True, floor_permille=1000))
    found = a_case(a_load(a_host("h1"), web(1, 4000), web(2, 2000)), full).restored()

    assert told(found) == [("web-2", "h1", "h2", ())]


def test_to_be_apart_is_worth_stopping_the_newest_backfilling_server() -> None:
    old = a_server("old", 8000, host="h2", is_backfilling=True, floor_permille=1000, started_at=NOON - 9 * HOUR)
    new = a_server("new", 8000, host="h2", is_backfilling=True, floor_permille=1000, started_at=NOON - HOUR)
    found = a_case(a_load(a_host("h1"), web(1), web(2)), a_load(a_host("h2"), old, new)).restored()

    assert told(found) == [("web-1", "h1", "h2", ("new",))]
    assert found.steps[0].work == 8000 * 3600


def test_a_member_that_is_alone_makes_way_for_one_that_fits_nowhere_else() -> None:
    hosts = (
        a_load(a_host("h1", 16_000), web(1, 8000), web(2, 8000)),
        # Full but for the member; when that has gone to the last host, one of the first has room.
        a_load(a_host("h2", 16_000), web(3, 2000), a_server("n", 8000)),
        a_load(a_host("h3", 12_000), a_server("m", 4100)),
    )
    found = a_case(*hosts, policy="pack").restored()

    assert found.least == 0
    assert [(id, target) for id, _, target, _ in told(found)] == [("web-3", "h3"), ("web-1", "h2")]


def test_three_members_and_two_hosts_leave_a_collision_and_move_nobody() -> None:
    found = a_case(a_load(a_host("h1"), web(1), web(2)), a_load(a_host("h2"), web(3))).restored()

    assert (found.steps, found.before, found.after, found.least, found.is_fewest) == ((), 1, 1, 1, True)


@pytest.mark.parametrize("state", [HostState.DOWN, HostState.MAINTENANCE])
def test_nobody_moves_to_a_host_that_is_not_up(state: HostState) -> None:
    found = a_case(a_load(a_host("h1"), web(1), web(2)), a_load(a_host("h2", state=state))).restored()

    assert (found.steps, found.after) == ((), 1)


def test_who_may_not_move_stays_and_another_goes() -> None:
    case = a_case(a_load(a_host("h1"), web(1), web(2)), a_load(a_host("h2")), stays=("web-1",))

    assert told(case.restored()) == [("web-2", "h1", "h2", ())]


def test_a_backfilling_member_goes_only_where_its_size_is_free() -> None:
    members = [a_server(f"web-{n}", 2000, is_backfilling=True) for n in (1, 2)]
    taken = a_load(a_host("h2", 4000), a_server("b", 4000, is_backfilling=True))
    free = a_load(a_host("h3", 2000))

    assert a_case(a_load(a_host("h1"), *members), taken).restored().after == 1
    assert told(a_case(a_load(a_host("h1"), *members), taken, free).restored()) == [("web-1", "h1", "h3", ())]


def test_many_alike_on_one_host_are_taken_apart_at_once() -> None:
    hosts = [a_load(a_host("h00", 200_000), *(web(n, 1000) for n in range(60)))]
    hosts += [a_load(a_host(f"h{n:02d}")) for n in range(1, 80)]
    found = a_case(*hosts).restored()

    assert (found.before, found.after, len(found.steps)) == (59, 0, 59)
    assert (found.is_fewest, found.is_best) == (True, True)


def test_a_search_that_is_cut_short_says_so_and_gives_what_it_found() -> None:
    hosts = [a_load(a_host("h0", 200_000), *(web(n, 1000 + n) for n in range(8)))]
    hosts += [a_load(a_host(f"h{n}", 4000 + 8 * n)) for n in range(1, 9)]

    found = a_case(*hosts).restored(decisions_max=12)
    assert (found.after, len(found.steps), found.is_fewest, found.is_best) == (0, 7, True, False)
    found = a_case(*hosts).restored(decisions_max=3)
    assert (found.steps, found.is_fewest) == ((), False)


@pytest.mark.parametrize(
    ("homes", "reach", "bounds"),
    [
        ("aab", [["c"], ["c"], []], {2: 0, 3: 1}),
        ("aab", [["b"], ["b"], ["c"]], {2: 0, 3: 2}),
        ("aab", [[], [], ["c"]], {2: 0}),
        ("aabc", [["b"], ["b"], ["c"], ["d"]], {3: 0, 4: 3}),
        ("aaa", [["b"], ["b"], ["b"]], {1: 0, 2: 1}),
        ("aaa", [["b", "c"], ["b"], ["b"]], {1: 0, 2: 1, 3: 2}),
        ("aabb", [["c"], ["c"], ["c", "d"], ["c"]], {2: 0, 3: 1, 4: 2}),
    ],
)
def test_the_bound_is_the_cheapest_matching_of_each_size(
    homes: str, reach: list[list[str]], bounds: dict[int, int]
) -> None:
    assert apart_bounds(list(homes), reach) == bounds


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_no_assignment_of_members_to_hosts_is_below_the_bound(data: st.DataObject) -> None:
    hosts = "abcd"
    homes = data.draw(st.lists(st.sampled_from(hosts[:3]), min_size=1, max_size=4))
    reach = [data.draw(st.lists(st.sampled_from(hosts), unique=True)) for _ in homes]

    least: dict[int, int] = {}
    for chosen in product(*({home, *there} for home, there in zip(homes, reach, strict=True))):
        apart, moves = len(set(chosen)), sum(host != home for host, home in zip(chosen, homes, strict=True))
        least[apart] = min(moves, least.get(apart, moves))

    bounds = apart_bounds(homes, reach)
    assert max(bounds) == max(least)
    assert bounds == {apart: moves for apart, moves in least.items() if apart >= min(bounds)}


# --- By definition ------------------------------------------------------------------------------


def members_of(loads: Sequence[HostLoad], ids: frozenset[str]) -> list[Server]:
    return [server for load in loads for server in load.servers if server.id in ids]


def move(case: Case, loads: list[HostLoad], id: str) -> tuple[list[HostLoad], tuple[str, ...], int] | None:
    """The hosts after one member was started again, and who was stopped for it; None where that is not a move."""
    source = next(load for load in loads if any(server.id == id for server in load.servers))
    server = next(server for server in source.servers if server.id == id)
    left = [without(load, id) if load is source else load for load in loads]
    request = Request(server.size, server.is_backfilling, tuple(sorted(case.members - {id})), id)
    found = place(request, left, now=NOON, policy=case.policy)
    if isinstance(found, NoValidHost) or found.chosen.host == source.host.name:
        return None
    target = next(load for load in left if load.host.name == found.chosen.host)
    if any(other.id in case.members for other in target.servers):
        return None
    floor = floor_of(server.size, server.floor_permille, FLOOR_PERMILLE) if server.is_backfilling else server.size
    placed = replace(server, host=target.host.name, floor=floor, started_at=NOON)
    gone = found.chosen.plan.stops
    servers = sorted([*(other for other in target.servers if other.id not in gone), placed], key=lambda each: each.id)
    work = sum(work_lost(other, NOON) for other in target.servers if other.id in gone)
    after = [HostLoad(load.host, tuple(servers)) if load is target else load for load in left]
    return after, gone, work


def every_plan(case: Case) -> Iterator[Key]:
    """The key of every order of moves in which no member moves twice."""
    names = {server.id: server.name for server in members_of(case.loads, case.members)}

    def follow(loads: list[HostLoad], left: frozenset[str], key: Key) -> Iterator[Key]:
        hosts = [server.host or "" for server in members_of(loads, case.members)]
        yield count_collisions(hosts), *key[1:]
        for id in sorted(left):
            after = move(case, loads, id)
            if after is not None:
                stopped = (key[1] + 1, key[2] + len(after[1]), key[3] + after[2], (*key[4], (names[id], id)))
                yield from follow(after[0], left - {id}, (0, *stopped))

    yield from follow(list(case.loads), case.movable, (0, 0, 0, 0, ()))


def key_of(case: Case, found: Restoration) -> Key:
    names = {server.id: server.name for server in members_of(case.loads, case.members)}
    moved = tuple((names[step.server_id], step.server_id) for step in found.steps)
    stops = sum(len(step.stops) for step in found.steps)
    return found.after, len(found.steps), stops, sum(step.work for step in found.steps), moved


def check_plan(case: Case) -> None:
    found = case.restored()
    loads = list(case.loads)
    for step in found.steps:
        after = move(case, loads, step.server_id)
        assert after is not None, "it is a move"
        [moved] = members_of(after[0], frozenset({step.server_id}))
        assert (moved.host, after[1], after[2]) == (step.target, step.stops, step.work)
        loads = after[0]
    assert found.after == count_collisions(server.host or "" for server in members_of(loads, case.members))
    best = min(every_plan(case))
    assert found.least <= best[0], "what it says cannot be, can be"
    assert (found.is_fewest, found.is_best) == (True, True), "nothing of this size is cut short"
    assert key_of(case, found) == best


@st.composite
def cases(draw: st.DrawFn, *, hosts_max: int = 5, members_max: int = 4) -> Case:
    """A few hosts, some alike, with members bunched on the first of them; most of these alike, most may move."""
    hosts = draw(st.sampled_from((hosts_max, hosts_max - 1)) | st.integers(1, hosts_max))
    few = draw(st.lists(sizes, min_size=1, max_size=3))
    on: dict[int, list[Server]] = {number: [] for number in range(hosts)}
    is_backfilling = draw(st.sampled_from((False, False, False, True, None)))
    for number in range(draw(st.integers(2, members_max))):
        home = draw(st.integers(0, min(hosts - 1, 2)))
        size = draw(st.sampled_from(few) | any_sizes)
        is_one = draw(st.booleans()) if is_backfilling is None else is_backfilling
        name = draw(st.sampled_from(("web", f"web-{number}")))
        on[home].append(a_server(f"m{number}", size=size, name=name, host=f"h{home}", is_backfilling=is_one))
    for home, servers in on.items():
        for number in range(draw(st.integers(0, 2))):
            servers.append(a_server(f"n{home}{number}", size=draw(any_sizes), host=f"h{home}"))
        for number in range(draw(st.integers(0, 3))):
            servers.append(draw(backfilling_servers(f"b{home}{number}", f"h{home}")))
    loads = []
    for home, servers in on.items():
        state = HostState.UP if home < 1 else draw(st.sampled_from((HostState.UP,) * 6 + (HostState.MAINTENANCE,)))
        # The hosts with the members are full, and what room there is elsewhere is for some of them.
        steps = 0 if home < 1 else draw(st.sampled_from((0, 2, 4, 8, 8, 12)))
        slack = Size(steps * CPU_STEP_MHZ, max(steps, draw(st.sampled_from((0, 4, 12)))) * MEMORY_STEP_BYTES)
        bare = HostLoad(replace(a_host(f"h{home}"), capacity=Size(0, 0), state=state), tuple(servers))
        capacity = slack + bare.normal + bare.floors
        loads.append(HostLoad(replace(bare.host, capacity=capacity), tuple(sorted(servers, key=lambda each: each.id))))
    ids = frozenset(server.id for servers in on.values() for server in servers if server.id.startswith("m"))
    held = draw(st.sampled_from((frozenset(), frozenset({"m0"}))))
    return Case(tuple(loads), ids, ids - held, draw(st.sampled_from(("spread", "pack"))))


@settings(max_examples=120, deadline=None, derandomize=True)
@given(cases())
def test_no_order_of_moves_is_better_than_the_plan(case: Case) -> None:
    check_plan(case)


@pytest.mark.thorough
@settings(max_examples=100_000, deadline=None, database=None)
@given(cases())
def test_no_order_of_moves_is_better_than_the_plan_thoroughly(case: Case) -> None:
    check_plan(case)


@pytest.mark.thorough
@settings(max_examples=1000, deadline=None, database=None)
@given(cases(hosts_max=6, members_max=5))
def test_no_order_of_more_moves_is_better_than_the_plan(case: Case) -> None:
    check_plan(case)
