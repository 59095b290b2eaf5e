"""Redundancy against losing every set of hosts, and the published lists of ids."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.groups import Member, availability, redundancy
from tests.strategies import QUICK, THOROUGH


def members(*hosts: str, unknown: int = 0) -> list[Member]:
    known = [Member(f"m{n}", host) for n, host in enumerate(hosts)]
    return known + [Member(f"u{n}", None, is_known=False) for n in range(unknown)]


@pytest.mark.parametrize(
    ("group", "needs", "collisions", "tolerates", "is_bound"),
    [
        (members("h1", "h2"), 1, 0, 1, False),
        (members("h1", "h1"), 1, 1, 0, False),
        (members("h1", "h1", "h2"), 2, 1, 0, False),
        (members("h1", "h1", "h1", "h2"), 2, 2, 0, False),
        (members("h0", "h0", "h1", "h2", "h3", "h4", "h5", "h6"), 4, 1, 3, False),
        (members("h1", "h2", unknown=1), 1, 0, 1, True),
        (members("h1", "h2", unknown=1), 2, 0, 0, True),
        (members("h1", unknown=2), 1, 0, 0, True),
        (members(unknown=2), 1, 0, None, False),
        (members(), 1, 0, None, False),
        ([Member("m1", None, is_up=False)], 1, 0, 0, False),
        # A member on a lost host is where it was, and does not stay.
        ([Member("m1", "h1", is_up=False), Member("m2", "h2")], 1, 0, 0, False),
        # What was last known of two members collides, and counts as lost.
        ([Member("m1", "h1"), Member("m2", "h9", is_known=False), Member("m3", "h9", is_known=False)], 1, 1, 0, True),
    ],
)
def test_a_group_tolerates_what_its_worst_case_leaves(
    group: list[Member], needs: int, collisions: int, tolerates: int | None, is_bound: bool
) -> None:
    result = redundancy(group, needs)

    assert (result.collisions, result.tolerates, result.is_bound) == (collisions, tolerates, is_bound)
    assert result.members == len(group)


def test_the_worst_case_names_the_hosts_in_the_order_that_hurts() -> None:
    result = redundancy(members("h2", "h3", "h3", "h1"), 1)

    assert result.worst_case == ("h3", "h1", "h2")
    assert (result.tolerates, result.staying, result.hosts) == (2, 4, 3)


def test_a_group_that_has_too_few_already_tolerates_nothing_and_is_not_met() -> None:
    result = redundancy(members("h1"), 2)

    assert (result.tolerates, result.is_met, result.worst_case) == (0, False, ())


def check_redundancy(group: list[Member], needs: int) -> None:
    alive = [member.host for member in group if member.is_known and member.is_up and member.host is not None]
    hosts = sorted(set(alive))
    stays = [
        count
        for count in range(len(hosts) + 1)
        if all(sum(host not in lost for host in alive) >= needs for lost in combinations(hosts, count))
    ]

    result = redundancy(group, needs)

    if not any(member.is_known for member in group):
        assert result.tolerates is None
        return
    assert result.tolerates == (max(stays) if stays else 0)
    assert result.is_met == bool(stays)
    if stays:
        left = [host for host in alive if host not in result.worst_case]
        assert len(left) < needs
        assert len(result.worst_case) == max(stays) + 1


groups = st.lists(
    st.builds(
        Member,
        st.just("member"),
        st.none() | st.sampled_from(("h1", "h2", "h3", "h4", "h5")),
        st.sampled_from((True, True, True, False)),
        st.sampled_from((True, True, True, False)),
    ),
    max_size=9,
)


@QUICK
@given(groups, st.integers(1, 5))
def test_what_is_tolerated_equals_losing_every_set_of_hosts(group: list[Member], needs: int) -> None:
    check_redundancy(group, needs)


@pytest.mark.thorough
@THOROUGH
@given(groups, st.integers(1, 5))
def test_what_is_tolerated_equals_losing_every_set_in_many_more_cases(group: list[Member], needs: int) -> None:
    check_redundancy(group, needs)


def test_availability_groups_are_lists_of_ids_that_tell_nothing_of_the_hosts() -> None:
    on = {"h2": ["c", "a"], "h1": ["d"], "h3": [], "h4": ["b"]}

    assert availability(on) == [["a", "c"], ["b"], ["d"]]
