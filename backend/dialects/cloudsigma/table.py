"""The envelope of CloudSigma 2.0: requests, lists, errors, paths with and without their last slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.cloud.errors import (
    CloudError,
    Conflict,
    Forbidden,
    Invalid,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
    OverQuota,
    Unreachable,
    WrongState,
)
from backend.cloud.model import Account
from backend.dialects import wire
from backend.dialects.cloudsigma.render import PREFIX, Directory
from backend.operations import Cloud
from backend.operations.cells import Pictures
from backend.operations.kept import Kept

REALM = "users"
LIMIT_DEFAULT = 20

T = TypeVar("T")

# ------------------------------------------------------------------------------------------------------------- refusals

ERRORS: Mapping[type[CloudError], tuple[int, str]] = {
    NotFound: (404, "notexist"),
    Forbidden: (403, "permission"),
    WrongState: (403, "permission"),
    Invalid: (400, "validation"),
    Conflict: (503, "concurrency"),
    OverQuota: (403, "permission"),
    NoCapacity: (503, "backend"),
    Unreachable: (503, "backend"),
    OutcomeUnknown: (503, "backend"),
}
"""Status and `error_type` of each. Source: CloudSigma API 2.0, "Errors" and "Status codes"; no quota is published."""

_WIRE_TYPES = {401: "permission", 403: "permission", 404: "notexist"}

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


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials
    pictures: Pictures
    server_objects: wire.Fragments
    drive_objects: wire.Fragments
    answers: Kept[bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one account. `only_backfilling`: it came in under `/bservers/`."""

    context: Context
    account: Account
    request: Request
    only_backfilling: bool

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud

    @property
    def uuid(self) -> str:
        return str(self.request.path_params["uuid"]).lower()

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

    @property
    def avoid(self) -> tuple[str, ...]:
        """In order of preference. Raises Invalid for what is no UUID; nothing else in it can be wrong."""
        return wire.avoid_list(wire.comma_list(self.word("avoid")))

    async def content(self) -> Any:
        """The body's JSON; an empty one is an empty object. Raises Invalid, WireError 413."""
        return wire.parse_json(await wire.read_body(self.request))

    async def kept(self, make: Callable[[], Awaitable[Any]]) -> Response:
        """A list that is made anew only when something has changed, for this account and address."""
        key = (self.account, self.request.scope["path"], self.request.scope["query_string"])
        return wire.JsonAnswer(await self.context.answers.of(key, partial(wire.json_of, make)))

    async def directory(self) -> Directory:
        return Directory(await self.cloud.accounts(), UUID(self.cloud.store.cloud_id))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Path:
    """A path below the prefix, without its last slash, and its handlers by method."""

    path: str
    handlers: Mapping[str, Handler]
    only_backfilling: bool = False


def routes_of(paths: Iterable[Path], context: Context) -> list[Route]:
    """Two routes for each path, as not every client writes the last slash. In the order given; all else is 404."""
    routes = []
    for path in paths:
        handlers = {method: _handle(handler, path, context) for method, handler in path.handlers.items()}
        resource = wire.Resource({**handlers, "OPTIONS": _options(path)}, refuse)
        routes += [Route(PREFIX + path.path + "/", resource), Route(PREFIX + path.path, resource)]
    return [
        *routes,
        Route(PREFIX + "/{rest:path}", wire.UnknownPath(refuse)),
        Route(PREFIX, wire.UnknownPath(refuse)),
    ]


def _handle(handler: Handler, path: Path, context: Context) -> wire.Handler:
    async def handle(request: Request) -> Response:
        account = await wire.account_of_basic(request, context.cloud, context.credentials, REALM)
        if path.only_backfilling and not account.may_backfill:
            raise Forbidden("use backfilling servers", "backfilling is not enabled for this account")
        return await handler(Call(context, account, request, path.only_backfilling))

    return handle


def _options(path: Path) -> wire.Handler:
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


def accepted(action: str, uuid: str) -> Response:
    return wire.JsonAnswer({"action": action, "result": "success", "uuid": uuid}, 202)


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


FILTERS = ("uuid", "name", "name__contains", "tag", "tag__name", "status")


def filters_of(call: Call) -> dict[str, tuple[str, ...]]:
    """A comma means or, two parameters mean and. Source: CloudSigma API 2.0, "Filtering"."""
    return {name: _split(call.word(name) or "") for name in FILTERS if call.word(name) is not None}


def _split(text: str) -> tuple[str, ...]:
    """At commas; `\\,` is a comma of the value."""
    return tuple(part.replace("\0", ",") for part in text.replace("\\,", "\0").split(","))


def passes(content: Mapping[str, Any], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an object has what was asked for; what is not known of it has no value that matches."""
    for name, wanted in filters.items():
        match name:
            case "name__contains":
                found = str(content["name"] or "").lower()
                if not any(part.lower() in found for part in wanted):
                    return False
            case "tag":
                if not any(tag["uuid"] in wanted for tag in content["tags"]):
                    return False
            case "tag__name":
                if not any(tag["name"] in wanted for tag in content["tags"]):
                    return False
            case _:
                if content[name] not in wanted:
                    return False
    return True
