"""What happens in a registry, for metrics, audit and Kubernetes events: told, never waited for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

MOST_WAITING = 1024
"""Events that one listener may be behind; of more it loses the oldest."""


class EventKind(StrEnum):
    """What happened to a plugin instance."""

    CONNECTED = "connected"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RegistryEvent:
    """One event. `why` tells of a refusal or an end; it holds no secret."""

    kind: EventKind
    name: str
    instance_id: str = ""
    version: str = ""
    user: str = ""
    why: str = ""
    drained: bool = False
    """Whether one that is gone had been asked to go."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Events:
    """Passes events on to those who listen."""

    def __init__(self) -> None:
        self._listeners: set[Listening] = set()

    def tell(self, event: RegistryEvent) -> None:
        for listener in self._listeners:
            listener.take(event)

    def listen(self) -> "Listening":
        """All events from now on; `close` it, or leave its `with` block, when done."""
        listening = Listening(self._listeners.discard)
        self._listeners.add(listening)
        return listening


class Listening(AsyncIterator[RegistryEvent]):
    """An async iterator over events; ends after `close`."""

    def __init__(self, forget: Callable[["Listening"], None]) -> None:
        self.missed = 0
        """Events lost because nobody took them in time."""
        self._forget = forget
        self._events: deque[RegistryEvent] = deque()
        self._more = asyncio.Event()
        self._closed = False

    def take(self, event: RegistryEvent) -> None:
        if len(self._events) >= MOST_WAITING:
            self._events.popleft()
            self.missed += 1
        self._events.append(event)
        self._more.set()

    def close(self) -> None:
        """Let the iteration end after what came until now."""
        self._forget(self)
        self._closed = True
        self._more.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> RegistryEvent:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._more.clear()
            await self._more.wait()
        return self._events.popleft()
