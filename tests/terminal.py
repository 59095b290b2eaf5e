"""A real program in a pseudo-terminal, read back as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyte

DEADLINE_SECONDS = 45.0

KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "down": "\x1b[B"}


class Terminal:
    """What the program has drawn so far, and its keyboard."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes], columns: int, rows: int) -> None:
        self._descriptor = descriptor
        self.process = process
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.read_at = 0.0
        """When, by `time.perf_counter`, it was last seen to draw anything."""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def title(self) -> str:
        """The window's title, as the program has set it."""
        return str(self._screen.title)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def press(self, *names: str) -> None:
        for name in names:
            self.type(KEYS[name])

    def wait(self, *words: str, without: tuple[str, ...] = (), seconds: float = DEADLINE_SECONDS) -> str:
        """Read on until the screen shows all of `words` and none of `without`."""

        def is_so(text: str) -> bool:
            return all(word in text for word in words) and not any(word in text for word in without)

        return self.wait_until(is_so, f"{words} without {without}", seconds=seconds)

    def wait_until(self, is_so: Callable[[str], bool], wish: str, *, seconds: float = DEADLINE_SECONDS) -> str:
        deadline = time.monotonic() + seconds
        while not is_so(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"never saw {wish}:\n{self.text}"
            assert self._read(left), f"it ended before {wish}:\n{self.text}"
        return self.text

    def watch(self, seconds: float) -> None:
        """Take in what is drawn for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            assert self._read(left), f"it ended:\n{self.text}"

    def wait_for_end(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Read until the program has closed the terminal; its exit status."""
        deadline = time.monotonic() + seconds
        while self._read(max(0.0, deadline - time.monotonic())):
            assert time.monotonic() < deadline, f"it did not end:\n{self.text}"
        return self.process.wait(10)

    def _read(self, seconds: float) -> bool:
        """Take in what comes within `seconds`. False when the program has closed its terminal."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # Linux says so when the other end has gone
            return False
        self.read_at = time.perf_counter()
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(
    *arguments: str,
    columns: int = 120,
    rows: int = 40,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str | Path] = (Path(sys.executable).with_name("stratodeck"),),
) -> Iterator[Terminal]:
    """The `stratodeck` command, or another one, with these arguments; it is gone at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # COLUMNS and LINES, which a test runner may set, would win over the terminal's own size.
    told = ("NO_COLOR", "STRATODECK_DATA", "COLUMNS", "LINES")
    clean = {name: value for name, value in os.environ.items() if name not in told}
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**clean, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})},
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process, columns, rows)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        os.close(ours)
