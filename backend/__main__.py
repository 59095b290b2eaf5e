"""The backend as a process: `python -m backend` serves a cloud on TCP, as `stratodeck serve` does.

It owns the data folder while it lives, always answers on the folder's Unix socket and, when it is told a port, on TCP.
As the *child* of a console it says what happens in lines of JSON on its standard output, and ends with its parent: a
thread reads the pipe that the parent holds, so a parent that was killed is noticed too, even while this process's
event loop or a cell hangs. Nothing acknowledged is lost by such an end.

A child whose folder another process owns stands by: it says where that one answers, and waits for the lock. When the
owner ends, the first in the queue takes over.

Lines of a child, each `{"state": ...}`:
    starting   sentence, progress (0 to 1, or null)
    ready      it answers: socket, url (or null), token, cloud_id, kind, pid
    attached   another process answers: the same fields
    refused    sentence; it exits with status 2, and to try again would not help

Reading order: Options, main, run, `_own`; who is told; then `Folder`, the seam to the cloud itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from backend import folder
from backend.folder import Claim, FolderHeld, FolderProblem, Running

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from backend.app import App
    from backend.fleet_file import Fleet

KINDS = ("demo", "empty")
"""What a cloud can be made as by a word; anything else is the path of a file that describes a fleet."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8774
DEFAULT_SEED = 1
DEFAULT_REHEARSAL_RATE = 60.0
"""Simulated seconds in a second, while somebody watches."""

POLL_SECONDS = 0.05
"""How often a child that stands by looks whether an owner that is still starting answers."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve, and where."""

    path: Path
    kind: str | None = None
    """What the folder must hold: `demo`, `empty`, or the path of a fleet's file, which becomes `fleet` once it is read.
    None takes what the folder holds, and makes a demo where it holds nothing."""
    fleet: Fleet | None = None
    """What the file describes."""
    seed: int = DEFAULT_SEED
    """Counts only when the cloud is made."""
    host: str = DEFAULT_HOST
    port: int | None = None
    """None: only the Unix socket; 0: a free port."""
    clock: Literal["manual", "rate"] | None = None
    """None leaves the cloud's clock as it is; a new cloud's is the wall's."""
    clock_rate: float | None = None
    """Simulated seconds in a second, with the clock `rate`."""
    log: str = "problems"
    """What is written to the log: see `logs.LOGGED`."""


class Report(Protocol):
    """Whom a backend tells what happens to it."""

    def starting(self, sentence: str, progress: float | None = None) -> None: ...

    def ready(self, running: Running, token: str) -> None: ...

    def attached(self, running: Running, token: str) -> None: ...

    def refused(self, sentence: str) -> None: ...


class Opened(Protocol):
    """A cloud that is open, as far as the process cares."""

    @property
    def app(self) -> ASGIApp: ...

    @property
    def cloud_id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def fleet(self) -> str | None:
        """The fingerprint of the fleet that it was made from; None when no file described it."""

    def tell(self) -> None:
        """Answer every request that waits for news."""


class Cloud(Protocol):
    """What a process can do with the cloud of a folder that it has claimed. Tests of the process put a smaller one."""

    def make(self, options: Options, progress: Callable[[str, float], None]) -> None:
        """Make it if the folder holds none. An interrupted making is made again. Raises FolderProblem."""

    def open(self, options: Options) -> AbstractAsyncContextManager[Opened]:
        """Raises FolderProblem."""


def main(arguments: Sequence[str] | None = None, *, cloud: Cloud | None = None) -> int:
    """The exit status: 0 after a clean stop, 2 with a sentence when it could not serve."""
    given = _parser().parse_args(arguments)
    options = Options(
        path=given.data,
        kind=given.cloud,
        seed=given.seed,
        host=given.host,
        port=given.port if given.port is not None or given.child else DEFAULT_PORT,
        clock=given.clock or ("rate" if given.clock_rate is not None else None),
        clock_rate=given.clock_rate,
        log=given.log,
    )
    if given.rehearse is not None and cloud is None:
        from backend.rehearsals.watched import Watched

        rate = given.clock_rate or DEFAULT_REHEARSAL_RATE
        cloud = Watched(Folder().open, given.rehearse, seed=given.rehearse_seed, rate=rate)
    return be_child(options, cloud=cloud) if given.child else serve(options, cloud=cloud)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backend", description="Serve a Stratodeck cloud on TCP.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument(
        "--cloud", metavar="KIND", help="what to make in a folder that holds no cloud: demo, empty, or a fleet's file"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of a demo cloud that is made now")
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"address to listen on ({DEFAULT_HOST})")
    parser.add_argument("--port", type=int, help=f"port to listen on ({DEFAULT_PORT}; 0: a free one)")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--clock-rate", type=float, metavar="N", help="simulated seconds in a second")
    clock.add_argument("--clock", choices=("manual",), help="simulated time moves only when it is told to")
    parser.add_argument(
        "--log", choices=("none", "problems", "requests"), default="problems", help="what is logged (problems)"
    )
    parser.add_argument("--rehearse", metavar="FILE", help="rehearse this scenario, in a folder that holds no cloud")
    parser.add_argument("--rehearse-seed", type=int, metavar="N", help="in place of the scenario's")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


def serve(options: Options, *, cloud: Cloud | None = None) -> int:
    """Serve in this process until SIGTERM or Ctrl-C; a problem is a sentence on standard error. The exit status."""
    report = Terminal()
    try:
        run(options, report, cloud or Folder())
    except FolderProblem as problem:
        report.refused(str(problem))
        return 2
    except KeyboardInterrupt:
        report.clear()
        return 130
    return 0


def be_child(options: Options, *, cloud: Cloud | None = None) -> int:
    """Serve for the process that holds the other ends of our standard input and output. The exit status."""
    report = Pipe()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        run(options, report, cloud or Folder(), stands_by=True)
    except FolderProblem as problem:
        report.refused(str(problem))
        return 2
    return 0


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    # Not sys.exit: this thread must end the process even when the others hang.
    os._exit(0)


def run(options: Options, report: Report, cloud: Cloud, *, stands_by: bool = False) -> None:
    """Own the folder, make a cloud in it if it holds none, and serve it until the end is asked for.

    Args:
        stands_by: Wait for the folder while another process owns it, instead of refusing.

    Raises:
        FolderHeld: another process owns the folder, and `stands_by` is False.
        FolderProblem: the folder, the port, the fleet's file or the cloud cannot be used.
    """
    # Before the folder is claimed, which makes it: a file that is wrong leaves nothing behind.
    options = _with_fleet(options)
    with _claimed(options, report, stands_by=stands_by) as claim:
        if isinstance(report, Pipe):
            report.log_to(claim)
        # Late, because a child that stands by may never need it.
        from backend import listening

        options = replace(options, path=claim.path)
        sockets: list[socket.socket] = []
        try:
            if options.port is not None:
                sockets.append(listening.bind_tcp(options.host, options.port))
            sockets.append(claim.bind_socket())
            cloud.make(options, report.starting)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_own(options, claim, sockets, report, cloud))
        finally:
            for bound in sockets:
                bound.close()


def _with_fleet(options: Options) -> Options:
    """Read the file that describes the fleet, if one does."""
    if options.kind is None or options.kind in KINDS or options.fleet is not None:
        return options
    from backend import fleet_file

    try:
        fleet = fleet_file.read(Path.cwd() / options.kind)
    except fleet_file.FleetProblem as problem:
        raise FolderProblem(str(problem)) from problem
    return replace(options, kind="fleet", fleet=fleet)


def _give_memory_back() -> None:
    """Have the C library return what large answers took. Where it is not glibc, nothing is to be done.

    Each lane reads pages as one text of a megabyte. Left to itself, glibc keeps an arena for each thread and what was
    freed in it: with 20,000 servers listed once, 280 MB instead of 110.
    """
    import ctypes

    with suppress(AttributeError, OSError):
        change = ctypes.CDLL(None).mallopt
        for name, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, 256 * 1024), (_M_TRIM_THRESHOLD, 256 * 1024)):
            change(name, value)


def collect_seldom() -> None:
    """What is loaded and opened by now is never garbage, and hardly anything of what comes is: a fleet that is read
    into memory stays, and what a request leaves behind is gone without looking for it. With Python's own thresholds
    the looking is a fifteenth of the work of a cloud under load.
    """
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.enable()


_GC_THRESHOLDS = 50_000, 20, 20
"""So many objects more than before, each of some hundred bytes, are looked through; every 20th time those that were
there the time before; and every 400th time all, if there are a quarter more of them."""

# Source: glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


async def _own(options: Options, claim: Claim, sockets: list[socket.socket], report: Report, cloud: Cloud) -> None:
    """Open the cloud, answer, and tell everybody; returns when the end was asked for and all is closed."""
    gc.disable()
    _give_memory_back()
    from backend import listening, logs

    logs.begin(options.log, is_ours=isinstance(report, Pipe))

    wants_end = asyncio.Event()

    def end() -> None:
        if wants_end.is_set():
            os._exit(130)  # asked for twice: at once, as a kill would
        wants_end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    async with cloud.open(options) as opened:
        collect_seldom()
        _check_made_as(options, claim.path, opened.kind, opened.fleet)
        token = _operators_token(claim.path)

        def tell() -> None:
            url = listening.url_of(sockets[0]) if options.port is not None else None
            found = claim.publish(
                url=url,
                cloud_id=opened.cloud_id,
                kind=opened.kind,
                fleet=opened.fleet,
                version=version("stratodeck"),
            )
            report.ready(found, token)

        await listening.serve(opened.app, sockets, wants_end=wants_end, on_answering=tell, on_ending=opened.tell)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, else the standard one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


# ------------------------------------------------------------------------------------------------- who owns the folder


def _claimed(options: Options, report: Report, *, stands_by: bool) -> Claim:
    try:
        return folder.claim(options.path)
    except FolderHeld:
        path = options.path.resolve()
    if not stands_by:
        raise FolderHeld(_held(path, folder.find_running(path)))
    return _stand_by(options, path, report)


def _held(path: Path, running: Running | None) -> str:
    if running is None:
        return f"Another process is starting or ending the cloud in {path}. Try again in a moment."
    where = f"which answers at {running.url}" if running.url else "a console's, without a TCP port"
    return f"The cloud in {path} is served already, by process {running.pid}, {where}."


def _stand_by(options: Options, path: Path, report: Report) -> Claim:
    """Say where the owner answers as soon as it does, and own the folder when it has ended."""
    gate = threading.Lock()
    is_over = threading.Event()

    def tell() -> None:
        running = folder.find_running(path)
        if running is None:
            report.starting("Waiting for the cloud, which another process is starting")
        while running is None and not is_over.wait(POLL_SECONDS):
            running = folder.find_running(path)
        with gate:
            if running is None or is_over.is_set():
                return
            try:
                _check_attachable(options, path, running)
                report.attached(running, _operators_token(path))
            except FolderProblem as problem:
                report.refused(str(problem))
                os._exit(2)

    threading.Thread(target=tell, name="stand-by", daemon=True).start()
    claim = folder.claim(path, waits=True)
    with gate:
        is_over.set()
    report.starting("The process that served this cloud has ended: taking over")
    return claim


def _check_attachable(options: Options, path: Path, running: Running) -> None:
    """Raises FolderProblem when the backend that runs is not the one that was asked for."""
    _check_made_as(options, path, running.kind, running.fleet)
    if options.port is not None and running.url is None:
        raise FolderProblem(
            f"The cloud in {path} is open in another console, without a TCP port. "
            "Close that one first, or leave out --listen to attach to it."
        )
    if options.port is not None and not str(running.url).endswith(f":{options.port}"):
        raise FolderProblem(f"The cloud in {path} is served already, at {running.url}. Leave out --listen to attach.")


def _check_made_as(options: Options, path: Path, kind: str, fleet: str | None) -> None:
    """Raises FolderProblem when the folder holds another cloud than was asked for."""
    way_out = "Leave out --cloud, or choose another folder with --data."
    if options.kind is not None and options.kind != kind:
        wanted = "from a fleet's file" if options.fleet is not None else f"as '{options.kind}'"
        raise FolderProblem(f"The folder {path} holds a cloud that was made as '{kind}', not {wanted}. {way_out}")
    if options.fleet is not None and options.fleet.fingerprint != fleet:
        raise FolderProblem(
            f"The folder {path} holds a cloud that was made from another fleet than the file describes. {way_out}"
        )


def _operators_token(path: Path) -> str:
    token = folder.read_credentials(path).token_of(folder.OPERATOR)
    if token is None:
        raise FolderProblem(f"{path / folder.CREDENTIALS} does not know {folder.OPERATOR}.")
    return token


# -------------------------------------------------------------------------------------------------------- who is told


class Terminal:
    """One line on standard output when it can answer; everything else on standard error."""

    def __init__(self) -> None:
        self._is_drawn = False

    def starting(self, sentence: str, progress: float | None = None) -> None:
        if sys.stderr.isatty():
            share = "" if progress is None else f" {progress:4.0%}"
            print(f"\r\x1b[K{sentence}...{share}", end="", file=sys.stderr, flush=True)
            self._is_drawn = True

    def clear(self) -> None:
        if self._is_drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_drawn = False

    def ready(self, running: Running, token: str) -> None:
        self.clear()
        print(f"stratodeck: serving {running.url}", flush=True)

    def attached(self, running: Running, token: str) -> None:
        raise AssertionError("only a child attaches")

    def refused(self, sentence: str) -> None:
        self.clear()
        print(f"stratodeck: {sentence}", file=sys.stderr)


class Pipe:
    """Lines of JSON on what was standard output; whatever else is printed goes where errors go."""

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)

    def log_to(self, claim: Claim) -> None:
        """From now on what is printed is kept in the folder: a console's terminal is no place for it."""
        log = claim.open_log()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def starting(self, sentence: str, progress: float | None = None) -> None:
        self._tell({"state": "starting", "sentence": sentence, "progress": progress})

    def ready(self, running: Running, token: str) -> None:
        self._tell(self._where("ready", running, token))

    def attached(self, running: Running, token: str) -> None:
        self._tell(self._where("attached", running, token))

    def refused(self, sentence: str) -> None:
        self._tell({"state": "refused", "sentence": sentence})

    @staticmethod
    def _where(state: str, running: Running, token: str) -> dict[str, Any]:
        return {
            "state": state,
            "socket": os.fspath(running.socket),
            "url": running.url,
            "token": token,
            "cloud_id": running.cloud_id,
            "kind": running.kind,
            "pid": running.pid,
        }

    def _tell(self, line: dict[str, Any]) -> None:
        # A parent that has gone is noticed by the thread that reads its pipe.
        with suppress(BrokenPipeError):
            self._lines.write(json.dumps(line) + "\n")


# ---------------------------------------------------------------------------------------------- the cloud of a folder


@dataclass(frozen=True, slots=True)
class _OpenFolder:
    app: App

    @property
    def cloud_id(self) -> str:
        return self.app.cloud.store.cloud_id

    @property
    def kind(self) -> str:
        return self.app.cloud.store.kind

    @property
    def fleet(self) -> str | None:
        fingerprint = self.app.cloud.store.settings.get("fleet")
        return None if fingerprint is None else str(fingerprint)

    def tell(self) -> None:
        self.app.cloud.end()


class Folder:
    """The real cloud. All that the process part knows of the app, the seed, the clock and the store is here."""

    def make(self, options: Options, progress: Callable[[str, float], None]) -> None:
        from backend import clock, seed
        from backend.store import FolderError

        if (options.path / "cloud.db").exists():
            return
        now = clock.system_wall()
        timeline = clock.Clock(mode=options.clock or "wall", rate=options.clock_rate or 1.0, simulated_at=now)
        state = timeline.state()
        try:
            if options.fleet is not None:
                from backend import fleet_folder

                fleet_folder.make(options.path, options.fleet, now=now, clock_state=state, progress=progress)
            else:
                kind = options.kind or "demo"
                seed.make(options.path, kind, seed=options.seed, now=now, clock_state=state, progress=progress)
        except FolderError as error:
            raise FolderProblem(str(error)) from error

    @asynccontextmanager
    async def open(self, options: Options) -> AsyncIterator[Opened]:
        """The accounts are known only to the cloud, so their secrets are completed once it is open."""
        from backend import listening, tokens
        from backend.app import running
        from backend.clock import ClockError
        from backend.store import FolderError

        credentials = folder.read_credentials(options.path)
        try:
            names = listening.names_of(options.host) if options.port is not None else ()
            keyring = tokens.keyring(options.path, credentials)
            async with running(options.path, credentials=keyring, hosts=names) as app:
                accounts = sorted(await app.cloud.accounts())
                credentials.by_account.update(folder.ensure_credentials(options.path, accounts).by_account)
                if options.clock is not None:
                    app.cloud.clock.change(mode=options.clock, rate=options.clock_rate)
                    await app.engine.save_clock()
                yield _OpenFolder(app)
        except (FolderError, ClockError) as error:
            raise FolderProblem(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())
