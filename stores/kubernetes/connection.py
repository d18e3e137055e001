"""The connection of one store: made with its first use, renewed when its kubeconfig changes.

Calls under way finish on the old one; the last of them closes it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from store_plugin.errors import StoreUnavailable
from store_plugin.store import Environment
from stores.kubernetes.api import Api
from stores.kubernetes.kubeconfig import other_cluster, own_cluster
from stores.kubernetes.spec import KubernetesSpec

_KUBECONFIG = "kubeconfig"


@dataclass(slots=True, eq=False)
class _Used:
    """A client, and how many calls use it now."""

    api: Api
    calls: int = 0


class Connection:
    """ConfigInvalid, when made and when renewed, for a kubeconfig that cannot be used."""

    def __init__(self, spec: KubernetesSpec, environment: Environment) -> None:
        self._spec = spec
        self._environment = environment
        self._closed = False
        self._current: _Used | None = self._connect()
        self._outdated: list[_Used] = []
        # A changed kubeconfig is read by the next call.
        self._unsubscribe = environment.credentials.subscribe(self._retire)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """The API server, for one call."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        used = self._current = self._current or self._connect()
        used.calls += 1
        try:
            yield used.api
        finally:
            used.calls -= 1
            await self._close_outdated()

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        if not self._closed:
            self._closed = True
            self._unsubscribe()
            self._retire()
        while self._outdated:
            await self._outdated.pop().api.aclose()

    def _connect(self) -> _Used:
        if self._environment.credentials.has(_KUBECONFIG):
            client = other_cluster(self._environment.credentials.get(_KUBECONFIG), self._spec.context)
        else:
            client = own_cluster()
        self.server = client.configuration.host
        """Address of the API server."""
        return _Used(Api(client, self._spec.timeout))

    def _retire(self) -> None:
        if self._current is not None:
            self._outdated.append(self._current)
            self._current = None

    async def _close_outdated(self) -> None:
        for used in [used for used in self._outdated if not used.calls]:
            self._outdated.remove(used)
            await used.api.aclose()
