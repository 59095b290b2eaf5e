"""The command line. Each command imports what it needs when it runs: `--help` and `serve` load nothing of Textual, the
console nothing of the backend, and completion in a shell answers at once.

    cli           the tree of commands; the console itself, and `serve`
    cli_running   what asks a backend that runs: `env`, `cell`, `host`
    cli_contexts  the clouds that the settings name, and `contexts`; cli_opening: how each kind is opened
    cli_clouds    whole clouds as files and folders: `cloud export`, `replay`
    cli_check     verifying a folder: `check`
    cli_data      a whole cloud as one file: `data`
    cli_doctor    what is wrong, and what to do: `doctor`
    cli_rehearse  what would happen, on a cloud of its own: `rehearse`
    cli_web       in a browser: `web`
    cli_shell     the command line's own: `settings`, `completion`
    cli_options   options that several of them share, and how all of them refuse

These are the only modules of the console that may import the backend. Bad input is one sentence on standard error and
exit status 2; a cloud that did not answer in time, or would not do it, is exit status 1.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from console import (
    cli_check,
    cli_clouds,
    cli_contexts,
    cli_data,
    cli_doctor,
    cli_rehearse,
    cli_running,
    cli_shell,
    cli_web,
    settings,
)
from console.cli_options import (
    DEFAULT_PORT,
    DRAWS_NOTHING,
    Given,
    Refusal,
    chosen_settings,
    cloud_option,
    data_option,
    first_start,
    folder_of,
    seed_option,
)
from console.contexts import Context
from console.settings import BY_NAME, Settings

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.cli_opening import Opener
    from console.recording import Recording
    from console.screens.options import Opened

DEFAULT_HOST = "127.0.0.1"
SWITCH_SECONDS = 0.001
"""How long the threads that read keys and write frames may wait for one that computes; 5 ms is what Python has."""


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
    "--os-cloud",
    metavar="NAME",
    help="Open a real OpenStack instead: the cloud NAME of your clouds.yaml. Needs the extra `openstack`.",
)
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="STRATODECK_TOKEN",
    help="Who you are at URL; other users of this machine can read it here, so rather set STRATODECK_TOKEN.",
)
@cli_contexts.context_option
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
    os_cloud: str | None,
    token: str | None,
    context_name: str | None,
    listen: int | None,
    **looks: object,
) -> None:
    """Operate a cloud from the terminal.

    Without a command this opens the console on a simulated cloud that lives in the data folder; the first start fills
    it with a demo. A second console on the same folder attaches to the first one's cloud.

    With --os-cloud NAME it opens a real OpenStack, a cloud of clouds.yaml: pip install 'stratodeck[openstack]' brings
    what that needs.

    NO_COLOR is respected.
    """
    context.obj = Given({"cloud": kind, **looks})
    context.meta[cli_rehearse.WATCHES] = _watch
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    chosen = chosen_settings()
    every = cli_contexts.known(chosen)
    if context.get_parameter_source("context_name") is ParameterSource.ENVIRONMENT and (
        url or os_cloud or chosen.is_option("data")
    ):
        # An option counts before the environment.
        context_name = None
    first = cli_contexts.first(every, chosen, context_name, url, os_cloud)
    _refuse_mixed(context, first, url, os_cloud)
    if first.kind != "os_cloud":
        # What is wrong with clouds.yaml is told also where nothing could be drawn.
        _refuse_without_terminal()
    from console.cli_opening import Opener

    begins_at = ""
    while True:
        app = _run_console(chosen, Opener(chosen, every, first, token=token, listen=listen), begins_at=begins_at)
        if app.rehearsal_wanted is None:
            raise SystemExit(app.return_code or 0)
        # Not by opening that cloud as the first one: what was given for the first counts for that one only.
        begins_at = app.rehearsed_from
        _watch(*app.rehearsal_wanted, chosen)


def _refuse_mixed(context: click.Context, first: Context, url: str | None, os_cloud: str | None) -> None:
    """Two options that say which cloud, and options that are not for the one that is opened."""

    def is_given(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if os_cloud is not None and (url is not None or any(map(is_given, ("data", "kind", "listen", "token")))):
        raise click.UsageError(
            "--os-cloud opens a cloud of clouds.yaml: --url, --token, --data, --cloud and --listen are not for it."
        )
    if is_given("context_name") and (os_cloud is not None or url is not None or is_given("data")):
        raise click.UsageError("--context says which cloud is opened: --url, --os-cloud and --data do so too.")
    if first.kind != "data" and (is_given("data") or is_given("kind") or is_given("listen")):
        raise click.UsageError(
            f"{first.place} is a cloud that runs elsewhere: --data, --cloud and --listen are not for it."
        )
    if first.kind != "url" and is_given("token"):
        raise click.UsageError("--token goes with --url; an embedded cloud needs none.")
    if first.kind == "url" and not first.is_listed and not context.params["token"]:
        raise Refusal("--url needs a token: set STRATODECK_TOKEN, or give --token.")


def _refuse_misplaced(context: click.Context) -> None:
    """Options of the console before a command would be ignored: say so instead. `settings` shows what they do."""
    for option in context.command.params:
        given = option.name is not None and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        is_seen = option.name == "data" or (
            context.invoked_subcommand == "settings"
            and option.name not in ("url", "os_cloud", "token", "context_name", "listen")
        )
        if given and not is_seen:
            raise click.UsageError(_misplaced(option.opts[0], context))


def _misplaced(name: str, context: click.Context) -> str:
    """What to do instead: a command has the option itself, or goes without it."""
    command = context.command.get_command(context, context.invoked_subcommand or "") if isinstance(
        context.command, click.Group) else None  # fmt: skip
    if command is not None and any(name in each.opts for each in command.params):
        return f"{name} is the console's; options of a command come after its name."
    called = context.invoked_subcommand
    if name == "--os-cloud":
        return (
            f"--os-cloud is the console's only: `{called}` is not for an OpenStack. Leave the command away to open the"
            " console on that cloud, or leave --os-cloud away for a cloud of ours (`--data FOLDER` after the command)."
        )
    return f"{name} is the console's only, and `{called}` has no such option: leave it away."


# -------------------------------------------------------------------------------------------------------- the console


def _refuse_without_terminal() -> None:
    if _is_in_browser():
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refusal("The console needs a terminal. Without one, `stratodeck serve` serves the same cloud.")
    if (term := os.environ.get("TERM")) in DRAWS_NOTHING:
        raise Refusal(f"TERM is {term}, which draws nothing. Set TERM, as to xterm-256color.")


def _watch(name: str, rate: float, chosen: Settings, *, seed: int | None = None, data: Path | None = None) -> None:
    """The console on the cloud of a scenario, then of each that is wanted from there. It returns when one leaves."""
    _refuse_without_terminal()
    import tempfile

    from console.cli_opening import Opener, Rehearsed
    from console.contexts import unlisted

    while True:
        with _ended_by_hangup(), tempfile.TemporaryDirectory(prefix="stratodeck-rehearsal-") as temporary:
            first = unlisted((), "data", temporary if data is None else str(data))
            clouds = Opener(chosen, (), first, rehearsed=Rehearsed(name, rate, seed))
            app = _run_console(chosen, clouds, landing_view="rehearsal")
        if app.rehearsal_wanted is None:
            return
        # Seed and folder were given for the first one only.
        (name, rate), seed, data = app.rehearsal_wanted, None, None


@contextmanager
def _ended_by_hangup() -> Iterator[None]:
    """A terminal that is closed, or a SIGTERM, ends what is inside as leaving it does: with its folder cleared away."""
    import signal

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_console(chosen: Settings, clouds: Opener, **other_looks: object) -> ConsoleApp:
    """One console, from its first paint until it is left. Raises Refusal where the first cloud cannot be opened."""
    looks = {**_looks(chosen), **clouds.manners(clouds.first), **other_looks}
    try:
        # At once: the first paint is a little later for it, and what there is to see much earlier.
        opened = _opened(clouds)
        _refuse_without_terminal()
        app = _console_app()(
            opened.client_factory,
            backend=opened.backend,
            progress=opened.progress,
            # One cloud that the settings do not name is not called anything.
            clouds=clouds if len(clouds.contexts) > 1 or clouds.first.is_listed else None,
            mistakes_of=_mistakes_of(),
            **looks,
        )
        clouds.on_refusal = partial(app.exit, return_code=2)
        app.run()
    finally:
        clouds.stop()
    if clouds.refusal is not None:
        raise Refusal(clouds.refusal)
    return app


def _opened(clouds: Opener) -> Opened:
    from console.port import ClientError

    try:
        return clouds.open(clouds.first)
    except ClientError as problem:
        whose = f"{clouds.first.name}: " if clouds.first.is_listed else ""
        raise Refusal(f"{whose}{problem.sentence}.") from problem


def _mistakes_of() -> Callable[[str], Sequence[str]] | None:
    """In a browser a tab is one console, from its beginning to its end: no other can take its place."""
    return None if _is_in_browser() else partial(cli_rehearse.mistakes_of, is_brief=True)


def _is_in_browser() -> bool:
    """textual-serve is the terminal then, and says so in this way."""
    return "TEXTUAL_DRIVER" in os.environ


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


def _console_app() -> type[ConsoleApp]:
    # Nothing that is imported here is ever garbage: not looking for it makes the first paint a tenth faster.
    gc.disable()
    from console.app import ConsoleApp
    from console.memory import collect_seldom

    collect_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)
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
@click.option("--log", type=click.Choice(BY_NAME["log"].choices), help=BY_NAME["log"].meaning)
def serve(
    *,
    host: str,
    port: int | None,
    data: Path | None,
    kind: str | None,
    seed: int | None,
    clock_rate: float | None,
    clock: str | None,
    log: str | None,
) -> None:
    """Serve a cloud on TCP, without a console.

    Prints one line when it can answer. Stops cleanly on SIGTERM and Ctrl-C. What clients need to know is told by
    `stratodeck env`.

    Without a clock option a cloud keeps the clock that it has; a new one's is the wall's. Once a cloud has a timeline
    of its own, that timeline stands still while nothing runs.
    """
    if clock is not None and clock_rate is not None:
        raise click.UsageError("--clock manual and --clock-rate exclude each other.")
    chosen = chosen_settings(data=data, cloud=kind, seed=seed, clock_rate=clock_rate, serve_port=port, log=log)
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
        log=chosen.log,
    )
    raise SystemExit(process.serve(options))


for command in (
    cli_running.env,
    cli_running.cell,
    cli_running.host,
    cli_contexts.list_contexts,
    cli_clouds.cloud_group,
    cli_clouds.replay,
    cli_rehearse.rehearse,
    cli_check.check,
    cli_data.data_group,
    cli_doctor.doctor,
    cli_shell.settings,
    cli_shell.completion,
    cli_web.web,
):
    main.add_command(command)
