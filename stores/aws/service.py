"""What the two services have in common, as the store sees them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from store_plugin.errors import DocumentInvalid, TooLarge
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores import _document as document


class Service(Protocol):
    """Secrets Manager or Parameter Store. Calls and errors are those of `Store`."""

    capabilities: Capabilities

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret: ...

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None: ...

    async def delete(self, name: ScopedName, base: StoredSecret) -> None: ...

    def names(self, scope: str) -> AsyncIterator[ScopedName]: ...

    async def check(self) -> list[str]: ...

    async def aclose(self) -> None:
        """Wait for what must not be left half done."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it is stored: its values, or why they cannot be read."""

    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    text: str | None = field(default=None, repr=False)
    """None where it cannot be read: then nothing of it goes into the next one."""
    unreadable: str | None = None


def stored_as(text: str, of: str) -> Stored:
    """The document stored as `text`; `of` is its name in AWS."""
    try:
        return Stored(_values_in(text, of), text)
    except DocumentInvalid as invalid:
        return Stored(unreadable=invalid.message)


def encoded(name: ScopedName, secret: Secret, base: str | None) -> str:
    """The document to store; values that equal those in the document `base` keep their text."""
    before = document.EMPTY if base is None else document.decode(base, str(name))
    return document.encode(secret.data, before)


def checked(name: ScopedName, text: str, most: int) -> str:
    """The document `text`; TooLarge where it is longer than `most` bytes."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > most:
        raise TooLarge(
            f"secret {name} would be a document of {size} bytes; the store holds at most {most} "
            "(values that are no text take a third more)"
        )
    return text


def _values_in(text: str, of: str) -> Mapping[str, bytes]:
    try:
        found = document.parse(text)
    except ValueError:
        found = None
    plain = document.plain_values(found) if isinstance(found, dict) else None
    return document.decode(text, of).values if plain is None else plain
