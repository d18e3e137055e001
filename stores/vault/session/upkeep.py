"""Has a token renewed in time while no request comes: one that nobody could replace."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from store_plugin.errors import StorePluginError
from store_plugin.store import Logger
from stores.vault.session.token import SHORTEST_SECONDS, Token

_LATEST = 1 / 4
"""Of the time that is left from when on a token is to be renewed: many who hold tokens of one
age do not come at once."""


class Upkeep:
    """A timer, and the one task that it starts. The owner calls `aclose`.

    `renew` returns the token that is there then, renewed where it was time. Where it fails
    nothing more happens until `plan` is called again: the token is lost, and the next request
    tells why.
    """

    def __init__(
        self,
        renew: Callable[[], Awaitable[Token]],
        log: Logger,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._renew = renew
        self._log = log
        self._clock = clock
        self._jitter = jitter
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def plan(self, token: Token) -> None:
        """Come back when it is to be renewed; a token that cannot be, or lives for ever, ends this."""
        if token.grant.renewable and token.expires_at < float("inf"):
            late = max(0.0, token.expires_at - token.refresh_at) * _LATEST * self._jitter()
            self.come_in(max(SHORTEST_SECONDS, token.refresh_at + late - self._clock()))
        else:
            self._stop()

    def come_in(self, seconds: float) -> None:
        """Then, and not when it was planned before."""
        self._stop()
        if not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    async def aclose(self) -> None:
        self._closed = True
        self._stop()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._once(), name="vault token upkeep")

    async def _once(self) -> None:
        try:
            self.plan(await self._renew())
        except StorePluginError as error:
            if not self._closed:
                self._log.warning("vault_token_not_kept", error=error.message)
