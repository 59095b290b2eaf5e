"""What each real client is proved to do with CloudSigma's API, and the registry that the table of it is made from.

A proof is a function that drives a served backend through a client's own public methods. It says which operations it
proves; when it is run, each of them must have been asked for on the wire by that client, and answered without a
refusal. What has no proof has a reason, and nothing has both.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import tests.dialects
from backend.app import running
from backend.clock import Clock
from backend.dialects.cloudsigma import PATHS, PREFIX
from tests.backend.support import OPERATOR, make_folder
from tests.builders import NOON
from tests.dialects.support import PASSWORDS, Wall, keys

ClientName = Literal["cloudsigma", "libcloud"]
CLIENTS: tuple[ClientName, ...] = ("cloudsigma", "libcloud")
TITLES = {"cloudsigma": "`cloudsigma` 2.0.0", "libcloud": "Apache Libcloud 3.9"}

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=/ips/)[0-9.]+|(?<=/subscriptions/)[0-9]+")
"""Of an IP its uuid is the address; a subscription is called by its number."""
_TOLD_APART = ("avoid", "recurse")
"""Query parameters that make another operation of it."""


@dataclass(frozen=True, slots=True)
class Proof:
    client: ClientName
    methods: str
    """Of the client, as they are called."""
    operations: tuple[str, ...]
    run: Callable[[Clients], None]

    def __str__(self) -> str:
        return f"{self.client}: {self.methods}"


PROOFS: list[Proof] = []
DOCUMENTED: dict[str, list[str]] = {}
"""The operations of each resource, in the order of the table: `GET /servers/`."""
REASONS: dict[tuple[str, ClientName], str] = {}


def documented(resource: str, *operations: str) -> None:
    """What the published API has."""
    DOCUMENTED.setdefault(resource, []).extend(operations)


def proves(client: ClientName, methods: str, *operations: str) -> Callable[[Callable[[Clients], None]], Any]:
    """Registers a proof."""

    def register(run: Callable[[Clients], None]) -> Callable[[Clients], None]:
        PROOFS.append(Proof(client, methods, operations, run))
        return run

    return register


def cannot(client: ClientName, why: str, *operations: str) -> None:
    """The client has no method for it, or one that does not work with any cloud."""
    for operation in operations:
        REASONS[operation, client] = why


def gather() -> None:
    """Every module `proofs_*` registers what it proves when it is imported."""
    for found in pkgutil.iter_modules(tests.dialects.__path__):
        if found.name.startswith("proofs_"):
            importlib.import_module(f"tests.dialects.{found.name}")


# -------------------------------------------------------------------------------------------------- a served backend


@dataclass
class Recorder:
    """An ASGI wrapper that notes what was asked under CloudSigma's prefix, and what was answered."""

    app: ASGIApp
    answered: list[tuple[str, int, str]] = field(default_factory=list)
    """The operation, the status, and what the client calls itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"].startswith(PREFIX):
                agent = next((value.decode() for name, value in scope["headers"] if name == b"user-agent"), "")
                self.answered.append((operation_of(scope), message["status"], agent.lower()))
            await send(message)

        await self.app(scope, receive, note)


def operation_of(scope: Scope) -> str:
    """`POST /servers/{uuid}/action/?do=start&avoid`."""
    path = _UUID.sub("{uuid}", scope["path"].removeprefix(PREFIX))
    query = parse_qs(scope["query_string"].decode())
    told = [f"do={query['do'][0]}"] if "do" in query else []
    told += [name for name in _TOLD_APART if name in query]
    return f"{scope['method']} {path.rstrip('/')}/" + (f"?{'&'.join(told)}" if told else "")


@dataclass
class Clients:
    """The clients as their users have them, and the clock of what they talk to."""

    url: str
    sigma: Any
    """The module `cloudsigma.resource`."""
    libcloud: Any
    """A driver of Apache Libcloud."""
    recorder: Recorder
    _ops: httpx.Client

    def of(self, resource: str) -> Any:
        """One of the `cloudsigma` package's resources: `Server`, `Drive`, ..."""
        return getattr(self.sigma, resource)(**self.login)

    @property
    def login(self) -> dict[str, str]:
        return {"api_endpoint": f"{self.url}{PREFIX}/", "username": OPERATOR, "password": PASSWORDS[OPERATOR]}

    def give_balance(self, amount: str) -> None:
        """What the account that asks has to live on, and is held to."""
        self._ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": amount}).raise_for_status()

    def advance(self, seconds: int = 60) -> None:
        answer = self._ops.post("/clock/advance", json={"seconds": seconds})
        assert answer.status_code == 200, answer.text

    def inject(self, cell: str, state: str) -> None:
        """`down`, `hung`, or `up` again."""
        answer = self._ops.put(f"/cells/{cell}/reachability", json={"state": state})
        assert answer.status_code == 200, answer.text

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """While a client waits for something, time goes on."""
        is_over = threading.Event()

        def tick() -> None:
            while not is_over.is_set():
                self.advance(1)

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


@contextmanager
def clients(folder: Path) -> Iterator[Clients]:
    """A backend on a port of the loopback, in a thread of its own, whose clock stands still until it is advanced."""
    make_folder(folder)
    recorder = Recorder(_nothing)
    listening = socket.create_server(("127.0.0.1", 0))
    is_ready, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        clock = Clock(mode="manual", simulated_at=NOON, wall=Wall())
        async with running(folder, credentials=keys(folder), clock=clock, list_deadline_seconds=1.0) as app:
            recorder.app = app
            server = uvicorn.Server(uvicorn.Config(recorder, lifespan="off", log_config=None))
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            is_ready.set()
            await asyncio.to_thread(is_over.wait)
            server.should_exit = True
            await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert is_ready.wait(30), "it did not start"
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        headers = {"Authorization": "Bearer operator-token"}
        with httpx.Client(base_url=f"{url}/ops/v1", headers=headers, timeout=30) as ops:
            module = importlib.import_module("cloudsigma.resource")
            yield Clients(url, module, _libcloud(listening.getsockname()[1]), recorder, ops)
    finally:
        is_over.set()
        thread.join()
        listening.close()


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody asks before it is ready")


def _libcloud(port: int) -> Any:
    """The stock driver; only that it speaks to the loopback without TLS is told to its connection."""
    providers = importlib.import_module("libcloud.compute.providers")
    types = importlib.import_module("libcloud.compute.types")
    make = providers.get_driver(types.Provider.CLOUDSIGMA)
    driver = make(OPERATOR, PASSWORDS[OPERATOR], host="127.0.0.1", port=port)
    driver.connection.secure = 0
    driver.connection.connect()
    driver.DRIVE_TRANSITION_SLEEP_INTERVAL = 0
    return driver


# -------------------------------------------------------------------------------------------------- running the proofs


def run(proof: Proof, on: Clients) -> None:
    """Raises AssertionError where it proves less than it says, and whatever the client raises."""
    on.recorder.answered.clear()
    proof.run(on)
    found = on.recorder.answered
    asked = {operation for operation, status, agent in found if status < 400 and proof.client in agent}
    missing = set(proof.operations) - asked
    assert not missing, f"{proof} was never answered {sorted(missing)}, but {sorted(asked)}"


def undocumented() -> list[str]:
    """What is served of the documented resources, and is in no row."""
    rows = {operation.partition("?")[0] for operations in DOCUMENTED.values() for operation in operations}
    resources = {row.split("/")[1] for row in rows}
    served = {f"{method} {path.path}/" for path in PATHS for method in path.handlers}
    return sorted(each for each in served - rows if each.split("/")[1] in resources)


def table_of(proved: list[Proof]) -> str:
    """The table as Markdown. Raises AssertionError for an operation without a proof or a reason, or with both."""
    found: dict[tuple[str, ClientName], list[str]] = {}
    for proof in proved:
        for operation in proof.operations:
            found.setdefault((operation, proof.client), []).append(f"`{proof.methods}`")
    known = {operation for operations in DOCUMENTED.values() for operation in operations}
    strays = {operation for operation, _ in (*found, *REASONS)} - known
    assert not strays, f"not documented: {sorted(strays)}"
    lines = [
        "# CloudSigma's API with clients that other people wrote",
        "",
        "Made by `python -m tests.dialects.coverage`, which runs every proof. Both clients are unmodified.",
    ]
    for resource, operations in DOCUMENTED.items():
        lines += ["", f"## {resource}", "", f"| operation | {' | '.join(TITLES[name] for name in CLIENTS)} |"]
        lines.append("|---" * (len(CLIENTS) + 1) + "|")
        for operation in operations:
            cells = []
            for client in CLIENTS:
                proofs, reason = found.get((operation, client)), REASONS.get((operation, client))
                assert (proofs is None) != (reason is None), f"{operation} with {client}: a proof, or a reason"
                cells.append(reason if proofs is None else "works: " + ", ".join(dict.fromkeys(proofs)))
            lines.append(f"| `{operation}` | {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"
