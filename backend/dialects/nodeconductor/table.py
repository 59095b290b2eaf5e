"""Who asks, and errors of NodeConductor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from backend.cloud.errors import (
    CloudError,
    Conflict,
    DiskFull,
    Forbidden,
    Invalid,
    NoCapacity,
    NoFunds,
    NotFound,
    OutcomeUnknown,
    OverQuota,
    Unreachable,
    WrongState,
)
from backend.cloud.model import MIB, Account, BackupState
from backend.dialects import wire
from backend.operations import Cloud

PREFIX = "/api"
AUTH_PREFIX = "/api-auth"

ERRORS: Mapping[type[CloudError], int] = {
    NotFound: 404,
    Forbidden: 403,
    WrongState: 409,
    Invalid: 400,
    Conflict: 409,
    OverQuota: 400,
    NoFunds: 409,
    NoCapacity: 409,
    Unreachable: 409,
    DiskFull: 409,
    OutcomeUnknown: 409,
}
"""The status of each. **Source**: Waldur, `QuotaValidationError`, for the quota; its API knows no 503."""

FIELDS = {
    "time_zone": "timezone",
    "retention_days": "retention_time",
    "backups_max": "maximal_number_of_backups",
    "jitter_seconds": "jitter",
    "keeps": "keep",
    "target_seconds": "recovery_point",
    "drill_days": "drill_interval",
    "name": "hostname",
}
"""What operations call a field by another published name."""

NOT_FOUND = "Not found"
NOT_ALLOWED = "You do not have permission to perform this action."

STATES: Mapping[str, str] = {
    BackupState.BACKING_UP: "Backing up",
    BackupState.READY: "Ready",
    BackupState.RESTORING: "Restoring",
    BackupState.DELETING: "Deleting",
    BackupState.ERRED: "Erred",
}


class FieldsRefused(wire.WireError):
    """Everything that is wrong with what was sent, by field."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__(400, "invalid", next(iter(next(iter(fields.values())))))
        self.fields = dict(fields)


def refuse(error: wire.Refusal) -> Response:
    """**Source**: Django REST framework 2.3: `detail`, or the messages by field."""
    if isinstance(error, FieldsRefused):
        return wire.JsonAnswer(error.fields, 400)
    if isinstance(error, wire.WireError):
        message = NOT_FOUND if error.status == 404 and error.code == "not_found" else error.message
        return wire.JsonAnswer({"detail": message}, error.status, error.headers)
    status = wire.mapped(ERRORS, error)
    if isinstance(error, Invalid):
        if error.field == "body":
            return wire.JsonAnswer({"detail": f"The body {error.problem}."}, status)
        problem = error.problem[:1].upper() + error.problem[1:].rstrip(".") + "."
        return wire.JsonAnswer({FIELDS.get(error.field, error.field): [problem]}, status)
    if isinstance(error, OverQuota):
        return wire.JsonAnswer({"detail": _over_quota(error)}, status)
    return wire.JsonAnswer({"detail": _sentence(error)}, status)


def _over_quota(error: OverQuota) -> str:
    wanted, left, unit = error.wanted, error.left, ""
    if error.resource in ("mem", "storage"):
        wanted, left, unit = -(-error.wanted // MIB), error.left // MIB, " MiB"
    name = {"servers": "instances", "cpu": "CPU", "mem": "memory", "storage": "storage"}[error.resource]
    return (
        f"The {name} quota would be exceeded: {wanted}{unit} are required, {left}{unit} are available. "
        "Delete what is not needed, or have the quota raised."
    )


def _sentence(error: CloudError) -> str:
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Forbidden):
        return NOT_ALLOWED
    if isinstance(error, WrongState) and error.kind == "backup":
        hint = "Wait until it is Ready." if error.state in ("backing_up", "restoring") else "Take another one."
        return f"Cannot {error.action} a backup in state '{STATES[error.state]}'. {hint}"
    return str(error)


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers share."""

    cloud: Cloud
    credentials: wire.Credentials


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an account."""

    context: Context
    request: Request
    account: Account

    @property
    def cloud(self) -> Cloud:
        return self.context.cloud

    @property
    def origin(self) -> str:
        """`http://HOST` as the client wrote it: what is answered leads back the way that the request came."""
        return f"{self.request.url.scheme}://{self.request.headers['host']}"


def unauthorized(message: str) -> wire.WireError:
    return wire.WireError(401, "unauthorized", message, {"WWW-Authenticate": "Token"})


async def account_of_token(request: Request, context: Context) -> Account:
    """By `Authorization: Token ...`; another scheme is as none. Raises WireError 401.

    **Source**: Django REST framework 2.3, `TokenAuthentication`, its texts.
    """
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "token":
        raise unauthorized("Authentication credentials were not provided.")
    words = rest.split()
    if not words:
        raise unauthorized("Invalid token header. No credentials provided.")
    if len(words) > 1:
        raise unauthorized("Invalid token header. Token string should not contain spaces.")
    holder = await wire.holder_of(words[0], context.cloud, context.credentials)
    if holder is None:
        raise unauthorized("Invalid token")
    return holder.account


def method_not_allowed(request: Request, allowed: list[str]) -> wire.WireError:
    message = f"Method '{request.method}' not allowed."
    return wire.WireError(405, "method_not_allowed", message, {"Allow": ", ".join(sorted(allowed))})
