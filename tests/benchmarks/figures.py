"""What a figure is: its rival, its budget, and whether that is met. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.measuring import Spread


@dataclass(frozen=True, slots=True)
class Budget:
    """What is asked of a figure; every bound that is set must hold. Bounds of the ratio are of ours to the rival."""

    at_most: float | None = None
    at_least: float | None = None
    ratio_at_most: float | None = None
    ratio_at_least: float | None = None

    def text(self, unit: str) -> str:
        bounds = (
            ("<=", self.at_most, f" {unit}"),
            (">=", self.at_least, f" {unit}"),
            ("<=", self.ratio_at_most, "x"),
            (">=", self.ratio_at_least, "x"),
        )
        return ", ".join(f"{sign} {bound:,g}{of}" for sign, bound, of in bounds if bound is not None)

    def is_met(self, ours: float, ratio: float | None) -> bool:
        """By medians. A bound of a ratio is not met where there is no rival."""
        return all(
            (
                self.at_most is None or ours <= self.at_most,
                self.at_least is None or ours >= self.at_least,
                self.ratio_at_most is None or (ratio is not None and ratio <= self.ratio_at_most),
                self.ratio_at_least is None or (ratio is not None and ratio >= self.ratio_at_least),
            )
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a benchmark, before it is measured."""

    what: str
    unit: str
    budget: Budget | str
    """A string says why there is none."""
    rivals: tuple[str, ...] = ()
    """The first one is what the ratio is of. A run may leave out one that needs what is not installed."""
    is_in_table: bool = False
    shows_facts: bool = False
    """Whether what is needed to judge it stands beside it in JSON, too: where it is more than one number."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of one run. `key` is its name among the `FIGURES` of its module."""

    key: str
    ours: Spread
    rivals: Mapping[str, Spread] = field(default_factory=dict)
    facts: Mapping[str, float | int | str] = field(default_factory=dict)
    """What is needed to judge it, such as the disk's fsync."""


def as_json(benchmark: str, figure: Figure, measured: Measured) -> dict[str, Any]:
    """The figure with stable keys; `ratio` is ours to the first rival, and `is_met` is null without a budget."""
    rivals = [
        {"name": name, **spread_json(spread), "ratio": _ratio(measured.ours, spread)}
        for name in figure.rivals
        if (spread := measured.rivals.get(name)) is not None
    ]
    ratio = rivals[0]["ratio"] if rivals else None
    budget = figure.budget
    return {
        "benchmark": benchmark,
        "figure": measured.key,
        "what": figure.what,
        "unit": figure.unit,
        "ours": spread_json(measured.ours),
        "rivals": rivals,
        "ratio": ratio,
        "budget": budget.text(figure.unit) if isinstance(budget, Budget) else None,
        "is_met": budget.is_met(measured.ours.median, ratio) if isinstance(budget, Budget) else None,
        "why_no_budget": None if isinstance(budget, Budget) else budget,
        "facts": dict(measured.facts),
        "is_in_table": figure.is_in_table,
        **(measured.facts if figure.shows_facts else {}),
    }


def spread_json(spread: Spread) -> dict[str, Any]:
    return {"median": spread.median, "low": spread.low, "high": spread.high, "rounds": spread.rounds}


def _ratio(ours: Spread, rival: Spread) -> float | None:
    return ours.median / rival.median if rival.median else None


def of_rounds(key: str, ours: Sequence[float], rivals: Mapping[str, Sequence[float]], **facts: Any) -> Measured:
    """A figure from one value for each round and side."""
    return Measured(key, Spread.of(ours), {name: Spread.of(values) for name, values in rivals.items()}, facts)
