"""What clients send. **Source**: Django REST framework: what is not known is ignored, and a number may be a text."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backend.dialects import wire
from backend.dialects.nodeconductor.table import FieldsRefused

TModel = TypeVar("TModel", bound=BaseModel)

TEXT_LENGTH_MAX = 2_000

_SENTENCES = {
    "missing": "This field is required.",
    "int_parsing": "A valid integer is required.",
    "int_parsing_size": "A valid integer is required.",
    "int_type": "A valid integer is required.",
    "int_from_float": "A valid integer is required.",
    "bool_parsing": "A valid boolean is required.",
    "bool_type": "A valid boolean is required.",
    "string_type": "A text is required.",
    "string_too_short": "This field may not be blank.",
}


def _no_flag(value: Any) -> Any:
    """True is no number, whatever Python thinks."""
    return "" if isinstance(value, bool) else value


Text = Annotated[str, Field(max_length=TEXT_LENGTH_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
Number = Annotated[int, BeforeValidator(_no_flag), Field(ge=0, le=wire.INTEGER_MAX)]
Expression = Annotated[str, Field(min_length=1)]
"""Of any length: the reader of expressions says how long one may be."""


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Login(Body):
    username: Text
    password: Text


class BackupToMake(Body):
    backup_source: Name
    description: Text = ""


class Restore(Body):
    flavor: Name
    hostname: Text | None = None


class ScheduleChanges(Body):
    """None, or nothing: as it is."""

    backup_source: Text | None = None
    description: Text | None = None
    retention_time: Number | None = None
    maximal_number_of_backups: Number | None = None
    schedule: Expression | None = None
    timezone: Text | None = None
    is_active: bool | None = None
    jitter: Number | None = None
    keep: dict[str, Number] | None = None
    recovery_point: Number | None = None
    drill_interval: Number | None = None


class ScheduleToMake(ScheduleChanges):
    """**Source**: NodeConductor: what is kept for how long, and when, has to be said."""

    backup_source: Name
    retention_time: Number
    maximal_number_of_backups: Number
    schedule: Expression


def parsed(model: type[TModel], raw: bytes) -> TModel:
    """Raises Invalid: no JSON. FieldsRefused: all that is wrong with it."""
    value = wire.parse_json(raw)
    if not isinstance(value, dict):
        raise FieldsRefused({"non_field_errors": ["Invalid data: send a JSON object."]})
    try:
        return model.model_validate(value)
    except ValidationError as problem:
        fields: dict[str, list[str]] = {}
        for error in problem.errors(include_url=False, include_context=False, include_input=False):
            message = _SENTENCES.get(error["type"], error["msg"].rstrip(".") + ".")
            fields.setdefault(str(error["loc"][0]), []).append(message)
        raise FieldsRefused(fields) from None
