"""`check`: every invariant of a data folder and every certificate in it, whether a backend serves the folder or not."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

import click

from console.cli_options import Refusal, chosen_folder, data_option

AGAIN_SECONDS = 0.3
"""How long a change that spans two files may take while a backend serves the folder."""


class _CannotTell:
    """A fault of the check is no breach of what it checks: its trace is printed, and the status is 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from backend.store import FolderError

        if error is None or isinstance(error, FolderError):
            return
        if isinstance(error, KeyboardInterrupt):
            raise Refusal("Stopped before the check was over, so nothing is known.") from error
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        raise Refusal(
            f"The check itself failed ({type(error).__name__}), so nothing is known of the folder."
        ) from error


@click.command(short_help="Verify the certificates and invariants of a data folder.")
@click.option("--json", "is_json", is_flag=True, help="Print what was checked as JSON.")
@data_option
def check(is_json: bool, data: Path | None) -> None:
    """Verify every decision that is stored in a data folder, and everything that must always be so.

    No host is over its capacity, every running server has exactly one host, each has the size that what is on its host
    gives it, what projects are charged for is what exists, and the logs of events have no gaps and add up to what is
    stored. Each decision that shrank or stopped somebody carries a certificate; it is proved that no host, and no other
    set of servers to stop, would have been better.

    Nothing is changed, and a backend that serves the folder goes on. Ends with 0 where everything is as it must be,
    with 1 at the first breach, which is named, and with 2 where that cannot be told: there is no cloud, a file of it
    cannot be read, or the check itself failed.
    """
    from backend import check as checking
    from backend import folder
    from backend.store import FolderError

    path = chosen_folder(data)

    def again() -> bool:
        if folder.find_running(path) is None:
            return False
        time.sleep(AGAIN_SECONDS)
        return True

    try:
        with _CannotTell():
            report = checking.check(path, again=again)
    except FolderError as problem:
        raise Refusal(str(problem)) from problem
    if is_json:
        import json

        click.echo(json.dumps({"folder": str(path), **report.to_json()}, indent=2))
    else:
        from console.sanitising import clean

        for line in report.lines():
            click.echo(clean(line))
    if report.breach is not None:
        raise SystemExit(1)
