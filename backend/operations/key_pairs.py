"""SSH keys: importing them, or having a pair made. The private half is answered once and kept nowhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.cloud.errors import Invalid
from backend.cloud.model import Account
from backend.cloud.networks import KeyPair
from backend.operations import Cloud, owned
from backend.store import KEY_PAIR, CloudTransaction

PUBLIC_KEY_LENGTH_MAX = 16_384

_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


@dataclass(frozen=True, slots=True)
class KeyPairSpec:
    """Without a public key a pair is made."""

    name: str
    public_key: str | None = None
    meta: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    key_pair: KeyPair
    private_key: str | None
    """In OpenSSH's format, where the pair was made here. It is told this once."""


def fingerprint_of(public_key: str) -> str:
    """The MD5 of the key, as `ssh-keygen -l -E md5` says it.

    Raises:
        Invalid: the text is no public key of OpenSSH's.
    """
    parts = public_key.split(None, 2)
    if len(public_key) > PUBLIC_KEY_LENGTH_MAX or len(parts) < 2 or not public_key.isprintable():
        raise Invalid("public_key", "must be one line of an OpenSSH public key, like ssh-ed25519 AAAA... name")
    kind, encoded = parts[:2]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if kind not in _KINDS or blob[:4] != len(kind).to_bytes(4, "big") or blob[4 : 4 + len(kind)] != kind.encode():
        raise Invalid("public_key", f"must be an OpenSSH public key of one of the kinds {', '.join(_KINDS)}")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def _generate() -> tuple[str, str]:
    """A new pair, public and private, as OpenSSH writes them.

    Simplified: Ed25519, where the published cloud makes RSA keys.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return public.decode(), secret.decode()


async def create_key_pairs(cloud: Cloud, actor: Account, specs: Sequence[KeyPairSpec]) -> list[Made]:
    """All or none, in the account's project. Raises Forbidden, Invalid, OverQuota."""
    owned.may_create(actor, "key pair")
    now = cloud.clock.now()
    halves = [(spec.public_key, None) if spec.public_key is not None else _generate() for spec in specs]
    fingerprints = [fingerprint_of(public) for public, _ in halves]

    def create(tx: CloudTransaction) -> list[Made]:
        made = []
        for spec, (public, private), fingerprint in zip(specs, halves, fingerprints, strict=True):
            key_pair = KeyPair(
                tx.next_id("cloud"),
                actor.project_id,
                actor.name,
                now,
                spec.name,
                public.strip(),
                fingerprint,
                spec.meta,
                spec.tags,
            )
            owned.add(tx, actor, KEY_PAIR, key_pair)
            made.append(Made(key_pair, private))
        return made

    return await cloud.store.cloud_write(create)
