"""A store with guards: its calls go through them, and a failed one is repeated where that is safe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from store_plugin.dispatch.guards.budget import MOST_RETRIES
from store_plugin.dispatch.guards.calls import PASSING, GuardedCalls
from store_plugin.dispatch.guards.observer import GuardObserver, GuardState
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference, ScopedName, Secret, StoredSecret, Version
from store_plugin.spec import StoreSpec
from store_plugin.store import Capabilities, Logger, Store


class GuardedStore:
    """A `Store` between an engine and a store. Reads and writes are guarded; `check` and
    `names` serve people at a command, who want to hear from the store itself."""

    def __init__(
        self, store: Store, config: ConfigReference, spec: StoreSpec, observe: GuardObserver, log: Logger
    ) -> None:
        self._store = store
        self._calls = GuardedCalls(config, spec, observe, log)
        self._clock = asyncio.get_running_loop().time

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    @property
    def guards(self) -> GuardState:
        """How they stand."""
        return self._calls.state

    @property
    def problem(self) -> str | None:
        """Why calls are refused just now; None where they are not."""
        return self._calls.problem

    def location(self, name: ScopedName) -> str:
        return self._store.location(name)

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        """As the store; repeated where it failed for a reason that may have passed."""
        call = partial(self._store.read, name, version)
        began = self._clock()
        probe = await self._calls.begin()
        try:
            return await self._calls.make(call, probe)
        except PASSING as error:
            return await self._read_again(call, error, began)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        """As the store; where nobody knows whether it was done, a read tells, if it can."""
        call = partial(self._store.write, name, secret, base=base)
        began = self._clock()
        probe = await self._calls.begin()
        try:
            return await self._calls.make(call, probe)
        except PASSING as error:
            if not self.capabilities.compare_and_set or not await self._calls.pause("write", 0, error, began):
                raise
            return await self._settled(name, secret, base, error)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        """As the store, and never repeated: what a second removal finds may be new. Where
        nobody knows whether it was done, a read tells."""
        began = self._clock()
        probe = await self._calls.begin()
        try:
            await self._calls.make(partial(self._store.delete, name, base=base), probe)
        except PASSING as error:
            if not await self._calls.pause("delete", 0, error, began) or not await self._is_gone(name):
                raise

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        return self._store.names(scope)

    async def check(self) -> list[str]:
        return await self._store.check()

    async def aclose(self) -> None:
        self._calls.close()
        await self._store.aclose()

    # After a failure.

    async def _read_again(
        self, call: Callable[[], Awaitable[StoredSecret]], error: StorePluginError, began: float
    ) -> StoredSecret:
        for retry in range(MOST_RETRIES):
            if not await self._calls.pause("read", retry, error, began):
                break
            began = self._clock()
            try:
                probe = await self._calls.enter()
            except StorePluginError:
                break  # what the store said tells more than why it is not asked again
            try:
                return await self._calls.make(call, probe)
            except PASSING as another:
                error = another
        raise error

    async def _settled(
        self, name: ScopedName, secret: Secret, base: StoredSecret, error: StorePluginError
    ) -> Version | None:
        """What a write came to that failed with `error`. It was done where the secret is as
        wanted, and is repeated where it is as before. Otherwise it is not for us to say: part
        of it may have been done, or others have written. The caller asks again, and merges.
        """
        try:
            found = await self._calls.make(partial(self._store.read, name), await self._calls.enter())
            if found.present and found.secret == secret and found.unfinished_age is None:
                return found.version
            if (found.presence, found.version, found.secret) == (base.presence, base.version, base.secret):
                again = partial(self._store.write, name, secret, base=base)
                return await self._calls.make(again, await self._calls.enter())
        except StorePluginError:
            raise error from None
        raise error

    async def _is_gone(self, name: ScopedName) -> bool:
        try:
            found = await self._calls.make(partial(self._store.read, name), await self._calls.enter())
        except StorePluginError:
            return False
        return not found.present
