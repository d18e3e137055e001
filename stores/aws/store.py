"""A service of AWS as a `Store`: one of the two, and the client they both need."""

from collections.abc import AsyncIterator, Callable

from store_plugin.errors import StorePluginError
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores.aws.access.clients import SharedClient
from stores.aws.checking import check
from stores.aws.checking.advice import advised
from stores.aws.service import Service
from stores.aws.spec import AWSSpec


class AWSStore:
    """Secrets Manager or Parameter Store in one region, below a prefix."""

    def __init__(
        self,
        spec: AWSSpec,
        service: Service,
        client: SharedClient,
        config: str,
        unsubscribe: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._config = config
        self._service = service
        self._client = client
        self._unsubscribe = unsubscribe
        prefix = f"{spec.prefix}/" if spec.prefix else ""
        self._place = f"aws:{spec.service}|{spec.region}|{prefix}"
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self._service.capabilities

    def location(self, name: ScopedName) -> str:
        """Of two accounts and of all endpoints in a region the same: writers who would not
        meet queue for nothing then."""
        return f"{self._place}{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._service.read(name, version)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._service.write(name, secret, base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._service.delete(name, base)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        return self._service.names(scope)

    async def check(self) -> list[str]:
        """Find out what is wrong, without a write. Errors say what to do."""
        try:
            return await check(self._spec, self._service, self._client, self._config)
        except StorePluginError as error:
            raise advised(error, self._spec) from None

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        await self._service.aclose()
        self._client.close()
