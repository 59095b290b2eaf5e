"""What became of a cloud, told from its events: hand-made logs, each about one thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from backend.cloud.model import Event
from backend.rehearsals import story
from backend.rehearsals.report import judged, report_of
from backend.rehearsals.scenario import Expected
from backend.rehearsals.story import Beginning, Story
from tests.backend.test_rehearsals import verdicts
from tests.builders import NOON
from tests.rehearsing import a_scenario


def happened(minute: float, kind: str, id: str, changes: Mapping[str, Any] | None = None, **details: Any) -> Event:
    """`changes` are what each field became; what it was before is nobody's business here."""
    after = {name: (None, value) for name, value in (changes or {}).items()}
    at = NOON + timedelta(minutes=minute)
    return Event("cell-1", 1, at, kind, kind.partition(".")[0], id, 1, changes=after, details=details)


def running(name: str, host: str = "h1", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "running", "host": host, "cpu_mhz": 4000, "memory_bytes": 8000, **more}


def told(*events: Event, servers: Mapping[str, Mapping[str, Any]], counts_from: float = 0, ends: float = 60) -> Story:
    return story.tell(
        Beginning(servers),
        events,
        counts_from=NOON + timedelta(minutes=counts_from),
        ends=NOON + timedelta(minutes=ends),
    )


def test_two_servers_of_one_name_are_out_each_for_itself() -> None:
    found = told(
        happened(1, "server.unavailable", "a", {"state": "unavailable"}, host="h1"),
        happened(2, "server.unavailable", "b", {"state": "unavailable"}, host="h1"),
        happened(3, "server.running", "b", {"state": "running"}),
        servers={"a": running("twin"), "b": running("twin")},
    )

    assert [(each.name, each.began_at < NOON + timedelta(minutes=2), each.ended_as) for each in found.out] == [
        ("twin", True, None),
        ("twin", False, "running"),
    ]
    assert found.recovery_seconds is None


def test_who_is_deleted_while_it_is_out_is_waited_for_no_longer() -> None:
    found = told(
        happened(1, "server.unavailable", "a", {"state": "unavailable"}, host="h1"),
        happened(11, "server.deleted", "a"),
        servers={"a": running("web")},
    )

    assert ([each.ended_as for each in found.out], found.recovery_seconds) == (["deleted"], 600)


def test_the_least_that_one_had_is_kept_and_every_cause_once() -> None:
    found = told(
        happened(1, "server.shrunk", "a", {"cpu_mhz_effective": 2000, "memory_bytes_effective": 8000}, cause="x"),
        happened(2, "server.shrunk", "a", {"cpu_mhz_effective": 3000, "memory_bytes_effective": 4000}, cause="y"),
        happened(3, "server.grown", "a", {"cpu_mhz_effective": 4000, "memory_bytes_effective": 8000}, cause="y"),
        happened(4, "server.shrunk", "a", {"cpu_mhz_effective": 3000, "memory_bytes_effective": 8000}, cause="x"),
        servers={"a": running("render"), "x": running("db", "h2"), "y": running("web", "h2")},
    )

    (shrunk,) = found.shrunk.values()
    assert (shrunk.name, shrunk.times, shrunk.least, shrunk.causes) == ("render", 3, (0.5, 0.5), ["db", "web"])


def test_a_stop_for_room_is_a_trouble_only_of_who_is_to_start_again() -> None:
    displaced = {"state": "stopped", "host": None, "displaced_for": "x"}
    servers = {"a": running("owed", restarts=1), "b": running("let-go"), "x": running("db", "h2")}

    found = told(
        happened(1, "server.displaced", "a", displaced),
        happened(1, "server.displaced", "b", displaced),
        happened(6, "server.running", "a", {"state": "running", "host": "h2"}),
        servers=servers,
    )

    assert [(each.name, each.why, each.back_at is not None) for each in found.stopped] == [
        ("owed", "to make room for db", True),
        ("let-go", "to make room for db", False),
    ]
    assert found.recovery_seconds == 300


def test_members_that_swap_hosts_at_one_instant_never_shared_one() -> None:
    tags = ["group:pair"]

    found = told(
        happened(5, "server.placed", "a", {"host": "h2"}),
        happened(5, "server.placed", "b", {"host": "h1"}),
        happened(9, "server.placed", "b", {"host": "h2"}),
        servers={"a": running("pair-1", "h1", tags=tags), "b": running("pair-2", "h2", tags=tags)},
    )

    pair = found.groups["pair"]
    assert [(span.began_at - NOON).total_seconds() for span in pair.shared] == [9 * 60]
    assert (pair.is_apart_first, pair.is_apart) == (True, False)


def test_a_group_that_shared_a_host_before_it_counts_is_no_trouble() -> None:
    tags = ["group:pair"]

    found = told(servers={"a": running("pair-1", tags=tags), "b": running("pair-2", tags=tags)}, counts_from=10)

    assert found.groups["pair"].is_apart_first is False
    assert found.recovery_seconds == 0


@pytest.mark.parametrize(("counts_from", "silent", "recovery"), [(0, [False], None), (30, [True], 0)])
def test_a_cell_that_was_silent_before_it_counts_is_told_and_not_waited_for(
    counts_from: float, silent: list[bool], recovery: float | None
) -> None:
    found = told(happened(5, "cell.down", "cell-2", reason="injected: down"), servers={}, counts_from=counts_from)

    assert [each.is_old for each in found.silent] == silent
    assert found.recovery_seconds == recovery


def test_an_invariant_that_does_not_hold_fails_the_rehearsal_and_is_named() -> None:
    found = told(servers={})
    report = report_of(
        a_scenario(), found, [], cloud="a fleet", began_at=NOON, breach="cell-1: host h1 is over its capacity."
    )

    assert verdicts(report)["invariants"] == ("cell-1: host h1 is over its capacity.", False)
    assert [each.is_met for each in judged(report, Expected(), found)] == [False]
    assert "FAILED  invariants: expected all hold, found cell-1: host h1 is over its capacity." in list(report.lines())
