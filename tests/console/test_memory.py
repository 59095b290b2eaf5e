"""Python does not look for garbage while an answer is read, and afterwards as before."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from console.memory import without_looking


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize("was_on", [True, False])
def test_nothing_is_looked_for_in_between_and_all_is_as_before_after_it(was_on: bool) -> None:
    (gc.enable if was_on else gc.disable)()

    with without_looking():
        assert not gc.isenabled()
        with without_looking():
            pass
        assert not gc.isenabled()

    assert gc.isenabled() is was_on


def test_what_fails_in_between_changes_nothing_about_that() -> None:
    gc.enable()

    with pytest.raises(ValueError, match="not understood"), without_looking():
        raise ValueError("not understood")

    assert gc.isenabled()
