"""The spec of a kind that a plugin brought along: our common fields, and the plugin's, as its
schema says.

CRDs speak OpenAPI 3.0, whose bounds are those of JSON Schema's draft 4. A misspelt field is an
error here too, so what the schema does not know is refused. Messages
show what the schema wants, and nothing of what was written.

A schema is a stranger's, and is held against configs on the loop that serves everybody: no pattern of
it may take longer than in proportion to the text, which Python's own expressions may (patterns.py).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import ConfigDict, create_model, model_validator

from store_plugin.errors import InvalidRequest
from store_plugin.hub.store_kinds.patterns import Refused, validator_with
from store_plugin.spec import StoreSpec

_WORDS: Mapping[str, str] = {
    "required": "lacks a field that is required",
    "additionalProperties": "holds a field that this kind does not have",
    "type": "must be of type {value}",
    "enum": "must be one of {value}",
    "pattern": "must match the pattern {value}",
    "minimum": "must be at least {value}",
    "maximum": "must be at most {value}",
    "minLength": "must have at least {value} characters",
    "maxLength": "must have at most {value} characters",
    "minItems": "must have at least {value} entries",
    "maxItems": "must have at most {value} entries",
}


_LONGEST_VALUE = 500
"""Characters of what the schema wants that a message shows."""
_NO_FORMATS = FormatChecker(())
"""Else patterns would be compiled as Python's."""


class PluginSpec(StoreSpec):
    """Base of all of them."""

    model_config = ConfigDict(extra="allow")

    schema_validator: ClassVar[Any]

    @model_validator(mode="before")
    @classmethod
    def _fits_the_plugins_schema(cls, written: object) -> object:
        errors = sorted(cls.schema_validator.iter_errors(written), key=lambda error: list(error.path))
        if errors:
            raise ValueError("; ".join(dict.fromkeys(map(_told, errors[:5]))))
        return written


def spec_model(kind: str, schema: bytes) -> type[PluginSpec]:
    """The model of a kind from its OpenAPI schema as JSON. InvalidRequest where that is none."""
    try:
        found = json.loads(schema)
        Draft4Validator.check_schema(found, _NO_FORMATS)
        refers = _refers(found)
    except (ValueError, RecursionError, SchemaError):
        raise InvalidRequest(f"the schema of kind {kind} is not an OpenAPI schema in JSON") from None
    if not isinstance(found, dict) or found.get("type") != "object":
        raise InvalidRequest(f"the schema of kind {kind} does not describe an object")
    if refers:
        raise InvalidRequest(f"the schema of kind {kind} has a $ref: write out what it refers to, as CRDs do")
    whole = {**found, "properties": _with_ours(found)}
    try:
        validator = validator_with(whole)
    except Refused as refused:
        raise InvalidRequest(f"the schema of kind {kind} {refused}") from None
    model = create_model(f"{kind}Spec", __base__=PluginSpec)
    model.schema_validator = validator(_closed(whole))
    return model


def _refers(schema: Any) -> bool:
    """Whether it holds a reference: it could be one to a file or a server, which is fetched where a
    config is checked."""
    if isinstance(schema, list):
        return any(map(_refers, schema))
    return isinstance(schema, dict) and ("$ref" in schema or any(map(_refers, schema.values())))


def _with_ours(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The plugin's properties; the common ones are checked by StoreSpec, whatever it says."""
    ours: dict[str, Any] = {field.alias or name: {} for name, field in StoreSpec.model_fields.items()}
    return {**schema.get("properties", {}), **ours}


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused, where it lists the known ones."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def _told(error: ValidationError) -> str:
    """Where, and what the schema wants there; nothing that was written."""
    words = _WORDS.get(str(error.validator), "does not fit the schema of its kind")
    value = json.dumps(error.validator_value)
    shown = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
    return f"{'.'.join(_names(error)) or 'spec'} {words.format(value=shown)}"


def _names(error: ValidationError) -> Iterator[str]:
    """The path, as far as the schema itself names it."""
    known = {part for part in error.schema_path if isinstance(part, str)}
    for part in error.path:
        yield str(part) if isinstance(part, int) or part in known else "…"
