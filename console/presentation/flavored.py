"""What a new server is to be in a cloud that has flavors: the fields that are asked, and what is sent of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from console.presentation import figures
from console.presentation.creating import ANYWHERE, Field, Wrong, read_name
from console.presentation.lines import Frame, Line
from console.presentation.plan import labelled
from console.records_backup_plans import FlavorRecord
from console.records_parts import ImageRecord

NONE = "none"
NETWORKS = ("auto", "none")


class Chosen(NamedTuple):
    """What was chosen: its id, and the words that it was chosen by."""

    id: str
    words: str


def _size(flavor: FlavorRecord) -> tuple[int, int, int, str]:
    """The smallest first."""
    return flavor.vcpus or 0, flavor.memory_bytes or 0, flavor.disk_bytes or 0, flavor.name


def server_fields(
    flavors: Sequence[FlavorRecord],
    images: Sequence[ImageRecord],
    zones: Sequence[str],
    groups: Mapping[str, str],
) -> tuple[Field, ...]:
    """`groups` are the ids of those that keep servers apart, by name."""
    choose = "left and right choose"
    sizes = {_flavor_words(each): each.id for each in sorted(flavors, key=_size)}
    begins = {f"{each.name}, {figures.amount_of_bytes(each.size_bytes)}": each.id for each in images}
    return (
        Field("name", "name", read_name, "what to call it"),
        Field("flavor", "flavor", _one_of(sizes, "no flavor"), f"its size: {choose}", tuple(sizes) or (NONE,)),
        Field("image", "image", _one_of(begins, "no image"), f"what it begins as: {choose}", tuple(begins) or (NONE,)),
        Field("cell", "zone", _or_nothing, f"{choose}; any: the scheduler chooses", (ANYWHERE, *zones)),
        Field("group", "group", _maybe(groups), f"{choose}; it is kept apart from its other members", (NONE, *groups)),
        Field("network", "network", str, "auto: the project's own; none: no interface at all", NETWORKS),
    )


def _flavor_words(flavor: FlavorRecord) -> str:
    memory = "" if flavor.memory_bytes is None else f", {figures.amount_of_bytes(flavor.memory_bytes)}"
    return f"{flavor.name}: {flavor.vcpus} vCPU{memory}"


def _one_of(ids: Mapping[str, str], wrong: str) -> Callable[[str], Chosen | Wrong]:
    def read(text: str) -> Chosen | Wrong:
        return Chosen(ids[text], text) if text in ids else Wrong(f"this cloud has {wrong} to make it of")

    return read


def _maybe(ids: Mapping[str, str]) -> Callable[[str], Chosen | None]:
    return lambda text: Chosen(ids[text], text) if text in ids else None


def _or_nothing(text: str) -> str | None:
    return None if text == ANYWHERE else text


def sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of what was chosen."""
    return {name: value.id if isinstance(value, Chosen) else value for name, value in body.items()}


def lines(body: Mapping[str, Any], frame: Frame) -> list[Line]:
    """What was chosen, in words."""
    made: list[Line] = []
    for name, label in (("flavor", "SIZE"), ("image", "IMAGE"), ("cell", "ZONE"), ("group", "APART FROM"),
                        ("network", "NETWORK")):  # fmt: skip
        value = body.get(name)
        words = (
            value.words if isinstance(value, Chosen) else value or ("the scheduler chooses" if name == "cell" else "")
        )
        if words:
            made += labelled(frame, label, words)
    return made
