"""An index that lives on decides as a scan of all hosts does, whatever has happened to it and however late it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud import index as index_module
from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import GIB, HostState, Size
from backend.cloud.placement import NoValidHost, Policy, Request
from tests.builders import HOUR, NOON, a_host, a_load, a_server, a_size
from tests.cloud.deciding import an_index, ranks_in
from tests.cloud.test_placement import flat, scan
from tests.strategies import QUICK, THOROUGH, clouds, loads, sizes


def decided(index: HostIndex, request: Request, now: datetime, **more: Any) -> list[tuple[object, ...]]:
    """The keys of the chosen host and of the second."""
    found = index.place(request, now=now, ranks=ranks_in(index, request), **more)
    if isinstance(found, NoValidHost):
        return []
    return [flat(candidate.key) for candidate in (found.chosen, found.runner_up) if candidate is not None]


@st.composite
def lives(draw: st.DrawFn) -> tuple[Policy, list[Any]]:
    """Hosts that come, change and go down, time that passes, and requests in between."""
    cloud = draw(clouds(hosts_max=6, backfilling_max=4))
    names = [load.host.name for load in cloud]
    few = draw(st.lists(sizes, min_size=1, max_size=3))
    steps: list[Any] = [("host", load) for load in cloud]
    states = (HostState.UP,) * 6 + (HostState.DOWN,)
    for _ in range(draw(st.integers(1, 14))):
        match draw(st.sampled_from(("host", "time", "ask", "ask", "ask"))):
            case "host":
                steps.append(("host", draw(loads(draw(st.sampled_from(names)), backfilling_max=4, states=states))))
            case "time":
                steps.append(("time", draw(st.sampled_from((0.5, 1, 60, 3600, -60, -3600)))))
            case _:
                ids = [f"{name}-{kind}0" for name in names for kind in "nb"]
                avoid = tuple(draw(st.lists(st.sampled_from(ids), max_size=3)))
                steps.append(("ask", Request(draw(st.sampled_from(few)), draw(st.booleans()), avoid)))
    return draw(st.sampled_from(("spread", "pack"))), steps


def check_life(life: tuple[Policy, list[Any]]) -> None:
    policy, steps = life
    index = HostIndex(policy=policy)
    hosts: dict[str, HostLoad] = {}
    now = NOON
    for kind, value in steps:
        if kind == "host":
            hosts[value.host.name] = value
            index.put(value)
        elif kind == "time":
            now += timedelta(seconds=value)
        else:
            assert decided(index, value, now) == scan(value, list(hosts.values()), policy, now)[:2]


@QUICK
@given(lives())
def test_it_decides_as_a_scan_does_at_every_step_of_its_life(life: tuple[Policy, list[Any]]) -> None:
    check_life(life)


@pytest.mark.thorough
@THOROUGH
@given(lives())
def test_it_decides_as_a_scan_does_in_many_more_lives(life: tuple[Policy, list[Any]]) -> None:
    check_life(life)


@QUICK
@given(life=lives(), chunk=st.sampled_from((2, 3)), sizes_kept=st.sampled_from((1, 2)), log=st.sampled_from((2, 5)))
def test_small_chunks_and_short_memories_change_no_decision(
    life: tuple[Policy, list[Any]], chunk: int, sizes_kept: int, log: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "CHUNK_HOSTS_MAX", chunk)
        patch.setattr(index_module, "SIZES_KEPT", sizes_kept)
        patch.setattr(index_module, "LOG_HOSTS_MAX", log)
        check_life(life)


@QUICK
@given(cloud=clouds(), size=sizes, instead=loads("h0"))
def test_a_host_is_seen_as_it_is_said_to_be_for_one_decision(
    cloud: list[HostLoad], size: Size, instead: HostLoad
) -> None:
    index = an_index(cloud)
    request = Request(size, is_backfilling=False)
    before = decided(index, request, NOON)
    others = [load for load in cloud if load.host.name != "h0"]

    assert decided(index, request, NOON, instead={"h0": instead}) == scan(request, [*others, instead], "spread")[:2]
    assert decided(index, request, NOON) == before


def test_what_is_lost_with_a_server_grows_and_the_order_of_hosts_with_it() -> None:
    # The large one has lost less until noon, and loses more each second from then on.
    old = a_server("old", 2000, 1, host="small", is_backfilling=True, floor_permille=1000, started_at=NOON - HOUR)
    new = a_server("new", 4000, 1, host="large", is_backfilling=True, floor_permille=1000, started_at=NOON)
    small, large = a_load(a_host("small", 4000, 64), old), a_load(a_host("large", 5000, 64), new)
    index = an_index([small, large])
    request = Request(a_size(4000, 1), is_backfilling=False)

    chosen = [decided(index, request, NOON + timedelta(hours=hours))[0][-1] for hours in (0, 0.5, 2, 0)]

    assert chosen == ["large", "large", "small", "large"]


def test_what_was_known_of_later_says_nothing_of_before() -> None:
    # What falls due late is decided at its own instant, and the newer of the two has caught up only since.
    old = a_server("old", 2000, 1, host="h1", is_backfilling=True, floor_permille=1000, started_at=NOON - 2 * HOUR)
    new = a_server("new", 4000, 1, host="h1", is_backfilling=True, floor_permille=1000, started_at=NOON - HOUR / 6)
    other = a_server("other", 2000, 1, host="h2", is_backfilling=True, floor_permille=1000, started_at=NOON - HOUR / 2)
    index = an_index([a_load(a_host("h1", 6000, 64), old, new), a_load(a_host("h2", 2000, 64), other)])
    request = Request(a_size(2000, 1), is_backfilling=False)

    chosen = [decided(index, request, NOON + timedelta(hours=hours))[0][-1] for hours in (2, 0)]

    assert chosen == ["h2", "h1"]


def test_a_server_is_found_on_the_host_that_it_holds_and_nowhere_when_it_has_left() -> None:
    index = an_index([a_load(a_host("h1"), a_server("web")), a_load(a_host("h2"))])
    index.put(a_load(a_host("h2"), a_server("web"), a_server("db")))
    index.put(a_load(a_host("h1")))

    held = {id: index.find_server(id) for id in ("web", "db", "gone")}

    assert {id: server and server.host for id, server in held.items()} == {"web": "h2", "db": "h2", "gone": None}


def test_a_first_question_of_a_size_may_come_at_any_time_and_in_any_number() -> None:
    index = an_index([a_load(a_host(f"h{n:02}", 16_000 + n, 64)) for n in range(40)])

    for size in range(1, 80):
        found = decided(index, Request(Size(size * 250, GIB), is_backfilling=False), NOON)
        assert [key[-1] for key in found] == (["h39", "h38"] if size * 250 <= 16_038 else [])
        index.put(replace_room(index.load("h00")))


def replace_room(load: HostLoad) -> HostLoad:
    return HostLoad(replace(load.host, version=load.host.version + 1), load.servers)
