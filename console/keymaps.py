"""Which key asks for what: the registry's own keys, k9s's where hands know those, and the operator's.

A keymap is made only where no two commands of a view share a key; otherwise a sentence says which two do. Verbs stay
in the menu behind `x` whatever the map: k9s's ctrl+d, too, only opens the confirmation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from console import commands
from console.commands import COMMANDS, PAGES, PAST, VIEWS, Command
from console.names import KEYMAPS

_MAPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "default": {},
    "k9s": {
        # Where k9s's fingers are. What it kills without asking, ctrl+k, has no key here.
        "delete": ("ctrl+d",),
        "move.half_down": (),
        "move.half_up": (),
        "move.page_up": ("pageup", "ctrl+b"),
        "mark.range": ("v", "ctrl+@"),
        "mark.all": ("a", "ctrl+backslash"),
        "refresh": ("r", "ctrl+r"),
        "copy": ("c", "Y"),
        "columns": ("ctrl+w",),
        "export": ("E", "ctrl+s"),
    },
}

_RESERVED = {"ctrl+c": "it says how to leave", "ctrl+q": "it leaves"}
_NAMED = frozenset({"enter", "escape", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup",
                    "pagedown", "up", "down", "left", "right"})  # fmt: skip
_NAMES = {"solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
          "plus_sign": "plus", "low_line": "underscore"}  # fmt: skip
"""Signs that the terminal's library calls otherwise than Unicode does."""
KEYS_MAX = 5
VIEWS_AND_PAGES = (*VIEWS, *sorted(PAGES), PAST)


class KeymapProblem(Exception):
    """A keymap cannot be used. `str()` is a sentence for the person who wrote it."""


class Keymap:
    """The commands with their keys as they are in this run."""

    def __init__(self, registry: Sequence[Command] = COMMANDS) -> None:
        self.registry = tuple(registry)
        self._by_key = {view: commands.keys_of(view, self.registry) for view in VIEWS_AND_PAGES}

    def for_key(self, view: str, key: str) -> Command | None:
        """The command that `key` asks for in `view`."""
        return self._by_key[view].get(key)

    def commands_of(self, view: str) -> list[Command]:
        """What can be asked for in `view` without a menu, in the order of the registry."""
        return [command for command in self.registry if command.verb_of is None and view in command.views]

    def shown(self, command: Command) -> str:
        """The first key of a command as the key row prints it; "" where it has none."""
        return commands.shown_key(command.keys[0]) if command.keys else ""


DEFAULT = Keymap()


def make(name: str = "default", own: Mapping[str, object] | None = None) -> Keymap:
    """The keymap of this name, with the operator's own keys, by command, in place of its.

    Raises:
        KeymapProblem: a command or key that there is not, or one key for two commands of a view.
    """
    assert name in _MAPS, f"{name} is one of {', '.join(KEYMAPS)}"
    keys = {**_MAPS[name], **{each: _keys(each, value) for each, value in (own or {}).items()}}
    registry = tuple(command._replace(keys=keys[command.id]) if command.id in keys else command for command in COMMANDS)
    clashes = commands.clashes(registry)
    if clashes:
        raise KeymapProblem(_clash(clashes, own or {}))
    return Keymap(registry)


def _clash(clashes: Sequence[str], own: Mapping[str, object]) -> str:
    first = clashes[0].split(" in ")[0]
    wanted = next((name for name in own if any(f" {name}" in sentence for sentence in clashes)), "")
    owners = sorted({word for sentence in clashes for word in re.findall(r"both (\S+) and (\S+)", sentence)[0]})
    other = next((name for name in owners if name != wanted), "")
    views = sorted({sentence.split(" in ")[1].split(" is both")[0] for sentence in clashes}, key=VIEWS_AND_PAGES.index)
    where = ", ".join(views[:3]) + (f" and {len(views) - 3} more views" if len(views) > 3 else "")
    key = commands.shown_key(first)
    return f"{key} would be both {wanted} and {other} in {where}; give {other} another key too, or choose another one"


def _keys(command_id: str, value: object) -> tuple[str, ...]:
    """The keys of one line of the operator's own."""
    command = commands.BY_ID.get(command_id)
    if command is None:
        from difflib import get_close_matches

        near = get_close_matches(command_id, [each.id for each in COMMANDS if each.verb_of is None], 1)
        hint = f"; did you mean {near[0]}?" if near else "; `?` in the console lists what there is"
        raise KeymapProblem(f"{command_id} is not a command{hint}")
    if command.verb_of is not None:
        raise KeymapProblem(
            f"{command_id} is a verb of the menu behind x, and its letter there stays {command.keys[0]}"
        )
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found) or len(found) > KEYS_MAX:
        raise KeymapProblem(f'{command_id} takes a key, such as "ctrl+f", or a list of up to {KEYS_MAX} keys')
    return tuple(_key(command_id, each) for each in found)


def _key(command_id: str, text: str) -> str:
    """A key as the terminal's library names it."""
    if len(text) == 1 and text.isprintable() and text != " ":
        return _sign(text)
    name = text
    if name in _RESERVED:
        raise KeymapProblem(f"{command_id}: {name} cannot be given away: {_RESERVED[name]}")
    head, _, last = name.rpartition("+")
    modifiers = head.split("+") if head else []
    is_key = (len(last) == 1 and last.isalnum()) or last in _NAMED or re.fullmatch(r"f([1-9]|1[0-9]|2[0-4])", last)
    is_sign = last in set(commands.SHOWN_KEYS) | set(_NAMES.values()) or re.fullmatch(r"[a-z]+(_[a-z]+)+", last)
    if not (is_key or is_sign or last == "@") or any(each not in ("ctrl", "alt", "shift") for each in modifiers):
        raise KeymapProblem(f"{command_id}: {text!r} is not a key; keys are written as x, /, f5, ctrl+f, pagedown")
    return name


def _sign(sign: str) -> str:
    if sign.isalnum():
        return sign
    name = unicodedata.name(sign, "").lower().replace("-", "_").replace(" ", "_")
    return _NAMES.get(name, name)
