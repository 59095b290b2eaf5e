"""Instants as whole microseconds since 1970, for what is reckoned with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICROSECONDS = 1_000_000
"""Of a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds_of(at: datetime) -> int:
    gone = at - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * MICROSECONDS + gone.microseconds


def instant_of(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)
