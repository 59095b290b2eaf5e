"""`python -m tests.simulate --seed N --steps M`: one seed is one story of the whole system; `--seeds K` tells K.

A story that goes wrong is made as short as it can be and printed, a sentence a step. See `tests.simulation`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.simulation import steps as telling
from tests.simulation.console import Watcher
from tests.simulation.shrink import kind_of, shrunk
from tests.simulation.steps import Step
from tests.simulation.virtual import StandsStill, virtual
from tests.simulation.world import MEMORY, Failed, World, live

SECONDS_MAX = 0.02
"""A story that costs more for each of its steps is named: something in it goes round and round."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went."""

    digest: str
    lines: Sequence[str]
    failed: Failed | None
    world: World | None


def tell(story: Sequence[Step], seed: int, watcher: Callable[[], Watcher] = Watcher) -> Told:
    """Live through a story in a folder of its own. What the seed decides beside the steps: whose time it is."""
    with tempfile.TemporaryDirectory(prefix="stratodeck-simulation-", dir=MEMORY) as folder, virtual() as (run, lanes):
        try:
            world: World = run(live(Path(folder) / "data", lanes, story, is_wall=seed % 3 == 2, watcher=watcher))
        except Failed as failed:
            return Told("", (), failed, None)
        except StandsStill as still:
            return Told("", (), Failed(None, still), None)
        return Told(world.digest, world.lines, None, world)


def shorten(
    story: Sequence[Step], failed: Failed, seed: int, watcher: Callable[[], Watcher] = Watcher
) -> tuple[list[Step], int]:
    """The shortest story found that goes wrong in the same way, and how many were told to find it."""
    wanted = kind_of(failed.what)

    def is_wrong(steps: Sequence[Step]) -> bool:
        found = tell(steps, seed, watcher).failed
        return found is not None and kind_of(found.what) == wanted

    until = [step for step in story if failed.step is None or step.number <= failed.step.number]
    return shrunk(until, is_wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many, from the seed on")
    parser.add_argument("--seconds", type=float, help="as many as so many seconds have, from the seed on")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--lines", action="store_true", help="what was answered, one line a step")
    parser.add_argument("--whole", action="store_true", help="a story that goes wrong is not made shorter")
    chosen = parser.parse_args(arguments)
    # A process that is killed closes nothing; what it leaves behind is not what these stories are about.
    warnings.simplefilter("ignore", ResourceWarning)
    gc.set_threshold(50_000, 20, 100)
    gc.freeze()
    begun, done, answers, bad = time.monotonic(), 0, Counter[int](), 0
    seeds = range(chosen.seed, chosen.seed + chosen.seeds) if chosen.seconds is None else count(chosen.seed)
    told_seeds = 0
    for seed in seeds:
        if chosen.seconds is not None and time.monotonic() - begun > chosen.seconds:
            break
        told_seeds += 1
        story = telling.tell(seed, chosen.steps)
        seconds = time.process_time()
        told = tell(story, seed)
        seconds = time.process_time() - seconds
        if seconds > SECONDS_MAX * len(story):
            print(f"seed {seed} took {seconds:.1f} s", flush=True)
        done += len(story)
        if told.failed is not None:
            bad += 1
            report(seed, story, told.failed, is_short=not chosen.whole)
            continue
        assert told.world is not None
        answers.update(told.world.answers)
        if chosen.lines:
            print("\n".join(told.lines))
        if chosen.seeds == 1 and chosen.seconds is None:
            print(f"seed {seed}: {len(story):,} steps, digest {told.digest}")
            print("refused:", dict(sorted(told.world.refused.items())))
    seconds = time.monotonic() - begun
    print(f"{told_seeds:,} seeds, {done:,} steps in {seconds:,.1f} s: {done / seconds:,.0f} a second; {bad} went wrong")
    print("answers:", ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items())))
    return 1 if bad else 0


def report(seed: int, story: Sequence[Step], failed: Failed, *, is_short: bool) -> None:
    print(f"\nSeed {seed} goes wrong: {failed.what}")
    print(f"after {'the last step' if failed.step is None else failed.step.sentence.strip()}")
    if is_short:
        kept, tries = shorten(story, failed, seed)
        print(f"The shortest story of it ({len(kept)} of {len(story)} steps, found by telling {tries}):")
        print("\n".join(telling.sentences(kept)))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
