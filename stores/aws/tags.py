"""Tags: where both services keep a secret's metadata, and the rules that AWS has for them.

The rules are those of the API reference of Systems Manager, type `Tag`; Secrets Manager
documents the same characters. What AWS would refuse is refused before anything is written.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping

from store_plugin.errors import InvalidRequest

MOST_TAGS = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256
_SIGNS = frozenset("_.:/=+-@")
_CATEGORIES = frozenset("LZN")
_RESERVED = "aws:"


def problem(key: str, value: str) -> str | None:
    """What AWS would refuse about a tag; None: nothing."""
    if not key or len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
        return f"is empty or longer than {LONGEST_KEY} characters, or its value than {LONGEST_VALUE}"
    if key.lower().startswith(_RESERVED):
        return f"begins with {_RESERVED}, which AWS keeps for itself"
    if not all(map(_allowed, key + value)):
        return "holds what AWS does not take in a tag: letters, digits, spaces and _ . : / = + - @ only"
    return None


def check_metadata(name: str, metadata: Mapping[str, str], fixed: Mapping[str, str]) -> None:
    """InvalidRequest for metadata that cannot be tags, or that the config sets itself."""
    for key, value in metadata.items():
        if key in fixed:
            raise InvalidRequest(f"metadata entry {key!r} of secret {name} is a tag that the config sets")
        if found := problem(key, value):
            raise InvalidRequest(f"metadata entry {key!r} of secret {name} {found}")


def from_answer(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """The tags in an answer, without those that AWS itself sets."""
    found = {tag["Key"]: tag.get("Value", "") for tag in tags or ()}
    return {key: value for key, value in found.items() if not key.startswith(_RESERVED)}


def to_request(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a request spells them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """The tags but those with one of the keys."""
    hidden = set(keys)
    return {key: value for key, value in tags.items() if key not in hidden}


def to_set(before: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The tags to write so that `before` becomes `wanted`."""
    return {key: value for key, value in wanted.items() if before.get(key) != value}


def digest(tags: Mapping[str, str]) -> str:
    """Eight characters that tell sets of tags apart."""
    return hashlib.sha256(json.dumps(sorted(tags.items())).encode()).hexdigest()[:8]


def _allowed(character: str) -> bool:
    return character in _SIGNS or unicodedata.category(character)[0] in _CATEGORIES
