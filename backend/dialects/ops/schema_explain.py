"""The shapes of what `/ops/v1/explain` answers; `schema` has all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict

from backend.dialects.ops.schema import PlannedStop, SizeRow, StopRow
from backend.dialects.ops.schema_separation import AvoidedRow


class NamedRow(TypedDict):
    """`rank` is its place in the avoid list, from 1."""

    id: str
    name: str | None
    rank: NotRequired[int]


class KeyPart(TypedDict):
    """The first part of the key in which a host is worse than the chosen one, and what both have of it.

    Work in MHz seconds, CPU in MHz, memory and storage in bytes; places in the avoid list from 1.
    """

    part: Literal["avoid", "source", "disruption", "room", "name"]
    measure: str
    chosen: int | bool | str | Sequence[int]
    own: int | bool | str | Sequence[int]


class ExplainedHost(TypedDict):
    """What a decision said of one host. `short` and `short_bytes` are what it lacks; `lost_by` why another one won.

    `avoided`, `stops`, `shrinks` and the room are of a host with room: before the placement, with everybody at full
    size, so below zero while some are shrunk.
    """

    host: str
    verdict: Literal["chosen", "beaten", "down", "maintenance", "cpu", "memory", "cpu and memory", "storage"]
    avoided: list[NamedRow]
    stops: list[PlannedStop]
    shrinks: int
    room: SizeRow | None
    room_bytes: int | None
    short: SizeRow | None
    short_bytes: int | None
    lost_by: KeyPart | None


class SmallestChange(TypedDict):
    """What would make it fit; it was tried. `is_proved`: no smaller one of its kind is enough."""

    kind: Literal["cpu", "memory", "cpu and memory", "stops", "storage"]
    host: str
    less: SizeRow | None
    less_bytes: int | None
    stops: list[PlannedStop]
    is_proved: bool


class DecisionMark(TypedDict):
    """A decision of the past: event `number` of the object's cell."""

    number: int
    at: str
    actor: str
    host: str


class ExplanationRow(TypedDict):
    """One decision. Without `decision` it is the one of now; `host` is null where no host has room.

    `separation` is what became of each entry of its avoid list, where it has one.

    `hosts` are those with room, best first, then the others by name, and `changes` what would help where none has: both
    for staff only. `is_as_recorded` is false where the settings of now decide otherwise than was done.
    """

    decision: DecisionMark | None
    at: str
    host: str | None
    decided_by: Literal["only", "avoid", "source", "disruption", "room", "name"] | None
    runner_up: str | None
    avoid: list[NamedRow]
    avoided: list[NamedRow]
    stops: list[StopRow]
    shrinks: int
    refused: Mapping[str, int]
    hosts_total: int
    is_as_recorded: bool
    hosts: list[ExplainedHost]
    changes: list[SmallestChange]
    impossible: Sequence[str]
    sentences: Sequence[str]
    separation: NotRequired[list[AvoidedRow]]


class ExplainAnswer(TypedDict):
    """`decisions` are the latest, oldest first. `placed` is why the object is where it is, unless one was asked for."""

    id: str
    name: str
    kind: Literal["server", "drive"]
    cell: str
    host: str | None
    decisions: list[DecisionMark]
    explanation: ExplanationRow
    placed: ExplanationRow | None
    placed_problem: str | None
