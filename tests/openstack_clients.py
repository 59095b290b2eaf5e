"""OpenStack's own clients, unmodified: openstacksdk, and the `openstack` command line.

The command line runs command after command in one long-lived process, as starting it takes seconds. That process is
not ours, because the client sets up logging, reads `OS_*` and warns, each for its whole process.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.served import Served

if TYPE_CHECKING:
    from openstack.connection import Connection

PRELOADED = (
    "keystoneauth1.identity.generic",
    "openstack.compute.v2._proxy",
    "openstack.connection",
    "openstack.identity.v3._proxy",
    "openstack.image.v2._proxy",
)
"""What nearly every command loads when it logs in; loading it once is half of what makes the commands fast."""

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One account's command line."""

    process: subprocess.Popen[str]
    environment: Mapping[str, str]

    def __call__(self, *arguments: str) -> Any:
        """What a command that succeeds prints with `-f json`."""
        said = self.run(*arguments, "-f", "json")
        assert said.status == 0, said
        return json.loads(said.output)

    def run(self, *arguments: str) -> Said:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"arguments": arguments, "environment": dict(self.environment)}) + "\n")
        self.process.stdin.flush()
        return Said(**json.loads(self.process.stdout.readline()))

    def refused(self, *arguments: str) -> str:
        """What a command that fails says on standard error."""
        said = self.run(*arguments)
        assert said.status == 1, said
        return said.errors


@contextlib.contextmanager
def command_line_process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.openstack_clients"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean)
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def environment_of(folder: Path, account: str) -> dict[str, str]:
    """What `eval "$(stratodeck env openstack)"` sets in a shell."""
    program = 'eval "$("$0" -m console env openstack --data "$1" --account "$2")" && exec env -0'
    done = subprocess.run(
        ["sh", "-c", program, sys.executable, str(folder), account], cwd=ROOT, capture_output=True, check=True
    )
    pairs = (pair.decode().partition("=") for pair in done.stdout.split(b"\0") if pair)
    return {name: value for name, _, value in pairs if name.startswith("OS_")}


def command_line(process: subprocess.Popen[str], on: Served, account: str) -> CommandLine:
    return CommandLine(process, environment_of(on.folder, account))


@contextlib.contextmanager
def sdk(on: Served, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection by nothing but the `clouds.yaml` that is printed for the account."""
    import openstack

    command = [sys.executable, "-m", "console", "env", "openstack", "--clouds-yaml", "--data", str(on.folder)]
    printed = subprocess.run([*command, "--account", account], cwd=ROOT, capture_output=True, check=True).stdout
    (tmp_path / "clouds.yaml").write_bytes(printed)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    connection = openstack.connect(cloud="stratodeck")
    try:
        yield connection
    finally:
        connection.close()


def main() -> None:
    """A line of JSON in, a command, a line of JSON out, until there are no more.

    Each command has a copy of this process to itself: the client keeps connections, and who it logged in as, in its
    classes.
    """
    from openstackclient import shell

    for module in PRELOADED:
        importlib.import_module(module)
    # Its help loads every command, and logs in nowhere.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        shell.main(["--help"])
    for line in sys.stdin:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        asked = json.loads(line)
        os.environ.update(asked["environment"])
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = shell.main(asked["arguments"])
            except SystemExit as end:
                status = int(end.code or 0)
        print(json.dumps({"status": status, "output": output.getvalue(), "errors": errors.getvalue()}), flush=True)
        os._exit(0)


if __name__ == "__main__":
    main()
