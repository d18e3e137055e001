"""How a secret's data is written as a JSON object, for the stores that hold one.

UTF-8 text is a JSON string, other bytes are `{"$binary": "<base64>"}` (docs/semantics.md,
"Documents"). Others write such documents too, with numbers, objects and lists in them.
So a document keeps the JSON text of each of its values: what nobody changed goes back
byte for byte, numbers that no float can hold included.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from store_plugin.errors import DocumentInvalid

BINARY = "$binary"


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a JSON object, as bytes and as the JSON they were stored as."""

    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


EMPTY = Document()


def decode(text: str, of: str) -> Document:
    """The document stored as `text`; `of` names the secret in the error.

    DocumentInvalid where the text is not a JSON object. Of a key that occurs twice the
    last value counts.
    """
    values, texts = {}, {}
    for key, value, stored in _members(text, of):
        values[key] = _bytes_of(value, stored)
        texts[key] = stored
    return Document(values, texts)


def encode(values: Mapping[str, bytes], base: Document = EMPTY) -> str:
    """The JSON object that holds `values`; those that equal the ones in `base` keep their text."""
    members = (
        f"{json.dumps(key)}:{base.texts[key] if base.values.get(key) == value else _text_of(value)}"
        for key, value in values.items()
    )
    return "{" + ",".join(members) + "}"


def members(text: str, of: str) -> dict[str, str]:
    """The JSON text of each member of the object `text`. DocumentInvalid as in `decode`."""
    return {key: stored for key, _, stored in _members(text, of)}


class Number(str):
    """A number as its JSON text, however long or precise. Not `type(...) is str`."""

    __slots__ = ()


class TooDeepError(ValueError):
    """JSON that is nested too deeply to be read."""


def parse(text: str | bytes) -> object:
    """`text` as JSON, its numbers as `Number`. ValueError where it is none."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise TooDeepError("nested too deeply") from None


def plain_values(found: Mapping[str, object]) -> dict[str, bytes] | None:
    """The values of a parsed document that holds nothing but ours: text and `$binary`.
    None where it holds anything else, for which its text is needed: see `decode`.

    A shortcut: this is what nearly every read needs.
    """
    values = {}
    for key, value in found.items():
        plain = value.encode("utf-8", "surrogatepass") if type(value) is str else _binary(value)
        if plain is None:
            return None
        values[key] = plain
    return values


def _text_of(value: bytes) -> str:
    try:
        return json.dumps(value.decode("utf-8"), ensure_ascii=False)
    except UnicodeDecodeError:
        return json.dumps({BINARY: base64.b64encode(value).decode("ascii")}, separators=(",", ":"))


def _bytes_of(value: object, text: str) -> bytes:
    if type(value) is str:
        # A lone surrogate is legal in JSON and has no UTF-8: "surrogatepass" reads it anyway.
        return value.encode("utf-8", "surrogatepass")
    plain = _binary(value)
    return _compact(text) if plain is None else plain


def _binary(value: object) -> bytes | None:
    if not isinstance(value, dict) or value.keys() != {BINARY}:
        return None
    encoded = value[BINARY]
    if type(encoded) is not str:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


_TOKEN = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\n\r]+')


def _compact(text: str) -> bytes:
    """JSON without the white space between its tokens; nothing else is touched."""
    return _TOKEN.sub(lambda found: found[1] or "", text).encode("utf-8", "surrogatepass")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)
_SPACE = re.compile(r"[ \t\n\r]*")


def _members(text: str, of: str) -> Iterator[tuple[str, object, str]]:
    """Key, decoded value and JSON text of each member."""
    try:
        yield from _scan(text)
    except (ValueError, IndexError, RecursionError):
        # `from None`: the decoder's own error carries the whole document.
        raise DocumentInvalid(f"what is stored under {of} is not a JSON object") from None


def _scan(text: str) -> Iterator[tuple[str, object, str]]:
    position = _expect(text, 0, "{")
    closing = text[position] == "}"
    while not closing:
        if text[position] != '"':
            raise ValueError("a key is not a string")
        key, end = _DECODER.raw_decode(text, position)
        position = _expect(text, end, ":")
        value, end = _DECODER.raw_decode(text, position)
        yield key, value, text[position:end]
        position = _skip(text, end)
        closing = text[position] == "}"
        if not closing:
            position = _expect(text, position, ",")
    if _skip(text, position + 1) != len(text):
        raise ValueError("more text follows")


def _expect(text: str, position: int, character: str) -> int:
    """Where the token after `character` begins."""
    position = _skip(text, position)
    if text[position] != character:
        raise ValueError(f"expected {character}")
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
