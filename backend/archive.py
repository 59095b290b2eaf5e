"""A whole cloud as one file: taken from a folder while it is served or rests, and made into a folder elsewhere.

The file is a zip of `stratodeck.json`, which says what is in it and the SHA-256 of each, and of the databases, all as
they were at one instant. It is the same cloud, with the same id, and has no secrets of the folder: `credentials.toml`
and `token.key` stay where they are, and the first start of the copy makes new ones. What servers are told of
themselves, such as passwords of their consoles, is in the databases, so the file is for its owner alone (0600).

The sums show damage, not who made a file. One from elsewhere can say what it likes about a cloud, and nothing more: no
name in it leads out of the folder, no size is believed, and no database with statements of its own is opened.

Neither direction leaves anything half-made: a file or a folder gets its name when it is whole.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from backend import folder
from backend.clock import Clock
from backend.cloud.errors import CloudError
from backend.operations import Cloud, recovery
from backend.store import (
    CLOUD_FILE,
    FolderError,
    Store,
    check_copy,
    flush,
    is_made,
    name_of_cell,
    snapshot_of,
    staged,
)

MANIFEST = "stratodeck.json"
FORMAT = 1
"""Of the manifest. A higher one is of a newer version."""

MANIFEST_BYTES_MAX = 2**20
FILES_MAX = 4096
BLOCK_BYTES = 2**20
_LEVEL = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SQLITE_HEAD = b"SQLite format 3\x00"

Progress = Callable[[str, float], None]
"""Hears what is under way, and how far that has come, from 0 to 1."""


class ArchiveProblem(Exception):
    """What was asked for cannot be done, and nothing was changed. `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the archive, as the manifest says it is."""

    name: str
    bytes: int
    sha256: str
    schema: int


@dataclass(frozen=True, slots=True)
class Manifest:
    program: str
    """Version of the program that wrote it."""
    exported_at: str
    cloud_id: str
    kind: str
    files: tuple[Stored, ...]
    notes: tuple[str, ...] = ()
    """What is to be known of its files, as sentences without their full stop."""
    is_whole: bool = True
    """Whether every cell is in it, as new as what was acknowledged."""

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.files)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "program": self.program,
            "exported_at": self.exported_at,
            "cloud_id": self.cloud_id,
            "kind": self.kind,
            "files": [
                {"name": each.name, "bytes": each.bytes, "sha256": each.sha256, "schema": each.schema}
                for each in self.files
            ],
            "notes": list(self.notes),
            "is_whole": self.is_whole,
        }


# ------------------------------------------------------------------------------------------------------------- export


def export(
    path: Path, target: Path, *, now: datetime, replaces: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write the cloud in the folder `path` to the file `target`, which appears when it is whole.

    Args:
        now: Wall time, to be written down.
        replaces: Whether a file that has the name already may go.

    Raises:
        ArchiveProblem: `target` is there already or cannot be written, or another export to it is under way.
        FolderError: the folder holds no cloud, or cloud.db cannot be read.
    """
    told = progress or (lambda sentence, share: None)
    target = Path.cwd() / target
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise ArchiveProblem(f"{target} is not a regular file. Choose another name.")
    if target.exists() and not replaces:
        raise ArchiveProblem(f"{target} is there already. Choose another name, or say --replace.")
    try:
        with _workshop(target) as room, snapshot_of(path) as seen:
            files: list[Stored] = []
            notes = [f"{name} is left out: {reason}" for name, reason in seen.left_out.items()]
            is_whole = not notes and not any(found.is_wrong for found in seen.files.values())
            with (
                _private(room / "whole") as written,
                zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
            ):
                for name, found in seen.files.items():
                    copied = room / "copy"
                    try:
                        seen.copy(name, copied, partial(told, name))
                    except FolderError as problem:
                        if name == CLOUD_FILE:
                            raise
                        notes.append(f"{name} is left out: {str(problem).rstrip('.')}")
                        is_whole = False
                    else:
                        files.append(_packed(archive, name, copied, found.version))
                        if found.caution is not None:
                            notes.append(f"{name} {found.caution}: it is exported as it lies")
                    copied.unlink()
                manifest = Manifest(
                    version("stratodeck"),
                    now.isoformat(),
                    seen.cloud_id,
                    seen.kind,
                    tuple(files),
                    tuple(notes),
                    is_whole,
                )
                archive.writestr(MANIFEST, json.dumps(manifest.to_json(), indent=2) + "\n")
            flush(room / "whole")
            os.replace(room / "whole", target)
            flush(target.parent)
    except OSError as error:
        raise ArchiveProblem(f"Cannot write {target}: {(error.strerror or str(error)).lower()}.") from error
    return manifest


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A folder of our own beside the file. What an export that was killed has left in it goes."""
    room = target.with_name(f".{target.name}.new")
    room.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(room, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveProblem(f"Another export to {target} is under way.") from None
        for left in room.iterdir():
            left.unlink()
        yield room
        shutil.rmtree(room, ignore_errors=True)
    except BaseException as error:
        if not isinstance(error, ArchiveProblem):
            shutil.rmtree(room, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _packed(archive: zipfile.ZipFile, name: str, copied: Path, schema: int) -> Stored:
    digest, size = hashlib.sha256(), 0
    with copied.open("rb") as source, archive.open(name, "w", force_zip64=True) as entry:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            entry.write(block)
            size += len(block)
    return Stored(name, size, digest.hexdigest(), schema)


# ------------------------------------------------------------------------------------------------------------- import


def restore(source: Path, path: Path, *, progress: Progress | None = None) -> Manifest:
    """Make the cloud of an exported file in the folder `path`, which must hold nothing.

    What was half-way at the instant of the export is finished or undone, as after a crash.

    Raises:
        ArchiveProblem: the file is no export, is damaged or of a newer version, or is larger than there is room for; or
            the folder holds something, or cannot be written.
    """
    told = progress or (lambda sentence, share: None)
    source, path = Path.cwd() / source, Path.cwd() / path
    try:
        with ExitStack() as stack:
            with _reading(source):
                archive = stack.enter_context(_opened(source))
                manifest = _manifest(archive, source)
                _check_room(manifest, path)
                # Once for nothing: a file that is damaged leaves no trace of itself.
                for each in manifest.files:
                    _unpacked(archive, each, None, partial(told, f"checking {each.name}"))
            stack.enter_context(folder.claim(path))
            _check_empty(path)
            with staged(path) as seeding:
                for each in manifest.files:
                    with _private(seeding / each.name) as into, _reading(source):
                        _unpacked(archive, each, into, partial(told, each.name))
                    check_copy(seeding / each.name, each.name)
                with _understanding(source):
                    asyncio.run(_settle(seeding))
                for each in manifest.files:
                    flush(seeding / each.name)
    except (FolderError, folder.FolderProblem) as error:
        raise ArchiveProblem(str(error)) from error
    except OSError as error:
        raise ArchiveProblem(f"Cannot import {source}: {(error.strerror or str(error)).lower()}.") from error
    return manifest


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Whatever a zip can be wrong with is one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error) as error:
        raise ArchiveProblem(f"{source} is damaged, or no export of a cloud ({error}).") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # It says that something lies before its beginning.
        raise ArchiveProblem(f"{source} is damaged, or no export of a cloud.") from error


@contextmanager
def _understanding(source: Path) -> Iterator[None]:
    """Whoever wrote the file may have written anything into whole databases."""
    try:
        yield
    except (LookupError, TypeError, ValueError, CloudError) as error:
        raise ArchiveProblem(f"{source} holds something that cannot be understood ({error!r}).") from error


def _opened(source: Path) -> zipfile.ZipFile:
    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise ArchiveProblem(f"{source} is not a file.")
        return zipfile.ZipFile(source)
    except FileNotFoundError:
        raise ArchiveProblem(f"{source} is not there.") from None


def _manifest(archive: zipfile.ZipFile, source: Path) -> Manifest:
    """What the file says of itself, once that is something that an export can say."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if MANIFEST not in names:
        raise ArchiveProblem(f"{source} is no export of a cloud: it has no {MANIFEST}.")
    if any(member.flag_bits & 1 or member.compress_type not in _METHODS for member in members):
        raise ArchiveProblem(f"{source} is no export of a cloud: what it holds is packed in another way.")
    with archive.open(MANIFEST) as entry:
        text = entry.read(MANIFEST_BYTES_MAX + 1)
    if len(text) > MANIFEST_BYTES_MAX:
        raise ArchiveProblem(f"{source} is no export of a cloud: its {MANIFEST} is too long.")
    try:
        said = json.loads(text)
        format_, program = int(said["format"]), str(said["program"])[:64]
        if format_ > FORMAT:
            raise ArchiveProblem(
                f"{source} was exported by Stratodeck {program}, in a form that this version "
                f"({version('stratodeck')}) does not know. Import it with that version, or a newer one."
            )
        files = tuple(
            Stored(str(each["name"]), int(each["bytes"]), str(each["sha256"]), int(each["schema"]))
            for each in said["files"]
        )
        manifest = Manifest(
            program,
            str(said["exported_at"])[:64],
            str(said["cloud_id"])[:64],
            str(said["kind"])[:64],
            files,
            tuple(str(note)[:1000] for note in said["notes"]),
            said["is_whole"] is True,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArchiveProblem(f"{source} is damaged: its {MANIFEST} cannot be understood.") from error
    listed = [MANIFEST, *(each.name for each in files)]
    strange = next((name for name in names if name not in listed), None)
    if strange is not None:
        raise ArchiveProblem(f"{source} holds {strange[:100]!r}, which no export does.")
    missing = next((name for name in listed if names.count(name) != 1), None)
    if missing is not None or len(files) > FILES_MAX or len(set(listed)) != len(listed):
        raise ArchiveProblem(f"{source} is damaged: it does not hold what its {MANIFEST} says, each once.")
    sizes = {member.filename: member.file_size for member in members}
    for each in files:
        _check_name(each.name, source)
        if each.bytes < 0 or sizes[each.name] != each.bytes:
            raise ArchiveProblem(f"{source} is damaged: {each.name} has another size than its {MANIFEST} says.")
    if not files or files[0].name != CLOUD_FILE:
        raise ArchiveProblem(f"{source} is no export of a cloud: it does not begin with {CLOUD_FILE}.")
    return manifest


def _check_name(name: str, source: Path) -> None:
    cell = name.removeprefix("cells/").removesuffix(".db")
    try:
        is_ours = name in (CLOUD_FILE, name_of_cell(cell))
    except FolderError:
        is_ours = False
    if not is_ours:
        raise ArchiveProblem(f"{source} holds {name[:100]!r}, which no export does.")


def _check_room(manifest: Manifest, path: Path) -> None:
    there = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if manifest.bytes > free:
        raise ArchiveProblem(f"The cloud takes {manifest.bytes:,} bytes, and there are {free:,} free at {there}.")


def _check_empty(path: Path) -> None:
    """But for what an import that was killed leaves."""
    if is_made(path):
        raise ArchiveProblem(f"The folder {path} holds a cloud already. Choose another one with --data.")
    others = sorted(set(os.listdir(path)) - {folder.LOCK, "seeding", "seeding.moving", "cells"})
    if others:
        raise ArchiveProblem(f"The folder {path} is not empty: it holds {others[0]}. Choose another one with --data.")


def _unpacked(archive: zipfile.ZipFile, stored: Stored, into: IO[bytes] | None, told: Callable[[float], None]) -> None:
    """Read a file of the archive, as far as it is what was said of it. Raises ArchiveProblem."""
    digest, size = hashlib.sha256(), 0
    with archive.open(stored.name) as entry:
        while block := entry.read(BLOCK_BYTES):
            if size == 0:
                _check_head(block, stored)
            size += len(block)
            if size > stored.bytes:
                break
            digest.update(block)
            if into is not None:
                into.write(block)
            told(size / stored.bytes)
    if size != stored.bytes or digest.hexdigest() != stored.sha256:
        raise ArchiveProblem(f"{stored.name} is damaged: it is not what was exported. Nothing was imported.")


def _check_head(block: bytes, stored: Stored) -> None:
    """A database says on its first page how long it is: what only claims to be long is not unpacked.

    Source: SQLite, "Database File Format": page size at 16 (1 stands for 65,536), pages at 28.
    """
    page = int.from_bytes(block[16:18]) or 0
    size = (65_536 if page == 1 else page) * int.from_bytes(block[28:32])
    if not block.startswith(_SQLITE_HEAD) or size != stored.bytes:
        raise ArchiveProblem(f"{stored.name} is damaged: it is no database of {stored.bytes:,} bytes.")


async def _settle(path: Path) -> None:
    """Open the cloud once, without letting its time run, so that nothing is half-way between two files."""
    clock = Clock()
    store = await Store.open(path, wall=clock.wall_now)
    try:
        cloud = Cloud(store, Clock.restored(await store.cloud_read(lambda tx: tx.clock_state())))
        store.on_return = lambda cell: recovery.recover(cloud, cell)
        await store.recover()
    finally:
        await store.close()
