"""Which keys travel, and what they are called on the other side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from store_plugin.errors import InvalidRequest
from store_plugin.model import check_keys
from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.wishes.annotations import KEYS

_MOST = 1000


@dataclass(frozen=True, slots=True)
class KeyMapping:
    """From the side that is read to the side that is written."""

    rest: bool = True
    """Whether keys that are not named travel as they are."""
    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Entries between commas: `KEY`, `KEY=NEW`, `!KEY`, and `*` for all others. Refused
        where an entry is none of these, or two make the same key."""
        entries = [entry.strip() for entry in text.split(",")]
        if len(entries) > _MOST:
            raise _invalid(f"has more than {_MOST} entries")
        left_out = frozenset(_key(entry[1:]) for entry in entries if entry.startswith("!"))
        renamed: dict[str, str] = {}
        for entry in entries:
            if entry == "*" or entry.startswith("!"):
                continue
            key, equals, new = (part.strip() for part in entry.partition("="))
            if _key(key) in renamed or key in left_out:
                raise _invalid("names a key twice")
            renamed[key] = _key(new) if equals else key
        if len(set(renamed.values())) < len(renamed):
            raise _invalid("gives two keys the same name")
        return cls("*" in entries or not renamed, left_out, renamed)

    def select(self, data: Mapping[str, bytes]) -> dict[str, bytes]:
        """The keys that travel. Refused where one that is named is not there, or two become one."""
        if missing := sorted(self.renamed.keys() - data.keys()):
            told = f"there is no key {missing[0]!r}: add it, or take it out of the annotation {KEYS}"
            raise Refused(Reason.KEY_MISSING, told)
        chosen = {new: data[key] for key, new in self.renamed.items()}
        if not self.rest:
            return chosen
        others = {key: data[key] for key in data if key not in self.renamed and key not in self.left_out}
        if both := sorted(others.keys() & chosen.keys()):
            raise _invalid(f"makes another key {both[0]!r} than the one that is there: leave that out")
        return chosen | others


def _key(text: str) -> str:
    key = text.strip()
    try:
        check_keys({key: b""})
    except InvalidRequest:
        told = "has an entry that is none of KEY, KEY=NEW, !KEY and *; keys are letters, digits and ._-"
        raise _invalid(told) from None
    return key


def _invalid(what: str) -> Refused:
    return Refused(Reason.INVALID_ANNOTATION, f"the annotation {KEYS} {what}")
