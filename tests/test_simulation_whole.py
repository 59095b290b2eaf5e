"""The whole system from one seed: a few stories each time, many when asked; and that a story that goes wrong is found.

`python -m tests.simulate --seed N --steps M` tells any other one.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from console.client import CloudClient
from console.records import Changes
from tests import simulate
from tests.simulation import steps as telling
from tests.simulation.console import Watcher
from tests.simulation.shrink import kind_of, shrunk
from tests.simulation.steps import Step
from tests.simulation.virtual import virtual
from tests.simulation.watch import Wrong
from tests.simulation.world import World

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""A process that is killed closes nothing."""

THOROUGH_SECONDS = 570
"""Of ten minutes: the last story of each is told to its end."""
THOROUGH_STEPS = "1000"
"""Of each story: to begin and to end one costs as much as fifty steps, and the longer its log, the more it costs to
check all of it."""


def told_well(seed: int, count: int) -> simulate.Told:
    told = simulate.tell(telling.tell(seed, count), seed)
    assert told.failed is None, f"python -m tests.simulate --seed {seed} --steps {count}: {told.failed.what}"
    return told


@pytest.mark.parametrize("seed", [1, 5])
def test_whatever_happens_to_the_whole_system_its_promises_hold(seed: int) -> None:
    world = told_well(seed, 150).world

    assert world is not None
    assert world.watch.events > 60, "nothing has happened"
    assert world.watch.wholes >= 1
    assert world.console.looks > 10
    assert sum(count for status, count in world.answers.items() if status < 300) > 40


def test_two_lives_of_one_seed_are_the_same_to_the_byte() -> None:
    one, other = told_well(9, 80), told_well(9, 80)

    assert one.lines == other.lines
    assert one.digest == other.digest


@pytest.mark.thorough
def test_a_seed_is_the_same_story_in_another_process() -> None:
    """Whose sets are in another order."""

    def lines(hash_seed: int) -> Sequence[str]:
        command = [sys.executable, "-m", "tests.simulate", "--seed", "9", "--steps", "300", "--lines"]
        environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout.splitlines()[:600]

    assert lines(1) == lines(2)


MADE = Step(1, "create server", {"by": "ops", "name": "s1", "vcpus": 1, "gib": 1, "is_backfilling": False,
                                 "cell": "cell-1", "is_grouped": False})  # fmt: skip
STORIES: dict[str, list[Step]] = {
    "a killed backup is taken once": [
        MADE,
        Step(2, "kill", {"commits": 1, "deed": "back up", "inner": {"by": "ops", "source": "s1", "name": "b2"}}),
    ],
    "a killed schedule is made once": [
        MADE,
        Step(2, "kill", {"commits": 1, "deed": "schedule", "inner": {
            "by": "ops", "source": "s1", "name": "r2", "backups_max": 1, "cron": "0 * * * *"}}),
    ],
    "a file that is emptied does not take its log with it": [
        Step(1, "create drive", {"by": "ops", "name": "d1", "gib": 1, "cell": "cell-2", "avoid": []}),
        Step(2, "break file", {"cell": "cell-2", "manner": "empty"}),
        Step(3, "kill", {"commits": 2, "deed": "advance", "inner": {"seconds": 1}}),
    ],
    "a file that is overwritten does not take its log with it": [
        Step(1, "boot", {"name": "s1", "flavor": "2"}),
        Step(2, "break file", {"cell": "cell-1", "manner": "garbage"}),
        Step(3, "kill", {"commits": 2, "deed": "advance", "inner": {"seconds": 1}}),
    ],
    "a cell falls silent while the disk of cloud.db is full": [
        MADE,
        Step(2, "full disk", {"file": "cloud"}),
        Step(3, "break file", {"cell": "cell-1", "manner": "gone"}),
        Step(4, "start", {"by": "ops", "server": "s1", "avoid": []}),
        Step(5, "pause", {"seconds": 30}),
        Step(6, "advance", {"seconds": 30}),
    ],
    "the disk of cloud.db keeps neither a reservation nor the word that it is kept": [
        MADE,
        Step(2, "failing disk", {"file": "cloud", "is_kept": False}),
        Step(3, "create drive", {"by": "ops", "name": "d3", "gib": 1, "cell": "cell-1", "avoid": []}),
        Step(4, "delete server", {"by": "ops", "server": "s1", "with_drives": True}),
        Step(5, "mend disk", {}),
    ],
    "the disk of cloud.db fails while a reservation is kept": [
        Step(1, "failing disk", {"file": "cloud", "is_kept": True}),
        MADE._replace(number=2),
        Step(3, "boot", {"name": "s3", "flavor": "1"}),
        Step(4, "pause", {"seconds": 6}),
        Step(5, "mend disk", {}),
    ],
    "a cell falls silent while the disk of cloud.db fails": [
        MADE,
        Step(2, "failing disk", {"file": "cloud", "is_kept": True}),
        Step(3, "break file", {"cell": "cell-1", "manner": "gone"}),
        Step(4, "pause", {"seconds": 6}),
        Step(5, "mend disk", {}),
        Step(6, "pause", {"seconds": 6}),
    ],
    "it is closed while the disk of cloud.db fails": [
        MADE,
        Step(2, "failing disk", {"file": "cloud", "is_kept": False}),
        Step(3, "restart", {}),
    ],
    "the disk of a cell fails in the middle of an attachment": [
        MADE,
        Step(2, "create drive", {"by": "ops", "name": "d2", "gib": 1, "cell": "cell-1", "avoid": []}),
        Step(3, "advance", {"seconds": 9}),
        Step(4, "failing disk", {"file": "cell-1", "is_kept": True}),
        Step(5, "attach", {"drive": "d2", "server": "s1"}),
        Step(6, "pause", {"seconds": 6}),
    ],
    "a deletion that would have been refused is cut short": [
        Step(1, "create drive", {"by": "ops", "name": "d1", "gib": 1, "cell": "cell-2", "avoid": []}),
        Step(2, "kill", {"commits": 1, "deed": "delete drive", "inner": {"by": "sigma", "drive": "d1"}}),
    ],
    "what is due waits for a full disk": [
        MADE,
        Step(2, "start", {"by": "ops", "server": "s1", "avoid": []}),
        Step(3, "full disk", {"file": "cell-1"}),
        Step(4, "advance", {"seconds": 60}),
    ],
    "the disk of cloud.db fails while time passes, and the engine does not try without end": [
        MADE,
        Step(2, "failing disk", {"file": "cloud", "is_kept": False}),
        Step(3, "pause", {"seconds": 9}),
        Step(4, "create server", {**MADE.values, "name": "s4", "cell": "cell-2"}),
        Step(5, "pause", {"seconds": 1}),
    ],
    "a drive that avoids its own name, which nothing has yet, is asked for again": [
        Step(1, "kill", {"commits": 4, "deed": "create drive", "inner": {
            "by": "ops", "name": "d1", "gib": 1, "cell": "cell-1", "avoid": ["d1"]}}),
    ],
    "who reads a file that is overwritten does not take its log with it": [
        Step(1, "create server", {**MADE.values, "by": "sigma", "name": "s1", "is_backfilling": True}),
        Step(2, "boot", {"name": "s2", "flavor": "3"}),
        Step(3, "break file", {"cell": "cell-1", "manner": "garbage"}),
        Step(4, "read", {"by": "ops", "path": "/tasks"}),
    ],
    "an old copy is the cell, with the log that was left beside it": [
        Step(1, "keep copy", {"cell": "cell-1"}),
        Step(2, "create drive", {"by": "sigma", "name": "d2", "gib": 1, "cell": "cell-1", "avoid": []}),
        Step(3, "break file", {"cell": "cell-1", "manner": "old copy"}),
        Step(4, "kill", {"commits": 4, "deed": "create server", "inner": {**MADE.values, "cell": "cell-2"}}),
        Step(5, "advance", {"seconds": 31}),
    ],
    "nobody knows whether the reservation of a restore was kept": [
        MADE,
        Step(2, "back up", {"by": "ops", "source": "s1", "name": "b2"}),
        Step(3, "advance", {"seconds": 9}),
        Step(4, "failing disk", {"file": "cloud", "is_kept": True}),
        Step(5, "restore", {"backup": "b2", "name": "s5"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("seed", [0, 2], ids=["its own time", "the wall's time"])
@pytest.mark.parametrize("name", STORIES)
def test_what_went_wrong_once_goes_well(name: str, seed: int) -> None:
    told = simulate.tell(STORIES[name], seed)

    assert told.failed is None, told.failed.what


# --- that it can fail -------------------------------------------------------------------------------------------------


class Forgetful(Watcher):
    """Drops what the feed says of what has been removed."""

    def _take(self, answer: Any, wall: Callable[[], datetime]) -> None:
        super()._take(answer._replace(removed=()) if isinstance(answer, Changes) else answer, wall)


class Late(Watcher):
    """Thinks that it has come to the end of the feed when it has not even begun."""

    async def _is_quiet(self, client: CloudClient, wall: Callable[[], datetime]) -> bool:
        return True


@pytest.mark.parametrize(
    ("watcher", "wrong", "deed", "values"),
    [
        (Forgetful, "which is not there", "delete server", {"by": "ops", "server": "s1", "with_drives": False}),
        (Late, "otherwise than it is", "start", {"by": "ops", "server": "s1", "avoid": []}),
    ],
)
def test_a_console_that_misses_something_is_found_and_told_in_a_few_steps(
    watcher: type[Watcher], wrong: str, deed: str, values: Mapping[str, Any]
) -> None:
    chatter = [Step(number, "read", {"by": "ops", "path": "/status"}) for number in range(11, 19)]
    story = [MADE, Step(2, "look", {}), *chatter, Step(19, deed, values)]
    failed = simulate.tell(story, 1, watcher).failed
    assert failed is not None, "nobody has noticed"
    kept, _ = simulate.shorten(story, failed, 1, watcher)

    assert wrong in failed.what
    assert [step.number for step in kept] == [1, 2, 19]


TAMPERED: Mapping[str, tuple[str, str, str]] = {
    "a row is otherwise than the log says": (
        "cells/cell-1.db", "UPDATE server SET name = 'else'", "has name 'else', and by the log it is 's1'"),
    "a row is gone": (
        "cells/cell-1.db", "DELETE FROM drive", "is not stored, and by the log it is there"),
    "a server has another size than its host gives it": (
        "cells/cell-1.db", "UPDATE server SET cpu_mhz_effective = 1000", "by what is on the host it should have"),
    "a host holds more than it has": (
        "cells/cell-1.db", "UPDATE host SET cpu_mhz = 1 WHERE kind = 'compute'", "is over its capacity"),
    "a server is on a host that is down": (
        "cells/cell-1.db", "UPDATE host SET state = 'down' WHERE kind = 'compute'", "which is down"),
    "nothing will end a start": (
        "cells/cell-1.db", "DELETE FROM task", "is starting, and no open task is to start it"),
    "something else is reserved": (
        "cloud.db", "UPDATE server_directory SET cpu_mhz = 1", "is reserved as"),
    "nothing is reserved": (
        "cloud.db", "DELETE FROM drive_directory", "exists, and nothing is reserved for it"),
    "a drive is attached to nothing centrally": (
        "cloud.db", "UPDATE drive_directory SET server_id = NULL", "and centrally None"),
    "a backup is charged for what it does not hold": (
        "cloud.db", "UPDATE backup SET size_bytes = size_bytes + 1", "and holds"),
    "a backup is gone": (
        "cloud.db", "DELETE FROM backup", "backup b5 was acknowledged, and is not there"),
}  # fmt: skip
"""What somebody does to a file behind the cloud's back, and what is said of it after the next step."""


@pytest.mark.parametrize("name", TAMPERED)
def test_what_is_wrong_in_a_file_is_found_after_the_next_step(name: str, tmp_path: Path) -> None:
    file, statement, wrong = TAMPERED[name]
    story = [
        MADE,
        Step(2, "create drive", {"by": "ops", "name": "d2", "gib": 1, "cell": "cell-1", "avoid": []}),
        Step(3, "advance", {"seconds": 31}),
        Step(4, "attach", {"drive": "d2", "server": "s1"}),
        Step(5, "back up", {"by": "ops", "source": "s1", "name": "b5"}),
        Step(6, "start", {"by": "ops", "server": "s1", "avoid": []}),
    ]

    async def go(world: World) -> None:
        await world.begin()
        try:
            for step in story:
                await world.step(step)
            with closing(sqlite3.connect(world.folder / file)) as connection, connection:
                assert connection.execute(statement).rowcount > 0
                if file != "cloud.db":
                    connection.execute("UPDATE identity SET epoch = epoch + 1")
            await world.step(Step(7, "log in", {}))
        finally:
            await world.abandon()

    with virtual() as (run, lanes), pytest.raises(Wrong, match=re.escape(wrong)):
        run(go(World(tmp_path / "data", lanes)))


def test_shrinking_leaves_what_it_takes_and_nothing_else() -> None:
    story = telling.tell(1, 64)

    def is_wrong(steps: Sequence[Step]) -> bool:
        return {17, 42} <= {step.number for step in steps}

    kept, tries = shrunk(story, is_wrong)

    assert [step.number for step in kept] == [17, 42]
    assert tries < 64


def test_what_went_wrong_is_the_same_whatever_it_is_called() -> None:
    assert kind_of("server s12 is not there (0000)") == kind_of("server s7 is not there (1111)")
    assert kind_of("server s12 is not there") != kind_of("drive d12 is not there")


def test_every_step_can_be_told_as_a_sentence() -> None:
    story = telling.tell(3, 2000)

    assert {step.deed for step in story} == set(telling.DEEDS)
    assert all(telling.sentences(story))


@pytest.mark.thorough
def test_as_many_seeds_as_ten_minutes_have_on_two_cores(record_property: Callable[[str, object], None]) -> None:
    """`-s` shows how many steps that were, and a report of JUnit's kind keeps it."""
    command = [sys.executable, "-m", "tests.simulate", "--seconds", str(THOROUGH_SECONDS), "--steps", THOROUGH_STEPS]
    tellers = [
        subprocess.Popen([*command, "--seed", seed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for seed in ("1000", "1000000")
    ]
    told = [teller.communicate()[0] for teller in tellers]

    steps = sum(int(found[1].replace(",", "")) for each in told if (found := re.search(r"([\d,]+) steps in", each)))
    record_property("steps", steps)
    print(*told, f"{steps:,} steps in all", sep="\n")
    assert [teller.returncode for teller in tellers] == [0, 0], "\n".join(told)
