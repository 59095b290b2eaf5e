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
    missed_max = 0                   # runs of schedules that were missed
    refused_max = 0                  # steps that the cloud refused, server by server
    recovery_max = "5m"              # from the first that breaks to the last that is whole again
    backup_age_max = "26h"           # of the last good backup of whatever has a schedule, at any time
    targets_met = true               # no such age was over its schedule's own target
    groups_apart = true              # whoever was apart is so in the end; or the names of groups
    [expected.servers]
    web-1 = "running"

What `do` may be, and what goes with it, is `_VERBS`. Names of servers may be patterns: `web-*`.

A file that is wrong gets a sentence for each mistake: the line where it can be told, the key, what was found and what
was expected. Nothing here touches a cloud; `running` does what the file says.

Reading order: Scenario, the steps, Expected, read, parse, `_VERBS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from backend import fleet_file, trace
from backend.cloud import backups
from backend.cloud.model import GIB, LARGEST_SERVER, SMALLEST_SERVER, ServerState, Size
from backend.fleet_file import Fleet, FleetProblem
from backend.operations.drives import SIZE_BYTES_MAX, SIZE_BYTES_MIN
from backend.quoting import shown
from backend.toml_table import INTEGER_MAX, Table, Unreadable, Wrong, found, parsed, read_text

BEGIN_DEFAULT = datetime(2026, 1, 5, tzinfo=UTC)
SEED_DEFAULT = 1
LASTS_SECONDS_MAX = 366 * 86_400
STEPS_MAX = 10_000
SERVERS_MAX = 20_000
"""That one step makes."""
NAME_LENGTH_MAX = 200
MISTAKES_MAX = 50
"""So many are told of one file."""

CELL_STATES = ("down", "hung", "garbage", "old", "up")


class ScenarioProblem(Exception):
    """The file cannot be read as a scenario."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)
        """One for each mistake."""


# -------------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class CellFault:
    """`garbage`: its file holds something else. `old`: it is the copy from before the first step. `up` ends all."""

    cell: str
    state: Literal["down", "hung", "garbage", "old", "up"]


@dataclass(frozen=True, slots=True)
class HostVerb:
    host: str
    action: Literal["fail", "recover", "drain", "evacuate"]


@dataclass(frozen=True, slots=True)
class Create:
    """Servers NAME-01 to NAME-COUNT, or just NAME."""

    name: str
    size: Size
    count: int = 1
    is_backfilling: bool = False
    floor_permille: int = 0
    cell: str | None = None
    group: str | None = None
    is_apart: bool = False
    """Whether each is to avoid those before it."""
    drive_bytes: int = 0
    is_started: bool = True
    restarts: bool = False
    """Whether each is to start again by itself after it was stopped for room."""
    over_seconds: int = 0
    """They come one after the other, spread evenly over so long."""

    @property
    def names(self) -> list[str]:
        return [self.name] if self.count == 1 else list(fleet_file.numbered_names(self.name, self.count))


@dataclass(frozen=True, slots=True)
class ServerVerb:
    action: Literal["start", "stop", "shutdown", "delete"]
    servers: tuple[str, ...]
    """Names or patterns."""


@dataclass(frozen=True, slots=True)
class MakeSchedule:
    """One schedule for each of the servers."""

    servers: tuple[str, ...]
    cron: str
    time_zone: str = "UTC"
    retention_days: int = 0
    backups_max: int = 0
    target_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RestoreGroup:
    group: str


Act = CellFault | HostVerb | Create | ServerVerb | MakeSchedule | ChangeSettings | RestoreGroup


@dataclass(frozen=True, slots=True)
class Step:
    at_seconds: int
    verb: str
    """As the file says it."""
    act: Act


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

    @property
    def has_old_copies(self) -> bool:
        return any(isinstance(step.act, CellFault) and step.act.state == "old" for step in self.steps)

    def misfits(self, cells: Sequence[str], hosts: Sequence[str]) -> Iterator[str]:
        """A sentence for each step that names a cell or a host that the cloud does not have."""
        known = {"cell": set(cells), "host": set(hosts)}
        for step in self.steps:
            for kind, names in known.items():
                name = getattr(step.act, kind, None)
                if name is not None and name not in names:
                    some = ", ".join(sorted(names)[:6])
                    told = f"the step {step.verb} at {told_seconds(step.at_seconds)} names {kind} {shown(name)}"
                    yield f"{told}, expected one of the cloud's: {some}{', …' if len(names) > 6 else ''}"


_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_LENGTH = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")


def told_seconds(seconds: int) -> str:
    """`1h05m`, as the file has it."""
    parts: list[str] = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count:02}{unit}" if parts else f"{count}{unit}")
    return "".join(parts) or "0s"


# ------------------------------------------------------------------------------------------------------------ reading


def read(path: Path) -> Scenario:
    """Read a scenario from a file, and that of its fleet from beside it if it names one. Raises ScenarioProblem."""
    missing = "`stratodeck rehearse --list` says which come with the product."
    try:
        text = read_text(path, wanted="a TOML file that describes a scenario", missing=missing)
    except Unreadable as problem:
        raise ScenarioProblem([str(problem)]) from problem
    return parse(text, file=str(path), folder=path.parent)


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
    scenario = reading.scenario(Table("", whole), whole)
    if reading.mistakes:
        raise ScenarioProblem([f"{file}: {mistake}." for mistake in reading.mistakes[:MISTAKES_MAX]])
    return scenario


class _Reading:
    """One pass over the file, which goes on after a mistake."""

    def __init__(self, text: str, folder: Path | None) -> None:
        self.mistakes: list[str] = []
        self._folder = folder
        self._lines = _lines_of_steps(text)

    def scenario(self, top: Table, whole: Mapping[str, Any]) -> Scenario:
        self._keys(top, _TOP, "a scenario")
        title = self._get(lambda: top.text("title", 200, ""), "")
        about = self._get(lambda: top.text("about", 2000, "", default="-"), "-")
        cloud, fleet = self._get(lambda: self._cloud(top, whole), ("demo", None))
        seed = self._get(lambda: top.integer("seed", -INTEGER_MAX - 1, INTEGER_MAX, default=SEED_DEFAULT), SEED_DEFAULT)
        lasts = self._get(lambda: _length(top, whole, "lasts", 1), LASTS_SECONDS_MAX)
        counts_from = self._get(lambda: _length(top, whole, "counts_from", 0, lasts, default=0), 0)
        begin = self._get(lambda: _instant(top, whole), BEGIN_DEFAULT)
        hours = self._get(lambda: _hours(top, whole, cloud), None)
        steps = self._steps(top, whole, lasts)
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

    def _keys(self, table: Table, known: Sequence[str], noun: str, *, line: str = "") -> None:
        for mistake in table.strange_keys(known, noun):
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
            last, step = self._step(table, whole["steps"][index], last, lasts, line=line)
            if step is not None:
                found_steps.append(step)
        return found_steps

    def _step(
        self, table: Table, values: Mapping[str, Any], last: int, lasts: int, *, line: str
    ) -> tuple[int, Step | None]:
        """When it is, and what; None where that cannot be told. `last` is when the step before it is."""
        at: int = self._get(lambda: _at(table, values, last, lasts), last, line=line)
        verb: str | None = self._get(lambda: table.word("do", tuple(_VERBS)), None, line=line)
        if verb is None:
            return at, None
        keys, make = _VERBS[verb]
        self._keys(table, ("at", "after", "do", *keys), f"a step {verb}", line=line)
        act: Act | None = self._get(lambda: make(table, values), None, line=line)
        return at, None if act is None else Step(at, verb, act)

    def _expected(self, top: Table, whole: Mapping[str, Any]) -> Expected:
        values = whole["expected"]
        if not isinstance(values, dict):
            raise top.wrong("expected", "a table [expected]")
        table = Table("expected", values)
        self._keys(table, _EXPECTED, "what is expected")

        def number(key: str) -> int | None:
            return self._get(lambda: table.integer(key, 0, INTEGER_MAX), None) if key in values else None

        def length(key: str) -> int | None:
            return self._get(lambda: _length(table, values, key, 0), None) if key in values else None

        return Expected(
            stopped_max=number("stopped_max"),
            shrunk_max=number("shrunk_max"),
            missed_max=number("missed_max"),
            refused_max=number("refused_max"),
            recovery_seconds_max=length("recovery_max"),
            backup_age_seconds_max=length("backup_age_max"),
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


# ----------------------------------------------------------------------------------------------------------- the values


def _length(
    table: Table,
    values: Mapping[str, Any],
    key: str,
    least: int,
    most: int = LASTS_SECONDS_MAX,
    *,
    default: int | None = None,
) -> int:
    """Of time, in seconds."""
    value = values.get(key, default)
    seconds = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and value and (match := _LENGTH.fullmatch(value)) is not None:
        seconds = sum(int(count) * unit for count, (_, unit) in zip(match.groups("0"), _UNITS, strict=True))
    if seconds is None or not least <= seconds <= most:
        raise table.wrong(
            key, f'a time from {told_seconds(least)} to {told_seconds(most)}, like "90s", "15m", "1h30m", or seconds'
        )
    return seconds


def _at(table: Table, values: Mapping[str, Any], last: int, lasts: int) -> int:
    if "at" in values and "after" in values:
        raise Wrong(f"{table.key('after')} is there beside `at`, expected one of them")
    if "after" in values:
        return last + _length(table, values, "after", 0, max(0, lasts - last))
    return _length(table, values, "at", 0, lasts, default=last)


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


def _name(table: Table, key: str) -> str:
    return table.text(key, NAME_LENGTH_MAX, "")


def _optional(table: Table, key: str) -> str | None:
    return _name(table, key) if table.has(key) else None


def _patterns(table: Table, values: Mapping[str, Any]) -> tuple[str, ...]:
    value = values.get("servers")
    listed: list[Any] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    is_good = all(isinstance(each, str) and 0 < len(each) <= NAME_LENGTH_MAX for each in listed)
    if not is_good or not 0 < len(listed) <= 1000:
        raise table.wrong("servers", 'the name of a server, a pattern like "web-*", or an array of them')
    return tuple(listed)


# ------------------------------------------------------------------------------------------------------------ the verbs

_Make = Callable[[Table, Mapping[str, Any]], Act]


def _cell(state: Literal["down", "hung", "garbage", "old", "up"]) -> tuple[tuple[str, ...], _Make]:
    return ("cell",), lambda table, values: CellFault(table.name("cell"), state)


def _host(action: Literal["fail", "recover", "drain", "evacuate"]) -> tuple[tuple[str, ...], _Make]:
    return ("host",), lambda table, values: HostVerb(table.name("host"), action)


def _server(action: Literal["start", "stop", "shutdown", "delete"]) -> tuple[tuple[str, ...], _Make]:
    return ("servers",), lambda table, values: ServerVerb(action, _patterns(table, values))


def _create(table: Table, values: Mapping[str, Any]) -> Create:
    size = Size(
        table.integer("cpu_mhz", SMALLEST_SERVER.cpu_mhz, LARGEST_SERVER.cpu_mhz, "MHz"),
        table.integer("memory_bytes", SMALLEST_SERVER.memory_bytes, LARGEST_SERVER.memory_bytes, "bytes"),
    )
    is_backfilling = table.yes_or_no("backfilling")
    if table.has("floor") and not is_backfilling:
        raise table.wrong("floor", "it only beside backfilling = true")
    group = _optional(table, "group")
    drive_bytes = 0
    if table.has("drive_bytes"):
        drive_bytes = table.integer("drive_bytes", SIZE_BYTES_MIN, SIZE_BYTES_MAX, f"bytes; {GIB} is 1 GiB")
    return Create(
        name=_name(table, "name"),
        size=size,
        count=table.integer("count", 1, SERVERS_MAX, default=1),
        is_backfilling=is_backfilling,
        floor_permille=table.permille("floor", default=0),
        cell=table.name("cell") if table.has("cell") else None,
        group=group,
        is_apart=table.yes_or_no("apart"),
        drive_bytes=drive_bytes,
        is_started=table.yes_or_no("started") if table.has("started") else True,
        restarts=table.yes_or_no("restarts"),
        over_seconds=_length(table, values, "over", 0, default=0),
    )


def _schedule(table: Table, values: Mapping[str, Any]) -> MakeSchedule:
    cron = table.text("cron", 128, "")
    time_zone = table.text("time_zone", 64, "", default="UTC")
    try:
        backups.parse(cron, time_zone)
    except backups.CronError as problem:
        key = "time_zone" if problem.field == "time_zone" else "cron"
        raise Wrong(f"{table.key(key)} is {found(values.get(key, time_zone))}, which {problem}") from problem
    return MakeSchedule(
        servers=_patterns(table, values),
        cron=cron,
        time_zone=time_zone,
        retention_days=table.integer("retention_days", 0, 36_500, "days; 0 is for ever", default=0),
        backups_max=table.integer("backups_max", 0, 10_000, "backups; 0 is any number", default=0),
        target_seconds=_length(table, values, "target", 1) if table.has("target") else None,
    )


_SETTINGS = ("list_records_by_skipping_down_cells", "default_cpu_type")


def _settings(table: Table, values: Mapping[str, Any]) -> ChangeSettings:
    changed: dict[str, Any] = {}
    if table.has("list_records_by_skipping_down_cells"):
        changed["list_records_by_skipping_down_cells"] = table.yes_or_no("list_records_by_skipping_down_cells")
    if table.has("default_cpu_type"):
        changed["default_cpu_type"] = table.word("default_cpu_type", ("amd", "intel"))
    if not changed:
        raise Wrong(f"{table.key('do')} is the string {shown('settings')}, expected one of {', '.join(_SETTINGS)} too")
    return ChangeSettings(changed)


_VERBS: Mapping[str, tuple[tuple[str, ...], _Make]] = {
    "cell-down": _cell("down"),
    "cell-hung": _cell("hung"),
    "cell-garbage": _cell("garbage"),
    "cell-old": _cell("old"),
    "cell-up": _cell("up"),
    "host-lost": _host("fail"),
    "host-back": _host("recover"),
    "drain": _host("drain"),
    "evacuate": _host("evacuate"),
    "create": (
        (
            "name",
            "count",
            "cpu_mhz",
            "memory_bytes",
            "backfilling",
            "floor",
            "cell",
            "group",
            "apart",
            "drive_bytes",
            "started",
            "restarts",
            "over",
        ),
        _create,
    ),
    "start": _server("start"),
    "stop": _server("stop"),
    "shutdown": _server("shutdown"),
    "delete": _server("delete"),
    "schedule": (
        ("servers", "cron", "time_zone", "retention_days", "backups_max", "target"),
        _schedule,
    ),
    "settings": (_SETTINGS, _settings),
    "restore-group": (("group",), lambda table, values: RestoreGroup(_name(table, "group"))),
}
"""By the word of `do`: the keys that go with it, and how the step is made of them."""
