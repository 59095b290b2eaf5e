"""Whether what is billed follows from what was in use: no interval twice, none left out.

By code of its own: it shares none with what takes the events, or adds the intervals up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from backend.event_log import Breach


def check_usage(
    broken: Iterable[str],
    intervals: Iterable[tuple[str, Any]],
    steps: Iterable[tuple[tuple[str, str, str], int, int]],
) -> int:
    """How many intervals there are. Raises Breach.

    Args:
        broken: The objects whose intervals overlap or leave a gap.
        intervals: Each with its file.
        steps: By account, resource and file; then the instant, ascending, and the amount from it on.
    """
    for object_id in broken:
        raise Breach(f"the usage of {object_id} is counted twice, or not at all, for a time")
    expected: dict[tuple[str, str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    count = 0
    for file, interval in intervals:
        count += 1
        for (account, resource), amount in _amounts(interval).items():
            changes = expected[account, resource, file]
            changes[interval.begun_at] += amount
            if interval.ended_at is not None:
                changes[interval.ended_at] -= amount
    for key, found in groupby(steps, key=lambda step: step[0]):
        changes = expected.pop(key, {})
        before = 0
        told = {}
        for _, at, amount in found:
            told[at] = amount - before
            before = amount
        _compare(key, {at: more for at, more in changes.items() if more}, told)
    for key, changes in expected.items():
        _compare(key, {at: more for at, more in changes.items() if more}, {})
    return count


def _amounts(interval: Any) -> Mapping[tuple[str, str], int]:
    """By account and resource. The account of what is the cloud's is empty."""
    owner = interval.account
    if interval.kind == "drive":
        return {(owner, "dssd"): interval.size_bytes}
    cpu, memory = interval.cpu_mhz_had, interval.memory_bytes_had
    if interval.kind == "host":
        return {("", "capacity_cpu"): cpu, ("", "capacity_mem"): memory}
    traffic = {(owner, "tx"): interval.sent_rate}
    if interval.is_backfilling:
        return {(owner, "bcpu"): cpu, (owner, "bmem"): memory, **traffic}
    names = ("intel_cpu", "intel_mem") if interval.cpu_type == "intel" else ("cpu", "mem")
    return {
        (owner, names[0]): cpu, (owner, names[1]): memory, ("", "load_cpu"): cpu, ("", "load_mem"): memory, **traffic,
    }  # fmt: skip


def _compare(key: tuple[str, str, str], expected: Mapping[int, int], told: Mapping[int, int]) -> None:
    if dict(expected) == dict(told):
        return
    account, resource, file = key
    whose = f"of {account}" if account else "of the cloud"
    raise Breach(f"the usage of {resource} {whose} in {file} is not what its intervals add up to")
