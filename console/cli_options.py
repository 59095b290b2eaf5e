"""What the commands of the command line share: how they refuse, and the options that several of them take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import click

from console import settings
from console.completion import words_or_file
from console.settings import BY_NAME, Settings

DEFAULT_PORT = BY_NAME["serve_port"].default
DEFAULT_SEED = BY_NAME["seed"].default

DRAWS_NOTHING = ("dumb", "unknown")
"""What TERM says of a terminal that a console would only write signs into."""


class Refusal(click.ClickException):
    """Something that was asked for cannot be done: a sentence, and exit status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"stratodeck: {self.format_message()}", file=file, err=file is None)


class Silence(Refusal):
    """The cloud runs and did not answer: exit status 1."""

    exit_code = 1


class Declined(Refusal):
    """The cloud answered that it will not: exit status 1."""

    exit_code = 1


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data folder of the cloud.  [default: the setting `data`, else the user's data folder]",
)


def fleet_file(*words: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """Takes one of the words, or the path of a file, which it makes absolute: a child may run in another folder."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is None or value in words:
            return value
        path = Path.cwd() / value
        # Not Path's own questions: those raise where a folder on the way may not be entered.
        if not os.path.exists(path) or os.path.isdir(path):
            found = "is a folder" if os.path.isdir(path) else "is not there"
            takes = "".join(f"`{word}`, " for word in words) + ("or " if words else "")
            raise Refusal(f"{path} {found}. --cloud takes {takes}a TOML file that describes a fleet.")
        return str(path)

    return convert


cloud_option = click.option(
    "--cloud",
    "kind",
    callback=fleet_file("demo", "empty"),
    shell_complete=words_or_file("demo", "empty"),
    metavar="demo|empty|FILE",
    help="What to make in a folder that holds no cloud; FILE is TOML and describes a fleet.  "
    "[default: the setting `cloud`: demo]",
)


def storable(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    """A range would be written into every help."""
    if value is not None and not -(2**63) <= value < 2**63:
        raise click.BadParameter(f"{value} is not an integer of 64 bits.")
    return value


seed_option = click.option(
    "--seed",
    type=int,
    callback=storable,
    help=f"Makes equal demo clouds; counts when one is made.  [default: the setting `seed`: {DEFAULT_SEED}]",
)


class Given(NamedTuple):
    """The console's own options that were given, by the names of their settings: all that a command after them sees."""

    options: Mapping[str, object]


def _given(options: Mapping[str, object]) -> dict[str, object]:
    """What was given here, and before the command's name. A folder is where it was when it was named."""
    before = click.get_current_context().find_object(Given)
    found = {**({} if before is None else before.options), **{k: v for k, v in options.items() if v is not None}}
    if isinstance(folder := found.get("data"), Path):
        found["data"] = folder.absolute()
    return found


def chosen_settings(**options: object) -> Settings:
    """Every setting as this run is to have it; `options` are by the settings' names, None where not given.

    Raises Refusal for a file or an environment that is wrong.
    """
    try:
        return settings.resolve(_given(options))
    except settings.SettingsProblem as problem:
        raise Refusal(str(problem)) from problem


def chosen_folder(data: Path | None) -> Path:
    """The folder that was named here or before the command's name, else by the settings, else the user's own."""
    named = _given({"data": data}).get("data")
    return named if isinstance(named, Path) else folder_of(chosen_settings())


def folder_of(chosen: Settings) -> Path:
    """The data folder of these settings: the user's own where they name none."""
    if chosen.data is not None:
        return chosen.data
    from platformdirs import user_data_path

    return user_data_path("stratodeck", appauthor=False)


def first_start(chosen: Settings, folder: Path) -> tuple[str | None, float | None]:
    """What a backend is told of the cloud to make, and of its clock.

    An option is what the folder must hold; a setting counts only where there is no cloud yet, or a folder that was
    made as something else could not be opened any more.
    """
    is_new = not os.path.exists(folder / "cloud.db")

    def counts(name: str) -> bool:
        return chosen.is_option(name) or (is_new and chosen.is_chosen(name))

    kind = chosen.cloud if counts("cloud") else None
    if kind not in (None, "demo", "empty") and not chosen.is_option("cloud") and not os.path.isfile(kind):
        raise Refusal(f"{kind} is not there, and the setting `cloud` says to make the cloud from it.")
    return kind, chosen.clock_rate if counts("clock_rate") else None


def problems_of(chosen: settings.Settings) -> list[str]:
    """What is wrong with the keys and the clouds of a file that can be read: those who use them look at them."""
    file = settings.path_of_file()
    found = []
    if chosen.keys:
        from console import keymaps

        try:
            keymaps.make(chosen.keymap, chosen.keys)
        except keymaps.KeymapProblem as problem:
            found.append(f"{file}: keys: {problem}.")
    if chosen.clouds:
        from console import contexts

        try:
            contexts.read(chosen.clouds, file)
        except settings.SettingsProblem as problem:
            found.append(str(problem))
    return found
