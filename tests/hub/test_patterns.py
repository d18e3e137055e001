"""Schemas of plugins with patterns: matched as the API server does, and by nobody's design for ever."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from store_plugin.errors import InvalidRequest
from store_plugin.hub.store_kinds.patterns import LONGEST_PATTERN, MOST_PATTERNS
from store_plugin.hub.store_kinds.plugin_spec import PluginSpec, spec_model


def model(**properties: Any) -> type[PluginSpec]:
    return spec_model("ShelfConfig", json.dumps({"type": "object", "properties": properties}).encode())


def with_pattern(pattern: str) -> type[PluginSpec]:
    return model(shelf={"type": "string", "pattern": pattern})


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "shelf-1", "-shelf"),
        ("elf", "shelf", "sehlf"),
        (r"\p{Lu}", "A", "a"),
        (r"^\d+$", "7", "seven"),
    ],
)
def test_a_pattern_is_searched_for(pattern: str, fits: str, does_not: str) -> None:
    spec = with_pattern(pattern)
    assert spec.model_validate({"shelf": fits})
    with pytest.raises(ValidationError, match="shelf must match the pattern"):
        spec.model_validate({"shelf": does_not})
    assert spec.model_validate({})


def test_no_pattern_takes_for_ever() -> None:
    """Python's own expressions would take longer for this than the universe is old."""
    with pytest.raises(ValidationError, match="must match the pattern"):
        with_pattern("^(a+)+$").model_validate({"shelf": "a" * 10_000 + "!"})


def test_what_is_deep_inside_is_matched_too() -> None:
    spec = model(
        shelves={"type": "array", "items": {"allOf": [{"pattern": "^a"}, {"not": {"pattern": "z$"}}]}}
    )
    assert spec.model_validate({"shelves": ["a", "ab"]})
    for wrong in ("b", "az"):
        with pytest.raises(ValidationError):
            spec.model_validate({"shelves": [wrong]})


def test_fields_may_be_named_after_words_of_schemas() -> None:
    words = {word: {"type": "string"} for word in ("pattern", "patternProperties", "items")}
    spec = model(**words, shelf={"type": "object", "default": {"pattern": "(?=no pattern)"}})
    assert spec.model_validate(dict.fromkeys(words, "x"))


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"pattern": "(?=a)"}, "cannot be used here"),
        ({"pattern": r"(a)\1"}, "cannot be used here"),
        ({"pattern": "("}, "cannot be used here"),
        ({"pattern": r"\w{1000}"}, "cannot be used here"),
        ({"pattern": "a" * (LONGEST_PATTERN + 1)}, "more than 512 characters"),
        ({"patternProperties": {"(a+)+$": {}}}, "patternProperties"),
        ({"allOf": [{"pattern": f"a{n}"} for n in range(MOST_PATTERNS + 1)]}, "more than 32 patterns"),
    ],
    ids=["look-around", "reference", "none", "huge", "long", "names", "many"],
)
def test_what_could_not_be_matched_in_time_is_refused_with_its_plugin(
    schema: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why):
        model(shelf=schema)


def test_a_message_shows_no_more_of_a_schema_than_anybody_reads() -> None:
    spec = model(shelf={"enum": [f"value-{n}" for n in range(10_000)]})
    with pytest.raises(ValidationError) as told:
        spec.model_validate({"shelf": "another"})
    assert len(str(told.value)) < 2000
