"""The fixture of the dialects' tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.dialects.support import Wired, wired


class Tell(Protocol):
    def __call__(self, story: Callable[[Wired], Awaitable[Any]], **shape: Any) -> Any: ...


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Run a story against a new small cloud: two cells of two compute hosts with 16 GHz and 64 GiB."""

    def run(story: Callable[[Wired], Awaitable[Any]], **shape: Any) -> Any:
        return wired(tmp_path / "data", story, **shape)

    return run
