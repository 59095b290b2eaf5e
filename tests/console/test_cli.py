"""The command line: what each command loads, prints, and refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import folder
from console.cli import main
from tests.backend.processes import DEADLINE_SECONDS, Process, child, server

TENANT = "tenant@stratodeck.local"


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made).resolve() / "data"


def stratodeck(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="stratodeck")


def refusal(*arguments: str | Path) -> str:
    """What a command that is refused says on standard error; on standard output it says nothing."""
    result = stratodeck(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return result.stderr


# Help


@pytest.mark.parametrize("arguments", [[], ["serve"], ["env"], ["replay"], ["cell"]])
def test_every_command_explains_itself_and_each_of_its_options(arguments: list[str]) -> None:
    result = stratodeck(*arguments, "--help")

    assert result.exit_code == 0
    command = main if not arguments else main.commands[arguments[0]]
    assert command.help
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_the_version_is_that_of_the_distribution() -> None:
    assert stratodeck("--version").output.startswith("stratodeck, version ")


# The console


def test_the_console_needs_a_terminal() -> None:
    assert refusal() == (
        "stratodeck: The console needs a terminal. Without one, `stratodeck serve` serves the same cloud.\n"
    )


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://host:port", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert "is not the address of a cloud" in refusal("--url", url, "--token", "t")


def test_another_cloud_needs_a_token() -> None:
    assert "--url needs a token: set STRATODECK_TOKEN" in refusal("--url", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "http://127.0.0.1:1", "--token", "t", "--listen", "1"],
        ["--url", "http://127.0.0.1:1", "--token", "t", "--data", "x"],
        ["--url", "http://127.0.0.1:1", "--token", "t", "--cloud", "demo"],
        ["--token", "t"],
        ["--listen", "70000"],
        ["--cloud", "demo", "serve"],
        ["--read-only", "env", "curl"],
        ["serve", "--clock", "manual", "--clock-rate", "2"],
        ["serve", "--clock-rate", "0"],
        ["env", "telnet"],
        ["env", "curl", "--clouds-yaml"],
        ["cell", "sideways", "cell-1"],
        ["replay", "azure-2017", "--backfill-share", "2"],
        ["replay", "azure-2017", "--hours", "0"],
        ["replay", "azure-2017", "--seed", "9223372036854775808"],
        ["fly"],
    ],
    ids=" ".join,
)
def test_what_has_no_meaning_together_is_refused(arguments: list[str]) -> None:
    assert "Error: " in refusal(*arguments)


# env


def test_curl_gets_lines_for_the_shell(path: Path) -> None:
    with server(path) as backend:
        url = backend.line().rpartition(" ")[2]
        token = folder.read_credentials(path).token_of(folder.OPERATOR)

        result = stratodeck("env", "curl", "--data", path)

        assert result.exit_code == 0
        assert result.stdout == f"export STRATODECK_URL={url}\nexport STRATODECK_TOKEN={token}\n"


def test_waldur_gets_the_address_and_the_token(path: Path) -> None:
    with server(path) as backend:
        url = backend.line().rpartition(" ")[2]
        token = folder.read_credentials(path).token_of(TENANT)

        result = stratodeck("env", "waldur", "--data", path, "--account", TENANT)

        assert result.stdout == f"export WALDUR_URL={url}\nexport WALDUR_TOKEN={token}\n"


def test_the_data_folder_may_be_named_before_the_command_too(path: Path) -> None:
    with server(path) as backend:
        backend.line()

        assert (
            stratodeck("--data", path, "env", "curl").stdout == stratodeck("env", "curl", "--data", path).stdout != ""
        )


def test_the_cloudsigma_client_reads_what_it_gets(path: Path) -> None:
    with server(path) as backend:
        url = backend.line().rpartition(" ")[2]
        result = stratodeck("env", "cloudsigma", "--data", path, "--account", TENANT)
        (path / "client.conf").write_text(result.stdout)

        program = "import json; from cloudsigma.conf import config; print(json.dumps(dict(config)))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=os.environ | {"CLOUDSIGMA_CONFIG": str(path / "client.conf")},
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_SECONDS,
        )

        assert json.loads(done.stdout) == {
            "api_endpoint": f"{url}/api/2.0/",
            "ws_endpoint": f"{url.replace('http', 'ws')}/websocket",
            "username": TENANT,
            "password": folder.read_credentials(path).password_of(TENANT),
            "login_method": "basic",
        }


def test_an_unknown_account_is_told_which_there_are(path: Path) -> None:
    with server(path) as backend:
        backend.line()

        said = refusal("env", "curl", "--data", path, "--account", "nobody@x")

    assert said == f"stratodeck: This cloud has no account 'nobody@x'; it has {folder.OPERATOR}, {TENANT}.\n"


def test_a_cloud_without_a_port_has_nothing_to_tell_clients(path: Path) -> None:
    with child(path) as backend:
        backend.until("ready")

        said = refusal("env", "curl", "--data", path)

    assert "is open without a TCP port" in said
    assert "stratodeck --listen 8774" in said
    assert f"curl --unix-socket {path / 'socket'}" in said


@pytest.mark.parametrize("arguments", [["env", "curl"], ["env", "cloudsigma"], ["cell", "down", "cell-1"]])
def test_commands_that_need_a_backend_say_that_none_runs(path: Path, arguments: list[str]) -> None:
    assert refusal(*arguments, "--data", path).startswith(f"stratodeck: No cloud is running in {path}: open it with")
    assert not path.exists()


# cell


def test_a_fault_is_injected_with_the_operators_token(path: Path) -> None:
    with child(path) as backend:
        backend.until("ready")

        result = stratodeck("cell", "hung", "cell-1", "--data", path)

        assert (result.exit_code, result.stdout) == (0, "cell-1 is hung (Bearer)\n")


def test_an_unknown_cell_is_refused_in_the_clouds_own_words(path: Path) -> None:
    with child(path) as backend:
        backend.until("ready")

        assert refusal("cell", "down", "cell-9", "--data", path) == "stratodeck: There is no cell cell-9.\n"


# serve


def test_serve_is_the_backends_own_serve(path: Path) -> None:
    with Process("serve", "--port", "0", "--data", str(path), "--cloud", "empty", module="console") as serving:
        line = serving.line()

        running = folder.find_running(path)
        assert running is not None
        assert (line, running.kind, running.pid) == (f"stratodeck: serving {running.url}", "empty", serving.pid)
        serving.popen.terminate()
        assert serving.status() == 0
        assert serving.errors() == ""


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"this is no database at all, but it is long enough to be taken for one" * 20, "is not a database"),
        (b"", "is empty"),
    ],
)
def test_a_damaged_cloud_is_a_sentence_and_stays_as_it_is(path: Path, damage: bytes, said: str) -> None:
    path.mkdir()
    (path / "cloud.db").write_bytes(damage)

    assert said in refusal("serve", "--port", "0", "--data", path)
    assert (path / "cloud.db").read_bytes() == damage


# replay


def test_an_unknown_trace_is_told_which_there_are() -> None:
    assert refusal("replay", "borg-2011") == (
        'stratodeck: There is no trace "borg-2011"; there is azure-2017, alibaba-openb, or the path of a CSV file.\n'
    )


# All of it, with a real cloud


def test_a_fault_in_a_real_cloud_is_told_and_outlives_its_backend(path: Path) -> None:
    arguments = ("serve", "--cloud", "empty", "--port", "0", "--data", str(path))
    with Process(*arguments, module="console") as serving:
        assert serving.line().startswith("stratodeck: serving http://127.0.0.1:")

        told = stratodeck("cell", "down", "cell-2", "--preview", "--data", path)
        assert told.exit_code == 0
        assert [line.split()[0] for line in told.stdout.splitlines()] == [
            "SERVERS", "DRIVES", "GROUPS", "PLACEMENT", "TASKS", "NOT",
        ]  # fmt: skip
        assert "`stratodeck cell up cell-2` lets it answer again" in told.stdout
        refused = stratodeck("cell", "up", "cell-2", "--preview", "--data", path)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith("stratodeck: ")
        assert stratodeck("cell", "down", "cell-2", "--data", path).stdout == "cell-2 is down (injected: down)\n"
        serving.popen.kill()
        serving.status()

    with Process(*arguments, module="console") as serving:
        assert serving.line().startswith("stratodeck: serving http://127.0.0.1:")

        assert stratodeck("cell", "hung", "cell-2", "--data", path).stdout.startswith("cell-2 is hung")
        assert stratodeck("cell", "up", "cell-2", "--data", path).stdout == "cell-2 is up\n"


def test_a_trace_is_replayed_into_a_folder_that_opens_afterwards(path: Path) -> None:
    result = stratodeck("replay", "azure-2017", "--hours", "0.1", "--data", path)

    assert result.exit_code == 0
    assert result.stdout.startswith("Replayed 0.1 hours of azure-2017 on ")
    assert result.stdout.endswith(f"The cloud is kept: stratodeck --data {path}\n")
    with Process("serve", "--port", "0", "--data", str(path), module="console") as serving:
        assert serving.line().startswith("stratodeck: serving http://127.0.0.1:")
    with Process("serve", "--port", "0", "--data", str(path), "--cloud", "demo", module="console") as serving:
        assert "was made as 'azure-2017', not as 'demo'" in serving.errors()
