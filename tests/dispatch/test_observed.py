"""Each call to a store is measured, whatever becomes of it."""

import asyncio

import pytest

from store_plugin.dispatch.observed import ObservedStore
from store_plugin.errors import Code, LoginRefused, StorePluginError, error_classes
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.store import Environment
from tests.support.fakes import FakeStore, RecordingLog, ShelfSpec
from tests.support.house import reference

NAME = ScopedName.parse("team/db")


class Witness:
    """A store under observation and what was seen of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Code]] = []
        environment = Environment("ShelfConfig/a", None, RecordingLog())  # type: ignore[arg-type]
        self.inner = FakeStore(ShelfSpec(server="https://x"), environment)
        self.store = ObservedStore(self.inner, reference("a"), self._see)

    def _see(self, kind: str, verb: str, code: Code, seconds: float) -> None:
        self.calls.append((kind, verb, code))


@pytest.fixture
def witness() -> Witness:
    return Witness()


async def test_every_verb_is_reported(witness: Witness) -> None:
    store = witness.store
    await store.read(NAME)
    await store.write(NAME, Secret(), base=ABSENT)
    await store.delete(NAME, base=ABSENT)
    await store.check()
    assert [str(name) async for name in store.names()] == ["team/a", "team/b"]
    assert [verb for _, verb, _ in witness.calls] == ["read", "write", "delete", "check"] + ["names"] * 3
    assert {code for _, _, code in witness.calls} == {Code.OK}


async def test_the_wrapper_is_otherwise_the_store(witness: Witness) -> None:
    assert witness.store.capabilities is witness.inner.capabilities
    assert witness.store.location(NAME) == witness.inner.location(NAME)
    await witness.store.aclose()
    assert witness.inner.closed == 1


OWN_ERRORS = [error for error in error_classes() if error.__init__ is StorePluginError.__init__]


@pytest.mark.parametrize("error", OWN_ERRORS, ids=lambda error: error.__name__)
async def test_every_error_is_reported_by_its_code(error: type[StorePluginError], witness: Witness) -> None:
    witness.inner.failure = error("no")
    with pytest.raises(error):
        await witness.store.read(NAME)
    assert witness.calls == [("ShelfConfig", "read", error.code)]


async def test_a_bug_is_reported_as_internal(witness: Witness) -> None:
    witness.inner.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await witness.store.check()
    assert witness.calls == [("ShelfConfig", "check", Code.INTERNAL)]


async def test_a_cancelled_call_is_reported_and_says_nothing_of_the_store(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def hang(*_: object) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(witness.inner, "read", hang)
    task = asyncio.create_task(witness.store.read(NAME))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert witness.calls == [("ShelfConfig", "read", Code.CANCELLED)]
    assert (witness.store.health.failing, witness.store.health.last_success_at) == (False, None)


async def test_when_a_store_may_be_asked_again_is_kept(witness: Witness) -> None:
    witness.inner.failure = LoginRefused("no such role", retry_after=30.0)
    with pytest.raises(LoginRefused):
        await witness.store.check()
    health = witness.store.health
    assert health.last_error_at
    assert health.retry_at == health.last_error_at + 30.0
    witness.inner.failure = None
    await witness.store.check()
    assert health.retry_at is None
