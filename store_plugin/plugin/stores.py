"""The stores that a plugin has open: one for each content that a config comes with.

Hubs and their replicas send the whole config with each request and know nothing of each
other, so a store is found by what its config says, not by a number of theirs. A config that
changed, or a credential that rotated, is another store; the old one is closed once nobody has
used it for a while.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_bytes

from pydantic import ValidationError

from store_plugin._proto import backend_pb2 as proto
from store_plugin.errors import ConfigInvalid, KindNotServed, StoreUnavailable
from store_plugin.log import Logger
from store_plugin.store import Environment, Store, StoreFactory
from store_plugin.stream.exits import contained

MOST_STORES = 256
"""Open at a time; of more the one used longest ago is closed."""
OPEN_SECONDS = 120.0
"""For opening one; callers have deadlines of their own."""
CLOSE_SECONDS = 10.0
"""For closing one, also one that has not opened yet: then nobody needs it any more."""
IDLE_SECONDS = 300.0
"""A store that nobody has used for so long is closed."""


class GivenCredentials:
    """The values that came with a config. They never change: others make another store."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self._values = values

    def get(self, path: str) -> bytes:
        """ConfigInvalid where it did not come."""
        if path not in self._values:
            raise ConfigInvalid(f"the credential {path} did not come with the config")
        return self._values[path]

    def has(self, path: str) -> bool:
        return path in self._values

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


@dataclass(slots=True, eq=False)
class _Open:
    opening: "asyncio.Task[Store]"
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class OpenStores:
    """Opens and closes stores of the kinds that `factories` has."""

    def __init__(self, factories: dict[tuple[str, str], StoreFactory], log: Logger) -> None:  # type: ignore[type-arg]
        self._factories = factories
        self._log = log
        self._key = token_bytes(32)
        """So that what is kept of a credential tells nothing of it."""
        self._stores: OrderedDict[bytes, _Open] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lease(self, config: proto.StoreConfig) -> AsyncIterator[Store]:
        """The store of a config, open for as long as the block lasts. ConfigInvalid,
        KindNotServed, and what opening raises."""
        key = self._digest(config)
        held = self._stores.get(key)
        if held is None:
            held = self._begun(key, config)
        self._stores.move_to_end(key)
        held.users += 1
        try:
            yield await asyncio.shield(held.opening)
        finally:
            held.users -= 1
            held.used_at = time.monotonic()
            self._close_unused()

    def __len__(self) -> int:
        return len(self._stores)

    async def aclose(self) -> None:
        """Close all, within CLOSE_SECONDS; nobody may use one any more."""
        for held in self._stores.values():
            self._close(held)
        self._stores.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _begun(self, key: bytes, config: proto.StoreConfig) -> _Open:
        """It goes on where its callers give up. One that fails is forgotten, also where nobody waits
        any more: whoever comes next is not told of a failure of long ago."""
        held = self._stores[key] = _Open(asyncio.create_task(self._open(config), name="open store"))

        def opened(opening: "asyncio.Task[Store]") -> None:
            failed = opening.cancelled() or opening.exception() is not None
            if failed and self._stores.get(key) is held:
                del self._stores[key]

        held.opening.add_done_callback(opened)
        return held

    async def _open(self, config: proto.StoreConfig) -> Store:
        factory = self._factories.get((config.api_version, config.kind))
        if factory is None:
            raise KindNotServed(f"this plugin does not serve the kind {config.kind} ({config.api_version})")
        try:
            spec = factory.spec_model.model_validate_json(config.spec)
        except ValidationError as error:
            places = {".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)}
            raise ConfigInvalid(
                f"{config.kind}/{config.name}: wrong in spec: {', '.join(sorted(places))}"
            ) from None
        credentials = GivenCredentials(dict(config.credentials))
        environment = Environment(f"{config.kind}/{config.name}", credentials, self._log)
        try:
            async with asyncio.timeout(OPEN_SECONDS) as patience:
                with contained():
                    return await factory.open(spec, environment)
        except TimeoutError:
            if not patience.expired():
                raise
            raise StoreUnavailable(
                f"{environment.config} did not open within {OPEN_SECONDS:g} s", retry_after=5.0
            ) from None

    def _digest(self, config: proto.StoreConfig) -> bytes:
        digest = blake2b(key=self._key, digest_size=16)
        parts = [config.api_version.encode(), config.kind.encode(), config.name.encode(), config.spec]
        for path in sorted(config.credentials):
            parts += [path.encode(), config.credentials[path]]
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def _close_unused(self) -> None:
        """What is idle for long, and the oldest of too many."""
        old = time.monotonic() - IDLE_SECONDS
        for key, held in tuple(self._stores.items()):
            surplus = len(self._stores) > MOST_STORES
            if not surplus and held.used_at > old:
                return
            if not held.users:
                del self._stores[key]
                self._close(held)

    def _close(self, held: _Open) -> None:
        task = asyncio.create_task(self._closed(held), name="close store")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _closed(self, held: _Open) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                store = await held.opening
                with contained():
                    await store.aclose()
        except Exception as error:  # a store that fails to close must not keep others open
            self._log.warning("store failed to close", error=type(error).__name__)
