"""Make what the charts have twice: schemas and tables from values, CRDs and the library from their place.

Used by `tools/generate.py`. A chart is read by Helm where it lies, so it has copies of what it takes
from elsewhere. They are made here and compared by `make check`, never edited.

A file of values tells all there is to know of them: the default, the comment above, and where the
default does not say what may be written, a piece of JSON Schema after `@schema` in that comment. That may
refer to `#/$defs/` for types of Kubernetes, by the names that the client library has for them.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools import kubernetes_types
from tools.kubernetes_types import references

CHART = Path("charts/store-plugin")
LIBRARY = Path("charts/store-plugin-sidecar")
SCHEMA = "values.schema.json"
COPIES = {
    Path("crds"): CHART / "files/crds",
    LIBRARY: CHART / "charts/store-plugin-sidecar",
}
"""Folders of the checkout, and where the chart has them."""

_MARK = "@schema"
_TABLE = ("<!-- values of {name} -->\n", "<!-- end of values -->\n")
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class Value:
    """One value of a chart, with those below it."""

    path: tuple[str, ...]
    default: Any
    meaning: str
    said: Mapping[str, Any]
    """What its comment says in JSON Schema."""
    below: tuple["Value", ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def needed(self) -> bool:
        """Whether templates go by it: a null, with which Helm takes a default away, leaves nothing to
        go by. What may be empty may be null, which is the same."""
        if isinstance(self.default, list):
            return "minItems" in self.said
        return bool(self.default) and "$ref" not in self.said

    def schema(self, whole: bool) -> dict[str, Any]:
        """JSON Schema: no value that has no name here, no other type than that of the default. `whole`:
        what is needed is there, as it is where Helm has put the defaults in."""
        if "$ref" in self.said:
            return {"description": self.meaning, **self.said}
        found: dict[str, Any] = {"description": self.meaning, "type": _TYPES[type(self.default)]}
        if isinstance(self.default, dict):
            found |= _properties(self.below, whole)
        return found | self.said


def values_of(path: Path) -> tuple[Value, ...]:
    """All values in a file. ValueError where one has no comment."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return tuple(_values(root, (), text.splitlines(), path))


def _values(node: yaml.Node, parent: tuple[str, ...], lines: list[str], file: Path) -> Iterator[Value]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*parent, key.value)
        words, _, said = _comment(lines, key.start_mark.line).partition(_MARK)
        if not words.strip():
            raise ValueError(f"{file}: {'.'.join(path)} has no comment")
        yield Value(
            path=path,
            default=yaml.SafeLoader("").construct_object(value, deep=True),
            meaning=words.strip(),
            said=yaml.safe_load(said) or {},
            below=tuple(_values(value, path, lines, file)),
        )


def _comment(lines: list[str], line: int) -> str:
    """The lines of comment right above a line, as one."""
    found: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("#").strip())
    return " ".join(found)


def generate_charts(root: Path, target: Path) -> None:
    """Write what is made for the charts of the checkout `root` below `target`."""
    library, plugin = values_of(root / LIBRARY / "values.yaml"), values_of(root / CHART / "files/plugin.yaml")
    chart = values_of(root / CHART / "values.yaml")
    _write(target / LIBRARY / SCHEMA, _schema(library))
    _write(target / CHART / SCHEMA, _schema(chart, sidecar=library, plugin=plugin))
    tables = {"store-plugin": chart, "store-plugin-sidecar": library, "a plugin": plugin}
    for folder in (CHART, LIBRARY):
        _write(target / folder / "README.md", _with_tables((root / folder / "README.md").read_text(), tables))
    _copy(root, target)


def _schema(values: tuple[Value, ...], **definitions: tuple[Value, ...]) -> str:
    own = {name: _object(inner, whole=False) for name, inner in definitions.items()}
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_object(values, whole=True)}
    kubernetes = kubernetes_types.definitions(name for name in references([whole, own]) if name not in own)
    return json.dumps({**whole, "$defs": {**own, **kubernetes}}, indent=2) + "\n"


def _object(values: tuple[Value, ...], *, whole: bool) -> dict[str, Any]:
    found = _properties(values, whole)
    # Helm hands `global` to every chart.
    return {"type": "object", **found, "properties": {"global": {}, **found["properties"]}}


def _properties(values: tuple[Value, ...], whole: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"additionalProperties": False}
    if whole and (needed := [value.path[-1] for value in values if value.needed]):
        found["required"] = needed
    return {**found, "properties": {value.path[-1]: value.schema(whole) for value in values}}


def _with_tables(text: str, tables: Mapping[str, tuple[Value, ...]]) -> str:
    """A page whose tables of values, between their marks, are made anew."""
    for name, values in tables.items():
        begin, end = (mark.format(name=name) for mark in _TABLE)
        head, found, rest = text.partition(begin)
        if found:
            rows = "".join(row for value in values for row in _rows(value))
            table = f"| value | default | meaning |\n|---|---|---|\n{rows}"
            text = f"{head}{begin}{table}{end}{rest.partition(end)[2]}"
    return text


def _rows(value: Value) -> Iterator[str]:
    default = "" if value.below else f"`{json.dumps(value.default)}`"
    yield f"| `{value.name}` | {default} | {value.meaning} |\n".replace("|  |", "| |")
    for below in value.below:
        yield from _rows(below)


def _copy(root: Path, target: Path) -> None:
    """As committed; what was made right now of it, as that."""
    for source, copy in COPIES.items():
        for origin in (root, target):
            if (origin / source).exists():
                shutil.copytree(origin / source, target / copy, dirs_exist_ok=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def generated_files(root: Path) -> Iterator[Path]:
    """What is made for the charts, and committed."""
    for folder in (CHART, LIBRARY):
        yield from (root / folder / name for name in (SCHEMA, "README.md"))
    for copy in COPIES.values():
        yield from (path for path in (root / copy).rglob("*") if path.is_file())
