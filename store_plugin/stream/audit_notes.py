"""What a plugin says of a call for the audit record: keys, and nothing with them.

A key names something that happened, such as `password-rotated`. It travels as the trailing
metadata `audit-KEY`; whatever value stands beside it is not looked at, so that no secret gets into the
record by way of one.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from store_plugin.errors import InvalidRequest
from store_plugin.stream.frames import Metadata

PREFIX = "audit-"
MOST_KEYS = 16
"""Of one call; more are left out."""
_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")

_notes: ContextVar[dict[str, None] | None] = ContextVar("notes of a call", default=None)
"""In the order in which they were made."""


def note_for_audit(*keys: str) -> None:
    """Have keys stand in the audit record with the call that is being served, wherever in its code:
    at most 16, each up to 64 of a-z, 0-9 and `._-`. Outside of a call it does nothing.
    InvalidRequest for what is no key."""
    for key in keys:
        if not _KEY.match(key):
            raise InvalidRequest(f"{key[:80]!r} is no key for the audit record: up to 64 of a-z, 0-9 and ._-")
    notes = _notes.get()
    if notes is not None:
        notes.update(dict.fromkeys(keys[: max(0, MOST_KEYS - len(notes))]))


@contextmanager
def noting() -> Iterator[dict[str, None]]:
    """Take what is noted in the block."""
    notes: dict[str, None] = {}
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def metadata_of_notes(notes: Iterable[str]) -> Metadata:
    """As they travel."""
    return tuple((PREFIX + key, "") for key in notes)


def notes_in(trailing: Metadata) -> tuple[str, ...]:
    """The keys that came with a reply. What is no key, and what exceeds their number, is left out."""
    keys = (key.removeprefix(PREFIX) for key, _ in trailing if key.startswith(PREFIX))
    return tuple(dict.fromkeys(filter(_KEY.match, keys)))[:MOST_KEYS]
