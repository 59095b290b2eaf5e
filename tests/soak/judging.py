"""Whether a series stands still: a line through all that came after the warm-up. Values in, values out.

What a program holds grows at first, when its caches fill. So the first third of a run is looked at by nobody, and of
the rest a line is drawn: by how much it rises from its beginning to its end, as a part of the level, is the growth. A
leak is a line that rises however slowly; what comes and goes has none. Falling is never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

WARM_UP_SHARE = 1 / 3
BINS = 24
"""Into how many parts the judged time is cut where a figure needs many values: a quantile, or a rate."""
VALUES_MIN = 8
"""Fewer say nothing about a line."""

Timed = tuple[float, float]
"""An instant in seconds, and a value."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a series may rise over the judged time."""

    share: float
    """Of its level."""
    slack: float = 0.0
    """In its own unit: so little is no growth, whatever part of the level it is."""
    room: float = 0.0
    """In its own unit: what has been given to it, and is there to be filled. Below that it may rise as it likes."""
    is_jumpy: bool = False
    """Whether single values may be anything, because other programs have a part in them. Then the line is the one whose
    slope is the median of the slopes between any two values, which a tenth of wild ones does not tilt."""


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    unit: str
    level: float
    """The median of the judged values."""
    growth: float
    """From the beginning of the judged time to its end, along the line, in the unit."""
    highest: float
    bound: Bound

    @property
    def share(self) -> float:
        """The growth as a part of the level."""
        return self.growth / self.level if self.level else 0.0

    @property
    def growth_max(self) -> float:
        return max(self.bound.slack, self.bound.share * self.level)

    @property
    def is_flat(self) -> bool:
        return self.growth <= self.growth_max or self.highest <= self.bound.room


def judge(name: str, unit: str, values: Sequence[Timed], bound: Bound) -> Verdict:
    """Of values after the warm-up, in the order of time. ValueError where there are too few to say anything."""
    if len(values) < VALUES_MIN:
        raise ValueError(f"{name} has {len(values)} values after the warm-up, expected {VALUES_MIN}: run for longer")
    slope = middle_slope(values) if bound.is_jumpy else least_squares_slope(values)
    seconds = values[-1][0] - values[0][0]
    level, highest = median(value for _, value in values), max(value for _, value in values)
    return Verdict(name, unit, level, slope * seconds, highest, bound)


def after_warm_up(values: Sequence[Timed], begun: float, ended: float) -> list[Timed]:
    first = begun + WARM_UP_SHARE * (ended - begun)
    return [each for each in values if first <= each[0] <= ended]


def least_squares_slope(values: Sequence[Timed]) -> float:
    """In units a second; 0 of what has no length."""
    at_mean, mean = fmean(at for at, _ in values), fmean(value for _, value in values)
    spread = sum((at - at_mean) ** 2 for at, _ in values)
    return sum((at - at_mean) * (value - mean) for at, value in values) / spread if spread else 0.0


def middle_slope(values: Sequence[Timed]) -> float:
    """The median of the slopes between any two values. **Source**: Theil (1950), Sen (1968)."""
    slopes = [
        (later - earlier) / (at_later - at)
        for number, (at, earlier) in enumerate(values)
        for at_later, later in values[number + 1 :]
        if at_later > at
    ]
    return median(slopes) if slopes else 0.0


def binned(values: Sequence[Timed], of: Callable[[Sequence[float]], float], bins: int = BINS) -> list[Timed]:
    """One value for each part of the time that has any: such as the median of what was taken in it."""
    return [(fmean(at for at, _ in part), of([value for _, value in part])) for part in _parts(values, bins)]


def against(
    values: Sequence[Timed], rival: Sequence[Timed], of: Callable[[Sequence[float]], float], bins: int = BINS
) -> list[Timed]:
    """A figure of each part of the time as a multiple of the same of a rival, which the machine keeps waiting too."""
    begun, ended = rival[0][0], rival[-1][0]
    ours, theirs = (_by_bin(each, begun, ended, bins) for each in (values, rival))
    return [
        (fmean(at for at, _ in ours[number]), of([x for _, x in ours[number]]) / of([x for _, x in theirs[number]]))
        for number in sorted(ours.keys() & theirs.keys())
    ]


def per(counts: Sequence[Timed], work: Sequence[Timed], bins: int = BINS) -> list[Timed]:
    """How much a count rises for each unit of work, part by part. Both only rise, and were taken together."""
    done = dict(work)
    edges = [part[0] for part in _parts(counts, bins)]
    return [
        (at_later, (later - earlier) / (done[at_later] - done[at]))
        for (at, earlier), (at_later, later) in pairwise(edges)
        if done[at_later] > done[at]
    ]


def _parts(values: Sequence[Timed], bins: int) -> list[list[Timed]]:
    """The values of equal parts of their time; none of a part in which there was none."""
    return list(_by_bin(values, values[0][0], values[-1][0], bins).values()) if values else []


def _by_bin(values: Sequence[Timed], begun: float, ended: float, bins: int) -> dict[int, list[Timed]]:
    found: dict[int, list[Timed]] = {}
    for at, value in values:
        place = int(bins * (at - begun) / max(ended - begun, 1e-9))
        found.setdefault(min(bins - 1, max(0, place)), []).append((at, value))
    return found


def told(verdicts: Iterable[Verdict]) -> str:
    """A table, one line each."""
    rows = [("", "level", "growth", "", "bound", "")]
    for each in verdicts:
        rows.append(
            (
                each.name,
                f"{each.level:,.4g} {each.unit}",
                f"{each.growth:+,.3g} {each.unit}",
                f"{each.share:+.1%}",
                f"{each.growth_max:,.3g} {each.unit}",
                "flat" if each.is_flat else "GROWS",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if number in (0, 5) else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
