"""From models to structural schemas: what is kept, what is put otherwise, what is refused."""

from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from store_plugin.crds.docstrings import class_docstring, field_docstrings
from store_plugin.crds.models import schema_of
from store_plugin.crds.structural import Unconvertible, duration_text, structural
from store_plugin.spec import UNSTORED_DEFAULT, Choice, Manifest, Rule, Seconds, parse_duration


class Inner(Manifest):
    """A block
    of two lines.

    And a second paragraph."""

    name: str = "x"


class Sample(Manifest):
    """A model."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.count > 0 || has(self.inner)", "count or inner"),)

    inner: Inner | None = None
    documented: Inner = Inner()
    """What this one
    is for."""
    count: int = Field(default=3, gt=0, le=9)
    unstored: int = Field(default=7, json_schema_extra=UNSTORED_DEFAULT)
    empty: str = ""
    only: Literal["one"] = "one"
    labels: dict[str, Annotated[str, Field(max_length=5)]] = Field(default_factory=dict)
    items: tuple[Inner, ...] = ()
    interval: Seconds = Field(default=0.25, ge=0.1, lt=60, allow_inf_nan=False)
    rate: float | None = None


INNER = {"type": "object", "properties": {"name": {"type": "string", "default": "x"}}}
DESCRIBED = INNER | {"description": "A block of two lines.\n\nAnd a second paragraph."}


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("inner", DESCRIBED),
        ("documented", INNER | {"description": "What this one is for."}),
        ("count", {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "default": 3}),
        ("unstored", {"type": "integer"}),
        ("empty", {"type": "string"}),
        ("only", {"type": "string", "enum": ["one"], "default": "one"}),
        ("labels", {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}}),
        ("items", {"type": "array", "items": DESCRIBED, "x-kubernetes-list-type": "atomic"}),
        ("rate", {"type": "number"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_becomes(field: str, schema: dict[str, Any]) -> None:
    assert structural(schema_of(Sample))["properties"][field] == schema


def test_a_duration_is_text_or_a_number_with_its_bounds_as_rules() -> None:
    interval = structural(schema_of(Sample))["properties"]["interval"]
    assert interval["x-kubernetes-int-or-string"] is True
    assert interval["default"] == "250ms"
    assert interval["x-kubernetes-validations"] == [
        {
            "rule": "type(self) == string ? duration(self) >= duration('100ms') : self >= 0.1",
            "message": "must be at least 100ms",
        },
        {
            "rule": "type(self) == string ? duration(self) < duration('60s') : self < 60",
            "message": "must be shorter than 60s",
        },
    ]
    assert "type" not in interval


def test_the_rules_of_a_model_are_those_of_its_block() -> None:
    assert structural(schema_of(Sample))["x-kubernetes-validations"] == [
        {"rule": "self.count > 0 || has(self.inner)", "message": "count or inner"}
    ]


def test_a_choice_is_one_rule_for_each_block_that_is_needed_or_refused() -> None:
    class Choosing(Manifest):
        choice: ClassVar[Choice] = Choice("method", {"A": "block_a", "B": "block_b"}, exclusive=True)

        method: Literal["A", "B", "None"]
        block_a: Inner | None = None
        block_b: Inner | None = None

    rules = structural(schema_of(Choosing))["x-kubernetes-validations"]
    assert [rule["rule"] for rule in rules] == [
        "self.method != 'A' || has(self.blockA)",
        "self.method == 'A' || !has(self.blockA)",
        "self.method != 'B' || has(self.blockB)",
        "self.method == 'B' || !has(self.blockB)",
    ]
    assert Choosing.model_validate({"method": "A", "blockA": {}, "blockB": None}).block_b is None
    with pytest.raises(ValueError, match="method B does not go with the block blockA"):
        Choosing.model_validate({"method": "B", "blockA": {}, "blockB": {}})
    with pytest.raises(ValueError, match="method A needs the block blockA"):
        Choosing.model_validate({"method": "A"})


def test_a_union_is_refused_with_what_to_write_instead() -> None:
    class Either(Manifest):
        inner: Inner | Sample

    with pytest.raises(Unconvertible, match=r"spec.inner: a union; use a block for each member and a Choice"):
        structural(schema_of(Either))


def test_a_constraint_that_would_get_lost_is_refused() -> None:
    class Even(Manifest):
        number: int = Field(multiple_of=2)

    with pytest.raises(Unconvertible, match=r"spec.number: no structural schema is made of multipleOf"):
        structural(schema_of(Even))


@given(st.integers(0, 10**6).map(lambda tenths: tenths / 10) | st.integers(1, 999).map(lambda ms: ms / 1000))
def test_a_duration_reads_as_what_it_was_written_from(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds)


def test_docstrings_come_without_the_line_breaks_of_the_source() -> None:
    assert class_docstring(Inner) == "A block of two lines.\n\nAnd a second paragraph."
    assert field_docstrings(Sample)["documented"] == "What this one is for."
    assert "count" not in field_docstrings(Sample)


def test_a_class_without_source_has_no_docstrings_of_fields() -> None:
    assert field_docstrings(type("Made", (), {"__module__": "nowhere"})) == {}
