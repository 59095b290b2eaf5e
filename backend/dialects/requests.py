"""What is kept of every request: how many there were by route and status, how long they took, and a line of a log.

Nothing of what a client chose becomes a name here: a route is its template, and a method that nobody knows is `other`,
so there are never more numbers than routes. A log has paths, never queries, headers or bodies.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from backend.clock import monotonic_seconds
from backend.durations import Durations

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
NO_ROUTE = "none"
PATH_LENGTH_MAX = 200

LOG = logging.getLogger("stratodeck.requests")
# Where nobody has asked for a log there is none, rather than bare words on standard error.
LOG.addHandler(logging.NullHandler())


@dataclass(slots=True)
class Counted:
    """Requests of one method to one route."""

    dialect: str
    route: str
    method: str
    statuses: dict[int, int] = field(default_factory=dict)
    took: Durations = field(default_factory=Durations)


class Requests:
    """Counts on the loop. `prefixes` are those of the dialects' paths, by the dialects' names."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[1]))
        self._counted: dict[tuple[str, str], Counted] = {}

    def __iter__(self) -> Iterator[Counted]:
        return iter(list(self._counted.values()))

    def took(self, scope: Scope, begun: float, error: BaseException | None = None) -> None:
        """A request is over. `begun` is by the monotonic clock; `error` is a bug's, or a cancellation."""
        seconds = monotonic_seconds() - begun
        response = scope.get("stratodeck.response")
        if response is not None:
            status = int(response.status_code)
        elif scope["type"] == "websocket" and error is None:
            status = 101
        else:
            status = 500 if isinstance(error, Exception) else 499 if error is not None else 404
        route = scope.get("route")
        path = NO_ROUTE if route is None else route.path
        method = scope.get("method", "WEBSOCKET")
        counted = self._counted.get((path, method)) or self._new(path, method)
        counted.statuses[status] = counted.statuses.get(status, 0) + 1
        counted.took.take(seconds)
        level = logging.ERROR if status >= 500 else logging.INFO
        if LOG.isEnabledFor(level):
            LOG.log(
                level, "request", exc_info=error, extra={"fields": _line(scope, response, counted, status, seconds)}
            )

    def _new(self, path: str, method: str) -> Counted:
        known = method if method in METHODS else "other"
        plain = path.rstrip("/") or "/"
        dialect = next((name for name, prefix in self._prefixes if path.startswith(prefix)), NO_ROUTE)
        # Not of the method as it came: there are as many of those as a client can think of.
        return self._counted.setdefault((path, known), Counted(dialect, plain, known))


def _line(scope: Scope, response: Any, counted: Counted, status: int, seconds: float) -> dict[str, Any]:
    line = {
        "request_id": scope.get("stratodeck.request_id"),
        "dialect": counted.dialect,
        "method": counted.method,
        "route": counted.route,
        "path": str(scope.get("path", ""))[:PATH_LENGTH_MAX],
        "status": status,
        "milliseconds": round(1000 * seconds, 3),
    }
    if response is not None:
        for name in ("x-request-id", "x-openstack-request-id"):
            if name in response.headers:
                line[name.removeprefix("x-").replace("-", "_")] = response.headers[name]
    return line
