"""What the README promises, it says how to see: each row of the section on trust has a command that there is."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from backend.dialects import ops
from console.cli import main

ROOT = Path(__file__).parent.parent
COLUMNS = ("what is promised", "what shows it", "the last figure")


def rows_of_trust(text: str) -> list[tuple[str, str, str]]:
    """Of the first table of the section: promise, commands, figure."""
    section = re.search(r"^## Trust\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section is not None, "there is a section on trust"
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    head, _, *rows = [tuple(part.strip() for part in line.strip("|").split("|")) for line in lines]
    assert head == COLUMNS
    return [(promise, commands, figure) for promise, commands, figure in rows]


ROWS = rows_of_trust((ROOT / "README.md").read_text())


def mistakes_of(command: str) -> list[str]:
    """What of a command there is not."""
    program, *words = shlex.split(command)
    match program:
        case "pytest":
            paths = [word for word in words if word.startswith("tests/")]
            return [path for path in paths if not (ROOT / path).is_file()] or ([] if paths else ["a file of tests"])
        case "python":
            module = words[words.index("-m") + 1]
            return [] if find_spec(module) is not None else [module]
        case "stratodeck":
            return _mistakes_of_stratodeck(words)
        case "curl":
            path = words[-1].partition("/ops/v1")[2]
            return [] if any(endpoint.path == path for endpoint in ops.TABLE) else [path]
    return [program]


def _mistakes_of_stratodeck(words: list[str]) -> list[str]:
    found: click.Command = main
    for word in words:
        if not isinstance(found, click.Group):
            return []
        below = found.commands.get(word)
        if below is None:
            return [word]
        found = below
    return []


@pytest.mark.parametrize("row", ROWS, ids=[promise[:40] for promise, _, _ in ROWS])
def test_each_promise_has_a_command_that_there_is_and_a_figure(row: tuple[str, str, str]) -> None:
    _, shows, figure = row

    commands = re.findall(r"`([^`]+)`", shows)

    assert commands, "a promise has a command that shows it"
    assert [mistakes_of(command) for command in commands] == [[]] * len(commands)
    assert re.search(r"\d", figure), "a figure has digits"


def test_a_command_that_there_is_not_is_found() -> None:
    wrong = (
        "pytest tests/test_nothing.py",
        "pytest",
        "python -m tests.nothing",
        "stratodeck data explode",
        'curl "$STRATODECK_URL/ops/v1/nothing"',
        "make test",
    )

    assert all(mistakes_of(command) for command in wrong)


@pytest.mark.parametrize(
    "suite",
    [
        "tests.simulate", "test_crash_at_every_write", "test_power_loss", "test_random_kills", "every_dialect_fuzz",
        "test_parsers", "test_every_route", "tests.soak", "test_older_folders", "data export", "data import", "doctor",
        "metrics", "check",
    ],
)  # fmt: skip
def test_every_suite_of_trust_is_among_the_promises(suite: str) -> None:
    assert any(suite in commands for _, commands, _ in ROWS)
