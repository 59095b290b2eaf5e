"""One request over a backend's Unix socket, with the standard library alone: for commands that are over at once."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.sanitising import sanitise

REQUEST_SECONDS = 10.0
"""How long an answer may take; a hung cell is declared so within a second."""


class Refused(Exception):
    """The backend's own sentence about why not, sanitised."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("stratodeck", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(
    socket_path: Path,
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    token: str,
    *,
    seconds: float = REQUEST_SECONDS,
) -> dict[str, Any]:
    """The answer's body, as it came. Raises Refused with what the backend said, OSError when it said nothing."""
    connection = _Connection(socket_path, seconds)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        try:
            said = json.loads(response.read())
        except ValueError:
            said = {}
        if response.status >= 400:
            message = said.get("error", {}).get("message") if isinstance(said, dict) else None
            raise Refused(
                sanitise(str(message)) if message else f"The backend answered {response.status} {response.reason}."
            )
        return said if isinstance(said, dict) else {}
    except http.client.HTTPException as error:
        raise OSError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
