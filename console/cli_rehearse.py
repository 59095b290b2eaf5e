"""`rehearse`: what would happen, done to a cloud of its own, and judged by what was expected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli_options import Refusal, storable
from console.completion import words_or_file

if TYPE_CHECKING:
    from backend.rehearsals.report import Report
    from backend.rehearsals.scenario import Scenario

SHIPPED = ("cell-lost-in-backup-window", "drain-in-full-cell", "host-lost-under-pair", "surge-over-backfill")


def _list(context: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if not is_asked or context.resilient_parsing:
        return
    from backend.rehearsals import scenario, shipped

    for path in shipped.shipped():
        found = scenario.read(path)
        click.echo(f"{shipped.name_of(path):<28}{found.title}")
        for line in click.wrap_text(found.about, 96, "    ", "    ").splitlines():
            click.echo(line)
    context.exit()


@click.command(short_help="Run a scenario on a cloud of its own, and judge what becomes of it.")
@click.argument("file", shell_complete=words_or_file(*SHIPPED))
@click.option("--list", callback=_list, is_flag=True, is_eager=True, expose_value=False, help="What comes with us.")
@click.option("--json", "is_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", type=int, callback=storable, default=None, help="In place of the file's.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the cloud in DIR, which must hold none.  [default: a temporary folder]",
)
def rehearse(*, file: str, is_json: bool, seed: int | None, data: Path | None) -> None:
    """Run the scenario of FILE, or one that comes with the product, on a simulated cloud of its own.

    A scenario says what happens when (cells and hosts that fail, drains, servers that come and go, schedules), and what
    is expected at the end. Simulated time runs as fast as the machine allows. The report says who was shrunk or
    stopped and for whom, which backups were missed, which invariant, group or target was violated, and how long it
    took until all was well; with the same file and seed it is the same, byte for byte.

    Ends with 0 where all that was expected is so, with 1 where something is not, and with 2 for a file that is wrong.
    """
    from dataclasses import replace

    from backend.folder import FolderProblem
    from backend.rehearsals.scenario import ScenarioProblem

    try:
        found = scenario_of(file)
        report = _run(found if seed is None else replace(found, seed=seed), data)
    except ScenarioProblem as problem:
        raise Refusal("\n".join(problem.sentences)) from problem
    except FolderProblem as problem:
        raise Refusal(str(problem)) from problem
    if is_json:
        import json

        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        from console.sanitising import clean

        for line in report.lines():
            click.echo(clean(line))
    if not report.is_met:
        raise SystemExit(1)


def scenario_of(file: str) -> Scenario:
    """Of a file, or of a name that comes with the product. Raises ScenarioProblem."""
    from backend.rehearsals import scenario, shipped

    return scenario.read(shipped.find(file))


def _run(found: Scenario, data: Path | None) -> Report:
    from backend.rehearsals import running

    if not sys.stderr.isatty():
        return running.rehearse(found, data)
    with click.progressbar(length=1000, label="Rehearsing", file=sys.stderr, item_show_func=_shown) as bar:

        def tell(sentence: str, share: float) -> None:
            bar.update(int(share * 1000) - bar.pos, sentence)

        return running.rehearse(found, data, progress=tell)


def _shown(sentence: Any) -> str | None:
    return None if sentence is None else str(sentence)[:60]
