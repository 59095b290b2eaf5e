"""The policies that ours is compared with do what their sources say, and what is counted is what was had."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import trace
from backend.cloud.backfill import effective_sizes, floor_of
from backend.cloud.model import Server, Size
from backend.trace import Arrival
from tests.benchmarks import report
from tests.benchmarks.contenders import Choice, DryRun, Ground, Ours, RandomVictims
from tests.benchmarks.contending import FLEETS, POLICIES, outcome
from tests.builders import HOUR, NOON, a_host, a_server, a_size
from tests.strategies import CPU_STEP_MHZ, MEMORY_STEP_BYTES, QUICK


def backfilling(id: str, host: str, cpu_mhz: int, *, hours: int, memory_gib: float = 1) -> Server:
    """Started so many hours ago."""
    return a_server(id, cpu_mhz, memory_gib, host=host, is_backfilling=True, floor_permille=1000,
                    started_at=NOON - hours * HOUR)  # fmt: skip


def grounds(*held: list[Server], cpu_mhz: int = 8000) -> list[Ground]:
    made = []
    for number, servers in enumerate(held):
        made.append(Ground(a_host(f"h{number}", cpu_mhz, 64)))
        for server in servers:
            made[-1].add(server)
    return made


# The rivals


def test_a_dry_run_puts_back_the_longest_running_first() -> None:
    held = [backfilling("a", "h0", 3000, hours=9), backfilling("b", "h0", 2000, hours=5),
            backfilling("c", "h0", 3000, hours=1)]  # fmt: skip

    choice = DryRun(grounds(held), seed=1).choose(a_size(4000, 1), NOON, is_backfilling=False)

    # 4000 MHz are left to put back: the first fits, the second does not any more, nor does the third.
    assert choice == Choice("h0", ("b", "c"))


def test_a_dry_run_takes_the_fewest_then_those_that_were_started_last() -> None:
    fewest = DryRun(
        grounds(
            [backfilling("a", "h0", 4000, hours=1), backfilling("b", "h0", 4000, hours=1)],
            [backfilling("c", "h1", 8000, hours=9)],
        ),
        seed=1,
    )
    latest = DryRun(
        grounds([backfilling("a", "h0", 8000, hours=3)], [backfilling("b", "h1", 8000, hours=2)]),
        seed=1,
    )

    assert fewest.choose(a_size(6000, 1), NOON, is_backfilling=False) == Choice("h1", ("c",))
    assert latest.choose(a_size(6000, 1), NOON, is_backfilling=False) == Choice("h1", ("b",))


def test_a_dry_run_looks_at_a_sample_only() -> None:
    held = [[backfilling(f"{n:03}", f"h{n}", 8000, hours=1 + n)] for n in range(300)]

    chosen = {
        DryRun(grounds(*held), seed=seed).choose(a_size(6000, 1), NOON, is_backfilling=False) for seed in range(8)
    }

    assert len(chosen) > 1


@pytest.mark.parametrize("seed", range(5))
def test_random_victims_go_until_it_fits_and_no_longer(seed: int) -> None:
    held = [backfilling(f"{n}", "h0", 2000, hours=n) for n in range(4)]

    choice = RandomVictims(grounds(held), seed=seed).choose(a_size(3000, 1), NOON, is_backfilling=False)

    assert choice is not None
    assert len(choice.stops) == len(set(choice.stops)) == 2


def test_nobody_is_disturbed_where_there_is_room_and_backfilling_servers_disturb_nobody() -> None:
    held = [[backfilling("a", "h0", 8000, hours=1)], [backfilling("b", "h1", 2000, hours=1)]]
    for made in (DryRun(grounds(*held), seed=1), RandomVictims(grounds(*held), seed=1), Ours(grounds(*held))):
        assert made.choose(a_size(6000, 1), NOON, is_backfilling=False) == Choice("h1")
        assert made.choose(a_size(6001, 1), NOON, is_backfilling=True) is None


def test_what_is_too_large_for_every_host_is_refused() -> None:
    for made in (DryRun(grounds([]), seed=1), RandomVictims(grounds([]), seed=1), Ours(grounds([]))):
        assert made.choose(a_size(8001, 1), NOON, is_backfilling=False) is None


# What is counted

amounts = st.sampled_from((1, 2, 4)) | st.integers(1, 9)


@QUICK
@given(st.lists(st.tuples(amounts, amounts), max_size=6), st.sampled_from((250, 500, 1000)), amounts, amounts)
def test_what_was_had_is_what_the_sizes_add_up_to(
    sizes: list[tuple[int, int]], floor: int, more_cpu: int, more_memory: int
) -> None:
    """But for what rounding leaves over: less than a MHz and a MiB for each server and second."""
    unit = Size(4 * CPU_STEP_MHZ, 4 * MEMORY_STEP_BYTES)
    held = []
    for number, (cpu, memory) in enumerate(sizes):
        size = Size(cpu * unit.cpu_mhz, memory * unit.memory_bytes)
        held.append(a_server(f"{number}", size=size, host="h0", is_backfilling=True, floor_permille=floor,
                             floor=floor_of(size, (0, 0), floor)))  # fmt: skip
    least = sum((server.floor or server.size for server in held), Size(0, 0))
    capacity = least + Size(more_cpu * CPU_STEP_MHZ, more_memory * MEMORY_STEP_BYTES)
    ground = Ground(replace(a_host("h0"), capacity=capacity))
    for server in held:
        ground.add(server)

    ground.look(10)

    given = sum(effective_sizes(ground.load).values(), Size(0, 0))
    assert 0 <= ground.delivered_cpu - 10 * given.cpu_mhz <= 10 * len(held)
    assert 0 <= ground.delivered_memory - 10 * given.memory_bytes <= 10 * len(held) * 2**20
    full = sum((server.size for server in held), Size(0, 0))
    assert (ground.wanted_cpu, ground.wanted_memory) == (10 * full.cpu_mhz, 10 * full.memory_bytes)


def test_a_stop_loses_what_was_had_and_counts_at_full_size_beside() -> None:
    """One host of 48 cores: a backfilling server has all of it for an hour, half for another, and is stopped."""
    batch_of = {trace.is_backfilling(batch, seed=1, share=0.5): batch for batch in range(1, 100)}
    comers = [
        Arrival(number, at, None, vcpus, a_size(2000 * vcpus, 1), batch_of[number == 0])
        for number, (at, vcpus) in enumerate([(0, 48), (3600, 24), (7200, 24)])
    ]

    found = outcome("1200_hosts", "ours_floor_0.5", hours=3, share=1 / 1200, seed=1, arrivals=lambda: comers)

    assert (found.hosts, found.servers_asked_for, found.servers_stopped) == (1, 3, 1)
    assert found.core_hours_lost_nominal == 48 * 2
    assert found.core_hours_lost_effective == 48 + 24
    assert found.core_hours_delivered == 48 + 24
    assert found.core_hours_at_full_size == 48 * 2


def test_every_fleet_and_policy_says_what_it_is() -> None:
    assert {fleet.cores for fleet in FLEETS.values()} == {48}
    assert {(policy.floor, policy.start_level) for policy in POLICIES.values()} == {
        (1, 1), (0.5, 1), (0.25, 1), (0.5, 0.75), (0.25, 0.75)
    }  # fmt: skip


def test_the_table_has_a_row_for_each_policy_and_a_column_for_each_cost() -> None:
    found = outcome("little_memory", "random_victims", hours=1, share=0.001, seed=1, arrivals=list)
    row = {"benchmark": "rivals", **{name: getattr(found, name) for name in found.__dataclass_fields__}}

    assert report.rivals_table([]) == ""
    assert report.rivals_table([row]).splitlines()[2] == (
        "| 1 x 48 cores, 112 GiB | random victims | 0 | 0 | 0 | 0 | 0 | 0 | 0 |"
    )
    assert timedelta(hours=found.hours) == HOUR
