"""What is under way: what each task is called, how far it is, which are shown, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from console.presentation import tasks
from console.presentation.lines import UNICODE, Tone, text_of
from console.presentation.mirror import Mirror
from console.records import TaskRecord, Tasks
from tests.console.drawn import body, the_row
from tests.console.examples import NOW, POLLED, a_frame, a_task, ago, the_cells, the_cloud, the_tasks


def knowing(*found: TaskRecord) -> Mirror:
    return the_cloud().apply(Tasks(found, len(found), 0), POLLED)


def status(mirror: Mirror, key: str, **choices: Any) -> str:
    return text_of(tasks.view(mirror, a_frame(**choices)).status(key))


@pytest.mark.parametrize(
    ("object_kind", "kind", "words"),
    [
        ("server", "start", "start"),
        ("server", "stop", "stop"),
        ("server", "displace", "displace"),
        ("drive", "create", "create drive"),
        ("drive", "clone", "clone drive"),
        ("drive", "release", "being copied"),
        ("host", "evacuate", "evacuate host"),
        ("host", "relocate", "relocate host"),
        ("backup", "backup", "backup"),
        ("volume", "live_resize", "live resize volume"),
    ],
)
def test_each_kind_is_said_in_plain_words(object_kind: str, kind: str, words: str) -> None:
    task = a_task(1, kind, "x", object_kind=object_kind)

    assert tasks.kind(task) == words
    for width in (40, 60, 80, 160):
        row = text_of(tasks.row(the_cloud(), a_frame(width), task))
        assert row[2:].startswith(words if len(words) <= 10 or (width >= 60 and len(words) <= 13) else words[:4])


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("task:cell-2/2", "clone drive web-03-data to web-03-data-clone: 55 of 120 GiB, 0.17 GiB/s"),
        ("task:cell-2/3", "start proxy-02: begun by the cloud, due 14:03:33"),
        ("task:cell-3/4", "stop auth-02: resumes when cell-3 answers; nothing of it is lost"),
        ("task:cell-1/7", "backup db-09: failed: quota: needs 148 GiB, 96 were left"),
        ("task:cell-2/6", "start web-31: done"),
    ],
)
def test_the_line_at_the_foot_says_how_far_it_is_and_what_is_coming(key: str, sentence: str) -> None:
    assert status(the_cloud(), key) == sentence


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"kind": "release", "object_kind": "drive", "counterpart_name": "copy"},
         "x is being copied: to copy; until that is whole it can be neither attached nor deleted"),
        ({"kind": "evacuate", "object_kind": "host", "counterpart_name": "web-1"},
         "evacuate host x: web-1 is shut down, then started elsewhere, at 14:03:37"),
        ({"kind": "relocate", "object_kind": "host"},
         "relocate host x: its servers are started elsewhere if it is not back at 14:03:37"),
        ({"kind": "displace"}, "displace x: it has notice, and is stopped at 14:03:37 to make room"),
        ({"kind": "backup", "object_kind": "backup", "bytes_total": 4 * 2**30, "rate_bytes_per_second": 200 * 2**20},
         "backup x: 2.0 of 4 GiB, 0.20 GiB/s"),
    ],
)  # fmt: skip
def test_what_a_task_leads_to_is_said_in_a_sentence(said: dict[str, Any], sentence: str) -> None:
    span = timedelta(seconds=10)
    task = a_task(9, name="x", begun_at=NOW - span, due_at=NOW + span, progress=0.0, **said)

    assert status(knowing(task), "task:cell-2/9") == sentence


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (120, "clone drive   web-03-data to web-03-data-clone"),
        (160, "clone drive   web-03-data to web-03-data-clone"),
        (80, "clone drive   web-03-data   cell-2"),
    ],
)
def test_a_clone_names_its_source_and_where_there_is_room_its_copy(width: int, shown: str) -> None:
    assert text_of(the_row(tasks.view(the_cloud(), a_frame(width)), "task:cell-2/2"))[2:].startswith(shown)


def test_of_two_long_names_both_are_shortened_and_a_short_one_is_whole() -> None:
    def shown(source: str, copy: str) -> str:
        task = a_task(2, "clone", copy, object_kind="drive", progress=0.5, counterpart_id="s", counterpart_name=source)
        return text_of(tasks.row(knowing(task), a_frame(120), task))[16:50].rstrip()

    assert shown("a-very-long-name-of-a-drive-07", "a-very-long-name-of-a-drive-07-clone") == (
        "a-very-l…ve-07 to a-very-lo…clone"
    )
    assert shown("db", "a-very-long-name-of-a-drive-07") == "db to a-very-long-name…a-drive-07"
    assert shown("a-very-long-name-of-a-drive-07", "db") == "a-very-long-name…a-drive-07 to db"


def test_what_copies_has_a_rate_beside_its_bar_and_nothing_else_has() -> None:
    view = tasks.view(the_cloud(), a_frame(120))

    assert body(view)[0][96:102] == " GiB/s"
    assert text_of(the_row(view, "task:cell-2/2"))[96:102] == "  0.17"
    assert text_of(the_row(view, "task:cell-2/3"))[96:102].strip() == ""


def test_progress_moves_with_the_clock_and_not_with_the_answers() -> None:
    mirror, frame = the_cloud(), a_frame()
    shown = [
        text_of(the_row(tasks.view(mirror, frame._replace(now=NOW + timedelta(seconds=seconds))), "task:cell-2/2"))[
            38:79
        ]
        for seconds in (0, 100, 376, 400)
    ]

    assert shown == [
        "█████████···········   46   5m20s   6m15s",
        "████████████········   60   7m00s   4m35s",
        # Its time is over and nobody has said that it is done.
        "███████████████████·   99  11m36s     due",
        "███████████████████·   99  12m00s     due",
    ]


def test_the_sources_side_of_a_clone_is_shown_only_without_the_copys() -> None:
    def shown(found: Sequence[TaskRecord]) -> list[str]:
        return [task.kind for task in tasks.without_sources(found)]

    release, clone = (next(task for task in the_tasks() if task.kind == kind) for kind in ("release", "clone"))

    assert shown([release, clone]) == ["clone"]
    assert shown([release]) == ["release"]
    assert shown([release, clone._replace(state="done")]) == ["release", "clone"]
    assert shown([release, clone._replace(object_id="another")]) == ["release", "clone"]


def test_what_waits_is_a_block_for_each_cell_the_longest_first() -> None:
    waiting = [
        a_task(1, "start", "a", "cell-5", begun_at=ago(seconds=41)),
        a_task(2, "start", "b", "cell-3", begun_at=ago(seconds=58)),
        a_task(3, "start", "c", "cell-5", begun_at=ago(seconds=20)),
        a_task(4, "stop", "d", "cell-3", begun_at=ago(seconds=722)),
        a_task(5, "start", "e", "cell-1", begun_at=ago(seconds=900), due_at=NOW, progress=0.9),
    ]
    mirror = knowing(*waiting)

    for sort in ("", *tasks.ORDERS):
        lines = body(tasks.view(mirror, a_frame(sort=sort)))
        assert [line[16] for line in lines[1:]] == ["e", "d", "b", "a", "c"]


@pytest.mark.parametrize(
    ("sort", "is_descending", "names"),
    [
        ("", False, ["api-01", "web-03-data", "proxy-02"]),
        ("progress", True, ["proxy-02", "web-03-data", "api-01"]),
        ("left", False, ["proxy-02", "api-01", "web-03-data"]),
        ("task", False, ["api-01", "web-03-data", "proxy-02"]),
        ("target", True, ["web-03-data", "proxy-02", "api-01"]),
        ("cell", False, ["api-01", "web-03-data", "proxy-02"]),
    ],
)
def test_what_moves_can_be_sorted(sort: str, is_descending: bool, names: list[str]) -> None:
    lines = body(tasks.view(the_cloud(), a_frame(sort=sort, is_descending=is_descending)))

    assert [line[16:29].strip() for line in lines[1:4]] == names


def test_the_filter_finds_a_clone_by_its_source_and_by_its_copy() -> None:
    for wanted in ("web-03-data", "data-clone", "clone drive"):
        lines = body(tasks.view(the_cloud(), a_frame(filter=wanted)))
        assert lines[1].split()[:3] == ["clone", "drive", "web-03-data"]


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("task:cell-2/2", "drive:id-web-03-data-clone"),
        ("task:cell-2/6", "id-web-31"),
        ("task:cell-1/7", None),
    ],
)
def test_a_task_leads_to_what_it_is_about(key: str, target: str | None) -> None:
    # The drives are not all known, so that one may be there that has not been told of.
    mirror = replace(the_cloud(), are_drives_complete=False)
    task = next(task for task in the_tasks() if f"task:{task.id}" == key)

    assert tasks.target_key(mirror, task) == target


def test_a_backup_leads_to_its_server_and_a_lost_drive_nowhere() -> None:
    backup = a_task(1, "backup", "web-31", object_kind="backup", counterpart_id="id-web-31")
    create = a_task(2, "create", "gone", object_kind="drive")

    assert tasks.target_key(the_cloud(), backup) == "id-web-31"
    assert tasks.target_key(the_cloud(), create) is None


def test_what_was_said_of_an_ended_task_has_a_line_of_its_own() -> None:
    moved = a_task(5, "evacuate", "c2-h07", object_kind="host", state="done", begun_at=ago(seconds=30),
                   ended_at=ago(seconds=10), result="web-31 to c2-h03")  # fmt: skip
    lines = body(tasks.view(knowing(moved), a_frame()))

    assert lines[4].rstrip() == "  evacuate host c2-h07        cell-2  ✓ done           14:03:17     20s"
    assert lines[5].strip() == "web-31 to c2-h03"


def test_the_bar_shrinks_and_the_share_stays() -> None:
    bars = {}
    for width in (40, 60, 80, 160):
        line = the_row(tasks.view(the_cloud(), a_frame(width)), "task:cell-2/2")
        bars[width] = sum(len(span.text) for span in line if span.tone is Tone.ACCENT or "·" in span.text)
        assert " 46 " in text_of(line)

    assert bars == {40: 0, 60: 10, 80: 20, 160: 20}


def test_tasks_of_a_cell_that_falls_silent_wait_and_are_not_forgotten() -> None:
    going = a_task(1, "start", "web-31", "cell-2", begun_at=ago(seconds=4), due_at=NOW, progress=0.5)
    ended = a_task(2, "start", "erp-02", "cell-2", state="done", begun_at=ago(seconds=9), ended_at=ago(seconds=1))
    mirror = knowing(going, ended)
    silent = tuple(cell._replace(state="down") if cell.name == "cell-2" else cell for cell in the_cells())

    mirror = replace(mirror, cells=silent).apply(Tasks((), 0, 0, unreachable=("cell-2",)), POLLED)

    assert mirror.tasks == (going._replace(progress=None),)
    row = text_of(tasks.row(mirror, a_frame(), mirror.tasks[0]))
    assert f"{UNICODE.busy} waits for cell-2      —" in row
    assert mirror.apply(Tasks((), 0, 1), POLLED).tasks == ()
