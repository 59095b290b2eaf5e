"""How `/ops/v1` says what became of an avoid list: for each entry, apart or not, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend.cloud.avoiding import Sharing
from backend.cloud.model import GIB, Server
from backend.cloud.placement import Refusal
from backend.dialects.ops.schema_separation import AvoidedRow, LackRow, SharedRow
from backend.dialects.ops.table import Call
from backend.operations.avoiding import Entry, Placed


def rows(call: Call[Any, Any], entries: Iterable[Entry]) -> list[AvoidedRow]:
    """How full the hosts are is for staff, as everywhere."""
    return [_row(entry, is_staff=call.account.is_staff) for entry in entries]


def _row(entry: Entry, *, is_staff: bool) -> AvoidedRow:
    shared = [_shared(each, is_staff=is_staff) for each in entry.sharers]
    return {
        "place": entry.place,
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind,
        "separated": entry.is_apart,
        "fate": entry.fate,
        "shared": shared,
        "sentence": _sentence(entry, is_staff=is_staff),
    }


def _shared(placed: Placed, *, is_staff: bool) -> SharedRow:
    sharing = placed.sharing
    nearest = None if sharing is None or not is_staff else sharing.nearest
    return {
        "host": placed.host,
        "id": placed.of.id or None,
        "name": placed.of.name,
        "reason": None if sharing is None else sharing.reason,
        "refused": {} if sharing is None else dict(sharing.refused),
        "nearest": None if nearest is None else _lack(nearest),
    }


def _lack(refusal: Refusal) -> LackRow:
    return {
        "host": refusal.host,
        "cpu_mhz": refusal.short.cpu_mhz,
        "memory_bytes": refusal.short.memory_bytes,
        "storage_bytes": refusal.short_storage_bytes,
    }


# --- Sentences -------------------------------------------------------------------------------------------------------


def _sentence(entry: Entry, *, is_staff: bool) -> str:
    name = entry.name or entry.id
    match entry.fate:
        case "apart":
            return f"Apart from {name}."
        case "nowhere":
            return f"{name} holds no host." if entry.kind == "server" else f"{name} is nowhere."
        case "unreachable":
            return f"Apart from {name}: the cell of that does not answer, so it is another one."
        case "unknown":
            return f"{entry.id} has no effect: there is nothing with this id that you may see."
        case "wrong_kind":
            return f"{name} has no effect: it is a drive, and a server avoids servers."
        case "itself":
            return f"{name} has no effect: nothing avoids itself."
        case "repeated":
            return f"{name} counts at its first place, {entry.first_place}."
        case "undecided":
            return f"{name} counts when the server is started."
        case "shares":
            return " ".join(_why(name, each, is_staff=is_staff) for each in entry.sharers)


def _why(name: str, placed: Placed, *, is_staff: bool) -> str:
    what = "The server" if isinstance(placed.of, Server) else placed.of.name
    found = f"{what} shares {placed.host} with {name}"
    sharing = placed.sharing
    if sharing is None:
        return f"{found}."
    found += f": {_reason(sharing)}"
    if is_staff and sharing.nearest is not None:
        found += f"; {sharing.nearest.host} is nearest and lacks {_amount(sharing.nearest)}"
    return f"{found}."


def _reason(sharing: Sharing) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in sharing.refused)
    if sharing.reason == "held":
        return "every other host with room holds what is further left in the list" + (
            f" ({refused})" if refused else ""
        )
    return f"no other host has room ({refused})" if refused else "there is no other host"


def _amount(refusal: Refusal) -> str:
    parts = [
        *([f"{refusal.short.cpu_mhz / 1000:g} GHz"] if refusal.short.cpu_mhz else []),
        *([f"{refusal.short.memory_bytes / GIB:.2f} GiB of memory"] if refusal.short.memory_bytes else []),
        *([f"{refusal.short_storage_bytes / GIB:.2f} GiB"] if refusal.short_storage_bytes else []),
    ]
    return " and ".join(parts)
