"""The Compute API's own small languages: schemas and their messages, names in filters, statuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.model import ServerState
from backend.dialects.nova import asking, shapes
from backend.dialects.nova.render import OTHER_STATUSES, STATUSES, status_of
from backend.dialects.wire import WireError
from tests.builders import a_server

SCHEMAS: list[tuple[dict[str, Any], Any, str | None]] = [
    ({"type": "string"}, "x", None),
    ({"type": "string"}, 1, "1 is not of type 'string'"),
    ({"type": ["string", "null"]}, None, None),
    ({"type": ["string", "null"]}, True, "True is not of type 'string', 'null'"),
    ({"type": "integer"}, True, "True is not of type 'integer'"),
    ({"type": "integer"}, 1.0, "1.0 is not of type 'integer'"),
    ({"type": "integer", "minimum": 1}, 0, "0 is less than the minimum of 1"),
    ({"type": "integer", "maximum": 1}, 2, "2 is greater than the maximum of 1"),
    ({"enum": ("a", "b")}, "c", "'c' is not one of ['a', 'b']"),
    ({"type": "string", "minLength": 1}, "", "'' is too short"),
    ({"type": "string", "maxLength": 1}, "ab", "'ab' is too long"),
    ({"type": "string", "pattern": "^a"}, "b", "'b' does not match '^a'"),
    ({"type": "array", "minItems": 1}, [], "[] is too short"),
    ({"type": "array", "maxItems": 1}, [1, 2], "[1, 2] is too long"),
    ({"type": "array", "uniqueItems": True}, [1, 1], "[1, 1] has non-unique elements"),
    ({"type": "object", "required": ("a",)}, {}, "'a' is a required property"),
    ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "{'a': 1, 'b': 2} has too many properties"),
    (
        {"type": "object", "additionalProperties": False},
        {"b": 1, "a": 2},
        "Additional properties are not allowed ('a', 'b' were unexpected)",
    ),
    (
        {"type": "object", "patternProperties": {"^_": {}}, "additionalProperties": False},
        {"b": 1, "_a": 2},
        "'b' does not match any of the regexes: '^_'",
    ),
    ({"anyOf": ({"type": "null"}, {"type": "string"})}, 1, "1 is not valid under any of the given schemas"),
    ({"anyOf": ({"type": "null"}, {"type": "string"})}, "a", None),
]


@pytest.mark.parametrize(("schema", "value", "message"), SCHEMAS)
def test_what_is_wrong_is_said_in_the_words_of_json_schema(
    schema: dict[str, Any], value: Any, message: str | None
) -> None:
    inside: dict[str, Any] = {"type": "object", "properties": {"field": schema}}
    if message is None:
        shapes.check(schema, value)
        shapes.check(inside, {"field": value})
        return
    with pytest.raises(WireError) as bare:
        shapes.check(schema, value)
    assert bare.value.message == message
    with pytest.raises(WireError) as named:
        shapes.check(inside, {"field": value})
    shown = value if isinstance(value, str) else repr(value)
    assert named.value.message == f"Invalid input for field/attribute field. Value: {shown}. {message}"


def test_what_is_wrong_and_long_is_cut() -> None:
    with pytest.raises(WireError) as refused:
        shapes.check({"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}}}, {"a": "x" * 10**6})
    assert len(refused.value.message) < 3000


@given(st.lists(st.sampled_from(["a", "B", "-", "é", ".", ".*"]), max_size=6), st.text("aAbB-é1", max_size=6))
def test_a_name_matches_as_the_expression_would(parts: list[str], name: str) -> None:
    for before, after in (("", ""), ("^", ""), ("", "$"), ("^", "$")):
        pattern = before + "".join(parts) + after
        wanted = re.search(pattern, name, re.IGNORECASE) is not None
        assert asking.name_matcher(pattern)(name) == wanted, pattern


@given(st.text("ab*?[]()|+\\{}!", min_size=1, max_size=8))
def test_all_else_in_it_means_itself(text: str) -> None:
    assert asking.name_matcher(text)(f"x{text}y")
    assert not asking.name_matcher(text)("z")


def test_an_expression_that_never_ends_ends() -> None:
    assert not asking.name_matcher("(a+)+" + ".*a" * 200 + "$")("a" * 250 + "b")


def test_every_state_has_a_status_that_can_be_asked_for() -> None:
    for state in ServerState:
        host = "h1" if state in ("starting", "running", "stopping", "paused") else None
        for has_run in (True, False):
            status = status_of(a_server(state=state, host=host, has_run=has_run)).status
            assert state in STATUSES[status]
            assert status not in OTHER_STATUSES
