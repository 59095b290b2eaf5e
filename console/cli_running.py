"""Commands that ask a backend which runs already: `env`, `cell` and `host`. Over at once, so nothing heavy is loaded.

Of the backend they import only what knows the data folder; the request is made with the standard library.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from console import settings
from console.cli_options import DEFAULT_PORT, Declined, Refusal, Silence, chosen_folder, data_option, folder_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from backend.folder import Running, Secrets
    from console.completion import Completes
    from console.openstack_env import Login


PREVIEW_WIDTH = 100
"""What a preview is wrapped to: it goes to terminals, files and tickets alike."""

COMPLETION_SECONDS = 1.0
"""How long a tab waits for a backend."""

_SAFE = re.compile(r"\w[\w.-]*", re.ASCII)
"""What a shell takes as it is: a name from the cloud is put on a command line that is then carried out."""


def _names_of(collection: str) -> Completes:
    """Completes the names of `cells` or `hosts` of the cloud that runs in the folder that was typed, or is chosen.

    Whatever is wrong there, there are no names then and no complaint: a tab is no place for either.
    """

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
        from click.shell_completion import CompletionItem

        names = _names(_typed_folder(context), collection)
        return [CompletionItem(name) for name in names if name.startswith(typed) and _SAFE.fullmatch(name)]

    return complete


def _typed_folder(context: click.Context | None) -> Path | None:
    while context is not None:
        if (data := context.params.get("data")) is not None:
            return Path(data)
        context = context.parent
    return None


def _names(folder: Path | None, collection: str) -> list[str]:
    from console.unix_http import Refused

    try:
        # The shell has not touched what is still being typed, so ~ is there as it was typed.
        path = folder_of(settings.resolve()) if folder is None else folder.expanduser().absolute()
        said = _ask(path, "GET", f"/ops/v1/{collection}", None, seconds=COMPLETION_SECONDS)
        return [str(row["name"]) for row in said[collection]]
    except (settings.SettingsProblem, click.ClickException, Refused, KeyError, TypeError, RuntimeError):
        return []


@click.command()
@click.argument("client", type=click.Choice(["curl", "cloudsigma", "openstack", "waldur"]))
@data_option
@click.option("--account", metavar="NAME", help="Whose secrets.  [default: the operator's]")
@click.option("--clouds-yaml", is_flag=True, help="With openstack: the file clouds.yaml instead of lines for a shell.")
def env(client: str, data: Path | None, account: str | None, clouds_yaml: bool) -> None:
    """Print what a client of the running backend needs.

    \b
    curl         export lines with the address and the token:
                   eval "$(stratodeck env curl)"
                   curl -H "Authorization: Bearer $STRATODECK_TOKEN" $STRATODECK_URL/ops/v1
    cloudsigma   the client's own configuration file:
                   stratodeck env cloudsigma > stratodeck.conf
                   export CLOUDSIGMA_CONFIG=stratodeck.conf
    openstack    export lines for `openstack` and everything on openstacksdk:
                   eval "$(stratodeck env openstack)"
                   openstack server list
                 or the file form, for OS_CLOUD=stratodeck:
                   stratodeck env openstack --clouds-yaml > clouds.yaml
    waldur       export lines for what speaks NodeConductor's API, which became Waldur's:
                   eval "$(stratodeck env waldur)"
                   curl -H "Authorization: Token $WALDUR_TOKEN" $WALDUR_URL/api/backups/

    The backend must have a TCP port: `stratodeck serve`, or the console with `--listen PORT`.
    """
    from backend import folder

    if clouds_yaml and client != "openstack":
        raise click.UsageError("--clouds-yaml is for openstack.")
    path = chosen_folder(data)
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
    if client in ("curl", "waldur"):
        prefix = "STRATODECK" if client == "curl" else "WALDUR"
        click.echo(f"export {prefix}_URL={shlex.quote(running.url)}")
        click.echo(f"export {prefix}_TOKEN={shlex.quote(own.token)}")
        return
    if client == "openstack":
        from console import openstack_env

        login = _openstack_login(path, running, name, own)
        try:
            lines = list((openstack_env.clouds_yaml if clouds_yaml else openstack_env.shell_lines)(login))
        except openstack_env.NotForAShell as problem:
            raise Refusal(f"{problem} Use --clouds-yaml, or change it in {path / folder.CREDENTIALS}.") from problem
        for line in lines:
            # As bytes: of a text that goes to no terminal, click would take out what looks like an escape.
            click.echo(line.encode())
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


def _openstack_login(path: Path, running: Running, name: str, own: Secrets) -> Login:
    """What the account logs in with, tried once: only the backend knows its project. Raises Refusal, Silence."""
    from console import unix_http
    from console.openstack_env import DOMAIN, Login

    user = {"name": name, "domain": {"name": DOMAIN}, "password": own.password}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    try:
        said = unix_http.ask(running.socket, "POST", "/identity/v3/auth/tokens?nocatalog", body, own.token)
        project = said["token"].get("project")
    except unix_http.Refused as refusal:
        raise Refusal(
            f"The backend of {path} does not let {name!r} in: {refusal} What was changed in its credentials counts "
            "from its next start."
        ) from refusal
    except OSError as error:
        raise Silence(f"The backend of {path} did not answer ({error}).") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Silence(f"The answer of the backend of {path} was not understood; is it of another version?") from error
    if project is None:
        raise Refusal(f"The account {name!r} is no member of its own project, so no client can act for it.")
    return Login(f"{running.url}/identity/v3", name, own.password, str(project["name"]))


@click.command()
@click.argument("state", type=click.Choice(["up", "down", "hung"]))
@click.argument("name", shell_complete=_names_of("cells"))
@click.option("--preview", is_flag=True, help="Say what its silence would mean, and do nothing.")
@data_option
def cell(state: str, name: str, preview: bool, data: Path | None) -> None:
    """Inject a fault into a cell of the running cloud.

    \b
    down   the cell refuses every connection
    hung   the cell takes requests and never answers
    up     the fault is taken away

    A fault outlives a restart of the backend. With --preview the exit status is 0 if it is allowed and 1 if not.
    """
    from console import unix_http
    from console.sanitising import clean

    if preview:
        _preview_cell(chosen_folder(data), state, name)
        return
    try:
        said = _ask(chosen_folder(data), "PUT", f"/ops/v1/cells/{quote(name, safe='')}/reachability", {"state": state})
    except unix_http.Refused as refusal:
        raise Refusal(str(refusal)) from refusal
    answer = clean(said)
    reason = answer.get("reason")
    click.echo(f"{answer.get('name', name)} is {answer.get('state', state)}" + (f" ({reason})" if reason else ""))


def _preview_cell(path: Path, state: str, name: str) -> None:
    """What the console's dialog says before it. Raises SystemExit where it is not allowed, Refusal, Silence."""
    from console import unix_http, wire_plans
    from console.presentation import cell_plan
    from console.presentation.lines import Frame, text_of
    from console.sanitising import clean

    body = {"action": state, "preview": True}
    try:
        said = _ask(path, "POST", f"/ops/v1/cells/{quote(name, safe='')}/actions", body)
        plan = wire_plans.cell_plan(clean(said))
    except unix_http.Refused as refusal:
        raise Declined(str(refusal)) from refusal
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Silence(f"The answer of the backend of {path} was not understood; is it of another version?") from error
    remedy = f"`stratodeck cell up {plan.cell}` lets it answer again"
    for line in cell_plan.lines([plan], Frame(width=PREVIEW_WIDTH), remedy=remedy):
        click.echo(text_of(line).rstrip())
    if not plan.is_allowed:
        raise SystemExit(1)


@click.command(short_help="Lose, drain or evacuate a host of the running cloud.")
@click.argument("action", type=click.Choice(["fail", "recover", "drain", "evacuate"]))
@click.argument("name", shell_complete=_names_of("hosts"))
@click.option("--preview", is_flag=True, help="Say what it would come to, and do nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print the answer of the API as it is.")
@data_option
def host(action: str, name: str, preview: bool, is_json: bool, data: Path | None) -> None:
    """Lose a host of the running cloud, bring it back, or empty it.

    \b
    fail       a fault is injected: the host is lost with all that is on it;
               what is not back after a grace starts elsewhere
    drain      maintenance: nothing more is placed there, nothing is moved
    evacuate   its servers are shut down and started elsewhere, one by one;
               drain it first
    recover    up again, from a fault or from maintenance

    With --preview the exit status is 0 if it is allowed and 1 if not.
    """
    from console import unix_http

    path = chosen_folder(data)
    body = {"action": action, "preview": preview}
    try:
        said = _ask(path, "POST", f"/ops/v1/hosts/{quote(name, safe='')}/actions", body)
        lines, is_allowed = _json_answer(said) if is_json else _told(action, name, said)
    except unix_http.Refused as refusal:
        raise Declined(str(refusal)) from refusal
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Silence(f"The answer of the backend of {path} was not understood; is it of another version?") from error
    for line in lines:
        click.echo(line)
    if not is_allowed:
        raise SystemExit(1)


def _json_answer(said: dict[str, Any]) -> tuple[Sequence[str], bool]:
    import json

    # Everything beyond ASCII is escaped, so what is hostile in a name cannot act on a terminal here either.
    return [json.dumps(said, indent=2)], "plan" not in said or bool(said["plan"]["allowed"])


def _told(action: str, name: str, said: dict[str, Any]) -> tuple[Sequence[str], bool]:
    from console import wire
    from console.presentation import host_table
    from console.sanitising import clean

    answer = clean(said)
    if "plan" not in answer:
        return [host_table.outcome_sentence(action, name, wire.outcome(answer))], True
    plan = wire.host_plan(answer)
    return host_table.lines(plan), plan.is_allowed


def _ask(
    path: Path,
    method: str,
    address: str,
    body: Mapping[str, object] | None,
    *,
    seconds: float | None = None,
) -> dict[str, Any]:
    """What the backend of the folder answers to its operator. Raises unix_http.Refused, Refusal, Silence."""
    from backend import folder
    from console import unix_http

    running = _running(path)
    try:
        token = folder.read_credentials(path).token_of(folder.OPERATOR)
    except folder.FolderProblem as problem:
        raise Refusal(str(problem)) from problem
    try:
        seconds = unix_http.REQUEST_SECONDS if seconds is None else seconds
        with _written_down(running.cloud_id, path, method, address, body or {}):
            return unix_http.ask(running.socket, method, address, body, token or "", seconds=seconds)
    except OSError as error:
        raise Silence(f"The backend of {path} did not answer ({error}).") from error


@contextmanager
def _written_down(cloud_id: str, data: Path, method: str, address: str, body: Mapping[str, object]) -> Iterator[None]:
    """What is done from a shell is in the same log as what is done from the console. Raises Refusal."""
    if method == "GET" or body.get("preview"):
        yield
        return
    from backend.clock import system_wall
    from console.audit import AuditLog, AuditProblem, folder_of_user
    from console.records_audit import ACCEPTED, NOT_SENT, REFUSED, UNKNOWN
    from console.unix_http import Refused

    log = AuditLog(folder_of_user(), cloud_id, system_wall, data=data)
    try:
        id = log.begin(method, address.removeprefix("/ops/v1"), body)
    except AuditProblem as problem:
        raise Refusal(f"Nothing was sent: {problem}.") from problem
    outcome, sentence = UNKNOWN, ""
    try:
        yield
        outcome = ACCEPTED
    except Refused as refusal:
        outcome, sentence = REFUSED, str(refusal)
        raise
    except (ConnectionRefusedError, FileNotFoundError) as error:
        outcome, sentence = NOT_SENT, str(error)
        raise
    finally:
        with suppress(AuditProblem):
            log.end(id, outcome, sentence)


def _running(path: Path) -> Running:
    from backend import folder

    running = folder.find_running(path)
    if running is None:
        raise Refusal(f"No cloud is running in {path}: open it with `stratodeck`, or serve it with `stratodeck serve`.")
    return running
