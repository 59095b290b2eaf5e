"""Who owns a data folder, what is found in it, and who may come in."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import folder
from backend.folder import Credentials, FolderHeld, FolderProblem, Secrets
from tests.backend.support import make_folder

PUBLISHED = {"url": "http://127.0.0.1:8774", "cloud_id": "c", "kind": "demo", "version": "1"}


@pytest.fixture
def short_path() -> Iterator[Path]:
    """pytest's own folders may be too deep for a socket."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path).resolve()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Owning


def test_a_folder_that_is_not_there_is_made_for_its_owner_only(tmp_path: Path) -> None:
    with folder.claim(tmp_path / "new" / "data") as claim:
        assert mode_of(claim.path) == 0o700
        assert mode_of(claim.path / folder.LOCK) == 0o600


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with folder.claim(tmp_path / "data"), pytest.raises(FolderHeld):
        folder.claim(tmp_path / "data")

    folder.claim(tmp_path / "data").release()


def test_the_lock_outlives_its_owner_so_that_nobody_locks_another_one(tmp_path: Path) -> None:
    with folder.claim(tmp_path) as claim:
        before = (claim.path / folder.LOCK).stat().st_ino

    assert (tmp_path / folder.LOCK).stat().st_ino == before


def test_what_a_killed_owner_had_published_is_withdrawn_by_the_next(tmp_path: Path) -> None:
    folder.claim(tmp_path).release()
    (tmp_path / folder.RUNNING).write_text("{}")

    with folder.claim(tmp_path):
        assert not (tmp_path / folder.RUNNING).exists()


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")

    with pytest.raises(FolderProblem, match="is not empty and holds no cloud"):
        folder.claim(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("place", [".", "cells", "cells/cell-1.db", "cloud.db", "token.key"])
def test_what_others_can_write_is_refused_with_what_to_do(tmp_path: Path, place: str) -> None:
    make_folder(tmp_path / "data")
    (tmp_path / "data/token.key").touch(0o600)
    (tmp_path / "data").chmod(0o755)
    before = mode_of(tmp_path / "data" / place)
    (tmp_path / "data" / place).chmod(before | 0o020)

    with pytest.raises(FolderProblem, match=r"Others can write to .*: chmod go-w"):
        folder.claim(tmp_path / "data")

    (tmp_path / "data" / place).chmod(before)
    folder.claim(tmp_path / "data").release()


@pytest.mark.parametrize("place", ["cells", "cells/cell-1.db", "cloud.db", "backend.log", "credentials.toml"])
def test_a_symbolic_link_in_the_folder_is_refused_and_not_followed(tmp_path: Path, place: str) -> None:
    make_folder(tmp_path / "data")
    path = tmp_path / "data" / place
    if path.exists():
        path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FolderProblem, match="is a symbolic link"):
        folder.claim(tmp_path / "data")

    assert place in ("cells", "cells/cell-1.db", "cloud.db") or not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderProblem, match="cannot be used: not a directory"):
        folder.claim(tmp_path / "file" / "data")


# The socket


def test_the_socket_is_for_its_owner_only(short_path: Path) -> None:
    with folder.claim(short_path / "data") as claim, claim.bind_socket():
        assert mode_of(short_path / "data" / folder.SOCKET) == 0o600


def test_a_socket_that_a_dead_process_left_is_replaced(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(short_path / folder.SOCKET))
    (short_path / folder.LOCK).touch()

    with folder.claim(short_path) as claim, claim.bind_socket() as bound:
        bound.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(short_path / folder.SOCKET))


def test_a_file_in_the_place_of_the_socket_is_not_removed(short_path: Path) -> None:
    (short_path / folder.LOCK).touch()
    (short_path / folder.SOCKET).write_text("mine")

    with folder.claim(short_path) as claim, pytest.raises(FolderProblem, match="Cannot make the socket"):
        claim.bind_socket()

    assert (short_path / folder.SOCKET).read_text() == "mine"


def test_a_path_too_long_for_the_system_gets_its_socket_in_the_runtime_folder(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    deep = short_path / ("d" * 120)

    with folder.claim(deep) as claim, claim.bind_socket() as bound:
        where = Path(bound.getsockname())
        assert where.parent == short_path / "stratodeck"
        assert mode_of(where.parent) == 0o700
        assert mode_of(where) == 0o600

    assert not where.exists()


def test_a_runtime_folder_that_others_can_enter_is_refused(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    (short_path / "stratodeck").mkdir()
    (short_path / "stratodeck").chmod(0o755)

    with folder.claim(short_path / ("d" * 120)) as claim, pytest.raises(FolderProblem, match="only you can read"):
        claim.bind_socket()


# Finding


def test_a_backend_is_found_once_it_is_published_and_listens(short_path: Path) -> None:
    with folder.claim(short_path) as claim, claim.bind_socket() as bound:
        assert folder.find_running(short_path) is None

        bound.listen()
        published = claim.publish(**PUBLISHED)

        assert folder.find_running(short_path) == published
        assert published.pid == os.getpid()
        assert mode_of(short_path / folder.RUNNING) == 0o600
    assert folder.find_running(short_path) is None


def test_what_is_published_has_the_fields_that_other_programs_read(short_path: Path) -> None:
    with folder.claim(short_path) as claim, claim.bind_socket():
        claim.publish(**PUBLISHED)

        assert json.loads((short_path / folder.RUNNING).read_text()) == {
            "pid": os.getpid(),
            "socket": str(short_path / "socket"),
            "tcp": "http://127.0.0.1:8774",
            "cloud_id": "c",
            "kind": "demo",
            "version": "1",
            "fleet": None,
        }


def test_a_backend_that_was_killed_is_not_found(short_path: Path) -> None:
    with folder.claim(short_path) as claim:
        bound = claim.bind_socket()
        claim.publish(**PUBLISHED)
        # What a kill leaves: both files, and nobody behind the socket.
        bound.close()

        assert folder.find_running(short_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}', "null", "\x00"])
def test_a_damaged_backend_file_is_no_backend(tmp_path: Path, text: str) -> None:
    (tmp_path / folder.RUNNING).write_text(text)

    assert folder.find_running(tmp_path) is None


# Credentials


def test_each_account_gets_secrets_of_its_own_which_only_the_owner_reads(tmp_path: Path) -> None:
    made = folder.ensure_credentials(tmp_path, ["a@x", "b@x"])

    secrets = {own for each in made.by_account.values() for own in (each.password, each.token)}
    assert len(secrets) == 4
    assert all(len(each) >= 24 for each in secrets)
    assert mode_of(tmp_path / folder.CREDENTIALS) == 0o600


def test_two_clouds_never_share_a_secret(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    one, two = (folder.ensure_credentials(tmp_path / name, ["a@x"]) for name in ("one", "two"))

    assert one.token_of("a@x") != two.token_of("a@x")


def test_secrets_stay_when_accounts_are_added(tmp_path: Path) -> None:
    before = folder.ensure_credentials(tmp_path, ["a@x"])
    after = folder.ensure_credentials(tmp_path, ["a@x", "b@x"])

    assert after.by_account["a@x"] == before.by_account["a@x"]
    assert folder.read_credentials(tmp_path).by_account == after.by_account


def test_a_cloud_without_credentials_lets_nobody_in(tmp_path: Path) -> None:
    assert folder.read_credentials(tmp_path).by_account == {}


def test_damaged_credentials_are_a_sentence_and_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / folder.CREDENTIALS).write_text('["a@x"]\npassword = "half')

    with pytest.raises(FolderProblem, match="is damaged"):
        folder.ensure_credentials(tmp_path, ["a@x"])

    assert (tmp_path / folder.CREDENTIALS).read_text() == '["a@x"]\npassword = "half'


def test_a_token_finds_its_account_and_nothing_else_does() -> None:
    credentials = Credentials({"a@x": Secrets("pa", "ta"), "b@x": Secrets("pb", "tb")})

    assert credentials.account_by_token("tb") == "b@x"
    assert credentials.password_of("a@x") == "pa"
    for wrong in ("", "t", "pa", "tä", "\ud800"):
        assert credentials.account_by_token(wrong) is None
    assert credentials.password_of("c@x") is None
    assert credentials.token_of("c@x") is None


@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_account_name_is_read_back_as_it_was_written(name: str) -> None:
    with tempfile.TemporaryDirectory() as path:
        made = folder.ensure_credentials(Path(path), [name])

        assert folder.read_credentials(Path(path)).by_account == made.by_account


# The log


def test_the_log_goes_on_until_it_has_grown_too_large(tmp_path: Path) -> None:
    with folder.claim(tmp_path) as claim:
        for text in (b"first ", b"second"):
            log = claim.open_log()
            os.write(log, text)
            os.close(log)
        assert (tmp_path / folder.LOG).read_bytes() == b"first second"

        os.truncate(tmp_path / folder.LOG, folder.LOG_BYTES_MAX + 1)
        os.close(claim.open_log())
        assert (tmp_path / folder.LOG).stat().st_size == 0


# Others at work in it


def test_a_file_that_goes_while_the_folder_is_looked_at_is_no_problem_of_it(tmp_path: Path) -> None:
    """As the file that is written first where another is to be replaced, or the log of a cloud that is closed."""
    (tmp_path / "a").symlink_to("elsewhere")
    (tmp_path / "b").touch()
    problems = folder.unsafe(tmp_path)
    assert "a is a symbolic link" in next(problems)

    (tmp_path / "b").unlink()

    assert list(problems) == []
