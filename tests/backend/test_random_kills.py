"""Killed at any instant with many callers at work, the cloud has what was acknowledged, once, and nothing by halves."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from backend.cloud.errors import CloudError
from backend.cloud.model import GIB, Drive, Server, Size
from backend.operations import RequestKey, drives, servers
from backend.operations.drives import DriveSpec
from backend.operations.servers import ServerSpec
from tests.backend.crashing import assert_whole, latest
from tests.backend.killed import lived
from tests.backend.support import Harness, make_folder, opened

CALLERS = 64
SECONDS_MAX = 0.4
SHAPE = {"hosts": 4, "capacity": Size(400_000, 4_000 * GIB), "storage_bytes": 100_000 * GIB}
"""Room for more than is asked for, so that only the kill keeps anything from being done."""


def said(word: str, name: str) -> None:
    """At once: what is acknowledged is heard."""
    print(word, name, flush=True)


async def call(on: Harness, name: str, chance: Random) -> None:
    """One caller: makes something, does this and that with it, and says what was acknowledged."""
    if chance.random() < 0.5:
        said("asked-server", name)
        spec = ServerSpec(name, Size(500, GIB))
        made = await servers.create_server(on.cloud, on.operator, spec, request=RequestKey(name, "server"))
        said("server", name)
        if chance.random() < 0.7:
            await servers.start_server(on.cloud, on.operator, made.id, request=RequestKey(f"{name}/start", "start"))
            said("started", name)
        elif chance.random() < 0.5:
            said("leaving", name)
            await servers.delete_server(on.cloud, on.operator, made.id)
            said("left", name)
    else:
        said("asked-drive", name)
        disk = DriveSpec(name, GIB)
        drive = await drives.create_drive(on.cloud, on.operator, disk, request=RequestKey(name, "drive"))
        said("drive", name)
        if chance.random() < 0.3:
            said("leaving", name)
            await drives.delete_drive(on.cloud, on.operator, drive.id)
            said("left", name)


async def keep_calling(on: Harness, prefix: str, chance: Random) -> None:
    number = 0
    while True:
        number += 1
        try:
            await call(on, f"{prefix}-{number}", chance)
        except CloudError as refused:
            # A drive that is still being made cannot be deleted: its time stands still.
            said("refused", f"{prefix}-{number} {type(refused).__name__}")


async def load(folder: Path, seed: int) -> None:
    """Until it is killed, at an instant that nobody chose but the seed."""
    chance = Random(seed)
    killing = threading.Timer(chance.uniform(0.01, SECONDS_MAX), os.kill, (os.getpid(), signal.SIGKILL))
    killing.daemon = True
    async with opened(folder, at=latest(folder)) as on:
        killing.start()

        async def engine() -> None:
            while True:
                await on.engine.advance(1)
                await on.cloud.store.flush_last_known()
                await asyncio.sleep(0)

        callers = [keep_calling(on, f"{seed}-{caller}", Random(seed * 1000 + caller)) for caller in range(CALLERS)]
        await asyncio.gather(engine(), *callers)


@dataclass(slots=True)
class Known:
    """What callers were told in all lives of a folder."""

    words: dict[str, set[str]] = field(default_factory=dict)

    def take(self, output: str) -> None:
        for line in output.splitlines():
            word, _, name = line.partition(" ")
            self.words.setdefault(name, set()).add(word)

    def settled(self) -> Mapping[str, str]:
        """What must be there, by name: `server` or `drive`."""
        kinds = ("server", "drive")
        return {
            name: kind
            for name, words in self.words.items()
            for kind in kinds
            if kind in words and "leaving" not in words
        }


async def judge(folder: Path, known: Known) -> None:
    """Everything that was acknowledged is there once; what was not is asked for again, and then is there once."""
    async with opened(folder, at=latest(folder)) as on:
        await on.engine.advance(60)
        names = await names_of(on)
        assert max(names.values(), default=1) == 1, "something was done twice"
        missing = known.settled().keys() - names.keys()
        assert missing == set(), f"acknowledged and lost: {sorted(missing)[:5]}"
        back = {name for name, words in known.words.items() if "left" in words} & names.keys()
        assert back == set(), f"deleted and back: {sorted(back)[:5]}"
        for server in (await servers.list_servers(on.cloud, on.operator)).items:
            assert isinstance(server, Server)
            is_started = "started" in known.words.get(server.name, ())
            assert not is_started or server.host is not None, f"{server.name} was started"
        for name, words in list(known.words.items()):
            if "asked-server" in words and "server" not in words:
                spec = ServerSpec(name, Size(500, GIB))
                await servers.create_server(on.cloud, on.operator, spec, request=RequestKey(name, "server"))
                words.add("server")
            if "asked-drive" in words and "drive" not in words:
                disk = DriveSpec(name, GIB)
                await drives.create_drive(on.cloud, on.operator, disk, request=RequestKey(name, "drive"))
                words.add("drive")
        again = await names_of(on)
        assert max(again.values(), default=1) == 1, "something was done twice under the same key"
        assert known.settled().keys() <= again.keys()
    assert_whole(folder)


async def names_of(on: Harness) -> Counter[str]:
    found = [
        *(await servers.list_servers(on.cloud, on.operator)).items,
        *(await drives.list_drives(on.cloud, on.operator)).items,
    ]
    return Counter(each.name for each in found if isinstance(each, Server | Drive))


def kill_and_judge(folder: Path, seeds: range) -> int:
    """One folder through many lives. Returns how much was acknowledged."""
    make_folder(folder, **SHAPE)  # type: ignore[arg-type]
    known = Known()
    for seed in seeds:
        ended = lived(lambda seed=seed: load(folder, seed))  # type: ignore[misc]
        assert ended.status == -signal.SIGKILL, ended.errors
        known.take(ended.output)
        asyncio.run(judge(folder, known))
    return len(known.settled())


def test_killed_at_random_with_64_callers_at_work(tmp_path: Path) -> None:
    assert kill_and_judge(tmp_path / "data", range(1, 4)) > 0


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(100, 600, 10))
def test_killed_at_random_many_times(tmp_path: Path, first: int) -> None:
    assert kill_and_judge(tmp_path / "data", range(first, first + 10)) > 0
