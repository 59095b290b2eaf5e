"""`/accounts/action/`: logging in with a session instead of a password in each request.

A session is an issued token in the cookie `sessionid`; the cookie `csrftoken` is made of it. What changes anything has
to repeat that in `X-CSRFToken`, which a page of somebody else's cannot read.

Source: CloudSigma API 2.0, "Authentication". What `check_login` and `logout` answer is not published.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response

from backend.cloud.errors import Invalid
from backend.dialects import wire
from backend.dialects.cloudsigma import announcements
from backend.dialects.cloudsigma.bodies import LoginSent
from backend.dialects.cloudsigma.render import PREFIX
from backend.dialects.cloudsigma.table import CSRF_COOKIE, REALM, SESSION, SESSION_COOKIE, Visit, csrf_of

AccountAction = Callable[[Visit], Awaitable[Response]]


async def act(visit: Visit) -> Response:
    """Raises Invalid for an action that there is not, and as that."""
    action = ACTIONS.get(visit.word("do") or "")
    if action is None:
        raise Invalid("do", f"must be one of {', '.join(ACTIONS)}")
    return await action(visit)


async def _log_in(visit: Visit) -> Response:
    """200 with both cookies. Raises Invalid, WireError 401."""
    sent = wire.validated(LoginSent, await visit.content())
    credentials, accounts = visit.context.credentials, await visit.cloud.accounts()
    if not wire.is_password(credentials, sent.username, sent.password) or sent.username not in accounts:
        raise wire.unauthorized(f'Basic realm="{REALM}"')
    account = accounts[sent.username]
    token, _ = credentials.issue(account.name, None, (SESSION,), wall_now=visit.cloud.clock.wall_now())
    answer = wire.JsonAnswer({"uuid": account.id, "email": account.name})
    answer.set_cookie(SESSION_COOKIE, token, path=PREFIX, httponly=True, samesite="strict")
    answer.set_cookie(CSRF_COOKIE, csrf_of(token), path=PREFIX, samesite="strict")
    return answer


async def _log_out(visit: Visit) -> Response:
    """Ends the session, from now on. Without one there is nothing to end. Raises WireError 401, 403."""
    answer = wire.JsonAnswer({})
    if SESSION_COOKIE in visit.request.cookies:
        _, claims = await visit.session()
        await visit.context.credentials.revoke(claims, wall_now=visit.cloud.clock.wall_now())
    for name in (SESSION_COOKIE, CSRF_COOKIE):
        answer.delete_cookie(name, path=PREFIX)
    return answer


async def _check_login(visit: Visit) -> Response:
    """Who is logged in, with a session or a password. Raises WireError 401, 403."""
    account = await visit.account_of_request()
    return wire.JsonAnswer({"uuid": account.id, "email": account.name})


ACTIONS: Mapping[str, AccountAction] = {
    "login": _log_in,
    "logout": _log_out,
    "check_login": _check_login,
    "authenticate_asynchronous": announcements.authenticate,
}
