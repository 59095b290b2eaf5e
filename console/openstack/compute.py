"""Requests to the Compute API and the image service: tokens, microversions, faults, and how a cloud slows us down.

A token that has expired is replaced once and the request repeated. Servers are asked for at 2.71 at most: showing a
server of a silent cell fails at 2.98 and later, and nothing that is shown here needs more. A cloud that knows less is
asked in what it knows.

**Source**: Compute API reference, "Microversions", "Faults"; recorded answers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from console.exchange import decode, exchange, too_late
from console.openstack.login import Access, Login
from console.openstack.pace import Pace
from console.port import ClientError
from console.presentation.figures import in_units

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS = 20.0
LIST_SECONDS = 60.0
"""A real list takes seconds; one that waits for a silent cell takes minutes, or never ends."""
CONNECT_SECONDS = 5.0

WANTED = (2, 71)
LOWEST = (2, 1)
PARTIAL_SINCE = (2, 69)
"""From here on a list says UNKNOWN of a server whose cell does not answer; before, it leaves the server out."""

_SLOW_DOWN = frozenset({413, 429})
_CLASS = re.compile(r"\s*<class '([\w.]+)'>")


class Answer(NamedTuple):
    body: Any
    at: datetime | None
    """The cloud's own instant, which its changes are counted by."""


class Compute:
    """One cloud's Compute API. Methods raise ClientError."""

    def __init__(self, http: httpx.AsyncClient, login: Login, pace: Pace) -> None:
        self._http = http
        self._login = login
        self._pace = pace
        self._root: str | None = None
        self.version = LOWEST

    async def close(self) -> None:
        await self._http.aclose()

    async def access(self) -> Access:
        return await self._login.access()

    @property
    def says_unknown(self) -> bool:
        return self.version >= PARTIAL_SINCE

    async def negotiate(self, *, is_asked: bool = False) -> None:
        """Find out where the API is and what it speaks. Also how one finds out that it is there at all."""
        access = await self._login.access()
        url = access.compute_url
        answer = await self._send("GET", f"{url}/", is_asked=is_asked, is_plain=True)
        if answer.status_code == 404 and access.project_id and url.endswith(f"/{access.project_id}"):
            # Older catalogs have the project in the path, where there is no version document.
            root = url.removesuffix(f"/{access.project_id}")
            answer = await self._send("GET", f"{root}/", is_asked=is_asked, is_plain=True)
        if not answer.is_success and answer.status_code != 300:
            raise refused(answer)
        body = _decoded(answer)
        try:
            if "versions" in body:
                version = next(each for each in body["versions"] if str(each["id"]).startswith("v2.1"))
                url = f"{url}/v2.1"
            else:
                version = body["version"]
            most = _number(version.get("version") or "2.1")
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
            raise ClientError(
                "its compute service speaks no version that is known here", "bad_answer", False
            ) from error
        self._root = url
        self.version = min(most, WANTED)

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float = ANSWER_SECONDS,
        is_asked: bool = False,
    ) -> Answer:  # fmt: skip
        """What a GET brings, understood as JSON. `is_asked`: somebody waits for it, so the budget is no hindrance."""
        response = await self._speak("GET", path, params=params, seconds=seconds, is_asked=is_asked)
        return Answer(_decoded(response), _date(response))

    async def act(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What a verb brings; None where there is no body."""
        response = await self._speak(method, path, body=body, is_asked=True)
        return _decoded(response) if response.content.strip() else None

    async def images(self) -> Any:
        """What the image service has, or None where the cloud names none."""
        access = await self._login.access()
        if access.image_url is None:
            return None
        root = re.sub(r"/v\d[\d.]*$", "", access.image_url.rstrip("/"))
        response = await self._authenticated("GET", f"{root}/v2/images", params={"limit": "200"}, is_asked=True)
        if not response.is_success:
            raise refused(response)
        return _decoded(response)

    async def _speak(self, method: str, path: str, *, is_repeat: bool = False, **more: Any) -> httpx.Response:
        if self._root is None:
            await self.negotiate(is_asked=more.get("is_asked", False))
        response = await self._authenticated(method, f"{self._root}{path}", **more)
        if response.status_code == 406 and not is_repeat:
            # Another node of the same cloud, or a cloud that was downgraded, knows less.
            await self.negotiate(is_asked=more.get("is_asked", False))
            if _header_version(response) is not None:
                self.version = min(self.version, _header_version(response) or LOWEST)
            return await self._speak(method, path, is_repeat=True, **more)
        if not response.is_success:
            raise refused(response)
        return response

    async def _authenticated(self, method: str, url: str, **more: Any) -> httpx.Response:
        access = await self._login.access()
        response = await self._send(method, url, token=access.token, **more)
        if response.status_code != 401:
            return response
        access = await self._login.access(refused=access.token)
        return await self._send(method, url, token=access.token, **more)

    async def _send(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = ANSWER_SECONDS,
        is_asked: bool = False,
        is_plain: bool = False,
    ) -> httpx.Response:
        await self._pace.take(is_asked=is_asked)
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["X-Auth-Token"] = token
        if not is_plain:
            text = ".".join(map(str, self.version))
            headers |= {"OpenStack-API-Version": f"compute {text}", "X-OpenStack-Nova-API-Version": text}
        content = None
        if body is not None:
            import orjson

            content = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            # The wire's own limits are for each of its parts: an answer that trickles in would never end.
            async with asyncio.timeout(seconds):
                response = await exchange(
                    self._http,
                    method,
                    url,
                    seconds=seconds,
                    connect_seconds=CONNECT_SECONDS,
                    params=params,
                    content=content,
                    headers=headers,
                )
        except TimeoutError as failure:
            raise too_late(method, seconds) from failure
        wait = _retry_after(response)
        if response.status_code in _SLOW_DOWN or (response.status_code == 503 and wait is not None):
            self._pace.held(wait)
            text = f"{self._pace.held_seconds:.0f} s"
            raise ClientError(f"the cloud asks for fewer requests: none for {text}", "slow_down", True)
        return response


def refused(response: httpx.Response) -> ClientError:
    """A fault in a sentence: its message, without the words that say nothing."""
    status = response.status_code
    code, text = f"http_{status}", ""
    try:
        body = decode(response.content)
        (key, fault), *_ = body.items()
        text, code = str(fault["message"]), str(key)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        text = ""
    named = _CLASS.search(text)
    if status >= 500:
        inside = f" ({named[1].rsplit('.', 1)[-1]})" if named else ""
        text = f"the cloud failed with {status}{inside}"
    code = {401: "unauthorized", 403: "forbidden", 404: "not_found"}.get(status, code)
    if status == 401:
        text = "the cloud refuses the token, also a new one"
    return ClientError(in_units(_CLASS.sub("", text)).strip() or f"the cloud answered {status}", code, status >= 500)


def _decoded(response: httpx.Response) -> Any:
    try:
        return decode(response.content)
    except ValueError as failure:
        raise ClientError("the cloud answered something that is not understood", "bad_answer", False) from failure


def _number(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _header_version(response: httpx.Response) -> tuple[int, int] | None:
    """The highest that a refusal names."""
    found = re.search(r"maximum is (\d+)\.(\d+)", response.text)
    return (int(found[1]), int(found[2])) if found else None


def _date(response: httpx.Response) -> datetime | None:
    try:
        at = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds, also where the header names an instant: by the cloud's own clock."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), 3600.0)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = _date(response)
    return None if at is None or until.tzinfo is None else min(max(0.0, (until - at).total_seconds()), 3600.0)


@asynccontextmanager
async def understood() -> AsyncIterator[None]:
    """Around what makes records: an answer of another shape is a ClientError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as failure:
        raise ClientError("the cloud answered something that is not understood", "bad_answer", False) from failure
