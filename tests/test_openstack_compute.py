"""`openstack` and openstacksdk, unmodified, on a served backend: servers, services and hosts, with cells up and not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.seed import OPERATOR, TENANT
from tests.openstack_clients import CommandLine, command_line, sdk
from tests.served import Served, served

# openstacksdk warns of what it does itself: of its own arguments, and of statistics that nobody has asked for.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:openstack.*"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:openstack.*"),
]

FLEET = """
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "a"
count = 2
kind = "compute"
cpu_mhz = 80000
memory_bytes = 137438953472
[[cells.hosts]]
name = "as"
kind = "storage"
capacity_bytes = 10995116277760
[[cells]]
name = "cell-2"
[[cells.hosts]]
name = "b"
count = 2
kind = "compute"
cpu_mhz = 80000
memory_bytes = 137438953472
[[cells.hosts]]
name = "bs"
kind = "storage"
capacity_bytes = 10995116277760
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A served cloud of two cells, its operator's command line, and its clock and faults."""

    on: Served
    cli: CommandLine

    def advance(self, seconds: int) -> None:
        with self.on.client(OPERATOR) as ops:
            assert ops.post("/clock/advance", json={"seconds": seconds}).status_code == 200

    def make(self, name: str, cell: str) -> str:
        """The id of a server in that cell, running."""
        made = self.cli(
            "server", "create", "--image", "debian-12", "--flavor", "m1.small", "--availability-zone", cell, name
        )
        self.advance(60)
        return str(made["id"])

    def cell(self, name: str, state: str) -> None:
        with self.on.client(OPERATOR) as ops:
            answer = ops.put(f"/cells/{name}/reachability", json={"state": state})
            assert answer.status_code == 200, answer.text


@pytest.fixture
def place(tmp_path: Path, openstack_process: subprocess.Popen[str]) -> Iterator[Place]:
    (tmp_path / "fleet.toml").write_text(FLEET)
    with served(tmp_path / "data", "--cloud", str(tmp_path / "fleet.toml"), "--clock", "manual") as on:
        yield Place(on, command_line(openstack_process, on, OPERATOR))


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every row once."""
    found = {row["ID"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_server_is_made_stopped_started_and_deleted(place: Place) -> None:
    id = place.make("web-01", "cell-1")

    shown = place.cli("server", "show", "web-01")
    assert (shown["id"], shown["status"], shown["OS-EXT-AZ:availability_zone"]) == (id, "ACTIVE", "cell-1")
    assert shown["image"].startswith("debian-12 (")
    assert (shown["flavor"]["name"], shown["flavor"]["vcpus"], shown["flavor"]["ram"]) == ("m1.small", 1, 2048)
    with place.on.client(OPERATOR) as ops:
        assert ops.get(f"/servers/{id}").json()["name"] == "web-01"

    assert "while it is in vm_state active" in place.cli.refused("server", "start", "web-01")
    assert place.cli.run("server", "stop", "web-01").status == 0
    place.advance(60)
    assert [row["Status"] for row in place.cli("server", "list")] == ["SHUTOFF"]
    assert place.cli.run("server", "start", id).status == 0
    place.advance(60)
    assert [(row["ID"], row["Status"]) for row in place.cli("server", "list", "--long")] == [(id, "ACTIVE")]
    assert place.cli.run("server", "delete", "web-01").status == 0
    place.advance(60)
    assert place.cli("server", "list") == []
    assert "No Server found for web-01" in place.cli.refused("server", "show", "web-01")


def test_lists_of_flavors_hosts_and_services(place: Place) -> None:
    flavors = {row["Name"]: row for row in place.cli("flavor", "list")}
    services = place.cli("compute", "service", "list")
    hypervisors = place.cli("hypervisor", "list")

    assert (flavors["m1.small"]["RAM"], flavors["m1.small"]["Disk"], flavors["m1.small"]["VCPUs"]) == (2048, 20, 1)
    assert {row["Hypervisor Hostname"] for row in hypervisors} == {"a-01", "a-02", "b-01", "b-02"}
    assert {row["State"] for row in hypervisors} == {"up"}
    computes = {row["Host"]: row["Zone"] for row in services if row["Binary"] == "nova-compute"}
    assert computes == {"a-01": "cell-1", "a-02": "cell-1", "b-01": "cell-2", "b-02": "cell-2"}
    assert {row["Binary"] for row in services} == {"nova-compute", "nova-conductor", "nova-scheduler"}
    assert {(row["Status"], row["State"]) for row in services} == {("enabled", "up")}
    only = place.cli("compute", "service", "list", "--service", "nova-compute", "--host", "b-01")
    assert [row["Host"] for row in only] == ["b-01"]


@pytest.mark.parametrize("state", ["down", "hung"])
def test_a_cell_that_does_not_answer_is_said_to_be_unknown_until_it_is_back(place: Place, state: str) -> None:
    up, away = place.make("up-01", "cell-1"), place.make("away-01", "cell-2")
    before = place.cli("server", "show", away)
    place.cell("cell-2", state)

    # A call of the real client takes a second: what differs by the query is told of one of both states.
    queries = slice(None) if state == "down" else slice(1)
    for more in ((), ("--all-projects",), ("--long",), ("-n",))[queries]:
        rows = by_id(place.cli("server", "list", *more))
        assert rows.keys() == {up, away}, more
        assert (rows[up]["Name"], rows[up]["Status"]) == ("up-01", "ACTIVE")
        assert (rows[away]["Name"], rows[away]["Status"]) == (None, "UNKNOWN")
    for hiding in (("--limit", "10"), ("--name", "0"), ("--status", "ACTIVE"))[queries]:
        assert by_id(place.cli("server", "list", *hiding)).keys() == {up}, hiding
    for version in ((), ("--os-compute-api-version", "2.71"), ("--os-compute-api-version", "2.69"))[queries]:
        shown = place.cli(*version, "server", "show", away)
        assert (shown["id"], shown["status"], shown["name"]) == (away, "UNKNOWN", None)
        assert shown["created"] == before["created"]
    assert place.cli("--os-compute-api-version", "2.68", "server", "list")[0]["ID"] == up

    for verb in ("start", "stop", "delete"):
        assert "500" in place.cli.refused("server", verb, away), verb

    # What is not in that cell goes on, and nothing is forgotten.
    assert place.cli.run("server", "stop", up).status == 0
    assert place.make("up-02", "cell-1")
    place.cell("cell-2", "up")
    rows = by_id(place.cli("server", "list"))
    assert {row["Name"]: row["Status"] for row in rows.values()} == {
        "up-01": "SHUTOFF", "up-02": "ACTIVE", "away-01": "ACTIVE",
    }  # fmt: skip
    assert place.cli("server", "show", away) == before
    assert place.cli.run("server", "delete", away).status == 0


@pytest.mark.parametrize("state", ["down", "hung"])
def test_hosts_of_a_cell_that_does_not_answer_are_unknown_services_and_no_hypervisors(place: Place, state: str) -> None:
    place.cell("cell-2", state)

    for more in ((), ("--long",), ("--service", "nova-compute")):
        services = {row["Host"]: row for row in place.cli("compute", "service", "list", *more)}
        for host in ("b-01", "b-02"):
            assert [services[host][key] for key in ("ID", "Status", "State", "Zone")] == [None, "UNKNOWN", None, None]
        assert services["a-01"]["State"] == "up"
    only = place.cli("compute", "service", "list", "--host", "b-01")
    assert [(row["Host"], row["Status"]) for row in only] == [("b-01", "UNKNOWN")]
    older = place.cli("--os-compute-api-version", "2.68", "compute", "service", "list", "--service", "nova-compute")
    assert {row["Host"] for row in older} == {"a-01", "a-02"}
    assert {row["Hypervisor Hostname"] for row in place.cli("hypervisor", "list")} == {"a-01", "a-02"}

    place.cell("cell-2", "up")
    assert {row["State"] for row in place.cli("compute", "service", "list")} == {"up"}


def test_a_tenant_sees_its_own_servers_and_learns_nothing_of_others(
    place: Place, openstack_process: subprocess.Popen[str]
) -> None:
    tenant = Place(place.on, command_line(openstack_process, place.on, TENANT))
    theirs, own = place.make("theirs-01", "cell-2"), tenant.make("own-01", "cell-2")

    for state in ("up", "down"):
        place.cell("cell-2", state)
        assert by_id(tenant.cli("server", "list")).keys() == {own}
        assert "No Server found" in tenant.cli.refused("server", "show", theirs)
        assert "403" in tenant.cli.refused("server", "list", "--all-projects")
        assert "403" in tenant.cli.refused("compute", "service", "list")
        assert by_id(place.cli("server", "list")).keys() == {theirs}
        assert by_id(place.cli("server", "list", "--all-projects")).keys() == {theirs, own}


def test_the_sdk_sees_what_the_command_line_does(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up, away = place.make("up-01", "cell-1"), place.make("away-01", "cell-2")
    with sdk(place.on, OPERATOR, tmp_path, monkeypatch) as connection:
        compute: Any = connection.compute
        image = connection.image.find_image("debian-12", ignore_missing=False)
        flavor = compute.find_flavor("m1.tiny", ignore_missing=False)
        made = compute.create_server(name="sdk-01", image_id=image.id, flavor_id=flavor.id, networks="none")
        place.advance(60)
        assert compute.wait_for_server(made, wait=10).status == "ACTIVE"
        assert {each.id for each in compute.servers()} == {up, away, made.id}
        assert {each.status for each in compute.services()} == {"enabled"}

        for state in ("down", "hung"):
            place.cell("cell-2", state)
            listed = {each.id: each.status for each in compute.servers(all_projects=True)}
            assert listed[up] == "ACTIVE"
            assert listed[away] == "UNKNOWN"
            unknown = {each.host for each in compute.services() if each.status == "UNKNOWN"}
            assert unknown == {"b-01", "b-02"}
            assert compute.get_server(away).status == "UNKNOWN"
            # A page of the reachable ones, as the SDK asks for it, and then the next.
            assert {each.id for each in compute.servers(limit=1)} == {
                id for id, status in listed.items() if status != "UNKNOWN"
            }
            place.cell("cell-2", "up")

        assert compute.get_server(away).name == "away-01"
        compute.delete_server(made.id)
        place.advance(60)
        assert compute.find_server("sdk-01") is None


def test_what_is_asked_of_the_wrong_cloud_is_refused_in_words(place: Place) -> None:
    refusals: list[tuple[tuple[str, ...], str]] = [
        (("server", "create", "--image", "debian-12", "--flavor", "m9.huge", "x"), "No Flavor found for m9.huge"),
        (("server", "create", "--image", "plan-9", "--flavor", "m1.tiny", "x"), "No Image found for plan-9"),
        (("--os-compute-api-version", "2.999", "server", "list"), "2.999"),
        (("server", "show", "nothing"), "No Server found for nothing"),
    ]
    for arguments, part in refusals:
        assert part in place.cli.refused(*arguments), arguments
    assert place.cli("server", "list") == []
