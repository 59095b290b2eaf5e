"""What OpenStack's clients are told: lines that every shell takes as meant, and a file that YAML reads back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import folder
from backend.folder import OPERATOR
from console.cli import main
from console.openstack_env import LEFT_OVER, Login, NotForAShell, clouds_yaml, shell_lines
from tests.backend.processes import DEADLINE_SECONDS, server
from tests.served import served

HOSTILE = (
    "'", '"', "$(touch owned)", "`touch owned`", "a b", "\\", "\n", "\t", "!x", "#", "%", "&", "*", "~", "-n", ": ",
    "{}", "[]", "é", "\u2028", "\U0001f600", "\x1b[2J", "\x7f", "\x85", "\ufeff", "yes", "0x1", "null", "=",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=5).map("".join)


def run_stratodeck(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="stratodeck")


def environment_after(lines: str, shell: str = "sh") -> dict[str, str]:
    """What a shell exports that was given the lines as `eval "$(...)"` gives them."""
    program = 'eval "$1"; exec env -0'
    done = subprocess.run(
        [shell, "-c", program, shell, lines],
        env={"PATH": os.environ["PATH"], "OS_CLOUD": "another", "OS_TOKEN": "old", "OS_PROJECT_ID": "elsewhere"},
        capture_output=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    pairs = (pair.partition(b"=") for pair in done.stdout.split(b"\0") if pair)
    return {name.decode(): value.decode() for name, _, value in pairs}


@settings(max_examples=60)
@given(TEXTS, TEXTS, TEXTS)
def test_a_shell_takes_every_secret_as_it_is(account: str, password: str, project: str) -> None:
    values = [text.replace("\0", "").encode("utf-8", "ignore").decode() for text in (account, password, project)]
    login = Login("http://127.0.0.1:1/identity/v3", *values)

    # The command substitution of a shell takes the newlines at the end of everything away, and no others.
    found = environment_after("\n".join(shell_lines(login)))

    assert [found[name] for name in ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME")] == values
    assert found["OS_AUTH_URL"] == login.url
    assert not set(found) & set(LEFT_OVER)


def test_what_no_variable_can_hold_is_refused_and_told_of() -> None:
    with pytest.raises(NotForAShell, match="OS_PASSWORD has a NUL in it"):
        list(shell_lines(Login("http://x", "a", "p\0", "p")))


@given(TEXTS, TEXTS, TEXTS)
def test_the_file_reads_back_as_what_was_meant(account: str, password: str, project: str) -> None:
    login = Login("http://127.0.0.1:1/identity/v3", account, password, project)

    text = "\n".join(clouds_yaml(login))

    assert text.isascii()
    assert yaml.safe_load(text) == {
        "clouds": {
            "stratodeck": {
                "auth": {
                    "auth_url": login.url,
                    "username": account,
                    "password": password,
                    "project_name": project,
                    "user_domain_name": "Default",
                    "project_domain_name": "Default",
                },
                "region_name": "RegionOne",
                "identity_api_version": "3",
            }
        }
    }


def test_every_account_of_a_cloud_gets_what_it_logs_in_with(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with served(path, "--cloud", "empty"):
        names = sorted(folder.read_credentials(path).by_account)
    hostile = "".join(HOSTILE)
    parts = [
        f"[{folder.toml_string(name)}]\npassword = {folder.toml_string(name + hostile)}\ntoken = {token}\n"
        for name, token in ((name, folder.toml_string(f"token of {name}")) for name in names)
    ]
    folder.write_private(path / folder.CREDENTIALS, "".join(parts))
    with served(path) as on:
        for name in names:
            result = run_stratodeck("env", "openstack", "--data", path, "--account", name)
            assert result.exit_code == 0, result.output
            found = environment_after(result.stdout, "bash" if name == OPERATOR else "sh")

            assert found["OS_AUTH_URL"] == f"{on.url}/identity/v3"
            assert (found["OS_USERNAME"], found["OS_PASSWORD"]) == (name, name + hostile)
            assert found["OS_PROJECT_NAME"] == ("operations" if name == OPERATOR else "shop")
            file = yaml.safe_load(
                run_stratodeck("env", "openstack", "--clouds-yaml", "--data", path, "--account", name).stdout
            )
            assert file["clouds"]["stratodeck"]["auth"]["password"] == name + hostile

        # Without a name it is the operator's.
        assert f"OS_USERNAME={OPERATOR}" in run_stratodeck("env", "openstack", "--data", path).stdout

        folder.write_private(path / folder.CREDENTIALS, "".join(parts).replace("touch", "tauch"))
        refused = run_stratodeck("env", "openstack", "--data", path)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "counts from its next start" in refused.stderr
    assert not (tmp_path / "owned").exists()
    assert not Path("owned").exists()


def test_a_backend_that_knows_no_identity_service_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with server(path) as backend:
        backend.line()
        for more in ([], ["--clouds-yaml"]):
            result = run_stratodeck("env", "openstack", "--data", path, *more)
            assert (result.exit_code, result.stdout) == (2, "")
            assert "404" in result.stderr
