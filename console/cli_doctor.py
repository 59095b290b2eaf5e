"""`doctor`: what is wrong with this installation, this terminal and a data folder, and what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import settings
from console.cli_options import DRAWS_NOTHING, chosen_folder, data_option, problems_of

if TYPE_CHECKING:
    from backend.doctor import Finding

ASK_SECONDS = 5.0
"""How long a backend may take to answer."""

COLUMNS_MIN, ROWS_MIN = 40, 10
SQLITE_MIN = (3, 37, 0)
"""The first with STRICT tables."""
SQLITE_SAFE = (3, 51, 3)


@click.command(short_help="Say what is wrong with an installation or a folder, and what to do.")
@click.option("--json", "is_json", is_flag=True, help="Print what was found as JSON.")
@data_option
def doctor(is_json: bool, data: Path | None) -> None:
    """Look at this installation, this terminal, the settings and a data folder, and say what to do about each fault.

    Nothing is changed, and a backend that serves the folder goes on. What a cloud must be like is verified by
    `stratodeck check`. Ends with 1 where something is bad.
    """
    from console.sanitising import clean

    found = list(_examine(data))
    if is_json:
        import json

        rows = [{"level": f.level, "subject": f.subject, "says": f.says, "advice": f.advice} for f in found]
        click.echo(json.dumps({"findings": rows}, indent=2))
    else:
        width = max(len(finding.subject) for finding in found)
        for finding in found:
            advice = f"  -> {finding.advice}" if finding.advice else ""
            click.echo(clean(f"{finding.level:<4}  {finding.subject:<{width}}  {finding.says}{advice}"))
    if any(finding.level == "bad" for finding in found):
        raise SystemExit(1)


def _examine(data: Path | None) -> Iterator[Finding]:
    from backend import doctor as of_folder
    from backend.clock import system_wall

    yield from _installation()
    yield from _terminal(os.environ)
    is_usable, findings = _settings()
    yield from findings
    if not is_usable and data is None:
        return
    path = chosen_folder(data)
    yield from of_folder.examine(path, now=system_wall())
    yield from _backend(path)


def _settings() -> tuple[bool, list[Finding]]:
    """Whether the file can be read at all; and what is wrong in it, its keys and its clouds too."""
    from backend.doctor import Finding

    file = settings.path_of_file()
    try:
        chosen = settings.resolve()
    except settings.SettingsProblem as problem:
        return False, [_problem(str(problem))]
    found = [_problem(problem) for problem in problems_of(chosen)]
    says = f"{file} can be used" if file.exists() else f"there is no {file}: the defaults"
    return True, found or [Finding("ok", "settings", says)]


def _problem(told: str) -> Finding:
    from backend.doctor import Finding

    says, _, advice = told.rstrip(".").partition(". ")
    return Finding("bad", "settings", says, advice or "`stratodeck settings --example` shows what there may be.")


def _installation() -> Iterator[Finding]:
    import sqlite3
    from importlib.metadata import PackageNotFoundError, requires, version
    from zoneinfo import available_timezones

    from backend.doctor import Finding

    yield Finding("ok", "python", ".".join(map(str, sys.version_info[:3])))
    sqlite = sqlite3.sqlite_version_info
    if sqlite < SQLITE_MIN:
        yield Finding(
            "bad", "sqlite", f"{sqlite3.sqlite_version} is too old", "Use a Python with SQLite 3.37 or later."
        )
    elif sqlite < SQLITE_SAFE:
        says = (
            f"{sqlite3.sqlite_version}; before 3.51.3 two programs that checkpoint one file at once can corrupt it, so "
            "one connection does it here"
        )
        yield Finding("ok", "sqlite", says, "Do not write to the files of a cloud that runs with other programs.")
    else:
        yield Finding("ok", "sqlite", sqlite3.sqlite_version)
    wrong = 0
    for wanted in requires("stratodeck") or ():
        name, _, marker = wanted.partition(";")
        if marker.strip():
            continue
        package = re.split(r"[<>=!~ \[]", name.strip(), maxsplit=1)[0]
        try:
            has = version(package)
        except PackageNotFoundError:
            has = ""
        if not has or not _fits(has, name.strip().removeprefix(package)):
            wrong += 1
            says = f"{has or 'is missing'}; {name.strip()} is wanted"
            yield Finding("bad", package, says, "Install it: pip install --upgrade stratodeck")
    if not wrong:
        yield Finding(
            "ok", "packages", f"stratodeck {version('stratodeck')}, textual {version('textual')}, and the rest"
        )
    if not available_timezones():
        yield Finding("bad", "time zones", "this machine has none, so schedules cannot have one", "pip install tzdata")


def _fits(has: str, wanted: str) -> bool:
    """Whether a version is within bounds such as `>=8.2,<9`; only numbers count."""
    numbers = _numbers(has)
    for bound in filter(None, wanted.split(",")):
        sign, limit = re.fullmatch(r"\s*([<>=!~]+)\s*(.*)", bound.strip()).groups()  # type: ignore[union-attr]
        wants = _numbers(limit)
        if (sign == ">=" and numbers < wants) or (sign == "<" and numbers >= wants):
            return False
        if sign == "==" and numbers[: len(wants)] != wants:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _terminal(environment: Mapping[str, str]) -> Iterator[Finding]:
    from backend.doctor import Finding

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Finding("ok", "terminal", "there is none here; the console needs one, `stratodeck serve` does not")
        return
    term = environment.get("TERM", "")
    if term in ("", *DRAWS_NOTHING):
        yield Finding("bad", "terminal", f"TERM is {term!r}, which draws nothing", "Set TERM, as to xterm-256color.")
    columns, rows = shutil.get_terminal_size()
    if columns < COLUMNS_MIN or rows < ROWS_MIN:
        says = f"{columns}x{rows} is smaller than {COLUMNS_MIN}x{ROWS_MIN}"
        yield Finding("warn", "terminal", says, "Make it larger: little can be seen.")
    else:
        yield Finding("ok", "terminal", f"{term or 'TERM is not set'}, {columns}x{rows}")
    if environment.get("NO_COLOR"):
        yield Finding("ok", "colours", "none, as NO_COLOR says")
    elif environment.get("COLORTERM") in ("truecolor", "24bit"):
        yield Finding("ok", "colours", "all")
    elif "256" in term:
        yield Finding("ok", "colours", "256")
    else:
        yield Finding(
            "warn", "colours", f"{term or 'this terminal'} says 16 at most", "Set COLORTERM=truecolor if it has more."
        )
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        yield Finding(
            "warn", "encoding", f"{encoding or 'unknown'}, not UTF-8", "Set LANG, as to C.UTF-8; or use --ascii."
        )
    else:
        yield Finding("ok", "encoding", "UTF-8")


def _backend(path: Path) -> Iterator[Finding]:
    """Whether the one that runs answers, and is of this version."""
    from importlib.metadata import version

    from backend import folder
    from backend.doctor import Finding
    from console.unix_http import Refused, ask

    running = folder.find_running(path)
    if running is None:
        return
    try:
        token = folder.read_credentials(path).token_of(folder.OPERATOR) or ""
        ask(running.socket, "GET", "/ops/v1/status", None, token, seconds=ASK_SECONDS)
    except folder.FolderProblem:
        return
    except Refused as refusal:
        advice = "credentials.toml may have changed since it started: start it anew."
        yield Finding("bad", "answer", f"the backend refuses: {refusal}", advice)
    except OSError as error:
        advice = f"It may have hung: end process {running.pid}, and nothing acknowledged is lost."
        yield Finding("bad", "answer", f"none within {ASK_SECONDS:.0f} seconds ({error})", advice)
    else:
        yield Finding("ok", "answer", "the backend answers")
    if running.version != version("stratodeck"):
        says = f"the backend is version {running.version}, and this is {version('stratodeck')}"
        yield Finding("warn", "version", says, "Start it anew.")
