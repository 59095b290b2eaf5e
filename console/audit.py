"""The log of what was done from here: written before a request is sent, completed when its answer has come.

One file of JSON lines for each cloud, in the platform's folder for state, readable by its owner only. A request has two
lines: what was sent, and what became of it. Where the second is missing the program ended in between, and nobody knows.
A file that has grown too large becomes the old one, and the one before it goes. Several consoles may write to one log.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from console.records_audit import UNKNOWN, AuditRecord
from console.sanitising import clean, sanitise

FILE_BYTES_MAX = 2**20
BODY_BYTES_MAX = 2**16
RECORDS_MAX = 1_000
_SECRET = re.compile(r"password|passwd|secret|token|credential|private", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
KEPT_BACK = "(not kept)"


class AuditProblem(Exception):
    """The log cannot be written. `str()` is a sentence."""


def folder_of_user() -> Path:
    """Where the platform keeps what a program remembers between its runs."""
    from platformdirs import user_state_path

    return user_state_path("stratodeck", appauthor=False) / "audit"


class AuditLog:
    """The log of one cloud. Methods block for as long as a disk takes."""

    def __init__(self, folder: Path, cloud_id: str, now: Callable[[], datetime], *, data: Path | None = None) -> None:
        """`data` is the folder of an embedded cloud: of one seed they have one id, and are several all the same."""
        # What a cloud calls itself is its own affair; what a file is called is not.
        name = cloud_id if _PLAIN.fullmatch(cloud_id) else hashlib.sha256(cloud_id.encode()).hexdigest()
        if data is not None:
            name += "-" + hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:16]
        self._path = folder / f"{name}.jsonl"
        self._old = folder / f"{name}.old.jsonl"
        self._now = now
        self._read: tuple[tuple[tuple[int, int, int], ...], tuple[AuditRecord, ...]] | None = None

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._path

    def begin(self, method: str, path: str, body: Mapping[str, Any], name: str = "") -> str:
        """Write down what is about to be sent, on the disk when this returns. Returns its id. Raises AuditProblem.

        `name` is what the object of the path is called, where that is known.
        """
        id = secrets.token_hex(8)
        line = {"id": id, "at": self._now().isoformat(), "method": method, "path": path, "body": kept(body)}
        self._append({**line, "name": name} if name else line, is_synced=True)
        return id

    def end(self, id: str, outcome: str, sentence: str = "") -> None:
        """Write down what became of it: without waiting for the disk, as without it nobody would know. Raises
        AuditProblem.
        """
        self._append({"end": id, "at": self._now().isoformat(), "outcome": outcome, "sentence": sentence})

    def records(self, limit: int = RECORDS_MAX) -> tuple[AuditRecord, ...]:
        """The newest requests, oldest first. What cannot be read of a file is left out."""
        seen = tuple(_signature(path) for path in (self._old, self._path))
        if self._read is None or self._read[0] != seen:
            self._read = (seen, self._read_all())
        return self._read[1][-limit:]

    def _read_all(self) -> tuple[AuditRecord, ...]:
        found: dict[str, AuditRecord] = {}
        for line in (*_lines(self._old), *_lines(self._path)):
            match line:
                case {"id": str(id), "at": str(at), "method": str(method), "path": str(path), "body": dict(body)}:
                    if (instant := _instant(at)) is not None:
                        record = AuditRecord(sanitise(id), instant, sanitise(method), sanitise(path), clean(body))
                        found[id] = record._replace(name=sanitise(str(line.get("name") or "")))
                case {"end": str(id), "at": str(at), "outcome": str(outcome)} if id in found:
                    sentence = sanitise(str(line.get("sentence") or ""))
                    found[id] = found[id]._replace(
                        outcome=sanitise(outcome) or UNKNOWN, sentence=sentence, ended_at=_instant(at)
                    )
        return tuple(found.values())

    def _append(self, line: Mapping[str, Any], *, is_synced: bool = False) -> None:
        content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if not self._is_current(file):
                        continue
                    if os.fstat(file).st_size + len(content) > FILE_BYTES_MAX and os.fstat(file).st_size:
                        os.replace(self._path, self._old)
                        continue
                    if _ends_in_the_middle(file):
                        content = b"\n" + content
                    os.write(file, content)
                    if is_synced:
                        os.fsync(file)
                    return
                finally:
                    os.close(file)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise AuditProblem(f"what is done is written down first, and {self._path} cannot be: {why}") from error

    def _is_current(self, file: int) -> bool:
        """Whether another console has put the file away between our opening and locking it."""
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(file)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _signature(path: Path) -> tuple[int, int, int]:
    """What changes with a file; nothing in particular of one that is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _ends_in_the_middle(file: int) -> bool:
    """A machine that stopped while it wrote leaves half a line; the next one must not be glued to it."""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def kept(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body as it is written down: no secrets, and not without end."""
    found: dict[str, Any] = _without_secrets(body)
    size = len(json.dumps(found))
    return found if size <= BODY_BYTES_MAX else {"left_out": f"{size:,} bytes"}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): KEPT_BACK if _SECRET.search(str(name)) else _without_secrets(each)
            for name, each in value.items()
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list | tuple) else value


def _lines(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        content = path.read_bytes()[-2 * FILE_BYTES_MAX :]
    except OSError:
        return
    for line in content.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
