"""Waiting for something to become true, with a deadline instead of a sleep."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within: float = 15.0) -> None:
    """Return once `condition` holds; fail after `within` seconds."""
    give_up = time.monotonic() + within
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"did not come true within {within} s")
        time.sleep(0.02)
