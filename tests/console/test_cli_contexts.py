"""Clouds of the settings on the command line: listed, chosen by name, refused, and what says who one is there."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console import cli_contexts, cli_opening
from console.cli import main
from console.cli_options import Refusal
from console.client import ClientError
from console.contexts import KINDS, Context
from console.settings import resolve

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text('[clouds.lab]\ndata = "/srv/lab"\n[clouds.far]\nurl = "https://far.example"\ncolour = "blue"\n')
    monkeypatch.setenv("STRATODECK_SETTINGS", str(path))
    monkeypatch.delenv("STRATODECK_TOKEN", raising=False)
    return path


def said(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, prog_name="stratodeck")
    assert result.exit_code in (0, 2), result.output
    return result.output


def test_contexts_lists_them_and_says_how_one_is_written(file: Path) -> None:
    text = said("contexts")

    assert "lab  simulated   /srv/lab\nfar  stratodeck  https://far.example  (blue)\n" in text
    assert f"Each is a table in {file}" in text

    file.write_text("[clouds.lab]\n")
    assert f"stratodeck: {file}: clouds.lab does not say where it is" in said("contexts")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--context", "lap"], "No cloud is called 'lap': there are lab, far."),
        (["--context", "lab", "--url", "http://a.example"], "--url, --os-cloud and --data do so too"),
        (["--context", "lab", "--data", "/srv/b"], "--url, --os-cloud and --data do so too"),
        (["--context", "far", "--listen", "0"], "https://far.example is a cloud that runs elsewhere"),
        (["--context", "lab", "--token", "x"], "--token goes with --url"),
        (["--context", "lab", "contexts"], "--context is the console's"),
        # Everything is in order, but there is nothing to draw on.
        (["--context", "far"], "The console needs a terminal."),
    ],
)
def test_a_context_is_chosen_by_its_name_and_by_nothing_else_besides(
    file: Path, arguments: list[str], sentence: str
) -> None:
    assert sentence in said(*arguments)


def test_the_environment_may_choose_one_and_an_option_counts_before_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATODECK_CONTEXT", "lap")

    assert "No cloud is called 'lap'" in said()
    assert "No cloud is called 'lab-2'" in said("--context", "lab-2")
    assert "The console needs a terminal." in said("--data", "/srv/b")
    assert "--url needs a token" in said("--url", "http://a.example")


def test_an_address_or_a_folder_that_the_settings_name_is_that_cloud_with_its_rules(file: Path) -> None:
    chosen = resolve({"data": Path("/srv/lab")})
    every = cli_contexts.known(chosen)

    found = [
        cli_contexts.first(every, chosen, None, None),
        cli_contexts.first(every, chosen, None, "https://FAR.example/"),
        cli_contexts.first(every, chosen, "far", None),
        cli_contexts.first(every, chosen, None, "https://other.example"),
    ]

    assert [each.name for each in found] == ["lab", "far", "far", "other.example"]
    assert [each.is_listed for each in found] == [True, True, True, False]
    with pytest.raises(Refusal, match="not the address"):
        cli_contexts.first(every, chosen, None, "far")


def test_a_kind_that_nobody_knows_how_to_open_is_told() -> None:
    context = Context("far", "moon", "the far side")
    opener = cli_opening.Opener(resolve(), (context,), context)

    assert set(cli_opening._OPENERS) <= set(KINDS)
    with pytest.raises(ClientError, match="no cloud with moon can be opened by this version"):
        opener.open(context)


def test_a_folder_that_nobody_serves_would_have_to_be_started(file: Path, tmp_path: Path) -> None:
    contexts = (Context("lab", "data", str(tmp_path)), Context("far", "url", "https://far.example"))
    opener = cli_opening.Opener(resolve(), contexts, contexts[0])

    assert [opener.is_near(each) for each in contexts] == [False, True]


# -------------------------------------------------------------------------------------------------------------- tokens


async def found(**where: Any) -> str:
    return await cli_opening._Tokens(Context("far", "url", "https://far.example", **where)).find()


async def test_a_token_is_what_a_file_holds_now(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    tokens = cli_opening._Tokens(Context("far", "url", "https://far.example", token_file=path))

    assert await tokens.find() == "one"
    path.write_text("two\n# of November\n")
    assert await tokens.find() == "two"


async def test_a_token_is_what_a_program_prints_which_is_not_run_each_time(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script = tmp_path / "tell"
    script.write_text(f"#!/bin/sh\necho run >> {runs}\necho a-token\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    tokens = cli_opening._Tokens(Context("far", "url", "https://far.example", token_command=(str(script),)))

    assert [await tokens.find(), await tokens.find()] == ["a-token", "a-token"]
    assert runs.read_text() == "run\n"


async def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATODECK_TOKEN", "of-the-environment")

    assert await found() == "of-the-environment"


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({}, "no token: set clouds.far.token_file or token_command, or STRATODECK_TOKEN"),
        ({"token_file": Path("/nowhere/token")}, "clouds.far.token_file cannot be read: no such file"),
        ({"token_file": Path("/dev/null")}, "clouds.far.token_file holds no token"),
        ({"token_command": ("/nowhere/tell",)}, "clouds.far.token_command cannot be run: no such file"),
        ({"token_command": (sys.executable, "-c", "raise SystemExit(3)")}, "clouds.far.token_command ended with 3"),
        ({"token_command": (sys.executable, "-c", "")}, "clouds.far.token_command printed no token"),
    ],
)
async def test_where_there_is_none_the_setting_is_named(
    where: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRATODECK_TOKEN", raising=False)
    with pytest.raises(ClientError, match=sentence):
        await found(**where)
