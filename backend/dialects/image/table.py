"""Paths, who asks, and errors of Glance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
from backend.dialects.image import library
from backend.operations import Cloud

PREFIX = openstack.IMAGE_PATH

ERRORS: Mapping[type[CloudError], int] = {
    NotFound: 404,
    Forbidden: 403,
    WrongState: 409,
    Invalid: 400,
    Forgotten: 410,
    Conflict: 409,
    OverQuota: 413,
    NoFunds: 413,
    NoCapacity: 503,
    Unreachable: 503,
    DiskFull: 503,
    OutcomeUnknown: 503,
}
"""Source: Image API v2, its response codes; 413 is that of an exceeded quota."""

VERSIONS = ("v2.15", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3")
"""The newest first. Source: Glance, api/versions.py: those that differ for readers not at all, but clients look."""


def refuse(error: wire.Refusal) -> Response:
    """Source: WebOb, WSGIHTTPException: the message, and the status as text. 401 is the token middleware's own."""
    if isinstance(error, wire.WireError):
        if error.status == 401:
            content = {"error": {"code": 401, "message": error.message, "title": "Unauthorized"}}
            return wire.JsonAnswer(content, 401, error.headers)
        return _refused(error.status, error.message, error.headers)
    return _refused(wire.mapped(ERRORS, error), _sentence(error))


def _refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    phrase = HTTPStatus(status).phrase
    return wire.JsonAnswer({"message": message, "code": f"{status} {phrase}", "title": phrase}, status, headers)


def _sentence(error: CloudError) -> str:
    if isinstance(error, NotFound):
        return f"No {error.kind} found with ID {error.id}"
    if isinstance(error, Forbidden):
        return f"You are not authorized to complete {error.action} action: {error.reason}."
    return str(error)


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials


@dataclass(frozen=True, slots=True)
class Call:
    context: Context
    request: Request

    @property
    def images(self) -> list[dict[str, Any]]:
        return library.images(self.context.cloud.store.created_at)


Handler = Callable[[Call], Awaitable[Response]]


async def list_images(call: Call) -> Response:
    return wire.JsonAnswer(library.page(call.images, call.request.query_params.multi_items()))


async def show_image(call: Call) -> Response:
    return wire.JsonAnswer(_image(call))


async def image_data(call: Call) -> Response:
    _image(call)
    raise Forbidden("download_image", "the images of this cloud are names and sizes, without bytes")


async def schema_of_image(call: Call) -> Response:
    return wire.JsonAnswer(library.image_schema())


async def schema_of_images(call: Call) -> Response:
    return wire.JsonAnswer(library.images_schema())


def _image(call: Call) -> dict[str, Any]:
    id = str(call.request.path_params["id"])
    for image in call.images:
        if image["id"] == id.lower():
            return image
    raise NotFound("image", id)


async def _add(call: Call) -> Response:
    raise Forbidden("add_image", "the library of this cloud cannot be added to")


def _write(action: str) -> Handler:
    async def handle(call: Call) -> Response:
        image = _image(call)
        raise Forbidden(action, f"image {image['id']} is protected, and belongs to every project of this cloud")

    return handle


_MODIFY, _UPLOAD = _write("modify_image"), _write("upload_image")

PATHS: Mapping[str, Mapping[str, Handler]] = {
    "/v2/images": {"GET": list_images, "POST": _add},
    "/v2/images/{id}": {"GET": show_image, "PATCH": _MODIFY, "PUT": _MODIFY, "DELETE": _write("delete_image")},
    "/v2/images/{id}/file": {"GET": image_data, "PUT": _UPLOAD},
    "/v2/images/{id}/tags/{tag}": {"PUT": _MODIFY, "DELETE": _MODIFY},
    "/v2/images/{id}/actions/{action}": {"POST": _MODIFY},
    "/v2/schemas/image": {"GET": schema_of_image},
    "/v2/schemas/images": {"GET": schema_of_images},
}


async def _versions(request: Request) -> Response:
    """Source: Glance, api/versions.py: 300 at the root, 200 at `/versions`; nobody has to say who asks."""
    self_href = f"{openstack.origin(request)}{PREFIX}/v2/"
    content = {
        "versions": [
            {"id": id, "status": "SUPPORTED" if at else "CURRENT", "links": [{"rel": "self", "href": self_href}]}
            for at, id in enumerate(VERSIONS)
        ]
    }
    return wire.JsonAnswer(content, 200 if request.url.path.rstrip("/").endswith("/versions") else 300)


def routes_of(context: Context) -> list[Route]:
    versions = wire.Resource({"GET": _versions}, refuse, (openstack.REQUEST_ID_HEADER,))
    routes = [wire.route(PREFIX + path, versions) for path in ("", "/", "/versions", "/versions/")]
    for path, by_method in PATHS.items():
        handlers = {method: _handle(handler, context) for method, handler in by_method.items()}
        routes.append(wire.route(PREFIX + path, wire.Resource(handlers, refuse, (openstack.REQUEST_ID_HEADER,))))
    return [*routes, wire.route(PREFIX + "/{rest:anything}", wire.UnknownPath(refuse))]


def _handle(handler: Handler, context: Context) -> wire.Handler:
    async def handle(request: Request) -> Response:
        await openstack.account_of_token(request, context.cloud, context.credentials)
        return await handler(Call(context, request))

    return handle
