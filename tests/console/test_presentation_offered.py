"""A cloud of zones in the mirror and on the screen: what is silent in part, how old is old, which verbs there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console import commands
from console.openstack.offer import CELLS, offer
from console.presentation import attention, cells, header, host_detail, sentences, servers
from console.presentation.lines import Frame, text_of
from console.presentation.mirror import Mirror
from console.reasons import Item, Selection
from console.records import CellRecord, Changes, Hello, HostRecord, Hosts, ServerRecord, ServersPage, Status
from console.records_offer import Pace
from console.screens import copying, views
from console.screens.places import Place
from tests.console.drawn import body
from tests.console.fakes import NOON, a_server

SECOND = timedelta(seconds=1)


def a_frame(width: int = 120, *, seconds: float = 0) -> Frame:
    at = NOON + seconds * SECOND
    return Frame(width=width, height=30, now=at, wall_now=at)


def a_zone(state: str, name: str = "nova", **more: object) -> CellRecord:
    return CellRecord(name=name, state=state, **more)  # type: ignore[arg-type]


def a_mirror(*zones: CellRecord, pace: Pace | None = None, troubles: tuple[str, ...] = ()) -> Mirror:
    """Three servers of one zone, on two hosts."""
    rows = [a_server(n, cell="nova", host=f"h{n % 2}", version=None) for n in range(3)]
    mirror = Mirror().apply(Hello("id", "prod", "Nova 2.71", offer=offer()), NOON)
    mirror = mirror.apply(Status(None, zones or (a_zone("up"),), pace=pace, troubles=troubles), NOON)
    mirror = mirror.apply(ServersPage(tuple(rows), cursor="look"), NOON)
    hosts = tuple(HostRecord(name, "nova", "compute", "up") for name in ("h0", "h1"))
    return mirror.apply(Hosts(hosts), NOON)


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ((), "servers —"),
        ((CellRecord("nova", "up"),), "servers —"),
        ((CellRecord("nova", "up", servers=0),), "servers 0"),
    ],
)
def test_servers_are_not_counted_before_any_were_listed(zones: tuple[CellRecord, ...], said: str) -> None:
    mirror = Mirror().apply(Hello("id", "prod", "Nova 2.71", offer=offer()), NOON).apply(Status(None, zones), NOON)

    assert said in text_of(header.header(mirror, a_frame()))


def a_lost_server() -> ServerRecord:
    row = a_server(0, cell="nova", host="h0", version=None)
    return replace(row, state="unknown", last_state="running", is_reachable=False, known_at=NOON)


def below(mirror: Mirror, wanted: str = "") -> str:
    """The line below the list of servers."""
    return " ".join(text_of(line) for line in servers.view(mirror, a_frame()._replace(filter=wanted)).below)


def states(mirror: Mirror) -> list[str]:
    return [row.state for row in mirror.servers.values()]


def test_a_zone_that_is_silent_in_part_makes_no_row_unknown_by_itself() -> None:
    mirror = a_mirror().apply(Status(None, (a_zone("partly", unknown=1),)), NOON + SECOND)

    assert states(mirror) == ["running"] * 3
    assert all(mirror.is_host_known(host) for host in mirror.hosts or ())

    lost = a_lost_server()
    mirror = mirror.apply(Changes("look", servers=(lost,)), NOON + SECOND)
    assert states(mirror) == ["unknown", "running", "running"]

    mirror = mirror.apply(Status(None, (a_zone("down", unknown=3, since=NOON),)), NOON + 2 * SECOND)
    assert states(mirror) == ["unknown"] * 3
    assert not any(mirror.is_host_known(host) for host in mirror.hosts or ())


def test_the_rows_of_a_zone_that_answers_in_part_again_come_back_one_by_one() -> None:
    mirror = a_mirror().apply(Status(None, (a_zone("down", since=NOON),)), NOON)
    mirror = mirror.apply(Status(None, (a_zone("partly"),)), NOON + SECOND)
    rows = tuple(a_server(n, cell="nova", host="h0", version=None) for n in range(2))

    mirror = mirror.apply(Changes("look", servers=rows), NOON + 2 * SECOND)
    assert states(mirror) == ["running", "running", "unknown"]


def test_a_host_that_is_found_in_another_zone_is_not_kept_in_the_one_before() -> None:
    moved = (HostRecord("h0", "other", "compute", "up"), HostRecord("h1", "other", "compute", "up"))

    mirror = a_mirror().apply(Hosts(moved), NOON + SECOND)

    assert [(host.name, host.cell) for host in mirror.hosts or ()] == [("h0", "other"), ("h1", "other")]


@pytest.mark.parametrize(
    ("seconds", "wait_seconds", "said"),
    [(4, 10.0, "age 4s"), (22, 10.0, "age 22s"), (24, 10.0, "AGE 24s"), (31, 10.0, "STALE 31s"), (70, 60.0, "age 70s"),
     (90, 60.0, "STALE 90s"), (15, None, "AGE 15s")],
)  # fmt: skip
def test_what_is_looked_at_now_and_then_is_old_only_when_the_next_look_is_late(
    seconds: float, wait_seconds: float | None, said: str
) -> None:
    mirror = a_mirror(pace=Pace(3, 30, wait_seconds))
    # What the looks add up to is told each second, and makes nothing younger.
    mirror = mirror.apply(Status(None, (a_zone("up"),), pace=mirror.pace), NOON + seconds * SECOND)

    shown = text_of(header.header(mirror, a_frame(seconds=seconds))).replace("1m10s", "70s").replace("1m30s", "90s")

    assert shown.rstrip().endswith(said)


def test_the_header_counts_the_requests_where_they_are_a_load() -> None:
    assert "3/30 req/min idle" in text_of(header.header(a_mirror(pace=Pace(3, 30, 60.0, "idle")), a_frame()))
    assert "3/30 req/min" in text_of(header.header(a_mirror(pace=Pace(3, 30, 10.0)), a_frame(80)))
    assert "3/30 a min" in text_of(header.header(a_mirror(pace=Pace(3, 30, 10.0)), a_frame(60)))
    assert "/min" not in text_of(header.header(a_mirror(), a_frame()))


def test_troubles_are_said_while_the_cloud_answers_and_gone_with_the_next_status() -> None:
    mirror = a_mirror(troubles=("server groups: the cloud failed with 500", "another"))

    told = sentences.waiting(mirror, "", None, a_frame())
    assert told is not None
    assert told[0] == "server groups: the cloud failed with 500; another"

    assert sentences.waiting(mirror.apply(Status(None, (a_zone("up"),)), NOON), "", None, a_frame()) is None


def test_what_a_view_does_not_have_is_said_below_its_rows_and_on_the_overview() -> None:
    notes = {"servers": "UNKNOWN ones may be missing", "hosts": "hypervisors: the cloud failed with 500"}
    mirror = a_mirror().apply(Status(None, (a_zone("up"),), notes=notes), NOON)
    frame = a_frame()

    for view, text in notes.items():
        below_it = views.make(Place(view), mirror, frame, {}).below
        assert [text_of(line).strip() for line in below_it] == [f"{frame.glyphs.attention} {text}"]
    assert views.make(Place("groups"), mirror, frame, {}).below == ()
    alarms = {alarm.key: alarm.what for alarm in attention.alarms(mirror, frame)}
    assert alarms["view:hosts"] == "hypervisors: the cloud failed with 500"
    assert sentences.waiting(mirror, "", None, frame) is None, "the status row is for the row under the cursor"


def test_zones_are_called_zones_and_what_is_unknown_in_them_lies_in_some_cell() -> None:
    zone = a_zone("partly", reason="1 of 3 servers UNKNOWN", servers=3, unknown=1, since=NOON)
    mirror = a_mirror(zone)
    frame = a_frame()

    assert header.worst_fact(mirror, frame).words == "1 of 1 zone degraded"
    drawn = "\n".join(body(cells.view(mirror, frame), "cell:nova"))
    assert "part since 12:00:00: 1 of 3 servers UNKNOWN" in drawn
    assert CELLS.split(".", maxsplit=1)[0] in " ".join(drawn.split())
    assert "its tasks wait" not in drawn
    (alarm,) = [alarm for alarm in attention.alarms(mirror, frame) if alarm.key == "cell:nova"]
    assert (alarm.what, alarm.who) == ("part; 1 of 3 servers UNKNOWN", "nova")

    lost = replace(
        a_server(0, cell="nova", host="h0"), state="unknown", last_state="running", is_reachable=False, known_at=NOON
    )
    mirror = mirror.apply(Changes("look", servers=(lost,)), NOON)
    assert sentences.sentence(mirror, frame, lost).startswith("its cell does not answer; last known running on h0")
    assert "UNKNOWN in nova: 1 server is shown as last known" in below(mirror)
    silent = HostRecord("h0", "nova", "compute", "up", is_reachable=False)
    assert host_detail.sentence(mirror, frame, silent).startswith("its cell does not answer; last known up")


def test_a_filter_says_how_many_unknown_rows_it_may_hide() -> None:
    mirror = a_mirror(a_zone("partly"))
    lost = replace(
        a_server(0, cell="nova", host="h0"), state="unknown", last_state="running", is_reachable=False, known_at=NOON
    )
    mirror = mirror.apply(Changes("look", servers=(lost,)), NOON)

    assert "UNKNOWN in nova: 1 may match /state:stopped" in below(mirror, "state:stopped")


@pytest.mark.parametrize(
    ("command", "state", "is_reachable", "reason"),
    [
        ("server.start", "stopped", True, None),
        ("server.start", "running", True, "it is running"),
        ("server.start", "stopped", False, "its cell is silent"),
        ("server.reboot", "running", True, None),
        ("server.shutdown", "running", True, None),
        ("server.stop", "running", True, "h shuts it down, then off"),
        ("server.delete", "running", True, None),
        ("server.delete", "error", True, None),
        ("server.delete", "unknown", False, "its cell is silent"),
        ("server.clone", "stopped", True, "Nova has no clones"),
        ("server.create", "stopped", True, None),
        ("cell.down", "up", True, "it is a real cloud"),
        ("clock.manual", "", True, "it is a real cloud"),
        ("schedule.run", "on", True, "Nova has no such verb"),
    ],
)
def test_a_verb_is_on_where_nova_has_it_and_else_says_why(
    command: str, state: str, is_reachable: bool, reason: str | None
) -> None:
    item = Item(command.partition(".")[0], "key", "name", state, is_reachable)

    assert commands.reason_off(commands.BY_ID[command], Selection("servers", (item,), offer=offer())) == reason


def test_read_only_comes_before_all_else_and_reboot_is_in_no_menu_of_our_own_clouds() -> None:
    selection = Selection("servers", (Item("server", "key", "name", "running"),), is_read_only=True, offer=offer())

    assert commands.reason_off(commands.BY_ID["server.reboot"], selection) == "read-only"
    assert "server.reboot" in {command.id for command in commands.verbs_for(selection)}
    assert "server.reboot" not in {command.id for command in commands.verbs_for(selection._replace(offer=None))}


def test_what_is_copied_of_a_row_is_for_the_clients_of_that_cloud() -> None:
    mirror = a_mirror()
    found = {item.letter: item for item in copying.items(mirror, a_server(0).id, "row")}

    assert found["o"].text == f"openstack --os-cloud prod server show {a_server(0).id}"
    assert {letter for letter, item in found.items() if item.reason is not None} == {"c", "p", "s"}


def test_every_verb_is_one_that_nova_has_or_says_why_it_is_off() -> None:
    """No verb of a server is off without a word of its own."""
    found = offer()
    named = {command.id for command in commands.COMMANDS if command.verb_of == "server"}

    assert named == {id for id in (*found.verbs, *found.lacks) if id.startswith("server.")}
    assert {*found.verbs, *found.lacks} <= commands.BY_ID.keys()
