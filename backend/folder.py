"""The data folder as processes see it: who owns it, where its backend answers, and who may come in.

    DATA/lock                held with flock by the one process that serves the cloud, for its whole life; never
                             unlinked, because after an unlink two processes could each hold "the" lock
    DATA/backend.json        where that process answers (0600); written when it can, removed when it ends cleanly
    DATA/socket              its Unix socket (0600); elsewhere when this path is too long for the system
    DATA/credentials.toml    a password and a token for each account (0600), made at the first start
    DATA/token.key, DATA/revoked_tokens   of the tokens that are issued (0600); see `tokens`
    DATA/backend.log         what a backend without a terminal had to say (0600)

What the cloud itself is made of (cloud.db, cells/) is the store's. This module opens neither, and is light to import:
`stratodeck env` and `stratodeck cell` need it and nothing else of the backend.

Reading order: claim and Claim (owning), find_running (finding), Credentials.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shlex
import socket
import stat
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend.quoting import shown

LOCK = "lock"
RUNNING = "backend.json"
SOCKET = "socket"
CREDENTIALS = "credentials.toml"
LOG = "backend.log"

OPERATOR = "operator@stratodeck.local"
"""The staff account that every cloud has: whom the console and `stratodeck cell` speak for."""

SOCKET_PATH_BYTES_MAX = 100
"""The system's limit is 107 bytes on Linux and 103 on macOS; a longer path is put elsewhere."""

LOG_BYTES_MAX = 2**20

_CREDENTIALS_HEAD = """\
# Made at the first start of this cloud. Whoever can read this file can do everything in it.
# A changed password or token counts from the next start of the backend; a removed account gets new ones.
"""


class FolderProblem(Exception):
    """The folder cannot be used. `str()` is a sentence for the person who named it."""


class FolderHeld(FolderProblem):
    """Another process serves the cloud in this folder."""


# ------------------------------------------------------------------------------------------------------------- owning


class Claim:
    """The right to serve the cloud in a folder: its lock, held until `release` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._socket_path: Path | None = None

    def bind_socket(self) -> socket.socket:
        """The Unix socket, bound at 0600 and not yet listening; one that a dead process left is removed first.

        Whoever holds the claim is the only one who binds here, so what lies there is stale.

        Raises:
            FolderProblem: something that is no socket lies there, or the path cannot be bound.
        """
        path = socket_path(self.path)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)
        try:
            if path.is_socket():
                path.unlink()
            bound.bind(os.fspath(path))
        except OSError as error:
            bound.close()
            raise FolderProblem(f"Cannot make the socket {path}: {_reason(error)}.") from error
        finally:
            os.umask(umask)
        self._socket_path = path
        return bound

    def publish(self, *, url: str | None, cloud_id: str, kind: str, version: str, fleet: str | None = None) -> Running:
        """Tell every other process where this one answers. Call it when it does."""
        assert self._socket_path is not None, "bind the socket first"
        running = Running(os.getpid(), self._socket_path, url, cloud_id, kind, version, fleet)
        write_private(self.path / RUNNING, json.dumps(running.to_json(), indent=2) + "\n")
        return running

    def open_log(self) -> int:
        """A descriptor that appends to DATA/backend.log; the file begins anew when it has grown past a mebibyte."""
        path = self.path / LOG
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            flags |= os.O_TRUNC
        return os.open(path, flags, 0o600)

    def release(self) -> None:
        """Withdraw what was published, and let the next one in. A second call does nothing."""
        if self._descriptor < 0:
            return
        (self.path / RUNNING).unlink(missing_ok=True)
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def claim(path: Path, *, waits: bool = False) -> Claim:
    """Own the folder, which is made if there is none.

    Args:
        waits: Block until whoever holds it now has ended, in the order of asking.

    Raises:
        FolderHeld: another process owns it, and `waits` is False.
        FolderProblem: it cannot be made or written, or is somebody else's.
    """
    path = _prepared(path)
    descriptor = -1
    try:
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError as error:
        os.close(descriptor)
        raise FolderHeld(f"Another process serves the cloud in {path}.") from error
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise FolderProblem(f"The data folder {path} cannot be used: {_reason(error)}.") from error
    # A process that was killed could not withdraw what it had published.
    (path / RUNNING).unlink(missing_ok=True)
    return Claim(path, descriptor)


def _prepared(path: Path) -> Path:
    """The folder's real path, made if need be. Raises FolderProblem for one that we should keep out of."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = path.resolve(strict=True)
        strange = strangers(path)
    except OSError as error:
        raise FolderProblem(f"The data folder {path} cannot be used: {_reason(error)}.") from error
    if strange is not None:
        raise FolderProblem(f"The folder {path} is not empty and holds no cloud; choose another one with --data.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise FolderProblem(f"The data folder {path} is not writable.")
    for problem in unsafe(path):
        raise FolderProblem(problem)
    return path


def strangers(path: Path) -> str | None:
    """Something that lies in a folder which was never a data folder; None where it was, or is empty. Raises OSError."""
    names = sorted(os.listdir(path))
    is_ours = LOCK in names or any(name.startswith("cloud.db") for name in names)
    return None if is_ours or not names else names[0]


def exposed(mode: int, folder_mode: int) -> int:
    """What of a mode others can make use of: who may not enter the folder reaches nothing in it."""
    return (mode & 0o070 if folder_mode & 0o010 else 0) | (mode & 0o007 if folder_mode & 0o001 else 0)


def unsafe(path: Path) -> Iterator[str]:
    """Why nobody should serve what lies in this folder: others could change it, or lead us out of it. Sentences."""
    try:
        top = path.stat().st_mode
        if top & 0o022:
            yield f"Others can write to the folder {path}. Take that from them: chmod go-w {shlex.quote(str(path))}"
        for inside in (path, path / "cells"):
            for found in sorted(inside.iterdir()) if inside.is_dir() else ():
                try:
                    mode = found.lstat().st_mode
                except FileNotFoundError:
                    # Whoever has the folder replaces files, and takes logs away, at any time.
                    continue
                if stat.S_ISLNK(mode):
                    yield f"{found} is a symbolic link. Put what it leads to in its place: a data folder holds none."
                elif (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and exposed(mode, top) & 0o022:
                    yield f"Others can write to {found}. Take that from them: chmod go-w {shlex.quote(str(found))}"
    except OSError as error:
        yield f"The data folder {path} cannot be read: {_reason(error)}."


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def socket_path(path: Path) -> Path:
    """Where the socket of this folder lies: in it, unless that path is too long for the system.

    Raises:
        FolderProblem: the folder for sockets with long paths is not ours alone.
    """
    inside = path / SOCKET
    if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
        return inside
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    room = Path(runtime) / "stratodeck" if runtime else Path(tempfile.gettempdir()) / f"stratodeck-{os.getuid()}"
    try:
        room.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = room.lstat()
    except OSError as error:
        raise FolderProblem(f"Cannot make the folder {room} for the socket: {_reason(error)}.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise FolderProblem(f"The folder {room} for the socket must be a folder that only you can read.")
    return room / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}.sock"


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner reads. Durable, and at once: a crash leaves the old one or the new."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# ------------------------------------------------------------------------------------------------------------ finding


@dataclass(frozen=True, slots=True)
class Running:
    """A backend that answers, as it published itself."""

    pid: int
    socket: Path
    url: str | None
    """Its TCP address as `http://127.0.0.1:8774`; None when it has none."""
    cloud_id: str
    kind: str
    """What its cloud was made as: `demo`, `empty`, `fleet`, or a trace."""
    version: str
    fleet: str | None = None
    """The fingerprint of the fleet that a file described; None when none did."""

    def to_json(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "socket": os.fspath(self.socket),
            "tcp": self.url,
            "cloud_id": self.cloud_id,
            "kind": self.kind,
            "version": self.version,
            "fleet": self.fleet,
        }


def find_running(path: Path) -> Running | None:
    """The backend that serves the cloud in this folder; None without one, also while it is still starting.

    Connecting to its socket is the proof: a lock that is free or a pid that is used again would prove nothing.
    """
    try:
        stored = json.loads((path / RUNNING).read_text(encoding="utf-8"))
        running = Running(
            pid=int(stored["pid"]),
            socket=Path(stored["socket"]),
            url=stored["tcp"],
            cloud_id=str(stored["cloud_id"]),
            kind=str(stored["kind"]),
            version=str(stored["version"]),
            fleet=stored.get("fleet"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        tried.settimeout(5)
        try:
            tried.connect(os.fspath(running.socket))
        except OSError as error:
            # A backlog that is full is a backend that is busy, not one that is gone.
            return running if error.errno == errno.EAGAIN or isinstance(error, TimeoutError) else None
    return running


# -------------------------------------------------------------------------------------------------------- credentials


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one account logs in with: a password where names are asked for, a token where they are not."""

    password: str
    token: str


class Credentials:
    """Each account's secrets. Comparing takes a time that does not depend on where two differ."""

    def __init__(self, by_account: Mapping[str, Secrets]) -> None:
        self.by_account = dict(by_account)

    def password_of(self, account_name: str) -> str | None:
        found = self.by_account.get(account_name)
        return None if found is None else found.password

    def token_of(self, account_name: str) -> str | None:
        found = self.by_account.get(account_name)
        return None if found is None else found.token

    def account_by_token(self, token: str) -> str | None:
        """Every token is compared, whichever fits."""
        given = token.encode("utf-8", "surrogatepass")
        fitting = [name for name, own in self.by_account.items() if hmac.compare_digest(given, own.token.encode())]
        return fitting[0] if fitting else None


def read_credentials(path: Path) -> Credentials:
    """Of the cloud in this folder; of nobody when there is no such file yet.

    Raises:
        FolderProblem: the file is there and cannot be read.
    """
    file = path / CREDENTIALS
    try:
        stored = tomllib.loads(file.read_text(encoding="utf-8"))
        found = {name: Secrets(own["password"], own["token"]) for name, own in stored.items()}
        for name, own in found.items():
            if not (isinstance(own.password, str) and isinstance(own.token, str)):
                raise TypeError(f"the secrets of {shown(name)} are no texts")
        return Credentials(found)
    except FileNotFoundError:
        return Credentials({})
    except OSError as error:
        raise FolderProblem(f"{file} cannot be read: {_reason(error)}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FolderProblem(
            f"{file} is damaged ({error}). Mend it, or remove it: new secrets are then made for every account."
        ) from error


def ensure_credentials(path: Path, account_names: Iterable[str]) -> Credentials:
    """Read the secrets of these accounts, and make those that are missing. Never seeded: each cloud has its own.

    Raises:
        FolderProblem: the file is there and cannot be read, or cannot be written.
    """
    found = read_credentials(path)
    missing = [name for name in dict.fromkeys(account_names) if name not in found.by_account]
    if not missing:
        return found
    made = {name: Secrets(secrets.token_urlsafe(18), secrets.token_urlsafe(32)) for name in missing}
    whole = Credentials(found.by_account | made)
    parts = [_CREDENTIALS_HEAD]
    for name, own in whole.by_account.items():
        parts.append(
            f"\n[{toml_string(name)}]\npassword = {toml_string(own.password)}\ntoken = {toml_string(own.token)}\n"
        )
    try:
        write_private(path / CREDENTIALS, "".join(parts))
    except OSError as error:
        raise FolderProblem(f"{path / CREDENTIALS} cannot be written: {_reason(error)}.") from error
    return whole


def toml_string(text: str) -> str:
    """As it is written in a TOML file, quotes included."""
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
