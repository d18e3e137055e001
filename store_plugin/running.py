"""One logic for threads and for asyncio.

What operators publish with are coroutines over ports whose answers are there at once
(threads) or are awaited (asyncio). Where every answer is there at once the coroutine
never waits, so it can be run to its end without an event loop.
"""

from collections.abc import Awaitable, Coroutine
from inspect import isawaitable
from typing import TypeVar, cast

ResultT = TypeVar("ResultT")


async def settled(answer: ResultT | Awaitable[ResultT]) -> ResultT:
    """The answer of a port: awaited where it has to be."""
    if isawaitable(answer):
        return await answer
    return answer


def run_now(work: Coroutine[object, None, ResultT]) -> ResultT:
    """The result of a coroutine whose ports all answer at once. TypeError where one of
    them wants to be awaited: it belongs to asyncio."""
    try:
        work.send(None)
    except StopIteration as ended:
        return cast(ResultT, ended.value)
    finally:
        work.close()
    raise TypeError("a part made for asyncio was given to a manager for threads: use AsyncDetailsManager")
