"""Who wants to be told: callbacks that can be taken back, shared by whatever announces."""

from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Subscribers(Generic[P]):
    """Callbacks in the order they came; one may leave while all are being told."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[P, None]] = {}

    def add(self, callback: Callable[P, None]) -> Callable[[], None]:
        """Returns how to stop, any number of times."""
        token = object()
        self._callbacks[token] = callback

        def stop() -> None:
            self._callbacks.pop(token, None)

        return stop

    def __iter__(self) -> Iterator[Callable[P, None]]:
        return iter(list(self._callbacks.values()))
