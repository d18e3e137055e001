"""Something of asyncio behind the face of its twin for threads, so that one test proves both."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Awaited:
    """`make` is called on a loop of its own; the calls of what it makes run there to their end."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._runner = asyncio.Runner()

        async def made() -> Any:
            return make()

        self._made = self._runner.run(made())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._made, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return await method(*arguments, **options)

        return lambda *arguments, **options: self._runner.run(call(*arguments, **options))

    def __enter__(self) -> "Awaited":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._runner.close()
