"""Pages of servers over the cells, at the cost of the page and not of the fleet.

Each cell is asked for its share of the page and a little more, by keyset; the answers are merged, and only a
cell that ran dry is asked again. Shares follow the cells' sizes as last seen.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.cloud.errors import Unreachable
from backend.cloud.model import Server
from backend.store.cell import CellTransaction
from backend.store.entries import Page, PageRow
from backend.store.rows import SERVER, Row, json_of, text_of

Sort = Literal["name", "state", "created_at"]

_KEY_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("name", "id"),
    "state": ("state", "name", "id"),
    "created_at": ("created_at", "id"),
}
"""Each with an index, and ending in the id: no two rows are equal, so the order is the same every time."""

_AT_ID, _AT_VERSION = SERVER.columns.index("id"), SERVER.columns.index("version")

EachCell = Callable[[Callable[[CellTransaction], Any], Iterable[str]], Awaitable[Mapping[str, Any]]]
"""`Store.each_cell`: the answer of each of these cells, or Unreachable."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which servers, in which order. None: any."""

    sort: Sort
    is_descending: bool
    projects: frozenset[str] | None
    name_contains: str | None
    state: str | None

    @property
    def key_columns(self) -> tuple[str, ...]:
        return _KEY_COLUMNS[self.sort]

    def tail(self, after: tuple[str, ...] | None, limit: int) -> tuple[str, tuple[Any, ...]]:
        """The end of the statement for the `limit` rows after that key, and its values."""
        columns = self.key_columns
        clauses: list[str] = []
        values: list[Any] = []
        if after is not None:
            marks = ", ".join("?" * len(columns))
            clauses.append(f"({', '.join(columns)}) {'<' if self.is_descending else '>'} ({marks})")
            values += after
        if self.projects is not None:
            clauses.append("project_id IN (SELECT value FROM json_each(?))")
            values.append(json_of(sorted(self.projects)))
        if self.state is not None:
            clauses.append("state = ?")
            values.append(self.state)
        if self.name_contains:
            # Folds the case of ASCII letters only, as LIKE does.
            pattern = self.name_contains.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            clauses.append("name LIKE ? ESCAPE '\\'")
            values.append(f"%{pattern}%")
        where = "WHERE " + " AND ".join(clauses) if clauses else ""
        order = ", ".join(f"{column} {'DESC' if self.is_descending else 'ASC'}" for column in columns)
        return f"{where} ORDER BY {order} LIMIT ?", (*values, limit)


def key_of(server: Server, sort: Sort) -> tuple[str, ...]:
    """What to ask after for what comes behind this server."""
    values = {"name": server.name, "state": server.state.value, "created_at": text_of(server.created_at)}
    return (*(values[column] for column in _KEY_COLUMNS[sort][:-1]), server.id)


@dataclass(slots=True)
class _Share:
    """What has come of one cell."""

    rows: list[Row] = field(default_factory=list)
    """Not on the page yet, in order."""
    last: tuple[str, ...] | None = None
    """The key of the last row that came."""
    has_more: bool = True
    is_asked: bool = False


def share_rows(rows: float) -> int:
    """A share and a little more. Measured: fewer rows in vain than half as much again, and hardly ever a refill."""
    return math.ceil(rows + 2 * math.sqrt(rows) + 2)


async def page_servers(
    each_cell: EachCell,
    cells: Iterable[str],
    query: Query,
    *,
    after: tuple[str, ...] | None,
    limit: int,
    weights: dict[str, int],
) -> Page:
    """The next `limit` rows after the key `after` in all `cells`; `weights` are their sizes, brought up to date here.

    A cell that does not answer, even in the middle, gives no rows at all and is named.
    """
    at_key = [SERVER.columns.index(column) for column in query.key_columns]

    def key_of(row: Row) -> tuple[str, ...]:
        return tuple(row[index] for index in at_key)

    shares = {cell: _Share(last=after) for cell in cells}
    names = set(shares)
    unreachable: set[str] = set()
    page: list[tuple[tuple[str, ...], str, Row]] = []
    while True:
        dry = [cell for cell, share in shares.items() if share.has_more and not share.rows]
        # A full page asks once more only to tell whether it is the last.
        if dry and (len(page) < limit or not any(share.rows for share in shares.values())):
            asked = _rows_to_ask(dry, shares, weights, limit - len(page))
            # Counting costs the cell: only one that is not known, or whose share was too small, is counted.
            uncounted = {cell for cell in dry if cell not in weights or shares[cell].is_asked}
            questions = {cell: (shares[cell].last, asked[cell], cell in uncounted) for cell in dry}
            answers = await each_cell(_ask(query, questions), dry)
            for cell, answer in answers.items():
                if isinstance(answer, Unreachable):
                    del shares[cell]
                    unreachable.add(cell)
                    page = [taken for taken in page if taken[1] != cell]
                    continue
                rows, weight = answer
                if weight is not None:
                    weights[cell] = weight
                share = shares[cell]
                share.is_asked = True
                share.rows = rows
                share.has_more = len(rows) == asked[cell]
                if rows:
                    share.last = key_of(rows[-1])
            continue
        if len(page) >= limit or not any(share.rows for share in shares.values()):
            break
        page += _take(shares, key_of, limit - len(page), is_descending=query.is_descending)
    is_last = not any(share.rows or share.has_more for share in shares.values())
    return Page(
        tuple(PageRow(row[_AT_ID], row[_AT_VERSION], cell, row) for _, cell, row in page),
        page[-1][0] if page and not is_last else None,
        tuple(sorted(unreachable & names)),
    )


def _rows_to_ask(
    dry: list[str], shares: Mapping[str, _Share], weights: Mapping[str, int], wanted: int
) -> dict[str, int]:
    """How many rows to ask of each cell that ran dry."""
    whole = sum(weights.get(cell, 1) for cell in shares) or 1
    return {cell: min(wanted + 1, share_rows(wanted * weights.get(cell, 1) / whole)) for cell in dry}


def _ask(
    query: Query, wanted: Mapping[str, tuple[tuple[str, ...] | None, int, bool]]
) -> Callable[[CellTransaction], tuple[list[Row], int | None]]:
    """The rows of a cell, and how many it has in all where that is asked for."""

    def read(transaction: CellTransaction) -> tuple[list[Row], int | None]:
        after, rows, is_counted = wanted[transaction.cell]
        tail, values = query.tail(after, rows)
        return transaction.server_rows(tail, values), max(1, transaction.count_servers()) if is_counted else None

    return read


def _take(
    shares: Mapping[str, _Share],
    key_of: Callable[[Row], tuple[str, ...]],
    wanted: int,
    *,
    is_descending: bool,
) -> list[tuple[tuple[str, ...], str, Row]]:
    """The rows that are surely next: those up to the first key at which a cell may have more that has not come."""
    ordered = sorted(
        ((key_of(row), cell, row) for cell, share in shares.items() for row in share.rows),
        key=lambda entry: entry[0],
        reverse=is_descending,
    )
    horizons = [share.last for share in shares.values() if share.has_more and share.last is not None]
    if horizons:
        horizon = max(horizons) if is_descending else min(horizons)
        sure = [entry for entry in ordered if (entry[0] >= horizon if is_descending else entry[0] <= horizon)]
    else:
        sure = ordered
    taken = sure[:wanted]
    counts: dict[str, int] = {}
    for _, cell, _ in taken:
        counts[cell] = counts.get(cell, 0) + 1
    for cell, count in counts.items():
        del shares[cell].rows[:count]
    return taken
