"""What both versions of the KV secrets engine have in common."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from store_plugin.errors import InvalidRequest
from store_plugin.model import MAX_SEGMENTS, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores import _document as document
from stores.vault import errors
from stores.vault.answer import Answer


class KeyValue(Protocol):
    """A KV secrets engine at one mount. Calls and errors are those of `Store`."""

    capabilities: Capabilities
    warnings: tuple[str, ...]
    """What a person who chose this version should know."""
    why_useful: str
    """What comes of a policy that does not give what is useful."""

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret: ...

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None: ...

    async def delete(self, name: ScopedName) -> None: ...

    def names(self, scope: str) -> AsyncIterator[ScopedName]: ...

    def needed(self, path: str) -> Mapping[str, frozenset[str]]:
        """The capabilities that a policy must give, by path, for a secret at `path`."""
        ...

    def useful(self, path: str) -> Mapping[str, frozenset[str]]:
        """The capabilities that it should give besides, on some of the paths of `needed`."""
        ...


def data_of(answer: Answer) -> dict[str, object] | None:
    """An answer's `data`, numbers as text; None where nothing is stored. StoreUnavailable
    where the answer is not Vault's."""
    try:
        body = document.parse(answer.body)
    except ValueError:
        body = None
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, dict):
        return data
    if answer.ok or data is not None or not isinstance(body, dict):
        raise errors.not_vault(answer.where)
    return None


def values_in(
    answer: Answer, path: Sequence[str], found: Mapping[str, object], of: str
) -> Mapping[str, bytes]:
    """The values of the document that was `found` at `path` in an answer."""
    plain = document.plain_values(found)
    return document_in(answer, path, of).values if plain is None else plain


def document_in(answer: Answer, path: Sequence[str], of: str) -> document.Document:
    """The document at `path` in an answer, with the text of its values."""
    text = answer.text
    for key in path:
        text = document.members(text, of)[key]
    return document.decode(text, of)


List = Callable[[str], Awaitable[Answer]]
"""The answer to LIST of a folder below the mount."""


async def walk(list_folder: List, folder: str) -> AsyncIterator[ScopedName]:
    """All secrets below a folder. Folders deeper than a scoped name can be are left out,
    and so are secrets whose name is none."""
    answer = await list_folder(folder)
    if not answer.ok:
        return
    prefix = f"{folder}/" if folder else ""
    for entry in _entries(answer):
        if not entry.endswith("/"):
            for name in _parsed(prefix + entry):
                yield name
        elif prefix.count("/") + 1 < MAX_SEGMENTS:
            async for name in walk(list_folder, prefix + entry.rstrip("/")):
                yield name


def _entries(answer: Answer) -> list[str]:
    keys = (answer.json().get("data") or {}).get("keys")
    if not isinstance(keys, list):
        raise errors.not_vault(answer.where)
    return [str(key) for key in keys]


def _parsed(path: str) -> list[ScopedName]:
    try:
        return [ScopedName.parse(path)]
    except InvalidRequest:
        return []
