"""A life that may end by SIGKILL, lived by a copy of this process: to start one takes longer than such a life."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    """0, 1 when it raised, or less than 0: the number of the signal that killed it."""
    output: str
    errors: str


def lived(life: Callable[[], Coroutine[Any, Any, None]]) -> Ended:
    """What became of a life, and what it printed; what it had not flushed when it was killed is lost."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        with warnings.catch_warnings():
            # Threads of this process do not go on in its copy, which has use for none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _live(life, output, errors)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        return Ended(status, output.read().decode(), errors.read().decode())


def _live(life: Callable[[], Coroutine[Any, Any, None]], output: IO[bytes], errors: IO[bytes]) -> NoReturn:
    """In the copy, which must never return to the tests, whatever happens."""
    status = 1
    try:
        sys.stdout = io.TextIOWrapper(output, encoding="utf-8")
        asyncio.run(life())
        sys.stdout.flush()
        status = 0
    except BaseException:
        errors.write(traceback.format_exc().encode())
        errors.flush()
    finally:
        os._exit(status)
