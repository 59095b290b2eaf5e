"""What OpenStack's clients are told about a cloud: lines for a shell, or their `clouds.yaml`.

Source: openstacksdk, "Configuring OpenStack SDK Applications": the variables `OS_*` and the keys of the file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

CLOUD_NAME = "stratodeck"
REGION = "RegionOne"
DOMAIN = "Default"
IDENTITY_VERSION = "3"

LEFT_OVER = (
    "OS_CLOUD", "OS_TOKEN", "OS_AUTH_TYPE", "OS_USER_ID", "OS_USER_DOMAIN_ID", "OS_PROJECT_ID", "OS_PROJECT_DOMAIN_ID",
    "OS_TENANT_ID", "OS_TENANT_NAME", "OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_SYSTEM_SCOPE", "OS_ENDPOINT",
    "OS_INTERFACE", "OS_COMPUTE_API_VERSION",
)  # fmt: skip
"""What another cloud may have set, and which would count for this one too."""


class NotForAShell(Exception):
    """A variable of a shell cannot hold the value. `str()` names which."""


@dataclass(frozen=True, slots=True)
class Login:
    url: str
    """Of the identity service, with its version."""
    account: str
    password: str
    project: str
    """By name."""


def shell_lines(login: Login) -> Iterator[str]:
    """For any shell that is a POSIX one. Raises NotForAShell."""
    yield f"unset {' '.join(LEFT_OVER)}"
    for name, value in (
        ("OS_AUTH_URL", login.url),
        ("OS_USERNAME", login.account),
        ("OS_PASSWORD", login.password),
        ("OS_PROJECT_NAME", login.project),
        ("OS_USER_DOMAIN_NAME", DOMAIN),
        ("OS_PROJECT_DOMAIN_NAME", DOMAIN),
        ("OS_IDENTITY_API_VERSION", IDENTITY_VERSION),
        ("OS_REGION_NAME", REGION),
    ):
        if "\0" in value:
            raise NotForAShell(f"{name} has a NUL in it, which no variable can hold.")
        yield f"export {name}={shlex.quote(value)}"


def clouds_yaml(login: Login) -> Iterator[str]:
    """The lines of the file, with one cloud."""
    yield "clouds:"
    yield f"  {CLOUD_NAME}:"
    yield "    auth:"
    for key, value in (
        ("auth_url", login.url),
        ("username", login.account),
        ("password", login.password),
        ("project_name", login.project),
        ("user_domain_name", DOMAIN),
        ("project_domain_name", DOMAIN),
    ):
        yield f"      {key}: {_yaml_string(value)}"
    yield f"    region_name: {_yaml_string(REGION)}"
    yield f"    identity_api_version: {_yaml_string(IDENTITY_VERSION)}"


def _yaml_string(text: str) -> str:
    """In quotation marks, with everything but plain ASCII escaped: a reader refuses some characters as they are."""
    plain = (c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return f'"{"".join(plain)}"'
