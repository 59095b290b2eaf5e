"""Tokens that are issued for an hour, beside the lasting secrets of `credentials.toml`: who may come in, and as what.

    DATA/token.key         32 random bytes in hexadecimal (0600): whoever reads it can be anybody in this cloud
    DATA/revoked_tokens    the audit ids that were revoked before their time, one a line with when it would have ended

A token is its own record: what it says, in base64, and an HMAC-SHA256 of exactly these characters. Nothing is kept of
it but its revocation. One of another cloud's folder has another key, and a changed password ends what it was given for.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.folder import Credentials, FolderProblem, write_private

KEY = "token.key"
REVOKED = "revoked_tokens"

LIFETIME_SECONDS = 3600
"""Source: Keystone, configuration option `[token] expiration`, its default."""

TOKEN_CHARACTERS_MAX = 4096
"""Longer texts are nobody's token; none is issued that comes near it."""

_KEY_BYTES = 32
_DEAD_LINES_MAX = 1000
"""How many revocations of tokens that have ended anyway the file may hold before it is written anew."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an issued token says. Instants are wall time, in whole seconds of UTC."""

    account: str
    """By name."""
    project_id: str | None
    """In which project it acts; None: in none."""
    methods: tuple[str, ...]
    """How it was proved who asks: `password`, `token`."""
    issued_at: datetime
    expires_at: datetime
    audit_id: str
    """Names the token without being one."""
    parent_audit_id: str | None = None
    """Of the first token of the chain, where this one was given for another."""


class Revoked:
    """The audit ids that no longer count, durable before they are answered for."""

    def __init__(self, file: Path) -> None:
        """The file is made when there is none. Raises FolderProblem: it cannot be read or written, or is damaged."""
        self._file = file
        self._ends: dict[str, int] = {}
        text = _text_of(file, made=lambda: "")
        # The last line has no end where a crash cut it short: that revocation was never answered for.
        whole, end, rest = text.rpartition("\n")
        try:
            for line in whole.splitlines():
                audit_id, ends = line.split(" ")
                self._ends[audit_id] = int(ends)
        except ValueError:
            raise FolderProblem(
                f"{file} is damaged. Mend it, or remove it together with {file.with_name(KEY)}: "
                "every issued token ends then, and clients ask for new ones."
            ) from None
        if rest:
            write_private(file, whole + end)

    def __contains__(self, audit_id: str) -> bool:
        return audit_id in self._ends

    def add(self, claims: Claims, *, wall_now: datetime) -> None:
        """Durable when it returns. What has ended by itself is forgotten now and then."""
        self._ends[claims.audit_id] = _seconds(claims.expires_at)
        alive = {audit_id: ends for audit_id, ends in self._ends.items() if ends > _seconds(wall_now)}
        if len(self._ends) - len(alive) > _DEAD_LINES_MAX:
            self._ends = alive
            write_private(self._file, "".join(f"{audit_id} {ends}\n" for audit_id, ends in alive.items()))
            return
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{claims.audit_id} {_seconds(claims.expires_at)}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Keyring:
    """Every way to come in: passwords and lasting tokens of `credentials`, and what is issued with `key`.

    `credentials` may be completed later; `revoked` is the folder's.
    """

    def __init__(self, credentials: Credentials, key: bytes, revoked: Revoked) -> None:
        self._credentials = credentials
        self._key = key
        self._revoked = revoked
        self._turn = asyncio.Lock()

    def password_of(self, account_name: str) -> str | None:
        return self._credentials.password_of(account_name)

    def token_of(self, account_name: str) -> str | None:
        """The account's lasting token."""
        return self._credentials.token_of(account_name)

    def account_by_token(self, token: str) -> str | None:
        """Whose lasting token it is. Issued ones have claims instead."""
        return self._credentials.account_by_token(token)

    def issue(
        self,
        account_name: str,
        project_id: str | None,
        methods: Sequence[str],
        *,
        wall_now: datetime,
        given_for: Claims | None = None,
    ) -> tuple[str, Claims]:
        """A new token, and what it says. One that is given for another ends no later than that one."""
        issued_at = wall_now.astimezone(UTC).replace(microsecond=0)
        claims = Claims(
            account=account_name,
            project_id=project_id,
            methods=tuple(methods),
            issued_at=issued_at,
            expires_at=given_for.expires_at if given_for else issued_at + timedelta(seconds=LIFETIME_SECONDS),
            audit_id=secrets.token_urlsafe(16),
            parent_audit_id=(given_for.parent_audit_id or given_for.audit_id) if given_for else None,
        )
        said = [
            claims.account,
            claims.project_id,
            claims.methods,
            _seconds(claims.issued_at),
            _seconds(claims.expires_at),
            claims.audit_id,
            claims.parent_audit_id,
            self._fingerprint(account_name),
        ]
        body = _base64(json.dumps(said, separators=(",", ":")).encode())
        return f"{body}.{self._signature(body)}", claims

    def claims_of(self, token: str, *, wall_now: datetime) -> Claims | None:
        """What a token says; None for one that was not issued here, has ended, or was revoked.

        Whether its account still exists, and may still act in its project, only the cloud knows.
        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            return None
        # The signature is of the characters themselves, so that no other spelling of the same bytes passes.
        body, _, signature = token.encode("utf-8", "surrogatepass").partition(b".")
        if not hmac.compare_digest(signature, self._signature(body.decode("latin-1")).encode()):
            return None
        account, project_id, methods, issued, expires, audit_id, parent, fingerprint = json.loads(
            base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
        )
        claims = Claims(account, project_id, tuple(methods), _instant(issued), _instant(expires), audit_id, parent)
        is_of_today = hmac.compare_digest(fingerprint, self._fingerprint(account))
        if not is_of_today or wall_now >= claims.expires_at or audit_id in self._revoked:
            return None
        return claims

    async def revoke(self, claims: Claims, *, wall_now: datetime) -> None:
        """From now on, also after a restart, the token that says this is nobody's."""
        async with self._turn:
            await asyncio.to_thread(self._revoked.add, claims, wall_now=wall_now)

    def _signature(self, body: str) -> str:
        return _base64(hmac.digest(self._key, b"token\0" + body.encode("latin-1"), hashlib.sha256))

    def _fingerprint(self, account_name: str) -> str:
        """Of the password: a token that was issued under an old one does not fit."""
        password = self._credentials.password_of(account_name) or ""
        secret = b"password\0" + password.encode("utf-8", "surrogatepass")
        return _base64(hmac.digest(self._key, secret, hashlib.sha256)[:12])


def keyring(path: Path, credentials: Credentials) -> Keyring:
    """Of the cloud in this folder. Its key is made when there is none.

    Raises:
        FolderProblem: a file of it cannot be read or written, or is damaged.
    """
    return Keyring(credentials, _ensure_key(path / KEY), Revoked(path / REVOKED))


def _ensure_key(file: Path) -> bytes:
    text = _text_of(file, made=lambda: secrets.token_hex(_KEY_BYTES) + "\n")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise FolderProblem(f"{file} is damaged. Remove it: a new one is made, and clients ask for new tokens.")
    return key


def _text_of(file: Path, *, made: Callable[[], str]) -> str:
    """What the file holds; at first, what `made` says. Bytes that are no text come back as what no reader takes."""
    try:
        try:
            return file.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            write_private(file, made())
            return file.read_text(encoding="ascii")
    except OSError as error:
        raise FolderProblem(f"{file} cannot be used: {(error.strerror or str(error)).lower()}.") from error


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
