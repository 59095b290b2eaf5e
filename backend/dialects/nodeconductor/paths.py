"""The paths of NodeConductor, and who answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.nodeconductor import backups, bodies, instances, schedules
from backend.dialects.nodeconductor.table import (
    AUTH_PREFIX,
    PREFIX,
    Call,
    Context,
    FieldsRefused,
    account_of_token,
    method_not_allowed,
    refuse,
    unauthorized,
)

Handler = Callable[[Call], Awaitable[Response]]

_BACKUPS: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": backups.list_backups, "POST": backups.create_backup},
    "/{uuid}": {"GET": backups.show_backup},
    "/{uuid}/restore": {"POST": backups.restore_backup},
    "/{uuid}/delete": {"POST": backups.delete_backup},
}
_SCHEDULES: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": schedules.list_schedules, "POST": schedules.create_schedule},
    "/{uuid}": {
        "GET": schedules.show_schedule,
        "PUT": schedules.change_schedule,
        "PATCH": schedules.change_schedule,
        "DELETE": schedules.delete_schedule,
    },
    "/{uuid}/activate": {"POST": schedules.activate_schedule},
    "/{uuid}/deactivate": {"POST": schedules.deactivate_schedule},
}
PATHS: Mapping[str, Mapping[str, Handler]] = {
    **{f"/{name}{rest}": each for name in ("backups", "backup") for rest, each in _BACKUPS.items()},
    **{f"/{name}{rest}": each for name in ("backup-schedules", "backup-schedule") for rest, each in _SCHEDULES.items()},
    "/instances": {"GET": instances.list_instances},
    "/instances/{uuid}": {"GET": instances.show_instance, "DELETE": instances.delete_instance},
    "/flavors": {"GET": instances.list_flavors},
    "/flavors/{uuid}": {"GET": instances.show_flavor},
    "/projects": {"GET": instances.list_projects},
    "/projects/{uuid}": {"GET": instances.show_project},
    "/customers": {"GET": instances.list_customers},
    "/customers/{uuid}": {"GET": instances.show_customer},
}
"""**Source**: NodeConductor, its router; the singular names are the seed's."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def _collections(call: Call) -> Response:
    names = ("backup-schedules", "backups", "customers", "flavors", "instances", "projects")
    return wire.JsonAnswer({name: f"{call.origin}{PREFIX}/{name}/" for name in names})


def routes_of(context: Context) -> list[Route]:
    routes = []
    for path, handlers in {"": {"GET": _collections}, **PATHS}.items():
        resource = wire.Resource({method: _handle(handlers, method, context) for method in METHODS}, refuse)
        # The slash belongs to the address; clients that leave it out are not sent around.
        routes += [wire.route(PREFIX + path + slash, resource) for slash in ("/", "")]
    return [*routes, wire.route(PREFIX + "/{rest:anything}", wire.UnknownPath(refuse))]


def _handle(handlers: Mapping[str, Handler], method: str, context: Context) -> wire.Handler:
    """Who asks comes first: a method that is not possible is told to nobody else."""

    async def handle(request: Request) -> Response:
        account = await account_of_token(request, context)
        handler = handlers.get(method)
        if handler is None:
            raise method_not_allowed(request, list(handlers))
        return await handler(Call(context, request, account))

    return handle


def auth_routes_of(context: Context) -> list[Route]:
    async def log_in(request: Request) -> Response:
        """**Source**: NodeConductor: also what is missing is answered with 401."""
        try:
            body = bodies.parsed(bodies.Login, await wire.read_body(request))
        except FieldsRefused as problem:
            return wire.JsonAnswer(problem.fields, 401)
        accounts = await context.cloud.accounts()
        name = body.username if body.username in accounts else None
        token = None if name is None else context.credentials.token_of(name)
        if not wire.is_password(context.credentials, name, body.password) or token is None:
            raise unauthorized("Invalid username/password")
        return wire.JsonAnswer({"token": token})

    resource = wire.Resource({"POST": log_in}, refuse)
    paths = [AUTH_PREFIX + "/password" + slash for slash in ("/", "")]
    return [
        *(wire.route(path, resource) for path in paths),
        wire.route(AUTH_PREFIX + "/{rest:anything}", wire.UnknownPath(refuse)),
    ]
