"""A page of 1,000 servers with all their fields: how many a second, and what the size of the fleet costs.

And the availability groups of 10,000 servers, which are one answer however many there are.

Ours is the backend as it is served, with its guard, credentials and four cells' files; the floor is the least ASGI app
that answers with the same bytes, on the same server, in a process of its own. Eight kept connections ask as fast as
they are answered; nothing changes meanwhile, so ours makes a page once and keeps it. What the fleet costs is the time
of one page, asked for alone, in clouds of three sizes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backend import folder as data_folder
from tests.backend.processes import Process
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import make_fleet
from tests.benchmarks.load import ask, get
from tests.benchmarks.measuring import Scale, interleaved, quantile, temporary_folder
from tests.served import Served, served

FLOOR = "bare ASGI, same bytes"
ROWS = 1_000
CONNECTIONS = 8
FLEETS = (1_000, 10_000, 50_000)

PATHS = {"ops": f"/ops/v1/servers?limit={ROWS}", "cloudsigma": f"/api/2.0/servers/detail/?limit={ROWS}"}

GROUPS = "/api/2.0/servers/availability_groups/"
SERVERS_IN_GROUPS = 10_000

_FOLLOWS_THE_PAGE = Budget(at_most=1.5)
"""The budget is a sentence, that the cost follows the page and not the fleet; this is how it is read here."""

FIGURES = {
    **{
        f"rate_{dialect}": Figure(
            f"pages of 1,000 servers, asked for again, {path.partition('?')[0]}",
            "/s",
            Budget(ratio_at_least=0.6),
            (FLOOR,),
            is_in_table=True,
        )
        for dialect, path in PATHS.items()
    },
    "rate_groups": Figure(
        f"availability groups of 10,000 servers, asked for again, {GROUPS}",
        "/s",
        Budget(ratio_at_least=0.6),
        (FLOOR,),
        is_in_table=True,
    ),
    **{
        f"fleet_{dialect}_{servers}": Figure(
            f"one page of {path.partition('?')[0]}, {servers:,} servers to 1,000",
            "x",
            _FOLLOWS_THE_PAGE,
            is_in_table=servers == FLEETS[-1],
        )
        for dialect, path in PATHS.items()
        for servers in FLEETS[1:]
    },
}


def run(scale: Scale) -> Iterator[Measured]:
    fleets = scale.of(FLEETS, (100,))
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        clouds = {
            servers: stack.enter_context(served(make_fleet(folder / str(servers), running=servers)))
            for servers in fleets
        }
        for dialect, path in PATHS.items():
            yield _rate(dialect, path, clouds[fleets[0]], folder=folder, scale=scale)
        grouped = clouds[scale.of(SERVERS_IN_GROUPS, fleets[0])]
        yield _rate("groups", GROUPS, grouped, folder=folder, scale=scale)
        for dialect, path in PATHS.items():
            yield from _growth(dialect, path, clouds, scale)


def _rate(figure: str, path: str, cloud: Served, *, folder: Path, scale: Scale) -> Measured:
    headers = credentials(cloud)["ops" if figure == "ops" else "cloudsigma"]
    file = folder / f"{figure}.json"
    body = get(cloud.url, path, headers=headers)
    file.write_bytes(body)
    with bare_endpoint(file) as (floor_url, _):
        ours, floor = interleaved(
            scale.of(7, 1),
            *(
                lambda url=url: (
                    ask(url, path, headers=headers, connections=CONNECTIONS, seconds=scale.of(1.5, 0.05)).rate
                )
                for url in (cloud.url, floor_url)
            ),
        )
    return of_rounds(f"rate_{figure}", ours, {FLOOR: floor}, bytes=len(body), connections=CONNECTIONS)


def _growth(dialect: str, path: str, clouds: dict[int, Served], scale: Scale) -> Iterator[Measured]:
    sides = interleaved(
        scale.of(7, 1),
        *(
            lambda cloud=cloud: (
                1000
                * quantile(
                    ask(cloud.url, path, headers=credentials(cloud)[dialect], seconds=scale.of(1.0, 0.05)).taken, 0.5
                )
            )
            for cloud in clouds.values()
        ),
    )
    pages = dict(zip(clouds, sides, strict=True))
    smallest = pages.pop(next(iter(pages)))
    for servers, taken in pages.items():
        ratios = [large / small for large, small in zip(taken, smallest, strict=True)]
        yield of_rounds(
            f"fleet_{dialect}_{servers}",
            ratios,
            {},
            page_ms=quantile(taken, 0.5),
            page_ms_of_the_smallest=quantile(smallest, 0.5),
        )


@contextmanager
def bare_endpoint(file: Path) -> Iterator[tuple[str, int]]:
    """The floor, answering with the file: its address and its process."""
    with Process(str(file), module="tests.benchmarks.bare_endpoint") as process:
        yield process.until("ready")["url"], process.pid
        process.leave()
        process.status()


def credentials(cloud: Served) -> dict[str, dict[str, str]]:
    """The operator's headers by dialect."""
    name = data_folder.OPERATOR
    basic = base64.b64encode(f"{name}:{cloud.secret(name, 'password')}".encode()).decode()
    return {
        "ops": {"Authorization": f"Bearer {cloud.secret(name, 'token')}"},
        "cloudsigma": {"Authorization": f"Basic {basic}"},
    }
