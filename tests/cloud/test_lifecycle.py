from __future__ import annotations

import pytest

from backend.cloud.errors import WrongState
from backend.cloud.lifecycle import NO_STATE, TRANSITIONS, allows, begin, has_host
from backend.cloud.model import DriveState, ServerState


@pytest.mark.parametrize(
    ("kind", "action", "state", "leads"),
    [
        ("server", "start", "stopped", ("starting", "running", 8)),
        ("server", "stop", "running", ("stopping", "stopped", 2)),
        ("server", "shutdown", "running", ("stopping", "stopped", 12)),
        ("server", "delete", "stopped", (None, None, 0)),
        ("drive", "create", NO_STATE, ("creating", "unmounted", 3)),
        ("drive", "attach", "unmounted", (None, "mounted", 0)),
        ("drive", "detach", "mounted", (None, "unmounted", 0)),
        ("drive", "delete", "unmounted", (None, None, 0)),
    ],
)
def test_an_action_leads_from_state_to_state_in_its_time(
    kind: str, action: str, state: str, leads: tuple[str | None, str | None, int]
) -> None:
    transition = begin(kind, "id", action, state)

    assert (transition.through, transition.to, transition.duration_seconds) == leads


def test_an_action_in_the_wrong_state_says_which_one_it_wants() -> None:
    with pytest.raises(WrongState) as refused:
        begin("server", "web-1", "start", ServerState.RUNNING)

    assert str(refused.value) == "Cannot start server web-1: it is running, and should be stopped."


def test_every_state_of_every_transition_exists_and_only_waiting_takes_time() -> None:
    states = {"server": {*ServerState}, "drive": {*DriveState, NO_STATE}}

    for kind, transitions in TRANSITIONS.items():
        for action, transition in transitions.items():
            assert transition.action == action
            assert {*transition.from_, transition.through or NO_STATE, transition.to or NO_STATE} <= {
                *states[kind],
                NO_STATE,
            }
            assert (transition.through is None) == (transition.duration_seconds == 0)


def test_nothing_begins_while_something_else_is_under_way() -> None:
    for state in ("starting", "stopping", "unavailable"):
        assert not any(allows("server", action, state) for action in ("start", "stop", "shutdown", "delete"))


def test_servers_hold_their_host_from_the_decision_until_they_have_stopped() -> None:
    assert [state.value for state in ServerState if has_host(state)] == ["starting", "running", "stopping", "paused"]
