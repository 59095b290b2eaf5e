"""When Python looks for garbage: not while an answer is read, and all of it between two keys."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from console.memory import Tidying, give_back, without_looking


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


class Left:
    """A view that was left: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


def left_behind(tidying: Tidying) -> weakref.ref[Left]:
    """A view that was left when it was as old as what stays."""
    gc.enable()
    gc.collect()
    view = Left()
    left = weakref.ref(view)
    for _ in range(2):
        tidying.tidy()
        gc.collect(1)
    del view
    gc.collect(1)
    assert left() is not None
    return left


def test_what_has_been_looked_at_twice_and_is_garbage_is_gone_when_nobody_presses_a_key() -> None:
    tidying = Tidying()
    left = left_behind(tidying)

    tidying.tidy()

    assert left() is None


def test_nothing_is_looked_for_between_two_keys_while_an_answer_is_read() -> None:
    tidying = Tidying()
    left = left_behind(tidying)

    with without_looking():
        tidying.tidy()
        assert left() is not None

    tidying.tidy()
    assert left() is None


def test_after_a_look_that_took_long_none_is_taken_for_two_hundred_times_as_long() -> None:
    instants = iter([0.0, 0.1, 1.0, 20.0, 20.2, 20.3])
    tidying = Tidying(lambda: next(instants))
    for _ in range(2):
        gc.collect(1)
    gc.enable()
    tidying.tidy()  # from 0.0 to 0.1
    view = Left()
    left = weakref.ref(view)
    for _ in range(3):
        gc.collect(1)
    del view

    tidying.tidy()  # at 1.0
    tidying.tidy()  # at 20.0
    assert left() is not None

    tidying.tidy()  # at 20.2
    assert left() is None


def test_a_view_that_was_open_when_a_list_was_read_is_found_when_the_next_one_was() -> None:
    view = Left()
    left = weakref.ref(view)
    give_back()
    del view
    gc.collect()
    assert left() is not None

    give_back()

    assert left() is None
