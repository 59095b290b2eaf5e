"""Requests over kept connections, one under way on each: as light as can be, so that what is measured is the server."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

READ_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for a while."""

    seconds: float
    taken: list[float]
    """Seconds from a request to the last byte of its answer, one for each answer."""

    @property
    def rate(self) -> float:
        return len(self.taken) / self.seconds


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    began: float = 0.0
    head: bytearray = field(default_factory=bytearray)
    left: int | None = None
    """Bytes of the answer that are still to come; None while its head is."""


def ask(
    url: str,
    path: str,
    *,
    headers: dict[str, str],
    connections: int = 1,
    seconds: float,
) -> Asked:
    """Ask for `path` again and again for so many seconds. Every answer must be 200."""
    parts = urlsplit(url)
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    taken: list[float] = []
    buffer = bytearray(READ_BYTES)
    with selectors.DefaultSelector() as ready:
        open_ = [_Connection(socket.create_connection((parts.hostname, parts.port))) for _ in range(connections)]
        began = time.perf_counter()
        for each in open_:
            ready.register(each.socket, selectors.EVENT_READ, each)
            _send(each, request)
        busy = connections
        while busy:
            for key, _ in ready.select():
                if not _read(key.data, buffer):
                    continue
                now = time.perf_counter()
                taken.append(now - key.data.began)
                if now - began < seconds:
                    _send(key.data, request)
                else:
                    busy -= 1
        ended = time.perf_counter()
        for each in open_:
            each.socket.close()
    return Asked(ended - began, taken)


def _send(connection: _Connection, request: bytes) -> None:
    connection.began = time.perf_counter()
    connection.head.clear()
    connection.left = None
    connection.socket.sendall(request)


def _read(connection: _Connection, buffer: bytearray) -> bool:
    """Take in what has come; whether the answer is whole."""
    count = connection.socket.recv_into(buffer)
    assert count, "the server has closed the connection"
    if connection.left is None:
        connection.head += buffer[:count]
        head, end, rest = bytes(connection.head).partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200"), head.decode(errors="replace")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        connection.left = int(length.partition(b":")[2]) - len(rest)
    else:
        connection.left -= count
    return connection.left == 0


def get(url: str, path: str, *, headers: dict[str, str]) -> bytes:
    """One answer's body."""
    import httpx

    return httpx.get(url + path, headers=headers).raise_for_status().content
