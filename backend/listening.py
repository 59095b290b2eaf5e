"""Where a backend answers: its TCP socket, and the server that puts an ASGI app on bound sockets.

uvicorn is given sockets that we have bound ourselves: its own Unix sockets are open to everybody (0666), and its own
message about a port in use is a log line. It is kept from handling signals too: it would raise them again after a
clean stop, and the process would end as if it had been killed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from backend.folder import FolderProblem

BACKLOG = 2048

WEBSOCKET_BYTES_MAX = 65_536

SHUTDOWN_SECONDS = 1
"""How long requests that are under way may take once the end was asked for."""


def bind_tcp(host: str, port: int) -> socket.socket:
    """A listening socket; whoever connects before the app is there waits for it. Port 0 takes a free one.

    Raises:
        FolderProblem: the address is not ours, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise FolderProblem(f"Cannot listen on {host!r}: this machine has no such address ({error}).") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Two sockets may be bound to one port while neither listens: only this shows that the port is free.
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        reason = (error.strerror or str(error)).lower()
        raise FolderProblem(f"Cannot listen on port {port} of {host}: {reason}. Choose another port.") from error
    return bound


def url_of(bound: socket.socket) -> str:
    """How a client on this machine reaches the socket: a wildcard address by loopback."""
    host, port = bound.getsockname()[:2]
    address = ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_of(host: str) -> frozenset[str]:
    """What clients may call us when we listen on `host`, as in a Host header; a wildcard address has many names."""
    names = {host}
    if host in ("", "::", "0.0.0.0"):  # noqa: S104 - what the user asked for
        names.add(socket.gethostname())
        with suppress(OSError):
            names.update(str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None))
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            # Connecting a datagram socket sends nothing: it only tells which of our addresses the way out begins at.
            asked.connect(("192.0.2.1", 9))
            names.add(asked.getsockname()[0])
    return frozenset(f"[{name}]" if ":" in name else name for name in names if name)


async def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    *,
    wants_end: asyncio.Event,
    on_answering: Callable[[], None],
    on_ending: Callable[[], None],
) -> None:
    """Answer on the sockets until the end is wanted, then close them.

    Args:
        on_answering: Called once, when it can answer.
        on_ending: Called once, when it takes no more requests: the moment to answer those that wait for news.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        # A client has nothing to say there: what it sends is read only to see it go.
        ws=_websocket,  # type: ignore[arg-type]
        ws_max_size=WEBSOCKET_BYTES_MAX,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)
    await _Server(config, wants_end, on_answering, on_ending).serve(sockets=list(sockets))


def _websocket(*parts: Any, **named: Any) -> asyncio.Protocol:
    """One that begins. Its code is imported with the first: most clouds never see one, and it takes a while."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(*parts, **named)


class _Server(uvicorn.Server):
    """uvicorn's server, with its start told and its end asked for by us."""

    def __init__(
        self,
        config: uvicorn.Config,
        wants_end: asyncio.Event,
        on_answering: Callable[[], None],
        on_ending: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._wants_end = wants_end
        self._on_answering = on_answering
        self._on_ending = on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self._wants_end.is_set():
            self._on_answering()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._wants_end.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The first thing that the parent's method does, before it waits at all, is to close the sockets and to tell
        # every connection not to take another request: on the loop's next turn nobody can begin to wait anew.
        asyncio.get_running_loop().call_soon(self._on_ending)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a log line is worth keeping: cancelling at the end what still waits for news is as it should be.

    A request that failed has a line of its own, which says which one it was.
    """
    is_cancelled = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return not is_cancelled and not str(record.msg).startswith(("Cancel ", "Exception in ASGI application"))
