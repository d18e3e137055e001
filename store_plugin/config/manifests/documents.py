"""YAML text as plain values that know their lines, so that a problem can be pointed at.

Built from the parser's events instead of its own loaders: those keep no lines, expand
aliases without a bound and nest as deep as the input says. No tag is ever obeyed. What
is raised here shows nothing of the text but names that are like fields.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from store_plugin.config.manifests.names import told

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a build of PyYAML without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]

MAX_DEPTH = 64
"""Most blocks inside each other."""
MAX_VALUES = 1_000_000
"""Most values in one file, aliases counted as what they stand for."""

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(_CORE + name for name in ("str", "timestamp", "value"))


class DocumentError(Exception):
    """The text is not YAML that can be read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    value: Value = field(repr=False)
    lines: Mapping[Path, int] = field(repr=False)

    def line(self, path: Path) -> int:
        """Where the field at `path` stands, or the nearest block around it that exists."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def document_of(value: Value) -> Document:
    """A value that was no text, such as an object of an API server: every line of it is 0."""
    return Document(value, _NoLines(value))


class _NoLines(Mapping[Path, int]):
    """Has every path that leads somewhere in a value. Built without a look at the value:
    lines are asked for only where something is wrong."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def __getitem__(self, path: Path) -> int:
        value = self._value
        for part in path:
            value = value[part]  # type: ignore[index]
        return 0

    def __contains__(self, path: object) -> bool:
        try:
            return self[path] == 0  # type: ignore[index]
        except (LookupError, TypeError):
            return False

    def __iter__(self) -> Iterator[Path]:
        yield ()

    def __len__(self) -> int:
        return 1


def parse_documents(text: str) -> Iterator[Document]:
    """The documents of a YAML text, one by one. Raises DocumentError."""
    reader = _Reader(text)
    try:
        yield from reader.documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(mark.line + 1 if mark else 1, _syntax_problem(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line, "not readable as YAML: it holds a control character") from None


def _syntax_problem(error: yaml.MarkedYAMLError) -> str:
    """The parser's own words; libyaml's are constants without any of the input."""
    return f"not readable as YAML: {error.problem or 'syntax error'}"


class _Reader:
    """Turns the events of one text into values; an instance serves one text."""

    def __init__(self, text: str) -> None:
        self._loader: Any = _Loader(text)  # PyYAML's stubs know nothing of its C parser
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._lines: dict[Path, int] = {}
        self._values = 0

    def documents(self) -> Iterator[Document]:
        while (event := self._loader.get_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                first = self._loader.get_event()
                self._anchors, self._lines = {}, {(): _line(first)}
                yield Document(self._value(first, ()), self._lines)

    def _value(self, event: yaml.Event, path: Path) -> Value:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(event, 1)
        if len(path) > MAX_DEPTH:
            _fail(event, f"blocks are nested deeper than {MAX_DEPTH}")
        before = self._values
        value = self._content(event, path)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = value, self._values - before + 1
        return value

    def _content(self, event: yaml.Event, path: Path) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, path)
        return self._mapping(event, path)

    def _alias(self, event: yaml.AliasEvent) -> Value:
        value, size = self._anchors.get(event.anchor or "", (None, 0))
        if not size:
            _fail(event, "an alias (*) stands for something that is not defined before it")
        self._count(event, size)
        return value

    def _count(self, event: yaml.Event, size: int) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            _fail(event, f"the file holds more than {MAX_VALUES} values, counting what aliases stand for")

    def _sequence(self, event: yaml.Event, path: Path) -> Value:
        _refuse_tag(event, "seq")
        items: list[Value] = []
        while not isinstance(item := self._loader.get_event(), yaml.SequenceEndEvent):
            at = (*path, len(items))
            self._lines[at] = _line(item)
            items.append(self._value(item, at))
        return items

    def _mapping(self, event: yaml.Event, path: Path) -> Value:
        _refuse_tag(event, "map")
        block: dict[str, Value] = {}
        while not isinstance(key := self._loader.get_event(), yaml.MappingEndEvent):
            name = _field_name(key)
            if name in block:
                _fail(key, f"{told((*path, name))}: stands twice in one block; keep one of them")
            at = (*path, name)
            self._lines[at] = _line(key)
            block[name] = self._value(self._loader.get_event(), at)
        return block

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _TEXT_TAGS:
            return event.value
        if tag == f"{_CORE}null":
            return None
        kind = tag.removeprefix(_CORE)
        if kind not in ("bool", "int", "float"):
            _fail(event, "tags (!...) are not obeyed; leave the tag out")
        node = yaml.ScalarNode(f"{_CORE}{kind}", event.value)
        try:
            number: bool | int | float = getattr(self._loader, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError, IndexError, ArithmeticError):
            _fail(event, "not a number that can be read; put text in quotes")
        return number


def _field_name(event: yaml.Event) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        _fail(event, "the name of a field must be plain text")
    if event.value == "<<" and event.implicit[0]:
        _fail(event, "merge keys (<<) are not obeyed; write the fields out")
    name: str = event.value
    return name


def _refuse_tag(event: yaml.Event, kind: str) -> None:
    if getattr(event, "tag", None) not in (None, "!", f"{_CORE}{kind}"):
        _fail(event, "tags (!...) are not obeyed; leave the tag out")


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None  # every event that was parsed has one
    return event.start_mark.line + 1


def _fail(event: yaml.Event, message: str) -> NoReturn:
    raise DocumentError(_line(event), message)
