"""Plans that are carried out later: a text that says what a preview showed, and that the verb may be given back.

A token is stateless. It holds named parts of what would be done, the short ones as they are and lists as their length
and a digest: of a start the server's version, its host, whether it waits, and who would stop, shrink or grow; of an
action on a host its version and what becomes of each server; and so on, as `plans` and `restorations` say. Instants,
work lost and reasons are no parts: they pass or explain, and are not what is done.

A verb with a token works out the same parts again in the transaction that carries it out, and does nothing where they
differ. A token is no secret and no right: whoever makes one up has only said what they expect.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from backend.cloud.errors import Conflict, Invalid
from backend.operations import RequestKey
from backend.store import CellTransaction

Parts = Mapping[str, str | int | bool | None]
"""In the order in which a difference is told."""

Agreed = Callable[[CellTransaction, datetime], None]
"""Raises Conflict where what would be done is not what was agreed to."""

_FORM = "plan-1"


def digest(listed: Sequence[Any]) -> str:
    """A list as a part: its length, and what is in it."""
    return f"{len(listed)}:{blake2b(orjson.dumps(listed), digest_size=12).hexdigest()}"


def token_of(parts: Parts) -> str:
    content = orjson.dumps([_FORM, dict(parts)])
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def parts_of(token: str) -> Parts:
    """Raises Invalid for what is no token of a plan."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        found = None
    match found:
        case [str(form), dict(parts)] if form == _FORM and all(
            part is None or isinstance(part, str | int) for part in parts.values()
        ):
            return parts
    raise Invalid("plan", "is not the `token` of a plan; ask for a preview, and send back the token that it answers")


def check(token: str, now: Parts) -> None:
    """Raises Conflict, with the first difference in a sentence, where this is not what the token says."""
    then = parts_of(token)
    if dict(then) == dict(now):
        return
    name = next((name for name in now if name not in then or then[name] != now[name]), None)
    raise Conflict(f"{_difference(name, then, now)} Nothing was done; look at the plan again.")


def check_agreed(tx: CellTransaction, agreed: Agreed | None, request: RequestKey | None, now: datetime) -> None:
    """In the transaction of the work, before it. A request that was answered before has been agreed to."""
    if agreed is not None and (request is None or request.remembered(tx) is None):
        agreed(tx, now)


def _difference(name: str | None, then: Parts, now: Parts) -> str:
    if name is None or name not in then:
        return "This is the plan of something else."
    before, after = then[name], now[name]
    match name:
        case "action" | "id":
            return f"This is the plan of another {'action' if name == 'action' else 'object'}: {before}."
        case "version":
            return f"It has changed: the plan is of version {before}, it is at {after} now."
        case "host" if then.get("action") == "clone":
            return f"The copy would now go to {after} instead of {before}."
        case "host":
            return f"It would now start on {after} instead of {before}."
        case "waits":
            return "It would now wait for its room." if after else "It would no longer wait for its room."
        case "with_drives":
            return "It would now delete its drives too." if after else "It would now leave its drives behind."
    what = _LISTS.get(name)
    if what is None:
        return f"Its {name.replace('_', ' ')} would now be {after} instead of {before}."
    count, known = (str(part).partition(":")[0] for part in (after, before))
    listed = what.format(f"{count} {_NOUNS.get(name, 'server')}{'' if count == '1' else 's'}")
    if count != known:
        return f"It would now {listed} instead of {known}."
    return f"It would still {listed}, but not the same."


_LISTS: Mapping[str, str] = {
    "stops": "stop {} to make room",
    "shrinks": "shrink {}",
    "grows": "let {} grow",
    "restarts": "start {} again in its room",
    "moves": "move or touch {}",
    "elsewhere": "touch {} of other cells",
    "drives": "part with {}",
    "servers": "take {} away",
    "groups": "change {}",
    "avoided": "share a host with {} of the avoid list",
}
_NOUNS: Mapping[str, str] = {"drives": "drive", "groups": "group"}
