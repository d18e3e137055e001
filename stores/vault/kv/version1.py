"""KV version 1: one JSON object per path, without versions and without compare-and-set.

Metadata lies in the same object, its keys prefixed `metadata:`, as ess-plugin-vault wrote
it. Writers of one process queue in the engine; across processes the last one wins.
"""

from collections.abc import AsyncIterator, Mapping

from hvac.api.secrets_engines import KvV1

from store_plugin.errors import DocumentInvalid
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores import _document as document
from stores.vault import errors
from stores.vault.adapter import RawJson, VaultAdapter
from stores.vault.http.answer import Answer
from stores.vault.kv.answers import data_of, document_in, values_in
from stores.vault.kv.listing import walk
from stores.vault.kv.paths import folder_of, path_of, pattern_of

_PLACE = ("data",)
_PREFIX = "metadata:"
_EMPTY_MARK = {_PREFIX: b""}
"""What an empty secret without metadata is stored as, for the server refuses `{}`: a
metadata entry without a name, which no request can hold."""


class KeyValue1:
    """A KV version 1 secrets engine at one mount."""

    capabilities = Capabilities(compare_and_set=False, conditional_delete=False, listing=True)
    warnings: tuple[str, ...] = ("no compare-and-set: last writer wins across processes",)
    why_useful = ""

    def __init__(self, adapter: VaultAdapter, mount: str, prefix: str) -> None:
        self._api = KvV1(adapter)
        self._mount = mount
        self._prefix = prefix
        self.path = path_of(prefix)

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        answer: Answer = await self._api.read_secret(self.path(name), mount_point=self._mount)
        try:
            found = data_of(answer)
        except DocumentInvalid as invalid:
            return StoredSecret(Presence.PRESENT, unreadable=invalid.message)
        if found is None:
            return ABSENT
        values = values_in(answer, _PLACE, found, str(name))
        return StoredSecret(Presence.PRESENT, _secret(values), raw=answer)

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> None:
        read = base.raw if isinstance(base.raw, Answer) else None
        before = document_in(read, _PLACE, str(name)) if read else document.EMPTY
        text = RawJson(document.encode(_values(secret) or _EMPTY_MARK, before))
        answer: Answer = await self._api.create_or_update_secret(
            self.path(name), text, method="PUT", mount_point=self._mount
        )
        if not answer.ok:
            raise errors.not_vault(answer.where)

    async def delete(self, name: ScopedName) -> None:
        await self._api.delete_secret(self.path(name), mount_point=self._mount)

    def names(self, scope: str) -> AsyncIterator[ScopedName]:
        place = folder_of(self._prefix, scope)
        return walk(lambda folder: self._api.list_secrets(place(folder), mount_point=self._mount), scope)

    def needed(self, pattern: str) -> Mapping[str, frozenset[str]]:
        path = pattern_of(self._prefix, pattern)
        return {f"{self._mount}/{path}": frozenset({"create", "read", "update", "delete"})}

    def useful(self, pattern: str) -> Mapping[str, frozenset[str]]:
        return {}


def _secret(values: Mapping[str, bytes]) -> Secret:
    data = {key: value for key, value in values.items() if not key.startswith(_PREFIX)}
    metadata = {
        key.removeprefix(_PREFIX): value.decode("utf-8", "replace")
        for key, value in values.items()
        if key.startswith(_PREFIX) and key != _PREFIX
    }
    return Secret(data, metadata)


def _values(secret: Secret) -> dict[str, bytes]:
    metadata = {_PREFIX + key: value.encode("utf-8") for key, value in secret.metadata.items()}
    return {**secret.data, **metadata}
