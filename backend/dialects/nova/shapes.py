"""What clients send, checked as Nova checks it: JSON schemas, and its words for what is wrong.

Only what the schemas here use of JSON Schema is understood. A body that passes has exactly the types that it says.

**Source**: `nova.api.validation.validators`, and the messages of the `jsonschema` package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend.dialects.nova.table import bad_request
from backend.dialects.wire import WireError

Schema = Mapping[str, Any]

_SHOWN_LENGTH_MAX = 1000

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "object": dict,
    "array": list,
    "boolean": bool,
    "null": type(None),
}


class _Wrong(Exception):
    """What is wrong with a value, and where."""

    def __init__(self, path: Sequence[str], value: Any, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.value = value
        self.message = message


def check(schema: Schema, value: Any, *, what: str = "field/attribute") -> None:
    """Raises WireError 400 for the first thing that is wrong."""
    try:
        _check(schema, value, ())
    except _Wrong as wrong:
        raise _refusal(wrong, what) from None


def _refusal(wrong: _Wrong, what: str) -> WireError:
    if not wrong.path:
        return bad_request(wrong.message)
    return bad_request(f"Invalid input for {what} {wrong.path[-1]}. Value: {_cut(wrong.value)}. {wrong.message}")


def _cut(value: Any) -> str:
    shown = value if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH_MAX else shown[:_SHOWN_LENGTH_MAX] + "..."


def _said(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH_MAX else shown[:_SHOWN_LENGTH_MAX] + "..."


def _check(schema: Schema, value: Any, path: tuple[str, ...]) -> None:
    if "anyOf" in schema:
        if not any(_passes(part, value, path) for part in schema["anyOf"]):
            raise _Wrong(path, value, f"{_said(value)} is not valid under any of the given schemas")
        return
    _check_type(schema, value, path)
    if "enum" in schema and value not in schema["enum"]:
        raise _Wrong(path, value, f"{_said(value)} is not one of {list(schema['enum'])}")
    if isinstance(value, str):
        _check_text(schema, value, path)
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        _check_number(schema, value, path)
    elif isinstance(value, dict):
        _check_object(schema, value, path)
    elif isinstance(value, list):
        _check_list(schema, value, path)


def _passes(schema: Schema, value: Any, path: tuple[str, ...]) -> bool:
    try:
        _check(schema, value, path)
    except _Wrong:
        return False
    return True


def _check_type(schema: Schema, value: Any, path: tuple[str, ...]) -> None:
    if "type" not in schema:
        return
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name in wanted:
        is_disguised = isinstance(value, bool) and name == "integer"
        if isinstance(value, _TYPES[name]) and not is_disguised:
            return
    names = ", ".join(repr(name) for name in wanted)
    raise _Wrong(path, value, f"{_said(value)} is not of type {names}")


def _check_text(schema: Schema, value: str, path: tuple[str, ...]) -> None:
    if len(value) < schema.get("minLength", 0):
        raise _Wrong(path, value, f"{_said(value)} is too short")
    if len(value) > schema.get("maxLength", len(value)):
        raise _Wrong(path, value, f"{_said(value)} is too long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise _Wrong(path, value, f"{_said(value)} does not match {schema['pattern']!r}")


def _check_number(schema: Schema, value: int, path: tuple[str, ...]) -> None:
    if value < schema.get("minimum", value):
        raise _Wrong(path, value, f"{value} is less than the minimum of {schema['minimum']}")
    if value > schema.get("maximum", value):
        raise _Wrong(path, value, f"{value} is greater than the maximum of {schema['maximum']}")


def _check_object(schema: Schema, value: dict[str, Any], path: tuple[str, ...]) -> None:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise _Wrong(path, value, f"{name!r} is a required property")
    if len(value) > schema.get("maxProperties", len(value)):
        raise _Wrong(path, value, f"{_said(value)} has too many properties")
    patterns: Mapping[str, Schema] = schema.get("patternProperties", {})
    extra = []
    for name, part in value.items():
        if name in properties:
            _check(properties[name], part, (*path, name))
            continue
        matching = next((each for pattern, each in patterns.items() if re.search(pattern, name)), None)
        if matching is not None:
            _check(matching, part, (*path, name))
        else:
            extra.append(name)
    if extra and not schema.get("additionalProperties", True):
        raise _Wrong(path, value, _unexpected(extra, list(patterns)))


def _unexpected(extra: list[str], patterns: list[str]) -> str:
    names = ", ".join(_said(name) for name in sorted(extra))
    if patterns:
        verb = "does" if len(extra) == 1 else "do"
        return f"{names} {verb} not match any of the regexes: {', '.join(repr(each) for each in patterns)}"
    verb = "was" if len(extra) == 1 else "were"
    return f"Additional properties are not allowed ({names} {verb} unexpected)"


def _check_list(schema: Schema, value: list[Any], path: tuple[str, ...]) -> None:
    if len(value) < schema.get("minItems", 0):
        raise _Wrong(path, value, f"{_said(value)} is too short")
    if len(value) > schema.get("maxItems", len(value)):
        raise _Wrong(path, value, f"{_said(value)} is too long")
    if schema.get("uniqueItems") and len({_said(each) for each in value}) < len(value):
        raise _Wrong(path, value, f"{_said(value)} has non-unique elements")
    for number, each in enumerate(value):
        _check(schema.get("items", {}), each, (*path, str(number)))


# What several schemas use.

NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    # Printable, and neither beginning nor ending in white space: names are shown in terminals.
    "pattern": r"^(?!\s)[^\x00-\x1f\x7f-\x9f]+(?<!\s)\Z",
}
TEXT_OR_NULL: Schema = {"type": ["string", "null"], "maxLength": 255, "pattern": r"^[^\x00-\x08\x0b-\x1f\x7f]*$"}
METADATA: Schema = {
    "type": "object",
    "patternProperties": {r"^[a-zA-Z0-9\-_:. ]{1,255}\Z": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
UUID: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
BOOLEAN: Schema = {
    "type": ["boolean", "string"],
    "enum": [
        True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t",
        False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f",
    ],
}  # fmt: skip


def is_true(value: Any) -> bool:
    """Of a BOOLEAN."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1", "on", "yes", "y", "t"))


def an_object(name: str, inner: Schema) -> Schema:
    """A body with one object in it."""
    return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}
