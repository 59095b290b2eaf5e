"""`python -m tests.soak --minutes M [--rate R]`: a long life, and whether anything has grown in it.

It ends with 1 where something has, or where `stratodeck check` finds fault with the folder afterwards. `--json FILE`
keeps every value that was taken.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.soak.judging import told
from tests.soak.soaking import RATE, soak, told_latencies

MINUTES_MIN = 2.0
"""In less there are too few views to say anything about."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help=f"at least {MINUTES_MIN:g} (10)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"servers that come in a second ({RATE:g})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep every value that was taken")
    chosen = parser.parse_args(arguments)
    if chosen.minutes < MINUTES_MIN:
        parser.error(f"--minutes must be at least {MINUTES_MIN:g}: in less there are too few values to judge")

    soaked = soak(60 * chosen.minutes, rate=chosen.rate, tell=lambda line: print(line, flush=True))
    print(told(soaked.verdicts))
    print("p50 and p99:", told_latencies(soaked.seen, 60 * chosen.minutes))
    print("answers:", ", ".join(f"{count:,} x {what}" for what, count in sorted(soaked.seen.answers.items())))
    print("rows:", ", ".join(f"{count:+,} {table}" for table, count in soaked.rows.most_common(12)))
    print(*soaked.checked.lines(), sep="\n")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(asdict(soaked.seen)))
    is_well = all(each.is_flat for each in soaked.verdicts) and soaked.checked.breach is None
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
