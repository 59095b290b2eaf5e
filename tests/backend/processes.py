"""Real backend processes for tests: started, read line by line with a deadline, and always ended."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

STUB = "tests.backend.stub_cloud"
ROOT = Path(__file__).parent.parent.parent

DEADLINE_SECONDS = 30.0
"""Nothing here takes a second; a machine under load may."""


class Process:
    """`python -m MODULE ARGUMENTS` with pipes on all three ends."""

    def __init__(self, *arguments: str, module: str = STUB, keeps_input: bool = True) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE if keeps_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._rest = b""

    @property
    def pid(self) -> int:
        return self.popen.pid

    def line(self) -> str:
        """The next line of its standard output; "" at the end of it."""
        assert self.popen.stdout is not None
        descriptor = self.popen.stdout.fileno()
        until = time.monotonic() + DEADLINE_SECONDS
        while b"\n" not in self._rest:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"no line within {DEADLINE_SECONDS} s"
            part = os.read(descriptor, 65536)
            if not part:
                break
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def told(self) -> dict[str, Any]:
        """The next line of a child."""
        line = self.line()
        assert line, f"it ended: {self.errors()}"
        said: dict[str, Any] = json.loads(line)
        return said

    def until(self, state: str) -> dict[str, Any]:
        """The first line of a child that says this."""
        while (said := self.told())["state"] != state:
            assert said["state"] == "starting", said
        return said

    def errors(self) -> str:
        """Everything on its standard error; waits for its end."""
        assert self.popen.stderr is not None
        self.status()
        return self.popen.stderr.read().decode()

    def status(self) -> int:
        """Its exit status; waits for its end."""
        return self.popen.wait(DEADLINE_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def leave(self) -> None:
        """What the end of the parent is to a child: the pipe closes."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()
        for end in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if end is not None:
                end.close()


def child(path: Path, *arguments: str) -> Process:
    return Process("--child", "--data", str(path), *arguments)


def server(path: Path, *arguments: str) -> Process:
    return Process("--port", "0", "--data", str(path), *arguments)
