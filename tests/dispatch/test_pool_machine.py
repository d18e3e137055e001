"""The pool against all orders of leasing, releasing, swapping, removing and closing:
never a closed store under a lease, and every store closed exactly once in the end."""

import asyncio
from collections import Counter
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from store_plugin.dispatch.lease import Lease
from store_plugin.errors import ConfigInvalid, StorePluginError
from store_plugin.spec import StoreSpec
from tests.support.fakes import FakeStore
from tests.support.house import House, reference

NAMES = st.sampled_from(["a", "b"])


class PoolMachine(RuleBasedStateMachine):
    """Drives a router on an event loop of its own, step by step."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.house = House()
        self.house.factory.gate = asyncio.Event()
        self.held: dict[int, tuple[Lease, FakeStore]] = {}
        self.tasks: dict[asyncio.Task[Lease], StoreSpec | None] = {}
        self.specs = 0

    @rule(name=NAMES)
    def put(self, name: str) -> None:
        self.specs += 1
        self.do(self.house.put, name, f"https://{self.specs}")

    @rule(name=NAMES)
    def touch(self, name: str) -> None:
        if self.house.table.get(reference(name)):
            self.do(self.house.break_, name)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if self.house.table.get(reference(name)):
            self.do(self.house.remove, name)

    @rule(target=waiting, name=NAMES)
    def ask(self, name: str) -> "asyncio.Task[Lease]":
        config = self.house.table.get(reference(name))
        task = self.loop.create_task(self.house.router.lease(reference(name)))
        self.tasks[task] = None if config is None else config.spec
        self.turn()
        return task

    @rule(task=consumes(waiting))
    def give_up(self, task: "asyncio.Task[Lease]") -> None:
        task.cancel()
        self.turn()

    @rule(number=st.integers(0, 10))
    def release(self, number: int) -> None:
        if self.held:
            key = sorted(self.held)[number % len(self.held)]
            lease, _ = self.held.pop(key)
            self.do(lease.__exit__, None, None, None)

    @rule(fails=st.booleans())
    def let_stores_open(self, fails: bool) -> None:
        self.house.factory.failure = ConfigInvalid("no key") if fails else None
        assert self.house.factory.gate is not None
        self.house.factory.gate.set()
        self.turn()

    @rule()
    def hold_stores_back(self) -> None:
        assert self.house.factory.gate is not None
        self.house.factory.gate.clear()

    @invariant()
    def no_lease_is_on_a_closed_store(self) -> None:
        assert all(not store.closed for _, store in self.held.values())

    @invariant()
    def no_store_is_closed_twice(self) -> None:
        assert all(store.closed <= 1 for store in self.house.factory.stores)

    @invariant()
    def at_most_one_store_is_open_for_a_config_that_nobody_uses(self) -> None:
        self.turn()
        used = {id(store) for _, store in self.held.values()}
        idle = [store for store in self.house.factory.stores if not store.closed and id(store) not in used]
        assert len(idle) <= 2, "one for each name"

    @invariant()
    def counts_are_those_of_the_states(self) -> None:
        states, counts = self.house.states(), self.house.router.counts()
        assert counts.configs == Counter((state.reference.kind, state.state) for state in states)
        assert counts.open_stores == Counter(state.reference.kind for state in states if state.open)
        broken = {state.reference for state in states if state.last_error}
        assert {state.reference for state in self.house.router.broken()} == broken
        assert counts.broken == len(broken)

    def teardown(self) -> None:
        assert self.house.factory.gate is not None
        self.house.factory.gate.set()
        self.turn()
        while self.held:
            lease, store = self.held.popitem()[1]
            assert not store.closed
            self.do(lease.__exit__, None, None, None)
        assert all(state.leases == 0 for state in self.house.states())
        self.loop.run_until_complete(self.house.router.aclose(wait=1.0))
        assert "store closed while in use" not in self.house.log.events()
        self.collect()
        assert not self.tasks
        assert [store.closed for store in self.house.factory.stores] == [1] * len(self.house.factory.stores)
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()

    def collect(self) -> None:
        """Take the leases that came meanwhile: an unused one would stay for ever."""
        for task in [task for task in self.tasks if task.done()]:
            spec = self.tasks.pop(task)
            if not task.cancelled() and not isinstance(task.exception(), StorePluginError):
                lease = task.result()
                store = lease.engine.store._store._store  # type: ignore[attr-defined]
                assert store.spec is lease.spec is spec, "the store is of the spec at the time of asking"
                self.held[id(lease)] = lease, store

    def do(self, action: Callable[..., None], *arguments: object) -> None:
        """Do something on the loop, as everything in the process does."""

        async def on_the_loop() -> None:
            action(*arguments)

        self.loop.run_until_complete(on_the_loop())
        self.turn()

    def turn(self) -> None:
        """Let the loop run until everything that can go on has."""
        self.loop.run_until_complete(self.breathe())
        self.collect()

    @staticmethod
    async def breathe() -> None:
        for _ in range(12):
            await asyncio.sleep(0)


PoolMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestPool = PoolMachine.TestCase
