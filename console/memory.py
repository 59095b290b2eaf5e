"""What this process holds of the machine's memory besides what it needs, and how seldom it looks for that.

What the console throws away is nearly all gone without looking. Looked for with Python's own thresholds, the garbage
that holds itself costs a key that comes meanwhile a tenth of a second on a large fleet: every row of it is looked at.
What is freed is given back where the C library lets us say so; only glibc does, and elsewhere nothing happens.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_THRESHOLDS = 5_000, 20, 20
"""So many objects more than before, which takes 2 ms, are looked through; every 20th time those that were there the
time before; and every 400th time all, if there are a quarter more of them."""
_AGED_TIMES = 2
"""So often those of the time before were looked through since all were: as often as somebody who goes from view to view
leaves some ten thousand objects of the views that were left, and to find them takes 20 to 40 ms."""
_REST = 200
"""So many times as long as the last look at all took, none is taken again: what changes of a large fleet is looked
through too, which takes longer, and a key that comes just then waits for it."""

# Source: glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_LARGE_BYTES = 2**20
"""More than an order of 100,000 rows, which is made anew with each change and had better find its old place; less than
an answer that tells of thousands."""


def collect_seldom() -> None:
    """What is loaded by now is never garbage."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


class Tidying:
    """Looks through all between two keys, if enough was made since the last time.

    A view that was left holds itself. By the thresholds alone it would be a quarter of an hour until all of them are
    found, 20 MB later, and in the middle of a key.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._rests_until = -math.inf

    def tidy(self) -> None:
        """Called when nobody has just pressed a key."""
        begun = self._seconds()
        if gc.isenabled() and gc.get_count()[2] >= _AGED_TIMES and begun >= self._rests_until:
            gc.collect()
            ended = self._seconds()
            self._rests_until = ended + _REST * (ended - begun)


@contextmanager
def without_looking() -> Iterator[None]:
    """For a while in which much is made and nearly all of it is gone again at the end: an answer that is read."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_little() -> None:
    """From now on give back at once what is freed of large answers: glibc by itself gets used to their size, and
    then keeps the room of the next one."""
    import ctypes

    with suppress(AttributeError, OSError):
        change = ctypes.CDLL(None).mallopt
        for name, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _LARGE_BYTES)):
            change(name, value)


def give_back() -> None:
    """Give back what reading a long list took: a tenth of the console's memory.

    The rows stay as long as their cloud is looked at, so they are not looked through for garbage again and again. What
    was kept out of it before, and has become garbage since, is found now.
    """
    import ctypes

    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
