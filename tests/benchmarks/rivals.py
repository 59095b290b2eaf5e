"""What a policy costs whom: a real workload on equal hosts, under the policies that others use and under ours.

The whole Azure stream, 669,435 servers in 9.2 days, comes to three fleets: two that are short of CPU (55 % and 46 % of
what it needs at its peak), and one that is short of memory. Every policy is driven by the same program with the same
servers at the same instants; `contenders` has the policies, `contending` the program. Ours is the real core, without
the files around it: what is compared is what is decided, and the rate is that of deciding in memory.

No single column says who is better: read servers stopped, core-hours lost (at full size, and as they really were),
core-hours delivered, and starts refused together. Each small run is made twice, in two processes that hash differently,
and must come to the same state.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.benchmarks.contending import FLEETS, POLICIES
from tests.benchmarks.figures import Figure, Measured, of_rounds
from tests.benchmarks.measuring import ROOT, Scale

HOURS = 220.0
SEED = 1

SMALL_HOURS, SMALL_SHARE = 8.0, 0.08
TINY_HOURS, TINY_SHARE = 0.5, 0.01
"""Of the fleets' hosts: as many as make those hours about as tight as the whole stream is for the whole fleet."""

NO_BUDGET = "the columns are to be read together, and none of them is promised"


def _figure(fleet: str, policy: str) -> Figure:
    what = f"Azure stream, {fleet.replace('_', ' ')}, {policy.replace('_', ' ')}: decisions, in memory"
    is_in_table = (fleet, policy) == ("1200_hosts", "ours_floor_0.5")
    return Figure(what, "/s", NO_BUDGET, is_in_table=is_in_table, shows_facts=True)


FIGURES = {f"{fleet}_{policy}": _figure(fleet, policy) for fleet in FLEETS for policy in POLICIES}


def run(scale: Scale) -> Iterator[Measured]:
    hours, share = scale.of((SMALL_HOURS, SMALL_SHARE), (TINY_HOURS, TINY_SHARE))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        small = {
            fleet: [pool.submit(_outcomes, hours, share, fleet, list(POLICIES), hash_seed) for hash_seed in (1, 2)]
            for fleet in FLEETS
        }
        whole = {
            (fleet, policy): pool.submit(_outcomes, HOURS, 1.0, fleet, [policy], 1)
            for fleet in scale.of(list(FLEETS), [])
            for policy in POLICIES
        }
        for fleet, runs in small.items():
            once, again = (each.result() for each in runs)
            for policy, first, second in zip(POLICIES, once, again, strict=True):
                assert _decided(first) == _decided(second), f"{fleet}, {policy}: two equal runs came to two states"
                row = whole[fleet, policy].result()[0] if whole else first
                yield of_rounds(f"{fleet}_{policy}", [row["decisions_per_second"]], {}, **row)


def _decided(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is not the machine's."""
    return {
        name: value for name, value in row.items() if name not in ("seconds", "decisions_per_second", "peak_rss_mib")
    }


def _outcomes(hours: float, share: float, fleet: str, policies: Sequence[str], hash_seed: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.benchmarks.contending", str(hours), str(share), str(SEED), fleet, *policies]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
