"""A server that fails in the middle of a write of two requests, behind the guards: the write is
brought to its end or reported, and the same apply again completes it: no key is lost."""

from collections.abc import Mapping

import pytest

from store_plugin.dispatch.guards.guarded import GuardedStore
from store_plugin.dispatch.guards.observer import Unobserved
from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.errors import StoreUnavailable
from store_plugin.model import OWNER_LABEL, ConfigReference, Secret
from store_plugin.spec import StoreSpec
from store_plugin.testing.environment import RecordingLog
from stores.vault.http.answer import Answer
from stores.vault.store import VaultStore
from tests.stores.vault.opening import NAME, open_with_token, soon
from tests.support.openbao import OpenBao

BEFORE = Secret({"kept": b"1", "changed": b"1"}, {OWNER_LABEL: "uid-1", "stage": "1"})
REQUEST = Secret({"changed": b"2", "added": b"2"}, {OWNER_LABEL: "uid-1", "stage": "2"})
AFTER = Secret({"kept": b"1", "changed": b"2", "added": b"2"}, {OWNER_LABEL: "uid-1", "stage": "2"})


class Fault:
    """Lets the `turn`th request that changes something fail, and `more` after it, before or
    after it was carried out."""

    def __init__(self, store: VaultStore, turn: int, more: int, *, done: bool) -> None:
        self._failing = range(turn, turn + 1 + more)
        self._done = done
        self._number = 0
        self._send = store._adapter._send
        store._adapter._send = self._faulty  # type: ignore[method-assign]

    def mend(self) -> None:
        self._failing = range(0)

    async def _faulty(
        self, method: str, url: str, body: bytes | None, query: Mapping[str, str] | None
    ) -> Answer:
        self._number += method != "GET"
        if method == "GET" or self._number not in self._failing:
            return await self._send(method, url, body, query)
        if self._done:
            await self._send(method, url, body, query)
        raise StoreUnavailable("the server answers 503")


@pytest.mark.parametrize("more", [0, 9], ids=["once", "for-good"])
@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize("turn", [1, 2], ids=["data", "metadata"])
async def test_a_write_that_fails_half_way_loses_nothing(
    bao: OpenBao, turn: int, done: bool, more: int
) -> None:
    store = await open_with_token(bao, bao.mount_kv("v2"))
    config = ConfigReference("secrets.crossplane.io/v1alpha1", "VaultConfig", "test")
    guarded = GuardedStore(store, config, StoreSpec(), Unobserved(), RecordingLog())
    engine = Engine(guarded, Rules(), LocationLocks())
    await engine.apply(NAME, BEFORE, deadline=soon())
    fault = Fault(store, turn, more, done=done)
    reported = False
    try:
        assert (await engine.apply(NAME, REQUEST, deadline=soon())).changed
        assert (await engine.get(NAME)).secret == AFTER, "what is acknowledged is there"
    except StoreUnavailable:
        reported = True
    fault.mend()
    assert reported or (await engine.get(NAME)).version == "2", "it was written once"
    await engine.apply(NAME, REQUEST, deadline=soon())
    assert (await engine.get(NAME)).secret == AFTER
    assert not (await engine.apply(NAME, REQUEST, deadline=soon())).changed
    await store.aclose()


@pytest.mark.parametrize("turn", [1, 2], ids=["data", "metadata"])
@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
async def test_a_create_that_fails_half_way_keeps_its_owner(bao: OpenBao, turn: int, done: bool) -> None:
    store = await open_with_token(bao, bao.mount_kv("v2"))
    config = ConfigReference("secrets.crossplane.io/v1alpha1", "VaultConfig", "test")
    guarded = GuardedStore(store, config, StoreSpec(), Unobserved(), RecordingLog())
    engine = Engine(guarded, Rules(), LocationLocks())
    fault = Fault(store, turn, 0, done=done)
    try:
        await engine.apply(NAME, BEFORE, deadline=soon())
    except StoreUnavailable:
        fault.mend()
        await engine.apply(NAME, BEFORE, deadline=soon())
    assert (await engine.get(NAME)).secret == BEFORE
    await store.aclose()
