"""The shapes of what `/ops/v1` says of limits and of the library."""

from __future__ import annotations

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict


class RangeRow(TypedDict):
    min: int
    max: int


class LeftRow(TypedDict):
    """What the project may still take; null where it has no quota."""

    servers: int | None
    cpu_mhz: int | None
    memory_bytes: int | None
    storage_bytes: int | None


class Limits(TypedDict):
    """Of one server, of one drive, and of the project."""

    project_id: str
    cpu_mhz: RangeRow
    memory_bytes: RangeRow
    drive_bytes: RangeRow
    left: LeftRow


class ImageRow(TypedDict):
    """`user` is who one logs in as."""

    id: str
    name: str
    os: str
    version: str
    size_bytes: int
    user: str


class ImageList(TypedDict):
    images: list[ImageRow]
