"""A scenario as a file: what happens when on which cloud, and what is expected at the end, in TOML.

    title = "A host is lost under a redundant pair"
    cloud = "demo"                   # or a trace, the path of a fleet's file, or a table [cloud] with a fleet
    begin = 2026-01-05T01:00:00Z     # optional: the simulated instant of "0s"
    seed = 7                         # optional: gives the cloud and all ids in it
    lasts = "2h"                     # "90s", "15m", "1h30m", "2d", or a whole number of seconds
    counts_from = "10m"              # optional: what happens before only fills the cloud

    [[steps]]
    at = "15m"                       # from the beginning; or `after`, from the step before; without either: with it
    do = "host-lost"
    host = "c1-h01"

    [expected]                       # each is optional; that all invariants hold is always expected
    stopped_max = 0                  # servers that were stopped against their will
    shrunk_max = 10                  # servers that were made smaller
    missed_max = 0                   # runs of schedules that were missed, or refused as the last one was not over
    refused_max = 0                  # steps that the cloud refused, server by server
    recovery_max = "5m"              # from the first that breaks to the last that is whole again
    backup_age_max = "26h"           # of the last good backup of whatever has a schedule, at any time
    targets_met = true               # no such age was over its schedule's own target
    groups_apart = true              # whoever was apart is so in the end; or the names of groups
    [expected.servers]
    web-1 = "running"

What `do` may be, and what goes with it, is `steps.VERBS`. Names of servers may be patterns: `web-*`.

A file that is wrong gets a sentence for each mistake: the line where it can be told, the key, what was found and what
was expected; names of cells and hosts that its cloud will not have are mistakes too. Nothing here touches a cloud;
`running` does what the file says.

Reading order: Scenario, Expected, read, parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend import fleet_file, trace
from backend.cloud.model import ServerState
from backend.fleet_file import Fleet, FleetProblem
from backend.quoting import shown
from backend.rehearsals import known
from backend.rehearsals.known import Known
from backend.rehearsals.steps import (
    LASTS_SECONDS_MAX,
    VERBS,
    Act,
    CellFault,
    Create,
    RestoreGroup,
    Step,
    length,
    told_seconds,
)
from backend.toml_table import INTEGER_MAX, Table, Unreadable, Wrong, parsed, read_text

BEGIN_DEFAULT = datetime(2026, 1, 5, tzinfo=UTC)
SEED_DEFAULT = 1
STEPS_MAX = 10_000
SERVERS_TOTAL_MAX = 100_000
"""That all steps together make."""
MISTAKES_MAX = 50
"""So many are told of one file."""


class ScenarioProblem(Exception):
    """The file cannot be read as a scenario."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)
        """One for each mistake."""


# ----------------------------------------------------------------------------------------------------------- the whole


@dataclass(frozen=True, slots=True)
class Expected:
    """None: nothing is expected of it."""

    stopped_max: int | None = None
    shrunk_max: int | None = None
    missed_max: int | None = None
    refused_max: int | None = None
    recovery_seconds_max: int | None = None
    backup_age_seconds_max: int | None = None
    targets_met: bool = False
    groups_apart: bool | tuple[str, ...] = False
    servers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    title: str
    cloud: str
    """`demo`, the name of a trace, or `fleet`."""
    fleet: Fleet | None
    steps: tuple[Step, ...]
    """By instant; those of the same one in the order of the file."""
    lasts_seconds: int
    expected: Expected = Expected()
    about: str = ""
    begin: datetime = BEGIN_DEFAULT
    """Of a trace's cloud, where the trace itself says when it ends: not used."""
    seed: int = SEED_DEFAULT
    counts_from_seconds: int = 0
    trace_hours: float | None = None
    file: str = field(default="", compare=False)
    """What sentences call it."""
    lines_of_servers: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Where the file names those that are expected."""

    @property
    def has_old_copies(self) -> bool:
        return any(isinstance(step.act, CellFault) and step.act.state == "old" for step in self.steps)

    def misfits(self, known: Known) -> list[str]:
        """A sentence for each name that the cloud does not have."""
        found = list(known.misfits(self.steps))
        for name in known.strangers(tuple(self.expected.servers), self.steps):
            line = f"line {self.lines_of_servers[name]}: " if name in self.lines_of_servers else ""
            key = Table("expected.servers", {}).key(name)
            found.append(f"{line}{key} is no server of the cloud, expected one that is there or that a step makes")
        expected = "expected one that is there or that a step makes servers in"
        for step in self.steps:
            if isinstance(step.act, RestoreGroup):
                for name in known.groups_of_nobody((step.act.group,), self.steps):
                    found.append(f"{step.where}.group is the string {shown(name)}, no group of the cloud, {expected}")
        named = self.expected.groups_apart
        for name in known.groups_of_nobody(() if isinstance(named, bool) else named, self.steps):
            found.append(f"expected.groups_apart has the string {shown(name)}, no group of the cloud, {expected}")
        return found


# ------------------------------------------------------------------------------------------------------------ reading


def read(path: Path, *, file: str | None = None) -> Scenario:
    """Read a scenario from a file, and that of its fleet from beside it if it names one. Raises ScenarioProblem.

    `file` is what the sentences call it, its path without.
    """
    missing = "`stratodeck rehearse --list` says which come with the product."
    try:
        text = read_text(path, wanted="a TOML file that describes a scenario", missing=missing)
    except Unreadable as problem:
        raise ScenarioProblem([str(problem)]) from problem
    return parse(text, file=file or str(path), folder=path.parent)


def parse(text: str, *, file: str, folder: Path | None = None) -> Scenario:
    """The scenario that this text describes.

    Args:
        file: What the sentences call it.
        folder: Where the file of its fleet is looked for; None: it can name none.

    Raises:
        ScenarioProblem: a sentence for each mistake.
    """
    try:
        whole = parsed(text, file=file, noun="a scenario")
    except Unreadable as problem:
        raise ScenarioProblem([str(problem)]) from problem
    reading = _Reading(text, folder)
    scenario = replace(reading.scenario(Table("", whole), whole), file=file, lines_of_servers=_lines_of_servers(text))
    mistakes = list(reading.mistakes)
    # What a cloud that could not be read has is not known, nor what a step that could not be read makes.
    if reading.has_cloud:
        found = known.before(scenario.cloud, scenario.fleet)
        mistakes += scenario.misfits(found if reading.has_steps else replace(found, servers=None, groups=None))
    if mistakes:
        raise ScenarioProblem([f"{file}: {mistake}." for mistake in mistakes[:MISTAKES_MAX]])
    return scenario


class _Reading:
    """One pass over the file, which goes on after a mistake."""

    def __init__(self, text: str, folder: Path | None) -> None:
        self.mistakes: list[str] = []
        self.has_cloud = False
        self.has_steps = False
        """Whether each of them could be read."""
        self._folder = folder
        self._lines = _lines_of_steps(text)

    def scenario(self, top: Table, whole: Mapping[str, Any]) -> Scenario:
        self._keys(top, _TOP, "a scenario")
        title = self._get(lambda: top.text("title", 200, ""), "")
        about = self._get(lambda: top.text("about", 2000, "", default="-"), "-")
        cloud, fleet = self._get(lambda: self._cloud(top, whole), ("", None))
        self.has_cloud = cloud != ""
        seed = self._get(lambda: top.integer("seed", -INTEGER_MAX - 1, INTEGER_MAX, default=SEED_DEFAULT), SEED_DEFAULT)
        lasts = self._get(lambda: length(top, whole, "lasts", 1), LASTS_SECONDS_MAX)
        counts_from = self._get(lambda: length(top, whole, "counts_from", 0, lasts, default=0), 0)
        begin = self._get(lambda: _instant(top, whole), BEGIN_DEFAULT)
        hours = self._get(lambda: _hours(top, whole, cloud), None)
        steps = self._steps(top, whole, lasts)
        count = sum(step.act.count for step in steps if isinstance(step.act, Create))
        if count > SERVERS_TOTAL_MAX:
            self.mistakes.append(f"steps make {count:,} servers, expected at most {SERVERS_TOTAL_MAX:,} in all")
        expected = Expected()
        if "expected" in whole:
            expected = self._get(lambda: self._expected(top, whole), expected)
        return Scenario(
            title=title,
            about="" if about == "-" else about,
            cloud=cloud,
            fleet=fleet,
            steps=tuple(sorted(steps, key=lambda step: step.at_seconds)),
            lasts_seconds=lasts,
            expected=expected,
            begin=begin,
            seed=seed,
            counts_from_seconds=counts_from,
            trace_hours=hours,
        )

    def _get(self, look: Callable[[], Any], instead: Any, *, line: str = "") -> Any:
        try:
            return look()
        except Wrong as wrong:
            self.mistakes.append(f"{line}{wrong}")
            return instead

    def _keys(self, table: Table, keys: Sequence[str], noun: str, *, line: str = "") -> None:
        for mistake in table.strange_keys(keys, noun):
            self.mistakes.append(f"{line}{mistake}")

    def _cloud(self, top: Table, whole: Mapping[str, Any]) -> tuple[str, Fleet | None]:
        value = whole.get("cloud")
        if isinstance(value, dict):
            return "fleet", fleet_file.of_table(Table("cloud", value), "a fleet")
        named = " or ".join(trace.NAMES)
        expected = f'"demo", a trace ({named}), the path of a fleet\'s file, or a table [cloud] with a fleet'
        if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value:
            raise top.wrong("cloud", expected)
        if value == "demo" or value in trace.NAMES:
            return value, None
        if self._folder is None:
            raise top.wrong("cloud", expected)
        try:
            return "fleet", fleet_file.read(self._folder / value)
        except FleetProblem as problem:
            raise Wrong(f"cloud is {shown(value)}, which is no fleet: {str(problem).rstrip('.')}") from problem

    def _steps(self, top: Table, whole: Mapping[str, Any], lasts: int) -> list[Step]:
        tables = self._get(lambda: top.tables("steps", at_most=STEPS_MAX, needs_one=False), [])
        found_steps: list[Step] = []
        last = 0
        for index, table in enumerate(tables):
            line = f"line {self._lines[index]}: " if len(self._lines) == len(tables) else ""
            last, step = self._step(table, whole["steps"][index], last, lasts, line=line, where=f"steps[{index}]")
            if step is not None:
                found_steps.append(step)
        self.has_steps = len(found_steps) == len(tables) == len(whole.get("steps", ()))
        return found_steps

    def _step(
        self, table: Table, values: Mapping[str, Any], last: int, lasts: int, *, line: str, where: str
    ) -> tuple[int, Step | None]:
        """When it is, and what; None where that cannot be told. `last` is when the step before it is."""
        at: int = self._get(lambda: _at(table, values, last, lasts), last, line=line)
        verb: str | None = self._get(lambda: table.word("do", tuple(VERBS)), None, line=line)
        if verb is None:
            return at, None
        keys, make = VERBS[verb]
        self._keys(table, ("at", "after", "do", *keys), f"a step {verb}", line=line)
        act: Act | None = self._get(lambda: make(table, values), None, line=line)
        if isinstance(act, Create) and at + act.over_seconds > lasts:
            told = f"expected a time that ends by {told_seconds(lasts)}, as all of it does"
            self.mistakes.append(f"{line}{table.key('over')} is {told_seconds(act.over_seconds)}, {told}")
        return at, None if act is None else Step(at, verb, act, f"{line}{where}")

    def _expected(self, top: Table, whole: Mapping[str, Any]) -> Expected:
        values = whole["expected"]
        if not isinstance(values, dict):
            raise top.wrong("expected", "a table [expected]")
        table = Table("expected", values)
        self._keys(table, _EXPECTED, "what is expected")

        def number(key: str) -> int | None:
            return self._get(lambda: table.integer(key, 0, INTEGER_MAX), None) if key in values else None

        def seconds(key: str) -> int | None:
            return self._get(lambda: length(table, values, key, 0), None) if key in values else None

        return Expected(
            stopped_max=number("stopped_max"),
            shrunk_max=number("shrunk_max"),
            missed_max=number("missed_max"),
            refused_max=number("refused_max"),
            recovery_seconds_max=seconds("recovery_max"),
            backup_age_seconds_max=seconds("backup_age_max"),
            targets_met=self._get(lambda: table.yes_or_no("targets_met"), False),
            groups_apart=self._get(lambda: _groups(table, values), False),
            servers=self._get(lambda: _states(table, values), {}),
        )


_TOP = ("title", "about", "cloud", "begin", "seed", "lasts", "counts_from", "hours", "steps", "expected")
_EXPECTED = (
    "stopped_max",
    "shrunk_max",
    "missed_max",
    "refused_max",
    "recovery_max",
    "backup_age_max",
    "targets_met",
    "groups_apart",
    "servers",
)


def _lines_of_steps(text: str) -> list[int]:
    """The line of each `[[steps]]`. Tables that are written in another way have none, and so are not counted."""
    return [number for number, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[\s*steps\s*\]\]", line)]


def _lines_of_servers(text: str) -> dict[str, int]:
    """The line of each name in `[expected.servers]`, as far as names are written in the plain way."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[+([^\]]*)\]", line):
            table = re.sub(r"\s", "", header[1])
        elif table == "expected.servers" and (key := re.match(r"""\s*["']?([^"'=\s]+)["']?\s*=""", line)):
            found[key[1]] = number
    return found


# ----------------------------------------------------------------------------------------------------------- the values


def _at(table: Table, values: Mapping[str, Any], last: int, lasts: int) -> int:
    if "at" in values and "after" in values:
        raise Wrong(f"{table.key('after')} is there beside `at`, expected one of them")
    if "after" in values:
        return last + length(table, values, "after", 0, max(0, lasts - last))
    return length(table, values, "at", 0, lasts, default=last)


def _instant(top: Table, whole: Mapping[str, Any]) -> datetime:
    value = whole.get("begin", BEGIN_DEFAULT)
    is_good = isinstance(value, datetime) and value.tzinfo is not None and 2000 <= value.year <= 2100
    if not is_good or value.microsecond:
        raise top.wrong("begin", "a date and time with its offset, like 2026-01-05T01:00:00Z, from 2000 to 2100")
    assert isinstance(value, datetime)
    return value.astimezone(UTC)


def _hours(top: Table, whole: Mapping[str, Any], cloud: str) -> float | None:
    if "hours" not in whole:
        return None
    value = whole["hours"]
    if cloud not in trace.NAMES:
        raise top.wrong("hours", "it only beside the name of a trace")
    most = trace.find(cloud).hours_max
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise top.wrong("hours", f"a number over 0 and at most {most}")
    return float(value)


def _groups(table: Table, values: Mapping[str, Any]) -> bool | tuple[str, ...]:
    value = values.get("groups_apart", False)
    if isinstance(value, bool):
        return value
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise table.wrong("groups_apart", "true, false, or an array of names of groups")
    return tuple(value)


def _states(table: Table, values: Mapping[str, Any]) -> dict[str, str]:
    value = values.get("servers", {})
    words = [state.value for state in ServerState]
    if not isinstance(value, dict):
        raise table.wrong("servers", "a table [expected.servers] of names and states")
    own = Table("expected.servers", value)
    return {name: own.word(name, words) for name in value}
