"""What a cloud that is not one of ours has of what the console shows, and how gently it is asked; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Verb(NamedTuple):
    """A verb that the cloud has: in which states of its object, and what it costs in a few words."""

    states: frozenset[str] = frozenset()
    """Empty: in all of them, and where there is no object yet."""
    cost: str = ""


class Offer(NamedTuple):
    """A cloud of our own kind offers everything, and has none of these."""

    views: Mapping[str, str] = MappingProxyType({})
    """By view: the sentence that stands there, because the cloud has nothing for it."""
    verbs: Mapping[str, Verb] = MappingProxyType({})
    """By the id of the command: what can be done."""
    lacks: Mapping[str, str] = MappingProxyType({})
    """By the id of the command: why it is off, where there is more to say than that the API has no such verb."""
    cells: str = ""
    """What the rows of cells are here, in a sentence."""
    no_verb: str = "this API has no such verb"


class Pace(NamedTuple):
    """How gently a cloud is asked that has to be asked again and again."""

    requests: int
    """In the last minute."""
    requests_max: int
    """In a minute."""
    wait_seconds: float | None
    """Between two looks at the servers, as things are; None while nobody looks at the screen."""
    word: str = ""
    """Why it is not as usual: `idle`, `busy`, `full` (requests wait for the next minute), `held off`."""
    unanswered_seconds: float = 0.0
    """How long the look that is under way has been waiting."""
