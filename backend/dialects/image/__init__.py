"""Glance's Image API v2 under `/image`: the library of `backend/cloud/catalogue.py`, read only.

Source: the OpenStack Image API v2 reference, and what Glance's own source answers where that is silent.

    library   images as JSON: filters, order, pages, the schema     table   who asks, errors, the paths

Differences, with reasons: errors are JSON whatever the client accepts, where Glance's web framework writes HTML for
who did not ask for JSON; images have no bytes to download, as nothing boots; they belong to nobody (`owner` is null)
and are protected, and whoever writes to one is answered 403, as a real cloud answers whoever is not its owner.
"""

from __future__ import annotations

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.image import table
from backend.dialects.image.table import ERRORS, PREFIX, refuse
from backend.operations import Cloud

__all__ = ["ERRORS", "PREFIX", "refuse", "routes"]


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    return table.routes_of(table.Context(cloud, credentials))
