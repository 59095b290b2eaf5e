"""What is asked and said of interfaces, snapshots, and names with tags and meta."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.presentation import creating, parts
from console.presentation.creating import Wrong
from console.presentation.lines import UNICODE, text_of
from console.records import HostRecord
from console.records_parts import NetworkChoices, NicRecord, SnapshotRecord
from tests.console.examples import NOW, a_frame
from tests.console.fake_parts import LIMITS
from tests.console.fakes import GIB, a_drive

CHOICES = NetworkChoices(
    ("198.18.0.2",), (("vlan-1", "office"), ("vlan-2", None)), (("rule-1", "web"), ("rule-2", "web"))
)


def test_what_was_left_as_it_began_is_not_sent_back() -> None:
    fields = parts.label_fields("we·b", ("a·b", "c,d"), {"key": "va·lue"})
    texts = [field.text for field in fields]

    assert texts == ["we·b", 'a·b, "c,d"', "key=va·lue"]
    assert creating.changes(fields, texts) == {}
    assert creating.changes(fields, ["web", *texts[1:]]) == {"name": "web"}
    assert creating.changes(fields, [*texts[:2], "key=va·lue,"]) == {}, "it says the same"
    assert creating.changes(fields, [texts[0], "", ""]) == {"tags": [], "meta": {}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "new"}, "old is called new now"),
        ({"tags": []}, "old: tags changed"),
        ({"name": "new", "tags": [], "meta": {}}, "old is called new now, tags and meta changed"),
    ],
)
def test_an_edit_is_said(changes: dict[str, Any], sentence: str) -> None:
    assert parts.edited("old", changes) == sentence


def test_a_drive_only_grows_and_the_note_says_what_is_left() -> None:
    host = HostRecord("c1-s01", "cell-1", "storage", "up", storage_bytes=1_000 * GIB, used_bytes=400 * GIB)
    field = parts.drive_size_field(a_drive(1), LIMITS, host)

    assert field.note == (
        "it has 20 GiB and only grows, to 15000 GiB at most; the project has 100 GiB left;"
        " c1-s01 has room for 600 GiB more"
    )
    assert field.read("21G") == 21 * GIB
    assert field.read("20 GiB") == Wrong("20 GiB is not more than the 20 GiB that it has; a drive only grows")
    assert field.read("16000G") == Wrong("16000G is more than the most, 15000 GiB")
    unknown = parts.drive_size_field(a_drive(1), LIMITS._replace(storage_bytes_left=None), None)
    assert unknown.note == "it has 20 GiB and only grows, to 15000 GiB at most"


def test_what_a_project_has_none_of_is_not_offered() -> None:
    (network,) = parts.nic_fields(NetworkChoices())

    assert network.choices == ("dhcp", "manual")
    assert network.note == "left and right choose; no address is free, so static is not offered"
    assert [field.name for field in parts.nic_fields(CHOICES)] == ["network", "address", "vlan_id", "policy_id"]


@pytest.mark.parametrize(
    ("network", "policy", "body"),
    [
        ("dhcp", "none", {"configuration": "dhcp"}),
        ("manual", "none", {"configuration": "manual"}),
        ("static", "none", {"configuration": "static", "address": "198.18.0.2"}),
        ("private network", "none", {"vlan_id": "vlan-1"}),
        ("dhcp", "web (rule-2)", {"configuration": "dhcp", "policy_id": "rule-2"}),
    ],
)
def test_only_what_belongs_to_the_network_is_sent(network: str, policy: str, body: dict[str, str]) -> None:
    given = {"network": network, "address": "198.18.0.2", "vlan_id": "office (vlan-1)", "policy_id": policy}

    assert parts.nic_body(given, CHOICES) == body


def test_an_interface_is_told_with_its_traffic_in_units_that_one_can_read() -> None:
    nics = (
        NicRecord("22:00", "dhcp", "100.64.0.2", None, "web", 1_536, 3 * 2**30),
        NicRecord("22:01", None, None, "1e8a61001595"),
        NicRecord("22:02"),
    )
    told = [text_of(fact.value) for fact in parts.nic_facts(nics, UNICODE)]

    assert told == [
        "22:00   dhcp   100.64.0.2   firewall web   1.5 KiB in, 3.0 GiB out",
        "22:01   VLAN 1e8a6100",
        "22:02   not connected",
    ]
    assert [text_of(fact.value) for fact in parts.nic_facts((), UNICODE)] == ["none"]
    assert [option.key for option in parts.nic_options(nics, "VLAN")] == ["22:01"]


def test_snapshots_are_listed_the_newest_first() -> None:
    frame = a_frame(80)
    old = SnapshotRecord("1", "old", "d", True, NOW - timedelta(days=2), 20 * GIB, ("kept",))
    new = SnapshotRecord("2", "new", "d", False, NOW - timedelta(minutes=2))

    assert [option.name for option in parts.snapshot_options((old, new), "", frame)] == ["new", "old"]
    assert [option.name for option in parts.snapshot_options((old, new), "OL", frame)] == ["old"]
    words = parts.snapshot_words(old, frame)
    assert "2d00h" in words
    assert words.endswith("20 GiB   kept")
    assert parts.snapshot_words(new, frame).startswith("being made")
    assert text_of(parts.snapshot_facts((old, new), frame)[0].value).startswith("new")


def test_the_copy_of_a_snapshot_is_at_least_as_large() -> None:
    snapshot = SnapshotRecord("1", "old", "d", True, NOW, 20 * GIB)
    _, size = parts.copy_fields(snapshot, "old-clone", LIMITS)

    assert (size.text, size.note) == ("20 GiB", "20 GiB, which is the snapshot's, or more")
    assert size.read("19G") == Wrong("19G is less than the least, 20 GiB")


@pytest.mark.parametrize(
    ("caret", "shown"), [(0, "abcdefghij"), (5, "abcdefghij"), (26, "rstuvwxyz")], ids=["start", "middle", "end"]
)
def test_what_is_around_the_caret_is_shown(caret: int, shown: str) -> None:
    fields = parts.label_fields("abcdefghijklmnopqrstuvwxyz", (), {})
    texts = [field.text for field in fields]

    line = creating.lines(fields, texts, 0, a_frame(25), caret=caret)[0]

    assert shown in text_of(line)
    (under,) = [span.text for span in line if span.is_reversed]
    assert under == (texts[0] + " ")[caret]
