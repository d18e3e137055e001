"""JSON Schema of the types of Kubernetes that values of the charts are made of.

A misspelt field in a container of the admission policies would be seen when the first Pod is
made, and refuse all of them. So the schema of the values knows these types in full, as the
client library does that `constraints.txt` names; a test holds them against an API server.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes.client import models

OPEN = {"V1ObjectMeta": "far more than a chart's value needs"}
"""Types that are taken as they are, and why."""
PROBE_TIMES = "ProbeTimes"
"""A probe without what it asks, which the chart says itself."""
_ASKING = ("exec", "grpc", "httpGet", "tcpSocket")
_QUANTITIES = ("limits", "requests", "sizeLimit", "divisor")
"""Fields that the library has as texts, and the API server takes as numbers too."""
_SCALARS = {"str": "string", "int": "integer", "bool": "boolean", "datetime": "string"}
_QUANTITY = {"type": ["string", "number"]}
_PORT = {"type": ["integer", "string"]}


def definitions(wanted: Iterator[str]) -> dict[str, Any]:
    """Schemas of these types, and of all that they are made of, by name. AttributeError where
    there is no such type."""
    found: dict[str, Any] = {}
    waiting = sorted(set(wanted))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _definition(name)
            waiting += references(found[name])
    return dict(sorted(found.items()))


def references(schema: object) -> Iterator[str]:
    """The names below $defs that a schema refers to."""
    if isinstance(schema, Mapping):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix("#/$defs/")
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def _definition(name: str) -> dict[str, Any]:
    if name in OPEN:
        return {"type": "object"}
    if name == PROBE_TIMES:
        probe = _definition("V1Probe")
        times = {field: schema for field, schema in probe["properties"].items() if field not in _ASKING}
        return {**probe, "properties": times}
    model = getattr(models, name)
    names, types = model.attribute_map, model.openapi_types
    needed = [names[field] for field, about in model.model_fields.items() if about.is_required()]
    fields = {names[field]: _of(names[field], types[field]) for field in sorted(types)}
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False}
    if needed:
        schema["required"] = sorted(needed)
    found = {field: inner if field in needed else _or_null(inner) for field, inner in fields.items()}
    return schema | {"properties": found}


def _of(field: str, kind: str) -> dict[str, Any]:
    if listed := re.fullmatch(r"List\[(.+)\]", kind):
        return {"type": "array", "items": _of("", listed[1])}
    if kind.startswith("Dict["):
        values = _or_null(_QUANTITY) if field in _QUANTITIES else {"type": "string"}
        return {"type": "object", "additionalProperties": values}
    if field in _QUANTITIES:
        return _QUANTITY
    if kind == "object":
        return _PORT
    return {"type": _SCALARS[kind]} if kind in _SCALARS else {"$ref": f"#/$defs/{kind}"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A null takes back what other values say: for whatever is one value."""
    kinds = schema.get("type", "object")
    if kinds in ("object", "array"):
        return schema
    return {"type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
