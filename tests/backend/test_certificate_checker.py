"""What is decided is proved, and what would have been decided wrongly is not, whichever way it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend import certificate_checker
from backend.certificate_checker import CertificateChecker
from backend.cloud import backfill, certificates
from backend.cloud.backfill import HostLoad, effective_sizes
from backend.cloud.model import HostState, Size
from backend.cloud.placement import Policy, Request
from backend.cloud.stops import work_lost
from backend.event_log import Breach, Event
from backend.host_account import Host, effective
from backend.store.rows import HOST, SERVER
from tests.builders import HOUR, NOON, a_host, a_load, a_server, a_size
from tests.cloud.test_index import lives
from tests.strategies import QUICK, THOROUGH, clouds, loads, sizes
from tests.telling import Teller

Change = Callable[[dict[str, Any]], None]


def told(cloud: list[HostLoad], policy: Policy = "spread") -> Teller:
    teller = Teller(policy)
    for load in cloud:
        teller.host(load)
    return teller


def tampered(event: Event, change: Change) -> Event:
    details = orjson.loads(orjson.dumps(dict(event.details)))
    change(details)
    changes = dict(event.changes)
    if "decision" in details:
        changes["host"] = (None, details["decision"]["host"])
    return event._replace(details=details, changes=changes)


def is_accepted(teller: Teller, event: Event) -> bool:
    """By a new checker: one that has found a breach is done. Looking at an event changes no log."""
    try:
        CertificateChecker(teller.log, teller.rules).look(event)
    except Breach:
        return False
    return True


# Honest decisions


def check_life(life: tuple[Policy, list[Any]], *, start_level_permille: int = 1000) -> int:
    """How many decisions had a certificate."""
    policy, steps = life
    teller = Teller(policy, start_level_permille=start_level_permille)
    now, certified = NOON, 0
    for kind, value in steps:
        if kind == "host":
            teller.host(value)
        elif kind == "time":
            now += timedelta(seconds=value)
        else:
            decided = teller.decide(value, now)
            if decided is not None:
                event, found = decided
                certified += "certificate" in event.details
                teller.carry_out(event, found.chosen.plan.stops, now)
    teller.checker.end()
    assert teller.checker.checked == certified
    return certified


@QUICK
@given(lives())
def test_every_decision_of_a_life_is_proved(life: tuple[Policy, list[Any]]) -> None:
    check_life(life)


@QUICK
@given(lives(), st.sampled_from((500, 750)))
def test_a_backfilling_server_that_shrinks_others_is_proved_too(life: tuple[Policy, list[Any]], level: int) -> None:
    check_life(life, start_level_permille=level)


def with_small_limits(patch: pytest.MonkeyPatch, *, sets: int, nodes: int) -> None:
    patch.setattr(certificates, "ENUMERATED_MAX", sets)
    patch.setattr(certificates, "FEW_SERVERS", 0)
    patch.setattr(certificates, "HINT_NODES_MAX", nodes)
    patch.setattr(certificate_checker, "ENUMERATED_MAX", sets)


@QUICK
@given(life=lives(), sets=st.sampled_from((1, 3, 6)), nodes=st.sampled_from((1, 3, 1000)))
def test_hints_prove_what_is_not_tried_set_by_set(life: tuple[Policy, list[Any]], sets: int, nodes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        with_small_limits(patch, sets=sets, nodes=nodes)
        check_life(life)


@pytest.mark.thorough
@THOROUGH
@given(
    life=lives(),
    level=st.sampled_from((500, 750)),
    sets=st.sampled_from((1, 3, 6)),
    nodes=st.sampled_from((1, 3, 1000)),
)
def test_every_decision_of_many_more_lives_is_proved(
    life: tuple[Policy, list[Any]], level: int, sets: int, nodes: int
) -> None:
    """In each way that is tried above: to draw a life takes several times as long as to live it."""
    check_life(life)
    check_life(life, start_level_permille=level)
    with pytest.MonkeyPatch.context() as patch:
        with_small_limits(patch, sets=sets, nodes=nodes)
        check_life(life)


# Dishonest ones


def every_way(cloud: list[HostLoad], size: Size, now: datetime) -> list[tuple[str, tuple[str, ...]]]:
    """Each host with each set of its servers whose stop would make the room."""
    found = []
    for load in cloud:
        if load.host.state is not HostState.UP:
            continue
        staying = load.backfilling
        for count in range(len(staying) + 1):
            for gone in combinations(staying, count):
                kept = [server for server in staying if server not in gone]
                floors = sum((backfill.floor_held(server) for server in kept), Size(0, 0))
                if (size + floors).fits_in(load.left):
                    found.append((load.host.name, tuple(sorted(server.id for server in gone))))
    return found


def claimed(cloud: list[HostLoad], size: Size, host: str, stops: tuple[str, ...], now: datetime) -> list[int]:
    """What a certificate for this would have to say, were it the best."""
    load = next(load for load in cloud if load.host.name == host)
    gone = [server for server in load.servers if server.id in stops]
    work = sum(work_lost(server, now) for server in gone)
    shrunk = backfill.count_shrunk(load, size, stops)
    return [len(gone), work, sum(server.size.cpu_mhz for server in gone), shrunk]


def check_no_other_is_accepted(cloud: list[HostLoad], size: Size, avoid: tuple[str, ...], policy: Policy) -> None:
    teller = told(cloud, policy)
    decided = teller.decide(Request(size, is_backfilling=False, avoid=avoid), NOON)
    assume(decided is not None and "certificate" in decided[0].details)
    assert decided is not None
    event, placement = decided
    assert is_accepted(teller, event)
    ranks = {
        load.host.name: [
            r for r, id in enumerate(avoid) if id not in avoid[:r] and any(s.id == id for s in load.servers)
        ]
        for load in cloud
    }

    for host, stops in every_way(cloud, size, NOON):
        if (host, stops) == (placement.chosen.host, placement.chosen.plan.stops):
            continue

        def change(details: dict[str, Any], host: str = host, stops: tuple[str, ...] = stops) -> None:
            details["decision"].update(host=host, stops=list(stops))
            details["certificate"]["key"] = claimed(cloud, size, host, stops, NOON)
            details["certificate"]["avoid"] = ranks[host]

        assert not is_accepted(teller, tampered(event, change)), (host, stops)


@QUICK
@given(clouds(hosts_max=4, backfilling_max=4), sizes, st.data(), st.sampled_from(("spread", "pack")))
def test_no_other_host_and_no_other_set_of_servers_is_accepted(
    cloud: list[HostLoad], size: Size, data: st.DataObject, policy: Policy
) -> None:
    ids = [server.id for load in cloud for server in load.servers] or ["nobody"]
    avoid = tuple(data.draw(st.lists(st.sampled_from(ids), max_size=3)))
    check_no_other_is_accepted(cloud, size, avoid, policy)


@pytest.mark.thorough
@THOROUGH
@given(clouds(hosts_max=4, backfilling_max=4), sizes, st.data(), st.sampled_from(("spread", "pack")))
def test_none_is_accepted_in_many_more_clouds(
    cloud: list[HostLoad], size: Size, data: st.DataObject, policy: Policy
) -> None:
    ids = [server.id for load in cloud for server in load.servers] or ["nobody"]
    avoid = tuple(data.draw(st.lists(st.sampled_from(ids), max_size=3)))
    check_no_other_is_accepted(cloud, size, avoid, policy)


# One case for each way to lie


def a_cloud() -> list[HostLoad]:
    """Two hosts on which somebody has to stop for a server of 6 GHz: two on the first, three on the second."""

    def many(host: str, *sizes_mhz: int) -> HostLoad:
        held = [
            a_server(f"{host}-b{n}", mhz, 1, host=host, is_backfilling=True, floor_permille=1000,
                     started_at=NOON - (n + 1) * HOUR)
            for n, mhz in enumerate(sizes_mhz)
        ]  # fmt: skip
        return a_load(a_host(host, 8000, 64), *held)

    return [many("h1", 3000, 3000, 2000), many("h2", 2000, 2000, 2000, 2000), a_load(a_host("h3", 4000, 64))]


REQUEST = Request(a_size(6000, 1), is_backfilling=False, avoid=("h3-x", "h2-b0"))


def an_event() -> tuple[Teller, Event]:
    teller = told(a_cloud())
    decided = teller.decide(REQUEST, NOON)
    assert decided is not None
    return teller, decided[0]


def test_a_certificate_says_little() -> None:
    _, event = an_event()

    assert event.details["decision"] == {
        "host": "h1",
        "decided_by": "avoid",
        "stops": ["h1-b0", "h1-b1"],
        "shrinks": 0,
        "waits": True,
        "avoided": [],
        "runner_up": "h2",
        "is_proved": True,
    }
    assert event.details["certificate"] == {
        "v": 1,
        "after": 11,
        "policy": "spread",
        "key": [2, 3000 * 3600 + 3000 * 7200, 6000, 0],
    }


def said(**changes: Any) -> Change:
    return lambda details: details["certificate"].update(changes)


def decided_on(**changes: Any) -> Change:
    return lambda details: details["decision"].update(changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(decided_on(stops=["h1-b0"]), "has no room", id="a stop left out"),
        pytest.param(decided_on(stops=["h1-b0", "h1-b2"]), "has no room", id="a stop swapped for too little"),
        pytest.param(decided_on(stops=["h1-b1", "h1-b0"]), "another set", id="the stops in another order"),
        pytest.param(decided_on(stops=["h1-b0", "h1-b1", "h1-b2"]), "claims", id="a stop too many"),
        pytest.param(decided_on(stops=["h1-b0", "nobody"]), "cannot be understood", id="an unknown stop"),
        pytest.param(decided_on(host="h3", stops=[]), "has no room", id="a host without room"),
        pytest.param(decided_on(host="h2", stops=["h2-b0", "h2-b1"]), "has no room", id="another host"),
        pytest.param(decided_on(host="h4"), "cannot be understood", id="an unknown host"),
        pytest.param(said(key=[1, 3000 * 3600 * 3, 6000, 0]), "claims", id="a smaller count claimed"),
        pytest.param(said(key=[2, 3000 * 3600, 6000, 0]), "claims", id="less work claimed"),
        pytest.param(said(key=[2, 3000 * 3600 * 3, 6000, 1]), "claims", id="another number of shrunk servers"),
        pytest.param(said(key=7), "cannot be understood", id="a key that is none"),
        pytest.param(said(after=10), "is of event 10", id="another state"),
        pytest.param(said(avoid=[1]), "of the avoid list", id="another place of the avoid list"),
        pytest.param(said(v=2), "is of form 2", id="another form"),
        pytest.param(said(policy="pack"), "decides by pack", id="another policy"),
        pytest.param(said(hidden=[1]), "hides places", id="something hidden of its own project"),
        pytest.param(said(hidden=[0]), "hides places", id="something hidden that is nowhere"),
        pytest.param(said(level=1000), "other kind of servers", id="a start level"),
        pytest.param(decided_on(shrinks=1), "shrinks 1", id="another number of shrunk servers in the decision"),
        pytest.param(decided_on(waits=False), "does not wait", id="no wait for room"),
        pytest.param(decided_on(avoided=["h2-b0"]), "of the avoid list", id="an avoided server that is elsewhere"),
        pytest.param(decided_on(runner_up="h3"), "came second, has no room", id="a second host without room"),
        pytest.param(decided_on(runner_up="h1"), "came second, has no room", id="the host itself as the second"),
        pytest.param(decided_on(runner_up=None), "the only host", id="no second host"),
        pytest.param(decided_on(decided_by="only"), "the only host", id="an only host among two"),
        pytest.param(decided_on(decided_by="room"), "by room", id="another reason"),
        pytest.param(decided_on(is_proved=False), "has no gap", id="not proved, and no gap"),
        pytest.param(lambda details: details.pop("certificate"), "has no certificate", id="no certificate"),
        pytest.param(lambda details: details.pop("decision"), "cannot be understood", id="no decision"),
    ],
)
def test_a_lie_is_named(change: Change, sentence: str) -> None:
    teller, event = an_event()

    with pytest.raises(Breach, match=sentence):
        teller.checker.look(tampered(event, change))


def test_who_is_told_to_stop_is_who_the_decision_names() -> None:
    teller, event = an_event()

    with pytest.raises(Breach, match="h1-b2, which was not decided"):
        teller.carry_out(event, ["h1-b0", "h1-b2"], NOON)


def test_a_log_does_not_end_before_all_are_told() -> None:
    teller, event = an_event()
    teller.tell(event)
    teller.event("server.notice", "server", "h1-b0", {"notice_until": (None, "x")}, version=2, details={})

    with pytest.raises(Breach, match="ends before h1-b1 is told"):
        teller.checker.end()


def test_nobody_is_told_to_stop_without_a_decision() -> None:
    teller = told(a_cloud())

    with pytest.raises(Breach, match="h1-b0, which was not decided"):
        teller.event("server.notice", "server", "h1-b0", {"notice_until": (None, "x")}, version=2, details={})


def test_who_asked_may_hide_what_they_cannot_see_and_nothing_else() -> None:
    cloud = a_cloud()
    teller = told(cloud)
    avoids_first = replace(REQUEST, avoid=("h1-b0",))
    decided = teller.decide(avoids_first, NOON)
    assert decided is not None
    assert decided[1].chosen.host == "h2"

    assert is_accepted(teller, decided[0])
    assert not is_accepted(teller, tampered(decided[0], said(hidden=[0])))


def test_what_they_cannot_see_is_all_of_a_project_and_not_their_own() -> None:
    foreign = [load if load.host.name != "h1" else of_project(load, "theirs") for load in a_cloud()]
    teller = told(foreign)
    decided = teller.decide(replace(REQUEST, avoid=("h2-b0", "h1-b0", "h1-b1")), NOON)
    assert decided is not None
    assert decided[1].chosen.host == "h1"
    event = tampered(decided[0], lambda details: details["decision"].update(avoided=[]))

    assert is_accepted(teller, tampered(event, said(avoid=[], hidden=[1, 2])))
    assert not is_accepted(teller, tampered(event, said(avoid=[1], hidden=[2])))
    assert not is_accepted(teller, tampered(event, said(avoid=[], hidden=[0, 1, 2])))
    assert not is_accepted(teller, tampered(event, said(avoid=[], hidden=[1, 2, 3])))


def of_project(load: HostLoad, project: str) -> HostLoad:
    return HostLoad(load.host, tuple(replace(server, project_id=project) for server in load.servers))


# Floors, and those who live at them


def a_start(**changes: Any) -> tuple[Teller, Event]:
    """Of a backfilling server of 2 GHz at start level 0.5, on a host where another has to shrink for it."""
    held = a_server("h1-b0", 3000, 1, host="h1", is_backfilling=True, floor_permille=250)
    teller = Teller(start_level_permille=500)
    for load in (a_load(a_host("h1", 4000, 64), held), a_load(a_host("h2", 1500, 64)), a_load(a_host("h3", 2500, 1))):
        teller.host(load)
    decided = teller.decide(Request(a_size(2000, 2), is_backfilling=True), NOON)
    assert decided is not None
    event = decided[0]
    return teller, event._replace(changes={**event.changes, **changes})


def test_a_start_that_shrinks_others_says_so() -> None:
    teller, event = a_start()

    assert event.details["certificate"] == {"v": 1, "after": 5, "policy": "spread", "key": [0, 0, 0, 1], "level": 500}
    assert event.details["decision"]["shrinks"] == 1
    assert is_accepted(teller, event)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(said(key=[0, 0, 0, 0]), id="nobody shrunk"),
        pytest.param(said(key=[0, 0, 0, 2]), id="more shrunk"),
        pytest.param(said(key=[0, 1, 0, 1]), id="work lost"),
        pytest.param(said(level=1000), id="another level"),
        pytest.param(said(after=4), id="another state"),
        pytest.param(said(v=2), id="another form"),
        pytest.param(said(policy="pack"), id="another policy"),
        pytest.param(said(gap=[0, 1]), id="a gap"),
        pytest.param(said(hints={}), id="hints"),
        pytest.param(said(avoid=[0]), id="an avoided one"),
        pytest.param(decided_on(host="h2"), id="a host without room"),
        pytest.param(decided_on(host="h3"), id="another host without room"),
        pytest.param(decided_on(stops=["h1-b0"]), id="a stop"),
        pytest.param(decided_on(shrinks=0), id="nobody shrunk in the decision"),
        pytest.param(decided_on(waits=True), id="a wait"),
        pytest.param(decided_on(runner_up="h2"), id="a second host"),
        pytest.param(decided_on(decided_by="room"), id="another reason"),
        pytest.param(lambda details: details.pop("certificate"), id="no certificate"),
    ],
)
def test_a_lie_about_such_a_start_is_found(change: Change) -> None:
    teller, event = a_start()

    assert not is_accepted(teller, tampered(event, change))


@pytest.mark.parametrize("floor", [0, 249, 499, 501, 2000])
def test_a_floor_is_what_the_sizes_and_thresholds_say(floor: int) -> None:
    teller, event = a_start()
    assert event.changes["cpu_mhz_floor"] == (None, 500)

    with pytest.raises(Breach, match="a floor of"):
        teller.checker.look(event._replace(changes={**event.changes, "cpu_mhz_floor": (None, floor)}))


def test_a_floor_does_not_change_while_a_server_runs() -> None:
    teller, _ = a_start()

    with pytest.raises(Breach, match="fixed while it runs"):
        teller.event("server.edited", "server", "h1-b0", {"cpu_mhz_floor": (750, 800)}, version=2, details={})


# Many servers on a host: proofs beyond what is tried set by set


def crowded(*, servers: int, seed: int, host: str = "h1") -> HostLoad:
    """CPU against memory, so that the first in any order seldom make the room."""
    held = []
    for n in range(servers):
        cpu = 250 * (1 + (n * 7 + seed) % 11)
        memory = (1 + (11 - cpu // 250) + (n * 5 + seed) % 3) * 0.25
        started_at = NOON - timedelta(seconds=60 * ((n * 13 + seed * 5) % 29))
        held.append(
            a_server(f"{host}-b{n:02}", cpu, memory, host=host, is_backfilling=True, floor_permille=1000,
                     started_at=started_at)
        )  # fmt: skip
    bare = a_load(a_host(host, 0, 0), *held)
    return HostLoad(replace(bare.host, capacity=bare.nominal_backfill), bare.servers)


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5])
@pytest.mark.parametrize("servers", [20, 24, 32])
def test_a_crowded_host_is_proved_by_hints(servers: int, seed: int) -> None:
    cloud = [crowded(servers=servers, seed=seed), crowded(servers=servers, seed=seed + 1, host="h2")]
    teller = told(cloud)
    size = Size(250 * (servers // 2), 256 * (2**20) * (servers * 2))

    decided = teller.decide(Request(size, is_backfilling=False), NOON)

    assert decided is not None
    event, found = decided
    certificate = event.details["certificate"]
    assert "hints" in certificate, "this tests nothing"
    assert found.chosen.plan.is_proved
    assert "gap" not in certificate
    assert is_accepted(teller, event)
    for host in certificate["hints"]:

        def leave_out(details: dict[str, Any], host: str = host) -> None:
            del details["certificate"]["hints"][host]

        assert not is_accepted(teller, tampered(event, leave_out)), host
    host = found.chosen.host
    for part in certificate["hints"].get(host, {}):
        for worse in (None, [0, 0], [0, None, None], "much", 7, [99, [0, 0], [0, 0]]):

            def change(details: dict[str, Any], part: str = part, worse: Any = worse) -> None:
                details["certificate"]["hints"][host][part] = worse

            assert not is_accepted(teller, tampered(event, change)), (part, worse)


def test_a_host_that_ties_in_all_but_its_room_is_proved_to_come_second() -> None:
    twins = [crowded(servers=24, seed=4), crowded(servers=24, seed=4, host="h2")]
    teller = told(twins)

    decided = teller.decide(Request(Size(3000, 48 * 256 * 2**20), is_backfilling=False), NOON)

    assert decided is not None
    assert "stops" in decided[0].details["certificate"]["hints"]["h2"]
    assert is_accepted(teller, decided[0])
    wrong = tampered(decided[0], lambda details: details["certificate"]["hints"]["h2"].update(stops=[0, 1]))
    assert not is_accepted(teller, wrong)


@pytest.mark.parametrize("seed", range(4))
def test_what_a_small_proof_cannot_show_is_a_gap_that_is_said(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "HINT_NODES_MAX", 1)
    teller = told([crowded(servers=32, seed=seed)])
    decided = teller.decide(Request(Size(4000, 64 * 256 * 2**20), is_backfilling=False), NOON)
    assert decided is not None
    certificate = decided[0].details["certificate"]

    stops, work = certificate["gap"]

    assert (stops, work) > (0, 0)
    assert stops + work <= certificate["key"][0] + certificate["key"][1]
    assert is_accepted(teller, decided[0])
    assert not is_accepted(teller, tampered(decided[0], lambda details: details["certificate"].pop("gap")))
    assert not is_accepted(teller, tampered(decided[0], said(gap=[stops, work - 1]))) or work == 1


# The arithmetic of a host, twice


@QUICK
@given(loads(), sizes)
def test_both_arithmetics_of_a_host_agree(load: HostLoad, size: Size) -> None:
    pictures = [SERVER.picture(server) for server in load.servers]
    capacity = HOST.picture(load.host)
    wanted = effective_sizes(load)

    assert effective(capacity, pictures) == {id: (size.cpu_mhz, size.memory_bytes) for id, size in wanted.items()}

    account = Host(capacity, pictures)
    assert account.room == [load.room.cpu_mhz, load.room.memory_bytes]
    plan = backfill.stop_set(load, size, now=NOON)
    if plan is not None:
        gone = [account.ids.index(id) for id in plan.stops]
        at = int(NOON.timestamp())
        key = account.key((size.cpu_mhz, size.memory_bytes), gone, account.works(at), "pack")
        assert key[:2] == plan.cost[:2]
        assert key[2][:2] == (plan.cpu_mhz, backfill.count_shrunk(load, size, plan.stops))
