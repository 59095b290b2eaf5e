"""How an endpoint of `/ops/v1` is described, and what becomes of it: a route, and a part of the document."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Protocol, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.cloud.errors import (
    CloudError,
    Conflict,
    DiskFull,
    Forbidden,
    Forgotten,
    Invalid,
    NoCapacity,
    NoFunds,
    NotFound,
    OutcomeUnknown,
    OverQuota,
    Unreachable,
    WrongState,
)
from backend.cloud.model import Account
from backend.dialects import wire
from backend.dialects.ops.bodies import Body, NoBody, NoQuery, Query
from backend.dialects.ops.log_places import position_of
from backend.dialects.requests import Requests
from backend.operations import Cloud, RequestKey
from backend.operations.cells import Pictures
from backend.operations.kept import Kept
from backend.operations.past import Moment, Past

PREFIX = "/ops/v1"
REALM = "stratodeck"

ERRORS: Mapping[type[CloudError], int] = {
    NotFound: 404,
    Forbidden: 403,
    WrongState: 409,
    Invalid: 400,
    Forgotten: 410,
    Conflict: 409,
    OverQuota: 409,
    NoFunds: 402,
    NoCapacity: 409,
    Unreachable: 503,
    DiskFull: 503,
    OutcomeUnknown: 503,
}
"""The status of each; the body is `{"error": {"code", "message", ...fields}}` for all."""

_FIELD_NAMES = {"cpu": "cpu_mhz", "mem": "memory_bytes", "size": "size_bytes"}
"""What operations call a value by another published name."""


_BACKUP_ADVICE: Mapping[str, str] = {
    "backing_up": "Wait until it is whole.",
    "restoring": "Wait until that is over.",
    "deleting": "Choose another one.",
    "erred": "It holds nothing to restore: choose another one.",
}
"""What to do about a backup that is in the wrong state."""


def said(error: CloudError) -> str:
    """The sentence of a refusal, and what to do where that is not plain from it."""
    if isinstance(error, WrongState) and error.kind == "backup":
        return f"{error} {_BACKUP_ADVICE.get(error.state, '')}".rstrip()
    return str(error)


def refuse(error: wire.Refusal) -> Response:
    """Every refusal in this dialect's one shape."""
    if isinstance(error, wire.WireError):
        content = {"error": {"code": error.code, "message": error.message}}
        return wire.JsonAnswer(content, error.status, error.headers)
    if isinstance(error, Invalid):
        error = Invalid(_FIELD_NAMES.get(error.field, error.field), error.problem)
    details = {field.name: getattr(error, field.name) for field in fields(error)}
    if isinstance(error, NoCapacity):
        details["reasons"] = dict(error.reasons)
    return wire.JsonAnswer(
        {"error": {"code": error.code, "message": said(error), **details}}, wire.mapped(ERRORS, error)
    )


class Engine(Protocol):
    """The little of the engine that an operator may ask for; the wiring hands it in."""

    async def advance(self, seconds: float, *, request: RequestKey | None) -> None:
        """Move the cloud's own time forward and run all that falls due on the way, in order. Raises ClockError."""

    async def change_clock(self, *, mode: str, rate: float | None, request: RequestKey | None) -> None:
        """Raises ClockError."""


class Turns:
    """Requests with the same key come one after the other."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials
    engine: Engine
    pictures: Pictures
    server_rows: wire.Fragments
    drive_rows: wire.Fragments
    answers: Kept[bytes]
    document: Callable[[], bytes]
    turns: Turns
    requests: Requests
    past: Past

    def then(self, moment: Moment) -> Context:
        """The same for a moment of the past. Rows are not shared: of one version there may be another effect then."""
        return replace(
            self,
            cloud=moment.cloud,
            pictures=moment.pictures,
            server_rows=wire.Fragments(),
            drive_rows=wire.Fragments(),
            answers=wire.kept_answers(moment.cloud),
        )


TQuery = TypeVar("TQuery", bound=Query)
TBody = TypeVar("TBody", bound=Body)


@dataclass(frozen=True, slots=True)
class Call(Generic[TQuery, TBody]):
    """One request, parsed: who asks, for what, with what."""

    context: Context
    account: Account
    path: Mapping[str, str]
    query: TQuery
    body: TBody
    request: RequestKey | None

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is JSON, or made of fragments that are; bytes are a whole body."""

    content: Any
    status: int = 200
    media_type: str | None = None
    """Of a body that is no JSON."""


async def once_made(
    call: Call[Any, Any], make: Callable[[RequestKey | None], Awaitable[str]], show: Callable[[str], Awaitable[Answer]]
) -> Answer:
    """For work that makes something: a repeat shows what the first has made, as it is now.

    `make` is given the request to remember in the transaction that makes it, and returns the id: so a crash in between
    cannot let it be made twice.
    """
    key = call.request
    if key is None:
        return await show(await make(None))
    async with call.context.turns.of(key.key):
        found = await call.cloud.store.cloud_read(key.remembered)
        if found is not None and "content" in found:
            # It is older than this way to remember.
            return Answer(found["content"], found["status"])
        return await show(found["id"] if found is not None else await make(key))


async def once(call: Call[Any, Any], work: Callable[[], Awaitable[Answer]]) -> Answer:
    """A repeat gets the answer of the first.

    The answer is kept after the work. That the work was done is kept by the work itself, in its own transaction: so
    where a crash in between has lost the answer, `work` does nothing, and answers with what there is.
    """
    key = call.request
    if key is None:
        return await work()
    cloud = call.cloud
    async with call.context.turns.of(key.key):
        found = await cloud.store.cloud_read(key.remembered)
        if found is not None and "content" in found:
            return Answer(found["content"], found["status"])
        answer = await work()
        content = orjson.loads(orjson.dumps(answer.content))
        await cloud.store.cloud_write(
            lambda tx: tx.remember(key.key, key.digest, {"status": answer.status, "content": content})
        )
    return answer


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[TQuery, TBody]):
    """A line of the table. `answers` gives the shape of the body by status."""

    method: str
    path: str
    handler: Callable[[Call[TQuery, TBody]], Awaitable[Answer]]
    summary: str
    answers: Mapping[int, Any]
    query: type[TQuery]
    body: type[TBody]
    staff_action: str | None = None
    """What only staff may do here, as it is said in the refusal; None: any account."""
    shows_past: bool = False
    """Whether `at=` asks for the answer of a moment of the past."""

    def handle(self, context: Context) -> wire.Handler:
        """The endpoint as a handler of requests: credentials, then the right, then query and body, then the work."""

        async def handle(request: Request) -> Response:
            account = await wire.account_of_bearer(request, context.cloud, context.credentials, REALM)
            if self.staff_action is not None and not account.is_staff:
                raise Forbidden(self.staff_action, "only staff may")
            raw = b"" if request.method in ("GET", "HEAD") else await wire.read_body(request)
            asked = dict(request.query_params)
            moment = asked.pop("at", None) if self.shows_past else None
            call = Call(
                context=context,
                account=account,
                path=request.path_params,
                query=wire.validated(self.query, asked),
                body=wire.validated(self.body, wire.parse_json(raw)),
                request=None if request.method in ("GET", "HEAD") else wire.request_key(request, raw, account),
            )
            if moment is None:
                answer = await self.handler(call)
            else:
                async with context.past.at(position_of("at", moment)) as found:
                    answer = await self.handler(replace(call, context=context.then(found)))
            if answer.media_type is not None:
                return Response(answer.content, answer.status, headers={"Content-Type": answer.media_type})
            return wire.JsonAnswer(answer.content, answer.status)

        return handle


def get(
    path: str,
    handler: Callable[[Call[TQuery, NoBody]], Awaitable[Answer]],
    summary: str,
    answer: Any,
    *,
    query: type[TQuery],
    staff_action: str | None = None,
    shows_past: bool = True,
) -> Endpoint[TQuery, NoBody]:
    return Endpoint("GET", path, handler, summary, {200: answer}, query, NoBody, staff_action, shows_past)


def write(
    method: str,
    path: str,
    handler: Callable[[Call[NoQuery, TBody]], Awaitable[Answer]],
    summary: str,
    answers: Mapping[int, Any],
    *,
    body: type[TBody],
    staff_action: str | None = None,
) -> Endpoint[NoQuery, TBody]:
    return Endpoint(method, path, handler, summary, answers, NoQuery, body, staff_action)


def routes_of(table: Iterable[Endpoint[Any, Any]], context: Context) -> list[Route]:
    """One route for each path, in the order of the table, and one for every other path under the prefix."""
    by_path: dict[str, dict[str, wire.Handler]] = {}
    for endpoint in table:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint.handle(context)
    resources = {path: wire.Resource(handlers, refuse) for path, handlers in by_path.items()}
    routes = [wire.route(PREFIX + path, resource) for path, resource in resources.items()]
    # HTTP libraries that join a base address with nothing write its last slash.
    routes.append(wire.route(PREFIX + "/", resources[""]))
    return [*routes, wire.route(PREFIX + "/{rest:anything}", wire.UnknownPath(refuse))]
