"""Keystone's Identity API v3 under `/identity`, as much of it as `openstack` and `openstacksdk` need, read only.

Source: the OpenStack Identity API v3 reference, and what Keystone's own source answers where that is silent.

    bodies    what a token request says      render     what is answered
    table     who asks, errors, paths        tokens, directory   the handlers

One domain, `default`; no groups, trusts, application credentials or federation. Accounts are users, projects are
projects. Who staff is has the role `admin`, in every project and without being assigned to it; an account that may
change a project is its `member`, one that only looks at it its `reader`. A role implies those below it, as Keystone's
own do. Without a scope a token is for the account's own project, which is its `default_project_id`.

Differences, with reasons: a refused scope says why, since who asks has proved who they are; a token that is for another
ends with that one, but outlives its revocation, as Keystone's does; a changed password ends an account's tokens at the
next start; what is asked of users and projects beyond one's own is for staff, as with Keystone's default policy.
"""

from __future__ import annotations

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.identity import directory, table, tokens
from backend.dialects.identity.table import ERRORS, PREFIX, Context, Path, refuse
from backend.operations import Cloud

__all__ = ["ERRORS", "PREFIX", "refuse", "routes"]

PATHS = (
    Path("", {"GET": directory.versions}),
    Path("/v3", {"GET": directory.version}),
    Path("/v3/auth/tokens", {"GET": tokens.validate, "POST": tokens.issue, "DELETE": tokens.revoke}),
    Path("/v3/auth/catalog", {"GET": tokens.catalog}),
    Path("/v3/auth/projects", {"GET": directory.own_projects}),
    Path("/v3/auth/domains", {"GET": directory.own_domains}),
    Path("/v3/projects", {"GET": directory.projects}),
    Path("/v3/projects/{id}", {"GET": directory.project}),
    Path("/v3/users", {"GET": directory.users}),
    Path("/v3/users/{id}", {"GET": directory.user}),
    Path("/v3/users/{id}/projects", {"GET": directory.projects_of_user}),
    Path("/v3/domains", {"GET": directory.domains}),
    Path("/v3/domains/{id}", {"GET": directory.domain}),
)


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    return table.routes_of(PATHS, Context(cloud, credentials))
