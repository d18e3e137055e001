"""Fingerprints against all orders of applies, deletes, swaps, failures, late writes and
writes of others: an apply that succeeds is true of a moment within the interval, and of one
since our own last change."""

import asyncio
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from store_plugin.engine import Engine, Fingerprints, LocationLocks, OwnershipPolicy, Rules
from store_plugin.engine.fingerprints import UNSETTLED_SECONDS
from store_plugin.errors import StoreUnavailable
from store_plugin.model import OWNER_LABEL, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from store_plugin.testing.memory import MemoryData, MemoryStore
from tests.support.clock import FakeClock

NAME = ScopedName.parse("team/a")
INTERVAL = 300.0
SECRETS = st.sampled_from(
    [Secret({"x": b"1"}), Secret({"x": b"2"}), Secret({"y": b"1"}, {OWNER_LABEL: "me"})]
)
"""Few, so that they come again: fingerprints are about repetition."""
ENGINES = st.integers(0, 1)


class LateStore(MemoryStore):
    """Without compare-and-set, as where a late write does most harm. While `failing`, a write
    fails, and may be carried out later."""

    failing = False

    def __init__(self, data: MemoryData, late: "list[tuple[float, Secret]]", clock: FakeClock):
        super().__init__(data, Capabilities(compare_and_set=False, conditional_delete=False))
        self._late = late
        self._clock = clock

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        if self.failing:
            self._late.append((self._clock.now, secret))
            raise StoreUnavailable("away")
        return await super().write(name, secret, base=base)


class FingerprintMachine(RuleBasedStateMachine):
    """A config without an interval and one with, at one place, and another process."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock(1000.0)
        self.data = MemoryData()
        self.locks, self.fingerprints = LocationLocks(), Fingerprints()
        self.late: list[tuple[float, Secret]] = []
        self.stores = [LateStore(self.data, self.late, self.clock) for _ in range(2)]
        self.other = MemoryStore(self.data, Capabilities(compare_and_set=False, conditional_delete=False))
        self.engines = [self.opened(number) for number in range(2)]
        self.past: list[tuple[float, Secret | None, bool]] = [(0.0, None, True)]
        """What the secret was, since when, and whether we made it so."""

    def opened(self, number: int) -> Engine:
        interval = 0.0 if number == 0 else INTERVAL
        rules = Rules(OwnershipPolicy.IGNORE, drift_check_interval=interval)
        return Engine(
            self.stores[number],
            rules,
            self.locks,
            fingerprints=self.fingerprints,
            sleep=self.clock.sleep,
            clock=self.clock,
        )

    def note(self, *, ours: bool) -> None:
        history = self.data.history(NAME)
        now = history[-1].secret if history else None
        if self.past[-1][1] is not now:
            self.past.append((self.clock.now, now, ours))

    @rule(number=ENGINES, secret=SECRETS)
    def apply(self, number: int, secret: Secret) -> None:
        self.runner.run(self.engines[number].apply(NAME, secret, deadline=1e9))
        self.note(ours=True)
        interval = 0.0 if number == 0 else INTERVAL
        assert any(satisfies(found, secret) for found in self.recent(interval))

    def recent(self, interval: float) -> list[Secret | None]:
        """What the secret was within the interval, from our last change on."""
        found: list[Secret | None] = []
        for since, secret, ours in reversed(self.past):
            found.append(secret)
            if ours or since < self.clock.now - interval:
                break
        return found

    @rule(number=ENGINES, keys=st.sets(st.sampled_from("xy")))
    def delete(self, number: int, keys: set[str]) -> None:
        self.runner.run(self.engines[number].delete(NAME, keys, deadline=1e9))
        self.note(ours=True)

    @rule(secret=st.none() | SECRETS)
    def change_outside(self, secret: Secret | None) -> None:
        base = self.runner.run(self.other.read(NAME))
        if secret is None:
            self.runner.run(self.other.delete(NAME, base=base))
        else:
            self.runner.run(self.other.write(NAME, secret, base=base))
        self.note(ours=False)

    @rule(number=ENGINES, secret=SECRETS)
    def apply_that_fails(self, number: int, secret: Secret) -> None:
        self.stores[number].failing = True
        with suppress(StoreUnavailable):
            self.runner.run(self.engines[number].apply(NAME, secret, deadline=1e9))
        self.stores[number].failing = False

    @precondition(lambda self: self.late)
    @rule()
    def carry_out_late(self) -> None:
        failed_at, secret = self.late.pop(0)
        if self.clock.now - failed_at < UNSETTLED_SECONDS:
            self.runner.run(self.other.write(NAME, secret, base=self.runner.run(self.other.read(NAME))))
            self.note(ours=True)

    @rule(number=ENGINES, late=SECRETS, meanwhile=SECRETS)
    def apply_while_another_is_under_way(self, number: int, late: Secret, meanwhile: Secret) -> None:
        self.apply_that_fails(number, late)
        self.apply(number, meanwhile)
        if self.late:
            self.carry_out_late()

    @rule(seconds=st.sampled_from([1.0, UNSETTLED_SECONDS / 2, INTERVAL / 2, INTERVAL + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(number=ENGINES)
    def swap(self, number: int) -> None:
        self.engines[number] = self.opened(number)

    def teardown(self) -> None:
        self.runner.close()


def satisfies(found: Secret | None, request: Secret) -> bool:
    if found is None:
        return False
    return request.data.items() <= found.data.items() and request.metadata.items() <= found.metadata.items()


TestFingerprints = FingerprintMachine.TestCase
TestFingerprints.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
