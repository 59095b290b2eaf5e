"""`web`: the console in a browser of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from console.cli_options import Refusal, chosen_settings, cloud_option, data_option, folder_of

DEFAULT_PORT = 8775


@click.command(short_help="Serve the console to a browser of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
@data_option
@cloud_option
@click.option("--read-only", is_flag=True, help="Nobody who opens it changes anything.")
def web(*, port: int, data: Path | None, kind: str | None, read_only: bool) -> None:
    """Serve the same console to browsers on this machine, and to nobody else.

    Prints the address to open, with a token in it that counts until this ends. Each tab is a console of its own; all of
    them share the cloud of the data folder, as consoles in terminals do. Stops on SIGTERM and Ctrl-C.

    Needs textual-serve: pip install 'stratodeck[web]'.
    """
    try:
        from console import web as serving
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] not in ("aiohttp", "aiohttp_jinja2", "jinja2", "textual_serve"):
            raise
        raise Refusal(
            "The console in a browser needs textual-serve, which is not installed: pip install 'stratodeck[web]'."
        ) from missing
    import asyncio

    folder = folder_of(chosen_settings(data=data))
    command = [sys.executable, "-P", "-m", "console", "--data", str(folder)]
    command += ["--cloud", kind] if kind is not None else []
    command += ["--read-only"] if read_only else []
    try:
        bound = serving.bind(port)
    except OSError as error:
        raise Refusal(f"Cannot listen on {serving.HOST}:{port}: {os.strerror(error.errno or 0).lower()}.") from error
    with bound:
        console = serving.WebConsole(command, bound.getsockname()[1])
        asyncio.run(serving.serve(console, bound, on_answering=lambda: click.echo(f"stratodeck: {console.entrance}")))
