"""The ids that we give to versions in Secrets Manager, and what they tell to who reads them.

The service lets the writer choose a version's id. Most of ours are only unique. One that is
written over a tombstone also says what it replaces, because for that the dead secret must be
restored first, and comes back to life for a moment, with its old keys and its old tags:

    anew-DEAD-TAGS-RANDOM

DEAD is a digest of the id of the dead version: while that version is still the current one
and this one is pending, the secret counts as a tombstone. TAGS is a digest of the dead
secret's tags: while the current version says so and the tags are still these, they are not
its own. So neither a reader in between nor a crash brings old keys or an old owner back.
"""

import hashlib
from collections.abc import Mapping
from uuid import uuid4

from stores.aws import tags

_ANEW = "anew"
_NO_DEAD_TAGS = "0" * 8


def fresh() -> str:
    """An id for a version: 32 characters, the fewest that AWS takes."""
    return uuid4().hex


def anew(dead: str | None, dead_tags: Mapping[str, str], wanted_tags: Mapping[str, str]) -> str:
    """An id for the version that replaces a dead one; at most 64 characters."""
    told = _NO_DEAD_TAGS if dead_tags == wanted_tags else tags.digest(dead_tags)
    return f"{_ANEW}-{_digest(dead or '')}-{told}-{fresh()}"


def replaces(pending: str, current: str | None) -> bool:
    """Whether the pending version is about to replace the current one, which is dead."""
    parts = pending.split("-")
    return parts[0] == _ANEW and len(parts) == 4 and parts[1] == _digest(current or "")


def awaits_tags(current: str, found: Mapping[str, str]) -> bool:
    """Whether the tags found are still those of what the current version replaced."""
    parts = current.split("-")
    return parts[0] == _ANEW and len(parts) == 4 and parts[2] == tags.digest(found)


def _digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()[:8]
