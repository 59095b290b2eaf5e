"""Numbers become addresses that nobody else has, traffic only grows, and rules have one spelling."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.errors import Invalid
from backend.cloud.networks import (
    LENT_MAX,
    NO_TRAFFIC,
    OWNED_MAX,
    Configuration,
    Interface,
    gateway_of,
    lent_address,
    mac_of,
    network_of,
    owned_address,
    ports_of,
    restrictions,
    rule_of,
    traffic,
)

NUMBERS = st.integers(min_value=1, max_value=2**40 - 1)


def an_interface(number: int, configuration: Configuration | None = "dhcp", vlan_id: str | None = None) -> Interface:
    return Interface(number, "server", "project", 0, configuration=configuration, vlan_id=vlan_id)


@given(NUMBERS, NUMBERS)
def test_unlike_numbers_have_unlike_hardware_addresses(one: int, other: int) -> None:
    assert mac_of(one).startswith("22:")
    assert len(mac_of(one)) == 17
    assert (mac_of(one) == mac_of(other)) == (one == other)


def test_the_first_ten_thousand_addresses_are_all_different_and_none_is_a_gateway() -> None:
    for make, network in ((owned_address, "198.18.0.0/15"), (lent_address, "100.64.0.0/10")):
        found = [make(index) for index in range(10_000)]

        assert len(set(found)) == 10_000
        assert not set(found) & {gateway_of(address) for address in found}
        assert all(address.rpartition(".")[2] not in ("0", "1", "255") for address in found)
        assert ipaddress.ip_address(found[-1]) in ipaddress.ip_network(network)


def test_the_last_address_of_each_range_is_still_in_it() -> None:
    assert ipaddress.ip_address(owned_address(OWNED_MAX - 1)) in ipaddress.ip_network("198.18.0.0/15")
    assert ipaddress.ip_address(lent_address(LENT_MAX - 1)) in ipaddress.ip_network("100.64.0.0/10")
    assert lent_address(LENT_MAX) == lent_address(0)


@given(NUMBERS, st.integers(0, 10**9), st.integers(1, 10**6))
def test_traffic_only_grows_while_a_server_runs(number: int, seconds: int, more: int) -> None:
    interface = an_interface(number)

    before, after = traffic(interface, seconds), traffic(interface, seconds + more)

    assert after.bytes_received > before.bytes_received
    assert after.bytes_sent > before.bytes_sent
    assert after.packets_received >= before.packets_received
    assert traffic(interface, seconds) == before


def test_nothing_goes_through_an_interface_that_is_not_connected_or_has_just_come_up() -> None:
    assert traffic(an_interface(1, None), 1000) == NO_TRAFFIC
    assert traffic(an_interface(1), 0) == NO_TRAFFIC
    assert traffic(an_interface(1, None, "vlan"), 1000) != NO_TRAFFIC


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("23", "23.0.0.0/32"),
        ("172.66.32.55", "172.66.32.55/32"),
        ("!172.66.32.55", "!172.66.32.55/32"),
        ("192.168.1.1/24", "192.168.1.0/24"),
        ("10.1/16", "10.1.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_an_address_of_a_rule_is_written_as_the_published_cloud_does(text: str, wanted: str) -> None:
    assert network_of(text, "src_ip") == wanted
    assert network_of(wanted, "src_ip") == wanted


@pytest.mark.parametrize(
    "text",
    ["", "!", "!!1.2.3.4", "256.1.1.1", "1.2.3.4.5", "1.2.3.4/33", "1.2.3.4/", "here", "::1", "１.2.3.4", "1..2"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="src_ip: must be an IPv4 address"):
        network_of(text, "src_ip")


@pytest.mark.parametrize(
    ("text", "wanted"), [("22", "22"), ("!22", "!22"), ("1:1024", "1:1024"), ("!1:1024", "!1:1024"), ("0022", "22")]
)
def test_a_port_of_a_rule_may_be_a_range_and_may_be_denied(text: str, wanted: str) -> None:
    assert ports_of(text, "dst_port") == wanted


@pytest.mark.parametrize("text", ["", "65536", "1024:1", "22,23", "a", "-1", "1:2:3", "!", "٢٢", "999999"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="dst_port: must be a port or a range of ports"):
        ports_of(text, "dst_port")


def test_a_rule_has_every_field_and_ports_need_a_protocol() -> None:
    assert rule_of({"action": "drop", "direction": "in"}) == {
        "action": "drop",
        "comment": None,
        "direction": "in",
        "dst_ip": None,
        "dst_port": None,
        "ip_proto": None,
        "src_ip": None,
        "src_port": None,
    }
    with pytest.raises(Invalid, match="ip_proto"):
        rule_of({"action": "drop", "direction": "in", "dst_port": "22"})


def test_trial_accounts_are_kept_off_the_published_ports_and_new_ones_from_all_but_the_web() -> None:
    trial, new = restrictions("TRIAL"), restrictions("NEW_USER")

    assert restrictions("REGULAR") == ()
    assert [rule["dst_port"] for rule in trial] == ["22", "23", "25", "7777", "43594", "43595", "25565"]
    assert {(rule["action"], rule["direction"]) for rule in trial} == {("drop", "out")}
    assert new[: len(trial)] == trial
    assert [rule["dst_port"] for rule in new if rule["action"] == "accept"] == ["67", "53", "80", "443"]
