"""The overview where much is lost, and where its figures are large."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.presentation import attention, overview
from console.presentation.mirror import Mirror
from console.records import DrivesPage, Hosts, ServersPage, Status
from tests.console.drawn import body
from tests.console.examples import (
    POLLED,
    a_drive,
    a_frame,
    a_group,
    a_server,
    size,
    the_cells,
    the_cloud,
    the_hosts,
    the_servers,
    the_storage_hosts,
)


def stopped_by_storage(*hosts: str) -> Mirror:
    """Some storage hosts lost, and three servers that are paused for it: two have drives on c1-s01, one on c1-s02."""
    lost = tuple(host._replace(state="down") if host.name in hosts else host for host in the_storage_hosts())
    paused = [a_server(f"p{n}", state="paused", reason="storage_lost") for n in range(3)]
    mirror = the_cloud().apply(Hosts((*the_hosts(), *lost)), POLLED)
    mirror = mirror.apply(ServersPage((*the_servers(), *paused), None, "c", 22), POLLED)
    drives = [a_drive(f"d{n}", "cell-1", "c1-s02" if n == 2 else "c1-s01", server_id=f"id-p{n}") for n in range(3)]
    # A second drive on the same host pauses nobody twice.
    drives.append(a_drive("d3", "cell-1", "c1-s01", server_id="id-p0"))
    return mirror.drives_begun().apply(DrivesPage(tuple(drives), None, len(drives)), POLLED)


@pytest.mark.parametrize(
    ("hosts", "has_drives", "said"),
    [
        (("c1-s01",), False, {"c1-s01": "storage host down; 3 servers paused"}),
        (("c1-s01", "c1-s02"), True,
         {"c1-s01": "storage host down; 2 servers paused", "c1-s02": "storage host down; 1 server paused"}),
        (("c1-s01", "c1-s02"), False, dict.fromkeys(("c1-s01", "c1-s02"),
                                                    "storage host down; 3 servers paused by 2 such hosts")),
        (("c1-s01", "c6-s01"), True, {"c1-s01": "storage host down; 2 servers paused", "c6-s01": "storage host down"}),
    ],
)  # fmt: skip
def test_a_lost_storage_host_says_how_many_servers_it_has_paused(
    hosts: tuple[str, ...], has_drives: bool, said: dict[str, str]
) -> None:
    mirror = replace(stopped_by_storage(*hosts), are_drives_complete=has_drives)
    found = {alarm.who: alarm for alarm in attention.alarms(mirror, a_frame()) if "-s" in alarm.who}

    assert {name: alarm.what for name, alarm in found.items()} == said
    assert found["c1-s01"].remedy.startswith("they go on by themselves")


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (("cloud",), "disk full; cloud.db takes no changes"),
        (("cell-2",), "disk full; cell-2 takes no changes"),
        (("cloud", "cell-1"), "disk full; cloud.db, cell-1 take no changes"),
    ],
)
def test_a_full_disk_is_the_first_that_needs_attention_and_says_what_takes_no_changes(
    files: tuple[str, ...], what: str
) -> None:
    status = Status(clock=None, cells=the_cells(), full_files=files)

    first = attention.alarms(the_cloud().apply(status, POLLED), a_frame())[0]
    then = attention.alarms(the_cloud().apply(status, POLLED).apply(status._replace(full_files=()), POLLED), a_frame())

    assert (first.who, first.what, first.tone.value) == ("disk", what, "crit")
    assert "disk" not in {alarm.who for alarm in then}


@pytest.mark.parametrize(
    ("unjudged", "said"),
    [
        ((), None),
        (("auth",), "1 cannot be judged, members do not answer: auth"),
        (("a", "b", "c", "d"), "4 cannot be judged, members do not answer: a, b, c, …"),
    ],
)
def test_groups_that_may_tolerate_nothing_stay_in_sight_while_members_do_not_answer(
    unjudged: tuple[str, ...], said: str | None
) -> None:
    """In one row, below those that are known to be at risk: a silent cell has many."""
    silent = [a_group(name, ("c1-h01", "c3-h01"), tolerates=0, collisions=0, is_bound=True) for name in unjudged]
    fine = a_group("fine", ("c1-h01", "c3-h01", "c4-h01"), tolerates=1, collisions=0, is_bound=True)
    alone = a_group("alone", ("c3-h01",), tolerates=0, collisions=0, is_bound=True)
    mirror = replace(the_cloud(), groups=(fine, alone, a_group("risk", ("c1-h01", "c1-h02"), tolerates=0), *silent))

    found = {alarm.who: alarm for alarm in attention.alarms(mirror, a_frame())}

    assert (found["groups"].what if "groups" in found else None) == said
    assert not {"fine", "alone", *unjudged} & found.keys()
    assert said is None or list(found).index("risk") < list(found).index("groups")


@pytest.mark.parametrize(("width", "edge"), [(60, 52), (80, 66), (101, 70), (160, 70)])
def test_a_bar_keeps_a_blank_before_figures_however_large_the_cells_are(width: int, edge: int) -> None:
    cells = tuple(cell._replace(capacity=size(251_028, 4096), normal=size(1_142, 500)) for cell in the_cells())
    lines = body(overview.view(replace(the_cloud(), cells=cells), a_frame(width)))

    for name in ("cell-1", "cell-3"):
        line = next(line for line in lines if line.startswith(f" {name}"))
        figure = line[:edge].rsplit(" ", 1)[1]
        assert figure.removeprefix("~").endswith("/251,028")
        assert set(figure) <= set("~0123456789,/"), figure
