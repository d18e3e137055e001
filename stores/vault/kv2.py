"""KV version 2: versions, compare-and-set, soft deletion, metadata of its own.

The data is written first and names the version it is based on, so that of two writers one
wins; the metadata follows, where it changed (docs/semantics.md, "Documents").
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from hvac.api.secrets_engines import KvV2

from store_plugin.errors import ConfigInvalid, InvalidRequest, VersionNotFound
from store_plugin.model import (
    ABSENT,
    Presence,
    ScopedName,
    Secret,
    StoredSecret,
    Version,
)
from store_plugin.store import Capabilities, Limits
from stores import _document as document
from stores.vault import errors
from stores.vault.adapter import RawJson, VaultAdapter
from stores.vault.answer import Answer
from stores.vault.kv import data_of, document_in, values_in, walk

_PLACE = ("data", "data")
_LIMITS = Limits(metadata_entries=64, metadata_key_bytes=128, metadata_value_bytes=512)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the server holds beside the secret itself; travels as `StoredSecret.raw`."""

    answer: Answer | None = None
    """Of the read; None for a tombstone or an empty secret, which hold no document."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Also that of a tombstone, which is not the secret's any more."""

    def base_document(self, of: str) -> document.Document:
        return document_in(self.answer, _PLACE, of) if self.answer else document.EMPTY


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

    def __init__(self, adapter: VaultAdapter, mount: str) -> None:
        self._api = KvV2(adapter)
        self._mount = mount

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        number = None if version is None else _number(name, version)
        stored = _stored(await self._get(str(name), number), str(name))
        if version and stored is ABSENT:
            raise VersionNotFound(f"secret {name} has no version {version}")
        return stored

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version:
        _check_metadata(name, secret.metadata)
        held = base.raw if isinstance(base.raw, _Held) else _Held()
        answer: Answer = await self._api.create_or_update_secret(
            str(name),
            RawJson(document.encode(secret.data, held.base_document(str(name)))),
            cas=int(base.version or 0),
            mount_point=self._mount,
        )
        written = _written(answer)
        before = _texts(written.get("custom_metadata")) if "custom_metadata" in written else held.metadata
        await self._write_metadata(name, before, _merged(base, before, secret.metadata))
        return Version(str(written["version"]))

    async def _get(self, path: str, number: int | None) -> Answer:
        answer: Answer = await self._api.read_secret_version(
            path, version=number, mount_point=self._mount, raise_on_deleted_version=False
        )
        return answer

    async def _write_metadata(
        self, name: ScopedName, before: Mapping[str, str], after: Mapping[str, str]
    ) -> None:
        if after == before:
            return
        await self._api.update_metadata(
            str(name),
            # Its default would set this field to 0s, whatever somebody has set it to.
            delete_version_after=None,
            custom_metadata=dict(after),
            mount_point=self._mount,
        )

    async def delete(self, name: ScopedName) -> None:
        await self._api.delete_metadata_and_all_versions(str(name), mount_point=self._mount)

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        """One request per folder and per secret: the listing does not tell which are deleted."""
        async for name in walk(lambda folder: self._api.list_secrets(folder, mount_point=self._mount), scope):
            if (await self._get(str(name), None)).ok:
                yield name

    def needed(self, path: str) -> Mapping[str, frozenset[str]]:
        return {
            f"{self._mount}/data/{path}": frozenset({"create", "read", "update"}),
            f"{self._mount}/metadata/{path}": frozenset({"create", "update", "delete"}),
        }


def _number(name: ScopedName, version: Version) -> int:
    """A version as the server counts them: from 1; its 0 means the latest."""
    if version.isascii() and version.isdigit() and len(version) < 19 and int(version) > 0:
        return int(version)
    raise VersionNotFound(f"secret {name} has no version {version[:20]!r}")


def _stored(answer: Answer, name: str) -> StoredSecret:
    """A secret; a tombstone where the version asked for is deleted or destroyed."""
    data = data_of(answer)
    if data is None:
        return ABSENT
    about, found = data.get("metadata"), data.get("data")
    if not isinstance(about, dict) or "data" not in data:
        raise ConfigInvalid(f"{answer.where}: what is mounted there is not KV version 2")
    metadata, version = _texts(about.get("custom_metadata")), Version(str(about.get("version")))
    if not answer.ok:
        return StoredSecret(Presence.TOMBSTONE, version=version, raw=_Held(metadata=metadata))
    # Nothing but null is what `{"data": null}` wrote: a secret without keys.
    values = values_in(answer, _PLACE, found, name) if isinstance(found, dict) else {}
    return StoredSecret(
        Presence.PRESENT,
        Secret(values, metadata),
        version,
        _Held(answer if isinstance(found, dict) else None, metadata),
        age_of(about.get("created_time"), answer.date) if version == "1" and not metadata else None,
    )


def age_of(created: object, date: str | None) -> float | None:
    """Seconds from `created` to the answer, both by the server's clock; None where it does
    not tell."""
    try:
        age = parsedate_to_datetime(date or "") - datetime.fromisoformat(str(created))
    except (TypeError, ValueError):
        return None
    return max(0.0, age.total_seconds())


def _written(answer: Answer) -> dict[str, object]:
    """`data` of the answer to a write. KV version 1 answers without a body."""
    if answer.status == 204:
        raise ConfigInvalid(f"{answer.where}: what is mounted there is not KV version 2")
    data = answer.json().get("data")
    if not answer.ok or not isinstance(data, dict) or "version" not in data:
        raise errors.not_vault(answer.where)
    return data


def _texts(metadata: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}


def _merged(base: StoredSecret, now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The metadata to be: `now` with what turns that of `base` into `wanted`. Others write
    theirs after their data, so no version tells that it changed since `base` was read."""
    if not base.present:
        return dict(wanted)
    before = base.secret.metadata
    kept = {key: value for key, value in now.items() if key not in before or key in wanted}
    return {**kept, **{key: value for key, value in wanted.items() if before.get(key) != value}}


def _check_metadata(name: ScopedName, metadata: Mapping[str, str]) -> None:
    """InvalidRequest for what the server would refuse, before the data is written."""
    for key, value in metadata.items():
        if not value or not (key + value).isprintable():
            raise InvalidRequest(
                f"metadata entry {key!r} of secret {name} is empty or not printable: KV version 2 refuses it"
            )
