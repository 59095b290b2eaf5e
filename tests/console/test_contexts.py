"""The clouds that the settings name: what a table may say, what is wrong with one, and which one a command opens."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import contexts
from console.contexts import Context
from console.settings import SettingsProblem, resolve

FILE = Path("/srv/settings.toml")
LAB = {"data": "/srv/lab"}
REMOTE = {"url": "https://cloud.example.org/"}


def test_a_table_says_where_a_cloud_is_what_it_looks_like_and_what_may_be_done_there() -> None:
    tables = {
        "lab": {**LAB, "colour": "green", "landing_view": "hosts"},
        "prod": {**REMOTE, "production": True, "read_only": True, "token_command": ["pass", "show", "prod"]},
        "stack": {"os_cloud": "mycloud"},
    }

    lab, prod, stack = contexts.read(tables, FILE)

    assert lab == Context("lab", "data", "/srv/lab", colour="green", landing_view="hosts")
    assert (prod.kind, prod.place, prod.is_production, prod.is_read_only) == (
        "url", "https://cloud.example.org", True, True,
    )  # fmt: skip
    assert prod.token_command == ("pass", "show", "prod")
    assert (stack.noun, stack.place, stack.is_read_only) == ("openstack", "mycloud", None)
    assert contexts.read(None, FILE) == ()


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"lab": "/srv/lab"}, r'clouds.lab is "/srv/lab"; it takes a table, such as \[clouds.lab\]'),
        ({"lab": {}}, "clouds.lab does not say where it is; it takes one of data, url, os_cloud"),
        ({"lab": {**LAB, **REMOTE}}, "clouds.lab has data and url; it takes one of"),
        ({"lab": {"data": "lab"}}, 'clouds.lab.data is "lab"; it takes the path of a folder'),
        ({"lab": {"url": "ftp://x"}}, 'clouds.lab.url is "ftp://x"; it takes http://HOST:PORT'),
        ({"lab": {**LAB, "color": "red"}}, "clouds.lab.color is not a setting; did you mean colour?"),
        ({"lab": {**LAB, "colour": "red"}}, 'clouds.lab.colour is "red"; it takes "blue", "green"'),
        ({"lab": {**LAB, "production": "yes"}}, 'clouds.lab.production is "yes"; it takes true or false'),
        ({"lab": {**LAB, "landing_view": "help"}}, 'clouds.lab.landing_view is "help"; it takes "overview"'),
        ({"lab": {**LAB, "token_file": "/srv/t"}}, "clouds.lab.token_file goes with url, and it has data"),
        ({"r": {**REMOTE, "token_file": "/t", "token_command": ["x"]}}, "clouds.r has token_file and token_command"),
        ({"r": {**REMOTE, "token_command": "pass x"}}, 'r.token_command is "pass x"; it takes a program and its argum'),
        ({"all": LAB}, 'clouds."all" cannot be called so'),
        ({"a b": LAB}, 'clouds."a b" cannot be called so'),
        ({"-": LAB}, "cannot be called so"),
        ({"a": LAB, "b": LAB}, 'clouds.b and clouds.a are both "/srv/lab"; one cloud has one name'),
        ({"a": REMOTE, "b": {"url": "HTTPS://Cloud.example.org"}}, "clouds.b and clouds.a are both"),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_its_key(tables: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsProblem, match=f"^{FILE}: .*{sentence}"):
        contexts.read(tables, FILE)


@given(st.dictionaries(st.text(max_size=4), st.dictionaries(st.sampled_from(
    ["data", "url", "os_cloud", "token_file", "token_command", "colour", "read_only", "production", "x\x1b"]
), st.text(max_size=6) | st.booleans() | st.lists(st.text(max_size=3), max_size=2)), max_size=2))  # fmt: skip
def test_whatever_stands_there_it_is_taken_or_refused_in_one_printable_line(
    tables: dict[str, dict[str, object]],
) -> None:
    said = ""
    try:
        assert [each.name for each in contexts.read(tables, FILE)] == list(tables)
    except SettingsProblem as problem:
        said = str(problem)
    assert said.isprintable()


def test_a_cloud_is_found_by_its_place_however_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    known = contexts.read({"lab": {"data": str(tmp_path / "real")}, "far": REMOTE}, FILE)

    found = [
        contexts.at(known, "data", str(tmp_path / "link")),
        contexts.at(known, "url", "https://CLOUD.example.org"),
        contexts.at(known, "data", str(tmp_path)),
    ]

    assert found == [known[0], known[1], None]


def test_a_cloud_that_the_settings_do_not_name_is_called_after_its_place() -> None:
    known = contexts.read({"lab": LAB}, FILE)

    names = [
        contexts.unlisted(known, kind, place).name
        for kind, place in (
            ("data", "/else/where"),
            ("data", "/else/lab"),
            ("url", "http://a.example:8774"),
            ("data", "/"),
        )
    ]

    assert names == ["where", "lab-2", "a.example-8774", "data"]


@pytest.mark.parametrize(
    ("option", "file", "own", "is_first", "expected"),
    [
        (None, False, None, True, False),
        (None, True, None, True, True),
        (None, True, False, True, False),
        (None, False, True, False, True),
        (True, False, False, False, True),
        (False, True, True, True, False),
        # What unlocks the cloud that is opened must not unlock another one.
        (False, True, True, False, True),
    ],
)
def test_a_cloud_is_read_only_by_its_own_rule_unless_the_command_says_otherwise(
    *, option: bool | None, file: bool, own: bool | None, is_first: bool, expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "s").write_text(f"read_only = {str(file).lower()}")
    chosen = resolve({"read_only": option}, {"STRATODECK_SETTINGS": str(tmp_path / "s")})

    assert contexts.is_read_only(Context("a", "data", "/a", is_read_only=own), chosen, is_first=is_first) is expected


def test_the_listing_names_every_cloud_with_its_rules_and_every_key() -> None:
    known = contexts.read({"lab": LAB, "prod": {**REMOTE, "production": True, "colour": "blue"}}, FILE)

    lines = contexts.listing(known, FILE)

    assert lines[0] == "lab   simulated   /srv/lab"
    assert lines[1] == "prod  stratodeck  https://cloud.example.org  (production, blue)"
    assert any(line.startswith("token_command # ") for line in lines)
    assert "names no clouds yet" in contexts.listing((), FILE)[0]
