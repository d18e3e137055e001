"""A KV secrets engine as a `Store`: puts the parts together."""

from collections.abc import AsyncIterator, Callable

from store_plugin.errors import StorePluginError
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores.vault.adapter import VaultAdapter
from stores.vault.checking import check
from stores.vault.checking.advice import advised
from stores.vault.http.transport import Transport
from stores.vault.kv.engine import KeyValue
from stores.vault.session.session import Session
from stores.vault.spec import VaultSpec


class VaultStore:
    """One mount of one server."""

    def __init__(
        self,
        spec: VaultSpec,
        key_value: KeyValue,
        adapter: VaultAdapter,
        session: Session,
        transport: Transport | None,
        unsubscribe: Callable[[], None],
    ) -> None:
        """`transport` is closed with the store; None: it is somebody else's."""
        self._spec = spec
        self._kv = key_value
        self._adapter = adapter
        self._session = session
        self._transport = transport
        self._unsubscribe = unsubscribe
        self._place = place_of(spec)
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self._kv.capabilities

    def location(self, name: ScopedName) -> str:
        return f"{self._place}{self._kv.path(name)}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._kv.read(name, version)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._kv.write(name, secret, base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._kv.delete(name)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        return self._kv.names(scope)

    async def check(self) -> list[str]:
        """Log in, look at the mount, and ask what the policies allow. Errors say what to do.

        ConfigInvalid where the mount is no KV engine of the configured version, StoreDenied
        where the policies lack what apply and delete need.
        """
        try:
            return await check(self._spec, self._kv, self._adapter)
        except StorePluginError as error:
            raise advised(error, self._spec) from None

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        await self._session.aclose()
        if self._transport:
            await self._transport.aclose()


def place_of(spec: VaultSpec) -> str:
    """What the locations of a config's secrets begin with."""
    # A namespace is as well given in front of the mount's path: the same place.
    mount = "/".join(filter(None, (spec.namespace, spec.mount_path)))
    return f"vault:{spec.server}|{mount}/"
