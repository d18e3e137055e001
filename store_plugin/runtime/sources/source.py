"""Where StoreConfigs come from: the choice of whoever makes a manager."""

from collections.abc import Awaitable, Iterable
from typing import Protocol

from store_plugin.errors import ConfigInvalid, ConfigNotFound
from store_plugin.runtime import _failures
from store_plugin.runtime.store_config import KIND, StoreConfig


class StoreConfigSource(Protocol):
    """For managers of threads."""

    def get(self, name: str) -> StoreConfig:
        """The StoreConfig of that name, as it is now. ConfigNotFound, ConfigInvalid."""
        ...


class AsyncStoreConfigSource(Protocol):
    """For managers of asyncio: one that has to ask is awaited, one that knows is not."""

    def get(self, name: str) -> StoreConfig | Awaitable[StoreConfig]:
        """The StoreConfig of that name, as it is now. ConfigNotFound, ConfigInvalid."""
        ...


class StaticStoreConfigs:
    """StoreConfigs that are there from the beginning."""

    def __init__(self, configs: Iterable[StoreConfig]) -> None:
        self._configs = {config.name: config for config in configs}

    def get(self, name: str) -> StoreConfig:
        try:
            return self._configs[name]
        except KeyError:
            raise not_found(name) from None


class NoStoreConfigs:
    """For operators that let their users turn external secret stores off: an owner that
    publishes all the same is told so with ConfigInvalid."""

    def get(self, name: str) -> StoreConfig:
        raise ConfigInvalid(_failures.DISABLED)


def not_found(name: str) -> ConfigNotFound:
    """The error for a name that no StoreConfig has."""
    return ConfigNotFound(f'there is no {KIND} "{name}"', metadata={"store_config": name})
