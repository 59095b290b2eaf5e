"""The programs that are measured, started as a user starts them: in a pseudo-terminal, from this tree."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.measuring import ROOT
from tests.served import served
from tests.terminal import Terminal, terminal

MINIMAL_APP = (sys.executable, Path(__file__).with_name("minimal_app.py"))
MINIMAL_WORDS = "MINIMAL APP"
CONSOLE = (sys.executable, "-m", "console")
OVERVIEW_WORDS = ("NEEDS ATTENTION", "db-main")
"""What the overview shows of the demo once it knows it."""

ENVIRONMENT = {
    # An empty value is as good as none: the second start finds what the first one has compiled.
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPATH": os.fspath(ROOT),
}


@contextmanager
def minimal_app() -> Iterator[Terminal]:
    with terminal(command=MINIMAL_APP, environment=ENVIRONMENT) as on:
        yield on


@contextmanager
def console(*arguments: str | Path, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    """The console, closed as it should be, so that its backend has ended too."""
    with terminal(
        *(os.fspath(each) for each in arguments), command=CONSOLE, environment={**ENVIRONMENT, **(environment or {})}
    ) as on:
        yield on
        if on.process.poll() is None:
            on.type(":q\r")
            on.wait_for_end()


def make_demo(folder: Path) -> Path:
    """A demo that was made and closed: what is opened after is a second start."""
    with served(folder, "--cloud", "demo"):
        return folder


def backend_pid(data: Path) -> int:
    """The process that serves the folder."""
    return int(json.loads((data / "backend.json").read_text())["pid"])


def quit_seconds(on: Terminal, keys: str) -> float:
    """From the keys that leave a program until its process has ended."""
    began = time.perf_counter()
    on.type(keys)
    assert on.wait_for_end() == 0
    return time.perf_counter() - began
