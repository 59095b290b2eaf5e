"""The tokens of plans: what they hold comes back, and the first difference is said in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.errors import Conflict, Invalid
from backend.operations.plan_tokens import Parts, check, digest, parts_of, token_of
from tests.strategies import QUICK

START: Parts = {
    "action": "start",
    "id": "server",
    "version": 3,
    "host": "c1-h04",
    "stops": digest(["a", "b"]),
    "waits": False,
}


def said(now: Parts, then: Parts = START) -> str:
    with pytest.raises(Conflict) as refused:
        check(token_of(then), now)
    return str(refused.value)


@QUICK
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), max_size=6))
def test_what_goes_into_a_token_comes_out_of_it(parts: dict[str, str | int | bool | None]) -> None:
    assert parts_of(token_of(parts)) == parts
    check(token_of(parts), parts)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "c1-h09"}, "It would now start on c1-h09 instead of c1-h04."),
        ({"version": 4}, "It has changed: the plan is of version 3, it is at 4 now."),
        # The first difference is told: of a changed object the rest follows from that.
        ({"version": 4, "host": "c1-h09"}, "It has changed: the plan is of version 3, it is at 4 now."),
        ({"stops": digest(["a"])}, "It would now stop 1 server to make room instead of 2."),
        ({"stops": digest(["a", "c"])}, "It would still stop 2 servers to make room, but not the same."),
        ({"waits": True}, "It would now wait for its room."),
        ({"action": "stop"}, "This is the plan of another action: start."),
        ({"id": "another"}, "This is the plan of another object: server."),
        ({"new": 1}, "This is the plan of something else."),
        ({"collisions": "1 to 0"}, "This is the plan of something else."),
    ],
)
def test_the_first_difference_is_said(changes: dict[str, str | int], sentence: str) -> None:
    assert said({**START, **changes}) == f"{sentence} Nothing was done; look at the plan again."


def test_a_part_that_is_not_asked_for_any_more_is_a_difference() -> None:
    assert said({"action": "start", "id": "server"}).startswith("This is the plan of something else.")


def test_a_clone_and_its_host_are_told_as_such() -> None:
    clone: Parts = {"action": "clone", "host": "s1"}
    assert said({**clone, "host": "s2"}, clone).startswith("The copy would now go to s2 instead of s1.")


@QUICK
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_no_token(text: str) -> None:
    with pytest.raises(Invalid, match="ask for a preview"):
        parts_of(text)


def test_a_digest_tells_length_order_and_content() -> None:
    lists: list[list[Any]] = [[], ["a"], ["b"], ["a", "b"], ["b", "a"], [["a"], "b"], ["ab"]]
    assert len({digest(each) for each in lists}) == len(lists)
    assert digest(["a", "b"]).startswith("2:")
