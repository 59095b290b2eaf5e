"""Tokens: asked for, looked at, revoked; and the catalog that comes with them.

Source: Identity API v3, "Authentication and token management".
"""

from __future__ import annotations

from starlette.responses import Response

from backend.cloud.errors import Forbidden, Invalid, NotFound
from backend.cloud.model import Account
from backend.dialects import openstack, wire
from backend.dialects.identity import render
from backend.dialects.identity.bodies import IdentitySent, ProjectSent, ScopeSent, TokenRequest
from backend.dialects.identity.table import Call
from backend.operations import accounts
from backend.store import Project
from backend.tokens import Claims

SUBJECT_HEADER = "X-Subject-Token"


async def issue(call: Call) -> Response:
    """201. Who asks proves it by each of the methods that the request names; the scope is looked at after that."""
    asked = wire.validated(TokenRequest, await call.content()).auth
    account, given_for = await _proved(call, asked.identity)
    project = await _project_of(call, account, asked.scope)
    methods = dict.fromkeys([*asked.identity.methods, *(given_for.methods if given_for else ())])
    token, claims = call.context.credentials.issue(
        account.name,
        project.id if project else None,
        tuple(methods),
        wall_now=call.cloud.clock.wall_now(),
        given_for=given_for,
    )
    return _told(call, token, claims, account, project, status=201)


async def validate(call: Call) -> Response:
    token, claims, account = await _subject(call, "identity:validate_token")
    return _told(call, token, claims, account, await _project(call, account, claims.project_id))


async def revoke(call: Call) -> Response:
    _, claims, _ = await _subject(call, "identity:revoke_token")
    await call.context.credentials.revoke(claims, wall_now=call.cloud.clock.wall_now())
    return Response(status_code=204)


async def catalog(call: Call) -> Response:
    holder = await call.holder()
    if holder.claims is not None and holder.claims.project_id is None:
        raise Forbidden("identity:get_auth_catalog", "the token is for no project, so no service takes it")
    services = render.catalog(call.cloud, call.origin)
    return wire.JsonAnswer({"catalog": services, "links": {"self": f"{call.origin}{call.request.url.path}"}})


def _told(
    call: Call, token: str, claims: Claims, account: Account, project: Project | None, *, status: int = 200
) -> Response:
    is_wanted = project is not None and "nocatalog" not in call.request.query_params
    services = render.catalog(call.cloud, call.origin) if is_wanted else ()
    content = render.token(call.cloud, claims, account, project, services)
    return wire.JsonAnswer(content, status, {SUBJECT_HEADER: token, "Vary": openstack.TOKEN_HEADER})


# ------------------------------------------------------------------------------------------------------- who it is


async def _proved(call: Call, identity: IdentitySent) -> tuple[Account, Claims | None]:
    """The account, not yet in any project, and the issued token that it was proved by. Raises Invalid, WireError 401.

    Every method must prove the same account.
    """
    found: dict[str, Account] = {}
    claims: Claims | None = None
    for method in identity.methods:
        if method == "password":
            account = await _by_password(call, identity)
        elif method == "token":
            account, claims = await _by_token(call, identity)
        else:
            raise openstack.unauthorized(
                call.request,
                f"Attempted to authenticate with an unsupported method: {method!r}; use password or token.",
            )
        found[account.id] = account
    if len(found) != 1:
        raise openstack.unauthorized(call.request)
    return next(iter(found.values())), claims


async def _by_password(call: Call, identity: IdentitySent) -> Account:
    if identity.password is None:
        raise Invalid("auth.identity", "Expecting to find password in identity, as its methods name it")
    user = identity.password.user
    known = await call.cloud.accounts()
    is_here = user.is_in_known_domain("auth.identity.password.user")
    if user.id is not None:
        id = openstack.find_id(user.id, (account.id for account in known.values()))
        name = next((account.name for account in known.values() if account.id == id), None)
    else:
        name = user.name if is_here else None
    is_right = wire.is_password(call.context.credentials, name, user.password)
    if not is_right or name not in known:
        raise openstack.unauthorized(call.request)
    return known[name]


async def _by_token(call: Call, identity: IdentitySent) -> tuple[Account, Claims | None]:
    if identity.token is None:
        raise Invalid("auth.identity", "Expecting to find token in identity, as its methods name it")
    holder = await wire.holder_of(identity.token.id, call.cloud, call.context.credentials)
    if holder is None:
        raise openstack.unauthorized(call.request)
    # A token of one project may be given for one of another: what counts is whose it is.
    return await call.cloud.account(holder.account.name), holder.claims


# --------------------------------------------------------------------------------------------------- for what it is


async def _project_of(call: Call, account: Account, scope: ScopeSent | str | None) -> Project | None:
    """Without a scope it is the account's own project, if it is a member of it. Raises Invalid, WireError 401."""
    if scope is None:
        return await _project(call, account, account.project_id)
    if isinstance(scope, str) or scope.is_unscoped:
        return None
    if scope.project is None:
        kind = next(iter(scope.model_fields_set))
        raise openstack.unauthorized(
            call.request,
            f"This cloud gives no token for a {kind}: ask for one with a project as its scope, or for one without.",
        )
    found = await _named(call, account, scope.project)
    if found is None:
        raise openstack.unauthorized(
            call.request,
            "Who asks is known, but has no role in the project that the scope names, or there is no such project. "
            f"GET {call.origin}{openstack.IDENTITY_PATH}/v3/auth/projects, with an unscoped token, lists its projects.",
        )
    return found


async def _named(call: Call, account: Account, wanted: ProjectSent) -> Project | None:
    is_here = wanted.is_in_known_domain("auth.scope.project")
    own = await accounts.list_projects(call.cloud, account)
    if wanted.id is not None:
        return await _project(call, account, openstack.find_id(wanted.id, (project.id for project in own)))
    return next((project for project in own if is_here and project.name == wanted.name), None)


async def _project(call: Call, account: Account, id: str | None) -> Project | None:
    own = await accounts.list_projects(call.cloud, account)
    return next((project for project in own if project.id == id), None)


async def _subject(call: Call, action: str) -> tuple[str, Claims, Account]:
    """The token that is asked about; another account's only by staff. Raises WireError 401, NotFound, Forbidden."""
    holder = await call.holder()
    token = call.request.headers.get(SUBJECT_HEADER)
    if not token:
        raise Invalid(SUBJECT_HEADER, "This header is required: it names the token that is asked about")
    subject = await wire.holder_of(token, call.cloud, call.context.credentials)
    if subject is None or subject.claims is None:
        raise NotFound("token", "none was issued here that reads so and still counts")
    if subject.account.id != holder.account.id and not holder.account.is_staff:
        raise Forbidden(action, "it is another account's token")
    return token, subject.claims, subject.account
