"""Frozen objects that are made as ordinary ones cannot be told from those that were made by their class."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, astuple, replace

import pytest

from backend.cloud.model import Server, Size
from backend.store.frozen import maker
from tests.builders import a_server


def test_what_is_made_is_equal_to_what_its_class_makes_and_as_frozen() -> None:
    made, usual = maker(Size)(2_000, 1024), Size(2_000, 1024)
    assert type(made) is Size
    assert (made, hash(made), repr(made)) == (usual, hash(usual), repr(usual))
    assert replace(made, cpu_mhz=1) == Size(1, 1024)
    with pytest.raises(FrozenInstanceError):
        made.cpu_mhz = 1  # type: ignore[misc]


def test_a_server_is_made_of_all_its_fields_in_their_order() -> None:
    server = a_server("web-01")
    values = [getattr(server, name) for name in Server.__dataclass_fields__]
    assert maker(Server)(*values) == server
    assert astuple(maker(Server)(*values)) == astuple(server)
    with pytest.raises(TypeError, match="missing 1 required"):
        maker(Server)(*values[:-1])
