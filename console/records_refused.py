"""What a cloud does not tell an account."""

from __future__ import annotations

from typing import NamedTuple


class Refused(NamedTuple):
    """One source of the views, such as the hosts, and why this account is not told of it."""

    source: str
    sentence: str
