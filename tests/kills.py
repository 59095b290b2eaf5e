"""`python -m tests.kills --kills K [--seed N]`: K lives under load, each killed at an instant that its seed chooses.

`tests.backend.test_random_kills` says what must hold after each. A folder has ten lives, so that what one of them left
behind meets the next.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.backend.test_random_kills import kill_and_judge
from tests.simulation.world import MEMORY

LIVES = 10
"""Of one folder."""
TOLD_EVERY_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first life")
    chosen = parser.parse_args(arguments)

    begun = told = time.monotonic()
    kept = bad = 0
    seeds = range(chosen.seed, chosen.seed + chosen.kills)
    for first in range(seeds.start, seeds.stop, LIVES):
        lives = range(first, min(first + LIVES, seeds.stop))
        try:
            with tempfile.TemporaryDirectory(prefix="stratodeck-kills-", dir=MEMORY) as folder:
                kept += kill_and_judge(Path(folder) / "data", lives)
        except AssertionError as wrong:
            bad += 1
            print(f"--seed {lives.start} --kills {len(lives)} goes wrong: {wrong}", flush=True)
        if time.monotonic() - told > TOLD_EVERY_SECONDS:
            told = time.monotonic()
            print(f"{lives.stop - seeds.start:,} kills in {told - begun:,.0f} s", flush=True)
    print(f"{len(seeds):,} kills: {kept:,} objects were acknowledged and are there, once; {bad} folders went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
