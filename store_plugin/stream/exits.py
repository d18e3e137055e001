"""Foreign code that would end the process ends its own work only.

asyncio lets SystemExit out of whatever task it is raised in, and the event loop ends with it; of other
exceptions that are no `Exception`, nobody who waits is told.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_OF_OTHERS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)
"""Raised into the code, and not by it: whoever did that is to have them back."""


@contextmanager
def contained() -> Iterator[None]:
    """Make a RuntimeError of what is raised in the block and is no `Exception`, but for what
    cancels the block, closes it, or interrupts the process."""
    try:
        yield
    except (Exception, *_OF_OTHERS):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__} was raised, which ends a process") from error
