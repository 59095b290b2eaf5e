"""The clouds that the operator has named: a table `[clouds.NAME]` of the settings for each, and what is wrong with one.

A cloud is of one kind, by the key that says where it is: `data` a folder with a simulated cloud, `url` another
Stratodeck, `os_cloud` a name in clouds.yaml. What it looks like and what may be done to it are keys of its own, and
nowhere else: whether it is production is said here, however the cloud is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from console import names
from console.settings import Kind, Setting, Settings, SettingsProblem, checked, meant, shown

NAME_LENGTH_MAX = 24
ALL = "all"
"""What stands behind the at sign for all of them, so that no cloud may be called so."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class PlaceKind(NamedTuple):
    """A way to say where a cloud is."""

    noun: str
    """What a cloud of this kind is called in a list."""
    setting: Setting
    takes_token: bool = False


KINDS: Mapping[str, PlaceKind] = {
    "data": PlaceKind("simulated", Setting("data", Kind.FOLDER, None, "The data folder of a simulated cloud.")),
    "url": PlaceKind("stratodeck", Setting("url", Kind.NAME, None, "Where a Stratodeck is served."), takes_token=True),
    "os_cloud": PlaceKind("openstack", Setting("os_cloud", Kind.NAME, None, "Its name in clouds.yaml.")),
}
"""By the key that says where the cloud is. How each is opened is known to the command line."""

_KEYS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        *(kind.setting for kind in KINDS.values()),
        Setting("token_file", Kind.FILE, None, "A file with the token for the url."),
        Setting("token_command", Kind.COMMAND, None, "A program that prints the token for the url."),
        Setting("colour", Kind.WORD, None, "What its frame is tinted with.", choices=names.COLOURS),
        Setting("read_only", Kind.SWITCH, None, "Refuse to change anything there."),
        Setting("landing_view", Kind.WORD, None, "The view that it opens with.", choices=names.VIEWS),
        Setting("production", Kind.SWITCH, None, "A mistake hurts there: a red frame, and verbs that disturb anybody "
                "ask for a name."),
    )
}  # fmt: skip


class Context(NamedTuple):
    """A cloud that can be opened."""

    name: str
    kind: str
    """One of KINDS."""
    place: str
    """A folder, an address, or a name in clouds.yaml."""
    token_file: Path | None = None
    token_command: tuple[str, ...] = ()
    colour: str = ""
    is_read_only: bool | None = None
    """None: as the settings say for every cloud. So is the view."""
    landing_view: str | None = None
    is_production: bool = False
    is_listed: bool = True
    """Whether the settings name it; else it was opened by its place, and this is what it is called."""

    @property
    def noun(self) -> str:
        """What kind of cloud it is, in a word."""
        return KINDS[self.kind].noun


def read(tables: Mapping[str, object] | None, file: Path) -> tuple[Context, ...]:
    """The clouds of the settings, in their order.

    Raises:
        SettingsProblem: a key that there is not, a value that it does not take, or two clouds in one place.
    """
    found: dict[tuple[str, str], Context] = {}
    for name, table in (tables or {}).items():
        context = _read_one(name, table, file)
        place = context.kind, _whole(context.kind, context.place)
        if place in found:
            same = f"clouds.{name} and clouds.{found[place].name} are both {shown(context.place)}"
            raise SettingsProblem(f"{file}: {same}; one cloud has one name.")
        found[place] = context
    return tuple(found.values())


def _read_one(name: str, table: object, file: Path) -> Context:
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX or name == ALL:
        raise SettingsProblem(
            f"{file}: clouds.{shown(name)} cannot be called so; a name has up to {NAME_LENGTH_MAX} letters, digits, "
            f"dots, dashes and underscores, begins with a letter or digit, and is not {ALL}."
        )
    if not isinstance(table, dict):
        raise SettingsProblem(f"{file}: clouds.{name} is {shown(table)}; it takes a table, such as [clouds.{name}].")
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise SettingsProblem(f"{file}: clouds.{name}.{shown(key)[1:-1]} is not a setting; {meant(key, _KEYS)}")
        values[key] = checked(_KEYS[key], value, f"{file}: clouds.{name}.{key}")
    kinds = [key for key in KINDS if key in values]
    if len(kinds) != 1:
        has = f"has {' and '.join(kinds)}" if kinds else "does not say where it is"
        raise SettingsProblem(f"{file}: clouds.{name} {has}; it takes one of {', '.join(KINDS)}.")
    kind = kinds[0]
    place = str(values[kind])
    tokens = [key for key in ("token_file", "token_command") if key in values]
    if tokens and not KINDS[kind].takes_token:
        raise SettingsProblem(f"{file}: clouds.{name}.{tokens[0]} goes with url, and it has {kind}.")
    if len(tokens) > 1:
        raise SettingsProblem(f"{file}: clouds.{name} has token_file and token_command; one of them is enough.")
    if kind == "url" and not is_address(place):
        raise SettingsProblem(
            f"{file}: clouds.{name}.url is {shown(place)}; it takes http://HOST:PORT or https://HOST."
        )
    return Context(
        name,
        kind,
        place.rstrip("/") if kind == "url" else place,
        token_file=values.get("token_file"),  # type: ignore[arg-type]
        token_command=values.get("token_command", ()),  # type: ignore[arg-type]
        colour=str(values.get("colour", "")),
        is_read_only=values.get("read_only"),  # type: ignore[arg-type]
        landing_view=values.get("landing_view"),  # type: ignore[arg-type]
        is_production=values.get("production") is True,
    )


def is_address(text: str) -> bool:
    """Whether a cloud may be served there."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def at(known: Sequence[Context], kind: str, place: str) -> Context | None:
    """The cloud of these that is there, however its place is written."""
    wanted = _whole(kind, place)
    return next((each for each in known if each.kind == kind and _whole(kind, each.place) == wanted), None)


def _whole(kind: str, place: str) -> str:
    match kind:
        case "data":
            return os.path.realpath(place)
        case "url":
            parts = urlsplit(place)
            return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")
        case _:
            return place


def unlisted(known: Sequence[Context], kind: str, place: str) -> Context:
    """A cloud that the settings do not name, called after its place."""
    name = (urlsplit(place).netloc.rpartition("@")[2] if kind == "url" else Path(place).name) or kind
    base = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:NAME_LENGTH_MAX]
    taken = {each.name for each in known} | {ALL}
    choices = (base, *(f"{base[: NAME_LENGTH_MAX - 4]}-{number}" for number in range(2, len(taken) + 3)))
    return Context(next(each for each in choices if each not in taken), kind, place, is_listed=False)


def is_read_only(context: Context, chosen: Settings, *, is_first: bool) -> bool:
    """Whether nothing may be changed there. `--read-only` counts for every cloud; `--read-write` only for the one that
    the command opens, so that it does not unlock others.
    """
    if chosen.is_option("read_only") and (chosen.read_only or is_first):
        return chosen.read_only
    return chosen.read_only if context.is_read_only is None else context.is_read_only


def landing_view(context: Context, chosen: Settings, *, is_first: bool) -> str:
    """The view that it opens with. `--view` counts for the cloud that the command opens."""
    if (chosen.is_option("landing_view") and is_first) or context.landing_view is None:
        return chosen.landing_view
    return context.landing_view


def listing(known: Sequence[Context], file: Path) -> list[str]:
    """What `stratodeck contexts` prints: each cloud, and how one is written."""
    width = max((len(each.name) for each in known), default=0)
    lines = [f"{each.name:<{width}}  {each.noun:<10}  {each.place}{_rules(each)}" for each in known]
    if not known:
        lines = [f"{file} names no clouds yet. For each, write there:"]
    else:
        lines += ["", f"Each is a table in {file}:"]
    lines += ["", "[clouds.NAME]"]
    for setting in _KEYS.values():
        lines.append(f"{setting.name:<13} # {setting.meaning} Takes {setting.expected}.")
    return [*lines, "", f"Exactly one of {', '.join(KINDS)}; everything else may be left out."]


def _rules(context: Context) -> str:
    words = [word for word, holds in (("production", context.is_production), ("read-only", context.is_read_only))
             if holds]  # fmt: skip
    words += [word for word in (context.colour, context.landing_view) if word]
    return f"  ({', '.join(words)})" if words else ""
