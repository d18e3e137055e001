"""Patterns in the schemas of plugins, matched in a time that grows with the text and no faster.

Whoever writes a schema writes its patterns, and knows the configs that they are held against. With
Python's own expressions `(a+)+$` and thirty letters keep the whole process for minutes. So they are
those of the API server, as far as it matters here: searched for anywhere in the text, without
look-around and references back. The engine is pydantic's.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from jsonschema import Draft4Validator, validators
from jsonschema.exceptions import ValidationError
from pydantic import StringConstraints, TypeAdapter
from pydantic import ValidationError as NoMatch
from pydantic_core import SchemaError

MOST_PATTERNS = 32
"""Different ones in a schema: each takes time to make, and memory to keep."""
LONGEST_PATTERN = 512
"""Characters."""
_BY_NAME = ("properties", "dependencies", "definitions")
_WITHIN = ("items", "additionalItems", "additionalProperties", "allOf", "anyOf", "oneOf", "not")


class Refused(Exception):
    """A schema that is not held against anything; the text says why."""


def validator_with(schema: Mapping[str, Any]) -> Any:
    """Draft4Validator, with the patterns of a schema made ready. Refused."""
    patterns = {text: _made(text) for text in _patterns_in(schema)}

    def fits(
        _validator: object, pattern: str, instance: object, _schema: object
    ) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not _matches(patterns[pattern], instance):
            yield ValidationError("does not match")  # what it says is shown to nobody

    return validators.extend(Draft4Validator, {"pattern": fits})


def _patterns_in(schema: Mapping[str, Any]) -> set[str]:
    found = set()
    for one in _schemas(schema):
        if "patternProperties" in one:
            raise Refused("has patternProperties, which CRDs do not know")
        if "pattern" in one:
            found.add(str(one["pattern"]))
        if len(found) > MOST_PATTERNS:
            raise Refused(f"has more than {MOST_PATTERNS} patterns")
    return found


def _schemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """It, and all that it is made of; what only looks like a schema, such as a default, is none."""
    if isinstance(schema, list):
        for one in schema:
            yield from _schemas(one)
    if not isinstance(schema, dict):
        return
    yield schema
    for name in _BY_NAME:
        if isinstance(named := schema.get(name), dict):
            yield from _schemas(list(named.values()))
    for name in _WITHIN:
        yield from _schemas(schema.get(name))


def _made(pattern: str) -> TypeAdapter[str]:
    if len(pattern) > LONGEST_PATTERN:
        raise Refused(f"has a pattern of more than {LONGEST_PATTERN} characters")
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:
        pass
    raise Refused(
        "has a pattern that cannot be used here: the API server takes none with look-around or references "
        "back either"
    )


def _matches(pattern: TypeAdapter[str], text: str) -> bool:
    try:
        pattern.validate_python(text)
    except NoMatch:
        return False
    return True
