"""Gives memory back to the system after a burst.

glibc keeps what thousands of connections needed; asked to, it returns it. Where the C
library is another one, nothing is asked.
"""

import asyncio
import ctypes

TRIM_EVERY = 15.0
"""Seconds between two requests to give memory back; one takes a few milliseconds on a
thread of its own."""


_M_ARENA_MAX = -8
"""glibc's number of this parameter of mallopt."""
_MOST_ARENAS = 2


def share_arenas() -> None:
    """Have all threads allocate from a few arenas. By default a thread that meets another one in
    malloc gets an arena of its own, so memory would depend on how busy the machine is."""
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, _MOST_ARENAS)


async def trim_memory_forever() -> None:
    """Ask again and again, until cancelled."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return
    while True:
        await asyncio.sleep(TRIM_EVERY)
        await asyncio.to_thread(trim, 0)
