"""What the console keeps from one run to the next: chosen columns, bookmarks, typed lines. One small JSON file.

A file that cannot be used is told in a sentence and left out; it is put aside before another takes its place. What is
in it was perhaps written by another version: each part is checked, and a part that means nothing here is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from console.sanitising import sanitise

FILE_BYTES_MAX = 2**20
TEXT_LENGTH_MAX = 500
COLUMNS_MAX = 40
LINES_MAX, CLOUDS_WITH_LINES_MAX = 50, 20
LINE_KINDS = (":", "/")
VERSION = 1


class Bookmark(NamedTuple):
    """A place to come back to."""

    view: str
    scope: str | None = None
    filter: str = ""
    sort: str = ""
    is_descending: bool = False


class Kept(NamedTuple):
    """All that is kept."""

    columns: Mapping[str, tuple[str, ...]] = {}
    """By view."""
    bookmarks: Mapping[str, Mapping[str, Bookmark]] = {}
    """By the cloud's id, then by letter."""
    lines: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
    """By the cloud's id, then by what they were typed behind: `:` or `/`. The newest last, of lines and of clouds."""

    def with_line(self, cloud: str, kind: str, line: str) -> Kept:
        """The same with one more line. One that was typed before is only the newest now; the oldest are left out."""
        of_cloud = self.lines.get(cloud, {})
        lines = (*(each for each in of_cloud.get(kind, ()) if each != line), line)[-LINES_MAX:]
        others = {each: known for each, known in self.lines.items() if each != cloud}
        kept = [*others.items(), (cloud, {**of_cloud, kind: lines})]
        return self._replace(lines=dict(kept[-CLOUDS_WITH_LINES_MAX:]))


class Keeper:
    """The file. Without a path all is kept for this run only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._is_bad = False
        self.problem = ""
        """Why what was kept cannot be used, or what is to be kept cannot be written."""
        self.kept = Kept()
        if path is not None:
            self._load()

    def change(self, change: Callable[[Kept], Kept]) -> None:
        """Change what is kept. Another console may have written meanwhile: its changes stay."""
        self.problem = ""
        if self._path is None:
            self.kept = change(self.kept)
            return
        if not self._is_bad:
            self._load()
        self.kept = change(self.kept)
        self._save(self._path)

    def _load(self) -> None:
        assert self._path is not None, "only a file is loaded"
        try:
            with self._path.open("rb") as opened:
                content = opened.read(FILE_BYTES_MAX + 1)
            if len(content) > FILE_BYTES_MAX:
                self._ignore("it is larger than a mebibyte")
                return
            import json

            found = json.loads(content)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._ignore((error.strerror or str(error)).lower())
            return
        except (ValueError, RecursionError):
            self._ignore("it is not JSON")
            return
        if not isinstance(found, dict) or found.get("version") != VERSION:
            self._ignore("another version of Stratodeck wrote it, or something else did")
            return
        self.kept = Kept(_columns(found.get("columns")), _bookmarks(found.get("bookmarks")), _lines(found.get("lines")))

    def _ignore(self, why: str) -> None:
        self._is_bad = True
        self.problem = f"{sanitise(str(self._path))}: {why}; what was kept is left out"

    def _save(self, path: Path) -> None:
        import json

        plain = {
            "version": VERSION,
            "columns": {view: list(names) for view, names in self.kept.columns.items()},
            "bookmarks": {
                cloud: {letter: mark._asdict() for letter, mark in marks.items()}
                for cloud, marks in self.kept.bookmarks.items()
            },
            "lines": self.kept.lines,
        }
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_bad and path.exists():
                path.replace(path.with_name(f"{path.name}.bad"))
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
                opened.write(json.dumps(plain, indent=1))
            new.replace(path)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.problem = f"{sanitise(str(path))} cannot be written: {why}; this holds until the console ends"
        else:
            self._is_bad = False


def _columns(found: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(found, dict):
        return {}
    return {
        view: tuple(dict.fromkeys(names))[:COLUMNS_MAX]
        for view, names in found.items()
        if isinstance(names, list) and all(_is_text(name) for name in names)
    }


def _bookmarks(found: Any) -> dict[str, dict[str, Bookmark]]:
    if not isinstance(found, dict):
        return {}
    return {
        cloud: {letter: mark for letter, each in marks.items() if len(letter) == 1 and (mark := _bookmark(each))}
        for cloud, marks in found.items()
        if isinstance(marks, dict)
    }


def _lines(found: Any) -> dict[str, dict[str, tuple[str, ...]]]:
    if not isinstance(found, dict):
        return {}
    clouds = list(found.items())[-CLOUDS_WITH_LINES_MAX:]
    return {
        cloud: {
            kind: tuple(lines[-LINES_MAX:])
            for kind, lines in kinds.items()
            if kind in LINE_KINDS and isinstance(lines, list) and all(map(_is_text, lines))
        }
        for cloud, kinds in clouds
        if isinstance(kinds, dict)
    }


def _bookmark(found: Any) -> Bookmark | None:
    if not isinstance(found, dict) or not _is_text(found.get("view")):
        return None
    scope, text, sort = found.get("scope"), found.get("filter", ""), found.get("sort", "")
    if not (scope is None or _is_text(scope)) or not _is_text(text) or not _is_text(sort):
        return None
    return Bookmark(found["view"], scope, text, sort, found.get("is_descending") is True)


def _is_text(value: Any) -> bool:
    """Whether it is a short text that a terminal may be shown."""
    return isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX and sanitise(value) == value
