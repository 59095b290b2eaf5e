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
    presumed: Iterable[tuple[str, Any]],
    steps: Iterable[tuple[tuple[str, str, str, int], int, int]],
) -> int:
    """How many intervals there are. Raises Breach.

    Args:
        broken: The objects whose intervals overlap or leave a gap.
        intervals: Each with its file.
        presumed: Likewise, what is taken for true of silent cells in the place of the open interval of the same object.
        steps: By account, resource, file and layer (what the ledger's rows are made of, and what became known late);
            then the instant, ascending, and the amount from it on. The layers add up to what was in use.
    """
    for object_id in broken:
        raise Breach(f"the usage of {object_id} is counted twice, or not at all, for a time")
    expected: dict[tuple[str, str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    open_ones: dict[tuple[str, str, str], Any] = {}
    count = 0

    def add(file: str, interval: Any, at: int, sign: int) -> None:
        for (account, resource), amount in _amounts(interval).items():
            expected[account, resource, file][at] += sign * amount

    for file, interval in intervals:
        count += 1
        add(file, interval, interval.begun_at, 1)
        if interval.ended_at is not None:
            add(file, interval, interval.ended_at, -1)
        else:
            open_ones[file, interval.kind, interval.object_id] = interval
    for file, interval in presumed:
        add(file, interval, interval.begun_at, 1)
        before = open_ones.get((file, interval.kind, interval.object_id))
        if before is not None:
            add(file, before, interval.begun_at, -1)
    told: dict[tuple[str, str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for (account, resource, file, _), found in groupby(steps, key=lambda step: step[0]):
        amount_before = 0
        for _, at, amount in found:
            told[account, resource, file][at] += amount - amount_before
            amount_before = amount
    for key in sorted({*expected, *told}):
        _compare(key, _changes(expected[key]), _changes(told[key]))
    return count


def _changes(found: Mapping[int, int]) -> dict[int, int]:
    return {at: more for at, more in found.items() if more}


def _amounts(interval: Any) -> Mapping[tuple[str, str], int]:
    """By account and resource. The account of what is the cloud's is empty."""
    owner = interval.account
    if interval.state == "gone":
        return {}
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
    if expected == told:
        return
    account, resource, file = key
    whose = f"of {account}" if account else "of the cloud"
    raise Breach(f"the usage of {resource} {whose} in {file} is not what its intervals add up to")
