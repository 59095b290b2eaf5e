"""A backend as its users run it: a process of its own on a free port of the loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

READY = "stratodeck: serving "


@dataclass
class Served:
    url: str
    folder: Path
    process: subprocess.Popen[str]

    def secret(self, account: str, kind: str) -> str:
        """`kind` is `password` or `token`."""
        found = tomllib.loads((self.folder / "credentials.toml").read_text())
        for section in (found, *(each for each in found.values() if isinstance(each, dict))):
            if account in section:
                return str(section[account][kind])
        raise KeyError(account)

    def client(self, account: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.secret(account, 'token')}"}
        return httpx.Client(base_url=f"{self.url}/ops/v1", headers=headers, timeout=10)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def served(folder: Path, *options: str, module: str = "backend") -> Iterator[Served]:
    command = [sys.executable, "-m", module, "--data", str(folder), "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(READY), f"it did not start: {line!r}"
        yield Served(line.removeprefix(READY).strip(), folder, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
        assert process.stdout is not None
        process.stdout.close()
