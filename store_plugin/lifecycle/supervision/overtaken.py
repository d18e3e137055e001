"""Work that is given up as soon as something else is asked for: a start may take minutes, and
neither the end of the sidecar nor a person's next wish shall wait for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Overtaken(Exception):
    """Something else is asked for."""


async def unless(other: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; Overtaken where `other` returns first. Both have ended then."""
    doing = asyncio.create_task(work, name="plugin start")
    overtaking = asyncio.create_task(other, name="plugin overtaken")
    try:
        await asyncio.wait((doing, overtaking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        overtaking.cancel()
        doing.cancel()  # nothing where it is done
        await asyncio.wait((doing, overtaking))
    if doing.cancelled():
        raise Overtaken
    return doing.result()
