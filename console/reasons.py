"""What a verb would act on, and why it is off for that: pure, and the only place that knows.

A reason is said after "off:" and "is off:", so it is a few words about the object: `it is running`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Item(NamedTuple):
    """One object that a command would act on, as the console knows it now."""

    kind: str
    key: str
    name: str
    state: str = ""
    is_reachable: bool = True
    version: int | None = None
    held_by: str = ""
    """Of a mounted drive: its server and what that does, `web-01 is running`, where that keeps it."""
    restarts: bool | None = None
    """Of a backfilling server: whether it is started again after it was stopped for room."""
    part_of: str = ""
    """Of a backup: `parts` where it has some, of which each is restored by itself, `whole` where it is one of them."""


class Selection(NamedTuple):
    """Where the operator stands: the view, the marked rows or else the row under the cursor, and the connection."""

    view: str
    items: tuple[Item, ...] = ()
    is_read_only: bool = False
    is_stale: bool = False
    is_simulated: bool = True
    clock_mode: str | None = None
    is_past: bool = False
    """Whether what is shown is a moment of the past."""
    hidden: int = 0
    """How many marked rows the filter hides; they are not acted on."""

    @property
    def kind(self) -> str | None:
        """The kind that all the items share, or None."""
        kinds = {item.kind for item in self.items}
        return kinds.pop() if len(kinds) == 1 else None


def never_off(_selection: Selection) -> str | None:
    return None


_STATE_WORDS = {"cloning_src": "being copied", "cloning_dst": "a new copy", "unavailable": "lost",
                "maintenance": "drained", "backing_up": "being made", "restoring": "restored from",
                "deleting": "being deleted", "erred": "a failed one"}  # fmt: skip
"""How a sentence says a state that the API has a longer or stranger word for."""


def off_unless(states: Iterable[str]) -> Callable[[Selection], str | None]:
    """Off when no item is in one of `states`, and says what they are instead."""
    wanted = frozenset(states)

    def reason(selection: Selection) -> str | None:
        if not any(item.is_reachable for item in selection.items):
            return "its cell is silent"
        if any(item.is_reachable and item.state in wanted for item in selection.items):
            return None
        found = sorted({_STATE_WORDS.get(item.state, item.state) for item in selection.items})
        pronoun = "it is" if len(selection.items) == 1 else "they are"
        return f"{pronoun} {' and '.join(found)}"

    return reason


def detaches(selection: Selection) -> str | None:
    if (off := off_unless({"mounted"})(selection)) is not None:
        return off
    mounted = [item for item in selection.items if item.is_reachable and item.state == "mounted"]
    if any(not item.held_by for item in mounted):
        return None
    return mounted[0].held_by if len(mounted) == 1 else "their servers must stop"


def resizes(selection: Selection) -> str | None:
    if (off := off_unless({"mounted", "unmounted"})(selection)) is not None:
        return off
    return next((item.held_by for item in selection.items if item.held_by), None)


def alone(reason_for: Callable[[Selection], str | None]) -> Callable[[Selection], str | None]:
    """Off for several objects at once: what is asked for would be the same for all of them."""

    def reason(selection: Selection) -> str | None:
        return "one at a time" if len(selection.items) > 1 else reason_for(selection)

    return reason


def off_where_silent(selection: Selection) -> str | None:
    return None if any(item.is_reachable for item in selection.items) else "its cell is silent"


def restarts(wanted: bool) -> Callable[[Selection], str | None]:
    """Off where no backfilling server of the selection has it otherwise."""

    def reason(selection: Selection) -> str | None:
        if (off := off_where_silent(selection)) is not None:
            return off
        found = {item.restarts for item in selection.items if item.is_reachable}
        if (not wanted) in found:
            return None
        if found == {None}:
            return "not a backfilling one"
        return "it is already" if wanted else "it is not anyway"

    return reason


def fault_of_host(states: Iterable[str]) -> Callable[[Selection], str | None]:
    def reason(selection: Selection) -> str | None:
        return simulated_only(selection) or off_unless(states)(selection)

    return reason


SNAPSHOT = frozenset({"mounted", "unmounted", "cloning_src"})
"""What a drive may be doing while a snapshot of it is taken or copied: it is only read."""
CLONED = frozenset({"stopped", "starting", "running", "stopping", "paused"})
"""What a server may be doing while it is copied: only its drives are read."""


def evacuates(selection: Selection) -> str | None:
    if (off := off_unless({"maintenance"})(selection)) is None:
        return None
    return "drain it first" if all(item.state == "up" for item in selection.items) else off


def restores(selection: Selection) -> str | None:
    state = selection.items[0].state if selection.items else ""
    return {"being restored": "it is under way", "apart": "none share a host"}.get(state)


def ends_restoring(selection: Selection) -> str | None:
    is_on = any(item.state == "being restored" for item in selection.items)
    return None if is_on else "it is not under way"


def restores_backup(selection: Selection) -> str | None:
    if any(item.part_of == "parts" for item in selection.items):
        return "restore a part of it"
    return off_unless({"ready"})(selection)


def deletes_backup(selection: Selection) -> str | None:
    if any(item.part_of == "whole" for item in selection.items):
        return "a part: delete the whole"
    return off_unless({"ready", "erred"})(selection)


def switches(state: str) -> Callable[[Selection], str | None]:
    """Off where every schedule is so already."""

    def reason(selection: Selection) -> str | None:
        return f"it is {state} already" if all(item.state == state for item in selection.items) else None

    return reason


def simulated_only(selection: Selection) -> str | None:
    return None if selection.is_simulated else "no simulated cloud"


def cell_not_in(state: str) -> Callable[[Selection], str | None]:
    def reason(selection: Selection) -> str | None:
        if (off := simulated_only(selection)) is not None:
            return off
        return f"it is {state}" if all(item.state == state for item in selection.items) else None

    return reason


def clock_not_wall(selection: Selection) -> str | None:
    if (off := simulated_only(selection)) is not None:
        return off
    return "it follows the wall" if selection.clock_mode == "wall" else None


def clock_on_wall(selection: Selection) -> str | None:
    if (off := simulated_only(selection)) is not None:
        return off
    return "it does already" if selection.clock_mode == "wall" else None


def clock_not_manual(selection: Selection) -> str | None:
    if (off := simulated_only(selection)) is not None:
        return off
    return "it stands already" if selection.clock_mode == "manual" else None


def clock_goes(selection: Selection) -> str | None:
    if (off := simulated_only(selection)) is not None:
        return off
    return None if selection.clock_mode == "manual" else "it goes"
