"""pydantic's JSON schema of a model, with what JSON schema cannot say beside it: the rules
between fields, as CEL, and the fields' docstrings."""

from collections.abc import Iterator
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from store_plugin.crds.docstrings import class_docstring, field_docstrings
from store_plugin.spec import Manifest, Rule

CEL = "x-kubernetes-validations"


def schema_of(model: type[Manifest]) -> dict[str, Any]:
    """The JSON schema, its references still in `$defs`."""
    return model.model_json_schema(schema_generator=_WithRules)


class _WithRules(GenerateJsonSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        model = cast("type[Manifest]", schema["cls"])
        found["description"] = class_docstring(model)
        for name, text in field_docstrings(model).items():
            if name in model.model_fields:
                found["properties"][model.spelled(name)]["description"] = text
        if rules := [*_choice_rules(model), *model.rules]:
            found[CEL] = [{"rule": rule.cel, "message": rule.message} for rule in rules]
        return found


def _choice_rules(model: type[Manifest]) -> Iterator[Rule]:
    """What `Manifest` checks of the model's choice, in CEL."""
    choice = model.choice
    if choice is None:
        return
    field = model.spelled(choice.field)
    for value, name in choice.blocks.items():
        block = model.spelled(name)
        if choice.required:
            yield Rule(f"self.{field} != '{value}' || has(self.{block})", _needs(field, value, block))
        if choice.exclusive:
            yield Rule(f"self.{field} == '{value}' || !has(self.{block})", _goes_with(field, value, block))


def _needs(field: str, value: str, block: str) -> str:
    return f"{field} {value} needs the block {block}"


def _goes_with(field: str, value: str, block: str) -> str:
    return f"the block {block} goes with {field} {value} only"
