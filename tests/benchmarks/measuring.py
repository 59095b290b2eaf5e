"""Rounds, spreads, the disk's fsync, and another process's memory and CPU."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parent.parent.parent
"""The tree that is measured."""

WAL_FRAME_BYTES = 4096 + 24
"""What SQLite appends for one changed page."""

FSYNCS = 60


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of it: the whole, or just enough to see that it runs."""

    is_tiny: bool = False

    def of(self, whole: T, tiny: T) -> T:
        return tiny if self.is_tiny else whole


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle half of some values: the median between the quartiles."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        low, median, high = (quantile(values, share) for share in (0.25, 0.5, 0.75))
        return cls(median, low, high, len(values))


def quantile(values: Sequence[float], share: float) -> float:
    """Between the neighbours, so that the median of two values is their middle."""
    assert values, "nothing was measured"
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def p99(values: Sequence[float]) -> float:
    """The value that one in a hundred exceeds; of fewer than a hundred the largest."""
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]


def interleaved(rounds: int, *sides: Callable[[], T], warm_up_rounds: int = 1) -> list[list[T]]:
    """Run the sides in turn, round after round; the results of each side, those of the first rounds left out."""
    results: list[list[T]] = [[] for _ in sides]
    for number in range(warm_up_rounds + rounds):
        for kept, side in zip(results, sides, strict=True):
            found = side()
            if number >= warm_up_rounds:
                kept.append(found)
    return results


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder on the disk that TMPDIR names; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="stratodeck-benchmark-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def fsync_seconds(folder: Path, count: int = FSYNCS) -> list[float]:
    """How long the disk under the folder takes to keep one page that is appended, each time."""
    taken = []
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        for _ in range(count):
            os.write(descriptor, bytes(WAL_FRAME_BYTES))
            began = time.perf_counter()
            os.fsync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        os.unlink(name)
    return taken


# ------------------------------------------------------------------------------------------------- another process


def memory_bytes(pid: int) -> int:
    """What the process holds of the machine's memory now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} holds no memory: it has ended")


def cpu_seconds(pid: int) -> float:
    """What all the threads of the process have used so far, to a hundredth of a second."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
