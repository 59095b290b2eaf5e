"""What is asked about backups and schedules: what was typed as values of the API, and the fields that are filled in.

The cloud judges a cron expression and a time zone: it is asked while one types, and says what is wrong in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from console.presentation.creating import Field, Wrong
from console.presentation.mirror import Mirror
from console.presentation.picking import OPTIONS_MAX, Option
from console.records_backups import NOTHING, ScheduleRecord

RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
"""In the order in which the cloud asks them."""
JITTER_SECONDS_MAX = 86_400
"""Of the API."""
FOR_EVER = "for ever"
ANY_NUMBER = "any number"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_NUMBER = re.compile(r"\d{1,9}")
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])", re.IGNORECASE)
_DAYS = re.compile(r"(\d{1,9})\s*(d|days?|w|weeks?)?", re.IGNORECASE)
_KEEP = re.compile(r"(?:(\d{1,9})\s+([a-z]+)|([a-z]+)\s*[ =:]\s*(\d{1,9}))", re.IGNORECASE)


# What was typed ------------------------------------------------------------------------------------------------------


def read_cron(text: str) -> str | Wrong:
    """As it is: the cloud says what is wrong with it."""
    return text.strip() or Wrong("when is needed: five fields, minute hour day month weekday, such as 30 2 * * *")


def read_zone(text: str) -> str:
    """Nothing is UTC."""
    return text.strip() or "UTC"


def read_text(text: str) -> str:
    return text.strip()


def read_days(text: str) -> int | Wrong:
    """Days of `14`, `14 days`, `2w`; 0 of nothing, which is for ever."""
    text = text.strip()
    return _days(text, "or nothing for ever")


def read_drill_days(text: str) -> int | Wrong:
    """As `read_days`; 0 of nothing, which is never."""
    return _days(text.strip(), "or nothing for never")


def _days(text: str, otherwise: str) -> int | Wrong:
    if not text or text.casefold() == FOR_EVER:
        return 0
    found = _DAYS.fullmatch(text)
    if found is None:
        return Wrong(f"{text} is no number of days; type such as 14 or 2w, {otherwise}")
    return int(found[1]) * (7 if (found[2] or "d")[0].casefold() == "w" else 1)


def read_number(text: str) -> int | Wrong:
    """0 of nothing, which is any number."""
    text = text.strip()
    if not text or text.casefold() == ANY_NUMBER:
        return 0
    if _NUMBER.fullmatch(text) is None:
        return Wrong(f"{text} is no number; type such as 10, or nothing for any number")
    return int(text)


def read_seconds(text: str) -> int | Wrong | None:
    """Seconds of `25h`, `30m`, `2d`; None of nothing. A bare number could be anything."""
    text = text.strip()
    if not text:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        return Wrong(f"{text} is no time; type a number and its unit, such as 30m, 25h or 2d")
    return int(found[1]) * _SECONDS[found[2].casefold()]


def read_jitter(text: str) -> int | Wrong:
    """As `read_seconds`; 0 of nothing."""
    found = read_seconds(text)
    if isinstance(found, int) and found > JITTER_SECONDS_MAX:
        return Wrong(f"{text.strip()} is more than a run may be later; 1d is the most")
    return 0 if found is None else found


def read_keeps(text: str) -> dict[str, int] | Wrong:
    """How many of each period are kept, of `7 daily, 4 weekly` or `daily 7, weekly=4`."""
    found: dict[str, int] = {}
    for part in (each.strip() for each in text.split(",")):
        if not part:
            continue
        match = _KEEP.fullmatch(part)
        name = "" if match is None else str(match[2] or match[3]).casefold()
        if match is None or name not in RULES:
            return Wrong(f"{part} keeps nothing known; type such as 7 daily, 4 weekly: {', '.join(RULES)}")
        if name in found:
            return Wrong(f"{name} is said twice; say it once")
        found[name] = int(match[1] or match[4])
    return found


def seconds_text(seconds: int | None) -> str:
    """As it may be typed, in the largest unit that is exact."""
    if not seconds:
        return ""
    unit = max((unit for unit, length in _SECONDS.items() if seconds % length == 0), key=lambda unit: _SECONDS[unit])
    return f"{seconds // _SECONDS[unit]}{unit}"


def keeps_text(keeps: Mapping[str, int]) -> str:
    return ", ".join(f"{keeps[name]} {name}" for name in RULES if keeps.get(name))


# The fields ----------------------------------------------------------------------------------------------------------


def _is_on(text: str) -> bool:
    return text == "on"


def schedule_fields(now: ScheduleRecord | None = None) -> tuple[Field, ...]:
    """What is asked about a schedule; with one, as it is."""
    is_new = now is None
    number = "" if now is None or not now.backups_max else str(now.backups_max)
    days = "" if now is None or not now.retention_days else str(now.retention_days)
    found = (
        Field("cron", "when", read_cron, "five fields: minute hour day month weekday, such as 30 2 * * *; or @daily",
              text="" if now is None else now.cron),
        Field("time_zone", "time zone", read_zone, "whose clock it goes by, such as Europe/Berlin; ctrl+o picks one",
              text="UTC" if now is None else now.time_zone),
        Field("retention_days", "keep for", read_days, "days, such as 14 or 2w; nothing, or 0, keeps for ever",
              text=days),
        Field("backups_max", "at most", read_number, "how many backups to keep; nothing, or 0, is any number",
              text=number),
        Field("keeps", "and keep", read_keeps, "whatever age and number say: such as 7 daily, 4 weekly, 12 monthly",
              text=keeps_text(NOTHING if now is None else now.keeps)),
        Field("jitter_seconds", "spread", read_jitter, "later by up to so much, always by the same: such as 10m",
              text=seconds_text(0 if now is None else now.jitter_seconds)),
        Field("target_seconds", "promise", read_seconds, "how old its last good backup may become: such as 25h",
              text=seconds_text(None if now is None else now.target_seconds)),
        Field("drill_days", "drill", read_drill_days, "every so many days a backup is tried; nothing, or 0, is never",
              text="" if now is None or not now.drill_days else str(now.drill_days)),
        Field("description", "called", read_text, "what to call it; nothing calls it after its source",
              text="" if now is None else now.description),
    )  # fmt: skip
    switch = Field("is_active", "begins", _is_on, "left and right choose: on runs it, off waits to be switched on",
                   ("on", "off"))  # fmt: skip
    return (*found, switch) if is_new else found


def backup_fields() -> tuple[Field, ...]:
    """What is asked about a backup that is taken now."""
    return (
        Field("description", "note", read_text, "what to remember it by; may be empty"),
        Field("retention_days", "keep for", read_days, "days, such as 14 or 2w; nothing, or 0, keeps it for ever"),
    )


# What there is to choose from ----------------------------------------------------------------------------------------


@cache
def _zones() -> Sequence[str]:
    from zoneinfo import available_timezones

    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def zone_options(text: str) -> Sequence[Option]:
    """Time zones whose name holds the text."""
    wanted = text.casefold().strip().replace(" ", "_")
    found = (zone for zone in _zones() if wanted in zone.casefold())
    return [Option(zone, zone, "") for zone in islice(found, OPTIONS_MAX)]


def source_options(mirror: Mirror, projects: Mapping[str, str], text: str) -> Sequence[Option]:
    """What can be backed up: servers by name, then `projects`, names by id. The key is `KIND:ID`."""
    wanted = text.casefold().strip()
    servers = (
        Option(f"server:{each.id}", each.title, each.cell)
        for each in mirror.fleet.by_name()
        if wanted in each.title.casefold()
    )
    wholes = [
        Option(f"project:{id}", f"project {name}", "all its servers")
        for id, name in sorted(projects.items(), key=lambda pair: (pair[1].casefold(), pair[0]))
        if wanted in f"project {name}".casefold()
    ]
    found = list(islice(servers, OPTIONS_MAX))
    return [*wholes, *found] if wanted else [*found, *wholes]


OptionsOf = Callable[[str], Sequence[Option]]
SCHEDULE_OPTIONS: Mapping[str, OptionsOf] = {"time_zone": zone_options}


def source_of(key: str) -> dict[str, Any]:
    """The chosen source as a request has it."""
    kind, _, id = key.partition(":")
    return {"source_kind": kind, "source_id": id}
