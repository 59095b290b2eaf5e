"""What the OpenStack dialects share: `X-Auth-Token`, ids without dashes, and where each service answers.

A token is the lasting one of `credentials.toml`, which acts in the account's own project, or one that
`POST /identity/v3/auth/tokens` issued, which acts in the project that it is for.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid5

from starlette.requests import Request

from backend.cloud.errors import Forbidden
from backend.cloud.model import Account
from backend.dialects import wire
from backend.operations import Cloud

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  the header's name
REQUEST_ID_HEADER = "X-OpenStack-Request-Id"
REGION = "RegionOne"
DOMAIN_ID = "default"
DOMAIN_NAME = "Default"

COMPUTE_PATH = "/compute/v2.1"
IDENTITY_PATH = "/identity"
IMAGE_PATH = "/image"

UNAUTHORIZED = "The request you have made requires authentication."


def origin(request: Request) -> str:
    """`http://HOST` as the client wrote it: what is answered leads back the way that the request came."""
    return f"{request.url.scheme}://{request.headers['host']}"


def unauthorized(request: Request, message: str = UNAUTHORIZED) -> wire.WireError:
    challenge = f'Keystone uri="{origin(request)}{IDENTITY_PATH}"'
    return wire.WireError(401, "unauthorized", message, {"WWW-Authenticate": challenge})


async def holder_of_token(request: Request, cloud: Cloud, credentials: wire.Credentials) -> wire.Holder:
    """Who asks, by `X-Auth-Token`; with a token for no project too. Raises WireError 401."""
    token = request.headers.get(TOKEN_HEADER)
    holder = await wire.holder_of(token, cloud, credentials) if token else None
    if holder is None:
        raise unauthorized(request)
    return holder


async def account_of_token(request: Request, cloud: Cloud, credentials: wire.Credentials) -> Account:
    """Who asks, acting in one project: `project_id` is that of the token, and reads and writes end with it.

    Raises:
        WireError: 401 without a token that counts.
        Forbidden: the token is for no project.
    """
    holder = await holder_of_token(request, cloud, credentials)
    account = holder.account
    if holder.claims is not None and holder.claims.project_id is None:
        raise Forbidden("use this service", "the token is for no project; ask for one with a project as its scope")
    scoped = account.acting_in(account.project_id)
    if scoped is None:
        raise Forbidden("use this service", "the account is no member of its own project; ask for a token of another")
    return scoped


def id_text(id: str) -> str:
    """The id of a project or an account as Keystone writes it.

    Source: Keystone: `uuid.uuid4().hex`, so without dashes; Nova's servers and Glance's images have them.
    """
    return id.replace("-", "")


def find_id(given: str, ids: Iterable[str]) -> str | None:
    """Which of `ids` was meant, written with dashes or without."""
    wanted = id_text(given).lower()
    return next((id for id in ids if id_text(id) == wanted), None)


def made_id(cloud: Cloud, name: str) -> str:
    """The id of what has none of its own here: a role, an endpoint. The same in every answer of this cloud."""
    return uuid5(UUID(cloud.store.cloud_id), name).hex
