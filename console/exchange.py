"""One request over HTTP: its response, or a ClientError with a sentence. Every failure of the wire ends here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.port import ClientError
from console.sanitising import clean, sanitise

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 2.0

_OUTCOME_UNKNOWN = "it may have been carried out; look before repeating it"


def decode(body: bytes) -> Any:
    """JSON with every text sanitised. ASCII without escapes holds nothing to sanitise, which is nearly every list."""
    import orjson

    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Half of a pair of UTF-16 is no text, but other programs write it: one such name must not hide a whole list.
        if b"\\u" not in body:
            raise
        import json

        try:
            value = json.loads(body)
        except RecursionError as endless:
            raise ValueError("nested without end") from endless
    return value if body.isascii() and b"\\" not in body and b"\x7f" not in body else clean(value)


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    seconds: float,
    connect_seconds: float = CONNECT_SECONDS,
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """The response, whatever its status."""
    import httpx

    timeout = httpx.Timeout(seconds, connect=connect_seconds)
    try:
        return await http.request(method, url, params=params, content=content, headers=headers, timeout=timeout)
    except httpx.ConnectTimeout as failure:
        raise ClientError(f"no answer within {connect_seconds:g} s", "timeout", True) from failure
    except httpx.ConnectError as failure:
        raise ClientError(_connect_sentence(failure), "no_answer", True) from failure
    except httpx.TransportError as failure:
        raise _lost(failure, method, seconds) from failure
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as failure:
        raise ClientError(sanitise(str(failure)) or type(failure).__name__, "bad_address", False) from failure


def _connect_sentence(failure: Exception) -> str:
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, FileNotFoundError):
            return "its socket is gone"
        if isinstance(cause, PermissionError):
            return "its socket may not be opened"
        cause = cause.__cause__ or cause.__context__
    return sanitise(str(failure)) or "no connection"


def _lost(failure: httpx.TransportError, method: str, seconds: float) -> ClientError:
    """A connection that was made and brought no answer. A verb may have been carried out all the same."""
    import httpx

    if isinstance(failure, httpx.PoolTimeout | httpx.UnsupportedProtocol):
        method = "GET"
    if isinstance(failure, httpx.TimeoutException):
        return too_late(method, seconds)
    if method != "GET":
        return ClientError(f"the connection broke in the middle: {_OUTCOME_UNKNOWN}", "outcome_unknown", False)
    return ClientError("the connection broke", "broken", True)


def too_late(method: str, seconds: float) -> ClientError:
    """What a request comes to whose answer has not come in time."""
    if method != "GET":
        return ClientError(f"no answer within {seconds:g} s: {_OUTCOME_UNKNOWN}", "outcome_unknown", False)
    return ClientError(f"no answer within {seconds:g} s", "timeout", True)
