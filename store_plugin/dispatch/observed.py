"""A store with a witness: each call is measured, what it says of the store's health is kept,
and an error of the config names it."""

import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from store_plugin.dispatch.failures import naming
from store_plugin.errors import (
    Code,
    Conflict,
    DocumentInvalid,
    InvalidRequest,
    StorePluginError,
    VersionNotFound,
)
from store_plugin.model import ConfigReference, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Store

T = TypeVar("T")

_STORE_ANSWERED = (InvalidRequest, Conflict, VersionNotFound, DocumentInvalid)
"""Errors about a request or a secret: the store itself is well."""


class StoreCallObserver(Protocol):
    """Told of each call to a store: its kind, the verb of the Store protocol, the outcome
    and how long it took."""

    def __call__(self, kind: str, verb: str, code: Code, seconds: float, /) -> None: ...


@dataclass(slots=True)
class Health:
    """What the calls to a store tell of it. Times are seconds since the epoch."""

    failing: bool = False
    """The last call failed for a reason that lies with the store."""
    last_error: str | None = None
    last_error_at: float | None = None
    last_success_at: float | None = None
    retry_at: float | None = None
    """When the store may be asked again, where the last call failed and said so."""

    def succeeded(self) -> None:
        self.failing = False
        self.last_success_at = time.time()
        self.retry_at = None

    def failed(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after` in seconds from now."""
        self.failing = True
        self.last_error = message
        self.last_error_at = time.time()
        self.retry_at = None if retry_after is None else self.last_error_at + retry_after


class ObservedStore:
    """A Store that reports each call to an observer and keeps `health`."""

    def __init__(self, store: Store, config: ConfigReference, observe: StoreCallObserver) -> None:
        self.health = Health()
        self._store = store
        self._config = config
        self._observe = observe

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def location(self, name: ScopedName) -> str:
        return self._store.location(name)

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._observed("read", self._store.read(name, version))

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._observed("write", self._store.write(name, secret, base=base))

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._observed("delete", self._store.delete(name, base=base))

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """Measured name by name: the time between is the caller's."""
        names = self._store.names(scope)
        while (name := await self._observed("names", anext(names, None))) is not None:
            yield name

    async def check(self) -> list[str]:
        return await self._observed("check", self._store.check())

    async def aclose(self) -> None:
        await self._store.aclose()

    async def _observed(self, verb: str, call: Awaitable[T]) -> T:
        started = time.perf_counter()
        code = Code.CANCELLED  # whatever is no Exception ends a call from outside
        try:
            result = await call
        except StorePluginError as error:
            code = error.code
            self._note(error)
            named = naming(self._config, error)
            if named is not error:
                raise named from error
            raise
        except Exception as error:
            code = Code.INTERNAL
            # Its text is the store's own and may hold anything; the log has the traceback.
            self.health.failed(f"{verb} failed with {type(error).__name__}")
            raise
        else:
            code = Code.OK
            self.health.succeeded()
            return result
        finally:
            self._observe(self._config.kind, verb, code, time.perf_counter() - started)

    def _note(self, error: StorePluginError) -> None:
        if isinstance(error, _STORE_ANSWERED):
            self.health.succeeded()
        else:
            self.health.failed(error.message, error.retry_after)
