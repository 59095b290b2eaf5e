"""What an API said would become of servers that nobody has made, frozen; `records` has all others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from console.records import DecisionRecord, ResizedRecord, StoppedRecord


class TrialRecord(NamedTuple):
    """One of the servers of a what-if, in the order of their starts."""

    number: int
    cell: str
    decision: DecisionRecord
    shares: int = 0
    """How many of what it avoids would be on its host all the same."""
    shrinks: tuple[ResizedRecord, ...] = ()


class WhatIfRecord(NamedTuple):
    asked: int
    placed: int
    trials: tuple[TrialRecord, ...] = ()
    stops: tuple[StoppedRecord, ...] = ()
    shrinks: tuple[ResizedRecord, ...] = ()
    refused: Mapping[str, int] = MappingProxyType({})
    """Why the next one finds no host: how many have no room, by reason."""
    unreachable: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
