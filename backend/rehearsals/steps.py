"""The steps of a scenario: what each word of `do` is, which keys go with it, and how it is read.

Reading order: the steps, lengths of time, `VERBS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend import fleet_file
from backend.cloud import backups
from backend.cloud.model import GIB, LARGEST_SERVER, SMALLEST_SERVER, Size
from backend.operations.drives import SIZE_BYTES_MAX, SIZE_BYTES_MIN
from backend.quoting import shown
from backend.toml_table import Table, Wrong, found

LASTS_SECONDS_MAX = 366 * 86_400
SERVERS_MAX = 20_000
"""That one step makes."""
NAME_LENGTH_MAX = 200


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
    """Whether each is to avoid the others, as far as they are made when it is started."""
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
    where: str = field(default="steps", compare=False)
    """In the file: its line, and the key of its table."""


# ---------------------------------------------------------------------------------------------------- lengths of time

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


def length(
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
        over_seconds=length(table, values, "over", 0, default=0),
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
        target_seconds=length(table, values, "target", 1) if table.has("target") else None,
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


VERBS: Mapping[str, tuple[tuple[str, ...], _Make]] = {
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
