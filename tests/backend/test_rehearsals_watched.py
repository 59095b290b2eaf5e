"""A rehearsal that is watched: its cloud is served while its time runs, and says how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.__main__ import Folder, Options
from backend.app import App
from backend.folder import OPERATOR, FolderProblem, read_credentials
from backend.rehearsals.watched import Watched
from console import wire_rehearsal
from console.records_rehearsal import RehearsalRecord
from tests.rehearsing import FLEET, SMALL, a_text

FAST = 100_000.0
STEPS = (
    f'do = "create"\nname = "web"\ncount = 2\n{SMALL}',
    'at = "10m"\ndo = "cell-down"\ncell = "cell-1"',
    'at = "40m"\ndo = "cell-up"\ncell = "cell-1"',
)


def written(folder: Path, text: str) -> str:
    (folder / "it.toml").write_text(text)
    return str(folder / "it.toml")


@asynccontextmanager
async def watching(file: str, folder: Path, *, rate: float = FAST) -> AsyncIterator[tuple[App, httpx.AsyncClient]]:
    watched = Watched(Folder().open, file, seed=None, rate=rate)
    options = Options(path=folder)
    # What makes a folder may run a loop of its own.
    await asyncio.to_thread(watched.make, options, lambda sentence, share: None)
    async with watched.open(options) as opened:
        headers = {"Authorization": f"Bearer {read_credentials(folder).token_of(OPERATOR)}"}
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            yield opened.app, client


async def look(client: httpx.AsyncClient) -> RehearsalRecord:
    answer = await client.get("/ops/v1/rehearsal")
    assert answer.status_code == 200
    found = wire_rehearsal.rehearsal(answer.json()).record
    assert found is not None
    return found


async def at_the_end(app: App, client: httpx.AsyncClient) -> RehearsalRecord:
    while not (found := await look(client)).is_over:
        await app.cloud.changed(0.1)
    return found


@pytest.mark.anyio
async def test_it_is_told_while_it_goes_on_and_judged_when_it_is_over(tmp_path: Path) -> None:
    file = written(tmp_path, a_text(*STEPS, expected="stopped_max = 0\nmissed_max = 0"))

    async with watching(file, tmp_path / "data") as (app, client):
        found = await at_the_end(app, client)
        whole = (await client.get("/ops/v1/rehearsal")).json()["rehearsal"]["report"]

    assert (found.title, found.share, found.problem) == ("a test", 1.0, None)
    assert [line.kind for line in found.lines].count("met") == 3
    assert any(line.text.startswith("cell-1 from +") for line in found.lines)
    assert whole["is_met"] is True
    # Nothing goes on after its end, so that the cloud can be looked at as it is.
    assert app.cloud.clock.mode == "manual"


@pytest.mark.anyio
async def test_before_the_end_nothing_is_judged_and_what_is_ahead_is_told_apart(tmp_path: Path) -> None:
    async with watching(written(tmp_path, a_text(*STEPS)), tmp_path / "data", rate=1.0) as (app, client):
        while not (found := await look(client)).lines:
            await app.cloud.changed(0.1)
        steps = [(line.kind, line.label) for line in found.lines if line.kind in ("step", "ahead")]

    assert steps == [("step", "+0s"), ("ahead", "+10m"), ("ahead", "+40m")]
    assert not found.is_over
    assert not {"met", "failed", "verdict"} & {line.kind for line in found.lines}


@pytest.mark.anyio
async def test_a_name_that_the_cloud_does_not_have_ends_it_with_a_sentence(tmp_path: Path) -> None:
    # How many hosts the cloud of a trace has is known when it is there.
    text = 'title = "x"\nlasts = "1h"\ncloud = "azure-2017"\nhours = 0.1\n[[steps]]\ndo = "drain"\nhost = "z"\n'
    async with watching(written(tmp_path, text), tmp_path / "data") as (app, client):
        found = await at_the_end(app, client)

    assert found.problem is not None
    assert 'it.toml: line 5: steps[0].host is the string "z", expected one of the cloud\'s: host-' in found.problem


@pytest.mark.anyio
async def test_a_backend_that_takes_over_says_that_it_was_cut_off(tmp_path: Path) -> None:
    file = written(tmp_path, a_text(*STEPS))

    async with watching(file, tmp_path / "data", rate=1.0):
        pass
    async with watching(file, tmp_path / "data") as (_, client):
        found = await look(client)

    assert found.problem == "The backend ended in the middle of it: leave, and rehearse again."


@pytest.mark.anyio
async def test_on_any_other_cloud_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace("[cloud]\n", "").replace("cloud.", ""))
    from backend import fleet_file

    options = Options(path=tmp_path / "data", kind="fleet", fleet=fleet_file.read(tmp_path / "fleet.toml"))
    Folder().make(options, lambda sentence, share: None)
    answers: list[Any] = []
    async with Folder().open(options) as opened:
        for token in (read_credentials(options.path).token_of(OPERATOR), "nobody's"):
            transport = httpx.ASGITransport(opened.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.get("/ops/v1/rehearsal", headers={"Authorization": f"Bearer {token}"})
                answers.append((answer.status_code, answer.json().get("rehearsal", "nothing")))

    assert answers == [(200, None), (401, "nothing")]


def test_a_file_that_is_wrong_is_refused_with_every_mistake(tmp_path: Path) -> None:
    watched = Watched(Folder().open, written(tmp_path, 'title = "x"'), seed=None, rate=FAST)

    with pytest.raises(FolderProblem, match=r"lasts is missing(.|\n)*cloud is missing|cloud is missing(.|\n)*lasts"):
        watched.make(Options(path=tmp_path / "data"), lambda sentence, share: None)


@pytest.mark.anyio
async def test_however_many_watch_nothing_is_told_twice(tmp_path: Path) -> None:
    render = f'do = "create"\nname = "render"\ncount = 2\nbackfilling = true\n{SMALL}'
    large = 'do = "create"\nname = "large"\ncount = 4\ncpu_mhz = 7000\nmemory_bytes = 2147483648'

    async with watching(written(tmp_path, a_text(render, f'at = "5m"\n{large}')), tmp_path / "data") as (_, client):
        while not (await asyncio.gather(*(look(client) for _ in range(3))))[0].is_over:
            pass
        report = (await client.get("/ops/v1/rehearsal")).json()["rehearsal"]["report"]

    assert [(each["name"], each["times"]) for each in report["shrunk"]] == [("render-01", 1), ("render-02", 1)]
