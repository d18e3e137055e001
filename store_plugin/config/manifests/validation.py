"""pydantic's errors as lines for a person: which field, what is wrong, what to write.

pydantic shows the input in its errors. A token pasted into the wrong field must appear
nowhere, so nothing of the input passes through here: names of fields are shown when the
model knows them or they are like it, and texts of validators without whatever they quote of the
input.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails

from store_plugin.config.manifests.documents import Document, Path
from store_plugin.config.manifests.names import HIDDEN, about, shown, unknown_field

MOST_ERRORS = 10
"""Most errors told of one document."""

_SHORT = 4
_LONGEST_SHARED = 12
"""A validator's text that shares this many characters with the input is not shown."""

_MESSAGES: Mapping[str, str] = {
    "missing": "is required",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_type": "must be text; put a number or a word like yes in quotes",
    "string_too_short": "must not be shorter than {min_length} characters",
    "string_too_long": "must not be longer than {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a block of fields, each on a line of its own",
    "model_attributes_type": "must be a block of fields, each on a line of its own",
    "dict_type": "must be a block of fields, each on a line of its own",
    "list_type": "must be a list: lines that begin with '- '",
    "tuple_type": "must be a list: lines that begin with '- '",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "union_tag_not_found": "lacks the field {discriminator} that says of which kind it is",
    "union_tag_invalid": "must have one of these in {discriminator}: {expected_tags}",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One line of explanation, and the line of the file it is about."""

    line: int
    message: str


def explain(
    error: ValidationError, model: type[BaseModel], document: Document, at: Path
) -> tuple[FieldError, ...]:
    """What `error`, raised by `model` for the block at `at`, tells a person."""
    details = error.errors(include_url=False)
    told = [_explain_one(detail, model, document, at) for detail in details[:MOST_ERRORS]]
    # Members of a union fail one by one, often in the same words.
    return tuple(sorted(dict.fromkeys(told), key=lambda one: one.line))


def _explain_one(detail: ErrorDetails, model: type[BaseModel], document: Document, at: Path) -> FieldError:
    words = _words(model)
    place = _place(detail, document, at)
    if detail["type"] == "extra_forbidden":
        misspelt = str(detail["loc"][-1])
        message = _unknown_field(misspelt, shown(place[:-1], words), _field_names(model, detail["loc"][:-1]))
        return FieldError(document.line(place), message)
    return FieldError(document.line(place), about(shown(place, words), _problem(detail, words)))


def _place(detail: ErrorDetails, document: Document, at: Path) -> Path:
    """Where the error is, in the document's own terms: pydantic puts names of union
    members and validators between the fields. A missing field ends the path."""
    place = at
    for part in detail["loc"]:
        if (*place, part) in document.lines:
            place = (*place, part)
    if detail["type"] == "missing":
        place = (*place, detail["loc"][-1])
    return place


def _unknown_field(misspelt: str, block: str, known: list[str]) -> str:
    if not known:
        return about(block, "takes no fields")
    close = get_close_matches(misspelt, known, n=1, cutoff=0.75)
    hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
    return unknown_field(misspelt, block, hint)


def _problem(detail: ErrorDetails, words: frozenset[str]) -> str:
    template = _MESSAGES.get(detail["type"])
    if template is not None:
        return template.format_map({**detail.get("ctx", {})})
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _without_input(message, detail["input"], words)


def _without_input(message: str, value: object, words: frozenset[str]) -> str:
    """A validator's text without what it quotes of the input, unless the model itself
    knows the word (the name of a field, one of its choices)."""
    for text in _texts(value):
        if text in words:
            continue
        if text:
            message = re.sub(_quoted(text), HIDDEN, message)
        if _shares(message, text):
            return "is not valid here"
    return message


def _quoted(text: str) -> str:
    """A pattern for `text` in a message; for a short one, which may be a part of any
    word, as a word of its own."""
    pattern = re.escape(text)
    return pattern if len(text) >= _SHORT else rf"(?<!\w){pattern}(?!\w)"


def _shares(message: str, text: str) -> bool:
    """Whether a long piece of `message` stands in `text`."""
    starts = range(len(message) - _LONGEST_SHARED + 1)
    return any(message[start : start + _LONGEST_SHARED] in text for start in starts)


def _texts(value: object) -> Iterator[str]:
    """Everything in a value that could be shown, keys of blocks included."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


@lru_cache(maxsize=64)
def _words(model: type[BaseModel]) -> frozenset[str]:
    """Every word the model itself uses: names of fields, choices, defaults."""
    try:
        return frozenset({"spec", *_texts(model.model_json_schema())})
    except PydanticInvalidForJsonSchema:
        return frozenset({"spec", *(field.alias or name for name, field in model.model_fields.items())})


def _field_names(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the block at `loc`; of all alternatives where it is a union."""
    models = [model]
    for part in loc:
        inner = [found for each in models for found in _models_below(each, part)]
        models = inner or models
    return sorted({field.alias or name for each in models for name, field in each.model_fields.items()})


def _models_below(model: type[BaseModel], part: int | str) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type such as `tuple[AccessRule, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
