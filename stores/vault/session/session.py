"""The life of a store's one token: login, renewal, replacement, end.

Everything begins with a request that needs a token, so an idle store causes no traffic. Only a
token that somebody else made, and that can be renewed, is kept alive without one: once it has
ended no login brings another.

However many requests need one at the same time, one login serves them all. It is a task of
the session and not of a request: a request whose deadline is shorter than a login leaves
the token to the next one, instead of a token at the server that nobody knows.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace

from hvac.api.auth_methods import Token as TokenApi

from store_plugin.errors import (
    DeadlineExceeded,
    InvalidRequest,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.store import Logger
from stores.vault.adapter import VaultAdapter, base_headers
from stores.vault.auth import AuthMethod, Grant
from stores.vault.auth.advice import refused_login
from stores.vault.auth.grant import granted
from stores.vault.auth.token import lacks_lookup
from stores.vault.http.transport import Transport
from stores.vault.session.backoff import Backoff
from stores.vault.session.shared import SharedAttempt
from stores.vault.session.token import SHORTEST_SECONDS, Token, started
from stores.vault.session.upkeep import Upkeep

_POSTPONED_BY = 1 / 4
_REST_SECONDS = 1.0
"""How long after a replacement another one is not tried."""
_LOGIN_SECONDS = 60.0
"""Bounds a login beyond the timeout of its request: the credentials are read before it."""
_ALIVE_SECONDS = 1.0
"""How long a token that the server knew is not asked about again."""
_CLOSE_SECONDS = 2.0


class Session:
    """One token for all requests of a store."""

    def __init__(
        self,
        method: AuthMethod,
        transport: Transport,
        *,
        namespace: str,
        login_namespace: str,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._method = method
        self._transport = transport
        self._headers = base_headers(namespace)
        self._login_headers = base_headers(login_namespace)
        self._log = log
        self._clock = clock
        self._turn = asyncio.Lock()
        self._refreshing = SharedAttempt(self._turn)
        self._reviewing = SharedAttempt(self._turn)
        self._upkeep = Upkeep(self.token, log, clock, jitter)
        self._token: Token | None = None
        self._generation = 0
        self._backoff = Backoff(clock, jitter)
        self._review_again_at = self._alive_until = float("-inf")
        self._closed = False

    async def token(self) -> Token:
        """A token to send. LoginRefused, ConfigInvalid, StoreUnavailable, DeadlineExceeded."""
        while True:
            self._check_open()
            held, now = self._token, self._clock()
            if held and held.generation == self._generation:
                if now < held.refresh_at:
                    return held
                if now < held.expires_at and (held.uses.take() if held.uses else self._turn.locked()):
                    return held
            await self._refreshing.run(self._refresh)
            held = self._token
            if held and not held.uses:
                return held

    async def after_refusal(self, refused: Token) -> Token | None:
        """The token to try again with after a 403; None where it is the policy that says no.

        The token's own lookup tells one from the other, once for all who wait.
        """
        if refused.same_as(self._token):
            await self._reviewing.run(lambda: self._review(refused))
        return None if refused.same_as(self._token) else await self.token()

    def credentials_changed(self) -> None:
        """Forget a refusal, and a token that is itself one of the credentials."""
        self._backoff.reset()
        self._review_again_at = float("-inf")
        if not self._method.obtains:
            self._generation += 1
            if self._token:
                self._upkeep.come_in(0)

    async def aclose(self) -> None:
        """Revoke the token that was made for us, also by a login that is just under way,
        unless that takes too long. Never raises."""
        self._closed = True
        await self._upkeep.aclose()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._refreshing.ended()
                await self._reviewing.ended()
                await self._revoke()
        except (StorePluginError, TimeoutError) as error:
            self._log.warning("vault_token_not_revoked", error=str(error))
        finally:
            await self._refreshing.aclose()
            await self._reviewing.aclose()

    async def _revoke(self) -> None:
        held, self._token = self._token, None
        if not (held and self._method.obtains and held.grant.revocable):
            return
        if self._clock() >= held.expires_at:
            # Nothing is left to revoke.
            return
        if held.uses is None or held.uses.take():
            await TokenApi(self._adapter_for(held.grant.token)).revoke_self()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store has been closed; its config has changed or is gone")

    async def _refresh(self) -> None:
        held, now = self._token, self._clock()
        if held is None or held.generation != self._generation or now >= held.expires_at:
            self._hold(await self._login())
        elif held.uses:
            if held.uses.left <= 0:
                self._hold(await self._login())
        elif now >= held.refresh_at:
            self._hold(await self._prolonged(held, now))

    def _hold(self, token: Token) -> None:
        self._token = token
        if not self._method.obtains:
            self._upkeep.plan(token)

    async def _prolonged(self, held: Token, now: float) -> Token:
        try:
            return await self._renew(held)
        except StorePluginError as error:
            # It still works: the request goes on with it, and a later one tries again.
            self._log.warning("vault_token_not_renewed", error=error.message)
            pause = max(SHORTEST_SECONDS, (held.expires_at - now) * _POSTPONED_BY)
            return replace(held, refresh_at=now + pause)

    async def _renew(self, held: Token) -> Token:
        if not held.grant.renewable:
            return await self._login()
        try:
            renewed = granted(await TokenApi(self._adapter_for(held.grant.token)).renew_self())
        except (StoreDenied, InvalidRequest):
            # Revoked, or past its longest life.
            return await self._login()
        if self._method.obtains and renewed.ttl < held.grant.ttl / 2:
            # Its longest life is nearly over: renewing gives less and less.
            return await self._login()
        return self._started(held.grant, renewed.ttl, held.generation)

    async def _review(self, refused: Token) -> None:
        """Replace `refused` if it is dead; leave it where the policy denied the request."""
        if not refused.same_as(self._token) or await self._lives(refused):
            return
        if self._clock() >= self._review_again_at:
            # Right after a replacement the next one would not help: no storm of logins.
            self._review_again_at = self._clock() + _REST_SECONDS
            self._hold(await self._login())

    async def _lives(self, token: Token) -> bool:
        if self._clock() < self._alive_until:
            return True
        if token.uses and not token.uses.take():
            return False
        try:
            await TokenApi(self._adapter_for(token.grant.token)).lookup_self()
        except StoreDenied as denied:
            if not lacks_lookup(denied):
                return False
        self._alive_until = self._clock() + _ALIVE_SECONDS
        return True

    async def _login(self) -> Token:
        self._check_open()
        self._backoff.check()
        generation = self._generation
        try:
            grant = await self._granted()
        except StorePluginError as error:
            raise self._backoff.failed(refused_login(error, self._method)) from None
        self._backoff.reset()
        self._log.debug("vault_logged_in", ttl_seconds=grant.ttl, renewable=grant.renewable)
        self._alive_until = float("-inf")
        return self._started(grant, grant.ttl, generation)

    async def _granted(self) -> Grant:
        try:
            async with asyncio.timeout(_LOGIN_SECONDS):
                return await self._method.login(self._adapter_for)
        except TimeoutError:
            raise DeadlineExceeded(f"no login within {_LOGIN_SECONDS:.0f} seconds") from None

    def _started(self, grant: Grant, ttl: float, generation: int) -> Token:
        headers = {**self._headers, "X-Vault-Token": grant.token}
        return started(grant, ttl, generation, headers, self._clock())

    def _adapter_for(self, token: str) -> VaultAdapter:
        headers = {**self._login_headers, "X-Vault-Token": token} if token else self._login_headers
        return VaultAdapter(self._transport, headers)
