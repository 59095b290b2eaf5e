"""What a shell is told of a plan for a host, and of what was begun."""

from __future__ import annotations

import pytest

from console.presentation.host_table import lines, outcome_sentence
from console.records import HostRecord, OutcomeRecord, StoppedRecord
from console.records_plans import HostPlanRecord, MoveRecord
from console.wire import outcome
from tests.console.examples import GIB

VICTIM = StoppedRecord("v1", "crawl-028", 8000, 8 * GIB)
MOVES = (
    MoveRecord("u4", "web-02", False, 2000, 4 * GIB, "running", "moves", "h2", None, (VICTIM,), 3),
    MoveRecord("u1", "web-01", False, 2000, 2 * GIB, "running", "moves", "h1"),
    MoveRecord("u2", "big", False, 64000, 512 * GIB, "running", "stays", None, "No host has room."),
    MoveRecord("u3", "漢字", True, None, None, "running", "stops"),
)


def test_a_plan_is_its_sentences_and_a_table_with_the_worst_first() -> None:
    plan = HostPlanRecord("evacuate", "h9", sentences=("One at a time.", "One stays."), moves=MOVES)

    assert lines(plan) == [
        "One at a time.",
        "One stays.",
        "",
        "SERVER   GHZ  GIB  OUTCOME  TO, OR WHY",
        "漢字               stops",
        "big     64.0  512  stays    No host has room.",
        "web-01   2.0    2  moves    h1",
        "web-02   2.0    4  moves    h2, stops crawl-028, shrinks 3",
    ]


def test_a_plan_that_touches_no_server_has_no_table() -> None:
    assert lines(HostPlanRecord("drain", "h9", sentences=("Nothing moves.",))) == ["Nothing moves."]


def test_a_refused_plan_is_only_the_reason() -> None:
    plan = HostPlanRecord("recover", "h9", is_allowed=False, problem="It is up.", sentences=("It is up.",))

    assert lines(plan) == ["It is up."]


def a_host(servers: int) -> HostRecord:
    return HostRecord("h9", "cell-1", "compute", "down", servers=servers)


STORE = HostRecord("s1", "cell-1", "storage", "down", drives=1)

TASK = {
    "id": "cell-1/7", "cell": "cell-1", "kind": "evacuate", "object_kind": "host", "object_id": "h9",
    "object_name": "h9", "state": "open", "begun_at": "2026-01-01T00:00:00+00:00",
    "due_at": "2026-01-01T00:00:00+00:00", "ended_at": None, "progress": None, "result": None, "actor": "x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "host", "task", "said"),
    [
        (
            "fail",
            a_host(servers=2),
            None,
            "h9 is lost with 2 servers, which start elsewhere or",
        ),
        (
            "fail",
            a_host(servers=0),
            None,
            "h9 is lost; `stratodeck host recover h9` brings",
        ),
        (
            "fail",
            STORE,
            None,
            "s1 is lost with 1 drive, whose servers pause, unt",
        ),
        ("recover", None, None, "h9 is up and takes placements again."),
        ("drain", None, None, "h9 takes no more placements and nothing was moved; `stratodeck host evacuate h9` emp"),
        ("drain", STORE, None, "s1 takes no more drives and nothing was moved: drives stay where they are unless th"),
        ("evacuate", a_host(2), None, "Nothing on h9 can move; --preview says why."),
        ("evacuate", a_host(0), None, "Nothing is on h9."),
        (
            "recover",
            a_host(2),
            TASK,
            "h9 is up and takes placements again; its evacuation ends with the server that is",
        ),
        ("evacuate", None, TASK, "h9 is being evacuated, one server and one task at a time; `:tasks` in the con"),
    ],
)
def test_what_happens_now_is_one_sentence(
    action: str, host: HostRecord | None, task: dict[str, object] | None, said: str
) -> None:
    begun = OutcomeRecord(host=host, task=outcome({"task": task}).task)

    assert outcome_sentence(action, "h9", begun).startswith(said)
