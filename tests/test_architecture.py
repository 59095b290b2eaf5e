"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "backend").rglob("*.py")) + sorted((ROOT / "console").rglob("*.py"))

FORBIDDEN_CALLS = {
    "datetime.now": {"backend/clock.py", "console/app.py"},
    "datetime.utcnow": set[str](),
    "date.today": set[str](),
    "time.time": set[str](),
    "time.monotonic": {"backend/clock.py"},
}
"""What asks the time, and the files that may."""

CHANCE_HOMES = {"backend/seed.py"}

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CONSOLE_APP_LINES_MAX = 250


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_is_formatted_and_linted() -> None:
    run("ruff", "format", "--check", ".")
    run("ruff", "check", ".")


def test_the_types_hold() -> None:
    run("mypy")


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_clock_asks_the_time_and_only_the_seed_asks_chance(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text())
    for call, line in calls(tree):
        if call in FORBIDDEN_CALLS:
            assert name in FORBIDDEN_CALLS[call], f"{name}:{line} asks the time with {call}"
    for node in ast.walk(tree):
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        assert "random" not in imported or name in CHANCE_HOMES, f"{name} asks chance"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_readable(path: Path) -> None:
    """A ceiling is a question: what are the two things in here?"""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= (CONSOLE_APP_LINES_MAX if name == "console/app.py" else LINES_MAX), f"{name}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{name}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path.relative_to(ROOT)} has no docstring"
