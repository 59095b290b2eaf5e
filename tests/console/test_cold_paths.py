"""What is loaded before it is needed: nothing that is heavy. A command of the shell is over in a tenth of a second only
while that is so, and the console paints before the first module that only a connection needs.

Where a test here fails, an import has moved to the top of a module; it belongs into the function that needs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.backend.processes import DEADLINE_SECONDS, ROOT

TERMINAL = frozenset({"textual", "rich"})
"""Half of the console's own start."""
CLIENT = frozenset({"httpx", "httpcore", "h11", "anyio", "certifi"})
"""The console's way to a cloud; commands make their one request with the standard library."""
SERVER = frozenset({"starlette", "uvicorn", "uvloop", "httptools", "pydantic", "orjson"})
"""What answers requests: only a process that serves has it."""
STORE = frozenset({"sqlite3", "sqlite_utils", "croniter", "pandas", "numpy", "zoneinfo"})
"""What a cloud is kept and run with."""
HEAVY = TERMINAL | CLIENT | SERVER | STORE

NOWHERE = ("--data", "/proc/nowhere")
"""No backend runs there, so a command that asks one ends with a sentence, having loaded all it needs to ask."""


def modules_after(program: str, *arguments: str) -> frozenset[str]:
    """The modules that a program has loaded, which it prints as the last line of its standard error."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=os.environ | {"XDG_DATA_HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("["), done.stderr
    return frozenset(json.loads(last))


COMMAND = """
import json, sys
from console.cli import main
try:
    main(sys.argv[1:], prog_name="stratodeck")
except SystemExit:
    pass
print(json.dumps(list(sys.modules)), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> frozenset[str]:
    """What a command has loaded when it ends."""
    return modules_after(COMMAND, *arguments)


def packages(modules: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "arguments",
    [
        # They say what there is to say without any cloud.
        ["--help"],
        ["--version"],
        ["serve", "--help"],
        ["replay", "--help"],
        ["host", "--help"],
        ["settings"],
        ["settings", "--example"],
        ["completion", "bash"],
        ["completion", "zsh"],
        ["completion", "fish"],
    ],
    ids=" ".join,
)
def test_what_needs_no_cloud_loads_nothing_heavy_and_nothing_of_the_backend(arguments: list[str]) -> None:
    found = loaded_by(*arguments)

    # The command line itself is what a tab in a shell waits for each time.
    assert packages(found).isdisjoint(HEAVY | {"backend", "asyncio", "tomllib", "http", "ssl"})
    assert {name for name in found if name.startswith("console.")} <= {
        "console.cli", "console.cli_check", "console.cli_clouds", "console.cli_contexts", "console.cli_data",
        "console.cli_doctor", "console.cli_options", "console.cli_rehearse", "console.cli_running", "console.cli_shell",
        "console.cli_web", "console.completion", "console.contexts", "console.names", "console.sanitising",
        "console.settings",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["env", "curl", *NOWHERE],
        ["env", "openstack", "--clouds-yaml", *NOWHERE],
        ["cell", "down", "cell-1", *NOWHERE],
        ["host", "fail", "h1", *NOWHERE],
        ["host", "drain", "h1", "--preview", *NOWHERE],
    ],
    ids=" ".join,
)
def test_what_asks_a_running_backend_loads_only_what_knows_the_folder(arguments: list[str]) -> None:
    found = loaded_by(*arguments)

    # One request over a socket: http.client is enough, and an event loop is not needed for it.
    assert packages(found).isdisjoint(HEAVY | {"asyncio"})
    assert {name for name in found if name.startswith("backend")} == {"backend", "backend.folder", "backend.quoting"}


def test_a_plan_for_a_host_is_read_and_laid_out_without_the_terminal_or_the_client() -> None:
    program = (
        "import json, sys\nimport console.cli_running, console.unix_http, console.wire\n"
        "from console.presentation import host_table\nprint(json.dumps(list(sys.modules)), file=sys.stderr)"
    )

    assert packages(modules_after(program)).isdisjoint(HEAVY | {"backend", "asyncio"})


@pytest.mark.parametrize(
    "arguments",
    [["serve", *NOWHERE, "--port", "0"], ["replay", "no-such-trace"], ["cloud", "export", *NOWHERE]],
    ids=" ".join,
)
def test_what_runs_a_cloud_itself_loads_no_terminal_and_no_client(arguments: list[str]) -> None:
    # Servers run for months and replays for hours; neither draws anything or asks anybody.
    assert packages(loaded_by(*arguments)).isdisjoint(TERMINAL | CLIENT)


FIRST_PAINT = """
import json, sys
from pathlib import Path
from console import cli, launch
from console.settings import resolve

backend = launch.Backend(launch.command(Path("/proc/nowhere")))

async def factory():
    found.extend(sys.modules)
    painted.extend(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
    app.exit()
    await backend.answers()

found, painted = [], []
app = cli._console_app()(factory, backend=backend, **cli._looks(resolve()))
app.run(headless=True, size=(120, 40))
assert "overview" in "".join(painted), "nothing is painted yet"
print(json.dumps(found), file=sys.stderr)
"""
"""The console as the command line makes it, up to where it wants a connection, which is after its first paint."""


def test_the_first_paint_waits_for_nothing_that_only_a_connection_needs() -> None:
    found = modules_after(FIRST_PAINT)

    assert "textual" in found
    # The child process loads the backend meanwhile; here, it would be loaded twice and before anything is seen.
    assert packages(found).isdisjoint({"backend"} | SERVER | STORE)
    # The client is loaded while the backend starts; settings are TOML only where there is a file.
    assert packages(found).isdisjoint(CLIENT | {"tomllib"})
    # Nothing is drawn yet but the first view, and nobody has asked for a verb.
    assert found.isdisjoint({"console.presentation.servers", "console.screens.acting", "console.screens.dialogs"})
    # These belong to commands that open no console.
    assert found.isdisjoint({"console.unix_http", "console.presentation.host_table", "click.shell_completion"})


def test_settings_without_a_file_load_no_toml_and_with_one_nothing_else() -> None:
    program = (
        "import json, sys\nfrom console import settings\nbefore = set(sys.modules)\n"
        "settings.resolve({}, {'STRATODECK_SETTINGS': sys.argv[1]})\n"
        "print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)"
    )

    assert modules_after(program, "/proc/nowhere") == frozenset()
    assert packages(modules_after(program, os.devnull)) <= {
        "tomllib",
        "string",
        "_string",
        "datetime",
        "_datetime",
        "math",
    }
