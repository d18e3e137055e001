"""A KV secrets engine as a `Store`: puts the parts together and says how to check them."""

from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from hvac.api.system_backend import Capabilities as CapabilitiesApi

from store_plugin.errors import ConfigInvalid, StoreDenied
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores.vault.adapter import VaultAdapter
from stores.vault.answer import Answer
from stores.vault.kv import KeyValue
from stores.vault.session import Session
from stores.vault.spec import VaultSpec
from stores.vault.transport import Transport

_SAMPLE = "store-plugin/check"
_ANY = frozenset({"root", "sudo"})


class VaultStore:
    """One mount of one server."""

    def __init__(
        self,
        spec: VaultSpec,
        key_value: KeyValue,
        adapter: VaultAdapter,
        session: Session,
        transport: Transport,
        unsubscribe: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._kv = key_value
        self._adapter = adapter
        self._session = session
        self._transport = transport
        self._unsubscribe = unsubscribe
        self._place = f"vault:{spec.server}|{spec.namespace}|{spec.mount_path}|"
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self._kv.capabilities

    def location(self, name: ScopedName) -> str:
        return f"{self._place}{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._kv.read(name, version)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._kv.write(name, secret, base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._kv.delete(name)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        return self._kv.names(scope)

    async def check(self) -> list[str]:
        """Log in, look at the mount, and ask what the policies allow.

        ConfigInvalid where the mount is no KV engine of the configured version, StoreDenied
        where the policies give nothing below it.
        """
        await self._check_mount()
        return [*self._kv.warnings, *await self._missing_rights()]

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        await self._session.aclose()
        await self._transport.aclose()

    async def _check_mount(self) -> None:
        mount = self._spec.mount_path
        answer: Answer = await self._adapter.get(f"/v1/sys/internal/ui/mounts/{quote(mount)}")
        data = answer.json().get("data") or {}
        kind, options = data.get("type"), data.get("options") or {}
        if kind not in ("kv", "generic"):
            raise ConfigInvalid(f"the secrets engine mounted at {mount}/ is {kind!r}, not kv")
        found = f"v{options.get('version') or '1'}"
        if found != self._spec.version:
            raise ConfigInvalid(
                f"KV at {mount}/ is version {found}, and the config says {self._spec.version}: set version"
            )

    async def _missing_rights(self) -> list[str]:
        """Warnings about rights that a sample path has only in part. Where it has none, the
        policies may be about other paths: then there is nothing to say."""
        needed = self._kv.needed(_SAMPLE)
        try:
            answer: Answer = await CapabilitiesApi(self._adapter).get_capabilities(list(needed))
        except StoreDenied:
            return []
        given = answer.json().get("data") or {}
        missing = {path: rights - _rights(given.get(path)) for path, rights in needed.items()}
        if all(missing[path] == rights for path, rights in needed.items()):
            return []
        return [
            f"the policies do not allow {', '.join(sorted(rights))} on {path}"
            for path, rights in missing.items()
            if rights
        ]


def _rights(given: object) -> frozenset[str]:
    rights = frozenset(map(str, given)) if isinstance(given, list) else frozenset()
    return rights | {"create", "read", "update", "delete"} if rights & _ANY else rights
