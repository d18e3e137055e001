"""Writes what lies beside a secret's versions: `custom_metadata`, and how many versions stay.

Only what differs is sent, where the server and the policy allow that; otherwise the whole
map, over whatever somebody else has put there meanwhile.
"""

from collections.abc import Mapping

from hvac.api.secrets_engines import KvV2
from hvac.utils import format_url

from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName
from stores.vault.adapter import VaultAdapter
from stores.vault.http.answer import Answer
from stores.vault.kv import marks

_CANNOT_PATCH = frozenset({403, 404, 405, 415, 501})
"""Without the capability, or from a server or proxy that does not know the method."""


class MetadataWriter:
    """The metadata of secrets at one mount. `max_versions` goes along with every change;
    None leaves that setting to others."""

    def __init__(self, adapter: VaultAdapter, mount: str, max_versions: int | None) -> None:
        self._adapter = adapter
        self._api = KvV2(adapter)
        self._mount = mount
        self._max_versions = max_versions
        self._patching = True

    async def change(self, path: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Turn the entries `before` into `after`; the same: no request."""
        if after != before:
            await self._send(path, before, after)

    async def settle(self, path: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """As `change`, for a secret just created, which has no settings yet."""
        if after != before or self._max_versions is not None:
            await self._send(path, before, after)

    async def _send(self, path: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        if self._patching and await self._patched(path, before, after):
            return
        await self._api.update_metadata(
            path,
            max_versions=self._max_versions,
            # Its default would set this field to 0s, whatever somebody has set it to.
            delete_version_after=None,
            custom_metadata=dict(after),
            mount_point=self._mount,
        )
        # Not sooner: where this is denied too, patching may be allowed as soon as the rest is.
        self._patching = False

    async def _patched(self, path: str, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
        """Whether the server took the change. A secret that is gone needs none."""
        url = format_url("/v1/{mount}/metadata/{path}", mount=self._mount, path=path)
        answer = await self._adapter.patch(url, self._patch(before, after))
        if answer.ok or _is_gone(answer):
            return True
        if answer.status in _CANNOT_PATCH:
            return False
        raise answer.error()

    def _patch(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, object]:
        changes: dict[str, str | None] = dict.fromkeys(before.keys() - after.keys())
        changes.update({key: value for key, value in after.items() if before.get(key) != value})
        patch: dict[str, object] = {"custom_metadata": changes} if changes else {}
        return patch if self._max_versions is None else {**patch, "max_versions": self._max_versions}


def check_metadata(name: ScopedName, metadata: Mapping[str, str]) -> None:
    """InvalidRequest for what cannot be stored, before the data is written."""
    for key, value in metadata.items():
        if key in marks.MARKS:
            raise InvalidRequest(f"metadata entry {key!r} of secret {name} is reserved")
        if not value or not (key + value).isprintable():
            raise InvalidRequest(
                f"metadata entry {key!r} of secret {name} is empty or not printable: KV version 2 refuses it"
            )


def _is_gone(answer: Answer) -> bool:
    """Whether the secret was removed meanwhile: a 404 that complains about nothing."""
    return answer.status == 404 and answer.body.translate(None, b" \r\n\t") in (b"", b'{"errors":[]}')
