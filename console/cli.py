"""The command line. Each command imports what it needs when it runs: `--help` and `serve` load nothing of Textual, the
console nothing of the backend, and completion in a shell answers at once.

    cli           the tree of commands; the console itself, and `serve`
    cli_running   what asks a backend that runs: `env`, `cell`, `host`
    cli_clouds    whole clouds as files and folders: `cloud export`, `replay`
    cli_check     verifying a folder: `check`
    cli_shell     the command line's own: `settings`, `completion`
    cli_options   options that several of them share, and how all of them refuse

These are the only modules of the console that may import the backend. Bad input is one sentence on standard error and
exit status 2; a cloud that did not answer in time, or would not do it, is exit status 1.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from console import cli_check, cli_clouds, cli_running, cli_shell, settings
from console.cli_options import (
    DEFAULT_PORT,
    Given,
    Refusal,
    chosen_settings,
    cloud_option,
    data_option,
    first_start,
    folder_of,
    seed_option,
)
from console.settings import BY_NAME, Settings

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.audit import AuditLog
    from console.client import CloudClient
    from console.launch import Backend
    from console.recording import Recording

DEFAULT_HOST = "127.0.0.1"


class _Main(click.Group):
    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the settings are; asked only for help, because to know the place takes an import."""
        with formatter.section("Settings"):
            formatter.write_text(f"In {settings.path_of_file()}, or as {settings.PREFIX}<NAME> in the environment:")
            formatter.write_text(f"{', '.join(settings.BY_NAME)}. `stratodeck settings` explains them.")


@click.group(
    cls=_Main,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@data_option
@cloud_option
@click.option("--url", metavar="URL", help="Open the cloud that is served at URL instead of an embedded one.")
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="STRATODECK_TOKEN",
    help="Who you are at URL; other users of this machine can read it here, so rather set STRATODECK_TOKEN.",
)
@click.option("--listen", type=click.IntRange(0, 65535), metavar="PORT", help="Serve the cloud on 127.0.0.1:PORT too.")
@click.option("--read-only/--read-write", default=None, help=BY_NAME["read_only"].meaning)
@click.option("--ascii/--unicode", default=None, help=BY_NAME["ascii"].meaning)
@click.option("--palette", type=click.Choice(BY_NAME["palette"].choices), help=BY_NAME["palette"].meaning)
@click.option("--keymap", type=click.Choice(BY_NAME["keymap"].choices), help=BY_NAME["keymap"].meaning)
@click.option(
    "--view",
    "landing_view",
    type=click.Choice(BY_NAME["landing_view"].choices),
    metavar="VIEW",
    help=BY_NAME["landing_view"].meaning,
)
@click.version_option(package_name="stratodeck", prog_name="stratodeck")
@click.pass_context
def main(
    context: click.Context,
    /,
    *,
    kind: str | None,
    url: str | None,
    token: str | None,
    listen: int | None,
    **looks: object,
) -> None:
    """Operate a cloud from the terminal.

    Without a command this opens the console on a simulated cloud that lives in the data folder; the first start fills
    it with a demo. A second console on the same folder attaches to the first one's cloud.

    NO_COLOR is respected.
    """
    context.obj = Given({"cloud": kind, **looks})
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    is_given = {
        name: context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for name in ("data", "kind", "listen", "token")
    }
    if url is not None:
        if is_given["data"] or is_given["kind"] or is_given["listen"]:
            raise click.UsageError(
                "--url opens a cloud that runs elsewhere: --data, --cloud and --listen are not for it."
            )
        _open_console_at(_checked_url(url), token, chosen_settings())
    else:
        if is_given["token"]:
            raise click.UsageError("--token goes with --url; an embedded cloud needs none.")
        _open_console_on(listen, chosen_settings())


def _refuse_misplaced(context: click.Context) -> None:
    """Options of the console before a command would be ignored: say so instead. `settings` shows what they do."""
    for option in context.command.params:
        given = option.name is not None and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        is_seen = option.name == "data" or (
            context.invoked_subcommand == "settings" and option.name not in ("url", "token", "listen")
        )
        if given and not is_seen:
            raise click.UsageError(f"{option.opts[0]} is the console's; options of a command come after its name.")


# -------------------------------------------------------------------------------------------------------- the console


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        raise Refusal(f"{url!r} is not the address of a cloud; it looks like http://127.0.0.1:8774.")
    return url.rstrip("/")


def _refuse_without_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refusal("The console needs a terminal. Without one, `stratodeck serve` serves the same cloud.")


def _open_console_at(url: str, token: str | None, chosen: Settings) -> None:
    if not token:
        raise Refusal("--url needs a token: set STRATODECK_TOKEN, or give --token.")
    _refuse_without_terminal()
    from console.client import connect

    client: CloudClient | None = None
    is_production = _production(chosen, url)

    async def factory() -> CloudClient:
        nonlocal client
        client = client or connect(url=url, token=token, logs=_audit_log, is_production=is_production)
        return client

    app = _console_app()(factory, **_looks(chosen))
    app.run()
    raise SystemExit(app.return_code or 0)


def _open_console_on(listen: int | None, chosen: Settings) -> None:
    _refuse_without_terminal()
    from console import launch

    folder = folder_of(chosen)
    kind, clock_rate = first_start(chosen, folder)
    seed = chosen.seed if chosen.is_chosen("seed") else None
    backend = launch.Backend(launch.command(folder, kind=kind, port=listen, seed=seed, clock_rate=clock_rate))
    console_app = _console_app()
    # Not before: two processes that are loaded at the same time on two cores take longer to the first paint.
    backend.begin()
    try:
        app = console_app(
            client_factory(backend, _production(chosen, str(folder)), folder),
            backend=backend,
            progress=lambda: _progress(backend, app),
            **_looks(chosen),
        )
        app.run()
    finally:
        backend.stop()
    if backend.refusal is not None:
        raise Refusal(backend.refusal)
    raise SystemExit(app.return_code or 0)


def _looks(chosen: Settings) -> dict[str, Any]:
    """What the settings say to the console itself, whatever cloud it opens.

    Raises Refusal for keys that cannot be.
    """
    from console import keymaps
    from console.kept import Keeper

    try:
        keymap = keymaps.make(chosen.keymap, chosen.keys)
    except keymaps.KeymapProblem as problem:
        raise Refusal(f"{settings.path_of_file()}: keys: {problem}.") from problem
    return {
        "keymap": keymap,
        "keeper": Keeper(settings.path_of_kept()),
        "export_folder": chosen.export_folder,
        "is_read_only": chosen.read_only,
        "is_ascii": chosen.ascii,
        "palette": chosen.palette,
        "landing_view": chosen.landing_view,
        "confirms_all": chosen.confirm_all,
        "undo_seconds": chosen.undo_seconds,
        "poll_seconds": chosen.refresh_seconds,
        "recordings": partial(_recording, megabytes=chosen.record_megabytes) if chosen.record else None,
    }


def _recording(cloud_id: str, *, megabytes: int) -> Recording:
    from console.recording import Recording, folder_of_user

    return Recording(folder_of_user(), cloud_id, bytes_max=megabytes * 2**20)


def _production(chosen: Settings, place: str) -> Callable[[str], bool]:
    """Whether the cloud with an id, which is at an address or in a folder, is marked as one where a mistake hurts."""
    marks = {mark.rstrip("/") for mark in chosen.production}
    marks |= {str(Path(mark).expanduser().absolute()) for mark in chosen.production if mark.startswith(("/", "~"))}
    is_marked = place.rstrip("/") in marks
    return lambda cloud_id: is_marked or cloud_id in marks


def client_factory(
    backend: Backend, is_production: Callable[[str], bool], data: Path
) -> Callable[[], Awaitable[CloudClient]]:
    """What the console asks for a connection: waits until a backend answers, and connects anew when it has moved."""
    import asyncio

    from console.client import connect, load
    from console.launch import Place

    place: Place | None = None
    client: CloudClient | None = None

    async def factory() -> CloudClient:
        nonlocal place, client
        # The backend is still on its way.
        await asyncio.to_thread(load)
        found = await backend.answers()
        if client is None or found != place:
            if client is not None:
                await client.close()
            place = found
            client = connect(
                socket=found.socket,
                token=found.token,
                logs=lambda cloud_id: _audit_log(cloud_id, data),
                is_production=is_production,
            )
        return client

    return factory


def _audit_log(cloud_id: str, data: Path | None = None) -> AuditLog:
    """Where it is written down what is done to a cloud from here."""
    from console.app import wall_clock
    from console.audit import AuditLog, folder_of_user

    return AuditLog(folder_of_user(), cloud_id, wall_clock, data=data)


async def _progress(backend: Backend, app: ConsoleApp) -> AsyncIterator[str]:
    """Keeps the backend going, and says what becomes of it; a cloud that cannot be opened at all ends the console."""
    async for _ in backend.follow():
        if backend.refusal is not None:
            app.exit(return_code=2)
            return
        yield backend.sentence or ""


def _console_app() -> type[ConsoleApp]:
    # Nothing that is imported here is ever garbage: not looking for it makes the first paint a tenth faster.
    gc.disable()
    from console.app import ConsoleApp

    gc.freeze()
    gc.enable()
    return ConsoleApp


# ----------------------------------------------------------------------------------------------------------- commands


@main.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"0: a free one.  [default: the setting `serve_port`: {DEFAULT_PORT}]",
)
@data_option
@cloud_option
@seed_option
@click.option(
    "--clock-rate",
    type=click.FloatRange(0, 1_000_000, min_open=True),
    metavar="N",
    help="Simulated seconds in each second, on a timeline of the cloud's own.",
)
@click.option("--clock", type=click.Choice(["manual"]), help="The timeline moves only when /ops/v1/clock is told to.")
def serve(
    *,
    host: str,
    port: int | None,
    data: Path | None,
    kind: str | None,
    seed: int | None,
    clock_rate: float | None,
    clock: str | None,
) -> None:
    """Serve a cloud on TCP, without a console.

    Prints one line when it can answer. Stops cleanly on SIGTERM and Ctrl-C. What clients need to know is told by
    `stratodeck env`.

    Without a clock option a cloud keeps the clock that it has; a new one's is the wall's. Once a cloud has a timeline
    of its own, that timeline stands still while nothing runs.
    """
    if clock is not None and clock_rate is not None:
        raise click.UsageError("--clock manual and --clock-rate exclude each other.")
    chosen = chosen_settings(data=data, cloud=kind, seed=seed, clock_rate=clock_rate, serve_port=port)
    folder = folder_of(chosen)
    kind, rate = first_start(chosen, folder)
    rate = None if clock is not None else rate
    from backend import __main__ as process

    options = process.Options(
        path=folder,
        kind=kind,
        seed=chosen.seed,
        host=host,
        port=chosen.serve_port,
        clock="manual" if clock else "rate" if rate is not None else None,
        clock_rate=rate,
    )
    raise SystemExit(process.serve(options))


for command in (
    cli_running.env,
    cli_running.cell,
    cli_running.host,
    cli_clouds.cloud_group,
    cli_clouds.replay,
    cli_check.check,
    cli_shell.settings,
    cli_shell.completion,
):
    main.add_command(command)
