"""KV version 2: versions, compare-and-set, soft deletion, metadata of its own.

The data is written first and names the version it is based on, so that of two writers one
wins; the metadata follows, where it changed, entry by entry, so that neither loses one. Over
a tombstone a mark goes ahead of both (docs/decisions/0009-half-finished-creates.md).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from hvac.api.secrets_engines import KvV2
from hvac.utils import format_url

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
from stores.vault import errors, marks
from stores.vault.adapter import RawJson, VaultAdapter
from stores.vault.answer import Answer
from stores.vault.kv import data_of, document_in, values_in, walk

_PLACE = ("data", "data")
_LIMITS = Limits(metadata_entries=marks.MOST_ENTRIES, metadata_key_bytes=128, metadata_value_bytes=512)
_CANNOT_PATCH = frozenset({403, 404, 405, 415, 501})
"""Without the capability, or from a server or proxy that does not know the method."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the server holds beside the secret itself; travels as `StoredSecret.raw`."""

    answer: Answer | None = None
    """Of the read; None for a tombstone or an empty secret, which hold no document."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All of it: marks, and the entries of a dead secret, too."""
    replaced: bool = False
    """Whether the entries are those of a dead secret, which the next ones replace."""

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
    why_useful = "without patch, metadata that others write at the same moment may be lost"

    def __init__(self, adapter: VaultAdapter, mount: str) -> None:
        self._adapter = adapter
        self._api = KvV2(adapter)
        self._mount = mount
        self._data_url = f"/v1/{quote(mount)}/data/"
        self._patching = True

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        number = None if version is None else _number(name, version)
        stored = _stored(await self._get(str(name), number), str(name))
        if version and stored is ABSENT:
            raise VersionNotFound(f"secret {name} has no version {version}")
        return stored

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version:
        _check_metadata(name, secret.metadata)
        held = base.raw if isinstance(base.raw, _Held) else _Held()
        await self._change_metadata(name, held.metadata, _ahead(base, held, secret))
        answer: Answer = await self._api.create_or_update_secret(
            str(name),
            RawJson(document.encode(secret.data, held.base_document(str(name)))),
            cas=int(base.version or 0),
            mount_point=self._mount,
        )
        written = _written(answer)
        version = Version(str(written["version"]))
        before = _texts(written.get("custom_metadata")) if "custom_metadata" in written else held.metadata
        await self._change_metadata(name, before, _after(base, held, before, secret, version))
        return version

    async def _get(self, path: str, number: int | None) -> Answer:
        """As hvac's `read_secret_version`, which quotes and formats the mount again each time."""
        query = None if number is None else {"version": number}
        return await self._adapter.request("GET", self._data_url + quote(path), params=query)

    async def _change_metadata(
        self, name: ScopedName, before: Mapping[str, str], after: Mapping[str, str]
    ) -> None:
        """Only what differs, where the server and the policy allow that; otherwise the whole
        map, over whatever somebody else has put there meanwhile."""
        if after == before or (self._patching and await self._patched(name, before, after)):
            return
        await self._api.update_metadata(
            str(name),
            # Its default would set this field to 0s, whatever somebody has set it to.
            delete_version_after=None,
            custom_metadata=dict(after),
            mount_point=self._mount,
        )
        # Not sooner: where this is denied too, patching may be allowed as soon as the rest is.
        self._patching = False

    async def _patched(self, name: ScopedName, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
        """Whether the server took the change. A secret that is gone needs none."""
        changes: dict[str, str | None] = dict.fromkeys(before.keys() - after.keys())
        changes.update({key: value for key, value in after.items() if before.get(key) != value})
        url = format_url("/v1/{mount}/metadata/{path}", mount=self._mount, path=str(name))
        answer = await self._adapter.patch(url, {"custom_metadata": changes})
        if answer.ok or _is_gone(answer):
            return True
        if answer.status in _CANNOT_PATCH:
            return False
        raise answer.error()

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
            f"{self._mount}/metadata/{path}": frozenset({"update", "delete"}),
        }

    def useful(self, path: str) -> Mapping[str, frozenset[str]]:
        return {f"{self._mount}/metadata/{path}": frozenset({"patch"})}


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
    entries, version = _texts(about.get("custom_metadata")), Version(str(about.get("version")))
    if not answer.ok:
        return StoredSecret(Presence.TOMBSTONE, version=version, raw=_Held(None, entries, replaced=True))
    replaced = marks.of_the_past(entries, version)
    metadata = {} if replaced else marks.shown(entries)
    unfinished = replaced or (version == "1" and not metadata)
    # Nothing but null is what `{"data": null}` wrote: a secret without keys.
    values = values_in(answer, _PLACE, found, name) if isinstance(found, dict) else {}
    return StoredSecret(
        Presence.PRESENT,
        Secret(values, metadata),
        version,
        _Held(answer if isinstance(found, dict) else None, entries, replaced),
        age_of(about.get("created_time"), answer.date) if unfinished else None,
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


def _ahead(base: StoredSecret, held: _Held, wanted: Secret) -> Mapping[str, str]:
    """The metadata that the new data must find. Over a tombstone: the mark, so that nobody
    takes the entries of the dead secret for those of the new one. None of either, no mark."""
    version = base.version or "0"
    if base.present:
        return held.metadata if held.replaced else marks.without_early_mark(held.metadata, version)
    if held.replaced and (wanted.metadata or marks.shown(held.metadata)):
        return marks.announced(held.metadata, int(version) + 1)
    return held.metadata


def _after(
    base: StoredSecret, held: _Held, now: Mapping[str, str], wanted: Secret, version: Version
) -> Mapping[str, str]:
    """The metadata to be, once `version` is written and the server holds `now`."""
    if held.replaced:
        # To a present secret without metadata its creator may still add some: the mark stays.
        nothing = not wanted.metadata and (base.present or not marks.shown(held.metadata))
        return now if nothing else marks.finished(wanted.metadata, version)
    if not base.present:
        return wanted.metadata
    return marks.fitting(_merged(base.secret.metadata, now, wanted.metadata))


def _merged(before: Mapping[str, str], now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """`now` with what turns `before` into `wanted`. Others write theirs after their data, so
    no version tells that it changed since `before` was read."""
    kept = {key: value for key, value in now.items() if key not in before or key in wanted}
    return {**kept, **{key: value for key, value in wanted.items() if before.get(key) != value}}


def _is_gone(answer: Answer) -> bool:
    """Whether the secret was removed meanwhile: a 404 that complains about nothing."""
    return answer.status == 404 and answer.body.translate(None, b" \r\n\t") in (b"", b'{"errors":[]}')


def _check_metadata(name: ScopedName, metadata: Mapping[str, str]) -> None:
    """InvalidRequest for what cannot be stored, before the data is written."""
    for key, value in metadata.items():
        if key in marks.MARKS:
            raise InvalidRequest(f"metadata entry {key!r} of secret {name} is reserved")
        if not value or not (key + value).isprintable():
            raise InvalidRequest(
                f"metadata entry {key!r} of secret {name} is empty or not printable: KV version 2 refuses it"
            )
