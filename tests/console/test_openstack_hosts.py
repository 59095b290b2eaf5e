"""Services, hypervisors and server groups of a Nova with the faults of a real one."""

from __future__ import annotations

import httpx
import pytest

from console.openstack.known import Known
from console.openstack.wire import UNSEEN
from console.port import LATER, ClientError
from console.presentation import flavored
from console.presentation.mirror import Mirror
from console.records import Changes, HostRecord, SizeRecord
from console.records_backup_plans import FlavorRecord
from console.records_services import ServiceRecord
from tests.console.fakes import NOON
from tests.console.real_nova import Console, fault, told, troubles, two_cells, zone


def test_hypervisors_are_a_500_while_a_cell_is_silent_so_they_stay_as_they_were() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        before = (await on.client.hosts()).hosts
        assert [(host.name, host.cell, host.is_reachable) for host in before] == [
            ("c1-host1", "nova", True),
            ("c2-host1", "nova", True),
        ]
        nova.silent.add("two")
        on.timer.pass_by(60)
        await on.look()

        after = (await on.client.hosts()).hosts
        assert [(host.name, host.is_reachable) for host in after] == [("c1-host1", True), ("c2-host1", False)]
        assert after[1].capacity == before[1].capacity, "as last known"
        assert "hypervisors: the cloud failed with 500 (DBConnectionError), as Nova does" in await troubles(on)

    told(nova, story)


def test_a_service_with_many_hypervisors_is_one_host() -> None:
    nova = two_cells()
    nodes = [
        {"id": n, "hypervisor_hostname": f"node-{n}", "service": {"host": "c1-host1"}, "state": "up", "vcpus": 8,
         "vcpus_used": 2, "memory_mb": 1024, "memory_mb_used": 512, "running_vms": 1}
        for n in range(3)
    ]  # fmt: skip
    nova.instead = lambda request: (
        httpx.Response(200, json={"hypervisors": nodes}) if "hypervisors" in request.url.path else None
    )

    async def story(on: Console) -> None:
        (host,) = (await on.client.hosts()).hosts
        assert (host.name, host.servers) == ("c1-host1", 3)
        assert host.capacity is not None
        assert (host.capacity.cpu_mhz, host.capacity.memory_bytes) == (3 * 8 * 2000, 3 * 2**30)

    told(nova, story)


def test_out_of_sight_not_even_hosts_and_services_are_asked_for() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.look()
        await on.client.hosts()
        on.client.attend(is_watched=False)
        on.timer.pass_by(10_000)
        nova.paths()

        assert (await on.client.hosts()).hosts
        assert (await on.client.services()).services
        assert (await on.client.status()).pace is not None
        assert nova.paths() == []

        on.client.attend(is_watched=True)
        await on.client.hosts()
        assert nova.paths() == ["/os-hypervisors/detail"]

    told(nova, story)


def test_a_host_that_was_never_seen_is_shown_all_the_same() -> None:
    nova = two_cells(silent={"two"})
    nova.instead = lambda request: (
        httpx.Response(200, json={"hypervisors": []}) if request.url.path.endswith("/os-hypervisors/detail") else None
    )

    async def story(on: Console) -> None:
        hosts = (await on.client.hosts()).hosts

        assert [(host.name, host.cell, host.is_reachable, host.capacity) for host in hosts] == [
            ("c2-host1", UNSEEN, False, None)
        ]
        assert (await zone(on, UNSEEN)).reason.startswith("UNKNOWN ever since")

    told(nova, story)


def test_who_is_no_administrator_is_told_so_and_not_shown_an_empty_list() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        with pytest.raises(ClientError, match="may not see the hosts") as problem:
            await on.client.hosts()
        assert not problem.value.is_retryable
        nova.paths()
        offer = (await on.client.status()).offer

        assert offer is not None
        assert offer.views["services"] == "only administrators of this cloud are told of its services."
        assert offer.views["hosts"] == "only administrators of this cloud are told of its hypervisors."
        with pytest.raises(ClientError):
            await on.client.services()
        assert nova.paths() == [], "what was refused is not asked again"

    told(nova, story)


def test_hypervisors_that_were_never_told_are_the_hosts_of_services_without_figures() -> None:
    nova = two_cells(silent={"two"})

    async def story(on: Console) -> None:
        hosts = (await on.client.hosts()).hosts

        assert [(host.name, host.state, host.is_reachable, host.capacity) for host in hosts] == [
            ("c1-host1", "up", True, None),
            ("c2-host1", "up", False, None),
        ]

    told(nova, story)


def test_hosts_that_fail_before_anything_was_told_are_asked_again_later() -> None:
    nova = two_cells()
    nova.instead = lambda request: fault(500, "Unexpected API Error.") if "/os-" in request.url.path else None

    async def story(on: Console) -> None:
        for _ in range(3):
            with pytest.raises(ClientError) as problem:
                await on.client.hosts()
            assert (problem.value.code, problem.value.is_retryable) == (LATER, False)
        assert sum("hypervisors" in path for path in nova.paths()) == 1

        nova.instead = lambda _request: None
        on.timer.pass_by(60)
        hosts = (await on.client.hosts()).hosts
        assert [host.capacity is not None for host in hosts] == [True, True]

    told(nova, story)


def test_services_keep_what_was_last_known_of_them() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.client.services()
        nova.silent.add("two")
        on.timer.pass_by(60)

        rows = (await on.client.services()).services

        assert [(each.host, each.status, each.last_state, each.cell) for each in rows] == [
            ("sched1", "enabled", None, None),
            ("c1-host1", "enabled", None, "nova"),
            ("c2-host1", "UNKNOWN", "up", "nova"),
        ]
        assert rows[2].known_at == NOON

    told(nova, story)


def a_group(name: str, *members: str, id: str = "g-1") -> dict[str, object]:
    return {"id": id, "name": name, "policy": "anti-affinity", "rules": {}, "members": list(members)}


def test_server_groups_are_availability_groups_with_what_they_can_lose() -> None:
    nova = two_cells(groups=[a_group("web", "one-id-0000", "one-id-0001", "two-id-0000")])

    async def story(on: Console) -> None:
        await on.look()
        assert on.rows["two-id-0000"].group == "web"
        (group,) = (await on.client.status()).groups or ()
        assert (group.name, len(group.members), group.hosts, group.collisions, group.tolerates, group.is_bound) == (
            "web", 3, 2, 1, 1, False
        )  # fmt: skip
        assert group.worst_case == ("c1-host1", "c2-host1")

        nova.silent.add("two")
        on.timer.pass_by(90)
        await on.look()

        (group,) = (await on.client.status()).groups or ()
        assert (group.hosts, group.tolerates, group.is_bound) == (1, 0, True), "who is silent is counted as lost"
        assert "server groups: the cloud failed with 500" in await troubles(on)

    told(nova, story)


def test_groups_with_one_name_are_told_apart_and_tags_make_groups_too() -> None:
    nova = two_cells(groups=[a_group("web", "one-id-0000"), a_group("web", "one-id-0001", id="g-2-and-more")])
    nova.named("two-00").more["tags"] = ["group:db", "old"]
    nova.named("two-01").more["tags"] = ["group:db"]

    async def story(on: Console) -> None:
        await on.look()

        groups = (await on.client.status()).groups or ()
        assert [(group.name, len(group.members)) for group in groups] == [
            ("db", 2),
            ("web g-1", 1),
            ("web g-2-and-", 1),
        ]
        assert await on.client.groups_apart() == {"web g-1": "g-1", "web g-2-and-": "g-2-and-more"}

    told(nova, story)


def test_a_group_of_tags_may_have_members_that_nobody_has_seen_yet() -> None:
    nova = two_cells(groups=[a_group("web", "one-id-0002")])
    for name in ("one-00", "one-01", "two-00"):
        nova.named(name).more["tags"] = ["group:db"]
    nova.silent.add("two")

    async def story(on: Console) -> None:
        async def bounds() -> dict[str, tuple[int, bool]]:
            groups = (await on.client.status()).groups or ()
            return {group.name: (len(group.members), group.is_bound) for group in groups}

        await on.look()
        assert await bounds() == {"db": (2, True), "web": (1, False)}

        nova.silent.clear()
        on.timer.pass_by(90)
        await on.look()
        assert await bounds() == {"db": (3, False), "web": (1, False)}

    told(nova, story)


def test_who_may_not_know_the_hosts_still_sees_who_shares_one() -> None:
    nova = two_cells(is_admin=False, groups=[a_group("web", "one-id-0000", "one-id-0001", "two-id-0000")])

    async def story(on: Console) -> None:
        await on.look()

        assert on.rows["one-id-0000"].host == "#c1-host1"
        (group,) = (await on.client.status()).groups or ()
        assert (group.collisions, group.tolerates) == (1, 1)

    told(nova, story)


def test_a_host_that_is_down_says_since_when_as_its_service_does() -> None:
    known = Known()
    service = ServiceRecord("nova-compute", "h1", "nova", state="down", updated_at=NOON)
    known.take_services([service], NOON)

    found = known.take_hosts([HostRecord("h1", "nova", "compute", "down"), HostRecord("h2", "nova", "compute", "up")])
    assert [host.state_since for host in found] == [NOON, None]
    assert [host.state_since for host in known.take_hosts([HostRecord("h1", "nova", "compute", "up")])] == [None]


def test_a_host_that_the_list_leaves_out_before_its_service_falls_silent_keeps_its_figures() -> None:
    known = Known()
    services = [ServiceRecord("nova-compute", name, "nova", state="up", updated_at=NOON) for name in ("h1", "h2")]
    hosts = [HostRecord(name, "nova", "compute", "up", capacity=SizeRecord(8000, 2**33)) for name in ("h1", "h2")]
    known.take_services(services, NOON)
    known.take_hosts(hosts)

    known.take_hosts(hosts[:1])
    known.take_services([services[0], services[1]._replace(status="UNKNOWN", state="unknown")], NOON)

    assert [(host.name, host.is_reachable, host.capacity) for host in known.hosts or ()] == [
        ("h1", True, SizeRecord(8000, 2**33)),
        ("h2", False, SizeRecord(8000, 2**33)),
    ]


def test_how_many_servers_a_zone_has_is_not_known_before_they_were_looked_at() -> None:
    known = Known()
    known.take_services([ServiceRecord("nova-compute", "h1", "nova", state="up", updated_at=NOON)], NOON)
    assert [(zone.hosts, zone.servers, zone.unknown) for zone in known.zones(NOON)] == [(1, None, None)]

    known.seen_at = NOON
    assert [(zone.hosts, zone.servers, zone.unknown) for zone in known.zones(NOON)] == [(1, 0, 0)]


def test_flavors_are_offered_from_the_smallest_on() -> None:
    sizes = [("m1.small", 1, 2048), ("m1.tiny", 1, 512), ("c4", 4, 512), ("m1.medium", 2, 4096)]
    flavors = [FlavorRecord(name, name, vcpus, memory) for name, vcpus, memory in sizes]

    (field,) = [each for each in flavored.server_fields(flavors, [], [], {}) if each.name == "flavor"]
    assert [choice.partition(":")[0] for choice in field.choices] == ["m1.tiny", "m1.small", "m1.medium", "c4"]


def test_what_was_wrong_with_the_list_is_over_when_the_list_answers() -> None:
    mirror = Mirror(troubles=("the list of servers: no answer within 20 s",))

    assert mirror.apply(Changes("look"), NOON).troubles == ()
