"""The local store: secrets in an encrypted SQLite file, for one machine.

SQLite and the disk block, so everything runs on one thread of the store's own. A get is
one hop to it and one statement there. Writers of several processes take turns by
SQLite's lock, and versions are compared under it. Whoever finds it taken waits on the
event loop, so that the thread stays free for those who need no lock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from store_plugin.errors import (
    ConfigInvalid,
    InvalidRequest,
    StoreUnavailable,
    Tampered,
    VersionNotFound,
)
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Credentials, Environment
from stores.local.cipher import KeyRing, decode_key
from stores.local.faults import is_locked
from stores.local.session import Session
from stores.local.spec import LocalSpec

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

CAPABILITIES = Capabilities(compare_and_set=True, conditional_delete=True, listing=True)
BUSY_SECONDS = 5.0
"""How long a call waits for another process that writes."""
_PAUSES = (0.002, 0.1)
"""Shortest and longest wait between two attempts, in seconds; it doubles in between."""
_NAMES_A_PAGE = 500
_AFTER_ALL_NAMES = "\x7f"
_AFTER_SLASH = "0"


class LocalStore:
    """A `Store` over one file. Made by the factory."""

    def __init__(self, spec: LocalSpec, path: Path, environment: Environment) -> None:
        """`path`: the spec's, with every link resolved."""
        self._spec = spec
        self._environment = environment
        self._path = path
        self._session = Session(self._path, load_ring(spec, environment.credentials), environment.log)
        self._key_problem: ConfigInvalid | None = None
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, f"local-{self._path.name}")
        self._unsubscribe = environment.credentials.subscribe(self._reload_keys)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def location(self, name: ScopedName) -> str:
        return f"{self._path}//{name}"

    async def open(self) -> None:
        """Open the file now, where that is possible."""
        await self._call(self._session.open)

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        if version is not None:
            raise VersionNotFound(f"secret {name} has no version {version}: this store keeps none")
        return await self._call(self._session.read, name)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._call(self._session.write, name, secret, base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._call(self._session.delete, name, base)

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """All names below `scope` in order. Names are not sealed: a listing believes them."""
        after, before = (f"{scope}/", f"{scope}{_AFTER_SLASH}") if scope else ("", _AFTER_ALL_NAMES)
        while page := await self._call(self._session.names, after, before, _NAMES_A_PAGE):
            for name in page:
                yield self._parsed(name)
            after = page[-1]

    async def check(self) -> list[str]:
        if self._key_problem:
            raise self._key_problem
        return await self._call(self._session.check, self._spec.key_paths)

    async def aclose(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._unsubscribe()
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._session.close)
        except Exception as error:
            self._environment.log.warning("the file could not be closed", reason=type(error).__name__)
        finally:
            thread.shutdown(wait=False)

    async def _call(self, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        work = partial(function, *args, **kwargs)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + BUSY_SECONDS
        pause, longest = _PAUSES
        while True:
            if self._thread is None:
                raise StoreUnavailable("the store is closed")
            try:
                return await loop.run_in_executor(self._thread, work)
            except StoreUnavailable as error:
                if not is_locked(error) or loop.time() >= give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _reload_keys(self) -> None:
        """A key changed at its source: use it from the next call on. One that cannot be a
        key leaves the ones before in use."""
        try:
            self._session.wanted = load_ring(self._spec, self._environment.credentials)
            self._key_problem = None
        except ConfigInvalid as error:
            self._key_problem = error
            self._environment.log.warning(
                "new keys refused, the ones before stay in use", reason=error.message
            )

    def _parsed(self, name: str) -> ScopedName:
        try:
            return ScopedName.parse(name)
        except InvalidRequest:
            raise Tampered(f"{self._path} holds a name that cannot have been written by this store") from None


def load_ring(spec: LocalSpec, credentials: Credentials) -> KeyRing:
    """All keys of the spec. ConfigInvalid where one is missing or is no key."""
    return KeyRing([decode_key(credentials.get(path), f"the key at {path}") for path in spec.key_paths])
