"""The backend as a process: who serves, who attaches, who takes over, and how each of them ends.

Real processes, seen through their pipes. The cloud behind them is a stub: what is tested is what is around it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend import folder
from tests.backend.processes import DEADLINE_SECONDS, ROOT, Process, child, server


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made).resolve() / "data"


@contextmanager
def connected(path: Path) -> Iterator[http.client.HTTPConnection]:
    """HTTP to the backend of the folder, over its socket."""
    connection = http.client.HTTPConnection("stratodeck", timeout=DEADLINE_SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(DEADLINE_SECONDS)
    connection.sock.connect(str(path / "socket"))
    try:
        yield connection
    finally:
        connection.close()


def asked(path: Path) -> dict[str, object]:
    """What the backend of the folder says of itself."""
    with connected(path) as connection:
        connection.request("GET", "/")
        answer: dict[str, object] = json.loads(connection.getresponse().read())
        return answer


@contextmanager
def pair(path: Path) -> Iterator[tuple[Process, Process]]:
    """A child that serves, and one that is attached."""
    with child(path) as first:
        first.until("ready")
        with child(path) as second:
            second.until("attached")
            yield first, second


# serve


def test_serve_says_where_in_one_line_when_it_can_answer(path: Path) -> None:
    with server(path) as backend:
        line = backend.line()

        host, port = line.removeprefix("stratodeck: serving http://").split(":")
        with socket.create_connection((host, int(port)), DEADLINE_SECONDS):
            assert asked(path)["pid"] == backend.pid
        running = folder.find_running(path)
        assert running is not None
        assert line == f"stratodeck: serving {running.url}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_cleanly_when_it_is_asked_to(path: Path, number: signal.Signals) -> None:
    with server(path) as backend:
        backend.line()
        backend.signal(number)

        assert backend.status() == 0
        assert backend.line() == ""
        assert backend.errors() == ""
        assert not (path / folder.RUNNING).exists()
        assert not (path / "socket").exists()


def test_a_request_that_waits_for_news_is_answered_when_the_backend_stops(path: Path) -> None:
    with server(path) as backend:
        backend.line()
        with connected(path) as connection:
            connection.request("GET", "/wait")
            # A later request that was answered shows that the earlier one waits.
            assert asked(path)["pid"] == backend.pid
            backend.signal(signal.SIGTERM)

            assert connection.getresponse().read() == b'{"news":true}'
        assert backend.status() == 0
        assert backend.errors() == ""


def test_the_files_of_a_backend_are_for_its_owner_only(path: Path) -> None:
    with server(path) as backend:
        backend.line()

        for name in ("lock", "socket", folder.RUNNING, folder.CREDENTIALS):
            assert stat.S_IMODE((path / name).stat().st_mode) == 0o600, name


def test_a_port_in_use_is_a_sentence_and_nothing_is_made(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Process("--port", str(port), "--data", str(path)) as backend:
            assert backend.status() == 2
            assert f"Cannot listen on port {port} of 127.0.0.1: address already in use" in backend.errors()

    assert not (path / "cloud.db").exists()


def test_an_address_that_is_not_ours_is_a_sentence(path: Path) -> None:
    with server(path, "--host", "no such host") as backend:
        assert backend.status() == 2
        assert "Cannot listen on 'no such host'" in backend.errors()


def test_a_second_serve_is_told_who_serves_already(path: Path) -> None:
    with server(path) as first:
        line = first.line()
        with server(path) as second:
            assert second.status() == 2
            assert second.errors() == (
                f"stratodeck: The cloud in {path} is served already, by process {first.pid}, which answers at "
                f"{line.removeprefix('stratodeck: serving ')}.\n"
            )
        assert asked(path)["pid"] == first.pid


def test_a_folder_that_holds_another_kind_of_cloud_is_refused_and_kept(path: Path) -> None:
    with server(path, "--cloud", "empty") as backend:
        backend.line()
    before = (path / "cloud.db").read_bytes()

    with server(path, "--cloud", "demo") as backend:
        assert backend.status() == 2
        assert "made as 'empty', not as 'demo'" in backend.errors()
    assert (path / "cloud.db").read_bytes() == before


def test_a_cloud_that_cannot_be_opened_is_a_sentence(path: Path) -> None:
    path.mkdir()
    (path / "cloud.db").write_text("not what it was")

    with server(path) as backend:
        assert backend.status() == 2
        assert backend.errors() == f"stratodeck: {path / 'cloud.db'} is damaged.\n"


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with server(tmp_path / "file") as backend:
        assert backend.status() == 2
        assert "cannot be used: file exists" in backend.errors()


# A console's child


def test_a_child_says_what_it_does_and_then_where_it_answers(path: Path) -> None:
    with child(path) as backend:
        assert backend.told() == {"state": "starting", "sentence": "Making a stub", "progress": 0.5}
        ready = backend.told()

        token = folder.read_credentials(path).token_of(folder.OPERATOR)
        assert ready["state"] == "ready"
        assert ready["socket"] == str(path / "socket")
        assert (ready["url"], ready["kind"], ready["pid"], ready["token"]) == (None, "demo", backend.pid, token)
        assert asked(path)["pid"] == backend.pid


def test_a_child_that_is_told_a_port_serves_there_too(path: Path) -> None:
    with child(path, "--port", "0") as backend:
        url = backend.until("ready")["url"]

        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), DEADLINE_SECONDS):
            pass


def test_a_child_ends_with_its_parent(path: Path) -> None:
    with child(path) as backend:
        backend.until("ready")
        backend.leave()

        assert backend.status() == 0
    assert folder.find_running(path) is None


def test_a_child_of_a_killed_parent_ends(path: Path) -> None:
    """The pipe closes with the parent, whatever ended it: the grandchild's end closes ours."""
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'tests.backend.stub_cloud', '--child', '--data', sys.argv[1]],"
        " stdin=subprocess.PIPE)\n"
        "time.sleep(600)\n"
    )
    popen = subprocess.Popen(
        [sys.executable, "-c", parent, str(path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert popen.stdout is not None
        while json.loads(popen.stdout.readline())["state"] != "ready":
            pass
        popen.kill()
        popen.wait()
        # The child has the other copy of this pipe's writing end: its end is the end of the file.
        assert popen.stdout.read() == b""
    finally:
        popen.kill()
        popen.wait()
        if popen.stdout is not None:
            popen.stdout.close()
    folder.claim(path).release()


def test_a_child_is_told_no_by_the_cloud_in_a_line(path: Path) -> None:
    path.mkdir()
    (path / "cloud.db").write_text("not what it was")

    with child(path) as backend:
        assert backend.until("refused")["sentence"] == f"{path / 'cloud.db'} is damaged."
        assert backend.status() == 2


def test_what_a_child_prints_goes_to_the_log_and_not_between_its_lines(path: Path) -> None:
    with child(path) as backend:
        backend.until("ready")
        backend.signal(signal.SIGTERM)
        assert backend.status() == 0
        assert backend.line() == ""

    assert (path / folder.LOG).exists()


# Attaching, and taking over


def test_a_second_child_attaches_to_the_first_ones_backend(path: Path) -> None:
    with child(path) as first:
        ready = first.until("ready")
        with child(path) as second:
            assert second.until("attached") == ready | {"state": "attached"}


def test_a_child_attaches_to_what_serve_serves(path: Path) -> None:
    with server(path) as serving:
        serving.line()
        with child(path) as attached:
            assert attached.until("attached")["pid"] == serving.pid


@pytest.mark.parametrize("how", ["killed", "left", "stopped"])
def test_an_attached_child_takes_over_when_the_first_has_ended(path: Path, how: str) -> None:
    with pair(path) as (first, second):
        match how:
            case "killed":
                first.signal(signal.SIGKILL)
            case "left":
                first.leave()
            case _:
                first.signal(signal.SIGTERM)

        assert "taking over" in second.told()["sentence"]
        assert second.until("ready")["pid"] == second.pid
        assert asked(path)["pid"] == second.pid


def test_of_many_children_exactly_one_serves_and_then_exactly_one_other(path: Path) -> None:
    children = [child(path) for _ in range(4)]
    try:
        states = {}
        for each in children:
            while (said := each.told())["state"] not in ("ready", "attached"):
                pass
            states[each.pid] = said
        owner = [each for each in children if states[each.pid]["state"] == "ready"]
        assert len(owner) == 1
        assert {said["pid"] for said in states.values()} == {owner[0].pid}

        owner[0].signal(signal.SIGKILL)
        owner[0].status()
        running = None
        while running is None:
            running = folder.find_running(path)

        assert running.pid in {each.pid for each in children} - {owner[0].pid}
    finally:
        for each in children:
            each.__exit__()


def test_a_child_that_waits_for_another_one_ends_with_its_parent(path: Path) -> None:
    with pair(path) as (first, second):
        second.leave()

        assert second.status() == 0
        assert asked(path)["pid"] == first.pid


def test_a_child_waits_for_an_owner_that_does_not_answer_yet(path: Path) -> None:
    claim = folder.claim(path)
    with claim, child(path) as second:
        assert "another process is starting" in second.told()["sentence"]

        folder.ensure_credentials(claim.path, [folder.OPERATOR])
        with claim.bind_socket() as bound:
            bound.listen()
            claim.publish(url=None, cloud_id="c", kind="demo", version="1")

            assert second.until("attached")["pid"] == os.getpid()


def test_attaching_to_another_kind_of_cloud_is_refused(path: Path) -> None:
    with child(path, "--cloud", "empty") as first:
        first.until("ready")
        with child(path, "--cloud", "demo") as second:
            assert "made as 'empty'" in second.until("refused")["sentence"]
            assert second.status() == 2


def test_attaching_cannot_add_a_port(path: Path) -> None:
    with child(path) as first:
        first.until("ready")
        with child(path, "--port", "0") as second:
            assert "leave out --listen" in second.until("refused")["sentence"]
            assert second.status() == 2


# The fleet's file. The process reads it before it owns the folder; the stub remembers nothing of it but its kind.

FLEET = """
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "h1"
kind = "compute"
cpu_mhz = 80000
memory_bytes = 274877906944
"""


def test_a_fleets_file_that_is_wrong_is_a_sentence_and_nothing_is_made(path: Path) -> None:
    file = path.with_suffix(".toml")
    file.write_text(FLEET.replace("80000", '"many"'))
    sentence = f'{file}: cells[0].hosts[0].cpu_mhz is the string "many", expected an integer from 250 to'

    with server(path, "--cloud", str(file)) as backend:
        assert backend.status() == 2
        assert backend.errors().startswith(f"stratodeck: {sentence}")
    with child(path, "--cloud", str(file)) as backend:
        assert backend.told()["sentence"].startswith(sentence)
        assert backend.status() == 2
    assert not path.exists()


def test_the_same_fleets_file_opens_its_cloud_again_and_another_one_is_refused(path: Path) -> None:
    file, other = path.with_suffix(".toml"), path.with_suffix(".other.toml")
    file.write_text(FLEET)
    other.write_text(FLEET.replace("80000", "90000"))

    def serve(*arguments: str) -> Process:
        return Process("--port", "0", "--data", str(path), *arguments, module="backend")

    with serve("--cloud", str(file)) as backend:
        assert backend.line().startswith("stratodeck: serving ")
        with child(path, "--cloud", str(other)) as second:
            assert second.until("refused")["sentence"] == (
                f"The folder {path} holds a cloud that was made from another fleet than the file describes. "
                "Leave out --cloud, or choose another folder with --data."
            )
        with child(path, "--cloud", str(file)) as second:
            assert second.until("attached")["kind"] == "fleet"
    for arguments, sentence in (
        (("--cloud", str(other)), "made from another fleet than the file describes"),
        (("--cloud", "demo"), "made as 'fleet', not as 'demo'"),
    ):
        with serve(*arguments) as backend:
            assert backend.status() == 2
            assert sentence in backend.errors()
    file.write_text("# says the same\n" + FLEET)
    for again in (["--cloud", str(file)], []):
        with serve(*again) as backend:
            assert backend.line().startswith("stratodeck: serving ")
