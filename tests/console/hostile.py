"""Names that mean harm, put where a cloud's answers cross the wire: into the bytes of their JSON.

The demo's answers are recorded once and told again with other names. A name begins as it does in the demo, so that
lists stay in their order, and goes on with what is hostile, or with what is harmless and as wide.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

import httpx
import orjson

from console.client import ClientError, CloudClient
from console.presentation.mirror import Mirror
from console.presentation.widths import cells, graphemes
from console.records import Answer as Told
from console.sanitising import sanitise
from console.screens import views
from console.screens.backup_sources import BackupSources
from console.screens.places import Place
from tests.console.staging import Known
from tests.demo import NOW, Answer, Request, Steady

SERVER, HOST, CELL, GROUP, SCHEDULE, PROJECT = "web-31", "c2-h17", "cell-2", "web", "web nightly", "ledger"
RENAMED = (SERVER, HOST, CELL, SCHEDULE, PROJECT, "api-01", "erp-02", "search-03", "operator@stratodeck.local",
           "nova-compute", "search often")  # fmt: skip
"""What is renamed wherever it is told: a name in an event or in a sentence is hostile too."""
_NAMES = b"|".join(re.escape(each.encode()) for each in RENAMED) + rb"|(?:app|encode|render|crawl|train|proxy)-[0-9]+"
_IN_BODY = re.compile(rb'(?:%s|"web(?=")|group:web(?=")|"e=nv|"p,rod)' % _NAMES)
_KEPT = re.compile(rb"web-31|erp-02|api-01|search-03|c2-h17")
"""Rows that are looked for by their names."""
ROWS_MAX = 30
"""Of each recorded list: a thousand servers are read for every example."""


def in_json(text: str) -> bytes:
    """A text as it stands inside a string of JSON, with nothing in it that is not ASCII."""
    return re.sub(r"[^ !#-\[\]-~]", lambda sign: _escaped(sign[0]), text).encode()


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


def renamed(body: bytes, tail: str) -> bytes:
    """A body with the tail behind each name, and in tags and meta that were empty."""
    raw = in_json(tail)
    body = body.replace(b'"tags":[]', b'"tags":["e=nv"]').replace(b'"meta":{}', b'"meta":{"e=nv":"p,rod"}')
    return _IN_BODY.sub(lambda match: match[0] + raw, body)


def as_shown(text: str | None, tail: str) -> str | None:
    """A name, or a key with one in it, as the console knows it after the renaming."""
    if text is None:
        return None
    names = "|".join(re.escape(each) for each in (SERVER, HOST, CELL))
    return re.sub(rf"{names}|(?<=group:)web$|^web$", lambda match: match[0] + sanitise(tail), text)


def harmless(tail: str, narrow: str, wide: str) -> str:
    """A tail that is drawn in as many cells, sign by sign. What is quoted where it stands in JSON, and spaces, stay."""
    return "".join(sign if sign in ' "\\' else ("", narrow, wide)[cells(sign)] for sign in graphemes(sanitise(tail)))


class Renaming(httpx.AsyncBaseTransport):
    """A wire that tells other names, and takes them back in what is asked."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tail: str) -> None:
        self._inner = inner
        self._tail = tail

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shown = sanitise(self._tail)
        path, query = request.url.path.replace(shown, ""), unquote(request.url.query.decode()).replace(shown, "")
        url = request.url.copy_with(
            raw_path=quote(path).encode() + (b"?" + quote(query, "=&").encode() if query else b"")
        )
        content = request.content.decode().replace(shown, "").encode()
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        asked = httpx.Request(
            request.method, url, headers=headers, content=content or None, extensions=request.extensions
        )
        response = await self._inner.handle_async_request(asked)
        body = renamed(await response.aread(), self._tail)
        told = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=told, content=body)


class Recorded(httpx.AsyncBaseTransport):
    """A wire that answers what was answered before. Nothing ever changes."""

    def __init__(self, kept: Mapping[Request, Answer]) -> None:
        self._kept = {_asked(*asked): (status, _thinned(body)) for asked, (status, body) in kept.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/changes"):
            await asyncio.Event().wait()
        asked = _asked(request.method, request.url.raw_path.decode(), request.content)
        status, body = self._kept.get(asked, (404, b'{"error": {"code": "not_found", "message": "never recorded"}}'))
        return httpx.Response(status, headers={"content-type": "application/json"}, content=body)


def _asked(method: str, path: str, content: bytes) -> Request:
    return method, unquote(path).replace("+", " "), content


def _thinned(body: bytes) -> bytes:
    """A body whose long lists keep their first rows, and those with a name that is to be another."""
    return orjson.dumps(_thin(orjson.loads(body))) if body else body


def _thin(value: Any) -> Any:
    if isinstance(value, list) and len(value) > ROWS_MAX:
        wanted = [place for place, row in enumerate(value) if _KEPT.search(orjson.dumps(row))][:ROWS_MAX]
        return [_thin(value[place]) for place in sorted({*range(ROWS_MAX), *wanted})]
    if isinstance(value, list):
        return [_thin(each) for each in value]
    return {name: _thin(each) for name, each in value.items()} if isinstance(value, dict) else value


def client_of(wire: httpx.AsyncBaseTransport) -> CloudClient:
    return CloudClient(httpx.AsyncClient(transport=wire, base_url="http://stratodeck"))


async def known_through(client: CloudClient, places: Iterable[Place]) -> Known:
    """All that the places need, asked for through the real client."""
    mirror = Mirror()

    async def deliver(answer: Told) -> None:
        nonlocal mirror
        mirror = mirror.apply(answer, NOW)

    await deliver(await client.hello())
    for ask in (client.status, client.hosts, client.tasks, client.services, client.billing, client.audit):
        await deliver(await ask())
    await deliver(await client.events())
    first = page = await client.servers_page(limit=1000)
    await deliver(first)
    while page.next is not None:
        page = await client.servers_page(after=page.next, limit=1000)
        await deliver(page)
    for cell in first.unreachable:
        await deliver(await client.servers_page(cell=cell, limit=1000))
    mirror = mirror.drives_begun()
    drives = await client.drives_page(limit=1000)
    await deliver(drives)
    while drives.next is not None:
        drives = await client.drives_page(after=drives.next, limit=1000)
        await deliver(drives)
    sources, held = BackupSources(lambda: NOW), {}
    for place in places:
        for source in sources.due(views.wanted(place, mirror), mirror.protection):
            with suppress(ClientError):
                await sources.read(client, source, deliver)
        ask_about = views.asking(client, mirror, place)
        if ask_about is not None and place.scope is not None:
            with suppress(ClientError):
                held[place] = {place.scope: await ask_about()}
    await client.close()
    return Known(mirror, held)


def renaming(tail: str) -> Any:
    """What lies between a console's client and its wire."""
    return lambda wire: Renaming(wire, tail)


def keeping(wire: Steady) -> Steady:
    """The wire, which from now on keeps what it answers."""
    wire.kept = {}
    return wire
