"""Two writers whose requests the test puts in order."""

import asyncio
from collections.abc import Mapping

from store_plugin.engine import Engine
from store_plugin.errors import StorePluginError
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from stores.vault.http.answer import Answer
from stores.vault.store import VaultStore
from tests.stores.vault.opening import soon


class Gate:
    """Holds back one request of a store: the `turn`th whose method is not GET."""

    def __init__(self, store: VaultStore, turn: int) -> None:
        self._reached, self._opened = asyncio.Event(), asyncio.Event()
        self._turn = turn
        self._adapter = store._adapter
        self._send = store._adapter._send
        self._adapter._send = self._gated  # type: ignore[method-assign]

    async def reached(self) -> None:
        """Until the request is held back."""
        async with asyncio.timeout(40):
            await self._reached.wait()

    def open(self) -> None:
        self._opened.set()

    async def _gated(
        self, method: str, url: str, body: bytes | None, query: Mapping[str, str] | None
    ) -> Answer:
        if method != "GET":
            self._turn -= 1
            if self._turn == 0:
                self._reached.set()
                await self._opened.wait()
        return await self._send(method, url, body, query)


class Attempt:
    """An apply by one writer, and how it ended."""

    def __init__(self, engine: Engine, name: ScopedName, owner: str | None, tag: str) -> None:
        labels = {OWNER_LABEL: owner} if owner else {}
        self.owner = owner
        self.request = Secret({f"key-{tag}": tag.encode()}, {**labels, f"label-{tag}": tag})
        self.error: StorePluginError | None = None
        self._engine = engine
        self._name = name

    async def run(self, seconds: float = 30.0) -> None:
        try:
            await self._engine.apply(self._name, self.request, deadline=soon(seconds))
        except StorePluginError as error:
            self.error = error

    def check(self, stored: Secret, *, adopted: bool) -> None:
        """What was acknowledged is there; what was refused has left no data and no label.
        `adopted`: somebody may have taken over a secret without owner."""
        if self.error is None:
            assert stored.owner == self.owner or (adopted and self.owner is None)
            assert self.request.data.items() <= stored.data.items()
            assert self.request.metadata.items() <= stored.metadata.items()
        elif stored.owner != self.owner:
            assert not self.request.data.keys() & stored.data.keys()
            assert not {key for key in self.request.metadata if key != OWNER_LABEL} & stored.metadata.keys()
