"""Completion: what a tab brings, asked of click directly and typed into real shells."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from console.cli import main
from console.completion import SHELLS, VARIABLE
from tests.backend.processes import DEADLINE_SECONDS, ROOT, child
from tests.console.test_cli import stratodeck
from tests.terminal import terminal


def answers(line: str) -> list[str]:
    """What click answers the bash script when tab is pressed at the end of this line."""
    words = line.split(" ")
    asked = {VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return CliRunner().invoke(main, [], prog_name="stratodeck", env=asked).stdout.split()


def plain(line: str) -> list[str]:
    return [each.removeprefix("plain,") for each in answers(line)]


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder whose `stratodeck` is the one of this tree."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "stratodeck"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m console "$@"\n'
    )
    program.chmod(0o755)
    return folder


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    with child(tmp_path / "data") as backend:
        backend.until("ready")
        yield tmp_path / "data"


# What is answered


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_and_every_option_of_each_is_completed() -> None:
    for path, command in commands(main):
        line = " ".join(("stratodeck", *path))
        if isinstance(command, click.Group):
            assert plain(f"{line} ") == sorted(command.commands)
        options = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
        assert {name for name in options if name.startswith("--")} <= set(plain(f"{line} --"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("stratodeck --palette ", ["plain,dark", "plain,light", "plain,contrast", "plain,contrast-light"]),
        ("stratodeck --view ho", ["plain,hosts"]),
        ("stratodeck host e", ["plain,evacuate"]),
        ("stratodeck env ", ["plain,curl", "plain,cloudsigma", "plain,openstack", "plain,waldur"]),
        ("stratodeck serve --clock ", ["plain,manual"]),
        ("stratodeck --cloud e", ["plain,empty"]),
        ("stratodeck --cloud ./fl", ["file,./fl"]),
        ("stratodeck replay az", ["plain,azure-2017"]),
        ("stratodeck replay my", ["file,my"]),
        ("stratodeck replay --cloud fl", ["file,fl"]),
        ("stratodeck cloud export -o fl", ["file,fl"]),
        ("stratodeck --data fo", ["dir,fo"]),
        ("stratodeck serve --data fo", ["dir,fo"]),
    ],
)
def test_values_are_words_files_or_folders(line: str, found: list[str]) -> None:
    assert answers(line) == found


@pytest.mark.parametrize("line", ["stratodeck --data {} host fail c1", "stratodeck host --data {} fail c1"])
def test_names_are_those_of_the_running_cloud_unless_a_shell_would_act_on_them(running: Path, line: str) -> None:
    assert plain(line.format(running)) == ["c1-h01", "c1-h02"]


def test_without_a_cloud_or_with_wrong_settings_there_are_no_names_and_no_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plain(f"stratodeck --data {tmp_path} host fail ") == []
    assert plain("stratodeck --data ~nobody-is-this host fail ") == []

    (tmp_path / "settings.toml").write_text("palete = 1")
    monkeypatch.setenv("STRATODECK_SETTINGS", str(tmp_path / "settings.toml"))
    assert plain("stratodeck host fail ") == []


def test_an_unknown_shell_is_told_which_there_are() -> None:
    result = stratodeck("completion", "tcsh")

    assert (result.exit_code, result.stdout) == (2, "")
    assert all(shell in result.stderr for shell in SHELLS)


# In real shells


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_good_syntax(shell: str) -> None:
    script = stratodeck("completion", shell)
    assert (script.exit_code, script.stderr) == (0, "")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")

    checked = subprocess.run([program, "-n"], input=script.stdout, capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def in_bash(folder: Path, *words: str) -> list[str]:
    """What bash would offer for these words, the last one being typed."""
    program = (
        'eval "$(stratodeck completion bash)"\n'
        f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
        "_stratodeck_completion stratodeck\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_offers_commands_options_choices_and_names(bin_folder: Path, running: Path) -> None:
    assert in_bash(bin_folder, "stratodeck", "comp") == ["completion"]
    assert in_bash(bin_folder, "stratodeck", "host", "recover", "--pre") == ["--preview"]
    assert in_bash(bin_folder, "stratodeck", "cell", "h") == ["hung"]
    assert in_bash(bin_folder, "stratodeck", "--data", str(running), "host", "fail", "c1") == ["c1-h01", "c1-h02"]


INTERACTIVE = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(stratodeck completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -Uz compinit && compinit -D; eval "$(stratodeck completion zsh)"'),
    "fish": (["--no-config", "-i"], "stratodeck completion fish | source"),
}

WITH_A_TERMINAL = (
    "import fcntl, os, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\nos.execv(sys.argv[1], sys.argv[1:])\n"
)
"""A shell wants the terminal to be its own, for its jobs."""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_completes_commands_choices_and_files(shell: str, bin_folder: Path, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "fleet-of-mine.toml").touch()
    options, setup = INTERACTIVE[shell]
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PS1": "> ", "HOME": str(tmp_path)}
    command = (sys.executable, "-c", WITH_A_TERMINAL, program, *options)

    with terminal(command=command, environment=environment) as on:
        on.type(f"cd {tmp_path}; {setup}; echo rea''dy\r")
        on.wait("ready")
        on.type("stratodeck ho\t")
        on.wait("stratodeck host")
        on.type("evac\t")
        on.wait("stratodeck host evacuate")
        on.type("\x15stratodeck --cloud fl\t")
        on.wait("stratodeck --cloud fleet-of-mine.toml")
