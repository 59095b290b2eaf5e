"""The console's own backend: a child process that serves the cloud of a data folder.

The console imports nothing of the backend. It starts `python -m backend --child`, reads from a pipe what becomes of it
(lines of JSON, described in that module), and holds the other end of a pipe that tells the child when the console is
gone, however it went. A folder that another process serves already is attached to: the child then stands by, and takes
over when that process ends.

A child that ends by itself is started again after a second, at most three times in a minute; then it waits for
`restart()`. So does one that says that it cannot serve: it would say the same again.

Usage, in a worker of the app:

    async for status in backend.follow():
        ...            # a new Status each time that something changed; endless

and after the app has ended, `backend.stop()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NamedTuple

RESTART_SECONDS = 1.0
RESTARTS_MAX = 3
RESTARTS_WINDOW_SECONDS = 60.0

STOP_SECONDS = 3.0
"""How long a child may take to end cleanly; then it is killed, which loses nothing acknowledged."""


class Phase(StrEnum):
    STARTING = "starting"
    """The child is on its way; the sentence says with what, `progress` how far."""
    READY = "ready"
    """Our own child answers."""
    ATTACHED = "attached"
    """Another process answers; our child stands by."""
    LOST = "lost"
    """The child has ended; it is started again in a second."""
    GIVEN_UP = "given_up"
    """It has ended too often: `restart()` starts it again."""
    REFUSED = "refused"
    """It cannot serve this folder. The sentence says why; only the operator can change that."""


class Place(NamedTuple):
    """Where a backend answers, and the token to say there."""

    socket: Path
    token: str
    url: str | None
    """Its TCP address, when it has one."""
    kind: str
    """What the cloud was made as: `demo`, `empty`, or a trace."""
    pid: int


class Status(NamedTuple):
    """How it stands with the backend, in a sentence for the operator."""

    phase: Phase
    sentence: str
    progress: float | None = None
    """0 to 1, while something is made; None when there is no saying."""
    place: Place | None = None
    """Set in the phases READY and ATTACHED."""


FIRST = Status(Phase.STARTING, "Starting the backend")


def command(
    folder: Path,
    *,
    kind: str | None = None,
    port: int | None = None,
    seed: int | None = None,
    clock_rate: float | None = None,
    log: str | None = None,
    rehearse: str | None = None,
) -> tuple[str, ...]:
    """How the child of this folder is started. With `-P` no `backend` in the working directory takes its place.

    `rehearse` names a scenario, whose cloud is served with its steps under way; `seed` is then its own.
    """
    parts = [sys.executable, "-P", "-m", "backend", "--child", "--data", str(folder)]
    seed_option = "--seed" if rehearse is None else "--rehearse-seed"
    given = {
        "--cloud": kind,
        "--port": port,
        seed_option: seed,
        "--clock-rate": clock_rate,
        "--log": log,
        "--rehearse": rehearse,
    }
    for name, value in given.items():
        if value is not None:
            parts += [name, str(value)]
    return tuple(parts)


class _Ended(NamedTuple):
    """The child is gone: its exit status (negative: the signal), and the last thing that it complained of."""

    status: int
    complaint: str


class Backend:
    """The child, from the first start to `stop`: that is `begin`, or else when `follow` is iterated."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        seconds: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.status = FIRST
        self.was_ready = False
        """Whether a backend has ever answered: before that, a refusal is the end of the console."""
        self._command = tuple(command)
        self._seconds = seconds
        self._sleep = sleep
        self._stop_seconds = stop_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._begun: _Begun | None = None
        self._is_stopped = False
        self._restarts: deque[float] = deque(maxlen=RESTARTS_MAX)
        self._wants_restart = asyncio.Event()
        self._answers = asyncio.Event()

    @property
    def place(self) -> Place | None:
        """Where to send requests now; None while nobody answers."""
        return self.status.place

    @property
    def has_given_up(self) -> bool:
        """Whether it is not started again without being asked."""
        return self.status.phase in (Phase.GIVEN_UP, Phase.REFUSED)

    @property
    def sentence(self) -> str | None:
        """What it is doing, or what became of it; None while all is well."""
        if self.status.place is not None:
            return None
        progress = self.status.progress
        return self.status.sentence + ("" if progress is None else f": {progress:.0%}")

    @property
    def refusal(self) -> str | None:
        """Why there is no cloud at all: the sentence to leave the console with, exit status 2."""
        return self.status.sentence if self.status.phase is Phase.REFUSED and not self.was_ready else None

    def begin(self) -> None:
        """Start the child now, so that it is on its way while the console is still being loaded.

        What becomes of it is told by `follow`. If it cannot be started, `follow` tries again, and says why.
        """
        with contextlib.suppress(OSError):
            self._begun = _spawn(self._command)
            self._child = self._begun.child

    async def follow(self) -> AsyncGenerator[Status, None]:
        """Start the child, keep it running, and say what becomes of it. Endless; closing the iterator stops it."""
        try:
            yield self._become(FIRST)
            while True:
                async for status in self._live():
                    yield self._become(status)
                if self._is_stopped:
                    return
                # Only what is asked for after this was said counts.
                self._wants_restart.clear()
                yield self._become(self._after_end())
                if self.status.phase is Phase.LOST:
                    await self._sleep(RESTART_SECONDS)
                else:
                    await self._wants_restart.wait()
                    self._restarts.clear()
                yield self._become(Status(Phase.STARTING, "Starting the backend again"))
        finally:
            self.stop()

    async def answers(self) -> Place:
        """Wait until a backend answers, ours or another, and say where. It is `follow` that keeps this up to date."""
        while (place := self.status.place) is None:
            await self._answers.wait()
        return place

    async def restart(self) -> None:
        """Start the child again after it was given up; otherwise nothing happens."""
        self._wants_restart.set()

    def stop(self) -> None:
        """End the child: cleanly if it can be done in time. Blocks until it has ended. A second call does nothing."""
        self._is_stopped = True
        child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
        self._child = None

    def _become(self, status: Status) -> Status:
        self.status = status
        if status.place is None:
            self._answers.clear()
        else:
            self.was_ready = True
            self._answers.set()
        return status

    def _after_end(self) -> Status:
        """What a child's end leads to."""
        if self.status.phase is Phase.REFUSED:
            return self.status
        now = self._seconds()
        if len(self._restarts) == RESTARTS_MAX and now - self._restarts[0] < RESTARTS_WINDOW_SECONDS:
            often = f"{RESTARTS_MAX} times in a minute"
            return Status(Phase.GIVEN_UP, f"{self.status.sentence}, and was started again {often} already")
        self._restarts.append(now)
        return Status(Phase.LOST, f"{self.status.sentence}. Starting it again in a second")

    async def _live(self) -> AsyncIterator[Status]:
        """One child from its start to its end. The last status says how it ended."""
        assert not self._is_stopped, "stopped for good"
        lines: asyncio.Queue[bytes | _Ended] = asyncio.Queue()
        try:
            begun, self._begun = self._begun or _spawn(self._command), None
        except OSError as error:
            yield Status(Phase.LOST, f"The backend cannot be started: {error}")
            return
        child = self._child = begun.child
        _read_in_thread(begun, lines)
        while not isinstance(line := await lines.get(), _Ended):
            status = read_line(line)
            if status is not None:
                yield status
        if child.stdin is not None:
            child.stdin.close()
        self._child = None
        if self.status.phase is not Phase.REFUSED:
            yield Status(Phase.LOST, _how_it_ended(line))


class _Begun(NamedTuple):
    """A child on its way, and the file that it complains into."""

    child: subprocess.Popen[bytes]
    complaints: IO[bytes]


def _spawn(command: Sequence[str]) -> _Begun:
    """Raises OSError."""
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
    try:
        # A session of its own: Ctrl-C in the terminal is for the console, which ends the child itself.
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
        )
    except OSError:
        complaints.close()
        raise
    return _Begun(child, complaints)


def _read_in_thread(begun: _Begun, lines: asyncio.Queue[bytes | _Ended]) -> None:
    """Put every line of the child, and then its end, into `lines`. A thread, so that no loop has to watch processes.

    What the child complained into is the thread's from here on: whoever waits for lines may be gone before the child.
    """
    loop = asyncio.get_running_loop()
    child, complaints = begun
    assert child.stdout is not None
    output = child.stdout

    def put(item: bytes | _Ended) -> None:
        # A loop that was closed, also between a question and the call, has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lines.put_nowait, item)

    def read() -> None:
        with complaints:
            with output:
                for line in output:
                    put(line)
            status = child.wait()
            put(_Ended(status, _last_line(complaints)))

    threading.Thread(target=read, name="backend", daemon=True).start()


def _last_line(complaints: IO[bytes]) -> str:
    end = complaints.seek(0, 2)
    complaints.seek(max(0, end - 4096))
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _how_it_ended(ended: _Ended) -> str:
    if ended.status < 0:
        return f"The backend was ended by signal {-ended.status}"
    # A child that owns its folder complains there; before that, to us.
    why = ended.complaint or "backend.log in the data folder may say why"
    return f"The backend ended with status {ended.status} ({why})"


def read_line(line: bytes) -> Status | None:
    """What a line of the child says; None for one that says nothing to us."""
    try:
        said: dict[str, Any] = json.loads(line)
        match said["state"]:
            case "starting":
                progress = said["progress"]
                return Status(Phase.STARTING, str(said["sentence"]), None if progress is None else float(progress))
            case "refused":
                return Status(Phase.REFUSED, str(said["sentence"]))
            case "ready" | "attached" as state:
                place = Place(Path(said["socket"]), said["token"], said["url"], said["kind"], int(said["pid"]))
                who = "Own backend" if state == "ready" else f"Attached to the backend of process {place.pid}"
                return Status(Phase(state), who, place=place)
            case _:
                return None
    except (ValueError, KeyError, TypeError):
        return None
