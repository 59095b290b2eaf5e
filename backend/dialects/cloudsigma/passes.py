"""What lets one in to the websocket: a cookie that says who, until when, and that we have said so."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from backend.dialects import wire

PASS_SECONDS = 120
"""Source: CloudSigma API 2.0, "Asynchronous server", "Authentication"."""


class Passes:
    """Gives them, and knows its own; another process has another key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def give(self, account: str, *, wall_now: datetime) -> str:
        until = int((wall_now + timedelta(seconds=PASS_SECONDS)).timestamp())
        said = base64.urlsafe_b64encode(account.encode()).decode().rstrip("=") + f".{until}"
        return f"{said}.{self._proof(said)}"

    def account_of(self, cookie: str, *, wall_now: datetime) -> str | None:
        """Its name; None for a cookie that has ended, or is none of ours."""
        said, _, proof = cookie.rpartition(".")
        if not wire.same_secret(proof, self._proof(said)):
            return None
        name, _, until = said.rpartition(".")
        if int(until) <= wall_now.timestamp():
            return None
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()

    def _proof(self, said: str) -> str:
        return hmac.new(self._key, b"async_auth\0" + said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
