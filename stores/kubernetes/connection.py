"""The connection of one store: made with its first use, renewed when its kubeconfig changes, or
what a ClusterProfile says of its cluster.

Calls under way finish on the old one; the last of them closes it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kubernetes.aio.client import ApiClient

from store_plugin.errors import ConfigInvalid, StoreUnavailable
from store_plugin.store import Environment
from stores.kubernetes.api import Api
from stores.kubernetes.kubeconfig import other_cluster, own_cluster
from stores.kubernetes.profile import FollowedProfile
from stores.kubernetes.spec import KubernetesSpec

_KUBECONFIG = "kubeconfig"


@dataclass(slots=True, eq=False)
class _Used:
    """A client, and how many calls use it now."""

    api: Api
    calls: int = 0


class Connection:
    """ConfigInvalid, when made and when renewed, for a kubeconfig or a ClusterProfile that cannot
    be used."""

    def __init__(self, spec: KubernetesSpec, environment: Environment) -> None:
        self._spec = spec
        self._environment = environment
        self._closed = False
        self._outdated: list[_Used] = []
        self._profile = FollowedProfile.of(spec, environment)
        self._identity: object = None
        self._refused: tuple[bytes, str] | None = None
        """A kubeconfig, and what is wrong with it."""
        self._current: _Used | None = None if self._profile else self._connect()
        # A changed kubeconfig is read by the next call.
        self._unsubscribe = environment.credentials.subscribe(self._retire)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """The API server, for one call."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        used = await self._member(self._profile) if self._profile else self._current or self._connect()
        self._current = used
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

    @property
    def server(self) -> str:
        """Which API server it is, in words that are its own."""
        return str(self._profile or self._server)

    async def _member(self, profile: FollowedProfile) -> _Used:
        """The member's connection; another one where its profile says something else now."""
        member = await profile.cluster()
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._current is None or member.identity != self._identity:
            used = _Used(Api(member.connect(), self._spec.timeout))
            self._retire()
            self._identity = member.identity
            return used
        return self._current

    def _connect(self) -> _Used:
        if self._environment.credentials.has(_KUBECONFIG):
            client = self._other(self._environment.credentials.get(_KUBECONFIG))
        else:
            client = own_cluster()
        self._server = client.configuration.host
        return _Used(Api(client, self._spec.timeout))

    def _other(self, kubeconfig: bytes) -> ApiClient:
        """One that was refused is not read again for each call: that takes a while."""
        if self._refused is not None and self._refused[0] == kubeconfig:
            raise ConfigInvalid(self._refused[1])
        try:
            return other_cluster(kubeconfig, self._spec.context)
        except ConfigInvalid as error:
            self._refused = kubeconfig, error.message
            raise

    def _retire(self) -> None:
        if self._current is not None:
            self._outdated.append(self._current)
            self._current = None

    async def _close_outdated(self) -> None:
        for used in [used for used in self._outdated if not used.calls]:
            self._outdated.remove(used)
            await used.api.aclose()
