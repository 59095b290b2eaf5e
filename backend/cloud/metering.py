"""What was in use from when to when, as a pure function of the event log.

Every change of a server, a drive or a host is an event in its cell's file, with the changed columns before and after.
The intervals of an object follow from its events alone: one begins where the one before it ends, the last is open. So
nothing is written when something starts, shrinks or stops besides the event that is written anyway, nothing at all by
the mere passing of time, and no interval can be counted twice or not at all as long as each event is taken once.

A server's interval says what it is, nominally, and what it really has: the effective size while it holds a host that is
up. One that waits for room has nothing yet, one whose host is lost nothing any more.

Simplified: snapshots hold nothing of their own here, and backups lie outside the cells and have no published price, so
neither is billed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from backend.cloud.model import HOST_LOST

Kind = Literal["server", "drive", "host"]
KINDS: tuple[Kind, ...] = ("server", "drive", "host")
CLOUD = ""
"""The account of what is nobody's: how much of the cloud there is, and how much of it normal servers use."""

CAPACITY_CPU, CAPACITY_MEMORY, LOAD_CPU, LOAD_MEMORY = "capacity_cpu", "capacity_mem", "load_cpu", "load_mem"


@dataclass(frozen=True, slots=True)
class Interval:
    """What one object was from `begun_at` on, until `ended_at`; None while it still is. Instants in microseconds."""

    object_id: str
    kind: Kind
    account: str
    begun_at: int
    ended_at: int | None
    state: str
    """Of a server `running`, `waiting` (for room), `unavailable` or `stopped`, or in its place the reason, where it was
    not asked to stop: `displaced`, `host_lost`. Of a host its own. Of a drive `kept`. Of what has gone, but whose cell
    fell silent before it told so, `gone`."""
    cpu_mhz: int = 0
    """Nominal, of a server; of a host its capacity."""
    memory_bytes: int = 0
    cpu_mhz_had: int = 0
    """What it really had."""
    memory_bytes_had: int = 0
    size_bytes: int = 0
    """Of a drive."""
    is_backfilling: bool = False
    cpu_type: str = "amd"
    cpu_mhz_effective: int = 0
    """As its row says, whatever its state: what it has again when its host is back."""
    memory_bytes_effective: int = 0
    sent_rate: int = 0
    """Of a running server, to the outside, in 256ths of a byte a second."""


RUNNING, WAITING = "running", "waiting"
_HOLDING = frozenset({"starting", "running", "stopping", "paused"})
"""States in which a server has what its row says. It is all one whether it has just begun, or will soon end."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, as far as it matters here: what changed to what."""

    at: int
    kind: str
    object_kind: Kind
    object_id: str
    after: Mapping[str, Any]


SentRate = Callable[[str, int], int]
"""What a server's interfaces send once it runs, by its id and the instant; they change only while it does not."""


def sends_nothing(_server_id: str, _at: int) -> int:
    return 0


def followed(before: Interval | None, event: Happened, sent_rate: SentRate = sends_nothing) -> Interval | None:
    """The interval that the event begins; the one before it where nothing that matters has changed; None at its end."""
    if event.kind.endswith(".deleted"):
        return None
    at = event.at if before is None else max(event.at, before.begun_at)
    blank = before or Interval(event.object_id, event.object_kind, CLOUD, at, None, "")
    match event.object_kind:
        case "server":
            after = _server(blank, event.after)
            is_new = blank.state != RUNNING and after.state == RUNNING
            rate = sent_rate(event.object_id, at) if is_new else blank.sent_rate if after.state == RUNNING else 0
            after = replace(after, sent_rate=rate)
        case "drive":
            after = _drive(blank, event.after)
        case "host":
            after = _host(blank, event.after)
    if before is not None and (after.state, in_use(after)) == (before.state, in_use(before)):
        # Another name, or another size of what is stopped: nothing that is billed begins or ends.
        return after
    return replace(after, begun_at=at)


def _server(before: Interval, after: Mapping[str, Any]) -> Interval:
    cpu = _value(after, "cpu_mhz_effective", before.cpu_mhz_effective)
    memory = _value(after, "memory_bytes_effective", before.memory_bytes_effective)
    holds = before.state in (RUNNING, WAITING)
    state = before.state
    if "state" in after:
        holds = after["state"] in _HOLDING
        # A server that was stopped for room, or for want of its host, says so: the latter before it was stopped.
        reason = after.get("reason", HOST_LOST if before.state == "unavailable" else None)
        state = after["state"] if after["state"] != "stopped" else reason or "stopped"
    if holds:
        state = RUNNING if cpu else WAITING
    cpu_type = before.cpu_type
    if "attributes" in after:
        cpu_type = (after["attributes"] or {}).get("cpu_type", "amd")
    return replace(
        before,
        account=after.get("owner") or before.account,
        state=state,
        cpu_mhz=_value(after, "cpu_mhz", before.cpu_mhz),
        memory_bytes=_value(after, "memory_bytes", before.memory_bytes),
        cpu_mhz_had=cpu if holds else 0,
        memory_bytes_had=memory if holds else 0,
        is_backfilling=bool(after.get("is_backfilling", before.is_backfilling)),
        cpu_type=cpu_type,
        cpu_mhz_effective=cpu,
        memory_bytes_effective=memory,
    )


def _value(after: Mapping[str, Any], name: str, before: int) -> int:
    return (after[name] or 0) if name in after else before


def _drive(before: Interval, after: Mapping[str, Any]) -> Interval:
    """A drive that is lost with its storage host is still kept for its owner: it is billed in every state."""
    size = _value(after, "size_bytes", before.size_bytes)
    return replace(before, account=after.get("owner") or before.account, size_bytes=size, state="kept")


def _host(before: Interval, after: Mapping[str, Any]) -> Interval:
    state = after.get("state") or before.state
    kind_is_storage = after.get("kind") == "storage" or before.state == "storage"
    if kind_is_storage:
        return replace(before, state="storage")
    cpu, memory = _value(after, "cpu_mhz", before.cpu_mhz), _value(after, "memory_bytes", before.memory_bytes)
    is_up = state != "down"
    return replace(
        before,
        state=state,
        cpu_mhz=cpu,
        memory_bytes=memory,
        cpu_mhz_had=cpu if is_up else 0,
        memory_bytes_had=memory if is_up else 0,
    )


def in_use(interval: Interval | None) -> dict[tuple[str, str], int]:
    """What it adds to the usage of which account, by account and resource, and to the load of the cloud."""
    if interval is None:
        return {}
    account, found = interval.account, {}
    cpu, memory = interval.cpu_mhz_had, interval.memory_bytes_had
    match interval.kind:
        case "drive":
            found = {(account, "dssd"): interval.size_bytes}
        case "host":
            found = {(CLOUD, CAPACITY_CPU): cpu, (CLOUD, CAPACITY_MEMORY): memory}
        case "server" if interval.is_backfilling:
            found = {(account, "bcpu"): cpu, (account, "bmem"): memory, (account, "tx"): interval.sent_rate}
        case "server":
            prefix = "intel_" if interval.cpu_type == "intel" else ""
            found = {(account, f"{prefix}cpu"): cpu, (account, f"{prefix}mem"): memory}
            found |= {(CLOUD, LOAD_CPU): cpu, (CLOUD, LOAD_MEMORY): memory, (account, "tx"): interval.sent_rate}
    return {key: amount for key, amount in found.items() if amount}


GONE = "gone"


def presumed(
    before: Interval | None, picture: Happened | None, since: int, sent_rate: SentRate = sends_nothing
) -> Interval | None:
    """What is taken for true of an object whose cell is silent: what its last picture says, from `since` on.

    Args:
        before: What its events told, as far as they were taken; None where they told nothing.
        picture: All of it; None where the object was gone.
        since: The earliest instant. What began later than that, began then.

    Returns:
        None where that is what its events told.
    """
    if picture is None:
        assert before is not None, "who has neither events nor a picture is not known"
        at = max(since, before.begun_at)
        return Interval(before.object_id, before.kind, before.account, at, None, GONE)
    after = followed(None, picture, sent_rate)
    if after is None or (before is not None and (after.state, in_use(after)) == (before.state, in_use(before))):
        return None
    return replace(after, begun_at=max(since, picture.at, 0 if before is None else before.begun_at))


def changed(before: Interval | None, after: Interval | None) -> dict[tuple[str, str], int]:
    """How much more, or less, is in use by whom."""
    found = dict(in_use(after))
    for key, amount in in_use(before).items():
        found[key] = found.get(key, 0) - amount
    return {key: amount for key, amount in found.items() if amount}
