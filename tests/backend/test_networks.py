"""What lies in cloud.db of networks: how older clouds come to it, what holds it together, and what is found broken."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import check as checking
from backend.cloud.errors import Invalid
from backend.cloud.networks import Tag, Wiring
from backend.operations import networks, servers
from backend.operations.networks import InterfaceSpec, WiringSpec
from backend.operations.tags import TagNames
from tests.backend.support import CLOUD_ID, Harness, make_folder, opened
from tests.builders import NOON

IPS = [f"198.18.0.{last}" for last in (2, 3, 4, 5)]
DHCP = InterfaceSpec(configuration="dhcp")


def static(address: str) -> InterfaceSpec:
    return InterfaceSpec(configuration="static", address=address)


def rows(folder: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "cloud.db")) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


def test_accounts_of_an_older_cloud_are_given_what_new_ones_are(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)
    fresh = {table: rows(folder, table) for table in ("address", "vlan")}
    assert len(fresh["address"]) == 2 * 4
    with closing(sqlite3.connect(folder / "cloud.db")) as connection:
        tables = "server_key_pair", "interface", "address", "vlan", "tag", "firewall_policy", "key_pair", "profile"
        for table in tables:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = '0007_networks'")
        connection.execute("PRAGMA user_version = 6")
        connection.commit()

    async def open_it() -> None:
        async with opened(folder):
            pass

    asyncio.run(open_it())

    assert {table: rows(folder, table) for table in fresh} == fresh


async def wire(on: Harness, server_id: str, *specs: InterfaceSpec) -> Wiring:
    return await networks.wire(on.cloud, on.operator, server_id, WiringSpec(tuple(specs)))


def wired_folder(folder: Path) -> Path:
    """A cloud with two servers: one with DHCP and an IP, one with DHCP."""
    make_folder(folder)

    async def story() -> None:
        async with opened(folder) as on:
            first, second = await on.server("first"), await on.server("second")
            await wire(on, first.id, DHCP, static(IPS[0]))
            await wire(on, second.id, DHCP)

    asyncio.run(story())
    return folder


def test_a_wired_cloud_is_as_it_must_be(tmp_path: Path) -> None:
    report = checking.check(wired_folder(tmp_path / "data"))

    assert (report.breach, report.interfaces) == (None, 3)
    assert list(report.lines())[1] == "2 reservations and what they are for, 3 network interfaces"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE interface SET server_id = 'gone' WHERE number = 3", "is of server gone, which its project does not"),
        ("UPDATE interface SET project_id = 'outside' WHERE number = 3", "which its project does not have"),
        ("UPDATE interface SET vlan_id = 'gone' WHERE number = 3", "has vlan_id gone, which its project does not have"),
        ("UPDATE interface SET address = '198.18.0.6' WHERE number = 2", "has address 198.18.0.6, which its project"),
        ("DELETE FROM address WHERE id = '198.18.0.2'", "has address 198.18.0.2, which its project does not have"),
    ],
)
def test_what_is_broken_of_networks_is_named(tmp_path: Path, statement: str, sentence: str) -> None:
    folder = wired_folder(tmp_path / "data")
    with closing(sqlite3.connect(folder / "cloud.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement).rowcount == 1

    assert sentence in str(checking.check(folder).breach)


def test_the_file_itself_takes_no_ip_twice_and_no_lent_address_twice(tmp_path: Path) -> None:
    folder = wired_folder(tmp_path / "data")
    for change in ("number = 1 + 4128768", "address = '198.18.0.2', configuration = 'static'"):
        with closing(sqlite3.connect(folder / "cloud.db")) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"UPDATE interface SET {change} WHERE number = 3")


SPECS = st.lists(st.sampled_from([DHCP, *map(static, IPS[:2]), InterfaceSpec()]), max_size=3)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), SPECS), max_size=8))
def test_whatever_is_asked_for_an_ip_is_on_one_interface(
    tmp_path_factory: pytest.TempPathFactory, asked: Sequence[tuple[int, list[InterfaceSpec]]]
) -> None:
    folder = tmp_path_factory.mktemp("wiring") / "data"
    make_folder(folder)

    async def story() -> None:
        async with opened(folder) as on:
            made = [await on.server(f"s-{number}") for number in range(3)]
            held: dict[str, tuple[InterfaceSpec, ...]] = {server.id: () for server in made}
            for number, specs in asked:
                id = made[number].id
                wanted = [spec.address for spec in specs if spec.address]
                others = {spec.address for other, those in held.items() if other != id for spec in those}
                try:
                    wiring = await wire(on, id, *specs)
                except Invalid:
                    assert len(set(wanted)) < len(wanted) or set(wanted) & others
                else:
                    assert not set(wanted) & others
                    assert [each.address for each in wiring.interfaces] == [spec.address for spec in specs]
                    held[id] = tuple(specs)
            await servers.delete_server(on.cloud, on.operator, made[0].id)

    asyncio.run(story())
    assert checking.check(folder).breach is None


WORDS = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_a_tags_id_is_never_that_of_another_word(renames: Sequence[tuple[str, str]]) -> None:
    """However words have been renamed: rows keep their ids, and words without a row get others."""
    tags: dict[str, Tag] = {}
    for old, new in renames:
        known = TagNames(CLOUD_ID, tags.values())
        tag = tags.pop(old, None) or Tag(known.id_of("p", old), "p", "owner", NOON, old)
        if new not in tags:
            tags[new] = Tag(tag.id, "p", "owner", NOON, new)
        else:
            tags[old] = tag

        known = TagNames(CLOUD_ID, tags.values())
        ids = [known.id_of("p", word) for word in ("a", "b", "c")]
        assert len(set(ids)) == 3
        assert all(known.id_of("p", word) == tag.id for word, tag in tags.items())
        assert known.id_of("q", "a") not in ids
