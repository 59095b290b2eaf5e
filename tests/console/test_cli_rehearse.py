"""`stratodeck rehearse`: what it prints, and with what status it ends."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from console.cli import _ended_by_hangup
from console.names import SHIPPED
from tests.console.test_cli import refusal, stratodeck
from tests.rehearsing import SMALL, a_text, wrong_scenarios
from tests.strategies import QUICK

WEB = f'do = "create"\nname = "web"\n{SMALL}'


def written(folder: Path, text: str) -> Path:
    (folder / "it.toml").write_text(text)
    return folder / "it.toml"


def test_all_as_expected_ends_with_0_and_the_report(tmp_path: Path) -> None:
    result = stratodeck("rehearse", written(tmp_path, a_text(WEB, expected="stopped_max = 0")))

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "a test"
    assert "All that was expected is so." in result.stdout.splitlines()


def test_an_expectation_that_fails_ends_with_1_and_says_expected_and_found(tmp_path: Path) -> None:
    result = stratodeck("rehearse", written(tmp_path, a_text(WEB, expected='[expected.servers]\nweb = "stopped"')))

    assert (result.exit_code, result.stderr) == (1, "")
    assert "FAILED  server web: expected stopped, found running" in result.stdout.splitlines()
    assert "1 of 2 failed." in result.stdout.splitlines()


def test_json_has_the_report_and_another_seed_is_taken(tmp_path: Path) -> None:
    file = written(tmp_path, a_text(WEB))

    first, second, other = (
        stratodeck("rehearse", file, "--json", *more) for more in ((), (), ("--seed", "9", "--data", tmp_path / "kept"))
    )

    assert first.stdout == second.stdout
    assert json.loads(first.stdout)["is_met"] is True
    assert (json.loads(first.stdout)["seed"], json.loads(other.stdout)["seed"]) == (1, 9)
    assert (tmp_path / "kept" / "cloud.db").exists()


def test_what_comes_with_us_is_listed_and_goes_by_its_name() -> None:
    listed = stratodeck("rehearse", "--list")

    names = [line.split()[0] for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert (listed.exit_code, tuple(names)) == (0, SHIPPED)
    assert stratodeck("rehearse", "host-lost-under-pair").exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('title = "x"', ["lasts is missing", "cloud is missing"]),
        (a_text('do = "explode"', 'do = "drain"'), ["steps[0].do is the string", "steps[1].host is missing"]),
        (a_text('do = "drain"\nhost = "z"'), ['steps[0].host is the string "z", expected one of']),
    ],
)
def test_a_file_that_is_wrong_ends_with_2_and_every_mistake(tmp_path: Path, text: str, told: list[str]) -> None:
    result = stratodeck("rehearse", written(tmp_path, text))

    assert (result.exit_code, result.stdout) == (2, "")
    assert all(words in result.stderr for words in told)
    assert result.stderr.count("expected") == len(told)


def test_no_such_file_is_told_with_where_to_look() -> None:
    sentence = refusal("rehearse", "nowhere.toml")

    assert sentence.rstrip().endswith("`stratodeck rehearse --list` says which come with the product.")


@given(text=wrong_scenarios)
@QUICK.__class__(QUICK, max_examples=25)
def test_whatever_is_wrong_with_a_file_ends_with_2_and_sentences(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    # Its name is no part of what is drawn.
    file = written(tmp_path_factory.mktemp("rehearse"), text + '\nnonsense = "so that it is wrong"\n')

    result = stratodeck("rehearse", file)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file}: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_ends_a_watched_rehearsal_as_leaving_it_does(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    made: list[Path] = []

    def watch() -> None:
        with _ended_by_hangup(), tempfile.TemporaryDirectory() as folder:
            made.append(Path(folder))
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as ended:
        watch()

    assert ended.value.code == 128 + number
    assert not made[0].exists()
    assert signal.getsignal(number) is before
