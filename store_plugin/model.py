"""The values that travel between the layers: names, secrets, versions. No I/O, no gRPC.

Names and limits are the rules of docs/semantics.md, "Names and limits". Nothing here
shows a secret value in its `repr`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, Self

from store_plugin.errors import InvalidRequest, TooLarge

OWNER_LABEL = "secret.crossplane.io/owner-uid"
"""Metadata entry that holds the UID of the object a secret belongs to."""

MAX_NAME_BYTES = 1024
MAX_SEGMENTS = 8
MAX_SEGMENT = 253
MAX_KEY = 253
MAX_DATA_BYTES = 1024 * 1024
"""Most data in one secret, in bytes: the sum of its values."""
MAX_KEYS = 10_000
"""Most keys in one secret."""
MAX_KEY_BYTES = 1024 * 1024
"""Most bytes that the names of all keys of a secret may have together."""
MAX_METADATA_ENTRIES = 256
MAX_METADATA_BYTES = 256 * 1024
"""Most metadata of one secret, names and values together; the bound that Kubernetes sets
for annotations."""

Version = NewType("Version", str)
"""A stored version, opaque to everybody but its store."""

NO_SECRET = Version("0")
"""As `if_version`: there must be no secret yet."""

_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+=-]*[A-Za-z0-9])?\Z")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ConfigReference:
    """Names the resource that configures a store."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def plural_of(kind: str) -> str:
    """How the API server's paths spell a kind of store config that says nothing else."""
    return f"{kind.lower()}s"


@dataclass(frozen=True, slots=True)
class ScopedName:
    """`scope/name`, 1 to 8 segments; the scope is usually a namespace."""

    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name written as `text`; InvalidRequest names the segment that is wrong."""
        if not text:
            raise InvalidRequest("the secret has no scoped name; write it as scope/name")
        if len(text.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
            raise InvalidRequest(
                f"the scoped name is {len(text)} characters long; at most {MAX_NAME_BYTES} bytes are allowed"
            )
        segments = tuple(text.split("/"))
        if len(segments) > MAX_SEGMENTS:
            raise InvalidRequest(
                f"the scoped name has {len(segments)} segments; at most {MAX_SEGMENTS} are allowed"
            )
        for position, segment in enumerate(segments, start=1):
            if problem := _segment_problem(segment):
                raise InvalidRequest(f"segment {position} of the scoped name {_shown(segment)} {problem}")
        return cls(segments)

    @property
    def scope(self) -> str:
        """All segments but the last, joined by `/`; empty where there is only one."""
        return "/".join(self.segments[:-1])

    def __str__(self) -> str:
        return "/".join(self.segments)


def _segment_problem(segment: str) -> str | None:
    if not segment:
        return "is empty"
    if segment in (".", ".."):
        return "is not allowed"
    if len(segment) > MAX_SEGMENT:
        return f"is longer than {MAX_SEGMENT} characters"
    if not _SEGMENT.match(segment):
        return "holds a character that is not allowed: letters, digits and ._@+=- between letters or digits"
    return None


def _shown(text: str) -> str:
    """`text` for a message: short, and without anything that could break a line."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return repr(_CONTROL.sub("?", short))


@dataclass(frozen=True, slots=True)
class Secret:
    """Data and metadata of a secret. Construction copies nothing and checks nothing:
    what a store holds is shown as it is; `check_request` is for what callers send."""

    data: Mapping[str, bytes] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """UID in the owner label, if there is one."""
        return self.metadata.get(OWNER_LABEL) or None

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(map(len, self.data.values()))

    def check_request(self) -> None:
        """Raise InvalidRequest or TooLarge where a caller may not send this secret. Counts
        before it looks at each entry, so that a flood of entries costs little."""
        check_keys(self.data)
        _check_amount(self.size, MAX_DATA_BYTES, "bytes of data")
        _check_amount(len(self.metadata), MAX_METADATA_ENTRIES, "metadata entries")
        _check_amount(text_bytes(self.metadata), MAX_METADATA_BYTES, "bytes of metadata")
        for key in self.metadata:
            if not key or len(key) > MAX_KEY or _CONTROL.search(key):
                raise InvalidRequest(f"the metadata key {_shown(key)} is not allowed")

    def __repr__(self) -> str:
        return f"Secret(keys={sorted(self.data)}, metadata_keys={sorted(self.metadata)})"


def check_keys(keys: Mapping[str, bytes]) -> None:
    """Raise TooLarge for too many keys, InvalidRequest naming the first that is not allowed."""
    _check_amount(len(keys), MAX_KEYS, "keys")
    for key in keys:
        if not _KEY.match(key):
            raise InvalidRequest(
                f"the key {_shown(key)} is not allowed: 1 to {MAX_KEY} letters, digits or ._-"
            )
    _check_amount(sum(map(len, keys)), MAX_KEY_BYTES, "bytes in the names of its keys")


def text_bytes(entries: Mapping[str, str]) -> int:
    """Bytes of all names and values."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in entries.items())


def _check_amount(found: int, most: int, what: str) -> None:
    if found > most:
        raise TooLarge(f"the secret has {found} {what}; at most {most} are allowed")


class Presence(Enum):
    """What a store holds under a name."""

    PRESENT = "present"
    ABSENT = "absent"
    TOMBSTONE = "tombstone"
    """Soft-deleted or scheduled for deletion: absent for get, merge and ownership, but
    its version is the one a write must name."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What a store read under a name, and what a write to that name is based on."""

    presence: Presence
    secret: Secret = field(default_factory=Secret)
    version: Version | None = None
    raw: object = field(default=None, repr=False)
    """The store's own document, so that what the engine did not touch goes back as it was."""
    unfinished_age: float | None = None
    """Seconds since the creation of a secret that may still wait for its metadata, in a store
    that writes metadata after data: a first version without any, or one over a tombstone.
    None everywhere else."""
    unreadable: str | None = None
    """Why what is stored cannot be read, naming its place, where the store can say that and
    still replace or remove it. `secret` then has its metadata and no data, and a write
    replaces all of it. A store that cannot raises DocumentInvalid."""

    @property
    def present(self) -> bool:
        return self.presence is Presence.PRESENT


ABSENT = StoredSecret(Presence.ABSENT)


class ChangeKind(Enum):
    """What happened to a key, or METADATA: to a metadata entry."""

    ADDED = 1
    UPDATED = 2
    REMOVED = 3
    METADATA = 4


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that changed, by name; never with its value."""

    key: str
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class Applied:
    """Result of an apply. A secret created empty has changed without any key change.

    `version` is None for a dry run that would write and for stores that keep no versions.
    """

    changed: bool
    changes: tuple[KeyChange, ...]
    version: Version | None
