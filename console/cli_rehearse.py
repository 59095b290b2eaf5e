"""`rehearse`: what would happen, done to a cloud of its own, and judged by what was expected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from console.cli_options import Refusal, chosen_settings, storable
from console.completion import words_or_file
from console.names import SHIPPED

if TYPE_CHECKING:
    from backend.rehearsals.report import Report
    from backend.rehearsals.scenario import Scenario
    from console.settings import Settings

WATCHES = "stratodeck.watches"
"""Where the tree of commands puts what opens the console on a rehearsal: this module is below it."""
DEFAULT_RATE = 60.0


class Watches(Protocol):
    """Opens the console on the cloud of a scenario, and returns when one leaves it."""

    def __call__(
        self, name: str, rate: float, chosen: Settings, *, seed: int | None = None, data: Path | None = None
    ) -> None: ...


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
@click.option("--show", "is_shown", is_flag=True, help="Print the file, to write one of your own from it.")
@click.option("--json", "is_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", type=int, callback=storable, default=None, help="In place of the file's.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the cloud in DIR, which must hold none.  [default: a temporary folder]",
)
@click.option("--watch", "is_watched", is_flag=True, help="Open the console on it, and see it happen.")
@click.option(
    "--rate",
    type=click.FloatRange(0, 100_000, min_open=True),
    metavar="N",
    help=f"Simulated seconds in each second.  [default: {DEFAULT_RATE:g} with --watch; without it nothing waits]",
)
def rehearse(
    *,
    file: str,
    is_shown: bool,
    is_json: bool,
    seed: int | None,
    data: Path | None,
    is_watched: bool,
    rate: float | None,
) -> None:
    """Run the scenario of FILE, or one that comes with the product, on a simulated cloud of its own.

    A scenario says what happens when (cells and hosts that fail, drains, servers that come and go, schedules), and what
    is expected at the end. Simulated time runs as fast as the machine allows, or at --rate. The report says who was
    shrunk or stopped and for whom, which backups were missed, which invariant, group or target was violated, and how
    long it took until all was well; without a rate, the same file and seed give the same one, byte for byte.

    Ends with 0 where all that was expected is so, with 1 where something is not, and with 2 for a file that is wrong.
    """
    if is_shown:
        _show(file)
        return
    if is_watched:
        _watch(file, is_json=is_json, seed=seed, data=data, rate=rate)
        return
    from dataclasses import replace

    from backend.folder import FolderProblem
    from backend.rehearsals.scenario import ScenarioProblem

    try:
        found = scenario_of(file)
        report = _run(found if seed is None else replace(found, seed=seed), data, rate)
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


def _show(file: str) -> None:
    from backend.rehearsals import shipped

    if mistakes := mistakes_of(file):
        raise Refusal("\n".join(mistakes))
    click.echo(shipped.find(file).read_text(encoding="utf-8"), nl=False)


def _watch(file: str, *, is_json: bool, seed: int | None, data: Path | None, rate: float | None) -> None:
    if is_json:
        raise click.UsageError("--watch and --json exclude each other.")
    if mistakes := mistakes_of(file):
        raise Refusal("\n".join(mistakes))
    if data is not None and (data / "cloud.db").exists():
        raise Refusal(f"{data} holds a cloud already, and a rehearsal makes its own. Choose another folder.")
    watches: Watches = click.get_current_context().meta[WATCHES]
    watches(file, rate or DEFAULT_RATE, chosen_settings(), seed=seed, data=data)


def mistakes_of(name: str, *, is_brief: bool = False) -> tuple[str, ...]:
    """What is wrong with the file of a scenario, a sentence each; nothing where it can be rehearsed.

    `is_brief` leaves out where the file lies, for one line of a screen.
    """
    from backend.rehearsals import scenario, shipped
    from backend.rehearsals.scenario import ScenarioProblem

    path = shipped.find(name)
    try:
        scenario.read(path, file=path.name if is_brief else None)
    except ScenarioProblem as problem:
        return problem.sentences
    return ()


def scenario_of(file: str) -> Scenario:
    """Of a file, or of a name that comes with the product. Raises ScenarioProblem."""
    from backend.rehearsals import scenario, shipped

    return scenario.read(shipped.find(file))


def _run(found: Scenario, data: Path | None, rate: float | None) -> Report:
    from backend.rehearsals import running

    if not sys.stderr.isatty():
        return running.rehearse(found, data, rate=rate)
    with click.progressbar(length=1000, label="Rehearsing", file=sys.stderr, item_show_func=_shown) as bar:

        def tell(sentence: str, share: float) -> None:
            bar.update(int(share * 1000) - bar.pos, sentence)

        return running.rehearse(found, data, rate=rate, progress=tell)


def _shown(sentence: Any) -> str | None:
    return None if sentence is None else str(sentence)[:60]
