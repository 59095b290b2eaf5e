"""A server's record: flat to its readers, and small, because what many servers have alike is there once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.records import Factors, ServerRecord, natural
from tests.console.examples import NOW, a_server

INSTANTS = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))
TEXTS = st.sampled_from(["", "a", "B-07"])
SAID: Mapping[str, st.SearchStrategy[Any]] = {
    "state": TEXTS,
    "host": st.none() | TEXTS,
    "is_backfilling": st.none() | st.booleans(),
    "memory_bytes": st.none() | st.integers(0, 3),
    "perf_factor": st.none() | st.just(Factors(0.5, 1.0)),
    "group": st.none() | TEXTS,
    "tags": st.lists(TEXTS, max_size=2).map(tuple),
    "meta": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "created_at": st.none() | INSTANTS,
    "started_at": st.none() | INSTANTS,
    "displaced_count": st.integers(0, 2),
    "is_reachable": st.booleans(),
    "known_at": st.none() | INSTANTS,
    "version": st.none() | st.integers(0, 2),
}
SOME = st.fixed_dictionaries({}, optional=SAID)


@given(SOME, SOME)
def test_a_record_says_what_it_was_made_of_and_what_was_changed_of_it(
    said: dict[str, Any], new: dict[str, Any]
) -> None:
    row = ServerRecord("id", "App-7", "cell-1", **{"state": "running", **said})

    changed = replace(row, **new)

    untouched = {each.name for each in fields(ServerRecord)} - new.keys()
    assert {name: getattr(row, name) for name in said} == said
    assert {name: getattr(changed, name) for name in new} == new
    assert all(getattr(changed, name) == getattr(row, name) for name in untouched)
    assert (changed == row) == all(getattr(row, name) == value for name, value in new.items())
    assert row.sort_name == natural("App-7")


def test_a_record_cannot_be_changed() -> None:
    row = a_server("web")

    with pytest.raises(FrozenInstanceError):
        row.state = "stopped"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        row.cell = "cell-2"  # type: ignore[misc]


def test_a_server_that_is_like_others_takes_a_third_of_what_its_fields_would() -> None:
    said: dict[str, Any] = {"created_at": None, "tags": ("a",), "sort_name": "web", "known_at": NOW}
    rows = [a_server("web", **said)]

    tracemalloc.start()
    try:
        rows += [a_server("web", id="id", state_since=NOW, started_at=NOW, **said) for _ in range(1_000)]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes / 1_000 < len(fields(ServerRecord)) * 8 / 2, "a pointer a field would be more than twice this"
