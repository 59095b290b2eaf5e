"""Which part of a list was asked for: a window, filters, an order and fields, for every resource alike.

Source: CloudSigma API 2.0, "Pagination", "Filtering" and "Field filtering". How a list is ordered is not published: the
schema documents are Tastypie's, and so is `order_by`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import Response

from backend.cloud.errors import Invalid
from backend.dialects import wire
from backend.dialects.cloudsigma import table
from backend.dialects.cloudsigma.schema import Description
from backend.dialects.cloudsigma.table import Call, Window

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Query:
    window: Window
    filters: Mapping[str, tuple[str, ...]]
    order: tuple[tuple[str, bool], ...]
    """Each field, and whether the largest comes first."""

    @classmethod
    def of(cls, call: Call, description: Description) -> Query:
        """Raises Invalid."""
        order = []
        for name in wire.comma_list(call.word("order_by")):
            field = name.removeprefix("-")
            if field not in description.ordering:
                known = ", ".join(description.ordering)
                raise Invalid(
                    "order_by", f"must be one of {known}, not {field}" if known else "nothing is ordered here"
                )
            order.append((field, name.startswith("-")))
        return cls(Window.of(call), table.filters_of(call, description.filter_names()), tuple(order))

    @property
    def is_plain(self) -> bool:
        """Whether the objects come as the store has them, so that no more than the window has to be read."""
        return not self.filters and not self.order

    def chosen(self, details: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that pass, in the order that was asked for; what is not known comes last."""
        found = [detail for detail in details if table.passes(detail, self.filters)]
        for field, is_reversed in reversed(self.order):
            known = [detail for detail in found if detail.get(field) is not None]
            known.sort(key=lambda detail: str(detail[field]), reverse=is_reversed)
            found = known + [detail for detail in found if detail.get(field) is None]
        return found


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """Some of the things of a list, how many there are in all, and how each is shown."""

    items: Sequence[T]
    total: int
    show: Callable[[T], dict[str, Any]]
    keep: Callable[[T], Any] | None = None
    """As `show`, as finished JSON of before where it still holds."""


Load = Callable[[int, int | None], Awaitable[Loaded[T]]]
"""Given offset and limit."""


async def page(call: Call, description: Description, load: Load[T], *, is_detailed: bool) -> dict[str, Any]:
    """The envelope of a list. Raises Invalid, and as `load`."""
    query = Query.of(call, description)
    window = query.window
    fields = window.fields or (() if is_detailed else description.short)
    # A filter, or an order, has to look at everything.
    loaded = await load(window.offset, window.limit or None) if query.is_plain else await load(0, None)
    if query.is_plain and not fields and loaded.keep is not None:
        return window.envelope([loaded.keep(item) for item in loaded.items], loaded.total)
    details = [loaded.show(item) for item in loaded.items]
    total = loaded.total
    if not query.is_plain:
        details = query.chosen(details)
        total, details = len(details), list(window.cut(details))
    return window.envelope([table.only_fields(each, fields) if fields else each for each in details], total)


async def page_of(
    call: Call, description: Description, details: Sequence[dict[str, Any]], *, is_detailed: bool = True
) -> Response:
    """The same of a list that is small, and made already."""

    async def load(offset: int, limit: int | None) -> Loaded[dict[str, Any]]:
        end = None if limit is None else offset + limit
        return Loaded(details[offset:end], len(details), dict)

    return wire.JsonAnswer(await page(call, description, load, is_detailed=is_detailed))


def one(call: Call, detail: dict[str, Any], *, version: str | None = None, status: int = 200) -> Response:
    """One object, or the fields of it that were asked for; with what `If-Match` takes, where it has a version."""
    fields = wire.comma_list(call.word("fields"))
    headers = {"ETag": f'"{version}"'} if version is not None else {}
    return wire.JsonAnswer(table.only_fields(detail, fields) if fields else detail, status, headers)


def check_match(call: Call, version: str) -> None:
    """Whether the object is still what the client saw, where it says what that was.

    Raises:
        WireError: 412, it has changed.
    """
    wanted = call.request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    if f'"{version}"' not in [part.strip() for part in wanted.split(",")]:
        raise wire.WireError(412, "concurrency", "It has changed since it was read. Read it again.")
