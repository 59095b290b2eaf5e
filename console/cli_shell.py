"""Commands about the command line itself: `settings` and `completion`."""

from __future__ import annotations

from pathlib import Path

import click

from console import settings as table
from console.cli_options import chosen_folder, chosen_settings, data_option, problems_of
from console.completion import SHELLS, script


class _Settings(click.Command):
    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Each setting and its meaning."""
        with formatter.section("Settings"):
            formatter.write_dl([(setting.name, setting.meaning) for setting in table.SETTINGS])


@click.command(cls=_Settings, short_help="Show the settings, and where each comes from.")
@click.option("--example", is_flag=True, help="Print a file with every setting in it, each as a comment.")
@data_option
def settings(example: bool, data: Path | None) -> None:
    """Show each setting: its value, where that comes from, and what it means.

    An option counts before the environment (STRATODECK_<NAME>), that before the file settings.toml in the user's
    folder of configuration, and that before the default. STRATODECK_SETTINGS names another file.

    \b
    stratodeck settings --example > settings.toml   begins a file
    stratodeck --palette light settings             what the console would then see

    Ends with 1 where the file has keys or clouds that cannot be.
    """
    path = table.path_of_file()
    if example:
        click.echo("\n".join(table.example(path)))
        return
    chosen = chosen_settings(data=data)
    click.echo("\n".join(table.listing(chosen, path, chosen_folder(data))))
    problems = problems_of(chosen)
    for problem in problems:
        click.echo(f"stratodeck: {problem}", err=True)
    if problems:
        raise SystemExit(1)


@click.command(short_help="Print what completes this command line in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print the script that completes commands, options, files, and names of cells and hosts.

    \b
    bash   eval "$(stratodeck completion bash)"     in ~/.bashrc
    zsh    eval "$(stratodeck completion zsh)"      in ~/.zshrc, after compinit
    fish   stratodeck completion fish | source      in ~/.config/fish/config.fish

    Names are those of the cloud that is running; while none is, there are none to complete.
    """
    click.echo(script(shell, context.find_root().command), nl=False)
