"""Waiting for something to become true, with a deadline instead of a sleep."""

import asyncio
import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within: float = 40.0) -> None:
    """Return once `condition` holds; fail after `within` seconds."""
    give_up = time.monotonic() + within
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"did not come true within {within} s")
        time.sleep(0.02)


async def until(condition: Callable[[], object], within: float = 40.0) -> None:
    """The same on the event loop, which has all its turns meanwhile. TimeoutError."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
