"""A service of AWS as a `Store`: one of the two, and the client they both need."""

from collections.abc import AsyncIterator, Callable

from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from stores.aws.access.clients import SharedClient
from stores.aws.service import Service
from stores.aws.spec import AWSSpec


class AWSStore:
    """Secrets Manager or Parameter Store in one region, below a prefix."""

    def __init__(
        self, spec: AWSSpec, service: Service, client: SharedClient, unsubscribe: Callable[[], None]
    ) -> None:
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
        return await self._service.check()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        await self._service.aclose()
        self._client.close()
