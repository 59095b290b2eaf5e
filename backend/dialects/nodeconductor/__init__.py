"""NodeConductor's REST API under `/api/`: backups, their schedules, and as much of what they are of as they need.

Source: NodeConductor, "Backups", at the revision that the seed describes, and what its code answers where that is
silent; later revisions for what it had not yet thought of (time zones, `next_trigger_at`, filters).

    table    who asks, errors, the paths         links   hyperlinks: made, and read back
    bodies   what clients send                   pages   lists: pages, filters, headers
    render   what they are answered              backups, schedules, instances   the resources

Paths are accepted with and without their last slash, and `backup` for `backups` as the seed writes it.

Differences, with reasons:

- Errors have one shape: `{"detail": sentence}`, or `{field: [sentence]}` for what was sent. The reference says some of
  its 409 as a bare string or as `{"status": ...}`; the texts are its own.
- A schedule's `is_active` counts at creation, as the seed's example has it; the reference reads it and ignores it.
- Over quota is refused at once with the figures, where the reference answers 201 and lets the backup fail.
- `schedule` may have 128 characters, not 15, and an erred backup can be deleted, or its room would never come back.
- A restore says where the new server is (`instance`), and leaves the backup usable when it fails.
- A backup of a project or customer has one of each server under it (`children`); those are what is restored.
- What the seed does not know is added: `timezone`, `next_trigger_at`, `error_message`, `jitter` (seconds), `keep`
  (periods), `recovery_point` (seconds), `drill_interval` (days).
- Bodies are JSON only; the reference takes forms too.
"""

from __future__ import annotations

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.nodeconductor import paths
from backend.dialects.nodeconductor.table import AUTH_PREFIX, ERRORS, PREFIX, Context, refuse
from backend.operations import Cloud

__all__ = ["AUTH_PREFIX", "ERRORS", "PREFIX", "auth_routes", "refuse", "routes"]


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    return paths.routes_of(Context(cloud, credentials))


def auth_routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    return paths.auth_routes_of(Context(cloud, credentials))
