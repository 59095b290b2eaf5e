"""Whatever is written is understood or told in a sentence, by each parser, in a time that follows the size of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from backend.cloud import backups
from console.presentation import filtering, fuzzy
from tests.parsers import COLUMNS, PARSERS, Parser
from tests.strategies import QUICK, THOROUGH


@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_whatever_is_written_is_understood_or_told_in_a_sentence(
    parser: Parser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("parsers")

    @settings(QUICK, max_examples=parser.few)
    @given(parser.inputs)
    def check(content: Any) -> None:
        parser.check(content, path)

    check()


@pytest.mark.thorough
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_whatever_anybody_writes_is_understood_or_told_in_a_sentence(
    parser: Parser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("parsers")

    @settings(THOROUGH, max_examples=parser.many)
    @given(parser.inputs)
    def check(content: Any) -> None:
        parser.check(content, path)

    check()


GROWTH_MAX = 9
"""Of four times the size; what grows with the square takes sixteen times as long."""
SECONDS_FREE = 0.03
TIMES = 3


@pytest.mark.thorough
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_four_times_as_much_to_read_takes_about_four_times_as_long(parser: Parser, tmp_path: Path) -> None:
    def seconds(content: Any) -> float:
        taken = []
        for _ in range(TIMES):
            backups.parse.cache_clear()
            fuzzy.pattern.cache_clear()
            began = time.process_time()
            parser.check(content, tmp_path)
            taken.append(time.process_time() - began)
        return min(taken)

    for number, make in enumerate(parser.large):
        less, more = seconds(make(parser.size)), seconds(make(4 * parser.size))
        assert more < SECONDS_FREE or more < GROWTH_MAX * less, (
            f"{parser}, {number}: {less:.3f} s, and {more:.3f} s for four times as much"
        )


# --- found by these ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name"), [("webweb1", "web" * 80), ("aaaaaaaaab", "a" * 255), ("a-a-a-b", "a-" * 120)]
)
def test_a_name_that_says_the_same_again_and_again_is_searched_at_once(wanted: str, name: str) -> None:
    """A search that tries every way to find the letters in it never ends."""
    assert not fuzzy.is_found(wanted, name)


def test_a_number_that_is_too_large_for_one_is_not_like_every_other() -> None:
    query = filtering.parse("cpu=" + "9" * 400, COLUMNS)

    assert query.terms == ()
    assert "cpu takes" in query.problem
