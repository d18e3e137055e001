"""A store whose every scope logs in as a role of its own, so that the server's policies keep
tenants apart: the sidecar holds no token that could read more than one of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from store_plugin.errors import LoginRefused, StorePluginError
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores.vault import errors
from stores.vault.adapter import VaultAdapter, base_headers
from stores.vault.http.answer import Answer
from stores.vault.http.transport import Transport
from stores.vault.kv.engine import KeyValue
from stores.vault.scope import scope_in, scope_of
from stores.vault.store import VaultStore
from stores.vault.tenants.logins import Logins

T = TypeVar("T")

_UNKNOWN = (
    "the role of the login holds {scope}: the login, the mount and the rights were not looked at, for no "
    "scope is known here; name some in access"
)


class TenantsStore:
    """One mount of one server, by as many logins as there are scopes in use."""

    def __init__(
        self,
        key_value: KeyValue,
        place: str,
        logins: Logins,
        transport: Transport,
        scopes: Sequence[str],
        unsubscribe: Callable[[], None],
    ) -> None:
        self._kv = key_value
        self._place = place
        self._logins = logins
        self._transport = transport
        self._scopes = scopes
        self._unsubscribe = unsubscribe

    @property
    def capabilities(self) -> Capabilities:
        return self._kv.capabilities

    def location(self, name: ScopedName) -> str:
        return f"{self._place}{self._kv.path(name)}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._as(scope_of(name), lambda store: store.read(name, version))

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._as(scope_of(name), lambda store: store.write(name, secret, base=base))

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._as(scope_of(name), lambda store: store.delete(name, base=base))

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """Those of one scope. InvalidRequest where none is named."""
        with self._logins.use(scope_in(scope)) as store:
            async for name in store.names(scope):
                yield name

    async def check(self) -> list[str]:
        """As `VaultStore.check`, for each scope that the access rules name; where they name
        none, whether the server answers."""
        if not self._scopes:
            await self._check_server()
            return [*self._kv.warnings, _UNKNOWN]
        found: dict[str, None] = {}
        for scope in self._scopes:
            found |= dict.fromkeys(await self._as(scope, lambda store: store.check()))
        return list(found)

    async def aclose(self) -> None:
        self._unsubscribe()
        await self._logins.aclose()
        await self._transport.aclose()

    async def _as(self, scope: str, call: Callable[[VaultStore], Awaitable[T]]) -> T:
        with self._logins.use(scope) as store:
            try:
                return await call(store)
            except LoginRefused as error:
                raise _named(error, scope) from None

    async def _check_server(self) -> None:
        answer: Answer = await VaultAdapter(self._transport, base_headers("")).get("/v1/sys/seal-status")
        if answer.json().get("sealed"):
            raise errors.from_status(503, ["Vault is sealed"], answer.where)


def _named(error: LoginRefused, scope: str) -> StorePluginError:
    """Which of the logins it was."""
    said = f"scope {scope}: {error.message}"
    return LoginRefused(said, metadata=error.metadata, retry_after=error.retry_after)
