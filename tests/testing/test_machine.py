"""The state machine finds stores that do not keep the rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Store
from store_plugin.testing.machine import StoreMachine, store_machine
from store_plugin.testing.memory import MemoryData, MemoryStore

FIRST_FAILURE = settings(
    max_examples=500,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


def machine_of(kind: type[MemoryStore]) -> type[StoreMachine]:
    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        yield kind(MemoryData())

    return store_machine(empty_store, names=("team/db", "team/db/replica"))


class Writing(MemoryStore):
    """Writes what `stored` makes of a secret."""

    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        raise NotImplementedError

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await super().write(name, self.stored(secret, base), base=base)


class LosesEmptyValues(Writing):
    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        return Secret({key: value for key, value in secret.data.items() if value}, secret.metadata)


class KeepsOnlyText(Writing):
    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        data = {key: value.decode("utf-8", "replace").encode() for key, value in secret.data.items()}
        return Secret(data, secret.metadata)


class StripsLineEnds(Writing):
    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        return Secret({key: value.rstrip(b"\n") for key, value in secret.data.items()}, secret.metadata)


class NeverRemovesKeys(Writing):
    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        return Secret({**base.secret.data, **secret.data}, secret.metadata)


class ForgetsMetadataOfEmptySecrets(Writing):
    def stored(self, secret: Secret, base: StoredSecret) -> Secret:
        return secret if secret.data else Secret()


class DeletesNothing(MemoryStore):
    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        return None


class DeletesNamesBelow(MemoryStore):
    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await super().delete(name, base=base)
        for other in self.data.present():
            if str(other).startswith(f"{name}/"):
                self.data.remove(other)


class TakesEmptyForMissing(MemoryStore):
    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        stored = await super().read(name, version)
        return stored if stored.secret.data or stored.presence is Presence.TOMBSTONE else ABSENT


class MixesUpNames(MemoryStore):
    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await super().read(ScopedName(name.segments[-1:]), version)


class ListsTombstones(MemoryStore):
    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        yield ScopedName.parse("never/written")


BROKEN = (
    LosesEmptyValues,
    KeepsOnlyText,
    StripsLineEnds,
    NeverRemovesKeys,
    ForgetsMetadataOfEmptySecrets,
    DeletesNothing,
    DeletesNamesBelow,
    TakesEmptyForMissing,
    MixesUpNames,
    ListsTombstones,
)


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_store_is_found(kind: type[MemoryStore]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine_of(kind), settings=FIRST_FAILURE)


def test_the_same_settings_find_nothing_wrong_with_a_good_store() -> None:
    few = settings(FIRST_FAILURE, max_examples=30)
    run_state_machine_as_test(machine_of(MemoryStore), settings=few)


def test_every_opened_place_is_left_again() -> None:
    entered, left = [], []

    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        entered.append(1)
        yield MemoryStore()
        left.append(1)

    run_state_machine_as_test(store_machine(empty_store), settings=settings(FIRST_FAILURE, max_examples=5))
    assert len(entered) == len(left) > 1
