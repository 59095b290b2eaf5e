"""How each kind of cloud is opened; only the console loads this.

A cloud of one kind joins by a line in `_OPENERS`. Opening starts nothing that a list of several clouds must not start:
a simulated cloud's own process begins when somebody goes there.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from console import contexts
from console.cli_options import first_start
from console.contexts import Context
from console.sanitising import sanitise
from console.settings import Settings

if TYPE_CHECKING:
    from console.audit import AuditLog
    from console.client import CloudClient
    from console.launch import Backend
    from console.port import ClientError
    from console.screens.options import Opened

TOKEN_COMMAND_SECONDS = 30.0
TOKEN_COMMAND_REST_SECONDS = 60.0
"""A program that prints a token is not run more often, whatever goes wrong there."""
TOKEN_BYTES_MAX = 65_536


class Rehearsed(NamedTuple):
    """A scenario whose cloud is opened, in a folder that holds none yet."""

    name: str
    rate: float
    """Simulated seconds in a second."""
    seed: int | None


class Opener:
    """Opens clouds for one run of the console, and ends what that has started."""

    def __init__(
        self,
        chosen: Settings,
        every: tuple[Context, ...],
        first: Context,
        *,
        token: str | None = None,
        listen: int | None = None,
        rehearsed: Rehearsed | None = None,
    ) -> None:
        """`token` and `listen` are the options that were given for the first cloud; `rehearsed` is what it is for."""
        self.chosen = chosen
        self.contexts = every if first in every else (first, *every)
        self.first = first
        self.token = token
        self.listen = listen
        self.rehearsed = rehearsed
        self.on_refusal: Callable[[], object] = lambda: None
        """What is done when the first cloud cannot be opened at all."""
        self._backends: dict[str, Backend] = {}

    def manners(self, context: Context) -> dict[str, Any]:
        """What the console does otherwise with this cloud than with others."""
        is_first = context.name == self.first.name
        return {
            "is_read_only": contexts.is_read_only(context, self.chosen, is_first=is_first),
            "landing_view": contexts.landing_view(context, self.chosen, is_first=is_first),
        }

    def open(self, context: Context) -> Opened:
        """How to reach a cloud; for a simulated one with its process, which begins now. Raises ClientError."""
        from console.port import ClientError

        opener = _OPENERS.get(context.kind)
        if opener is None:
            raise ClientError(f"no cloud with {context.kind} can be opened by this version", "not_offered", False)
        return opener(self, context)

    def is_near(self, context: Context) -> bool:
        """Whether a cloud can be looked at without starting one."""
        if context.kind != "data":
            return True
        from backend import folder

        return folder.find_running(Path(context.place)) is not None

    @property
    def refusal(self) -> str | None:
        """Why the first cloud cannot be opened at all."""
        backend = self._backends.get(self.first.name)
        return None if backend is None else backend.refusal

    def add(self, context: Context, backend: Backend) -> None:
        """A process to end with the console."""
        self._backends[context.name] = backend

    def stop(self) -> None:
        """End every process that was started."""
        for backend in self._backends.values():
            backend.stop()


# ------------------------------------------------------------------------------------------------------- each kind


def _open_folder(clouds: Opener, context: Context) -> Opened:
    from console import launch
    from console.screens.options import Opened

    folder = Path(context.place)
    is_first = context.name == clouds.first.name
    backend = launch.Backend(_command(clouds, folder) if is_first else launch.command(folder))
    clouds.add(context, backend)
    backend.begin()

    async def progress() -> AsyncIterator[str]:
        # It is this that keeps the backend going.
        async for _ in backend.follow():
            if is_first and backend.refusal is not None:
                clouds.on_refusal()
                return
            yield backend.sentence or ""

    return Opened(_factory_of_folder(backend, context), backend=backend, progress=progress)


def _command(clouds: Opener, folder: Path) -> tuple[str, ...]:
    """How the backend of the first cloud is started: with what the settings and options say of it."""
    from console import launch

    if clouds.rehearsed is not None:
        name, rate, seed = clouds.rehearsed
        return launch.command(folder, seed=seed, clock_rate=rate, rehearse=name)
    chosen = clouds.chosen
    kind, clock_rate = first_start(chosen, folder)
    seed = chosen.seed if chosen.is_chosen("seed") else None
    log = chosen.log if chosen.is_chosen("log") else None
    return launch.command(folder, kind=kind, port=clouds.listen, seed=seed, clock_rate=clock_rate, log=log)


def _factory_of_folder(backend: Backend, context: Context) -> Callable[[], Awaitable[CloudClient]]:
    """Waits until a backend answers, and connects anew when it has moved."""
    from console.launch import Place

    data = Path(context.place)
    place: Place | None = None
    client: CloudClient | None = None

    async def factory() -> CloudClient:
        nonlocal place, client
        # The backend is still on its way, and the first frame has been painted.
        connect = await asyncio.to_thread(_loaded)
        found = await backend.answers()
        if client is None or found != place:
            if client is not None:
                await client.close()
            place = found
            client = connect(
                socket=found.socket,
                token=found.token,
                logs=lambda cloud_id: _audit_log(cloud_id, data),
                is_production=lambda _: context.is_production,
            )
        return client

    return factory


def _loaded() -> Callable[..., CloudClient]:
    """How to connect, with all that a connection needs imported."""
    from console.client import connect, load

    load()
    return connect


def _open_address(clouds: Opener, context: Context) -> Opened:
    from console.client import connect
    from console.screens.options import Opened

    given = clouds.token if context.name == clouds.first.name else None
    tokens = _Tokens(context)
    client: CloudClient | None = None
    token = ""

    async def factory() -> CloudClient:
        nonlocal client, token
        # After a failure too: a token may have been changed meanwhile.
        found = given or await tokens.find()
        if client is None or found != token:
            if client is not None:
                await client.close()
            token = found
            client = connect(
                url=context.place, token=token, logs=_audit_log, is_production=lambda _: context.is_production
            )
        return client

    return Opened(factory)


def _open_openstack(clouds: Opener, context: Context) -> Opened:
    from console.app import wall_clock
    from console.openstack import open_cloud
    from console.openstack.login import CloudProblem
    from console.port import ClientError
    from console.screens.options import Opened

    try:
        factory = open_cloud(
            context.place,
            requests_max=clouds.chosen.requests_per_minute,
            wall_now=wall_clock,
            logs=_audit_log,
            is_production=lambda _: context.is_production,
        )
    except CloudProblem as problem:
        raise ClientError(str(problem).rstrip("."), "not_opened", False) from problem
    return Opened(factory)


_OPENERS: Mapping[str, Callable[[Opener, Context], Opened]] = {
    "data": _open_folder,
    "url": _open_address,
    "os_cloud": _open_openstack,
}


def _audit_log(cloud_id: str, data: Path | None = None) -> AuditLog:
    """Where it is written down what is done to a cloud from here."""
    from console.app import wall_clock
    from console.audit import AuditLog, folder_of_user

    return AuditLog(folder_of_user(), cloud_id, wall_clock, data=data)


# --------------------------------------------------------------------------------------------------------- tokens


class _Tokens:
    """Who one is at an address: what a file holds, a program prints, or the environment says."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._key = f"clouds.{context.name}"
        self._printed: tuple[float, str] | None = None
        """When the program was run last, and what it printed."""

    async def find(self) -> str:
        """The token as it is now. Raises ClientError."""
        context = self._context
        if context.token_file is not None:
            return self._checked(await self._of_file(context.token_file), f"{self._key}.token_file holds no token")
        if context.token_command:
            return self._checked(await self._of_program(), f"{self._key}.token_command printed no token")
        found = os.environ.get("STRATODECK_TOKEN", "")
        return self._checked(found, f"no token: set {self._key}.token_file or token_command, or STRATODECK_TOKEN")

    def _checked(self, content: str, problem: str) -> str:
        words = content.split()
        if not words:
            raise self._error(problem)
        return words[0]

    async def _of_file(self, path: Path) -> str:
        def read() -> str:
            with path.open("rb") as opened:
                return opened.read(TOKEN_BYTES_MAX).decode()

        try:
            return await asyncio.to_thread(read)
        except OSError as error:
            raise self._error(
                f"{self._key}.token_file cannot be read: {(error.strerror or str(error)).lower()}"
            ) from error
        except UnicodeDecodeError as error:
            raise self._error(f"{self._key}.token_file is not text") from error

    async def _of_program(self) -> str:
        now = asyncio.get_running_loop().time()
        if self._printed is not None and now - self._printed[0] < TOKEN_COMMAND_REST_SECONDS:
            return self._printed[1]
        # It is given no terminal: one that asks there would draw over the console, and take its keys.
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                self._context.token_command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TOKEN_COMMAND_SECONDS,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise self._error(f"{self._key}.token_command did not end within {TOKEN_COMMAND_SECONDS:g} s") from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise self._error(f"{self._key}.token_command cannot be run: {why}") from error
        if done.returncode != 0:
            raise self._error(f"{self._key}.token_command ended with {done.returncode}")
        self._printed = (now, done.stdout.decode(errors="replace"))
        return self._printed[1]

    @staticmethod
    def _error(sentence: str) -> ClientError:
        from console.port import ClientError

        return ClientError(sanitise(sentence), "no_token", False)
