"""From pydantic's JSON schema to the structural schema that a CRD must have.

The API server takes no `$ref`, no unions, no `null` and no list of every field that is
unknown. A keyword that this module does not know is an error here, so that no constraint
gets lost on the way. The rules: "Specifying a structural schema" in the documentation of
Kubernetes' CustomResourceDefinitions.
"""

from collections.abc import Mapping
from typing import Any

from store_plugin.crds.models import CEL

_KEPT = (
    "type", "description", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "maxProperties", "required", CEL,
)  # fmt: skip
_DROPPED = ("title", "$defs", "x-unstored-default")
_HANDLED = ("$ref", "anyOf", "const", "default", "items", "properties", "additionalProperties",
            "exclusiveMinimum", "exclusiveMaximum")  # fmt: skip
_DURATION_PATTERN = r"^([0-9]+([.][0-9]+)?(ms|s|m|h))+$"
_LONGEST_DURATION = 32


class Unconvertible(Exception):
    """A model says what no structural schema can; the message says where and what instead."""


def structural(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The structural schema for a model's JSON schema. Raises Unconvertible."""
    return _Converter(schema.get("$defs", {})).convert(schema, "spec")


class _Converter:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def convert(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        whole = self._flat(schema, path)
        if whole.get("format") == "duration":
            return _duration(whole)
        if unknown := whole.keys() - {*_KEPT, *_DROPPED, *_HANDLED}:
            raise Unconvertible(f"{path}: no structural schema is made of {', '.join(sorted(unknown))}")
        made = {key: whole[key] for key in _KEPT if key in whole}
        made |= _bounds(whole) | _default(whole)
        if "const" in whole:
            made["enum"] = [whole["const"]]
        if "items" in whole:
            made["items"] = self.convert(whole["items"], f"{path}[]")
            made["x-kubernetes-list-type"] = "atomic"
        if "properties" in whole:
            made["properties"] = {
                name: self.convert(inner, f"{path}.{name}") for name, inner in whole["properties"].items()
            }
        elif isinstance(whole.get("additionalProperties"), Mapping):
            made["additionalProperties"] = self.convert(whole["additionalProperties"], f"{path}.*")
        return made

    def _flat(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        """`schema` with its reference, or the only member of its union besides null, in
        place; what stands beside them wins."""
        whole = dict(schema)
        if reference := whole.pop("$ref", None):
            return self._flat(self._definitions[reference.rpartition("/")[2]] | whole, path)
        if members := whole.pop("anyOf", None):
            (member, *others) = [one for one in members if one != {"type": "null"}] or [{}]
            if others:
                raise Unconvertible(f"{path}: a union; use a block for each member and a Choice between them")
            return self._flat({**member, **whole}, path)
        return whole


def _duration(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Text like `30s`, or a whole number of seconds; bounds become CEL."""
    made: dict[str, Any] = {
        "description": whole.get("description", "A duration."),
        "x-kubernetes-int-or-string": True,
        "pattern": _DURATION_PATTERN,
        "maxLength": _LONGEST_DURATION,
    }
    if rules := [_bound(keyword, whole[keyword]) for keyword in _BOUNDS if keyword in whole]:
        made[CEL] = rules
    if "default" in whole:
        made["default"] = duration_text(whole["default"])
    return made


_BOUNDS = {
    "exclusiveMinimum": (">", "longer than"),
    "minimum": (">=", "at least"),
    "exclusiveMaximum": ("<", "shorter than"),
    "maximum": ("<=", "at most"),
}


def _bound(keyword: str, seconds: float) -> dict[str, str]:
    operator, words = _BOUNDS[keyword]
    shown = duration_text(seconds)
    as_text, as_number = f"duration(self) {operator} duration('{shown}')", f"self {operator} {seconds:g}"
    rule = f"type(self) == string ? {as_text} : {as_number}"
    return {"rule": rule, "message": f"must be {words} {shown}"}


def duration_text(seconds: float) -> str:
    """Seconds as a manifest spells them."""
    return f"{seconds:.12g}s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.12g}ms"


def _bounds(whole: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0 marks a bound as exclusive instead of giving another one."""
    made: dict[str, Any] = {}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in whole:
            made |= {bound: whole[exclusive], exclusive: True}
    return made


def _default(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults of values, so that a stored object shows them. Those of blocks and lists
    would only make every object longer, and what an empty text means needs no default."""
    default = whole.get("default")
    if whole.get("x-unstored-default") or default is None or isinstance(default, dict | list):
        return {}
    return {} if default == "" else {"default": default}
