"""A kind of store that tests bring along as a plugin: secrets in memory, by shelf."""

from typing import Annotated

from pydantic import Field

from store_plugin.errors import ConfigInvalid
from store_plugin.plugin import Plugin
from store_plugin.spec import CredentialReference, StoreSpec
from store_plugin.store import Capabilities, Environment, Store
from store_plugin.testing.memory import DEFAULT_CAPABILITIES, MemoryData, MemoryStore

API_VERSION, KIND = "tests.example.org/v1", "ShelfConfig"


class ShelfSpec(StoreSpec):
    """A shelf, and the token to open it with."""

    shelf: Annotated[str, Field(min_length=1, max_length=20)]
    token: CredentialReference | None = None


class ShelfFactory:
    """Shelves of one service; instances that share it are replicas."""

    spec_model = ShelfSpec

    def __init__(self, capabilities: Capabilities = DEFAULT_CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.shelves: dict[str, MemoryData] = {}
        self.opened: list[tuple[str, bytes]] = []
        self.closed = 0

    async def open(self, spec: ShelfSpec, environment: Environment) -> Store:
        token = environment.credentials.get("token") if environment.credentials.has("token") else b""
        if token == b"wrong":
            raise ConfigInvalid("the token does not open the shelf")
        self.opened.append((spec.shelf, token))
        data = self.shelves.setdefault(spec.shelf, MemoryData(f"shelf-{spec.shelf}"))
        factory = self

        class Shelf(MemoryStore):
            async def aclose(self) -> None:
                factory.closed += 1

        return Shelf(data, self.capabilities)


def shelf_plugin(factory: ShelfFactory, name: str = "shelves", **options: str) -> Plugin:
    """A plugin that serves ShelfConfig."""
    plugin = Plugin(name, "1.0", **options)
    plugin.serve_store(factory, api_version=API_VERSION, kind=KIND)
    return plugin
