"""Commands about whole clouds, which need no running backend: `cloud export` and `replay`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.cli_options import DEFAULT_SEED, Refusal, chosen_folder, data_option, storable
from console.cli_options import fleet_file as path_of_fleet
from console.completion import words_or_file


@click.group("cloud")
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

    path = chosen_folder(data)
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


@click.command(short_help="Drive a cloud of its own from a real workload.")
@click.argument("trace", shell_complete=words_or_file("azure-2017", "alibaba-openb"))
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
    callback=storable,
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
    callback=path_of_fleet(),
    shell_complete=words_or_file(),
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
                    outlives the trace), vcpus, memory_gib, tenant_batch, in this order;
                    whole numbers but for the memory, sorted by arrival.

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
