"""Who asks, by the token in `X-Auth-Token`: the one place where this API learns of accounts.

A token stands for an account and one project; what the account may do in other projects has no effect here.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from backend.cloud.model import Account
from backend.dialects.wire import Credentials, WireError
from backend.operations import Cloud

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  # the header's name
MESSAGE = "The request you have made requires authentication."


async def account_of_token(request: Request, cloud: Cloud, credentials: Credentials) -> Account:
    """The account, with the rights that it has in the token's project. Staff is Nova's admin.

    Raises:
        WireError: 401, the same for a token that is missing, wrong, or of nobody any more.
    """
    token = request.headers.get(TOKEN_HEADER)
    name = credentials.account_by_token(token) if token else None
    account = (await cloud.accounts()).get(name) if name is not None else None
    if account is None:
        host = request.headers.get("host", "localhost")
        challenge = f'Keystone uri="{request.url.scheme}://{host}/identity"'
        raise WireError(401, "unauthorized", MESSAGE, {"WWW-Authenticate": challenge})
    return in_project(account, account.project_id)


def in_project(account: Account, project_id: str) -> Account:
    """The same account, scoped."""
    only = frozenset({project_id})
    return replace(
        account,
        project_id=project_id,
        projects_read=only & (account.projects_read | account.projects_write),
        projects_write=only & account.projects_write,
    )
