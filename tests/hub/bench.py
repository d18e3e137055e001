"""A hub in this process whose plugins may bring kinds, and stores of those kinds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.peer import Peer
from store_plugin.hub.registry import Registry
from store_plugin.hub.store_kinds.kinds import Kinds
from store_plugin.store import Store
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from tests.hub.conftest import running_hub
from tests.hub.shelf import API_VERSION, KIND


@dataclass
class Bench:
    """A hub with the kinds of its plugins, and where to dial it."""

    hub: Hub
    kinds: Kinds
    endpoint: str

    async def open(
        self,
        spec: dict[str, Any],
        credentials: dict[str, bytes] | None = None,
        served: tuple[str, str] = (API_VERSION, KIND),
    ) -> Store:
        """A store of a kind that a plugin has brought."""
        factory: Any = self.kinds[served].load()
        environment = memory_environment(MemoryCredentials(credentials), config=f"{served[1]}/test")
        return await factory.open(factory.spec_model.model_validate(spec), environment)


@asynccontextmanager
async def hub_bench(endpoint: str) -> AsyncIterator[Bench]:
    registry = Registry()
    kinds = Kinds({}, registry, ("*.example.org",))

    def admit(peer: Peer) -> None:
        kinds.check(peer)
        kinds.take(peer)

    listener = HubListener(Endpoint.parse(endpoint), anyone, any_name)
    hub = Hub([listener], structlog.get_logger(), registry=registry, admit=admit)
    async with running_hub(hub, endpoint):
        yield Bench(hub, kinds, endpoint)
