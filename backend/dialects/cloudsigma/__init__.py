"""CloudSigma 2.0 under `/api/2.0/`: servers, backfilling servers, drives, capabilities, availability groups.

Source: the published API documentation and its examples, and what the `cloudsigma` and Apache Libcloud clients need.
CPU is MHz over all cores, memory and sizes are bytes; the path's last slash may be left out.

    bodies    what clients send          render   what they get
    table     envelope, errors, paths    servers, drives, account   the handlers

What the published API has and this does not, yet: resizing, snapshots, jobs, tags as objects of their own, networks
and addresses, consoles, billing, XML, session logins. What was never published and is ours: the shape of `perf_factor`
and of `free_resources` (both `{"cpu", "mem"}`), the body of the 403 for an account without backfilling, and that
servers and drives of a cell that does not answer stay in lists as `unavailable`, with actions on them answered 503.
"""

from __future__ import annotations

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.cloudsigma import account, drives, servers, table
from backend.dialects.cloudsigma.render import PREFIX
from backend.dialects.cloudsigma.table import ERRORS, Context, Path, refuse
from backend.operations import Cloud
from backend.operations.cells import Pictures

__all__ = ["ERRORS", "PREFIX", "refuse", "routes"]


def _servers(prefix: str, *, only_backfilling: bool) -> list[Path]:
    """The words come before the uuid, which any word would be taken for."""
    handlers = {
        "": {"GET": servers.list_short, "POST": servers.create},
        "/detail": {"GET": servers.list_detail},
        "/schema": {"GET": account.server_schema},
        "/availability_groups": {"GET": servers.availability_groups},
        "/availability_groups/{uuid}": {"GET": servers.availability_group},
        "/{uuid}": {"GET": servers.get, "PUT": servers.edit, "DELETE": servers.delete},
        "/{uuid}/action": {"POST": servers.act},
        "/{uuid}/runtime": {"GET": servers.runtime},
    }
    return [Path(prefix + path, by_method, only_backfilling) for path, by_method in handlers.items()]


PATHS = (
    *_servers("/servers", only_backfilling=False),
    *_servers("/bservers", only_backfilling=True),
    Path("/drives", {"GET": drives.list_short, "POST": drives.create}),
    Path("/drives/detail", {"GET": drives.list_detail}),
    Path("/drives/schema", {"GET": account.drive_schema}),
    Path("/drives/availability_groups", {"GET": drives.availability_groups}),
    Path("/drives/availability_groups/{uuid}", {"GET": drives.availability_group}),
    Path("/drives/{uuid}/action", {"POST": drives.act}),
    Path("/drives/{uuid}", {"GET": drives.get, "PUT": drives.edit, "DELETE": drives.delete}),
    Path("/capabilities", {"GET": account.capabilities}),
)


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    context = Context(
        cloud=cloud,
        credentials=credentials,
        pictures=Pictures(cloud),
        server_objects=wire.Fragments(),
        drive_objects=wire.Fragments(),
        answers=wire.kept_answers(cloud),
    )
    return table.routes_of(PATHS, context)
