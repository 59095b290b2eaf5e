"""What dialects share: the parts of HTTP that no published API is about.

Nothing here knows a path, an envelope or a field. A request passes the `Guard` (is it meant for us, is it small
enough), then the `Resource` of its path, which picks the handler by method and turns whatever was refused into the
dialect's own answer. Bugs are not caught.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

from backend.clock import monotonic_seconds
from backend.cloud.errors import CloudError, Invalid
from backend.cloud.model import Account
from backend.dialects.requests import Requests
from backend.operations import Cloud, RequestKey
from backend.operations.kept import Kept
from backend.quoting import shown
from backend.tokens import Claims

BODY_BYTES_MAX = 2**20
"""The largest body that is read; more is refused while it arrives."""

INTEGER_MAX = 2**63 - 1
"""The largest integer that the store can hold."""

REQUEST_ID_HEADER = "X-REQUEST-ID"
IDEMPOTENCY_HEADER = "Idempotency-Key"

AVOID_LENGTH_MAX = 1000
"""Ids in one avoid list. Nobody has so many reasons, and each is looked up."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]|stratodeck", re.IGNORECASE)

TModel = TypeVar("TModel", bound=BaseModel)
T = TypeVar("T")


# --------------------------------------------------------------------------------------------------------- refusals


class WireError(Exception):
    """A request that is refused before any operation is asked: `status`, a stable `code`, a sentence, extra headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def unauthorized(challenge: str) -> WireError:
    """One answer for every reason, so that nobody learns which names exist."""
    return WireError(401, "unauthorized", "The credentials are missing or wrong.", {"WWW-Authenticate": challenge})


def no_such_path(path: str) -> WireError:
    return WireError(404, "not_found", f"There is nothing at {path}.")


def method_not_allowed(method: str, allowed: Iterable[str]) -> WireError:
    names = ", ".join(sorted(allowed))
    return WireError(405, "method_not_allowed", f"{method} is not possible here; {names} is.", {"Allow": names})


def too_large() -> WireError:
    return WireError(413, "too_large", f"The body is larger than {BODY_BYTES_MAX} bytes.")


def bad_host() -> WireError:
    return WireError(400, "bad_host", "The Host header does not name this server.")


Refusal = CloudError | WireError
Refuse = Callable[[Refusal], Response]
"""How a dialect answers a refusal."""


def mapped(table: Mapping[type[CloudError], T], error: CloudError) -> T:
    """The table's entry for this class or the nearest one above it."""
    for cls in type(error).__mro__:
        if cls in table:
            return table[cls]
    raise AssertionError(f"no entry for {type(error).__name__}")


def bad_origin() -> WireError:
    return WireError(403, "bad_origin", "The Origin header says that a page of another site asks.")


# ------------------------------------------------------------------------------------------------------------ guard


class Guard:
    """An ASGI wrapper around everything: refuses requests for another host, and bodies that say they are too large.

    The Host header is checked because a page in the operator's browser could otherwise reach a loopback port under a
    name of its own (DNS rebinding); and the Origin header, because a browser that knows a password sends it along with
    whatever any page asks for. A refusal has the shape of the dialect that the path belongs to.
    """

    def __init__(self, app: Starlette, *, hosts: Iterable[str] = (), requests: Requests | None = None) -> None:
        self.app = app
        self.requests = requests
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self.requests is None:
            await self._pass(scope, receive, send)
            return
        begun = monotonic_seconds()
        try:
            await self._pass(scope, receive, send)
        except BaseException as error:
            self.requests.took(scope, begun, error)
            raise
        self.requests.took(scope, begun)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        hosts: list[str] = []
        length = b""
        origin: str | None = None
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value.decode("latin-1"))
            elif name == b"content-length":
                length = value
            elif name == b"origin":
                origin = value.decode("latin-1")
        if len(hosts) != 1 or not self.names_us(hosts[0]):
            await self._refuse(bad_host(), scope, receive, send)
        elif origin is not None and origin.partition("://")[2].lower() != hosts[0].lower():
            await self._refuse(bad_origin(), scope, receive, send)
        elif length and not (length.isdigit() and len(length) < 16 and int(length) <= BODY_BYTES_MAX):
            await self._refuse(too_large(), scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def names_us(self, host: str) -> bool:
        """Whether a Host header is a loopback name, `stratodeck`, or a name that we listen on; ports do not matter."""
        name = re.sub(r":\d{0,5}$", "", host)
        return bool(_LOOPBACK.fullmatch(name)) or name.lower() in self.hosts

    async def _refuse(self, error: WireError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refuse = refuse_plainly
        for route in self.app.routes:
            if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
                refuse = getattr(route.endpoint, "refuse", refuse_plainly)
                scope["route"] = route
                break
        await _answer(refuse(error), scope, receive, send)


class Anything(PathConvertor):
    """The rest of a path whatever it holds: Starlette's own ends at a line's end, and `%0A` is one."""

    regex = "(?s:.*)"


register_url_convertor("anything", Anything())


def route(path: str, endpoint: Resource | UnknownPath) -> Route:
    """A route that takes every method. What a path is as a pattern is found out once in a process, which may open many
    clouds: rehearsals and looks into the past each have their own.
    """
    made = copy(_compiled(path))
    made.endpoint = made.app = endpoint
    return made


@cache
def _compiled(path: str) -> Route:
    return Route(path, UnknownPath(refuse_plainly))


class DialectRouter(Router):
    """Tries only the routes of a path's own dialect, and a path without parameters at once.

    So a request costs no more for the dialects, and for the paths, that it is not about.
    """

    def __init__(self, dialects: Mapping[str, Sequence[BaseRoute]]) -> None:
        """`dialects` are the routes of each by their common prefix; in each the first that matches is taken."""
        super().__init__([route for routes in dialects.values() for route in routes])
        self._dialects = tuple(dialects.items())
        self._plain = {route.path: (route,) for route in reversed(self.routes) if isinstance(route, Route)}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        for route in self._plain.get(path) or self._of_prefix(path):
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope["route"] = route
                scope.update(found)
                await route.handle(scope, receive, send)
                return
        await super().app(scope, receive, send)

    def _of_prefix(self, path: str) -> Sequence[BaseRoute]:
        return next((routes for prefix, routes in self._dialects if path.startswith(prefix)), ())


def guarded(app: Starlette, *, hosts: Iterable[str] = (), requests: Requests | None = None) -> Guard:
    """`app` behind a Guard. `hosts` are the names, without ports, that it answers to besides the loopback's."""
    return Guard(app, hosts=hosts, requests=requests)


async def _answer(
    response: Response, scope: Scope, receive: Receive, send: Send, id_headers: Sequence[str] = ()
) -> None:
    """Each answer bears the id of its request, also what is refused before anybody asks what it is about."""
    request = Request(scope)
    response.headers[REQUEST_ID_HEADER] = request_id(request)
    for name in id_headers:
        response.headers[name] = openstack_request_id(request)
    scope["stratodeck.response"] = response
    await response(scope, receive, send)


def refuse_plainly(error: Refusal) -> Response:
    """For paths that belong to no dialect."""
    status = error.status if isinstance(error, WireError) else 400
    return Response(f"{error}\n", status, media_type="text/plain")


async def _nothing_here(request: Request, error: Exception) -> Response:
    response = refuse_plainly(no_such_path(request.url.path))
    response.headers[REQUEST_ID_HEADER] = request_id(request)
    return response


EXCEPTION_HANDLERS = {HTTPException: _nothing_here}
"""For the wiring: what is left to the framework is only the paths that belong to no dialect."""


# -------------------------------------------------------------------------------------------------------- resources

Handler = Callable[[Request], Awaitable[Response]]


class Resource:
    """One path as an ASGI endpoint: the handler by method, and every refusal in the dialect's shape."""

    def __init__(self, handlers: Mapping[str, Handler], refuse: Refuse, id_headers: Sequence[str] = ()) -> None:
        """`id_headers` are where clients of OpenStack look for the id of a request, beside everybody's own."""
        self.id_headers = id_headers
        self.handlers = dict(handlers)
        if "GET" in self.handlers:
            self.handlers.setdefault("HEAD", self.handlers["GET"])
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            handler = self.handlers.get(request.method)
            if handler is None:
                raise method_not_allowed(request.method, self.handlers)
            response = await handler(request)
        except (CloudError, WireError) as error:
            response = self.refuse(error)
        except ClientDisconnect:
            return  # nobody is left to answer
        await _answer(response, scope, receive, send, self.id_headers)


class UnknownPath:
    """An endpoint for the rest of a dialect's prefix: 404 in its own shape."""

    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _answer(self.refuse(no_such_path(str(scope["path"]))), scope, receive, send)


# ------------------------------------------------------------------------------------------------------ credentials


class Credentials(Protocol):
    """Who may come in. Implementations compare secrets with `same_secret`."""

    def password_of(self, account_name: str) -> str | None: ...

    def account_by_token(self, token: str) -> str | None:
        """Whose lasting token it is."""

    def token_of(self, account_name: str) -> str | None:
        """The account's lasting token."""

    def claims_of(self, token: str, *, wall_now: datetime) -> Claims | None:
        """What an issued token says, as long as it counts."""

    def issue(
        self,
        account_name: str,
        project_id: str | None,
        methods: Sequence[str],
        *,
        wall_now: datetime,
        given_for: Claims | None = None,
    ) -> tuple[str, Claims]: ...

    async def revoke(self, claims: Claims, *, wall_now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Who came in with a token."""

    account: Account
    """Acting in the token's project alone, where an issued token has one."""
    claims: Claims | None
    """What an issued token says; None: it is the account's lasting one."""


async def holder_of(token: str, cloud: Cloud, credentials: Credentials) -> Holder | None:
    """Whose token it is, lasting or issued. None also when its account is gone, or is no member of its project now."""
    accounts = await cloud.accounts()
    name = credentials.account_by_token(token)
    if name is not None:
        return Holder(accounts[name], None) if name in accounts else None
    claims = credentials.claims_of(token, wall_now=cloud.clock.wall_now())
    if claims is None or claims.account not in accounts:
        return None
    account = accounts[claims.account]
    scoped = account if claims.project_id is None else account.acting_in(claims.project_id)
    return None if scoped is None else Holder(scoped, claims)


def is_password(credentials: Credentials, account_name: str | None, password: str) -> bool:
    """Whether the account has this password. An unknown name costs a comparison too."""
    wanted = None if account_name is None else credentials.password_of(account_name)
    is_same = same_secret(password, wanted if wanted is not None else secrets.token_hex(16))
    return is_same and wanted is not None


def same_secret(given: str, wanted: str) -> bool:
    """In a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass"))


def _scheme_and_rest(request: HTTPConnection, scheme: str) -> str | None:
    found, _, rest = request.headers.get("authorization", "").partition(" ")
    return rest.strip() if found.lower() == scheme else None


async def account_of_bearer(request: Request, cloud: Cloud, credentials: Credentials, realm: str) -> Account:
    """By its lasting token, or an issued one. Raises WireError 401."""
    token = _scheme_and_rest(request, "bearer")
    holder = await holder_of(token, cloud, credentials) if token else None
    if holder is None:
        raise unauthorized(f'Bearer realm="{realm}"')
    return holder.account


async def account_of_basic(request: HTTPConnection, cloud: Cloud, credentials: Credentials, realm: str) -> Account:
    """Raises WireError 401. An unknown name costs a comparison too."""
    encoded = _scheme_and_rest(request, "basic")
    name = None
    if encoded is not None:
        try:
            given, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            given, password = "", ""
        if is_password(credentials, given, password):
            name = given
    accounts = await cloud.accounts()
    if name is None or name not in accounts:
        raise unauthorized(f'Basic realm="{realm}"')
    return accounts[name]


# --------------------------------------------------------------------------------------------------- ids of requests


def request_id(request: Request) -> str:
    """The client's own `X-Request-Id` where it is one, or a new one; the same throughout a request."""
    found = request.scope.get("stratodeck.request_id")
    if found is None:
        told = request.headers.get("x-request-id", "")
        found = told if _REQUEST_ID.fullmatch(told) else secrets.token_hex(16)
        request.scope["stratodeck.request_id"] = found
    return str(found)


def openstack_request_id(request: Request) -> str:
    """`req-` and a UUID: the id that this request was given here, as OpenStack's services write it.

    Source: oslo.middleware, request_id: always one of the service's own, whatever the client's is.
    """
    found = request.scope.get("stratodeck.openstack_request_id")
    if found is None:
        own = request_id(request)
        known = UUID(own) if _HEX_ID.fullmatch(own) else UUID(bytes=secrets.token_bytes(16))
        found = request.scope["stratodeck.openstack_request_id"] = f"req-{known}"
    return str(found)


def request_key(request: Request, body: bytes, account: Account) -> RequestKey | None:
    """What makes a repeat recognisable, when the client wants it to be: the key belongs to the account.

    Raises Invalid for a key that is empty, too long or not printable ASCII.
    """
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid(IDEMPOTENCY_HEADER, "must be 1 to 255 printable ASCII characters")
    whole = b"\n".join((request.method.encode(), request.url.path.encode(), request.url.query.encode(), body))
    return RequestKey(f"{account.name} {key}", hashlib.sha256(whole).hexdigest())


# ------------------------------------------------------------------------------------------------------------ bodies


async def read_body(request: Request) -> bytes:
    """The whole body, counted while it arrives. Raises WireError 413 as soon as it is too large."""
    chunks: list[bytes] = []
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > BODY_BYTES_MAX:
            raise too_large()
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_json(body: bytes) -> Any:
    """Raises Invalid. An empty body is an empty object: clients post actions without one."""
    if not body.strip():
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("body", f"is not JSON: {error}") from None


def validated(model: type[TModel], value: Any) -> TModel:
    """`value` as the model. Raises Invalid for the first thing that is wrong, under the name that the client used."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise Invalid(field, _problem(first["type"], first["msg"])) from None


REQUIRED = "This field is required"
"""Source: CloudSigma API 2.0, "Errors": the message of a missing field."""


def _problem(kind: str, message: str) -> str:
    if kind == "missing":
        return REQUIRED
    if kind == "extra_forbidden":
        return "is not known here"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


class JsonAnswer(Response):
    """Rendered by orjson; `content` may hold fragments that are JSON already. Bytes are a whole body of it."""

    media_type = "application/json; charset=utf-8"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content if isinstance(content, bytes) else orjson.dumps(content), status, headers)


class Fragments:
    """Finished JSON by id, the newest version of each, up to `count_max` of them.

    When it is full the older half goes: a scan of a large fleet costs its rendering again, and no bookkeeping.
    """

    def __init__(self, count_max: int = 16_384) -> None:
        self._count_max = count_max
        self._kept: dict[str, tuple[Hashable, orjson.Fragment]] = {}

    def of(self, id: str, version: Hashable, render: Callable[[], Any]) -> orjson.Fragment:
        """What `render` answered for this version; it must depend on nothing else."""
        found = self._kept.get(id)
        if found is not None and found[0] == version:
            return found[1]
        fragment = orjson.Fragment(_dumped_to_keep(render()))
        if len(self._kept) >= self._count_max:
            for old in list(self._kept)[: self._count_max // 2]:
                del self._kept[old]
        self._kept[id] = (version, fragment)
        return fragment

    def forget(self, ids: Iterable[str]) -> None:
        """What is gone is never asked for again."""
        for id in ids:
            self._kept.pop(id, None)


async def json_of(make: Callable[[], Awaitable[Any]]) -> bytes:
    """A body that is kept."""
    return _dumped_to_keep(await make())


def _dumped_to_keep(content: Any) -> bytes:
    """JSON in no more memory than it needs: what orjson returns may hold the whole of its buffer, 16 KB for a row."""
    return bytes(memoryview(orjson.dumps(content)))


def kept_answers(cloud: Cloud) -> Kept[bytes]:
    """Whole bodies: a list that many clients ask for is made once."""
    return Kept(lambda: cloud.store.revision, seconds_max=0.5, cost=len, cost_max=16 * 2**20)


# ---------------------------------------------------------------------------------------------------------- instants


def instant_text(at: datetime) -> str:
    """`2026-11-20T14:03:27Z`, with milliseconds when there are any. `at` is aware UTC."""
    if not at.microsecond:
        return at.isoformat()[:-6] + "Z"
    return at.isoformat(timespec="milliseconds" if at.microsecond >= 1000 else "seconds")[:-6] + "Z"


def exact_instant_text(at: datetime) -> str:
    """`2026-11-20T14:03:27.123456Z`, with microseconds when there are any. `at` is aware UTC."""
    return at.isoformat()[:-6] + "Z"


def instant_text_or_none(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)


# ------------------------------------------------------------------------------------------------------ small values


def permille(share: float) -> int:
    """A share in thousandths, rounded up: nobody gets less than was asked for."""
    return math.ceil(round(share * 1000, 6))


def avoid_list(given: Sequence[str]) -> tuple[str, ...]:
    """An avoid list as the cloud knows ids: with dashes, in small letters, in the order given.

    Whatever a UUID stands for is no mistake: what is unknown, invisible, of the wrong kind or the thing itself has no
    effect, and keeps its place.

    Raises:
        Invalid: something that is no UUID, or too many.
    """
    if len(given) > AVOID_LENGTH_MAX:
        raise Invalid(
            "avoid", f"may have at most {AVOID_LENGTH_MAX:,} UUIDs, not {len(given):,}: leave out the last ones"
        )
    found = []
    for place, id in enumerate(given, start=1):
        if not _UUID.fullmatch(id):
            raise Invalid("avoid", f"must be a list of UUIDs, and its entry {place} is {shown(id)}")
        found.append(str(UUID(id)))
    return tuple(found)


def comma_list(text: str | None) -> tuple[str, ...]:
    """The parts of a comma list, without the empty ones. Nothing else is wrong with any text."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()
