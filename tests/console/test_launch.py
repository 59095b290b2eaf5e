"""The console's child: started, listened to, started again, given up, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from console.launch import FIRST, RESTART_SECONDS, Backend, Phase, Place, Status, command, read_line

PLACE = {"socket": "/data/socket", "url": None, "token": "t", "kind": "demo", "pid": 7}


def saying(*lines: Mapping[str, object], then: str = "") -> tuple[str, ...]:
    """A child that says these lines and then runs `then`, or ends."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return (sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.stdout.flush()\n{then}")


def stub(path: Path) -> tuple[str, ...]:
    """A real backend process around a stub of a cloud."""
    return (sys.executable, "-m", "tests.backend.stub_cloud", "--child", "--data", str(path))


class Naps:
    """Instead of sleeping: how long it would have been, on a clock that only this moves."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.now += seconds

    def seconds(self) -> float:
        return self.now


def backend_of(child: Sequence[str], naps: Naps) -> Backend:
    return Backend(child, sleep=naps.sleep, seconds=naps.seconds)


async def until(statuses: AsyncIterator[Status], *phases: Phase) -> Status:
    async with asyncio.timeout(30):
        async for status in statuses:
            if status.phase in phases:
                return status
    raise AssertionError("the statuses are endless")


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made).resolve() / "data"


def test_the_childs_lines_become_statuses() -> None:
    at = Place(Path("/data/socket"), "t", None, "demo", 7)

    cases: list[tuple[object, Status | None]] = [
        ({"state": "starting", "sentence": "Making", "progress": 0.25}, Status(Phase.STARTING, "Making", 0.25)),
        ({"state": "starting", "sentence": "Waiting", "progress": None}, Status(Phase.STARTING, "Waiting")),
        ({"state": "refused", "sentence": "No."}, Status(Phase.REFUSED, "No.")),
        (PLACE | {"state": "ready"}, Status(Phase.READY, "Own backend", place=at)),
        (
            PLACE | {"state": "attached"},
            Status(Phase.ATTACHED, "Attached to the backend of process 7", place=at),
        ),
        ({"state": "ready"}, None),
        ({"state": "singing"}, None),
        ([1], None),
    ]
    for said, meant in cases:
        assert read_line(json.dumps(said).encode() + b"\n") == meant
    assert read_line(b"Traceback (most recent call last):\n") is None


def test_the_command_runs_our_module_whatever_lies_in_the_working_directory() -> None:
    wanted = command(Path("/data"), kind="demo", port=0, clock_rate=60.0)

    assert wanted[1:4] == ("-P", "-m", "backend")
    assert wanted[4:] == ("--child", "--data", "/data", "--cloud", "demo", "--port", "0", "--clock-rate", "60.0")


def test_nothing_is_started_before_somebody_follows() -> None:
    backend = Backend(("/no/such/program",))

    assert backend.status == FIRST
    assert backend.place is None
    backend.stop()


async def follow_to_ready_and_close(path: Path) -> int:
    backend = Backend(stub(path))
    async with aclosing(backend.follow()) as statuses:
        status = await until(statuses, Phase.READY)
        assert status.place is not None
        assert backend.sentence is None
        assert await backend.answers() == status.place
        pid = status.place.pid
        os.kill(pid, 0)
    return pid


def test_a_child_is_followed_until_it_answers_and_stopped_when_nobody_follows(path: Path) -> None:
    pid = asyncio.run(follow_to_ready_and_close(path))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (path / "backend.json").exists()


def test_a_child_that_is_killed_is_started_again_after_a_second(path: Path) -> None:
    async def story() -> None:
        naps = Naps()
        backend = backend_of(stub(path), naps)
        async with aclosing(backend.follow()) as statuses:
            first = await until(statuses, Phase.READY)
            assert first.place is not None
            os.kill(first.place.pid, signal.SIGKILL)

            lost = await until(statuses, Phase.LOST)
            assert lost.sentence == "The backend was ended by signal 9"
            assert backend.place is None

            again = await until(statuses, Phase.READY)
            assert again.place is not None
            assert again.place.pid != first.place.pid
            assert naps.taken == [RESTART_SECONDS]

    asyncio.run(story())


def test_a_child_that_keeps_ending_is_given_up_and_started_again_when_asked() -> None:
    async def story() -> None:
        naps = Naps()
        backend = backend_of(saying(then="sys.exit('out of luck')"), naps)
        async with aclosing(backend.follow()) as statuses:
            given_up = await until(statuses, Phase.GIVEN_UP)
            assert given_up.sentence == (
                "The backend ended with status 1 (out of luck), and was started again 3 times in a minute already"
            )
            assert backend.has_given_up
            assert naps.taken == [1, 1, 1]

            await backend.restart()
            assert (await until(statuses, Phase.STARTING)).sentence == "Starting the backend again"
            await until(statuses, Phase.GIVEN_UP)
            assert naps.taken == [1] * 6

    asyncio.run(story())


def test_ends_that_lie_far_apart_are_never_too_many() -> None:
    async def story() -> None:
        naps = Naps()
        backend = backend_of(saying(then="sys.exit(3)"), naps)
        async with aclosing(backend.follow()) as statuses:
            for _ in range(6):
                await until(statuses, Phase.STARTING)
                naps.now += 30
            assert not backend.has_given_up

    asyncio.run(story())


def test_a_child_that_refuses_is_not_asked_again_and_says_why() -> None:
    async def story() -> None:
        naps = Naps()
        backend = backend_of(saying({"state": "refused", "sentence": "Cloud is corrupt."}, then="sys.exit(2)"), naps)
        async with aclosing(backend.follow()) as statuses:
            await until(statuses, Phase.REFUSED)
            assert (await until(statuses, Phase.REFUSED, Phase.LOST)).phase is Phase.REFUSED

            assert backend.refusal == "Cloud is corrupt."
            assert backend.has_given_up
            assert naps.taken == []

    asyncio.run(story())


def test_a_refusal_after_a_backend_has_answered_does_not_end_the_console() -> None:
    async def story() -> None:
        lines = PLACE | {"state": "ready"}, {"state": "refused", "sentence": "The disk is gone."}
        backend = backend_of(saying(*lines), Naps())
        async with aclosing(backend.follow()) as statuses:
            await until(statuses, Phase.REFUSED)

            assert backend.refusal is None
            assert backend.sentence == "The disk is gone."

    asyncio.run(story())


def test_a_program_that_cannot_be_started_is_a_sentence() -> None:
    async def story() -> None:
        backend = backend_of(("/no/such/program",), Naps())
        async with aclosing(backend.follow()) as statuses:
            assert "cannot be started" in (await until(statuses, Phase.LOST)).sentence

    asyncio.run(story())


def test_what_asks_for_a_place_waits_until_there_is_one(path: Path) -> None:
    async def story() -> None:
        backend = Backend(stub(path))
        waiting = asyncio.create_task(backend.answers())
        async with aclosing(backend.follow()) as statuses:
            status = await until(statuses, Phase.READY)
            async with asyncio.timeout(30):
                assert await waiting == status.place

    asyncio.run(story())


def test_progress_is_said_in_one_sentence() -> None:
    async def story() -> None:
        line = {"state": "starting", "sentence": "Making the hosts", "progress": 0.4}
        backend = backend_of(saying(line), Naps())
        async with aclosing(backend.follow()) as statuses:
            await anext(statuses)
            assert (await anext(statuses)).progress == 0.4
            assert backend.sentence == "Making the hosts: 40%"

    asyncio.run(story())


def test_a_child_that_does_not_end_when_told_is_killed_in_the_end() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True)\nsys.stdin.read()"

    async def story() -> None:
        backend = Backend(saying(PLACE | {"state": "ready"}, then=deaf), stop_seconds=0.01)
        async with aclosing(backend.follow()) as statuses:
            await until(statuses, Phase.READY)
        backend.stop()

    asyncio.run(story())
