"""A token bucket: so many calls a second, and so many at once after a rest."""

import asyncio

_ROUNDING = 1e-9


class TokenBucket:
    """Starts full, holds at most `burst` tokens and gains `rate` a second. Times are of the
    caller's clock, in seconds."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = self._burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        self._fill(now)
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True

    def delay(self, now: float, ahead: int = 0) -> float:
        """Seconds until there is a token for whoever comes after `ahead` others."""
        self._fill(now)
        return max(0.0, (1 - _ROUNDING + ahead - self._tokens) / self._rate)

    def _fill(self, now: float) -> None:
        gained = (now - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + max(0.0, gained))
        self._filled_at = now


async def turn(bucket: TokenBucket) -> None:
    """Wait for a token of a bucket whose clock is that of the running loop, and take it."""
    loop = asyncio.get_running_loop()
    while not bucket.take(loop.time()):  # noqa: ASYNC110 # time is what is waited for
        await asyncio.sleep(bucket.delay(loop.time()))
