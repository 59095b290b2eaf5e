"""CloudSigma 2.0 under `/api/2.0/`: servers, backfilling servers, drives, the library, snapshots, jobs, capabilities.

Source: the published API documentation and its examples, and what the `cloudsigma` and Apache Libcloud clients need.
CPU is MHz over all cores, memory and sizes are bytes; the path's last slash may be left out.

    bodies    what clients send          render   what they get
    schema    each resource, once        query    which part of a list was asked for
    table     envelope, errors, paths    sessions who asks
    servers, server_actions, drives, libdrives, snapshots, jobs, account   the handlers
    nics      network interfaces         tags, central, profiles           what lies centrally
    announcements, passes                the websocket                       billing   money
    rates     requests a minute
    announcements, passes                the websocket   billing, subscriptions    money

What the published API has and this does not: uploads and downloads, XML. What was never published and is
ours: the shape of `perf_factor` and of `free_resources` (both `{"cpu", "mem"}`), the body of the 403 for an account
without backfilling, that `If-Match` with the `ETag` of an object is heeded (412), and that servers and drives of a cell
that does not answer stay in lists as `unavailable`, with actions on them answered 503.
"""

from __future__ import annotations

import secrets

from starlette.routing import BaseRoute, WebSocketRoute

from backend.dialects import wire
from backend.dialects.cloudsigma import (
    account,
    announcements,
    billing,
    central,
    drives,
    jobs,
    libdrives,
    profiles,
    schema,
    server_actions,
    servers,
    sessions,
    snapshots,
    subscriptions,
    table,
    tags,
)
from backend.dialects.cloudsigma.passes import Passes
from backend.dialects.cloudsigma.rates import Rates
from backend.dialects.cloudsigma.render import PREFIX
from backend.dialects.cloudsigma.table import ERRORS, Context, Handler, OpenPath, Path, refuse
from backend.operations import Cloud
from backend.operations.cells import Pictures

__all__ = ["ERRORS", "PREFIX", "refuse", "routes"]


def _servers(prefix: str, *, only_backfilling: bool) -> list[Path]:
    """The words come before the uuid, which any word would be taken for."""
    handlers: dict[str, dict[str, Handler]] = {
        "": {"GET": servers.list_short, "POST": servers.create, "DELETE": servers.delete_many},
        "/detail": {"GET": servers.list_detail},
        "/schema": {"GET": schema.handler(schema.SERVERS)},
        "/availability_groups": {"GET": servers.availability_groups},
        "/availability_groups/{uuid}": {"GET": servers.availability_group},
        "/{uuid}": {"GET": servers.get, "PUT": servers.edit, "DELETE": servers.delete},
        "/{uuid}/action": {"POST": server_actions.act},
        "/{uuid}/runtime": {"GET": servers.runtime},
    }
    return [Path(prefix + path, by_method, only_backfilling) for path, by_method in handlers.items()]


PATHS: tuple[Path | OpenPath, ...] = (
    *_servers("/servers", only_backfilling=False),
    *_servers("/bservers", only_backfilling=True),
    Path("/drives", {"GET": drives.list_short, "POST": drives.create, "DELETE": drives.delete_many}),
    Path("/drives/detail", {"GET": drives.list_detail}),
    Path("/drives/schema", {"GET": schema.handler(schema.DRIVES)}),
    Path("/drives/availability_groups", {"GET": drives.availability_groups}),
    Path("/drives/availability_groups/{uuid}", {"GET": drives.availability_group}),
    Path("/drives/{uuid}/action", {"POST": drives.act}),
    Path("/drives/{uuid}", {"GET": drives.get, "PUT": drives.edit, "DELETE": drives.delete}),
    Path("/libdrives", {"GET": libdrives.list_detail}),
    Path("/libdrives/detail", {"GET": libdrives.list_detail}),
    Path("/libdrives/schema", {"GET": schema.handler(schema.LIBRARY_DRIVES)}),
    Path("/libdrives/{uuid}/action", {"POST": libdrives.act}),
    Path("/libdrives/{uuid}", {"GET": libdrives.get}),
    Path("/snapshots", {"GET": snapshots.list_detail, "POST": snapshots.create, "DELETE": snapshots.delete_many}),
    Path("/snapshots/detail", {"GET": snapshots.list_detail}),
    Path("/snapshots/schema", {"GET": schema.handler(schema.SNAPSHOTS)}),
    Path("/snapshots/{uuid}/action", {"POST": snapshots.act}),
    Path("/snapshots/{uuid}", {"GET": snapshots.get, "PUT": snapshots.edit, "DELETE": snapshots.delete}),
    Path("/jobs", {"GET": jobs.list_detail}),
    Path("/jobs/detail", {"GET": jobs.list_detail}),
    Path("/jobs/schema", {"GET": schema.handler(schema.JOBS)}),
    Path("/jobs/{uuid}", {"GET": jobs.get}),
    Path("/capabilities", {"GET": account.capabilities}),
    *tags.PATHS,
    *central.PATHS,
    *profiles.PATHS,
    *billing.PATHS,
    *subscriptions.PATHS,
    OpenPath("/accounts/action", {"POST": sessions.act}),
)


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[BaseRoute]:
    context = Context(
        cloud=cloud,
        credentials=credentials,
        pictures=Pictures(cloud),
        server_objects=wire.Fragments(),
        drive_objects=wire.Fragments(),
        answers=wire.kept_answers(cloud),
        editing=set(),
        passes=Passes(secrets.token_bytes(32)),
        rates=Rates(),
    )
    announcer = announcements.Announcer(context)
    # Documented below the prefix; where production has it is outside.
    places = (f"{start}/websocket{end}" for start in (PREFIX, "") for end in ("/", ""))
    sockets = [WebSocketRoute(place, announcer) for place in places]
    return [*sockets, *table.routes_of(PATHS, context)]
