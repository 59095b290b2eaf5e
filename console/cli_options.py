"""What the commands of the command line share: how they refuse, and the options that several of them take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

DEFAULT_PORT = 8774
DEFAULT_SEED = 1


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
    envvar="STRATODECK_DATA",
    help="The data folder of the cloud.  [default: the user's data folder; env: STRATODECK_DATA]",
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
    metavar="demo|empty|FILE",
    help="What to make in a folder that holds no cloud; FILE is TOML and describes a fleet.  [default: demo]",
)


def storable(context: click.Context, parameter: click.Parameter, value: int) -> int:
    """A range would be written into every help."""
    if not -(2**63) <= value < 2**63:
        raise click.BadParameter(f"{value} is not an integer of 64 bits.")
    return value


seed_option = click.option(
    "--seed",
    type=int,
    callback=storable,
    default=DEFAULT_SEED,
    show_default=True,
    help="Makes equal demo clouds; counts when one is made.",
)


def chosen_folder(data: Path | None) -> Path:
    """The folder that was named here or before the command's name, else the user's own."""
    given: Path | None = data or click.get_current_context().find_object(Path)
    if given is not None:
        return given.absolute()
    from platformdirs import user_data_path

    return user_data_path("stratodeck", appauthor=False)
