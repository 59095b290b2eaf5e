"""`/profile/`, `/logs/` and what is the same for everybody: locations, the state of the cloud, availability zones.

Source: CloudSigma API 2.0, "Profile", "Audit logs", "Locations"; the Go SDK for `/cloud_status/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from backend.cloud.model import Event
from backend.cloud.networks import Profile
from backend.dialects import wire
from backend.dialects.cloudsigma import query, schema
from backend.dialects.cloudsigma.bodies import ProfileEdited
from backend.dialects.cloudsigma.render import PREFIX, exact_instant
from backend.dialects.cloudsigma.table import Call, Path
from backend.operations import feed
from backend.operations import profiles as operations

# -------------------------------------------------------------------------------------------------------------- profile


async def get_profile(call: Call) -> Response:
    found = await operations.get_profile(call.cloud, call.account)
    return query.one(call, _detail(call, found), version=str(found.version))


def _detail(call: Call, profile: Profile) -> dict[str, Any]:
    defaults = {name: field.default for name, field in ProfileEdited.model_fields.items() if name != "meta"}
    return {
        **defaults,
        **profile.attributes,
        "bank_reference": None,
        "currency": "USD",
        "email": call.account.name,
        "meta": profile.meta,
        "signup_time": exact_instant(call.cloud.store.created_at),
        "state": profile.state,
        "uuid": call.account.id,
    }


async def edit_profile(call: Call) -> Response:
    """What is not sent stays. `email` and `state` are read-only: how far an account is trusted is for staff to say."""
    before = await operations.get_profile(call.cloud, call.account)
    query.check_match(call, str(before.version))
    sent = wire.validated(ProfileEdited, await call.content())
    given = sent.model_fields_set
    attributes = {name: getattr(sent, name) for name in given - {"meta"}}
    edited = await operations.edit_profile(
        call.cloud, call.account, attributes=attributes, meta=sent.meta if "meta" in given else None
    )
    return query.one(call, _detail(call, edited), version=str(edited.version))


# ----------------------------------------------------------------------------------------------------------------- logs

LOGS_MAX = 1000
"""How far back the audit log goes. Simplified: the published one ends nowhere."""

_CATEGORIES = {
    "server": "Servers",
    "drive": "Drives",
    "snapshot": "Snapshots",
    "tag": "Tags",
    "address": "IPs",
    "vlan": "VLANs",
    "firewall_policy": "Firewall policies",
    "key_pair": "Keypairs",
    "profile": "Profile",
}
_ACTIONS = {
    "created": "create",
    "edited": "update",
    "deleted": "delete",
    "placed": "start_send",
    "running": "boot",
    "stopping": "stop_send",
    "stopped": "stop",
    "attached": "update",
    "detached": "update",
    "resized": "update",
    "interfaces_changed": "update",
}
"""By what the last part of an event's kind is. Source: CloudSigma API 2.0, "Audit logs", "Actions"."""


async def list_logs(call: Call) -> Response:
    """What was done with what the account may see, by whomever, the newest first. Successes only: refusals change
    nothing, and nothing is written of them.
    """
    its_own = frozenset({call.account.id})
    told = await feed.told_events(call.cloud, call.account, limit=LOGS_MAX, and_of=its_own)
    accounts = await call.cloud.accounts()
    details = []
    for event in reversed(told.events):
        action = _action(event)
        if action is None:
            continue
        actor = accounts.get(event.actor)
        details.append(
            {
                "action": action,
                "actor": None if actor is None else {"resource_uri": f"{PREFIX}/user/{actor.id}/", "uuid": actor.id},
                "category": _CATEGORIES[event.object_kind],
                "details": _said(event.changes),
                "error_message": "",
                "error_point": None,
                "error_type": None,
                "success": True,
                "timestamp": exact_instant(event.at),
                "uuid": event.object_id,
            }
        )
    return await query.page_of(call, schema.LOGS, details)


def _action(event: Event) -> str | None:
    """None for what is no business of the account's: where something was placed anew, who was shrunk."""
    if event.object_kind not in _CATEGORIES:
        return None
    verb = event.kind.partition(".")[2]
    if verb == "created" and event.details.get("source"):
        return "clone_dst"
    if verb == "stopping" and event.details.get("action") == "shutdown":
        return "shutdown_ACPI_send"
    return _ACTIONS.get(verb)


def _said(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """The names of what changed: values may be secrets, such as a console's password."""
    return ", ".join(sorted(name for name in changes if name not in ("version", "project_id", "id")))


# ---------------------------------------------------------------------------------------------- the same for everybody


async def list_locations(call: Call) -> Response:
    """This cloud, as the only one."""
    base = str(call.request.base_url).rstrip("/")
    socket = base.replace("http", "ws", 1)
    details = [
        {
            "api_endpoint": f"{base}{PREFIX}/",
            "country_code": "ZZ",
            "display_name": "Stratodeck",
            "documentation_url": None,
            "id": "stratodeck",
            "upload_url": f"{base}{PREFIX}/drives/upload/",
            "websocket_url": f"{socket}{PREFIX}/websocket/",
        }
    ]
    return await query.page_of(call, schema.LOCATIONS, details)


async def cloud_status(call: Call) -> Response:
    """Bare object: which of the published offers this cloud has."""
    return wire.JsonAnswer(
        {
            "free_tier": False,
            "guest": False,
            "host_availability_zones": False,
            "paas": False,
            "signup": False,
            "trial": True,
            "vpc": False,
        }
    )


async def list_zones(call: Call) -> Response:
    """None: which cell a server lives in is chosen for it."""
    return await query.page_of(call, schema.ZONES, [])


PATHS = (
    Path("/profile", {"GET": get_profile, "PUT": edit_profile}),
    Path("/profile/schema", {"GET": schema.handler(schema.PROFILE)}),
    Path("/logs", {"GET": list_logs}),
    Path("/logs/schema", {"GET": schema.handler(schema.LOGS)}),
    Path("/locations", {"GET": list_locations}),
    Path("/cloud_status", {"GET": cloud_status}),
    Path("/hostavailabilityzones", {"GET": list_zones}),
)
