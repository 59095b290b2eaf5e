"""`data`: a whole cloud as one file, and back; nothing of it needs a running backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli_options import Refusal, chosen_folder, data_option

if TYPE_CHECKING:
    from backend.archive import Manifest, Progress

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")


@click.group("data")
def data_group() -> None:
    """A whole cloud as one file."""


@data_group.command(short_help="Write a whole cloud to a file, while it runs or rests.")
@_file
@click.option("--replace", is_flag=True, help="Replace FILE if it is there.")
@data_option
def export(file: Path, replace: bool, data: Path | None) -> None:
    """Write a whole cloud to FILE, with everything as it was at one instant, whether it is open or rests.

    A cloud that runs goes on, and is not held up. Secrets of the folder are left out: a copy makes new ones. Console
    passwords of servers and the like are in it, so only you can read FILE.

    A cell that is kept from answering is taken as it lies. Where one cannot be read, it is left out; where one is older
    than what was acknowledged, it is taken all the same. All of that is said, and the exit status is 1 if FILE is not
    whole.
    """
    from backend import archive
    from backend.clock import system_wall
    from backend.store import FolderError

    path = chosen_folder(data)
    try:
        with _progress() as told:
            manifest = archive.export(path, file, now=system_wall(), replaces=replace, progress=told)
    except (archive.ArchiveProblem, FolderError) as problem:
        raise Refusal(str(problem)) from problem
    _say(manifest, f"Exported to {file}")


@data_group.command("import", short_help="Make the cloud of an exported file in a folder.")
@_file
@data_option
def import_(file: Path, data: Path | None) -> None:
    """Make the cloud of an exported FILE in a folder that holds nothing.

    It is the same cloud, with the same id and history, and goes its own way from here. Its secrets are made anew at its
    first start. Where FILE is damaged, is no export, or was written by a newer version, the folder stays as it is.
    """
    from backend import archive

    path = chosen_folder(data)
    try:
        with _progress() as told:
            manifest = archive.restore(file, path, progress=told)
    except archive.ArchiveProblem as problem:
        raise Refusal(str(problem)) from problem
    _say(manifest, f"Imported to {path}")
    click.echo("Tokens and passwords are new, made at its first start: `stratodeck env` tells them.")


@contextmanager
def _progress() -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return

    def told(what: str, share: float) -> None:
        click.echo(f"\r\x1b[K{what} {share:4.0%}", nl=False, err=True)

    try:
        yield told
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)


def _say(manifest: Manifest, done: str) -> None:
    """What it was. One that is not whole ends with 1."""
    from console.sanitising import clean

    cells = len(manifest.files) - 1
    for note in manifest.notes:
        click.echo(clean(f"stratodeck: {note}."), err=True)
    click.echo(clean(f"{done}: cloud {manifest.cloud_id}, {cells} cells, {manifest.bytes:,} bytes."))
    if not manifest.is_whole:
        raise SystemExit(1)
