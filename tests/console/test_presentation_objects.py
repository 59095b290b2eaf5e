"""Cells, tasks, events, one object in full, raw JSON and help, of one invented cloud."""

from __future__ import annotations

import pytest

from console.presentation import cells, detail, events, help, tasks
from console.presentation.lines import ASCII, UNICODE, text_of
from console.records import CellRecord
from tests.console.drawn import WIDTHS, body, lines_of, plate, the_row
from tests.console.examples import a_frame, the_cloud

# Cells, tasks, events -----------------------------------------------------------------------------------------------


def test_cells_are_listed_worst_first() -> None:
    lines = lines_of(cells.view(the_cloud(), a_frame()))

    assert [text_of(line) for line in lines[:4]] == [
        "  CELL    STATE    FOR   ANSWER ms  NEXT HOSTS   SRV UNKNOWN WAIT RISK LAST 8   ",
        "  cell-3  ✗ down   12m25s  refused   48s   ~16   190     190    6    3 ✓✓✓✓✓✓✗✗ ",
        "  cell-5  ? hung   46s        >200   14s   ~16   200     200    2    — ✓✓✓✓✓??? ",
        "  cell-1  ● up     6d04h         4    1s    16   183       ·    ·    — ✓✓✓✓✓✓✓✓ ",
    ]
    assert plate(lines[1]).endswith("mmmmmmcc.")


def test_a_silent_cell_says_what_is_known_what_is_kept_and_what_cannot_be_done() -> None:
    view = cells.view(the_cloud(), a_frame())
    assert view.preview is not None

    lines = [text_of(line) for line in view.preview("cell:cell-3")]

    assert lines[1].startswith(" cell-3  down since 13:51:02: connection refused ")
    assert lines[1].endswith("next try in 48s ")
    assert [line[:9] for line in lines[2:5]] == [" known   ", " kept    ", " not now "]
    assert lines[5].rstrip() == " answer  last 12m ago, within 4 ms"
    assert lines[6].rstrip() == " backups 3 servers have a run due, or no copy as new as promised"
    assert lines[-1].startswith(" stop           auth-02                12m01s   when cell-3 answers")
    assert lines[-1].rstrip().endswith("+1 other")


@pytest.mark.parametrize(
    ("reason", "state", "shown"),
    [("connection refused", "down", "refused"), ("cell file is missing", "down", "missing"),
     ("injected: down", "down", "injected"), ("", "down", "—"), ("no answer within 200 ms", "hung", ">200"),
     ("injected: hung", "hung", ">limit")],
)  # fmt: skip
def test_a_cell_says_in_a_word_why_there_was_no_answer(reason: str, state: str, shown: str) -> None:
    assert cells.answer_text(CellRecord("c", state, reason), UNICODE) == shown


def test_tasks_run_then_wait_then_have_ended() -> None:
    lines = body(tasks.view(the_cloud(), a_frame()))

    assert lines == [
        "  TASK          TARGET        CELL    PROGRESS                %    RUNS    LEFT ",
        "  backup        api-01        cell-1  ████████████████····   81   2m31s     35s ",
        "  clone drive   web-03-data   cell-2  █████████···········   46   5m20s   6m15s ",
        "  start         proxy-02      cell-2  █████···············   25      2s      6s ",
        "  stop          auth-02       cell-3  … waits for cell-3      —  12m01s       — ",
        "  start         app-914       cell-5  … waits for cell-5      —     41s       — ",
        " " * 80,
        "  ENDED                               RESULT                 AT    TOOK         ",
        "  start         web-31        cell-2  ✓ done           14:01:18      8s         ",
        "  backup        db-09         cell-1  ✗ failed           14 Nov      4s         ",
        "                                      quota: needs 148 GiB, 96 were left        ",
    ]


def test_waiting_is_not_nought_per_cent() -> None:
    row = the_row(tasks.view(the_cloud(), a_frame()), "task:cell-3/4")

    assert plate(row) == "..wwww..........uuuuuuu.......uuuuuu..w.wwwww.www.wwwwww......w..tttttt.......t."
    assert text_of(row)[58:64].strip() == "—"


def test_events_are_sentences_newest_first() -> None:
    lines = body(events.view(the_cloud(), a_frame()))

    assert [line.rstrip() for line in lines[1:]] == [
        " 14:01:18  ● web-31        runs",
        " 14:01:10  ▒ render-12     CPU 12.0 to 7.4 GHz on c2-h07, because of web-31",
        " 13:51:02  ✗ cell-3        does not answer: connection refused",
        " 13:41:10  ■ train-09      stopped on c2-h16 to make room for shop-11",
        " 13:38:20  ✗ c2-h13        down",
    ]


def test_events_of_one_object_are_asked_for_by_its_id() -> None:
    view = events.view(the_cloud(), a_frame(scope="id-render-12"))

    assert (view.crumbs, view.note) == (("render-12", "events"), "newest first   1+")


# One object -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "facts"),
    [
        ("id-render-12", ["CPU factor   ██│███···· 0.62   floor 0.25", "shrunk by    web-31 at 14:01:10"]),
        ("id-auth-01", ["state        ? UNKNOWN  last known running, ~12m ago, at 13:51:02", "~2.0 GHz   ~8 GiB"]),
        (
            "cell:cell-3",
            [
                "reason       connection refused",
                "~1,024.0 GHz   ~4,096 GiB",
                "backups      3 servers have a run due",
                "answered     last 12m ago",
            ],
        ),
        ("group:cache", ["tolerates    0 lost hosts", "cache-04   c4-h01   running"]),
        ("task:cell-1/7", ["result       quota: needs 148 GiB, 96 were left"]),
        ("event:cell-2/3", ["changes      cpu_mhz_effective: 12000 to 7400"]),
        ("id-gone", ["id-gone is not known any more   esc goes back"]),
    ],
)
def test_an_object_is_described_by_facts(key: str, facts: list[str]) -> None:
    for width in (60, 80, 160):
        view = detail.describe(the_cloud(), key, a_frame(width))
        lines = body(view)

        assert all(len(line) == width for line in lines)
        if width >= 80:
            assert all(any(fact in line for line in lines) for fact in facts), lines


def test_facts_lead_on() -> None:
    view = detail.describe(the_cloud(), "id-render-12", a_frame())

    assert {"cell:cell-2", "host:c2-h07", "id-web-31"} <= {view.regions[0].key(n) for n in range(len(view.regions[0]))}


def test_raw_json_leaves_nothing_out_however_narrow_the_terminal_is() -> None:
    value = {"name": "a" * 90, "meta": {"quote": 'say "x"'}, "tags": ["t1", "t2"], "host": None, "n": 12, "ok": True,
             "empty": {}, "none": []}  # fmt: skip
    for width in (40, 80):
        lines = body(detail.raw("web", value, a_frame(width)))

        joined = "".join(line[1:-1] if len(line[1:-1].rstrip()) == width - 2 else line[1:].rstrip() for line in lines)
        assert all(len(line) == width for line in lines)
        assert "a" * 90 in joined
        assert '"say \\"x\\""' in joined
    assert body(detail.raw("web", value, a_frame(filter="host")))[0].strip() == '"host": null,'


def test_help_lists_every_key_in_columns_and_explains_the_glyphs() -> None:
    sections = [("move", [("j down", "one row down"), ("k up", "one row up")]), ("go", [("enter", "open the row")])]
    for width, height in WIDTHS:
        for glyphs in (UNICODE, ASCII):
            lines = body(help.view(sections, a_frame(width, height, glyphs=glyphs)))

            assert all(len(line) == width for line in lines)
            assert all(any(words in line for line in lines) for words in ("one row up", "open the row", "GLYPHS"))
    assert body(help.view(sections, a_frame(filter="zzz")))[0].strip().startswith("no key matches /zzz")


def test_the_log_of_a_silent_cell_is_not_said_to_be_empty() -> None:
    mirror = the_cloud()
    silent = next(server for server in mirror.servers.values() if server.cell == "cell-3")
    answering = next(server for server in mirror.servers.values() if server.cell == "cell-6")

    view, quiet = (events.view(mirror, a_frame(scope=server.id)) for server in (silent, answering))

    assert "not known: they are in the log of cell-3, which does not answer" in "\n".join(body(view))
    assert view.note == UNICODE.nobody_said
    assert "nothing has happened yet" in "\n".join(body(quiet))
