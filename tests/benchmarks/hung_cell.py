"""How long a list takes while a cell hangs, the moment in which it begins to hang included.

The list is of 200 servers of four cells. Four kept connections ask for it for a second; half-way one of the cells stops
answering, until the second is over. Beside it the same without a fault, in turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx

from backend.folder import OPERATOR
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import CELLS, make_fleet
from tests.benchmarks.list_page import credentials
from tests.benchmarks.load import ask
from tests.benchmarks.measuring import Scale, interleaved, p99, temporary_folder
from tests.served import Served, served

HEALTHY = "all cells answer"
PATH = "/ops/v1/servers?limit=200"
CELL = CELLS[-1]
CONNECTIONS = 4

FIGURES = {
    "p99": Figure("list while a cell hangs, p99", "ms", Budget(at_most=250), (HEALTHY,), is_in_readme=True),
    "worst": Figure("list while a cell hangs, the slowest", "ms", "the budget is of the p99", (HEALTHY,)),
}


def run(scale: Scale) -> Iterator[Measured]:
    seconds = scale.of(2.0, 0.3)
    with (
        temporary_folder() as folder,
        served(make_fleet(folder / "data", running=scale.of(10_000, 100))) as cloud,
        cloud.client(OPERATOR) as client,
    ):
        hung, healthy = interleaved(
            scale.of(7, 1), lambda: _ask_while_it_hangs(cloud, client, seconds), lambda: _ask(cloud, seconds)
        )
    yield of_rounds("p99", [p99(each) for each in hung], {HEALTHY: [p99(each) for each in healthy]})
    yield of_rounds("worst", [max(each) for each in hung], {HEALTHY: [max(each) for each in healthy]})


def _ask(cloud: Served, seconds: float) -> list[float]:
    """Milliseconds of each list."""
    headers = credentials(cloud)["ops"]
    return [
        1000 * each for each in ask(cloud.url, PATH, headers=headers, connections=CONNECTIONS, seconds=seconds).taken
    ]


def _ask_while_it_hangs(cloud: Served, client: httpx.Client, seconds: float) -> list[float]:
    fault = threading.Timer(seconds / 2, _set, (client, "hung"))
    fault.start()
    taken = _ask(cloud, seconds)
    fault.join()
    _set(client, "up")
    while any(cell["state"] != "up" for cell in client.get("/cells").json()["cells"]):
        time.sleep(0.05)
    return taken


def _set(client: httpx.Client, state: str) -> None:
    client.put(f"/cells/{CELL}/reachability", json={"state": state}).raise_for_status()
