"""KV version 2: versions, compare-and-set, soft deletion, metadata of its own.

The data is written first and names the version it is based on, so that of two writers one
wins; the metadata follows, where it changed, entry by entry, so that neither loses one. Over
a tombstone a mark goes ahead of both (docs/decisions/0009-half-finished-creates.md).
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

from hvac.api.secrets_engines import KvV2

from store_plugin.errors import ConfigInvalid, StorePluginError, VersionNotFound
from store_plugin.model import ABSENT, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits
from stores import _document as document
from stores.vault import errors
from stores.vault.adapter import RawJson, VaultAdapter
from stores.vault.http.answer import Answer
from stores.vault.kv import marks
from stores.vault.kv.held import Held, stored_in, texts
from stores.vault.kv.listing import walk
from stores.vault.kv.metadata import MetadataWriter, check_metadata
from stores.vault.kv.paths import folder_of, path_of, pattern_of

_LIMITS = Limits(metadata_entries=marks.MOST_ENTRIES, metadata_key_bytes=128, metadata_value_bytes=512)


class KeyValue2:
    """A KV version 2 secrets engine at one mount."""

    capabilities = Capabilities(
        compare_and_set=True,
        conditional_delete=False,
        versions=True,
        tombstones=True,
        listing=True,
        limits=_LIMITS,
    )
    warnings: tuple[str, ...] = ()
    why_useful = "without patch, metadata that others write at the same moment may be lost"

    def __init__(self, adapter: VaultAdapter, mount: str, prefix: str, max_versions: int | None) -> None:
        self._adapter = adapter
        self._api = KvV2(adapter)
        self._metadata = MetadataWriter(adapter, mount, max_versions)
        self._mount = mount
        self._data_url = f"/v1/{quote(mount)}/data/"
        self._prefix = prefix
        self.path = path_of(prefix)

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        number = None if version is None else _number(name, version)
        path = self.path(name)
        stored = stored_in(await self._get(path, number), path)
        if version and stored is ABSENT:
            raise VersionNotFound(f"secret {name} has no version {version}")
        return stored

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version:
        check_metadata(name, secret.metadata)
        path, held = self.path(name), base.raw if isinstance(base.raw, Held) else Held()
        await self._metadata.change(path, held.metadata, _ahead(base, held, secret))
        answer: Answer = await self._api.create_or_update_secret(
            path,
            RawJson(document.encode(secret.data, held.base_document(path))),
            cas=int(base.version or 0),
            mount_point=self._mount,
        )
        if answer.status == 204:
            raise await self._taken_back(answer, path, base)
        written = _written(answer)
        version = Version(str(written["version"]))
        before = texts(written.get("custom_metadata")) if "custom_metadata" in written else held.metadata
        write = self._metadata.change if base.present else self._metadata.settle
        await write(path, before, _after(base, held, before, secret, version))
        return version

    async def _taken_back(self, answer: Answer, path: str, base: StoredSecret) -> ConfigInvalid:
        """What to raise where KV version 1 took the write: it has no body to answer with. What lies
        there now is removed, where nothing was there before."""
        told = f"{answer.where}: what is mounted there is not KV version 2"
        if base.version:
            return ConfigInvalid(told)
        try:
            await self._adapter.request("DELETE", self._data_url + quote(path))
        except StorePluginError:
            return ConfigInvalid(f"{told}; what was just written there could not be removed: do so yourself")
        return ConfigInvalid(told)

    async def _get(self, path: str, number: int | None) -> Answer:
        """As hvac's `read_secret_version`, which quotes and formats the mount again each time."""
        query = None if number is None else {"version": number}
        return await self._adapter.request("GET", self._data_url + quote(path), params=query)

    async def delete(self, name: ScopedName) -> None:
        await self._api.delete_metadata_and_all_versions(self.path(name), mount_point=self._mount)

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        """One request per folder and per secret: the listing does not tell which are deleted."""
        place = folder_of(self._prefix, scope)
        async for name in walk(
            lambda folder: self._api.list_secrets(place(folder), mount_point=self._mount), scope
        ):
            if (await self._get(self.path(name), None)).ok:
                yield name

    def needed(self, pattern: str) -> Mapping[str, frozenset[str]]:
        path = pattern_of(self._prefix, pattern)
        return {
            f"{self._mount}/data/{path}": frozenset({"create", "read", "update"}),
            f"{self._mount}/metadata/{path}": frozenset({"update", "delete"}),
        }

    def useful(self, pattern: str) -> Mapping[str, frozenset[str]]:
        path = pattern_of(self._prefix, pattern)
        return {f"{self._mount}/metadata/{path}": frozenset({"patch"})}


def _number(name: ScopedName, version: Version) -> int:
    """A version as the server counts them: from 1; its 0 means the latest."""
    if version.isascii() and version.isdigit() and len(version) < 19 and int(version) > 0:
        return int(version)
    raise VersionNotFound(f"secret {name} has no version {version[:20]!r}")


def _written(answer: Answer) -> dict[str, object]:
    """`data` of the answer to a write."""
    data = answer.json().get("data")
    if not answer.ok or not isinstance(data, dict) or "version" not in data:
        raise errors.not_vault(answer.where)
    return data


def _ahead(base: StoredSecret, held: Held, wanted: Secret) -> Mapping[str, str]:
    """The metadata that the new data must find. Over a tombstone: the mark, so that nobody
    takes the entries of the dead secret for those of the new one. None of either, no mark."""
    version = base.version or "0"
    if base.present:
        return held.metadata if held.replaced else marks.without_early_mark(held.metadata, version)
    if held.replaced and (wanted.metadata or marks.shown(held.metadata)):
        return marks.announced(held.metadata, int(version) + 1)
    return held.metadata


def _after(
    base: StoredSecret, held: Held, now: Mapping[str, str], wanted: Secret, version: Version
) -> Mapping[str, str]:
    """The metadata to be, once `version` is written and the server holds `now`."""
    if held.replaced:
        # To a present secret without metadata its creator may still add some: the mark stays.
        nothing = not wanted.metadata and (base.present or not marks.shown(held.metadata))
        return now if nothing else marks.finished(wanted.metadata, version)
    if not base.present:
        # What lies there already, others wrote before the first version.
        return {**marks.of_others(now), **wanted.metadata}
    return marks.fitting(_merged(base.secret.metadata, now, wanted.metadata))


def _merged(before: Mapping[str, str], now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """`now` with what turns `before` into `wanted`. Others write theirs after their data, so
    no version tells that it changed since `before` was read."""
    kept = {key: value for key, value in now.items() if key not in before or key in wanted}
    return {**kept, **{key: value for key, value in wanted.items() if before.get(key) != value}}
