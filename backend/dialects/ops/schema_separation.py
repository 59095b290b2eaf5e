"""The shapes of what `/ops/v1` says of an avoid list and of copies that are yet to be made; `schema` has all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict


class LackRow(TypedDict):
    """How much more would have been enough on a host; 0 is no lack."""

    host: str
    cpu_mhz: int
    memory_bytes: int
    storage_bytes: int


class SharedRow(TypedDict):
    """What came to share `host` with an avoided entry. `id` is null for a copy that is not made yet.

    `reason` is `no_room` where no other host has room, `held` where those that have hold an entry further left; null
    where the log does not tell any more. `refused` counts the hosts without room by reason. `nearest` is the one that
    lacks least of those that hold nothing of the list and are only too small; for staff only.
    """

    host: str
    id: str | None
    name: str
    reason: Literal["no_room", "held"] | None
    refused: Mapping[str, int]
    nearest: LackRow | None


class AvoidedRow(TypedDict):
    """What became of one entry of an avoid list. `place` is that in the list, from 1.

    `separated` is null where the entry has no effect: nothing that one may see has this id (`unknown`), a drive cannot
    be avoided by a server (`wrong_kind`), nothing avoids itself, what is `repeated` counts at its first place, and
    `undecided` is where a server is made that is yet to be started. What is `nowhere` has no host, or no drives; what
    is `unreachable` is in a cell that does not answer, and so in another one.
    """

    place: int
    id: str
    name: str | None
    kind: Literal["server", "drive"] | None
    separated: bool | None
    fate: Literal[
        "apart",
        "shares",
        "nowhere",
        "unreachable",
        "unknown",
        "wrong_kind",
        "itself",
        "repeated",
        "undecided",
    ]
    shared: list[SharedRow]
    sentence: str


class CopyPlanRow(TypedDict):
    """Where the copy of a drive would go. Bytes a second are slower over the network, to another host."""

    source_id: str
    source_name: str
    cell: str
    host: str
    is_same_host: bool
    size_bytes: int
    seconds: int
    rate_bytes_per_second: int
