"""The envelope of the Compute API: requests, versions, faults, paths.

A request passes authentication, then the negotiation of its microversion, then its handler, in Nova's order: so a
wrong token never learns anything, and every later answer says which version it is of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

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
from backend.dialects import openstack, wire
from backend.dialects.nova import versions
from backend.dialects.nova.versions import HEADER, LEGACY_HEADER, PREFIX, ROOT, Version
from backend.dialects.wire import WireError
from backend.operations import Cloud
from backend.operations.cells import Pictures
from backend.operations.kept import Kept

# --------------------------------------------------------------------------------------------------------------- faults

ERRORS: Mapping[type[CloudError], int] = {
    NotFound: 404,
    Forbidden: 403,
    WrongState: 409,
    Invalid: 400,
    Forgotten: 410,
    Conflict: 409,
    OverQuota: 403,
    NoFunds: 403,
    NoCapacity: 409,
    Unreachable: 500,
    DiskFull: 500,
    OutcomeUnknown: 500,
}
"""A cell that does not answer is 500: Nova has no other word for it. Where it shows partial rows there is no error."""

_KEYS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
}

NO_ANSWER = "nova.exception.NovaException"
NO_CONNECTION = "oslo_db.exception.DBConnectionError"
"""The two exceptions whose names Nova's clients see while a cell is down."""

ID_HEADERS = (openstack.REQUEST_ID_HEADER, "X-Compute-Request-Id")

_PLAIN_404 = "404 Not Found\n\nThe resource could not be found.\n\n   "


def unexpected(exception: str = NO_ANSWER) -> WireError:
    """500 in Nova's words."""
    message = f"Unexpected API Error. Please contact the administrator\n<class '{exception}'>"
    return WireError(500, "unexpected", message)


def bad_request(message: str) -> WireError:
    return WireError(400, "bad_request", message)


def not_found(message: str = "The resource could not be found.") -> WireError:
    return WireError(404, "not_found", message)


def conflict(message: str) -> WireError:
    return WireError(409, "conflict", message)


def not_allowed(policy: str) -> WireError:
    """403, naming the policy."""
    return WireError(403, "forbidden", f"Policy doesn't allow os_compute_api:{policy} to be performed.")


def malformed() -> WireError:
    return bad_request("Malformed request body")


_KIND_NAMES = {"server": "Instance", "drive": "Volume", "server group": "Instance group", "host": "Compute host"}


def _sentence(error: CloudError) -> str:
    if isinstance(error, NotFound):
        return f"{_KIND_NAMES.get(error.kind, error.kind)} {error.id} could not be found."
    return str(error)


def fault(error: wire.Refusal) -> Response:
    """Every refusal in Nova's shapes, without what all answers of a request have alike."""
    if isinstance(error, WireError):
        if error.code == "method_not_allowed":
            return Response(_PLAIN_404, 404, media_type="text/plain")
        status, message, headers = error.status, error.message, error.headers
        if status == 401:
            content = {"error": {"code": 401, "title": "Unauthorized", "message": message}}
            return wire.JsonAnswer(content, 401, headers)
    else:
        status, headers = wire.mapped(ERRORS, error), {}
        message = unexpected().message if status == 500 else _sentence(error)
    content = {_KEYS.get(status, "computeFault"): {"code": status, "message": message}}
    return wire.JsonAnswer(content, status, headers)


def refuse(error: wire.Refusal) -> Response:
    """For what is refused before or outside of a handler: no version was negotiated."""
    return fault(error)


def _finished(response: Response, version: Version | None) -> Response:
    """With the version that it was answered in."""
    if version is not None:
        response.headers.update(versions.version_headers(version))
        response.headers.append("Vary", HEADER)
        response.headers.append("Vary", LEGACY_HEADER)
    return response


# ------------------------------------------------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials
    pictures: Pictures
    server_objects: wire.Fragments
    answers: Kept[bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one account in one microversion."""

    context: Context
    account: Account
    request: Request
    minor: int
    """Of the microversion 2.MINOR."""

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud

    @property
    def is_admin(self) -> bool:
        return self.account.is_staff

    @property
    def base(self) -> str:
        return versions.base_of(self.request)

    def part(self, name: str) -> str:
        """Of the path."""
        return str(self.request.path_params[name])

    async def content(self) -> Any:
        """The body's JSON, an object. Raises WireError 400, 413."""
        try:
            content = orjson.loads(await wire.read_body(self.request))
        except orjson.JSONDecodeError:
            raise malformed() from None
        if not isinstance(content, dict):
            raise malformed()
        return content

    def require_admin(self, policy: str) -> None:
        if not self.is_admin:
            raise not_allowed(policy)

    async def kept(self, make: Callable[[], Awaitable[Any]]) -> Response:
        """A list that is made anew only when something has changed, for this account, address and version."""
        scope = self.request.scope
        skips = self.cloud.settings.list_records_by_skipping_down_cells
        key = (self.account, self.minor, self.base, scope["path"], scope["query_string"], skips)
        return answer(await self.context.answers.of(key, partial(wire.json_of, make)))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Since:
    """A handler of some microversions only; in the others there is nothing there."""

    handler: Handler
    first: int = versions.MINOR_MIN
    last: int = versions.MINOR_MAX


@dataclass(frozen=True, slots=True)
class Path:
    """A path below the root, and its handlers by method."""

    path: str
    handlers: Mapping[str, Handler | Since]


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return wire.JsonAnswer(content, status, headers)


def empty(status: int) -> Response:
    return Response(status_code=status)


def routes_of(paths: Iterable[Path], context: Context) -> list[Route]:
    """The version documents, the paths in the order given, and the rest."""
    found = [
        *(
            wire.route(path, wire.Resource({"GET": _all_versions}, refuse, ID_HEADERS))
            for path in ("/", PREFIX, PREFIX + "/")
        ),
        *(wire.route(path, wire.Resource({"GET": _one_version}, refuse, ID_HEADERS)) for path in (ROOT, ROOT + "/")),
    ]
    for path in paths:
        handlers = {method: _handle(handler, context) for method, handler in path.handlers.items()}
        found.append(wire.route(ROOT + path.path, wire.Resource(handlers, refuse, ID_HEADERS)))
    # Below the root, what is no path has no method either: 404 in plain text.
    found.append(wire.route(ROOT + "/{rest:anything}", wire.Resource({}, refuse, ID_HEADERS)))
    found.append(wire.route(PREFIX + "/{rest:anything}", wire.Resource({"GET": _choices}, refuse, ID_HEADERS)))
    return found


async def _all_versions(request: Request) -> Response:
    return answer(versions.all_versions(versions.base_of(request)))


async def _one_version(request: Request) -> Response:
    """Without a token. It may be asked for in a version, as everything else."""
    try:
        version = versions.negotiate(request)
    except versions.Unsupported as error:
        return _finished(fault(error), error.asked)
    return _finished(answer(versions.one_version(versions.base_of(request))), version)


async def _choices(request: Request) -> Response:
    path = "/" + str(request.path_params["rest"])
    return answer(versions.choices(versions.base_of(request), path), 300)


def _handle(handler: Handler | Since, context: Context) -> wire.Handler:
    gated = handler if isinstance(handler, Since) else Since(handler)

    async def handle(request: Request) -> Response:
        version: Version | None = None
        try:
            account = await openstack.account_of_token(request, context.cloud, context.credentials)
            version = versions.negotiate(request)
            if not gated.first <= version.minor <= gated.last:
                raise not_found()
            response = await gated.handler(Call(context, account, request, version.minor))
        except versions.Unsupported as error:
            return _finished(fault(error), error.asked)
        except (CloudError, WireError) as error:
            response = fault(error)
        return _finished(response, version)

    return handle
