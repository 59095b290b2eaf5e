"""Microversions and the version documents: what Nova's clients ask before anything else.

**Source**: `nova.api.openstack.api_version_request` and the recorded answers of Nova 34.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from backend.dialects.wire import WireError

MINOR_MIN = 1
MINOR_MAX = 100
"""Nova 34 goes to 2.104. 2.100 is the highest that openstacksdk asks for of servers, so nothing later would be used,
and all that changed up to there in what is served here is served: the last are `scheduler_hints` (2.100) and the
properties of an image (2.98)."""

SERVICE = "compute"
HEADER = "OpenStack-API-Version"
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"

PREFIX = "/compute"
ROOT = PREFIX + "/v2.1"

_NUMBER = re.compile(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)")
_TEXT_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class Version:
    """A microversion: the major number is always 2 once it is negotiated."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


LOWEST = Version(2, MINOR_MIN)
HIGHEST = Version(2, MINOR_MAX)


class Unsupported(WireError):
    """A version that is one, and not ours: the answer names it in its headers, as Nova does."""

    def __init__(self, asked: Version) -> None:
        super().__init__(
            406,
            "unsupported_version",
            f"Version {asked} is not supported by the API. Minimum is {LOWEST} and maximum is {HIGHEST}.",
        )
        self.asked = asked


def negotiate(request: Request) -> Version:
    """The version that a request asks for in either header, the lowest where it asks for none.

    Raises:
        Unsupported: 406. WireError: 400 for what is no version.
    """
    text = _asked_for(request)
    if text is None:
        return LOWEST
    if text.lower() == "latest":
        return HIGHEST
    found = _NUMBER.fullmatch(text)
    if found is None:
        shown = text[:_TEXT_LENGTH_MAX]
        message = f"API Version String {shown} is of invalid format. Must be of format MajorNum.MinorNum."
        raise WireError(400, "bad_version", message)
    version = Version(int(found[1]), int(found[2]))
    if version.major != 2 or not MINOR_MIN <= version.minor <= MINOR_MAX:
        raise Unsupported(version)
    return version


def _asked_for(request: Request) -> str | None:
    for part in reversed(",".join(request.headers.getlist(HEADER)).split(",")):
        service, _, version = part.strip().partition(" ")
        if service.lower() == SERVICE:
            return version.strip()
    legacy = request.headers.get(LEGACY_HEADER)
    return None if legacy is None else legacy.strip()


def version_headers(version: Version) -> Mapping[str, str]:
    return {HEADER: f"{SERVICE} {version}", LEGACY_HEADER: str(version)}


# ------------------------------------------------------------------------------------------------------------ documents

_UPDATED = "2013-07-23T11:33:21Z"
_MEDIA_TYPES = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]


def base_of(request: Request) -> str:
    """`http://host:port`, as the client called us."""
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"


def _self(base: str) -> dict[str, str]:
    return {"rel": "self", "href": f"{base}{ROOT}/"}


def _summary(base: str) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": str(HIGHEST),
        "min_version": str(LOWEST),
        "updated": _UPDATED,
        "links": [_self(base)],
    }


def all_versions(base: str) -> dict[str, Any]:
    return {"versions": [_summary(base)]}


def one_version(base: str) -> dict[str, Any]:
    described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    return {"version": {**_summary(base), "links": [_self(base), described], "media-types": _MEDIA_TYPES}}


def choices(base: str, path: str) -> dict[str, Any]:
    """For a path without a version: where it would be with one."""
    choice = {
        "id": "v2.1",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": f"{base}{ROOT}{path}"}],
        "media-types": _MEDIA_TYPES,
    }
    return {"choices": [choice]}
