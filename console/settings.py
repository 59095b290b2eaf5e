"""Settings: one table, `SETTINGS`, from which come the checks, `stratodeck settings`, its example, and what help says.

An option of the command line counts before the environment (`STRATODECK_<NAME>`), that before the file, and that before
the default. What is wrong in the environment or the file is a SettingsProblem that names the place, what was found and
what is expected; nothing is started then. A file that is not there is fine.

Light on purpose: every start of the console reads this. TOML is loaded only where there is a file, and named tuples are
made in a fraction of the time that dataclasses take.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from console import names
from console.sanitising import sanitise

PREFIX = "STRATODECK_"
FILE_VARIABLE = "STRATODECK_SETTINGS"
"""Names another file than the one in the user's folder of configuration."""
KEPT_VARIABLE = "STRATODECK_STATE"
"""Names another file for what the console keeps between runs."""

FILE_BYTES_MAX = 2**20
TABLE_SHOWN_MAX = 12
NUMBER_BITS_MAX = 128


class SettingsProblem(Exception):
    """A setting cannot be used. `str()` is a sentence for the person who wrote it."""


class Source(StrEnum):
    """Where a value comes from, the last one first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "option"


class Kind(StrEnum):
    """What a value is."""

    FOLDER = "folder"
    FILE = "file"
    FLEET = "fleet"
    WORD = "word"
    SWITCH = "switch"
    WHOLE = "whole"
    NUMBER = "number"
    KEYS = "keys"
    CLOUDS = "clouds"
    NAME = "name"
    COMMAND = "command"


class Setting(NamedTuple):
    """One line of the table."""

    name: str
    kind: Kind
    default: object
    """None where there is none; `meaning` says then what happens."""
    meaning: str
    option: str | None = None
    """How the command line says it for one run."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    example: object = None
    """What the example file shows where there is no default."""

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper()

    @property
    def expected(self) -> str:
        """What it takes, as the end of a sentence that says what was found."""
        match self.kind:
            case Kind.FOLDER:
                return "the path of a folder, absolute or from ~"
            case Kind.FILE:
                return "the path of a file, absolute or from ~"
            case Kind.FLEET:
                return '"demo", "empty", or the path of a TOML file, absolute or from ~'
            case Kind.WORD:
                *others, last = (f'"{choice}"' for choice in self.choices)
                return f"{', '.join(others)} or {last}"
            case Kind.SWITCH:
                return "true or false"
            case Kind.WHOLE if self.most == 2**63 - 1:
                return "a whole number of 64 bits"
            case Kind.WHOLE:
                return f"a whole number from {self.least:.0f} to {self.most:.0f}"
            case Kind.KEYS:
                return "a table of commands with their keys, in the file only"
            case Kind.CLOUDS:
                return "a table [clouds.NAME] for each cloud, in the file only"
            case Kind.NAME:
                return "a text"
            case Kind.COMMAND:
                return "a program and its arguments, as a list of texts"
            case Kind.NUMBER:
                return f"a number from {self.least:,g} to {self.most:,.0f}"


SETTINGS: tuple[Setting, ...] = (
    Setting("data", Kind.FOLDER, None, "The data folder of the cloud; without one, the user's own.", "--data",
            example="~/clouds/first"),
    Setting("cloud", Kind.FLEET, "demo", "What is made in a data folder that holds no cloud.", "--cloud"),
    Setting("seed", Kind.WHOLE, 1, "Makes equal demo clouds; counts when one is made.", "serve --seed",
            least=-(2**63), most=2**63 - 1),
    Setting("clock_rate", Kind.NUMBER, None, "Simulated seconds in each second of a cloud that is made; without one "
            "its clock is the wall's.", "serve --clock-rate", least=0.001, most=1_000_000, example=60),
    Setting("serve_port", Kind.WHOLE, 8774, "The TCP port of `stratodeck serve`; 0 takes a free one.", "serve --port",
            least=0, most=65535),
    Setting("log", Kind.WORD, "problems", "What a backend logs, as JSON: on standard error, or in backend.log of the "
            "data folder.", "serve --log", ("none", "problems", "requests")),
    Setting("palette", Kind.WORD, "dark", "The colours of the console.", "--palette", names.PALETTES),
    Setting("ascii", Kind.SWITCH, False, "Draw with ASCII characters only.", "--ascii/--unicode"),
    Setting("landing_view", Kind.WORD, "overview", "The view that the console opens with.", "--view", names.VIEWS),
    Setting("read_only", Kind.SWITCH, False, "Refuse to change anything from the console.",
            "--read-only/--read-write"),
    Setting("confirm_all", Kind.SWITCH, False, "Ask also before a verb that its opposite undoes (tier 1)."),
    Setting("undo_seconds", Kind.NUMBER, 10.0, "How long `u` takes back a verb that can be taken back, before it is "
            "sent; 0 sends at once.", least=0, most=300),
    Setting("export_folder", Kind.FOLDER, None, "Where E writes files; without one, where the console was started.",
            example="~/exports"),
    Setting("keymap", Kind.WORD, "default", "Which keys ask for what; k9s has that program's.", "--keymap",
            names.KEYMAPS),
    Setting("keys", Kind.KEYS, None, "Keys of your own in place of the keymap's.", example={"filter": "ctrl+g"}),
    Setting("clouds", Kind.CLOUDS, None, "The clouds that C and --context open; `stratodeck contexts` explains them.",
            "--context", example={"lab": {"data": "~/clouds/lab", "colour": "green"}}),
    Setting("record", Kind.SWITCH, False, "Write down what is seen of clouds that keep no log themselves, so that T "
            "shows it later; it lies in your folder of state."),
    Setting("record_megabytes", Kind.WHOLE, 100, "How much of one cloud is kept; the oldest goes first.", least=1,
            most=10_000),
    Setting("refresh_seconds", Kind.NUMBER, 1.0, "How often the console asks for what the feed does not tell.",
            least=0.2, most=2),
    Setting("requests_per_minute", Kind.WHOLE, 30, "The most that an OpenStack of --os-cloud is asked in a minute; "
            "what you ask for by a key is not held back.", least=6, most=600),
)  # fmt: skip

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


class Settings(NamedTuple):
    """A value for each setting, by the setting's name, and where each comes from."""

    data: Path | None
    cloud: str
    seed: int
    clock_rate: float | None
    serve_port: int
    log: str
    palette: str
    ascii: bool
    landing_view: str
    read_only: bool
    confirm_all: bool
    undo_seconds: float
    export_folder: Path | None
    keymap: str
    keys: Mapping[str, object] | None
    clouds: Mapping[str, object] | None
    record: bool
    record_megabytes: int
    refresh_seconds: float
    requests_per_minute: int
    sources: Mapping[str, Source]

    def is_chosen(self, name: str) -> bool:
        """Whether anybody chose the value, rather than its being the default."""
        return self.sources[name] is not Source.DEFAULT

    def is_option(self, name: str) -> bool:
        """Whether the value was given on the command line, for this run."""
        return self.sources[name] is Source.OPTION


def path_of_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the file is, or would be."""
    if named := environment.get(FILE_VARIABLE):
        return Path(named).expanduser().absolute()
    from platformdirs import user_config_path

    return user_config_path("stratodeck", appauthor=False) / "settings.toml"


def path_of_kept(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the console keeps chosen columns, bookmarks and typed lines: beside nothing else of this program."""
    if named := environment.get(KEPT_VARIABLE):
        return Path(named).expanduser().absolute()
    from platformdirs import user_state_path

    return user_state_path("stratodeck", appauthor=False) / "console.json"


def resolve(options: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Every setting's value: from `options` (checked already, None: not given), the environment, the file, or default.

    Raises:
        SettingsProblem: the file cannot be read, or it or the environment holds something that is no setting.
    """
    values: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}
    sources = dict.fromkeys(values, Source.DEFAULT)

    def take(name: str, value: object, source: Source) -> None:
        values[name], sources[name] = value, source

    path = path_of_file(environment)
    for name, value in _read(path).items():
        if name not in BY_NAME:
            raise SettingsProblem(f"{path}: {_unknown(name)}")
        take(name, checked(BY_NAME[name], value, f"{path}: {name}"), Source.FILE)
    for setting in SETTINGS:
        # An empty variable is as good as none, as for most programs.
        if text := environment.get(setting.variable):
            value = checked(setting, _typed(setting, text), setting.variable, Path.cwd())
            take(setting.name, value, Source.ENVIRONMENT)
    for name, value in (options or {}).items():
        if value is not None:
            take(name, value, Source.OPTION)
    return Settings(**values, sources=sources)


# ------------------------------------------------------------------------------------------------- reading, checking


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsProblem(f"{path}: it cannot be read: {(error.strerror or str(error)).lower()}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise SettingsProblem(f"{path}: it is larger than a mebibyte; settings are a few lines of TOML.")
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise SettingsProblem(f"{path}: it is not UTF-8 from byte {error.start} on, and TOML must be.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsProblem(f"{path}: it is not TOML: {sanitise(str(error))}.") from error
    except ValueError as error:
        raise SettingsProblem(f"{path}: a number in it has too many digits; no setting takes one.") from error
    except RecursionError as error:
        raise SettingsProblem(f"{path}: it is nested too deeply; settings are a few lines of TOML.") from error


def _unknown(name: str) -> str:
    if name == "production":
        return (
            'production belongs to a cloud: [clouds.NAME] with its url = "..." or data = "...", and production = true.'
        )
    return f"{shown(name)[1:-1]} is not a setting; {meant(name, BY_NAME)}"


def meant(name: str, known: Iterable[str]) -> str:
    """What was perhaps meant by a name that there is not; else what there is. The end of a sentence."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name.lower().replace("-", "_"), names, 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."


_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _typed(setting: Setting, text: str) -> object:
    """What a text of the environment would be in TOML; the text itself where it is nothing of the kind."""
    try:
        match setting.kind:
            case Kind.SWITCH:
                return _SWITCHES.get(text.lower(), text)
            case Kind.WHOLE:
                return int(text)
            case Kind.NUMBER:
                return float(text)
    except ValueError:
        pass
    return text


def checked(setting: Setting, value: object, place: str, base: Path | None = None) -> object:
    """The value as the console takes it. `base` is what a relative path begins at; the file has none.

    Raises SettingsProblem, which names `place`.
    """
    match setting.kind, value:
        case Kind.WORD, str() if value in setting.choices:
            return value
        case Kind.FLEET, "demo" | "empty":
            return value
        case Kind.FOLDER | Kind.FILE | Kind.FLEET, str():
            path = _path(value, base)
            if path is not None:
                return str(path) if setting.kind is Kind.FLEET else path
        case Kind.SWITCH, bool():
            return value
        case Kind.KEYS | Kind.CLOUDS, dict():
            # Which commands and keys, or kinds of clouds, there are is known where they are.
            return value
        case Kind.NAME, str() if value.strip() and value == sanitise(value):
            return value
        case Kind.COMMAND, list() if value and all(isinstance(each, str) and "\0" not in each for each in value):
            return tuple(value)
        case Kind.WHOLE, int() if not isinstance(value, bool) and _is_within(setting, value):
            return value
        case Kind.NUMBER, int() | float() if not isinstance(value, bool) and _is_within(setting, value):
            return float(value)
    raise SettingsProblem(f"{place} is {shown(value)}; it takes {setting.expected}.")


def _path(text: str, base: Path | None) -> Path | None:
    if not text.strip() or "\0" in text:
        return None
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        return None
    if not path.is_absolute():
        return None if base is None else base / path
    return path


def _is_within(setting: Setting, value: float) -> bool:
    return (setting.least is None or value >= setting.least) and (setting.most is None or value <= setting.most)


# ------------------------------------------------------------------------------------------------- saying what there is


def shown(value: object) -> str:
    """A value as TOML writes it; what is no plain value by its kind. Long texts are cut, hostile ones harmless."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > NUMBER_BITS_MAX:
            # Python refuses to write out one of many thousand digits, and it would help nobody.
            return "a number far too large"
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case str() | Path():
            text = sanitise(str(value)).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text if len(text) <= 120 else text[:119] + "…"}"'
        case tuple():
            return f"[{', '.join(map(shown, value))}]"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return sanitise(str(value))


def _listed(setting: Setting, value: object) -> str:
    """A value as `shown`; a table with what is in it."""
    if not isinstance(value, dict):
        return shown(value)
    keys = list(value.items())[:TABLE_SHOWN_MAX]
    lines = ", ".join(f"{shown(name)} = {_entry(setting, each)}" for name, each in keys)
    return f"{{ {lines}{' …' if len(value) > TABLE_SHOWN_MAX else ''} }}"


def _entry(setting: Setting, value: object) -> str:
    """What stands behind a name in a table: a cloud is a table, the keys of a command are a list."""
    if setting.kind is Kind.CLOUDS:
        return _listed(setting, value)
    return f"[{', '.join(map(shown, value if isinstance(value, list) else [value]))}]"


def listing(settings: Settings, path: Path, data_folder: Path) -> list[str]:
    """Each setting with its value, where that comes from, and what it means. `data_folder` is what `data` leads to."""
    there = "" if path.exists() else " (not there; `stratodeck settings --example` prints one)"
    lines = [
        f"Settings file: {sanitise(str(path))}{there}",
        f"An option counts before the environment ({PREFIX}<NAME>), and that before the file.",
    ]
    for setting in SETTINGS:
        value = data_folder if setting.name == "data" else getattr(settings, setting.name)
        option = "" if setting.option is None else f" Option: {setting.option}."
        lines += [
            "",
            f"{setting.name} = {_listed(setting, value)}  ({settings.sources[setting.name]})",
            f"    {setting.meaning}",
            f"    Takes {setting.expected}; default: {shown(setting.default)}.{option}",
        ]
    return lines


def example(path: Path) -> list[str]:
    """A file with every setting in it, each as a comment."""
    lines = [
        f"# Settings of Stratodeck. This file belongs in {sanitise(str(path))}",
        f"# An option of the command line counts before the environment ({PREFIX}<NAME>), and that before this file.",
    ]
    for setting in SETTINGS:
        value = setting.example if setting.default is None else setting.default
        lines += [
            "",
            f"# {setting.meaning}",
            f"# Takes {setting.expected}.",
            f"# {setting.name} = {_listed(setting, value)}",
        ]
    return lines
