"""Keystone's answers: tokens, the catalog, projects, users, the domain, versions.

Source: the OpenStack Identity API v3 reference; ids of projects and users are without dashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from backend.cloud.model import Account
from backend.dialects.identity.table import PREFIX
from backend.dialects.openstack import (
    COMPUTE_PATH,
    DOMAIN_ID,
    DOMAIN_NAME,
    IDENTITY_PATH,
    IMAGE_PATH,
    REGION,
    id_text,
    made_id,
)
from backend.operations import Cloud
from backend.store import Project
from backend.tokens import Claims

SERVICES = (
    ("compute", "nova", COMPUTE_PATH),
    ("identity", "keystone", IDENTITY_PATH),
    ("image", "glance", IMAGE_PATH),
)
"""Type, name and path of each."""

INTERFACES = ("public", "internal", "admin")

_DOMAIN = {"id": DOMAIN_ID, "name": DOMAIN_NAME}


def instant_text(at: datetime) -> str:
    """`2026-11-20T14:03:27.000000Z`: always with microseconds, as its clients parse it."""
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def version_object(origin: str) -> dict[str, Any]:
    """Source: Keystone, api/discovery.py; v3.14 is the version of its releases since 2020."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{origin}{PREFIX}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def roles(account: Account, project: Project) -> tuple[str, ...]:
    """What the account is in the project, the highest first."""
    if account.is_staff:
        return ("admin", "member", "reader")
    return ("member", "reader") if account.may_change(project.id) else ("reader",)


def token(
    cloud: Cloud, claims: Claims, account: Account, project: Project | None, catalog: Sequence[Any]
) -> dict[str, Any]:
    """With the project's own keys only where it is for one; without the catalog where that is empty."""
    content: dict[str, Any] = {
        "methods": list(claims.methods),
        "user": {
            "domain": _DOMAIN,
            "id": id_text(account.id),
            "name": account.name,
            "password_expires_at": None,
        },
        "audit_ids": [each for each in (claims.audit_id, claims.parent_audit_id) if each is not None],
        "expires_at": instant_text(claims.expires_at),
        "issued_at": instant_text(claims.issued_at),
    }
    if project is not None:
        content |= {
            "project": {"domain": _DOMAIN, "id": id_text(project.id), "name": project.name},
            "is_domain": False,
            "roles": [{"id": made_id(cloud, f"role/{name}"), "name": name} for name in roles(account, project)],
        }
    if catalog:
        content["catalog"] = list(catalog)
    return {"token": content}


def catalog(cloud: Cloud, origin: str) -> list[dict[str, Any]]:
    """Every service under the address that the client came by."""
    return [
        {
            "endpoints": [
                {
                    "id": made_id(cloud, f"endpoint/{kind}/{interface}"),
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": origin + path,
                }
                for interface in INTERFACES
            ],
            "id": made_id(cloud, f"service/{kind}"),
            "name": name,
            "type": kind,
        }
        for kind, name, path in SERVICES
    ]


def project(found: Project, origin: str) -> dict[str, Any]:
    return {
        "id": id_text(found.id),
        "name": found.name,
        "domain_id": DOMAIN_ID,
        "description": "",
        "enabled": True,
        "parent_id": DOMAIN_ID,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": _links(origin, f"/projects/{id_text(found.id)}"),
    }


def user(account: Account, origin: str) -> dict[str, Any]:
    return {
        "id": id_text(account.id),
        "name": account.name,
        "domain_id": DOMAIN_ID,
        "default_project_id": id_text(account.project_id),
        "enabled": True,
        "password_expires_at": None,
        "options": {},
        "links": _links(origin, f"/users/{id_text(account.id)}"),
    }


def domain(origin: str) -> dict[str, Any]:
    return {
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "description": "The only domain of this cloud",
        "enabled": True,
        "tags": [],
        "options": {},
        "links": _links(origin, f"/domains/{DOMAIN_ID}"),
    }


def _links(origin: str, path: str) -> dict[str, str]:
    return {"self": f"{origin}{PREFIX}/v3{path}"}


def listed(name: str, rows: Iterable[Any], origin: str, path: str) -> dict[str, Any]:
    """A list is never cut into pages. Source: Keystone, `list_limit` unset."""
    return {name: list(rows), "links": {"next": None, "previous": None, **_links(origin, path)}}
