"""What a new drive or server is to be, from what was typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import creating
from console.presentation.creating import Wrong, clone_name
from console.presentation.lines import UNICODE, span_width, text_of
from tests.console.examples import GIB, a_frame


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("20G", 20 * GIB),
        (" 120 GiB ", 120 * GIB),
        ("1.5T", 1536 * GIB),
        ("512 mib", GIB // 2),
        ("0.3 GiB", 322_122_547),
        ("2Ti", 2048 * GIB),
    ],
)
def test_a_size_is_its_number_and_its_unit(typed: str, size: int) -> None:
    assert creating.read_size(typed) == size


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "a size is needed"),
        ("20", "20 is not a size"),
        ("much", "much is not a size"),
        ("-3G", "-3G is not a size"),
        ("0G", "0G is nothing at all"),
        ("999999999999999T", "999999999999999T is more than any cloud has"),
        ("20 GB", "20 GB could be read as 1000 or 1024 based"),
        ("20 GHz", "20 GHz is not a size"),
    ],
)
def test_what_is_no_size_gets_a_sentence_that_says_what_is(typed: str, sentence: str) -> None:
    found = creating.read_size(typed)

    assert isinstance(found, Wrong)
    assert found.sentence.startswith(sentence)
    assert found.sentence.endswith("type a number and its unit, such as 20G, 120 GiB or 1.5T")


@pytest.mark.parametrize(("typed", "mhz"), [("4 GHz", 4_000), ("4000", 4_000), ("2.5g", 2_500), ("800 MHz", 800)])
def test_a_bare_amount_of_cpu_is_mhz(typed: str, mhz: int) -> None:
    assert creating.read_cpu(typed) == mhz


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "CPU is needed; type GHz or MHz, such as 4 GHz or 4000"),
        ("four", "four is not an amount of CPU; type GHz or MHz, such as 4 GHz or 4000"),
        ("0", "0 is nothing at all; type GHz or MHz, such as 4 GHz or 4000"),
        ("0.0001 GHz", "0.0001 GHz is not whole MHz; type GHz or MHz, such as 4 GHz or 4000"),
    ],
)
def test_what_is_no_cpu_gets_a_sentence_that_says_what_is(typed: str, sentence: str) -> None:
    assert creating.read_cpu(typed) == Wrong(sentence)


@pytest.mark.parametrize(
    ("typed", "share"),
    [
        ("", None),
        ("0.25", 0.25),
        (" 25 % ", 0.25),
        ("25%", 0.25),
        (".5", 0.5),
        ("1", 1.0),
        ("100%", 1.0),
        ("0.1%", 0.001),
    ],
)
def test_a_floor_is_a_share_or_left_open(typed: str, share: float | None) -> None:
    assert creating.read_floor(typed) == share


@pytest.mark.parametrize("typed", ["0", "1.5", "101%", "a quarter", "-1", "%", ".", "0.25.1"])
def test_what_is_no_floor_gets_a_sentence(typed: str) -> None:
    assert creating.read_floor(typed) == Wrong(
        f"{typed} is not a floor; type a share from 0.001 to 1, such as 0.25 or 25%"
    )


def test_servers_to_avoid_are_named_and_sent_as_ids_in_their_order() -> None:
    ids = {"web 1": ["id-1"], "db": ["id-2"], "twin": ["id-3", "id-4"], "id-4": ["id-4"]}
    read = creating.avoid_reader(lambda name: ids.get(name, []))

    assert read("db, web 1,, db") == ["id-2", "id-1"]
    assert read(" ") is None
    assert read("id-4") == ["id-4"]
    assert read("db, none") == Wrong("no server is called none; type names or ids with commas between them")
    assert read("twin") == Wrong("2 servers are called twin; type the id of the one that is meant")


@given(number=st.integers(1, 10**6), unit=st.sampled_from("MGT"), blank=st.sampled_from(["", " "]))
def test_a_whole_size_is_exact(number: int, unit: str, blank: str) -> None:
    assert creating.read_size(f"{number}{blank}{unit}iB") == number * 1024 ** (2 + "MGT".index(unit))


@given(typed=st.text(max_size=40))
def test_nothing_that_is_typed_breaks_it(typed: str) -> None:
    for read in (creating.read_name, creating.read_size, creating.read_cpu):
        found: Any = read(typed)
        assert isinstance(found, Wrong) or found


def test_what_is_left_open_is_not_sent() -> None:
    fields = creating.drive_fields(["cell-1"])

    assert creating.body(fields, ["data", "20G", "disk", "any", ""]) == {
        "name": "data",
        "size_bytes": 20 * GIB,
        "media": "disk",
    }


def test_an_account_that_may_not_backfill_is_told_so_and_has_no_choice() -> None:
    kind = creating.server_fields([], may_backfill=False)[3]

    assert (kind.choices, kind.note) == (("normal",), "backfilling is not enabled for this account")


def test_a_name_is_at_most_as_long_as_the_api_takes() -> None:
    assert creating.read_name("x" * 255) == "x" * 255
    assert creating.read_name("x" * 256) == Wrong("the name has 256 characters; 255 is the most")


@pytest.mark.parametrize("width", [36, 62])
def test_the_lines_fit_and_show_the_end_of_what_is_typed(width: int) -> None:
    fields = creating.drive_fields(["cell-1"])
    lines = creating.lines(fields, ["日本" * 40 + "-end", "20G", "disk", "any", ""], 0, a_frame(width))

    assert {span_width(line) for line in lines} == {width}
    assert text_of(lines[0]).rstrip().endswith("-end")
    assert text_of(lines[0])[1] == UNICODE.cursor


@pytest.mark.parametrize(
    ("taken", "proposed"),
    [
        ((), "web-clone"),
        (("web", None), "web-clone"),
        (("web-clone",), "web-clone-2"),
        (("web-clone", "web-clone-2", "web-clone-4"), "web-clone-3"),
    ],
)
def test_a_clone_is_proposed_a_name_that_is_free(taken: tuple[str | None, ...], proposed: str) -> None:
    assert clone_name("web", taken) == proposed


def test_a_long_name_gives_way_to_what_tells_its_clones_apart() -> None:
    first = clone_name("w" * 255, ())
    second = clone_name("w" * 255, (first,))

    assert (len(first), len(second)) == (255, 255)
    assert second.endswith("w-clone-2")
