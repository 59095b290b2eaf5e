"""The benchmarks stay in working order: what they say of themselves holds, and they run. No time is judged here."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tests.benchmarks
from tests.benchmarks import NAMES, report
from tests.benchmarks.__main__ import benchmark, main, measured
from tests.benchmarks.figures import Budget, Figure, as_json, of_rounds
from tests.benchmarks.measuring import Scale, Spread, interleaved, p99, quantile

TINY = Scale(is_tiny=True)
KEYS = {
    "benchmark",
    "figure",
    "what",
    "unit",
    "ours",
    "rivals",
    "ratio",
    "budget",
    "is_met",
    "why_no_budget",
    "facts",
    "is_in_table",
}


def figures() -> Iterator[tuple[str, str, Figure]]:
    for name in NAMES:
        for key, figure in benchmark(name).FIGURES.items():
            yield name, key, figure


# What they say of themselves


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_what_it_measures_and_has_figures(name: str) -> None:
    module = import_module(f"tests.benchmarks.{name}")

    assert module.__doc__
    assert module.FIGURES
    assert callable(module.run)


def test_every_module_with_figures_is_offered() -> None:
    found = {
        each.name
        for each in pkgutil.iter_modules(tests.benchmarks.__path__)
        if not each.name.startswith("_") and hasattr(import_module(f"tests.benchmarks.{each.name}"), "FIGURES")
    }

    assert found == set(NAMES)


def test_every_figure_has_a_budget_or_says_why_there_is_none() -> None:
    for name, key, figure in figures():
        if isinstance(figure.budget, Budget):
            assert figure.budget.text(figure.unit), f"{name} {key}: a budget without a bound"
        else:
            assert " " in figure.budget, f"{name} {key}: no reason"


def test_what_is_bounded_against_a_rival_names_one() -> None:
    for name, key, figure in figures():
        if isinstance(figure.budget, Budget) and "x" in figure.budget.text("") and figure.unit != "x":
            assert figure.rivals, f"{name} {key}"


def test_the_table_shows_something_of_every_benchmark() -> None:
    assert {name for name, _, figure in figures() if figure.is_in_table} == set(NAMES)


# They run


@pytest.mark.parametrize(
    "name",
    [
        "placement",
        "preemption",
        "rivals",
        "operations",
        "recovery",
        "hung_cell",
        "cron_next",
        "schedule_tick",
        "ledger_page",
    ],
)
def test_a_benchmark_runs_and_gives_what_it_declares(name: str) -> None:
    declared = benchmark(name).FIGURES

    rows = list(measured(name, TINY))

    assert rows
    for row in rows:
        figure = declared[row["figure"]]
        assert set(row) == KEYS | (set(row["facts"]) if figure.shows_facts else set())
        assert row["ours"]["median"] > 0
        assert [rival["name"] for rival in row["rivals"]] == [
            each for each in figure.rivals if each != "numpy" or len(row["rivals"]) == len(figure.rivals)
        ]
        assert list(report.lines(row))


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["warp_drive"])

    assert ended.value.code == 2
    assert "first_paint" in capsys.readouterr().err


def test_what_was_measured_before_can_be_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "rows.json"
    kept.write_text(json.dumps([a_row()]))

    assert main(["--from", str(kept), "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == [a_row()]


# Rounds and spreads


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def side(name: str) -> int:
        order.append(name)
        return len(order)

    found = interleaved(2, lambda: side("a"), lambda: side("b"))

    assert order == ["a", "b"] * 3
    assert found == [[3, 5], [4, 6]]


def test_a_spread_is_the_middle_half() -> None:
    assert Spread.of([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(median=3, low=2, high=4, rounds=5)


def test_quantiles() -> None:
    assert quantile([1.0, 2.0], 0.5) == 1.5
    assert p99([float(n) for n in range(1, 101)]) == 99
    assert p99([1.0, 7.0, 3.0]) == 7


# Budgets


@pytest.mark.parametrize(
    ("budget", "ours", "ratio", "is_met"),
    [
        (Budget(at_most=12), 12, None, True),
        (Budget(at_most=12), 12.1, None, False),
        (Budget(at_least=2_000), 1_999, 9.0, False),
        (Budget(ratio_at_most=1.6), 400, 1.6, True),
        (Budget(ratio_at_most=1.6), 400, 1.7, False),
        (Budget(ratio_at_least=0.6), 400, 0.5, False),
        (Budget(ratio_at_least=0.6), 400, None, False),
        (Budget(at_most=12, ratio_at_most=0.3), 11, 0.4, False),
    ],
)
def test_a_budget_is_met_when_every_bound_holds(budget: Budget, ours: float, ratio: float | None, is_met: bool) -> None:
    assert budget.is_met(ours, ratio) is is_met


def a_row(**changes: Any) -> dict[str, Any]:
    figure = Figure("a key", "ms", Budget(at_most=12, ratio_at_most=0.5), ("a rival",), is_in_table=True)
    row = as_json(
        "cursor_key", figure, of_rounds("key", [5.0, 6.0, 7.0], {"a rival": [20.0, 24.0, 28.0]}, fsync_ms=0.2)
    )
    machine = {"cpu": "a CPU", "cores": 2, "python": "3.11", "sqlite": "3.40", "textual": "8.2", "fsync_ms": 0.2}
    return {**row, "date": "2026-11-21", "machine": machine, **changes}


def test_a_figure_as_json_has_the_ratio_to_its_first_rival() -> None:
    row = a_row()

    assert row["ours"] == {"median": 6, "low": 5.5, "high": 6.5, "rounds": 3}
    assert row["rivals"] == [{"name": "a rival", "median": 24, "low": 22, "high": 26, "rounds": 3, "ratio": 0.25}]
    assert (row["ratio"], row["budget"], row["is_met"]) == (0.25, "<= 12 ms, <= 0.5x", True)


def test_a_rival_that_was_not_there_leaves_no_ratio() -> None:
    figure = Figure("a key", "ms", "nobody has asked for one", ("a rival",))

    row = as_json("cursor_key", figure, of_rounds("key", [5.0], {}))

    assert (row["rivals"], row["ratio"], row["budget"], row["is_met"]) == ([], None, None, None)
    assert row["why_no_budget"] == "nobody has asked for one"


# The tables


def test_only_what_is_between_the_markers_is_written() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"

    found = report.with_table(text, report.table([a_row(), a_row(is_in_table=False, what="another")]))

    assert found.startswith(f"before\n{report.BEGIN}\nMeasured on 2026-11-21: 2 cores of a CPU, ")
    assert found.endswith(f"{report.END}\nafter\n")
    assert "| a key | 6.00 ms | a rival: 24.0 ms | 0.25x | <= 12 ms, <= 0.5x | met |" in found
    assert "another" not in found
    assert "old" not in found


def test_what_was_measured_has_the_markers() -> None:
    text = (Path(__file__).parent / "benchmarks" / "MEASURED.md").read_text()

    assert report.with_table(text, "x") == report.with_table(report.with_table(text, "x"), "x")
