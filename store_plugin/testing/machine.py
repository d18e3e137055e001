"""A hypothesis state machine that compares a store, used through the engine, with a
plain dict model: applies, removals, dry runs, foreign owners, odd values, in any order.

    TestMyStore = store_machine(empty_store).TestCase

`empty_store` is a function without arguments that returns an async context manager: it
opens the store on a place where nothing is yet, yields it, and cleans up:

    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        prefix = uuid4().hex                  # or a new directory, a new mount
        store = await MyStore.open(prefix)
        try:
            yield store
        finally:
            await store.aclose()

It is entered once per example, so it should be cheap: give each example a prefix of its
own rather than a server of its own. Where the server comes from a fixture, run the machine
inside a plain (not async) test instead of naming its TestCase:

    def test_machine(server: Server) -> None:
        run_state_machine_as_test(store_machine(partial(empty_store, server)))

All calls of one example, also the opening and the cleaning, run on one event loop that
the machine owns.

Slow stores take fewer `examples` and `steps`. `names` and `metadata_texts` narrow what is
generated for a service with narrower rules; the capabilities of the opened store decide
the rest (no metadata and owners without `metadata`, no `if_version` without
`compare_and_set`). `bury` removes a secret as another client of the service does, so that
a tombstone stays; without it no tombstones are made besides those of the store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import Conflict, NotOwner
from store_plugin.model import NO_SECRET, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Store
from store_plugin.testing import _machine_inputs as inputs
from store_plugin.testing._machine_model import PlainModel

EmptyStore = Callable[[], AbstractAsyncContextManager[Store]]
Bury = Callable[[Store, ScopedName], Awaitable[None]]
ResultT = TypeVar("ResultT")

_PLENTY = 30.0
_IMPATIENT = 0.02
_VERSIONS_TRIED = 3


def store_machine(
    empty_store: EmptyStore,
    *,
    examples: int = 50,
    steps: int = 30,
    names: Sequence[str] = inputs.NAMES,
    metadata_texts: st.SearchStrategy[str] = inputs.PRINTABLE_TEXTS,
    bury: Bury | None = None,
) -> type["StoreMachine"]:
    """A machine for one store; pytest runs its `TestCase`."""

    class Machine(StoreMachine):
        pass

    Machine.subject = Subject(empty_store, tuple(map(ScopedName.parse, names)), metadata_texts, bury)
    Machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return Machine


@dataclass(frozen=True)
class Subject:
    """The store under test and what it is fed."""

    empty_store: EmptyStore
    names: Sequence[ScopedName]
    metadata_texts: st.SearchStrategy[str]
    bury: Bury | None


class StoreMachine(RuleBasedStateMachine):
    """The steps, each checked against the model. `store_machine` makes one for a store."""

    subject: ClassVar[Subject]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = self.subject.empty_store()
        self.store = self.runner.run(_entered(self.place))
        self.locks = LocationLocks()
        self.versions: dict[ScopedName, list[tuple[Version, dict[str, bytes]]]] = {}

    def teardown(self) -> None:
        try:
            self.runner.run(_left(self.place))
        finally:
            self.runner.close()

    @initialize(policy=st.sampled_from(OwnershipPolicy), require_owner_on_delete=st.booleans())
    def start(self, policy: OwnershipPolicy, require_owner_on_delete: bool) -> None:
        rules = Rules(ownership=policy, require_owner_on_delete=require_owner_on_delete)
        self.model = PlainModel(policy, require_owner_on_delete)
        self.engine = Engine(self.store, rules, self.locks, clock=self.runner.get_loop().time)

    @rule(name=inputs.name(), request=inputs.request(), dry_run=st.booleans())
    def apply(self, name: ScopedName, request: Secret, dry_run: bool) -> None:
        allowed = self.model.may_apply(name, request.owner)
        unsettled = self._looks_unfinished(name, request)
        expected = self.model.would_change(name, request)
        deadline = self._deadline(_IMPATIENT if unsettled else _PLENTY)
        try:
            applied = self._run(self.engine.apply(name, request, deadline=deadline, dry_run=dry_run))
        except NotOwner:
            assert not allowed
        except Conflict:
            assert unsettled
        else:
            assert allowed or unsettled
            assert applied.changed == (bool(expected) or name not in self.model.held)
            assert {change.key for change in applied.changes} == expected
            if not dry_run:
                self.model.apply(name, request)
                self._note_version(name, applied.version)
        self._check(name)

    @precondition(lambda self: self.store.capabilities.compare_and_set)
    @rule(name=inputs.name(), request=inputs.request(), wanted=st.sampled_from(["current", "none", "old"]))
    def apply_for_a_version(self, name: ScopedName, request: Secret, wanted: str) -> None:
        if self._looks_unfinished(name, request):
            return
        stored = self._check(name)
        current = stored.version if stored.present else NO_SECRET
        old = self.versions.get(name) or [(NO_SECRET, {})]
        version = {"current": current, "none": NO_SECRET, "old": old[0][0]}[wanted]
        try:
            applied = self._run(
                self.engine.apply(name, request, deadline=self._deadline(_PLENTY), if_version=version)
            )
        except Conflict:
            assert version != current
        except NotOwner:
            assert not self.model.may_apply(name, request.owner)
        else:
            assert version == current
            assert self.model.may_apply(name, request.owner)
            self.model.apply(name, request)
            self._note_version(name, applied.version)
        self._check(name)

    @rule(
        name=inputs.name(),
        keys=inputs.KEY_LISTS,
        owner=inputs.owner(),
        keep_empty=st.booleans(),
        dry_run=st.booleans(),
    )
    def delete(
        self, name: ScopedName, keys: list[str], owner: str | None, keep_empty: bool, dry_run: bool
    ) -> None:
        held = self.model.secret(name).data
        expected = {key for key in held if not keys or key in keys}
        unsettled = self._may_be_unfinished(name) and self.model.asks_for_owner(owner)
        try:
            changes = self._run(
                self.engine.delete(
                    name,
                    keys,
                    deadline=self._deadline(_IMPATIENT if unsettled else _PLENTY),
                    owner=owner,
                    keep_empty=keep_empty,
                    dry_run=dry_run,
                )
            )
        except NotOwner:
            assert not self.model.may_delete(name, owner)
        except Conflict:
            assert unsettled
        else:
            assert self.model.may_delete(name, owner)
            assert {change.key for change in changes} == expected
            if not dry_run:
                self.model.delete(name, keys, keep_empty=keep_empty)
        stored = self._check(name)
        self._note_version(name, stored.version if stored.present else None)

    @precondition(lambda self: self.subject.bury is not None)
    @rule(name=inputs.name())
    def bury(self, name: ScopedName) -> None:
        if name in self.model.held and self.subject.bury is not None:
            self._run(_awaited(self.subject.bury(self.store, name)))
            del self.model.held[name]
            self._note_version(name, None)
        self._check(name)

    @precondition(lambda self: self.store.capabilities.versions)
    @rule(name=inputs.name())
    def read_older_versions(self, name: ScopedName) -> None:
        for version, data in self.versions.get(name, []):
            stored = self._run(self.engine.get(name, version=version))
            assert (stored.secret.data, stored.version) == (data, version)

    @rule()
    def look_at_everything(self) -> None:
        for name in self.subject.names:
            self._check(name)
        assert len(self.locks) == 0
        if self.store.capabilities.listing:
            assert self._run(_listed(self.store)) == set(self.model.held)

    def _check(self, name: ScopedName) -> StoredSecret:
        stored = self._run(self.engine.get(name))
        assert stored.present == (name in self.model.held)
        assert stored.secret == self.model.secret(name)
        return stored

    def _run(self, call: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self.runner.run(call)

    def _deadline(self, seconds: float) -> float:
        return self.runner.get_loop().time() + seconds

    def _looks_unfinished(self, name: ScopedName, request: Secret) -> bool:
        """Whether this apply may have to wait, in conflict."""
        return bool(request.metadata) and self._may_be_unfinished(name)

    def _may_be_unfinished(self, name: ScopedName) -> bool:
        """Whether a store that writes metadata after data may take the secret for one whose
        creator has yet to write it."""
        held = self.model.held.get(name)
        return held is not None and not held.metadata

    def _note_version(self, name: ScopedName, version: Version | None) -> None:
        """Remember what a version holds; None: there is no secret, or it has no versions."""
        if version is None:
            self.versions.pop(name, None)
            return
        known = self.versions.setdefault(name, [])
        if not known or known[-1][0] != version:
            known.append((version, dict(self.model.secret(name).data)))
            del known[:-_VERSIONS_TRIED]


async def _entered(place: AbstractAsyncContextManager[Store]) -> Store:
    return await place.__aenter__()


async def _left(place: AbstractAsyncContextManager[Store]) -> None:
    await place.__aexit__(None, None, None)


async def _awaited(call: Awaitable[None]) -> None:
    await call


async def _listed(store: Store) -> set[ScopedName]:
    return {name async for name in store.names()}
