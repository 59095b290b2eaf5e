"""The real `stratodeck` in a pseudo-terminal, as an operator uses it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served import served
from tests.terminal import terminal

DOWN = "1 of 4 cells degraded"
WORSE = "2 of 4 cells degraded"

AT_ONCE = {"STRATODECK_UNDO_SECONDS": "0"}
"""What is confirmed is sent without a grace in which it could be taken back."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that was made and closed; each story gets a copy."""
    folder = tmp_path_factory.mktemp("made") / "data"
    with served(folder, "--cloud", "demo"):
        pass
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(made, tmp_path / "data", ignore=shutil.ignore_patterns("socket", "lock", "backend.json"))
    )


def backend_pid(data: Path) -> int | None:
    """None while no backend says where it is."""
    try:
        return int(json.loads((data / "backend.json").read_text())["pid"])
    except FileNotFoundError:
        return None


def stratodeck(*arguments: str) -> None:
    command = Path(sys.executable).with_name("stratodeck")
    subprocess.run([command, *arguments], check=True, capture_output=True, timeout=60)


def test_the_first_start_makes_a_demo_and_shows_it(tmp_path: Path) -> None:
    with terminal("--data", str(tmp_path / "data")) as on:
        on.wait("overview")
        on.wait("NEEDS ATTENTION", DOWN, "db-main", "cell-4")
        on.type("q")
        assert on.wait_for_end() == 0


def test_a_stopped_server_is_started_by_keyboard_and_seen_running(data: Path) -> None:
    with terminal("--data", str(data), environment=AT_ONCE) as on:
        on.wait("NEEDS ATTENTION", DOWN)
        on.type(":servers /app- stopped\r")
        text = on.wait("/app- stopped", "○ stopped", without=("● run",))
        name = text.split("○ stopped")[1].split()[0]
        on.type(f":servers /{name}\r")
        on.wait(f"servers /{name}", "○ stopped", " 1 of ")
        on.type("x")
        on.wait("start", "TIER")
        on.type("s")
        on.wait("[ cancel ]", "PLACEMENT")
        on.press("tab", "enter")
        on.wait("● run", name, without=("○ stopped", "[ cancel ]"))


def test_when_its_backend_is_killed_it_says_so_keeps_the_rows_and_comes_back(data: Path) -> None:
    with terminal("--data", str(data)) as on:
        on.wait("NEEDS ATTENTION", DOWN)
        on.type(":servers /web-31\r")
        on.wait("● run", "web-31", " 1 of ")
        before = backend_pid(data)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        on.wait("no answer", "web-31")
        on.wait(DOWN, "● run", "web-31", without=("no answer",))
        assert backend_pid(data) != before


def test_a_cell_that_goes_down_degrades_the_screen_and_its_return_mends_it(data: Path) -> None:
    with terminal("--data", str(data)) as on:
        on.wait("NEEDS ATTENTION", DOWN)
        stratodeck("cell", "down", "cell-1", "--data", str(data))
        on.wait(WORSE)
        on.type(":servers /api-02\r")
        stratodeck("cell", "up", "cell-1", "--data", str(data))
        on.wait(DOWN)
        on.type(":cells\r")
        on.wait("worst first", DOWN)


def test_a_hostile_name_is_shown_and_does_nothing(data: Path) -> None:
    from backend.seed import OPERATOR

    name = "[red]x[/b]\x1b]2;owned\x07[@click=app.quit]web[/]"
    with served(data) as cloud, cloud.client(OPERATOR) as ops:
        answer = ops.post("/servers", json={"name": name, "cpu_mhz": 1000, "memory_bytes": 2**30})
        assert answer.status_code == 201
    with terminal("--data", str(data)) as on:
        on.wait("NEEDS ATTENTION", DOWN)
        on.type(":servers /click\r")
        on.wait("[red]x[/b]", " 1 of ")
        on.type("xs")
        on.wait("[red]x[/b]", "PLACEMENT")
        assert "owned" not in on.title


def test_what_was_done_and_how_it_was_typed_do_not_get_lost(data: Path) -> None:
    """Both lines, and what follows them, are typed before there is anything to see."""
    with terminal("--data", str(data), environment=AT_ONCE) as on:
        on.type(":cells\r:servers /web-31\r")
        on.wait("servers /web-31", "● run", " 1 of ")
        on.type("xo")
        on.wait("[ power off ]")
        on.press("tab", "enter")
        on.wait("○ stop", without=("● run", "[ cancel ]"))
        on.type(":q\r")
        assert on.wait_for_end() == 0
    with terminal("--data", str(data)) as on:
        on.type(":servers /web-31\r")
        on.wait("servers /web-31", "○ stop", " 1 of ")


def test_it_works_in_forty_columns_and_ten_rows(data: Path) -> None:
    with terminal("--data", str(data), columns=40, rows=10) as on:
        on.wait("overview", "cell-1")
        on.type(":servers\r")
        on.wait("servers", "1,105")
        on.type(":q\r")
        assert on.wait_for_end() == 0


def test_a_second_console_attaches_and_takes_over(data: Path) -> None:
    with terminal("--data", str(data)) as first:
        first.wait("NEEDS ATTENTION", DOWN)
        owner = backend_pid(data)
        with terminal("--data", str(data)) as second:
            second.wait("NEEDS ATTENTION", DOWN)
            assert backend_pid(data) == owner
            first.type("q")
            first.wait_for_end()
            second.wait_until(lambda _: backend_pid(data) not in (owner, None), "a backend of its own")
            second.type(":cells\r")
            second.wait("worst first", DOWN, without=("no answer",))


@pytest.mark.thorough
def test_a_rehearsal_takes_the_place_of_the_cloud_and_gives_it_back(data: Path) -> None:
    with terminal("--data", str(data)) as on:
        on.wait("overview", DOWN)
        on.type(":rehearse host-lost-under-pair x2000\r")
        on.wait("A host is lost under a redundant pair", "x2000")
        assert backend_pid(data) is None
        on.wait("invariants: all hold", "PAUSED")
        on.type(":q\r")
        on.wait("overview", DOWN, "db-main", without=("redundant pair",))
        on.type(":q\r")
        assert on.wait_for_end() == 0


@pytest.mark.thorough
def test_a_rehearsal_is_watched_from_the_command_line(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with terminal("rehearse", "drain-in-full-cell", "--watch", "--rate", "2000", "--data", str(kept)) as on:
        on.wait("A drain in a full cell", "of its time")
        on.wait("invariants: all hold", "PAUSED")
        on.type(":rehearse host-lost-under-pair x2000\r")
        on.wait("A host is lost under a redundant pair", "x2000")
        on.type(":q\r")
        assert on.wait_for_end() == 0

    assert (kept / "cloud.db").exists()


def test_a_terminal_that_draws_nothing_is_refused(data: Path) -> None:
    with terminal("--data", str(data), environment={"TERM": "dumb"}) as on:
        assert on.wait_for_end() == 2
        assert "Set TERM, as to xterm-256color." in " ".join(on.text.split())
