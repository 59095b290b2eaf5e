"""Completion in a shell: the script that asks us, and what we answer where click cannot know it.

The script is click's and small: at each tab it runs `stratodeck` with what was typed, and click answers from the tree
of commands itself, so neither lags behind the other. Names of cells and hosts are asked of a backend by cli_running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from click.shell_completion import CompletionItem

    Completes = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[Any]]"]

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_STRATODECK_COMPLETE"
"""Where click looks for the question, for a program of this name."""


def script(shell: str, command: click.Command) -> str:
    """What the shell has to read."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, f"click completes in {shell}"
    return found(command, {}, "stratodeck", VARIABLE).source()


def words_or_file(*words: str) -> Completes:
    """Completes one of the words, or else the path of a file."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
        from click.shell_completion import CompletionItem

        fitting = [CompletionItem(word) for word in words if word.startswith(typed)]
        return fitting or [CompletionItem(typed, type="file")]

    return complete
