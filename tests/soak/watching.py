"""What processes hold, and what a data folder's files are like, looked at from outside while they are in use."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.benchmarks.measuring import memory_bytes


@dataclass(frozen=True, slots=True)
class Held:
    """What a process has of the machine."""

    memory_bytes: int
    handles: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Held:
        return cls(memory_bytes(pid), len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")))


@dataclass(frozen=True, slots=True)
class Files:
    """Of cloud.db and all cells together."""

    log_bytes: int
    """The write-ahead logs."""
    file_bytes: int
    """What the databases hold, whether it is in the file yet or only in its log."""
    events: int
    """That there have been."""
    events_kept: int
    open_tasks: int
    ended_tasks: int
    requests: int
    """Answers that are remembered for whoever asks again."""


def databases(folder: Path) -> list[Path]:
    return [folder / "cloud.db", *sorted((folder / "cells").glob("*.db"))]


def look(folder: Path) -> Files:
    log_bytes = file_bytes = events = events_kept = open_tasks = ended_tasks = requests = 0
    for path in databases(folder):
        log = Path(f"{path}-wal")
        # A file that was only read since it was opened has none.
        log_bytes += log.stat().st_size if log.exists() else 0
        with closing(_reader(path)) as file:
            (pages,), (page_bytes,) = file.execute("PRAGMA page_count"), file.execute("PRAGMA page_size")
            file_bytes += pages[0] * page_bytes[0]
            events += file.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0]
            events_kept += file.execute("SELECT count(*) FROM event").fetchone()[0]
            open_tasks += file.execute("SELECT count(*) FROM task WHERE state = 'open'").fetchone()[0]
            ended_tasks += file.execute("SELECT count(*) FROM task WHERE state <> 'open'").fetchone()[0]
            requests += file.execute("SELECT count(*) FROM request").fetchone()[0]
    return Files(log_bytes, file_bytes, events, events_kept, open_tasks, ended_tasks, requests)


def rows(folder: Path) -> Counter[str]:
    """Of each table, all files together."""
    found: Counter[str] = Counter()
    for path in databases(folder):
        with closing(_reader(path)) as file:
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                found[table] += file.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return found


def _reader(path: Path) -> sqlite3.Connection:
    """It neither writes nor checkpoints."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=10)
