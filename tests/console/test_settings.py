"""The table of settings: where a value comes from, what is refused and how, and that each one is honoured."""

from __future__ import annotations

import inspect
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import folder
from console import cli, commands, names, settings
from console.app import ConsoleApp
from console.cli import main
from console.cli_options import Refusal, first_start
from console.screens.feed import POLL_SECONDS
from console.settings import SETTINGS, Kind, Settings, SettingsProblem, Source, resolve, shown
from tests.backend.processes import Process
from tests.console.test_cli import refusal, stratodeck
from tests.terminal import terminal


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of this test, which is not there yet."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("STRATODECK_SETTINGS", str(path))
    return path


def found(text: str, environment: Mapping[str, str] | None = None, *, path: Path, **options: object) -> Settings:
    path.write_text(text)
    return resolve(options, {"STRATODECK_SETTINGS": str(path), **(environment or {})})


def problem(text: str, environment: Mapping[str, str] | None = None, *, path: Path) -> str:
    """What is said of a file or an environment that is wrong, with the file's path as FILE."""
    with pytest.raises(SettingsProblem) as raised:
        found(text, environment, path=path)
    return str(raised.value).replace(str(path), "FILE")


# The table


def test_every_setting_of_the_table_is_a_field_and_has_a_meaning() -> None:
    fields = set(Settings._fields) - {"sources"}

    assert {setting.name for setting in SETTINGS} == fields
    assert all(re.fullmatch(r"[A-Z].*\.", setting.meaning) for setting in SETTINGS)


def test_the_options_that_the_table_names_are_those_of_the_command_line() -> None:
    for setting in SETTINGS:
        if setting.option is not None:
            *words, option = setting.option.split()
            command: Any = main.commands[words[0]] if words else main
            names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            assert set(option.split("/")) <= names


def test_views_palettes_and_defaults_are_those_of_the_console(tmp_path: Path) -> None:
    defaults = found("", path=tmp_path / "s")

    assert settings.BY_NAME["palette"].choices == names.PALETTES
    assert settings.BY_NAME["landing_view"].choices == commands.VIEWS
    assert defaults.refresh_seconds == POLL_SECONDS
    console = inspect.signature(ConsoleApp).parameters
    assert console["palette"].default == defaults.palette
    assert console["landing_view"].default == defaults.landing_view


# Where a value comes from


def test_an_option_counts_before_the_environment_that_before_the_file_and_that_before_the_default(
    tmp_path: Path,
) -> None:
    path, text, environment = tmp_path / "s", 'palette = "light"', {"STRATODECK_PALETTE": "contrast"}

    assert found("", path=path).palette == "dark"
    assert found(text, path=path).palette == "light"
    assert found(text, environment, path=path).palette == "contrast"
    assert found(text, environment, path=path, palette="dark").palette == "dark"
    assert found(text, environment, path=path, palette="dark").sources["palette"] is Source.OPTION
    assert found(text, environment, path=path, palette=None).sources["palette"] is Source.ENVIRONMENT


def test_a_file_that_is_not_there_and_an_empty_variable_are_as_good_as_none(tmp_path: Path) -> None:
    environment = {"STRATODECK_SETTINGS": str(tmp_path / "none" / "s"), "STRATODECK_PALETTE": ""}

    assert set(resolve({}, environment).sources.values()) == {Source.DEFAULT}


@pytest.mark.parametrize(
    ("name", "toml", "text", "value"),
    [
        ("data", '"/srv/cloud"', "/srv/cloud", Path("/srv/cloud")),
        ("data", '"~/cloud"', "~/cloud", Path.home() / "cloud"),
        ("cloud", '"empty"', "empty", "empty"),
        ("cloud", '"~/fleet.toml"', "~/fleet.toml", str(Path.home() / "fleet.toml")),
        ("seed", "-7", "-7", -7),
        ("clock_rate", "60", "60", 60.0),
        ("serve_port", "0", "0", 0),
        ("palette", '"contrast"', "contrast", "contrast"),
        ("ascii", "true", "yes", True),
        ("read_only", "false", "off", False),
        ("confirm_all", "true", "1", True),
        ("landing_view", '"hosts"', "hosts", "hosts"),
        ("refresh_seconds", "0.5", "0.5", 0.5),
        ("undo_seconds", "0", "0", 0.0),
    ],
)
def test_the_file_and_the_environment_say_the_same(
    tmp_path: Path, name: str, toml: str, text: str, value: object
) -> None:
    path = tmp_path / "s"

    assert getattr(found(f"{name} = {toml}", path=path), name) == value
    assert getattr(found("", {f"STRATODECK_{name.upper()}": text}, path=path), name) == value


def test_a_relative_path_of_the_environment_begins_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert found("", {"STRATODECK_DATA": "here"}, path=tmp_path / "s").data == tmp_path / "here"


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("palete = 1", "FILE: palete is not a setting; did you mean palette?"),
        ("Landing-View = 1", "FILE: Landing-View is not a setting; did you mean landing_view?"),
        ("[console]\nx = 1", f"FILE: console is not a setting; there are {', '.join(settings.BY_NAME)}."),
        ('"\\u001b[2J" = 1', f"FILE: ·[2J is not a setting; there are {', '.join(settings.BY_NAME)}."),
        ('palette = "blue"', 'FILE: palette is "blue"; it takes "dark", "light", "contrast" or "contrast-light".'),
        ("palette = true", 'FILE: palette is true; it takes "dark", "light", "contrast" or "contrast-light".'),
        ("keys = 3", "FILE: keys is 3; it takes a table of commands with their keys, in the file only."),
        ('keymap = "vi"', 'FILE: keymap is "vi"; it takes "default" or "k9s".'),
        ('palette = ["dark"]', 'FILE: palette is a list; it takes "dark", "light", "contrast" or "contrast-light".'),
        (
            "palette = 2026-01-01",
            'FILE: palette is 2026-01-01; it takes "dark", "light", "contrast" or "contrast-light".',
        ),
        ('ascii = "true"', 'FILE: ascii is "true"; it takes true or false.'),
        ("ascii = 1", "FILE: ascii is 1; it takes true or false."),
        ("[ascii]", "FILE: ascii is a table; it takes true or false."),
        ("seed = 9223372036854775808", "FILE: seed is 9223372036854775808; it takes a whole number of 64 bits."),
        ("seed = 1.0", "FILE: seed is 1; it takes a whole number of 64 bits."),
        ("serve_port = 65536", "FILE: serve_port is 65536; it takes a whole number from 0 to 65535."),
        ("serve_port = true", "FILE: serve_port is true; it takes a whole number from 0 to 65535."),
        ("refresh_seconds = 0", "FILE: refresh_seconds is 0; it takes a number from 0.2 to 2."),
        ("refresh_seconds = nan", "FILE: refresh_seconds is nan; it takes a number from 0.2 to 2."),
        ("clock_rate = inf", "FILE: clock_rate is inf; it takes a number from 0.001 to 1,000,000."),
        ('data = "here"', 'FILE: data is "here"; it takes the path of a folder, absolute or from ~.'),
        ('data = ""', 'FILE: data is ""; it takes the path of a folder, absolute or from ~.'),
        ('data = "~nobody-is-this/x"', 'FILE: data is "~nobody-is-this/x"; it takes the path of a folder, absolu'),
        ('cloud = "x.toml"', 'FILE: cloud is "x.toml"; it takes "demo", "empty", or the path of a TOML file, absol'),
        ("palette =", "FILE: it is not TOML: Invalid value (at end of document)."),
        ("palette = 'dark'\npalette = 'dark'", "FILE: it is not TOML: Cannot overwrite a value"),
        ("#" * (2**20 + 1), "FILE: it is larger than a mebibyte; settings are a few lines of TOML."),
    ],
)
def test_a_wrong_file_is_a_sentence_that_names_the_key_what_was_found_and_what_is_expected(
    tmp_path: Path, text: str, said: str
) -> None:
    assert problem(text, path=tmp_path / "s").startswith(said)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("PALETTE", "blue", 'STRATODECK_PALETTE is "blue"; it takes "dark", "light", "contrast" or "contrast-light".'),
        ("ASCII", "maybe", 'STRATODECK_ASCII is "maybe"; it takes true or false.'),
        ("SEED", "x", 'STRATODECK_SEED is "x"; it takes a whole number of 64 bits.'),
        ("REFRESH_SECONDS", "9", "STRATODECK_REFRESH_SECONDS is 9; it takes a number from 0.2 to 2."),
    ],
)
def test_a_wrong_variable_is_a_sentence_too(tmp_path: Path, variable: str, text: str, said: str) -> None:
    assert problem("", {f"STRATODECK_{variable}": text}, path=tmp_path / "s") == said


def test_a_file_that_is_no_text_or_no_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")

    with pytest.raises(SettingsProblem, match="not UTF-8 from byte 0 on"):
        resolve({}, {"STRATODECK_SETTINGS": str(tmp_path / "bytes")})
    with pytest.raises(SettingsProblem, match=f"{tmp_path}: it cannot be read: is a directory"):
        resolve({}, {"STRATODECK_SETTINGS": str(tmp_path)})


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(SETTINGS), VALUES)
def test_whatever_a_value_is_it_is_taken_or_refused_in_one_printable_line(
    setting: settings.Setting, value: object
) -> None:
    said = ""
    try:
        taken = settings.checked(setting, value, "here")
    except SettingsProblem as refused:
        said = str(refused)
    else:
        # A path that begins with ~ is the only thing that is not taken as it is.
        assert taken == value or setting.kind in (Kind.FOLDER, Kind.FLEET)
    assert said.isprintable()


# What is said of them


def test_the_example_is_a_good_file_also_with_every_comment_taken_away(tmp_path: Path) -> None:
    example = "\n".join(settings.example(tmp_path / "s"))
    bare = re.sub(r"^# (?=[a-z_]+ = )", "", example, flags=re.MULTILINE)

    assert tomllib.loads(example) == {}
    assert list(tomllib.loads(bare)) == [setting.name for setting in SETTINGS]
    assert set(found(bare, path=tmp_path / "s").sources.values()) == {Source.FILE}


def test_the_listing_says_each_value_where_it_comes_from_and_what_it_means(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('palette = "light"\nseed = 3')
    monkeypatch.setenv("STRATODECK_ASCII", "true")

    said = stratodeck("--view", "hosts", "settings", "--data", file.parent).stdout

    assert said.startswith(f"Settings file: {file}\n")
    for line in (
        'palette = "light"  (file)', "seed = 3  (file)", "ascii = true  (environment)",
        'landing_view = "hosts"  (option)', f'data = "{file.parent}"  (option)', 'cloud = "demo"  (default)',
    ):  # fmt: skip
        assert f"\n{line}\n" in said
    assert all(setting.meaning in said for setting in SETTINGS)


def test_the_listing_of_a_file_whose_keys_and_clouds_cannot_be_says_both_and_ends_with_1(file: Path) -> None:
    file.write_text('keymap = "k9s"\n[keys]\nstop = "s"\n[clouds.prod]\nwhere = "x"\n')

    said = stratodeck("settings")

    assert said.exit_code == 1
    assert '\nkeymap = "k9s"  (file)\n' in said.stdout
    keys, clouds = said.stderr.splitlines()
    assert keys.startswith(f"stratodeck: {file}: keys: stop is not a command")
    assert "clouds.prod" in clouds


def test_help_says_where_the_settings_are_and_which_there_are(file: Path) -> None:
    said = "".join(stratodeck("--help").stdout.split())

    assert f"In{file},orasSTRATODECK_<NAME>" in said
    assert ",".join(setting.name for setting in SETTINGS) in said


@pytest.mark.parametrize("value", ["dark", 'a"b\\c', "x\x1b"])
def test_a_text_is_shown_as_toml_reads_it(value: str) -> None:
    assert tomllib.loads(f"x = {shown(value)}")["x"] == value.replace("\x1b", "·")


# What honours them


@pytest.mark.parametrize("arguments", [["settings"], ["serve", "--port", "0"], ["env", "curl"], ["cell", "up", "x"]])
def test_a_wrong_file_starts_nothing(file: Path, arguments: list[str]) -> None:
    file.write_text("palete = 1")

    assert refusal(*arguments) == f"stratodeck: {file}: palete is not a setting; did you mean palette?\n"


def test_the_data_folder_of_the_settings_is_where_a_running_cloud_is_looked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('data = "/srv/nowhere"')

    assert "No cloud is running in /srv/nowhere:" in refusal("env", "curl")
    monkeypatch.setenv("STRATODECK_DATA", "/srv/elsewhere")
    assert "No cloud is running in /srv/elsewhere:" in refusal("env", "curl")
    assert "No cloud is running in /srv/here:" in refusal("--data", "/srv/here", "env", "curl")


def test_what_the_settings_say_of_looks_is_what_the_console_is_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'palette = "light"\nascii = true\nread_only = true\nconfirm_all = true\nrefresh_seconds = 0.5\n'
    text += 'landing_view = "cells"\nkeymap = "k9s"\nexport_folder = "/srv/out"\n'
    monkeypatch.setenv("STRATODECK_STATE", str(tmp_path / "state.json"))
    looks = cli._looks(found(text + '[keys]\nfilter = "ctrl+g"', path=tmp_path / "s"))

    keymap, keeper = looks.pop("keymap"), looks.pop("keeper")
    assert keymap.for_key("servers", "ctrl+d").id == "delete"
    assert keeper.problem == ""
    assert looks == {
        "palette": "light", "is_ascii": True, "is_read_only": True, "confirms_all": True, "poll_seconds": 0.5,
        "landing_view": "cells", "undo_seconds": 10.0, "export_folder": Path("/srv/out"),
        "recordings": None,
    }  # fmt: skip
    assert {*looks, "keymap", "keeper"} <= set(inspect.signature(ConsoleApp).parameters)


@pytest.mark.parametrize(
    ("is_option", "holds_a_cloud", "told"),
    [(False, False, ("empty", 60.0)), (False, True, (None, None)), (True, True, ("empty", 60.0))],
)
def test_what_a_setting_makes_counts_only_where_there_is_no_cloud_and_an_option_always(
    tmp_path: Path, is_option: bool, holds_a_cloud: bool, told: tuple[str | None, float | None]
) -> None:
    if holds_a_cloud:
        (tmp_path / "cloud.db").touch()
    (tmp_path / "s").write_text("" if is_option else 'cloud = "empty"\nclock_rate = 60')
    options = {"cloud": "empty", "clock_rate": 60.0} if is_option else {}

    assert first_start(resolve(options, {"STRATODECK_SETTINGS": str(tmp_path / "s")}), tmp_path) == told


def test_defaults_tell_a_backend_nothing(tmp_path: Path) -> None:
    assert first_start(found("", path=tmp_path / "s"), tmp_path) == (None, None)


def test_serve_listens_where_the_settings_say_and_an_option_says_otherwise(file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(f'cloud = "empty"\nserve_port = {port}\ndata = "{tmp_path / "d"}"')

        # A port that is taken already tells which port it wanted, without a cloud being made.
        assert str(port) in refusal("serve")
    with Process("serve", "--port", "0", module="console") as serving:
        assert serving.line().startswith("stratodeck: serving http://127.0.0.1:")
        found_running = folder.find_running(tmp_path / "d")
        assert found_running is not None
        assert found_running.kind == "empty"


def test_a_fleet_that_is_not_there_is_no_cloud_to_make(file: Path, tmp_path: Path) -> None:
    file.write_text('cloud = "/srv/fleet.toml"')

    said = refusal("serve", "--port", "0", "--data", tmp_path / "d")

    assert said == "stratodeck: /srv/fleet.toml is not there, and the setting `cloud` says to make the cloud from it.\n"
    assert not (tmp_path / "d").exists()


def test_the_console_opens_as_its_settings_say_and_options_say_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        f'data = "{tmp_path / "d"}"\ncloud = "empty"\nclock_rate = 60\nlanding_view = "hosts"\nascii = true\n'
        "read_only = true\n"
    )
    environment = {"STRATODECK_SETTINGS": str(file)}

    with terminal(environment=environment) as on:
        text = on.wait("hosts", "c1-h", "x60")
        assert text.isascii()
        on.type("x")
        on.wait("read-only")
        on.press("escape")
        on.wait("c1-h", without=("read-only",))
        on.type(":q\r")
        assert on.wait_for_end() == 0

    # A second start with another setting for what is made: the cloud that is there is opened as it is.
    file.write_text(file.read_text().replace('"empty"', '"demo"'))
    with terminal("--view", "cells", "--unicode", environment=environment) as on:
        text = on.wait("cells", "cell-1")
        assert not text.isascii()
        on.type(":q\r")
        assert on.wait_for_end() == 0


def test_keys_of_ones_own_are_listed_and_come_from_the_file_only(tmp_path: Path) -> None:
    chosen = found('[keys]\nfilter = ["ctrl+g", "/"]\nraw = "J"', path=tmp_path / "s")

    lines = "\n".join(settings.listing(chosen, tmp_path / "s", tmp_path))
    assert 'keys = { "filter" = ["ctrl+g", "/"], "raw" = ["J"] }  (file)' in lines
    with pytest.raises(SettingsProblem, match='STRATODECK_KEYS is "filter=x"; it takes a table'):
        resolve({}, {"STRATODECK_SETTINGS": str(tmp_path / "none"), "STRATODECK_KEYS": "filter=x"})


def test_what_is_kept_lies_where_people_expect_it_or_where_it_is_said_to() -> None:
    assert settings.path_of_kept({}).name == "console.json"
    assert settings.path_of_kept({"STRATODECK_STATE": "/srv/kept"}) == Path("/srv/kept")


def test_keys_that_clash_are_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATODECK_STATE", str(tmp_path / "state.json"))
    chosen = found('[keys]\nbookmark = "E"', path=tmp_path / "s")

    with pytest.raises(Refusal, match="keys: E would be both bookmark and export in overview, servers, drives and"):
        cli._looks(chosen)
