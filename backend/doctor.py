"""What is wrong with a data folder, and what to do about it: for people, one line for each thing that was looked at.

Nothing is changed, made or locked, whether a backend serves the folder or not. What the cloud in it must be like is
`check`'s; this is about the folder as files, and who has it.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from backend import folder, tokens
from backend.store import (
    CLOUD_FILE,
    DISK_FULL,
    OLDER_THAN_LOG,
    SCHEMA_VERSIONS,
    FolderError,
    check_copy,
    is_made,
    snapshot_of,
)

Level = Literal["ok", "warn", "bad"]

BYTES_FREE_MIN = 100 * 2**20
"""Below this a disk is nearly full: a log may grow by 64 MiB before it is copied into its file."""
BYTES_FREE_LEAST = 16 * 2**20
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    says: str
    advice: str | None = None
    """What to do, where something is to be done."""


def examine(path: Path, *, now: datetime) -> Iterator[Finding]:
    """The folder and what lies in it. `now` is wall time."""
    path = Path.cwd() / path
    if not path.exists():
        yield Finding("ok", "folder", f"{path} is not there yet; the first start makes it")
        yield _room(path)
        return
    yield from _safety(path)
    yield _room(path)
    yield _socket(path)
    yield _holder(path)
    if not is_made(path):
        if (path / "cells").exists() and not (path / "seeding.moving").exists():
            advice = "Put cloud.db back from a copy, or import an export to another folder."
            yield Finding("bad", "cloud", "there are cells, but no cloud.db", advice)
        elif (strange := folder.strangers(path)) is not None:
            advice = "Choose another folder with --data."
            yield Finding("bad", "cloud", f"there is none, and the folder is not empty: it holds {strange}", advice)
        else:
            yield Finding("ok", "cloud", "there is none yet; the first start makes one")
        return
    yield from _secrets(path)
    yield from _files(path, now)


def _safety(path: Path) -> Iterator[Finding]:
    problems = list(folder.unsafe(path))
    for problem in problems:
        says, _, advice = problem.partition(". ")
        yield Finding("bad", "permissions", says, advice or None)
    try:
        found = path.stat()
    except OSError:
        return
    if found.st_uid not in (os.getuid(), 0):
        advice = "Run Stratodeck as its owner, or make it yours."
        yield Finding(
            "warn", "permissions", f"{path} belongs to user {found.st_uid}, and you are {os.getuid()}", advice
        )
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "bad", "permissions", f"you may not read and write {path}", f"chmod u+rwx {shlex.quote(str(path))}"
        )
    elif not problems:
        mode = stat.S_IMODE(found.st_mode)
        says = f"{path} is yours alone ({mode:04o})" if not mode & 0o077 else f"others can list {path} ({mode:04o})"
        yield Finding("ok", "permissions", says)


def _room(path: Path) -> Finding:
    there = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(there).free
    says = f"{free / 2**20:,.0f} MiB are free"
    if free >= BYTES_FREE_MIN:
        return Finding("ok", "disk", says)
    level: Level = "warn" if free >= BYTES_FREE_LEAST else "bad"
    return Finding(level, "disk", says, "Make room: nothing can be written to a cloud whose disk is full.")


def _socket(path: Path) -> Finding:
    try:
        place = folder.socket_path(path.resolve())
    except folder.FolderProblem as problem:
        return Finding("bad", "socket", str(problem).rstrip("."), "Remove that folder, or set XDG_RUNTIME_DIR.")
    length = len(os.fsencode(path.resolve() / folder.SOCKET))
    if place.parent == path.resolve():
        return Finding("ok", "socket", f"its path has {length} bytes, and may have {folder.SOCKET_PATH_BYTES_MAX}")
    return Finding("ok", "socket", f"its path would have {length} bytes, so it lies at {place}")


def _holder(path: Path) -> Finding:
    """Who has the lock, and whether that one answers."""
    running = folder.find_running(path)
    if running is not None:
        where = f" and at {running.url}" if running.url else ""
        return Finding("ok", "backend", f"process {running.pid} serves the cloud, at {running.socket}{where}")
    if _is_locked(path / folder.LOCK):
        advice = "It may be starting or ending: try again in a moment. If it hangs, end it."
        return Finding("warn", "backend", f"a process has the lock and does not answer{_pid(path)}", advice)
    if (path / folder.RUNNING).exists():
        return Finding("ok", "backend", "none runs; the last one was killed, and the next start recovers")
    return Finding("ok", "backend", "none runs")


def _is_locked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Given back at once: whoever starts in this very moment asks again, or is told that the folder is held.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pid(path: Path) -> str:
    """Who it may be, by the inode that the system lists as locked. Source: Linux, proc_locks(5)."""
    try:
        inode = (path / folder.LOCK).stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if "FLOCK" in fields and fields[5].endswith(f":{inode}"):
                return f" (process {fields[4]})"
    except (OSError, IndexError):
        return ""
    return ""


def _secrets(path: Path) -> Iterator[Finding]:
    for name in (folder.CREDENTIALS, tokens.KEY):
        file = path / name
        if not file.exists():
            yield Finding("ok", name, "is not there; the next start makes it")
            continue
        if folder.exposed(file.stat().st_mode, path.stat().st_mode):
            yield Finding(
                "bad",
                name,
                "others can read it",
                f"chmod 600 {shlex.quote(str(file))}, and remove it to get new secrets",
            )
            continue
        try:
            if name == folder.CREDENTIALS:
                known = folder.read_credentials(path).by_account
                if folder.OPERATOR not in known:
                    advice = "The next start makes its secrets."
                    yield Finding("warn", name, f"it does not know {folder.OPERATOR}", advice)
                    continue
        except folder.FolderProblem as problem:
            says, _, advice = str(problem).partition(". ")
            yield Finding("bad", name, says, advice or None)
            continue
        yield Finding("ok", name, "is there, and only you can read it")


def _files(path: Path, now: datetime) -> Iterator[Finding]:
    """Each database: whether it is one of this cloud, whole, and of a version that can be opened."""
    export = f"stratodeck data export FILE --data {shlex.quote(str(path))}"
    advice = f"Import an export to another folder; what can still be read is in `{export}`."
    try:
        with snapshot_of(path) as seen:
            clock, last = seen.clock, seen.last_event_at()
            files, left_out = seen.files, seen.left_out
    except FolderError as problem:
        yield Finding("bad", CLOUD_FILE, str(problem).rstrip("."), _advice(str(problem), advice))
        return
    for name, reason in left_out.items():
        yield Finding("bad", name, reason, _advice(reason, advice))
    for name, found in files.items():
        newest = SCHEMA_VERSIONS["cloud" if name == CLOUD_FILE else "cell"]
        try:
            check_copy(path / name, name)
        except FolderError as problem:
            yield Finding("bad", name, str(problem).rstrip("."), advice)
            continue
        if found.is_wrong:
            yield Finding("bad", name, str(found.caution), advice)
        elif found.caution is not None:
            cell = name.removeprefix("cells/").removesuffix(".db")
            yield Finding("warn", name, f"is whole, and {found.caution}", f"stratodeck cell up {cell}")
        elif found.version < newest:
            says = f"is whole, of schema {found.version}: the next start brings it to {newest}"
            yield Finding("ok", name, says, "Export it first, if an older version is to open it again.")
        else:
            yield Finding("ok", name, f"is whole, of schema {found.version}")
    yield _clock(clock.get("mode"), last, now)


def _advice(problem: str, otherwise: str) -> str:
    if DISK_FULL in problem:
        return "Make room, and ask again: the file itself may be whole."
    if problem.endswith(OLDER_THAN_LOG):
        return "Put the file back that was there: all that was acknowledged is in it and its log. Leave the log."
    return "Install that version, or a newer one." if "newer version" in problem else otherwise


def _clock(mode: object, last: datetime | None, now: datetime) -> Finding:
    if mode != "wall":
        return Finding("ok", "clock", f"the cloud has a time of its own (mode {mode})")
    if last is not None and last > now + CLOCK_TOLERANCE:
        says = f"it is {now:%Y-%m-%d %H:%M} here, and the cloud's last event was at {last:%Y-%m-%d %H:%M} (UTC)"
        return Finding("bad", "clock", says, "Set this machine's clock: nothing falls due before it has caught up.")
    return Finding("ok", "clock", f"it is {now:%Y-%m-%d %H:%M} UTC, after the cloud's last event")
