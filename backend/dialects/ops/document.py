"""The OpenAPI document of `/ops/v1`, made from the table of endpoints and the shapes that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter

from backend.dialects.ops.bodies import Body, NoBody, Query
from backend.dialects.ops.schema import ErrorAnswer
from backend.dialects.ops.table import PREFIX, Endpoint
from backend.dialects.wire import IDEMPOTENCY_HEADER

Mode = Literal["validation", "serialization"]


def version_of_project() -> str:
    """Of the installed distribution; `0` where it runs from a bare tree."""
    try:
        return version("stratodeck")
    except PackageNotFoundError:
        return "0"


def document(table: Iterable[Endpoint[Any, Any]]) -> bytes:
    """The whole document as JSON. Takes some tens of milliseconds: make it once, when somebody asks."""
    endpoints = list(table)
    shapes: dict[str, tuple[Mode, Any]] = {"ErrorAnswer": ("serialization", ErrorAnswer)}
    for endpoint in endpoints:
        shapes.update(
            (_name(shape), ("serialization", shape)) for shape in endpoint.answers.values() if shape is not str
        )
        if endpoint.body is not NoBody:
            shapes[_name(endpoint.body)] = ("validation", endpoint.body)
    inputs = [(name, mode, TypeAdapter(shape)) for name, (mode, shape) in shapes.items()]
    schemas, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    found = {name: schema for (name, _), schema in schemas.items() if "$ref" not in schema}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Stratodeck operations",
                "version": version_of_project(),
                "description": "CPU in MHz, memory and sizes in bytes, times in seconds, instants in UTC.",
            },
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                "schemas": {**definitions.get("$defs", {}), **found},
            },
        }
    )


def _name(shape: Any) -> str:
    return str(shape.__name__)


def _reference(shape: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{_name(shape)}"}


def _content(shape: Any) -> dict[str, Any]:
    if shape is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": _reference(shape)}}


def _operation(endpoint: Endpoint[Any, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _content(shape)}
        for status, shape in endpoint.answers.items()
    }
    answers["default"] = {"description": "Refused", "content": _content(ErrorAnswer)}
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.query)],
        "responses": answers,
    }
    if endpoint.shows_past:
        operation["parameters"].append(_AT)
    if endpoint.method != "GET":
        operation["parameters"].append(_IDEMPOTENCY)
    if endpoint.body is not NoBody:
        operation["requestBody"] = {"required": _needs_body(endpoint.body), "content": _content(endpoint.body)}
    return operation


_IDEMPOTENCY: Mapping[str, Any] = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "A repeat with the same key and body gets the same answer; another body is a conflict.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


_AT: Mapping[str, Any] = {
    "name": "at",
    "in": "query",
    "required": False,
    "description": "The answer of a moment of the past: an instant, or AT,FILE,NUMBER of the event that was newest.",
    "schema": {"type": "string", "maxLength": 350},
}


def _needs_body(body: type[Body]) -> bool:
    return any(field.is_required() for field in body.model_fields.values())


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    schema = query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema.get("properties", {}).items()
    ]
