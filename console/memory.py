"""What this process holds of the machine's memory besides what it needs, and how seldom it looks for that.

What the console throws away is nearly all gone without looking. Looked for with Python's own thresholds, the garbage
that holds itself costs a key that comes meanwhile a tenth of a second on a large fleet: every row of it is looked at.
What is freed is given back where the C library lets us say so; only glibc does, and elsewhere nothing happens.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_THRESHOLDS = 5_000, 20, 20
"""So many objects more than before, which takes 2 ms, are looked through; every 20th time those that were there the
time before; and every 400th time all, if there are a quarter more of them."""

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

    The rows stay as long as their cloud is looked at, so they are not looked through for garbage again and again.
    """
    import ctypes

    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
