"""The envelope of Keystone: who asks, errors in its shape, paths with and without their last slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

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
from backend.dialects import openstack, wire
from backend.operations import Cloud

PREFIX = openstack.IDENTITY_PATH

ERRORS: Mapping[type[CloudError], int] = {
    NotFound: 404,
    Forbidden: 403,
    WrongState: 409,
    Invalid: 400,
    Forgotten: 410,
    Conflict: 409,
    OverQuota: 403,
    NoFunds: 403,
    NoCapacity: 503,
    Unreachable: 503,
    DiskFull: 503,
    OutcomeUnknown: 503,
}


def refuse(error: wire.Refusal) -> Response:
    """Source: Keystone, exception.Error: code, message, and the status' own name as the title."""
    if isinstance(error, wire.WireError):
        status, headers = error.status, error.headers
    else:
        status, headers = wire.mapped(ERRORS, error), {}
    content = {"error": {"code": status, "message": _sentence(error), "title": HTTPStatus(status).phrase}}
    return wire.JsonAnswer(content, status, {"Vary": openstack.TOKEN_HEADER, **headers})


def _sentence(error: wire.Refusal) -> str:
    if isinstance(error, NotFound):
        return f"Could not find {error.kind}: {error.id}."
    if isinstance(error, Forbidden):
        return f"You are not authorized to perform the requested action: {error.action} ({error.reason})."
    return str(error)


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Who asks is found out by the handler: some need nobody."""

    context: Context
    request: Request

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud

    @property
    def id(self) -> str:
        return str(self.request.path_params["id"])

    @property
    def origin(self) -> str:
        return openstack.origin(self.request)

    async def holder(self) -> wire.Holder:
        """Raises WireError 401."""
        return await openstack.holder_of_token(self.request, self.cloud, self.context.credentials)

    async def content(self) -> Any:
        """Raises Invalid, WireError 413."""
        return wire.parse_json(await wire.read_body(self.request))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Path:
    """A path below the prefix, without its last slash, and its handlers by method."""

    path: str
    handlers: Mapping[str, Handler]


def routes_of(paths: Iterable[Path], context: Context) -> list[Route]:
    """Two routes for each path, as clients join what they were told with and without a slash; all else is 404."""
    routes = []
    for path in paths:
        handlers = {method: _handle(handler, context) for method, handler in path.handlers.items()}
        resource = wire.Resource(handlers, refuse, (openstack.REQUEST_ID_HEADER,))
        routes += [wire.route(PREFIX + path.path, resource), wire.route(PREFIX + path.path + "/", resource)]
    return [*routes, wire.route(PREFIX + "/{rest:anything}", wire.UnknownPath(refuse))]


def _handle(handler: Handler, context: Context) -> wire.Handler:
    async def handle(request: Request) -> Response:
        return await handler(Call(context, request))

    return handle
