"""Members of the fleet for stores that keep their secrets there: by the name of a ClusterProfile.

The profiles are in one cluster, which is connected to when the first of them is asked for.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from store_plugin.access.config import AccessConfig
from store_plugin.access.execution.runner import OnOutput
from store_plugin.access.fleet import find_object
from store_plugin.access.profiles import KIND
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import ConfigInvalid
from store_plugin.store import MemberCluster

Connect = Callable[[], AbstractAsyncContextManager[ApiClient]]
"""Opens the cluster that holds the profiles."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How members are logged in to, and where their profiles are, as a command line says it."""

    access_config: Path
    """The file with the providers of credentials."""
    require_digest: bool = False
    trusted_keys: Path | None = None
    kubeconfig: Path | None = None
    """Of the cluster with the profiles; None: the one that this Pod runs in."""
    context: str | None = None


class FleetMembers:
    """A `store_plugin.store.Fleet`. Belongs to one event loop; close it."""

    def __init__(self, access: AccessConfig, connect: Connect) -> None:
        self._access = access
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._cluster: ClusterApi | None = None

    @classmethod
    def of(cls, options: FleetOptions, on_output: OnOutput | None = None) -> Self:
        """ConfigInvalid where the access config cannot be used. Blocking."""
        from store_plugin.cluster import connected

        access = AccessConfig.from_file(
            options.access_config,
            require_digest=options.require_digest,
            trusted_keys=options.trusted_keys,
            on_output=on_output,
        )
        return cls(access, partial(connected, options.kubeconfig, options.context))

    def look(self) -> str:
        """What is wrong with the access config now; empty: nothing. The one that was read before is
        in force then. Blocking: it is looked at."""
        _ = self._access.providers
        return self._access.problem

    async def member(self, namespace: str, name: str) -> MemberCluster:
        """As the profile says now. What the lookup raises; ConfigInvalid for a profile that is
        not there, or that no provider serves."""
        cluster = await self._connected()
        found = await find_object(cluster, namespace, name)
        if found is None:
            raise ConfigInvalid(
                f"there is no {KIND} {namespace}/{name} where the sidecar looks for it, or no CRD of it"
            )
        member = self._access.member(found)
        # The key is that of the login alone, which may not tell the cluster.
        return MemberCluster((member.key, member.access), partial(self._access.connect_aio, found))

    async def aclose(self) -> None:
        """Look up no more; members that are connected stay so."""
        await self._stack.aclose()
        self._access.close()

    async def _connected(self) -> ClusterApi:
        async with self._connecting:
            if self._cluster is None:
                self._cluster = ClusterApi(await self._stack.enter_async_context(self._connect()))
            return self._cluster
