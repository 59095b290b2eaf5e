"""The clouds that the settings name: which one a command opens, and `contexts`. How each is opened: cli_opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from console import contexts, settings
from console.cli_options import Refusal, chosen_settings, folder_of
from console.contexts import Context
from console.settings import Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def known(chosen: Settings) -> tuple[Context, ...]:
    """The clouds that the settings name. Raises Refusal."""
    try:
        return contexts.read(chosen.clouds, settings.path_of_file())
    except settings.SettingsProblem as problem:
        raise Refusal(str(problem)) from problem


def _names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
    from click.shell_completion import CompletionItem

    try:
        return [CompletionItem(each.name) for each in known(settings.resolve()) if each.name.startswith(typed)]
    except (settings.SettingsProblem, click.ClickException):
        return []


context_option = click.option(
    "--context",
    "context_name",
    metavar="NAME",
    envvar="STRATODECK_CONTEXT",
    shell_complete=_names,
    help="Open this cloud of [clouds.NAME] in the settings, as STRATODECK_CONTEXT does; `contexts` lists them.",
)


@click.command("contexts")
def list_contexts() -> None:
    """List the clouds that the settings name, for --context and for C in the console."""
    for line in contexts.listing(known(chosen_settings()), settings.path_of_file()):
        click.echo(line)


def first(
    every: tuple[Context, ...], chosen: Settings, name: str | None, url: str | None, os_cloud: str | None = None
) -> Context:
    """The cloud that is opened: by its name here or in clouds.yaml, its address, or the data folder. Raises Refusal."""
    if name is not None:
        found = next((each for each in every if each.name == name), None)
        if found is None:
            there = f"there are {', '.join(each.name for each in every)}" if every else "the settings name none"
            raise Refusal(f"No cloud is called {name!r}: {there}. `stratodeck contexts` says how one is named.")
        return found
    if url is not None and not contexts.is_address(url):
        raise Refusal(f"{url!r} is not the address of a cloud; it looks like http://127.0.0.1:8774.")
    if os_cloud is not None:
        kind, place = "os_cloud", os_cloud
    else:
        kind, place = ("url", url.rstrip("/")) if url is not None else ("data", str(folder_of(chosen)))
    return contexts.at(every, kind, place) or contexts.unlisted(every, kind, place)
