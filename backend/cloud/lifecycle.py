"""What each state allows: actions as data, with their durations in simulated seconds.

A running server has exactly one host; a stopped one has none, but keeps its cell and its drives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.cloud.errors import WrongState
from backend.cloud.model import MIB, DriveState, Server, ServerState

GRACE_SECONDS_DEFAULT = 30
"""Between the notice of a stop for room and the stop."""

HOST_RETURN_SECONDS = 60
"""A host that is back within this time has its servers running again; after it they start elsewhere."""

COPY_LOOK_SECONDS = 60
"""Who waits for a copy whose storage host is lost looks again after this, or after as long as it has waited."""

RELOCATE_SECONDS_MAX = 3600
"""Who found no host is tried again, each time after twice as long, up to this."""

SNAPSHOT_SECONDS = 3
"""After this a snapshot of a drive is whole."""

NO_STATE = ""
"""What a thing is in before it is made."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What an action does: from one of `from_`, through a state that lasts `duration_seconds`, to another."""

    action: str
    from_: tuple[str, ...]
    through: str | None
    """None for an action that takes no time."""
    to: str | None
    """None when the thing is gone."""
    duration_seconds: int = 0


def _server(
    action: str, from_: tuple[ServerState, ...], through: ServerState | None, to: ServerState | None, seconds: int = 0
) -> Transition:
    return Transition(action, tuple(from_), through, to, seconds)


_HOLDING = (ServerState.STARTING, ServerState.RUNNING, ServerState.STOPPING, ServerState.PAUSED)

TRANSITIONS: Mapping[str, Mapping[str, Transition]] = {
    "server": {
        transition.action: transition
        for transition in (
            _server("start", (ServerState.STOPPED,), ServerState.STARTING, ServerState.RUNNING, 8),
            # The power cord: what was in memory is lost.
            _server("stop", (ServerState.RUNNING, ServerState.PAUSED), ServerState.STOPPING, ServerState.STOPPED, 2),
            # The power button: the guest puts its things in order first.
            _server("shutdown", (ServerState.RUNNING,), ServerState.STOPPING, ServerState.STOPPED, 12),
            # The reset button: it keeps its host, and what was in memory is lost.
            _server("restart", (ServerState.RUNNING,), None, ServerState.RUNNING),
            # A stop for room: its grace was the warning.
            _server("displace", _HOLDING, None, ServerState.STOPPED),
            _server("delete", (ServerState.STOPPED,), None, None),
            # Only its drives are read, so it may be running: the copy is stopped. Of a lost one nothing is known.
            _server("clone", (ServerState.STOPPED, *_HOLDING), None, ServerState.STOPPED),
        )
    },
    "drive": {
        transition.action: transition
        for transition in (
            Transition("create", (NO_STATE,), DriveState.CREATING, DriveState.UNMOUNTED, 3),
            # A drive may be the source of several clones at once. How long one takes depends on its size.
            Transition(
                "clone",
                (DriveState.UNMOUNTED, DriveState.MOUNTED, DriveState.CLONING_SRC),
                DriveState.CLONING_SRC,
                DriveState.UNMOUNTED,
                3,
            ),
            # It has all of its new size from the beginning.
            Transition(
                "resize",
                (DriveState.UNMOUNTED, DriveState.MOUNTED),
                DriveState.RESIZING,
                DriveState.UNMOUNTED,
                5,
            ),
            # Nothing of the drive itself changes: the snapshot takes SNAPSHOT_SECONDS.
            Transition(
                "snapshot",
                (DriveState.UNMOUNTED, DriveState.MOUNTED, DriveState.CLONING_SRC),
                None,
                DriveState.UNMOUNTED,
            ),
            Transition("attach", (DriveState.UNMOUNTED,), None, DriveState.MOUNTED),
            Transition("detach", (DriveState.MOUNTED,), None, DriveState.UNMOUNTED),
            Transition("delete", (DriveState.UNMOUNTED,), None, None),
        )
    },
}
"""By kind of object and action."""


def allows(kind: str, action: str, state: str) -> bool:
    """Whether `action` may begin in `state`."""
    return state in TRANSITIONS[kind][action].from_


def begin(kind: str, id: str, action: str, state: str) -> Transition:
    """What `action` on a thing in `state` will do.

    Raises:
        WrongState: The state does not allow it. An action that the kind does not have is a bug: KeyError.
    """
    transition = TRANSITIONS[kind][action]
    if state not in transition.from_:
        raise WrongState(kind, id, action, str(state), tuple(str(wanted) for wanted in transition.from_))
    return transition


CLONE_BYTES_PER_SECOND = 1024 * MIB
"""On the source's own storage host."""

CLONE_BYTES_PER_SECOND_OVER_NETWORK = 176 * MIB
"""To another storage host. **Source**: CloudSigma API 2.0, "General Notes on Avoid Functionality": avoiding usually
slows a clone down significantly, since its data crosses the network. The rates are ours."""


def clone_rate(*, is_same_host: bool) -> int:
    """Bytes a second."""
    return CLONE_BYTES_PER_SECOND if is_same_host else CLONE_BYTES_PER_SECOND_OVER_NETWORK


def clone_seconds(size_bytes: int, *, is_same_host: bool) -> int:
    """Whole seconds, rounded up; never less than the transition's own."""
    least = TRANSITIONS["drive"]["clone"].duration_seconds
    return max(least, -(-size_bytes // clone_rate(is_same_host=is_same_host)))


WAITING = "waiting"
"""Where a server was lost while it waited for its room: it must be placed anew."""


def before_loss(server: Server) -> str:
    """What to remember of a server whose host is lost: its state, or that it waited for room."""
    return WAITING if server.waits is not None else server.state.value


def has_host(state: str) -> bool:
    """Whether a server in this state takes its host's room, and so belongs to an availability group.

    Simplified: one on a lost host remembers it, in case the host returns, but does not count as being there.
    """
    return state in _HOLDING
