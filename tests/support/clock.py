"""A clock that stands still until somebody sleeps, for tests of waiting and deadlines."""


class FakeClock:
    """Pass `clock` and `clock.sleep` where a loop's time and `asyncio.sleep` are wanted."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
