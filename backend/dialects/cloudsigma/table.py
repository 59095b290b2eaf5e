"""The envelope of CloudSigma 2.0: requests, lists, errors, paths with and without their last slash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from starlette.requests import HTTPConnection, Request
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
from backend.dialects.cloudsigma.passes import Passes
from backend.dialects.cloudsigma.rates import Rates
from backend.dialects.cloudsigma.render import PREFIX, Directory
from backend.operations import Cloud, networks, tags
from backend.operations.cells import Pictures
from backend.operations.kept import Kept
from backend.tokens import Claims

REALM = "users"
LIMIT_DEFAULT = 20

T = TypeVar("T")

# ------------------------------------------------------------------------------------------------------------- refusals

ERRORS: Mapping[type[CloudError], tuple[int, str]] = {
    NotFound: (404, "notexist"),
    Forbidden: (403, "permission"),
    WrongState: (403, "permission"),
    Invalid: (400, "validation"),
    Forgotten: (410, "notexist"),
    Conflict: (503, "concurrency"),
    OverQuota: (403, "permission"),
    NoFunds: (402, "payment"),
    NoCapacity: (503, "backend"),
    Unreachable: (503, "backend"),
    DiskFull: (503, "backend"),
    OutcomeUnknown: (503, "backend"),
}
"""Status and `error_type` of each. Source: CloudSigma API 2.0, "Errors" and "Status codes"; no quota is published."""

_WIRE_TYPES = {401: "permission", 403: "permission", 404: "notexist", 412: "concurrency", 429: "permission"}

_FIELD_NAMES = {"cpu_mhz": "cpu", "memory_bytes": "mem", "size_bytes": "size", "is_backfilling": "is_grey"}

_STATE_WORDS = {"running": "started"}
"""In sentences the published API calls a running server `started`, though its `status` says `running`."""


def refuse(error: wire.Refusal) -> Response:
    """Always an array of objects with all three keys: clients index them."""
    if isinstance(error, wire.WireError):
        kind = _WIRE_TYPES.get(error.status, "validation")
        return _errors(error.status, kind, error.message, None, headers=error.headers)
    status, kind = wire.mapped(ERRORS, error)
    point = _FIELD_NAMES.get(error.field, error.field) if isinstance(error, Invalid) else None
    return _errors(status, kind, _sentence(error), point)


def _errors(
    status: int, kind: str, message: str, point: str | None, *, headers: Mapping[str, str] | None = None
) -> Response:
    content = [{"error_type": kind, "error_message": message, "error_point": point}]
    return wire.JsonAnswer(content, status, headers)


def _sentence(error: CloudError) -> str:
    if isinstance(error, Invalid):
        return error.problem
    if isinstance(error, WrongState):
        kind = "guest" if error.kind == "server" else error.kind
        wanted = [_STATE_WORDS.get(state, str(state)) for state in error.wanted]
        should = wanted[0] if len(wanted) == 1 else str(wanted)
        state = _STATE_WORDS.get(error.state, error.state)
        return f'Cannot {error.action} {kind} in state "{state}". {kind.capitalize()} should be in state "{should}"'
    return str(error)


# ------------------------------------------------------------------------------------------------------------- requests


SESSION = "session"
"""How one who has logged in has proved who they are."""
SESSION_COOKIE = "sessionid"
CSRF_COOKIE = "csrftoken"
_JSON_RANGES = frozenset({"*/*", "application/*", "application/json"})
_NEVER = re.compile(r"(^|;)\s*q=0(\.0*)?\s*(;|$)")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def csrf_of(token: str) -> str:
    """What has to be repeated by whoever changes anything in this session."""
    return hashlib.sha256(b"csrf\0" + token.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials
    pictures: Pictures
    server_objects: wire.Fragments
    drive_objects: wire.Fragments
    answers: Kept[bytes]
    editing: set[str]
    """The ids of what is being changed in more than one step."""
    passes: Passes
    """Who may come in to the websocket, as was said to them."""
    rates: Rates


async def session_of(connection: HTTPConnection, context: Context) -> tuple[Account, Claims] | None:
    """Whose session the cookie names, and what its token says; None where it has ended, or there is no cookie."""
    token = connection.cookies.get(SESSION_COOKIE)
    holder = await wire.holder_of(token, context.cloud, context.credentials) if token else None
    if holder is None or holder.claims is None or SESSION not in holder.claims.methods:
        return None
    return holder.account, holder.claims


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, of whoever sends it."""

    context: Context
    request: Request

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud

    async def account_of_request(self) -> Account:
        """By Basic authentication or, without that, by a session. Raises WireError 401, 403."""
        if "authorization" in self.request.headers or SESSION_COOKIE not in self.request.cookies:
            return await wire.account_of_basic(self.request, self.cloud, self.context.credentials, REALM)
        return (await self.session())[0]

    async def session(self) -> tuple[Account, Claims]:
        """Who is logged in, and what their token says.

        Raises:
            WireError: 401, the session has ended; 403, what changes something does not prove where it comes from.
        """
        token = self.request.cookies[SESSION_COOKIE]
        found = await session_of(self.request, self.context)
        if found is None:
            raise wire.unauthorized(f'Basic realm="{REALM}"')
        is_safe = self.request.method in _SAFE_METHODS
        if not is_safe and not wire.same_secret(self.request.headers.get("x-csrftoken", ""), csrf_of(token)):
            message = f"CSRF failed: send what the cookie {CSRF_COOKIE} says in the header X-CSRFToken."
            raise wire.WireError(403, "csrf", message)
        return found

    def word(self, name: str) -> str | None:
        return self.request.query_params.get(name)

    def number(self, name: str, default: int) -> int:
        """Raises Invalid for what is not a whole number, 0 or more."""
        text = self.word(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise Invalid(name, "Enter a whole number.")
        return int(text)

    async def content(self) -> Any:
        """The body's JSON; an empty one is an empty object. Raises Invalid, WireError 413."""
        return wire.parse_json(await wire.read_body(self.request))


@dataclass(frozen=True, slots=True)
class Call(Visit):
    """One request of one account. `only_backfilling`: it came in under `/bservers/`."""

    account: Account
    only_backfilling: bool

    @property
    def uuid(self) -> str:
        return str(self.request.path_params["uuid"]).lower()

    @property
    def avoid(self) -> tuple[str, ...]:
        """In order of preference. Raises Invalid for what is no UUID; nothing else in it can be wrong."""
        return wire.avoid_list(wire.comma_list(self.word("avoid")))

    async def kept(self, make: Callable[[], Awaitable[Any]]) -> Response:
        """A list that is made anew only when something has changed, for this account and address."""
        minute = int(self.cloud.clock.now().timestamp()) // 60  # after which counters of traffic have moved on
        key = (self.account, self.request.scope["path"], self.request.scope["query_string"], minute)
        return wire.JsonAnswer(await self.context.answers.of(key, partial(wire.json_of, make)))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While the object of this path is changed in several steps nobody else does so.

        Raises:
            Conflict: somebody does.
        """
        if self.uuid in self.context.editing:
            raise Conflict("Another request is changing it just now. Try again.")
        self.context.editing.add(self.uuid)
        try:
            yield
        finally:
            self.context.editing.discard(self.uuid)

    async def directory(self, servers: Collection[str] = ()) -> Directory:
        """With what these servers are wired with, by their ids."""
        return Directory(
            await self.cloud.accounts(),
            UUID(self.cloud.store.cloud_id),
            await tags.names(self.cloud),
            await networks.wired(self.cloud, servers),
            self.cloud.clock.now(),
        )

    async def words(self, sent: Sequence[str], project_id: str, current: Sequence[str]) -> tuple[str, ...]:
        """The words behind what was sent as an object's tags, of which it has `current`. Raises Invalid."""
        return await tags.words_of(self.cloud, self.account, sent, project_id, current)


Handler = Callable[[Call], Awaitable[Response]]
OpenHandler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Path:
    """A path below the prefix, without its last slash, and its handlers by method."""

    path: str
    handlers: Mapping[str, Handler]
    only_backfilling: bool = False


@dataclass(frozen=True, slots=True)
class OpenPath:
    """A path that one need not have proved anything for."""

    path: str
    handlers: Mapping[str, OpenHandler]


def routes_of(paths: Iterable[Path | OpenPath], context: Context) -> list[Route]:
    """Two routes for each path, as not every client writes the last slash. In the order given; all else is 404."""
    routes = []
    for path in paths:
        if isinstance(path, OpenPath):
            handlers = {method: _handle_openly(handler, context) for method, handler in path.handlers.items()}
        else:
            handlers = {method: _handle(handler, path, context) for method, handler in path.handlers.items()}
        resource = wire.Resource({**handlers, "OPTIONS": _options(path)}, refuse)
        routes += [wire.route(PREFIX + path.path + "/", resource), wire.route(PREFIX + path.path, resource)]
    return [
        *routes,
        wire.route(PREFIX + "/{rest:anything}", wire.UnknownPath(refuse)),
        wire.route(PREFIX, wire.UnknownPath(refuse)),
    ]


def _handle(handler: Handler, path: Path, context: Context) -> wire.Handler:
    async def handle(request: Request) -> Response:
        check_accept(request)
        account = await Visit(context, request).account_of_request()
        if context.cloud.settings.rate_limits:
            context.rates.take(account.name, request.method)
        if path.only_backfilling and not account.may_backfill:
            raise Forbidden("use backfilling servers", "backfilling is not enabled for this account")
        return await handler(Call(context, request, account, path.only_backfilling))

    return handle


def _handle_openly(handler: OpenHandler, context: Context) -> wire.Handler:
    async def handle(request: Request) -> Response:
        check_accept(request)
        return await handler(Visit(context, request))

    return handle


def check_accept(request: Request) -> None:
    """Whether the client takes JSON.

    Source: CloudSigma API 2.0, "Data formats". Simplified: the other one, XML, is not answered.

    Raises:
        WireError: 406.
    """
    accept = request.headers.get("accept", "*/*").lower()
    if accept in _JSON_RANGES and b"format" not in request.scope["query_string"]:
        return
    ranges = [part.partition(";") for part in accept.split(",")]
    takes = [kind.strip() for kind, _, rest in ranges if not _NEVER.search(rest)]
    format_ = request.query_params.get("format", "json").lower()
    if not _JSON_RANGES.intersection(takes) or format_ not in ("json", "application/json"):
        raise wire.WireError(406, "not_acceptable", "Answers are application/json, which this request does not accept.")


def _options(path: Path | OpenPath) -> wire.Handler:
    """Source: CloudSigma API 2.0, "Allowed HTTP methods": a comma list as the body."""
    methods = ",".join(path.handlers)

    async def handle(request: Request) -> Response:
        return Response(methods, headers={"Allow": methods}, media_type="text/plain")

    return handle


# -------------------------------------------------------------------------------------------------------------- answers


def gone() -> Response:
    """204, with the content type that the production cloud gives it."""
    return Response(status_code=204, media_type="text/html")


def created(objects: Sequence[Any], location: str) -> Response:
    return wire.JsonAnswer({"objects": objects}, 201, {"Location": location})


def accepted(action: str, uuid: str, more: Mapping[str, str] | None = None) -> Response:
    return wire.JsonAnswer({"action": action, "result": "success", "uuid": uuid, **(more or {})}, 202)


@dataclass(frozen=True, slots=True)
class Window:
    """What part of a list was asked for. A limit of 0 is everything."""

    limit: int
    offset: int
    fields: tuple[str, ...]

    @classmethod
    def of(cls, call: Call) -> Window:
        """Raises Invalid."""
        fields = wire.comma_list(call.word("fields"))
        return cls(call.number("limit", LIMIT_DEFAULT), call.number("offset", 0), fields)

    def cut(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.offset : self.offset + self.limit if self.limit else None]

    def envelope(self, objects: Sequence[Any], total: int) -> dict[str, Any]:
        meta = {"limit": self.limit, "offset": self.offset, "total_count": total}
        return {"meta": meta, "objects": objects}


def only_fields(content: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Exactly these keys, as far as there are such."""
    return {field: content[field] for field in fields if field in content}


def filters_of(call: Call, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """A comma means or, two parameters mean and. Source: CloudSigma API 2.0, "Filtering"."""
    return {name: _split(call.word(name) or "") for name in names if call.word(name) is not None}


def _split(text: str) -> tuple[str, ...]:
    """At commas; `\\,` is a comma of the value."""
    return tuple(part.replace("\0", ",") for part in text.replace("\\,", "\0").split(","))


def passes(content: Mapping[str, Any], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an object has what was asked for; what is not known of it has no value that matches."""
    for name, wanted in filters.items():
        field, _, how = name.partition("__")
        if how in ("contains", "icontains"):
            found = str(content.get(field) or "").lower()
            if not any(part.lower() in found for part in wanted):
                return False
        elif field == "tag":
            key = "name" if how == "name" else "uuid"
            if not any(tag[key] in wanted for tag in content["tags"]):
                return False
        elif not _words(content.get(field)).intersection(wanted):
            return False
    return True


def _words(value: Any) -> set[str]:
    """What a field can be called: of a reference its uuid, of a list any of its values."""
    if isinstance(value, dict):
        return {str(value.get("uuid"))}
    if isinstance(value, list):
        return {str(each) for each in value}
    return set() if value is None else {str(value)}
