"""Secret IDs that came wrapped. A wrapping token works once, so what was in it is kept: for
later logins, for the store that follows when its config changes, and for other configs with
the same token."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

_MOST = 256


class SecretIds:
    """What was unwrapped in this process, by wrapping token; beyond 256 the oldest goes."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], str] = {}
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def unwrapped(self, server: str, token: str, unwrap: Callable[[], Awaitable[str]]) -> str:
        """What is in `token`, with one `unwrap` however many ask. Raises what that raises."""
        key = (server, token)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            if key not in self._held:
                self._held[key] = await unwrap()
                if len(self._held) > _MOST:
                    self._held.pop(next(iter(self._held)))
            return self._held[key]
