"""How long lists take while a cell hangs, and what cells and servers cost a page.

`hang`: all of 1,000 servers of four cells, asked for again and again over a kept connection; half-way one of the cells
stops answering, and stays so. The moment in which it begins is in the figures: whoever asks then waits until it is
known that the cell hangs. Beside it the same without a fault, in turn.

`cells` and `servers`: one page of 100 in clouds of 1 to 50 cells, and of 1,000 to 100,000 servers.

Before each answer a server is changed, which is not in the figures: a page that is asked for again while nothing
changes is kept, and would say nothing of what it takes to make it.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from backend.folder import OPERATOR
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import CELLS, make_stopped_fleet
from tests.benchmarks.list_page import credentials
from tests.benchmarks.measuring import Scale, interleaved, p99, quantile, temporary_folder
from tests.served import Served, served

HEALTHY = "all cells answer"
MICROVERSION = "compute 2.71"
ROWS = 1_000
PAGE = 100
SILENT = CELLS[-1]
IDLE_SECONDS_MAX = 2.0
FLEETS = (1_000, 10_000, 100_000)
"""In four cells."""
CELL_COUNTS = (1, 4, 16, 50)
"""With 1,000 servers in all."""

PATHS = {
    "servers": "/compute/v2.1/servers",
    "detail": "/compute/v2.1/servers/detail",
    "ops": "/ops/v1/servers",
}
_PAGED = ("detail", "ops")
_FOLLOWS_THE_PAGE = Budget(at_most=1.5)
_MORE_FILES = "each cell is another file to ask; the budget is of what more servers cost"

FIGURES = {
    **{
        f"{name}_{key}": Figure(
            f"{PATHS[name]}, 1,000 servers while a cell hangs, {what}",
            "ms",
            Budget(at_most=250) if key == "p99" else "the budget is of the p99",
            (HEALTHY,),
            is_in_table=key == "p99",
        )
        for name in PATHS
        for key, what in (("p50", "p50"), ("p99", "p99"), ("worst", "the slowest"))
    },
    **{
        f"{name}_servers_{servers}": Figure(
            f"a page of 100 made anew, {PATHS[name]}, {servers:,} servers to 1,000",
            "x",
            _FOLLOWS_THE_PAGE,
            is_in_table=servers == FLEETS[-1],
        )
        for name in _PAGED
        for servers in FLEETS[1:]
    },
    **{
        f"{name}_cells_{count}": Figure(
            f"a page of 100 made anew, {PATHS[name]}, {count} cells to 1",
            "x",
            _MORE_FILES,
            is_in_table=count == CELL_COUNTS[-1],
        )
        for name in _PAGED
        for count in CELL_COUNTS[1:]
    },
}


@dataclass(slots=True)
class Client:
    """One kept connection of the operator's, who changes a server of the first cell before each question."""

    connection: http.client.HTTPConnection
    headers: dict[str, dict[str, str]]
    """By the path's first part."""
    changed: str = ""
    """The id of the server."""
    changes: int = 0
    used_at: float = 0.0

    def send(self, method: str, path: str, body: object = None) -> bytes:
        if time.monotonic() - self.used_at > IDLE_SECONDS_MAX:
            # The server hangs up on who says nothing for long.
            self.connection.close()
        self.used_at = time.monotonic()
        headers = {**self.headers[path.split("/")[1]], "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else orjson.dumps(body), headers)
        with self.connection.getresponse() as answer:
            found = answer.read()
        assert answer.status < 300, found
        return found

    def page(self, path: str) -> float:
        """Milliseconds until the whole of it is there."""
        self.changes += 1
        self.send("POST", f"/compute/v2.1/servers/{self.changed}/metadata", {"metadata": {"n": f"{self.changes}"}})
        began = time.perf_counter()
        self.send("GET", path)
        return 1000 * (time.perf_counter() - began)

    def set_reachability(self, cell: str, state: str) -> None:
        self.send("PUT", f"/ops/v1/cells/{cell}/reachability", {"state": state})
        while state == "up" and any(
            each["state"] != "up" for each in orjson.loads(self.send("GET", "/ops/v1/cells"))["cells"]
        ):
            time.sleep(0.05)


@contextmanager
def client(cloud: Served) -> Iterator[Client]:
    parts = urlsplit(cloud.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        found = Client(connection, {"ops": credentials(cloud)["ops"], "identity": {}})
        user = {"name": OPERATOR, "domain": {"id": "default"}, "password": cloud.secret(OPERATOR, "password")}
        asked = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        connection.request(
            "POST", "/identity/v3/auth/tokens", orjson.dumps(asked), {"Content-Type": "application/json"}
        )
        with connection.getresponse() as answer:
            answer.read()
            token = answer.headers["X-Subject-Token"]
        found.headers["compute"] = {"X-Auth-Token": token, "OpenStack-API-Version": MICROVERSION}
        in_first = orjson.loads(found.send("GET", f"/ops/v1/servers?limit=1&cell={CELLS[0]}"))
        found.changed = in_first["servers"][0]["id"]
        yield found
    finally:
        connection.close()


def run(scale: Scale) -> Iterator[Measured]:
    fleets, counts = scale.of((FLEETS, CELL_COUNTS), ((40,), (len(CELLS),)))
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())

        def serve(servers: int, cells: int) -> Served:
            named = [f"cell-{number}" for number in range(1, cells + 1)]
            made = make_stopped_fleet(folder / f"{servers}-in-{cells}", servers=servers, cells=named)
            return stack.enter_context(served(made))

        def ask(cloud: Served) -> Client:
            return stack.enter_context(client(cloud))

        smallest = serve(fleets[0], len(CELLS))
        by_servers = {fleets[0]: ask(smallest)}
        yield from _hang(by_servers[fleets[0]], ask(smallest), scale)
        by_servers |= {servers: ask(serve(servers, len(CELLS))) for servers in fleets[1:]}
        yield from _growth("servers", by_servers, scale)
        by_cells = {
            count: by_servers[fleets[0]] if count == len(CELLS) else ask(serve(fleets[0], count)) for count in counts
        }
        yield from _growth("cells", by_cells, scale)


def _hang(cloud: Client, other: Client, scale: Scale) -> Iterator[Measured]:
    """`other` asks for the fault, so that `cloud` meets it unprepared."""
    pages = scale.of(30, 2)
    for name, path in PATHS.items():
        asked = f"{path}?limit={ROWS}" if name == "ops" else path
        hung, healthy = interleaved(
            scale.of(5, 1),
            lambda asked=asked: _pages_while_it_hangs(cloud, other, asked, pages),  # type: ignore[misc]
            lambda asked=asked: [cloud.page(asked) for _ in range(2 * pages)],  # type: ignore[misc]
        )
        middles = [[quantile(taken, 0.5) for taken in side] for side in (hung, healthy)]
        yield of_rounds(f"{name}_p50", middles[0], {HEALTHY: middles[1]})
        # Of all rounds together: one of them has too few pages for it.
        all_hung, all_healthy = ([each for taken in side for each in taken] for side in (hung, healthy))
        yield of_rounds(f"{name}_p99", [p99(all_hung)], {HEALTHY: [p99(all_healthy)]}, pages=len(all_hung))
        yield of_rounds(f"{name}_worst", [max(all_hung)], {HEALTHY: [max(all_healthy)]}, pages=len(all_hung))


def _pages_while_it_hangs(cloud: Client, other: Client, path: str, pages: int) -> list[float]:
    """Milliseconds of each: as many before the cell hangs as after."""
    taken = [cloud.page(path) for _ in range(pages)]
    fault = threading.Thread(target=other.set_reachability, args=(SILENT, "hung"))
    fault.start()
    taken += [cloud.page(path) for _ in range(pages)]
    fault.join()
    other.set_reachability(SILENT, "up")
    return taken


def _growth(what: str, clouds: dict[int, Client], scale: Scale) -> Iterator[Measured]:
    for name in _PAGED:
        path = f"{PATHS[name]}?limit={PAGE}"
        sides = interleaved(
            scale.of(5, 1),
            *(
                lambda cloud=cloud: quantile([cloud.page(path) for _ in range(scale.of(20, 2))], 0.5)  # noqa: B023
                for cloud in clouds.values()
            ),
        )
        taken = dict(zip(clouds, sides, strict=True))
        smallest = taken.pop(next(iter(taken)))
        for count, pages in taken.items():
            ratios = [large / small for large, small in zip(pages, smallest, strict=True)]
            yield of_rounds(
                f"{name}_{what}_{count}",
                ratios,
                {},
                page_ms=quantile(pages, 0.5),
                page_ms_of_the_smallest=quantile(smallest, 0.5),
            )
