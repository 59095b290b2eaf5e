"""What the console knows, after each answer and each silence."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import servers
from console.presentation.fleet import Fleet
from console.presentation.mirror import EVENTS_KEPT, Mirror
from console.records import (
    CellRecord,
    Changes,
    ClockRecord,
    EventRecord,
    Events,
    Factors,
    HostRecord,
    Hosts,
    ServerRecord,
    ServersPage,
    Status,
)
from tests.console.examples import (
    NOW,
    POLLED,
    a_frame,
    a_host,
    a_large_fleet,
    a_server,
    ago,
    an_event,
    an_unknown,
    size,
    the_cloud,
)

SECOND = timedelta(seconds=1)


def a_mirror(*rows: ServerRecord, cells: tuple[CellRecord, ...] = (CellRecord("cell-1", "up"),)) -> Mirror:
    mirror = Mirror().apply(Status(ClockRecord(NOW), cells), NOW)
    return mirror.apply(ServersPage(rows, None, "c1", len(rows)), NOW)


def test_a_list_in_pages_is_complete_after_the_last_one_and_keeps_the_first_cursor() -> None:
    mirror = Mirror().apply(ServersPage((a_server("a"),), "page-2", "c1", 2), NOW)

    assert (mirror.is_complete, mirror.next_page, mirror.cursor) == (False, "page-2", "c1")

    mirror = mirror.apply(ServersPage((a_server("b"),), None, "c9", 2), NOW)

    assert (mirror.is_complete, mirror.next_page, mirror.cursor) == (True, None, "c1")
    assert sorted(mirror.servers) == ["id-a", "id-b"]


def test_the_mirror_before_an_answer_stays_as_it_was() -> None:
    before = a_mirror(a_server("a"))

    after = before.apply(Changes("c2", (a_server("a", state="stopped", version=2), a_server("b")), removed=()), NOW)

    assert before.servers["id-a"].state == "running"
    assert after.servers["id-a"].state == "stopped"
    assert (len(before.fleet), len(after.fleet), after.cursor) == (1, 2, "c2")


def test_a_page_that_was_read_before_a_change_does_not_undo_it() -> None:
    mirror = Mirror().apply(ServersPage((), "page-2", "c1"), NOW)
    mirror = mirror.apply(Changes("c2", (a_server("a", state="stopped", version=5),)), NOW)

    mirror = mirror.apply(ServersPage((a_server("a", version=4),), None, "c1"), NOW)

    assert mirror.servers["id-a"].state == "stopped"


def test_a_page_that_was_read_before_a_removal_does_not_bring_the_server_back() -> None:
    mirror = Mirror().apply(ServersPage((), "page-2", "c1"), NOW)
    mirror = mirror.apply(Changes("c2", removed=("id-a",)), NOW)

    assert mirror.apply(ServersPage((a_server("a"),), None), NOW).servers == {}


def test_a_list_that_is_read_again_keeps_its_rows_until_the_last_page_and_then_drops_the_gone() -> None:
    mirror = a_mirror(a_server("a"), a_server("b"), a_server("c")).restarted()
    mirror = mirror.apply(ServersPage((a_server("a"),), "page-2", "c5"), NOW)

    assert sorted(mirror.servers) == ["id-a", "id-b", "id-c"]

    mirror = mirror.apply(ServersPage((a_server("b"),), None), NOW)

    assert sorted(mirror.servers) == ["id-a", "id-b"]
    assert mirror.cursor == "c5"


def test_rows_of_a_cell_that_stops_answering_become_unknown_with_what_was_known_and_since_when() -> None:
    both = (CellRecord("cell-1", "up"), CellRecord("cell-2", "up"))
    mirror = a_mirror(a_server("a"), a_server("b", "cell-2"), cells=both)
    down = CellRecord("cell-1", "down", since=ago(seconds=5))

    mirror = mirror.apply(Status(None, (down, both[1])), NOW)

    row = mirror.servers["id-a"]
    assert (row.state, row.last_state, row.is_reachable, row.known_at) == ("unknown", "running", False, ago(seconds=5))
    assert (row.name, row.host, row.cpu_mhz) == ("a", "c1-h04", 4000)
    assert mirror.servers["id-b"].state == "running"


def test_rows_of_a_cell_that_is_back_stay_unknown_until_the_cell_has_told_them_anew() -> None:
    mirror = a_mirror(a_server("a"))
    mirror = mirror.apply(Changes("c2", cells=(CellRecord("cell-1", "hung", since=NOW),)), NOW)
    mirror = mirror.apply(Status(None, (CellRecord("cell-1", "up"),)), NOW + SECOND)

    assert mirror.servers["id-a"].state == "unknown"
    assert mirror.reload_cells == {"cell-1"}

    mirror = mirror.apply(ServersPage((a_server("a", version=1),), None, cell="cell-1"), NOW + SECOND)

    assert mirror.servers["id-a"].state == "running"
    assert mirror.reload_cells == frozenset()


def test_a_cell_that_was_silent_just_while_its_list_was_read_is_read_once_more() -> None:
    """Nobody asked how it was meanwhile: by all that was heard of it, it answers."""
    mirror = a_mirror(a_server("a"), a_server("b"))
    mirror = mirror.apply(Changes("c2", cells=(CellRecord("cell-1", "hung", since=NOW),)), NOW)
    mirror = mirror.apply(Status(None, (CellRecord("cell-1", "up"),)), NOW + SECOND)
    silent = a_server("a", state="unknown", is_reachable=False)

    mirror = mirror.apply(ServersPage((silent,), "id-a", cell="cell-1"), NOW + SECOND)
    mirror = mirror.apply(ServersPage((a_server("b", version=1),), None, cell="cell-1"), NOW + SECOND)

    assert mirror.reload_cells == {"cell-1"}

    mirror = mirror.apply(ServersPage((a_server("a", version=1),), "id-a", cell="cell-1"), NOW + SECOND)
    mirror = mirror.apply(ServersPage((a_server("b", version=1),), None, cell="cell-1"), NOW + SECOND)

    assert mirror.reload_cells == frozenset()
    assert {row.state for row in mirror.servers.values()} == {"running"}


def a_host_event(number: int, state: tuple[str, str], version: int | None = None, **said: Any) -> EventRecord:
    return an_event(number, f"host.{state[1]}", "c1-h01", ago(seconds=9 - number), "cell-1",
                    object_version=version, changes={"state": state}, **said)  # fmt: skip


def following(*hosts: HostRecord) -> Mirror:
    """A mirror that has read its hosts since its feed began."""
    return a_mirror(a_server("a")).apply(Hosts(hosts), NOW)


def test_the_states_of_hosts_follow_the_feed_and_their_figures_wait() -> None:
    before = a_host("c1-h01", "cell-1", version=3)
    mirror = following(before, a_host("c1-s01", "cell-1", kind="storage", version=1))

    lost, back = a_host_event(1, ("up", "down"), 4), a_host_event(2, ("down", "maintenance"), 5)
    mirror = mirror.apply(Changes("c2", events=(lost, back)), NOW)

    assert mirror.hosts is not None
    assert mirror.hosts[0] == before._replace(state="maintenance", state_since=back.at, version=5)
    assert mirror.hosts[1].state == "up"
    assert mirror.are_hosts_followed


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (a_host_event(1, ("up", "down"), 3), "up"),  # The list was newer.
        (a_host_event(1, ("up", "down")), "down"),
        (a_host_event(1, ("up", "down"), 4)._replace(changes={}), "up"),
        (a_host_event(1, ("up", "down"), 4)._replace(object_id="never-listed"), "up"),
    ],
)
def test_what_an_event_of_a_host_says_counts_when_it_is_news(event: EventRecord, state: str) -> None:
    mirror = following(a_host("c1-h01", "cell-1", version=3)).apply(Changes("c2", events=(event,)), NOW)

    assert [host.state for host in mirror.hosts or ()] == [state]


def test_a_list_of_hosts_that_was_on_its_way_does_not_undo_what_the_feed_said() -> None:
    listed = a_host("c1-h01", "cell-1", version=3)
    mirror = following(listed).apply(Changes("c2", events=(a_host_event(1, ("up", "down"), 4),)), NOW)

    late = mirror.apply(Hosts((listed._replace(servers=7),)), NOW)
    newer = mirror.apply(Hosts((listed._replace(version=5),)), NOW)

    assert [(host.state, host.servers) for host in late.hosts or ()] == [("down", 7)]
    assert [host.state for host in newer.hosts or ()] == ["up"]


def test_hosts_are_followed_from_the_first_list_after_the_feed_began_until_something_was_missed() -> None:
    hosts = Hosts((a_host("c1-h01", "cell-1"),))
    early = Mirror().apply(Status(None, (CellRecord("cell-1", "up"),)), NOW).apply(hosts, NOW)
    mirror = following(*hosts.hosts)
    silent = mirror.apply(Status(None, (CellRecord("cell-1", "down", since=NOW),)), NOW)
    back = silent.apply(Status(None, (CellRecord("cell-1", "up"),)), NOW)
    grown = mirror.apply(Status(None, (CellRecord("cell-1", "up"), CellRecord("cell-2", "up"))), NOW)

    followed = [each.are_hosts_followed for each in (early, mirror, silent, back, grown, mirror.restarted())]
    assert followed == [False, True, True, False, False, False]
    assert back.apply(hosts, NOW).are_hosts_followed


def test_central_knowledge_without_a_name_does_not_erase_what_was_seen_before() -> None:
    mirror = a_mirror(a_server("a"))

    mirror = mirror.apply(Changes("c2", (replace(an_unknown(None, "cell-1", None), id="id-a", known_at=NOW),)), NOW)

    row = mirror.servers["id-a"]
    assert (row.name, row.host, row.state, row.last_state, row.known_at) == ("a", "c1-h04", "unknown", "running", NOW)


def test_what_was_written_down_long_ago_was_true_until_its_cell_fell_silent() -> None:
    down = CellRecord("cell-3", "down", since=ago(minutes=5), history=("up", "down"))

    mirror = a_mirror(an_unknown("a", "cell-3", "c3-h01", known_at=ago(days=3)), cells=(down,))

    assert mirror.servers["id-a"].known_at == ago(minutes=5)


def test_a_cell_that_was_silent_when_its_backend_started_makes_nothing_look_newer_than_it_is() -> None:
    down = CellRecord("cell-3", "down", since=ago(minutes=5), history=("down", "down"))

    mirror = a_mirror(an_unknown("a", "cell-3", "c3-h01", known_at=ago(days=3)), cells=(down,))

    assert mirror.servers["id-a"].known_at == ago(days=3)


def test_a_list_that_is_read_again_leaves_out_silent_cells_and_does_not_drop_their_rows() -> None:
    cells = (CellRecord("cell-1", "up"), CellRecord("cell-3", "down"))
    mirror = a_mirror(a_server("a"), an_unknown("b", "cell-3", "c3-h01"), cells=cells).restarted()

    mirror = mirror.apply(ServersPage((), None, "c7", unreachable=("cell-3",)), NOW)

    assert sorted(mirror.servers) == ["id-b"]


def test_a_silent_cell_keeps_its_figures_and_its_hosts() -> None:
    up = CellRecord("cell-1", "up", hosts=16, capacity=size(64, 256), normal=size(8, 8), free=size(1, 1))
    mirror = a_mirror(cells=(up,)).apply(Hosts((a_host("c1-h01", "cell-1"),)), NOW)

    mirror = mirror.apply(Status(None, (CellRecord("cell-1", "down"),)), NOW).apply(Hosts(()), NOW)

    cell = mirror.cell("cell-1")
    assert cell is not None
    assert (cell.hosts, cell.capacity, cell.normal, cell.free) == (16, size(64, 256), size(8, 8), None)
    assert [(host.name, host.is_reachable) for host in mirror.hosts or ()] == [("c1-h01", False)]


def test_a_cloud_that_falls_silent_empties_nothing_and_its_clock_stands_still() -> None:
    mirror = the_cloud()

    silent = mirror.failed("connection refused", NOW, retry_at=NOW + SECOND).failed("connection refused", NOW)

    assert silent.is_offline
    assert (silent.tries, silent.servers) == (2, mirror.servers)
    assert silent.now(NOW + 60 * SECOND) == silent.now(NOW)
    assert silent.age_seconds(NOW + 60 * SECOND) == 61
    assert not silent.apply(Events(()), NOW).is_offline


def test_before_the_first_answer_the_cloud_is_late_and_not_lost() -> None:
    mirror = Mirror().failed("its socket is gone", NOW)

    assert not mirror.is_offline
    assert mirror.age_seconds(NOW) is None


@pytest.mark.parametrize(("mode", "rate", "seconds"), [("wall", 1.0, 10), ("rate", 60.0, 600), ("manual", 1.0, 0)])
def test_the_clouds_clock_runs_on_between_answers(mode: str, rate: float, seconds: int) -> None:
    mirror = Mirror().apply(Status(ClockRecord(NOW, mode, rate), ()), POLLED)

    assert mirror.now(POLLED + timedelta(seconds=10)) == NOW + timedelta(seconds=seconds)


def test_a_feed_that_is_silent_because_nothing_happens_is_not_old() -> None:
    mirror = a_mirror().apply(Status(None, ()), NOW + 20 * SECOND)

    assert mirror.age_seconds(NOW + 21 * SECOND) == 1
    assert mirror.age_seconds(NOW + 50 * SECOND) == 30


def test_only_the_latest_events_are_kept_once_each_and_in_order() -> None:
    events = tuple(an_event(number, "server.edited", "id-a", NOW + number * SECOND) for number in range(1, 700))

    mirror = Mirror().apply(Events(events[300:]), NOW).apply(Changes("c", events=events[:400]), NOW)

    assert [event.number for event in mirror.events] == list(range(200, 700))
    assert len(mirror.events) == EVENTS_KEPT


@given(st.lists(st.integers(0, 9), max_size=8, unique=True), st.lists(st.integers(0, 9), max_size=8))
def test_events_are_in_the_order_of_their_instants_however_they_come(known: list[int], news: list[int]) -> None:
    def told(numbers: list[int]) -> tuple[EventRecord, ...]:
        return tuple(an_event(number, "server.edited", "id-a", NOW + number // 2 * SECOND) for number in numbers)

    mirror = Mirror().apply(Events(told(known)), NOW).apply(Changes("c", events=told(news)), NOW)

    assert [event.number for event in mirror.events] == sorted({*known, *news})


# Orders ------------------------------------------------------------------------------------------------------------


def test_a_number_at_the_end_of_a_name_sorts_as_a_number() -> None:
    names = ["web-10", "web-9", "Web-2", "web", "db-007", "db-7", "x9y"]

    ordered = Fleet({name: a_server(name) for name in names}).ordered("name", servers.ORDERS["name"])

    assert [row.name for row in ordered] == ["db-007", "db-7", "web", "Web-2", "web-9", "web-10", "x9y"]


@pytest.mark.parametrize("is_descending", [False, True])
def test_what_is_unknown_sorts_last_in_either_direction(is_descending: bool) -> None:
    rows = (
        a_server("a", cpu_mhz=1),
        a_server("b", cpu_mhz=2),
        an_unknown("c", "cell-3", "h"),
        a_server("d", cpu_mhz=None),
    )
    fleet = Fleet({row.id: row for row in rows})

    ordered = fleet.ordered("cpu", servers.ORDERS["cpu"], is_descending=is_descending)

    assert [row.name for row in ordered] == (["b", "a", "c", "d"] if is_descending else ["a", "b", "c", "d"])


STATES = st.sampled_from(("running", "stopped", "unavailable", "starting"))
CHANGES = st.lists(st.tuples(st.integers(0, 40), STATES, st.integers(1, 4)), max_size=80)


@given(st.lists(st.tuples(CHANGES, st.sets(st.integers(0, 40), max_size=10)), max_size=5))
def test_orders_that_were_kept_up_to_date_equal_orders_that_are_made_anew(
    batches: list[tuple[list[tuple[int, str, int]], set[int]]],
) -> None:
    fleet = Fleet({f"id-{n}": a_server(f"{n}") for n in range(200)})
    for name in ("state", "cpu", "factor"):
        fleet.ordered(name, servers.ORDERS[name])
    for changed, removed in batches:
        rows = [
            a_server(f"{n}", state=state, cpu_mhz=cpu * 1000, perf_factor=Factors(cpu / 4, 1) if cpu < 4 else None)
            for n, state, cpu in changed
        ]
        fleet = fleet.changed(rows, {f"id-{n}" for n in removed})

    for name in ("name", "state", "cpu", "factor"):
        anew = Fleet(dict(fleet.by_id)).ordered(name, servers.ORDERS[name])
        assert [row.id for row in fleet.ordered(name, servers.ORDERS[name])] == [row.id for row in anew]


FEW_CHANGES = st.lists(st.tuples(st.integers(0, 60), STATES, st.integers(1, 4)), max_size=5)


@given(st.lists(st.tuples(FEW_CHANGES, st.sets(st.integers(0, 60), max_size=2)), max_size=4))
def test_what_a_filter_left_and_the_names_in_use_are_kept_right_also_where_names_are_shared(
    batches: list[tuple[list[tuple[int, str, int]], set[int]]],
) -> None:
    def a_row(number: int, state: str = "running", kind: int = 1) -> ServerRecord:
        # A name says nothing of an id, and of two groups one is hardly ever there.
        group = "rare" if kind == 4 else None
        row = a_server(f"{number}", state=state, host=f"h{kind}", group=group)
        return replace(row, name=f"web-{(number * kind) % 3}")

    def holds(row: ServerRecord) -> bool:
        return row.host in {"h1", "h3"}

    def left_of(fleet: Fleet, order: str) -> list[str]:
        def find() -> list[ServerRecord]:
            return [row for row in fleet.ordered(order, servers.ORDERS[order]) if holds(row)]

        return [row.id for row in fleet.filtered((order, "filter"), find, order, holds)]

    fleet = Fleet({f"id-{n}": a_row(n) for n in range(50)})
    for changed, removed in batches:
        assert fleet.names_in_use[1] == {"cell-1"}
        for order in ("name", "state"):
            left_of(fleet, order)
        fleet = fleet.changed([a_row(*each) for each in changed], {f"id-{n}" for n in removed})

    anew = Fleet(dict(fleet.by_id))
    assert fleet.names_in_use == anew.names_in_use
    for order in ("name", "state"):
        assert left_of(fleet, order) == left_of(anew, order)


def test_a_large_batch_of_changes_keeps_every_order_right() -> None:
    rows = a_large_fleet(2_000)
    fleet = Fleet({row.id: row for row in rows})
    fleet.ordered("state", servers.ORDERS["state"])
    chosen = random.Random(7).sample(rows, 300)

    fleet = fleet.changed([replace(row, state="unavailable", version=2) for row in chosen])

    shown = fleet.ordered("state", servers.ORDERS["state"])
    assert {row.id for row in shown[:300]} == {row.id for row in chosen}
    assert [row.sort_name for row in shown[:300]] == sorted(row.sort_name for row in chosen)


def test_a_hundred_thousand_rows_cost_a_fraction_of_sorting_them_anew() -> None:
    """A ratio within one run, so that a slow machine does not fail it."""
    rows = a_large_fleet(100_000)
    mirror = a_mirror(*rows)
    frame = a_frame(sort="state")
    started = process_time()
    servers.view(mirror, frame)
    first = process_time() - started
    batch = tuple(replace(row, state="unavailable", version=2) for row in rows[::1000])

    started = process_time()
    changed = mirror.apply(Changes("c2", batch), NOW)
    view = servers.view(changed, frame)
    after = process_time() - started

    assert view.regions[0].key(0) in {row.id for row in batch}
    assert after < first / 3
