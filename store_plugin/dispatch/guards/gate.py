"""So many calls at a time, in the order of asking; who could not be done in time need not wait.

A slot is the right to call. It goes straight from whoever leaves to whoever waits longest.
There is no task in here: one timer wakes those whom only time lets in.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

from store_plugin.bucket import TokenBucket
from store_plugin.errors import DeadlineExceeded, Overloaded, StorePluginError, StoreUnavailable, Throttled

WAITING_PER_SLOT = 8
"""Calls that may wait, for each that may be under way."""
LONGEST_HOLD = 1.0
"""Seconds for which one throttled call holds back others: what it asked for may be the limit
of one path or of one identity."""
_WEIGHT = 0.1
_SHORTEST_TIMER = 0.001
"""What an event loop can tell apart: a shorter one would come again and again until time moves."""
_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 30.0


class Gate:
    """Slots of one store. Belongs to one event loop, and tells time by `clock`, the loop's."""

    def __init__(
        self,
        config: str,
        most: int,
        bucket: TokenBucket | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.in_flight = 0
        self.seconds = 0.0
        """How long calls that were answered took of late: a moving average."""
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._most = most
        self._width = float(most)
        """Slots there are: fewer after the store asked us to slow down."""
        self._bucket = bucket
        self._held_until = -inf
        self._moved_at = -inf
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def slots(self) -> int:
        """How many calls may be under way at present."""
        return int(self._width)

    def try_enter(self, now: float) -> bool:
        """A slot, if there is one for nothing. Give it back with `leave`."""
        if self._waiters or self.in_flight + 1 > self._width or now < self._held_until:
            return False
        if self._bucket is not None and not self._bucket.take(now):
            return False
        self.in_flight += 1
        self._moved_at = now
        return True

    async def enter(self, deadline: float) -> None:
        """A slot, in the order of asking. Overloaded or Throttled where it, and then the call,
        could not be had by `deadline`; DeadlineExceeded where that was a wrong guess."""
        now = self._clock()
        if self.try_enter(now):
            return
        self._check_in_time(now, deadline)
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        self._wake()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(f"{self._config}: no turn at its store until the deadline") from None
            raise

    def leave(self) -> None:
        """Give a slot back."""
        self.in_flight -= 1
        self._moved_at = self._clock()
        if self._waiters:
            self._wake()

    def answered(self, seconds: float) -> None:
        """A call took so long and was answered; slots that were taken away come back one by one."""
        self.seconds += (seconds - self.seconds) * (_WEIGHT if self.seconds else 1.0)
        if self._width < self._most:
            self._width = min(float(self._most), self._width + 1 / self._width)
            self._wake()

    def throttled(self, retry_after: float) -> None:
        """The store asks us to slow down: nothing new for a moment, then half as much at a
        time. Of answers to calls that were under way together one counts."""
        now = self._clock()
        if now >= self._held_until:
            self._width = max(1.0, min(self._width, self.in_flight) / 2)
        self._held_until = max(self._held_until, now + min(retry_after, LONGEST_HOLD))

    def dismiss(self, refusal: Callable[[], StorePluginError]) -> int:
        """Send everybody away who waits; how many these were."""
        dismissed = 0
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(refusal())
                dismissed += 1
        return dismissed

    def close(self) -> None:
        """Nobody who waits gets in any more."""
        self.dismiss(
            lambda: StoreUnavailable(f"{self._config}: its store is closed", retry_after=_SHORTEST_WAIT)
        )
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        """Let in whom there is a slot for, and come again when time lets in the next."""
        now = self._clock()
        while self._waiters and self.in_flight + 1 <= self._width:
            if (delay := self._delay(now)) > 0:
                self._timer = self._timer or self._loop.call_later(
                    max(delay, _SHORTEST_TIMER), self._wake_by_time
                )
                return
            waiter = self._waiters.popleft()
            if waiter.done():  # cancelled, and about to give up
                continue
            if self._bucket is not None:
                self._bucket.take(now)
            self.in_flight += 1
            self._moved_at = now
            waiter.set_result(None)

    def _wake_by_time(self) -> None:
        self._timer = None
        self._wake()

    def _give_up(self, waiter: "asyncio.Future[None]") -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not waiter.cancelled() and waiter.exception() is None:
            self.leave()

    def _delay(self, now: float, ahead: int = 0) -> float:
        """Seconds until time alone would let somebody in, after `ahead` others."""
        paced = 0.0 if self._bucket is None else self._bucket.delay(now, ahead)
        return max(self._held_until - now, paced, 0.0)

    def _check_in_time(self, now: float, deadline: float) -> None:
        waiting = len(self._waiters)
        wait = self._expected_wait(now)
        if waiting < self._most * WAITING_PER_SLOT and now + wait + self.seconds <= deadline:
            return
        again = min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)
        if now < self._held_until:
            raise Throttled(f"{self._config}: its store has asked us to slow down", retry_after=again)
        raise Overloaded(
            f"{self._config}: {self.in_flight} calls to its store are under way and {waiting} wait; "
            "this one would not be done in time",
            retry_after=again,
        )

    def _expected_wait(self, now: float) -> float:
        """Seconds until the next who asks would get a slot."""
        full = self.in_flight + 1 > self._width
        # Where nothing moves, each call under way takes at least as long as that.
        each = max(self.seconds, now - self._moved_at) if full else self.seconds
        ahead = len(self._waiters)
        return self._delay(now, ahead) + (ahead + full) / self._width * each
