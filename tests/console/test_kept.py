"""What is kept between runs: a file that another hand, version or program may have written."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.kept import CLOUDS_WITH_LINES_MAX, LINES_MAX, Bookmark, Keeper, Kept

MARK = Bookmark("servers", "cell-2", "web cpu>4000", "cpu", True)


def with_mark(kept: Kept) -> Kept:
    return kept._replace(bookmarks={**kept.bookmarks, "cloud-1": {"a": MARK}})


def with_columns(kept: Kept) -> Kept:
    return kept._replace(columns={**kept.columns, "hosts": ("name", "free")})


def test_what_is_kept_is_there_again_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "console.json"

    Keeper(path).change(with_mark)

    assert Keeper(path).kept == Kept({}, {"cloud-1": {"a": MARK}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["console.json"]


def test_the_lines_of_a_cloud_are_there_again_the_newest_last_and_not_without_end(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "f")
    for line in ("servers", "hosts", "servers"):
        keeper.change(lambda kept, line=line: kept.with_line("cloud-1", ":", line))  # type: ignore[misc]
    keeper.change(lambda kept: kept.with_line("cloud-2", "/", "web"))

    assert Keeper(tmp_path / "f").kept.lines == {"cloud-1": {":": ("hosts", "servers")}, "cloud-2": {"/": ("web",)}}

    kept = Kept()
    for number in range(LINES_MAX + 5):
        kept = kept.with_line("cloud-1", "/", f"web-{number}")
    for number in range(CLOUDS_WITH_LINES_MAX):
        kept = kept.with_line(f"other-{number}", "/", "db")
        if number == 0:
            assert kept.lines["cloud-1"]["/"][0] == "web-5"
    assert "cloud-1" not in kept.lines


def test_two_consoles_keep_each_others_changes(tmp_path: Path) -> None:
    first, second = Keeper(tmp_path / "f"), Keeper(tmp_path / "f")

    first.change(with_mark)
    second.change(with_columns)

    assert Keeper(tmp_path / "f").kept == Kept({"hosts": ("name", "free")}, {"cloud-1": {"a": MARK}})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "another version of Stratodeck wrote it, or something else did"),
        (b'{"version": 2}', "another version of Stratodeck wrote it, or something else did"),
        (b" " * (2**20 + 1), "it is larger than a mebibyte"),
    ],
    ids=["cut off", "no text", "endless", "a list", "another version", "too large"],
)
def test_a_file_that_cannot_be_used_is_told_and_put_aside_before_it_is_replaced(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "console.json"
    path.write_bytes(content)

    keeper = Keeper(path)
    assert keeper.kept == Kept()
    assert keeper.problem == f"{path}: {why}; what was kept is left out"

    keeper.change(with_mark)
    keeper.change(with_columns)
    assert (tmp_path / "console.json.bad").read_bytes() == content
    assert Keeper(path).kept == with_columns(with_mark(Kept()))


def test_what_cannot_be_written_holds_until_the_end_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keeper = Keeper(tmp_path / "file" / "console.json")

    keeper.change(with_mark)

    assert keeper.kept.bookmarks == {"cloud-1": {"a": MARK}}
    assert keeper.problem.endswith("this holds until the console ends")


def test_without_a_file_all_is_kept_for_this_run() -> None:
    keeper = Keeper(None)

    keeper.change(with_mark)

    assert (keeper.kept.bookmarks, keeper.problem) == ({"cloud-1": {"a": MARK}}, "")


plain: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(("servers", "\x1b]2;x\x07")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("view", "scope", "filter", "a", "columns")), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(plain, plain)
def test_whatever_is_in_the_file_only_what_can_be_used_comes_out(columns: Any, bookmarks: Any) -> None:
    found = json.loads(json.dumps({"version": 1, "columns": columns, "bookmarks": bookmarks}))
    from console import kept

    for names in kept._columns(found["columns"]).values():
        assert all(isinstance(name, str) and "\x1b" not in name for name in names)
    for marks in kept._bookmarks(found["bookmarks"]).values():
        for letter, mark in marks.items():
            assert len(letter) == 1
            assert isinstance(mark.view, str)
            assert "\x1b" not in f"{mark.view}{mark.scope}{mark.filter}{mark.sort}"
