"""What was done from here, as it is drawn: the newest first, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from console.presentation import audit
from console.presentation.lines import text_of
from console.presentation.mirror import Mirror
from console.records_audit import ACCEPTED, NOT_SENT, REFUSED, UNKNOWN, Audit, AuditRecord
from console.screens import objects
from tests.console.drawn import body, plate, the_row
from tests.console.examples import NOW, POLLED, a_frame, ago, the_cloud


def record(id: str, path: str, outcome: str = ACCEPTED, sentence: str = "", **body: Any) -> AuditRecord:
    at = ago(minutes=10)
    ended = None if outcome == UNKNOWN else at + timedelta(milliseconds=12)
    return AuditRecord(id, at, "POST", path, body, outcome, sentence, ended)


def the_log() -> Mirror:
    return the_cloud().apply(
        Audit((
            record("1", "/servers/id-web-31/actions", action="stop"),
            record("2", "/servers/id-web-31/actions", REFUSED, "It is stopping.", action="start"),
            record("3", "/hosts/c2-h07/actions", UNKNOWN, action="drain"),
            record("4", "/clock", NOT_SENT, "connection refused", mode="manual"),
        )),
        POLLED,
    )  # fmt: skip


def test_the_newest_is_first_with_what_was_asked_and_what_became_of_it() -> None:
    assert [line.rstrip() for line in body(audit.view(the_log(), a_frame()))] == [
        "  AT            WHAT                           OUTCOME",
        "  13:53:27      set the clock manual           ○ not sent: connection refused",
        "  13:53:27      drain host c2-h07              ? outcome unknown",
        "  13:53:27      start web-31                   ✗ refused: It is stopping.",
        "  13:53:27      power off web-31               ✓ accepted",
    ]


def test_that_an_outcome_is_unknown_looks_neither_good_nor_bad() -> None:
    view = audit.view(the_log(), a_frame())

    assert plate(the_row(view, "audit:3"))[47] == "u"
    assert plate(the_row(view, "audit:1"))[47] == "o"


@pytest.mark.parametrize(("width", "end"), [(120, "12 ms"), (40, "power off web-31")])
def test_a_wide_terminal_says_how_long_it_took(width: int, end: str) -> None:
    assert text_of(the_row(audit.view(the_log(), a_frame(width)), "audit:1")).rstrip().endswith(end)


@pytest.mark.parametrize(
    ("path", "asked", "words"),
    [
        ("/servers", {"name": "web-99"}, "create server web-99"),
        ("/drives/id-web-31-data/actions", {"action": "clone"}, "clone web-31-data"),
        ("/servers/0000aaaa-0000-4000-8000-000000000000/actions", {"action": "delete"}, "delete 0000aaaa"),
        ("/cells/cell-3/actions", {"action": "up"}, "let cell cell-3 answer"),
        ("/cells/cell-3/ask", {}, "ask cell-3 whether it answers"),
        ("/cells/cell-3/reachability", {"state": "down"}, "take cell cell-3 down"),
        ("/groups/web%2F1/actions", {"action": "restore"}, "restore group web/1"),
        ("/servers/id-web-31/nics", {}, "attach a NIC to web-31"),
        ("/clock/advance", {"seconds": 60}, "advance the clock 60"),
        ("/something/new", {}, "POST /something/new"),
        ("/schedules/0000aaaa/actions", {"action": "run"}, "run schedule 0000aaaa"),
        ("/schedules", {"source_kind": "server", "cron": "30 2 * * *"}, "create schedule of server 30 2 * * *"),
        ("/backups", {"source_kind": "server"}, "back up a server"),
        ("/groups/web/actions", {"action": "end"}, "end restoring group web"),
        ("/servers", {"server": {"name": "web-99", "flavorRef": "1"}}, "create server web-99"),
        ("/servers/id-web-31/action", {"os-start": None}, "start web-31"),
        ("/servers/id-web-31/action", {"reboot": {"type": "SOFT"}}, "reboot web-31"),
        ("/servers/id-web-31/action", {}, "POST server web-31"),
    ],
)
def test_a_request_is_said_in_words(path: str, asked: dict[str, Any], words: str) -> None:
    assert audit.words(the_cloud(), record("1", path, **asked)) == words


def test_a_deleted_object_keeps_the_name_that_it_had_when_it_was_sent() -> None:
    gone = record("1", "/servers/16f718c6-0000-4000-8000-000000000000/actions", action="delete")
    balance = record("2", "/accounts/org-7/balance", balance="100.00")._replace(method="PUT")

    assert audit.words(the_cloud(), gone._replace(name="web-12")) == "delete web-12"
    assert audit.words(the_cloud(), balance) == "set the balance of org-7 to 100.00"


def test_a_filter_finds_words_outcomes_and_paths() -> None:
    def found(text: str) -> int:
        return len(body(audit.view(the_log(), a_frame(filter=text)))) - 1

    assert [found("refused"), found("c2-h07"), found("/clock"), found("web-31")] == [2, 1, 1, 2]


def test_a_record_is_copied_as_the_request_that_it_was() -> None:
    assert objects.curl(the_log(), "audit:1") == (
        "curl -sS -X POST -H \"Authorization: Bearer $STRATODECK_TOKEN\" -H 'Content-Type: application/json' "
        '-d \'{"action": "stop"}\' "$STRATODECK_URL"/ops/v1/servers/id-web-31/actions'
    )
    assert objects.place_of(the_log(), "audit:1", "audit").view == "raw"
    assert objects.record_of(the_log(), "audit:1")["body"] == {"action": "stop"}


def test_reading_it_says_nothing_of_a_cloud_that_does_not_answer() -> None:
    silent = the_cloud().failed("refused", NOW)

    assert silent.apply(Audit(()), NOW).problem == "refused"
    assert "nothing was done" in body(audit.view(replace(silent, audit=()), a_frame()))[1]
