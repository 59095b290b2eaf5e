"""Lists: a bare array, with the count and the other pages in headers.

**Source**: NodeConductor, "Pagination": `X-Result-Count`, `Link`, `page` and `page_size`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from backend.dialects import wire
from backend.dialects.nodeconductor.table import Call

PAGE_SIZE, PAGE_SIZE_MAX = 10, 200
"""**Source**: NodeConductor's settings at the time of the seed."""

_PAGE_MAX = 10**9


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def page_of(call: Call) -> Page:
    """What was asked for. Raises WireError 404: a page that cannot be.

    **Source**: Django REST framework: a `page_size` that is none is the default, and one that is too large the largest.
    """
    query = call.request.query_params
    size = query.get("page_size", "")
    number = query.get("page", "1")
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:11]) <= _PAGE_MAX):
        raise _no_such_page("Pages are numbered from 1.")
    is_size = size.isascii() and size.isdigit() and int(size[:6]) > 0
    return Page(int(number), min(int(size[:6]), PAGE_SIZE_MAX) if is_size else PAGE_SIZE)


def _no_such_page(hint: str) -> wire.WireError:
    return wire.WireError(404, "no_such_page", f"Invalid page. {hint}")


def answer(call: Call, page: Page, items: Iterable[Any], total: int) -> Response:
    """Raises WireError 404: a page behind the last one."""
    last = max(1, -(-total // page.size))
    if page.number > last:
        raise _no_such_page(f"The last one is {last}.")
    links = {"first": 1, "prev": page.number - 1, "next": page.number + 1, "last": last}
    shown = [f'<{_address(call, number)}>; rel="{rel}"' for rel, number in links.items() if 1 <= number <= last]
    headers = {"X-Result-Count": str(total), "Link": ", ".join(shown)}
    return wire.JsonAnswer(list(items), 200, headers)


def _address(call: Call, number: int) -> str:
    others = [(name, value) for name, value in call.request.query_params.multi_items() if name != "page"]
    return f"{call.origin}{call.request.url.path}?{urlencode([*others, ('page', str(number))])}"
