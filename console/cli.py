"""The command line. Each command imports what it needs when it runs: `--help` and `serve` load nothing of Textual, the
console nothing of the backend, and completion in a shell answers at once.

This is the only module of the console that may import the backend. Bad input is one sentence on standard error and
exit status 2; a cloud that did not answer in time is exit status 1.
"""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from backend.folder import Running
    from console.app import ConsoleApp
    from console.client import CloudClient
    from console.launch import Backend

DEFAULT_HOST = "127.0.0.1"
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


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    envvar="STRATODECK_DATA",
    help="The data folder of the cloud.  [default: the user's data folder; env: STRATODECK_DATA]",
)


def _fleet_file(*words: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
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
    callback=_fleet_file("demo", "empty"),
    metavar="demo|empty|FILE",
    help="What to make in a folder that holds no cloud; FILE is TOML and describes a fleet.  [default: demo]",
)


def _storable(context: click.Context, parameter: click.Parameter, value: int) -> int:
    """A range would be written into every help."""
    if not -(2**63) <= value < 2**63:
        raise click.BadParameter(f"{value} is not an integer of 64 bits.")
    return value


seed_option = click.option(
    "--seed",
    type=int,
    callback=_storable,
    default=DEFAULT_SEED,
    show_default=True,
    help="Makes equal demo clouds; counts when one is made.",
)


@click.group(
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
@click.option("--read-only", is_flag=True, help="Refuse to change anything.")
@click.option("--ascii", "is_ascii", is_flag=True, help="Draw with ASCII characters only.")
@click.version_option(package_name="stratodeck", prog_name="stratodeck")
@click.pass_context
def main(
    context: click.Context,
    *,
    data: Path | None,
    kind: str | None,
    url: str | None,
    token: str | None,
    listen: int | None,
    read_only: bool,
    is_ascii: bool,
) -> None:
    """Operate a cloud from the terminal.

    Without a command this opens the console on a simulated cloud that lives in the data folder; the first start fills
    it with a demo. A second console on the same folder attaches to the first one's cloud.

    NO_COLOR is respected.
    """
    context.obj = data
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    if url is not None:
        if any(context.get_parameter_source(name) is not ParameterSource.DEFAULT for name in ("kind", "listen")) or (
            context.get_parameter_source("data") is ParameterSource.COMMANDLINE
        ):
            raise click.UsageError(
                "--url opens a cloud that runs elsewhere: --data, --cloud and --listen are not for it."
            )
        _open_console_at(_checked_url(url), token, read_only=read_only, is_ascii=is_ascii)
    else:
        if context.get_parameter_source("token") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--token goes with --url; an embedded cloud needs none.")
        _open_console_on(_folder(data), kind, listen, read_only=read_only, is_ascii=is_ascii)


def _refuse_misplaced(context: click.Context) -> None:
    """Options of the console before a command would be ignored: say so instead."""
    for option in context.command.params:
        given = option.name is not None and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if given and option.name != "data":
            raise click.UsageError(f"{option.opts[0]} is the console's; options of a command come after its name.")


def _folder(data: Path | None) -> Path:
    """The folder that was named here or before the command's name, else the user's own."""
    given: Path | None = data or click.get_current_context().find_object(Path)
    if given is not None:
        return given.absolute()
    from platformdirs import user_data_path

    return user_data_path("stratodeck", appauthor=False)


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


def _open_console_at(url: str, token: str | None, *, read_only: bool, is_ascii: bool) -> None:
    if not token:
        raise Refusal("--url needs a token: set STRATODECK_TOKEN, or give --token.")
    _refuse_without_terminal()
    from console.client import connect

    client: CloudClient | None = None

    async def factory() -> CloudClient:
        nonlocal client
        client = client or connect(url=url, token=token)
        return client

    app = _console_app()(factory, is_read_only=read_only, is_ascii=is_ascii)
    app.run()
    raise SystemExit(app.return_code or 0)


def _open_console_on(folder: Path, kind: str | None, listen: int | None, *, read_only: bool, is_ascii: bool) -> None:
    _refuse_without_terminal()
    from console import launch

    backend = launch.Backend(launch.command(folder, kind=kind, port=listen))
    # Both are loaded at the same time: the backend is there when the console asks for it.
    backend.begin()
    try:
        app = _console_app()(
            client_factory(backend),
            is_read_only=read_only,
            is_ascii=is_ascii,
            backend=backend,
            progress=lambda: _progress(backend, app),
        )
        app.run()
    finally:
        backend.stop()
    if backend.refusal is not None:
        raise Refusal(backend.refusal)
    raise SystemExit(app.return_code or 0)


def client_factory(backend: Backend) -> Callable[[], Awaitable[CloudClient]]:
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
            place, client = found, connect(socket=found.socket, token=found.token)
        return client

    return factory


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
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
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
    port: int,
    data: Path | None,
    kind: str | None,
    seed: int,
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
    from backend import __main__ as process

    options = process.Options(
        path=_folder(data),
        kind=kind,
        seed=seed,
        host=host,
        port=port,
        clock="manual" if clock else "rate" if clock_rate is not None else None,
        clock_rate=clock_rate,
    )
    raise SystemExit(process.serve(options))


@main.command()
@click.argument("client", type=click.Choice(["curl", "cloudsigma"]))
@data_option
@click.option("--account", metavar="NAME", help="Whose secrets.  [default: the operator's]")
def env(client: str, data: Path | None, account: str | None) -> None:
    """Print what a client of the running backend needs.

    \b
    curl         export lines with the address and the token:
                   eval "$(stratodeck env curl)"
                   curl -H "Authorization: Bearer $STRATODECK_TOKEN" $STRATODECK_URL/ops/v1
    cloudsigma   the client's own configuration file:
                   stratodeck env cloudsigma > stratodeck.conf
                   export CLOUDSIGMA_CONFIG=stratodeck.conf

    The backend must have a TCP port: `stratodeck serve`, or the console with `--listen PORT`.
    """
    from backend import folder

    path = _folder(data)
    running = _running(path)
    try:
        credentials = folder.read_credentials(path)
    except folder.FolderProblem as problem:
        raise Refusal(str(problem)) from problem
    name = account or folder.OPERATOR
    own = credentials.by_account.get(name)
    if own is None:
        raise Refusal(f"This cloud has no account {name!r}; it has {', '.join(sorted(credentials.by_account))}.")
    if running.url is None:
        hint = f" Meanwhile: curl --unix-socket {shlex.quote(str(running.socket))} http://stratodeck/ops/v1"
        raise Refusal(
            f"The cloud in {path} is open without a TCP port. Close its console and open it with "
            f"`stratodeck --listen {DEFAULT_PORT}`, or serve it with `stratodeck serve`."
            + (hint if client == "curl" else "")
        )
    if client == "curl":
        click.echo(f"export STRATODECK_URL={shlex.quote(running.url)}")
        click.echo(f"export STRATODECK_TOKEN={shlex.quote(own.token)}")
        return
    # Source: pycloudsigma 2.0, cloudsigma/conf.py: an ini file without sections, found by CLOUDSIGMA_CONFIG.
    # The address must end in a slash: the client joins paths to it.
    for key, value in (
        ("api_endpoint", f"{running.url}/api/2.0/"),
        ("ws_endpoint", f"{running.url.replace('http', 'ws', 1)}/websocket"),
        ("username", name),
        ("password", own.password),
        ("login_method", "basic"),
    ):
        click.echo(f'{key} = "{value}"')


@main.command()
@click.argument("state", type=click.Choice(["up", "down", "hung"]))
@click.argument("name")
@data_option
def cell(state: str, name: str, data: Path | None) -> None:
    """Inject a fault into a cell of the running cloud.

    \b
    down   the cell refuses every connection
    hung   the cell takes requests and never answers
    up     the fault is taken away

    A fault outlives a restart of the backend.
    """
    from backend import folder
    from console import unix_http

    path = _folder(data)
    running = _running(path)
    try:
        token = folder.read_credentials(path).token_of(folder.OPERATOR)
    except folder.FolderProblem as problem:
        raise Refusal(str(problem)) from problem
    try:
        answer = unix_http.put(
            running.socket, f"/ops/v1/cells/{quote(name, safe='')}/reachability", {"state": state}, token or ""
        )
    except unix_http.Refused as refusal:
        raise Refusal(str(refusal)) from refusal
    except OSError as error:
        raise Silence(f"The backend of {path} did not answer ({error}).") from error
    reason = answer.get("reason")
    click.echo(f"{answer.get('name', name)} is {answer.get('state', state)}" + (f" ({reason})" if reason else ""))


def _running(path: Path) -> Running:
    from backend import folder

    running = folder.find_running(path)
    if running is None:
        raise Refusal(f"No cloud is running in {path}: open it with `stratodeck`, or serve it with `stratodeck serve`.")
    return running


@main.group("cloud")
def cloud_group() -> None:
    """What a cloud is made of, as a file."""


@cloud_group.command(short_help="Write the fleet of a cloud as a file for --cloud.")
@data_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to FILE, which is replaced.  [default: standard output]",
)
def export(data: Path | None, output: Path | None) -> None:
    """Write the fleet of a cloud as TOML, as `--cloud FILE` takes it, whether the cloud is open or rests.

    A fleet is cells, hosts, settings and accounts. Left out are servers, drives and backups, the states of hosts and
    injected faults, quotas, and all secrets; each account keeps its own project and no other role. An exported file
    makes exactly the same fleet again.
    """
    from backend import fleet_file, fleet_folder
    from backend.store import FolderError

    path = _folder(data)
    try:
        text = fleet_file.render(fleet_folder.find(path))
    except FolderError as problem:
        raise Refusal(str(problem)) from problem
    if output is None or str(output) == "-":
        click.echo(text, nl=False)
        return
    try:
        # All of it or none of it; a pipe or a device is written to, not replaced.
        draft = output if output.exists() and not output.is_file() else output.with_name(f".{output.name}.new")
        draft.write_text(text, encoding="utf-8")
        if draft is not output:
            draft.replace(output)
    except OSError as error:
        raise Refusal(f"Cannot write {output}: {(error.strerror or str(error)).lower()}.") from error


@main.command(short_help="Drive a cloud of its own from a real workload.")
@click.argument("trace")
@click.option(
    "--hours",
    type=click.FloatRange(0, min_open=True),
    help="How much of the trace, from its beginning.  [default: 2 of the 220 of azure-2017, 2,880 of the 3,585 of "
    "alibaba-openb, all of a file]",
)
@click.option(
    "--backfill-share",
    type=click.FloatRange(0, 1),
    help="The share of tenant batches whose servers are backfilling ones, where the trace does not say.  "
    "[default: 0.5]",
)
@click.option(
    "--seed",
    type=int,
    callback=_storable,
    default=DEFAULT_SEED,
    show_default=True,
    help="Chooses the backfilling batches.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the cloud in DIR, which must hold none.  [default: a temporary folder]",
)
@click.option(
    "--cloud",
    callback=_fleet_file(),
    metavar="FILE",
    help="Take the hosts and settings of a fleet's file, with one cell.",
)
def replay(
    *,
    trace: str,
    hours: float | None,
    backfill_share: float | None,
    seed: int,
    data: Path | None,
    cloud: str | None,
) -> None:
    """Drive a cloud of its own from a real workload, and say how it went.

    TRACE is one of these:

    \b
    azure-2017      669,435 servers over 9.2 days. It does not say which were backfilling:
                    whole batches of a tenant are labelled, by hashing with the seed.
    alibaba-openb   8,152 pods over 149 days on its own 1,523 hosts. Its class "best effort"
                    is taken for backfilling. GPUs, which it was short of, are ignored.
    FILE.csv        your own, with the columns arrival_seconds, lifetime_seconds (empty:
                    outlives the trace), vcpus, memory_gib, tenant_batch; sorted by arrival.

    Where a trace has no hosts of its own, the cloud has hosts with 48 cores and 384 GiB, as many as hold 95 % of what
    the chosen hours need at their peak. Simulated time runs as fast as the machine allows; equal options give equal
    results.

    With --data the cloud is kept, and `stratodeck --data DIR` opens it as the replay left it.
    """
    from functools import partial

    from backend import replay as driver

    run = partial(
        driver.run,
        trace,
        data,
        hours=hours,
        backfill_share=backfill_share,
        seed=seed,
        cloud=None if cloud is None else Path(cloud),
    )
    try:
        if sys.stderr.isatty():
            with click.progressbar(length=1000, label="Replaying", file=sys.stderr) as bar:
                summary = run(progress=lambda share: bar.update(int(share * 1000) - bar.pos))
        else:
            summary = run()
    except driver.ReplayProblem as problem:
        raise Refusal(str(problem)) from problem
    for line in summary.lines():
        click.echo(line)
