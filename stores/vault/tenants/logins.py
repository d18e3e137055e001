"""The open stores of tenants: one a scope, each with a login of its own, and only so many.

The one used longest ago makes room for the next; one that nobody has used for a while is
closed, and its token revoked with it. One that is in use is never closed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from store_plugin.errors import Overloaded, StoreUnavailable
from stores.vault.store import VaultStore

MOST_LOGINS = 100
"""Scopes that are logged in at the same time."""
IDLE_SECONDS = 600.0

OpenTenant = Callable[[str], VaultStore]
"""A store that logs in as the role of a scope, with its first request."""


@dataclass(slots=True)
class _Tenant:
    store: VaultStore
    users: int = 0
    idle_since: float = 0.0


class Logins:
    """The tenants' stores by scope. Owns the tasks that close them."""

    def __init__(
        self, open_tenant: OpenTenant, *, most: int = MOST_LOGINS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = open_tenant
        self._most = most
        self._idle_seconds = idle_seconds
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        """The one used last is at the end."""
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @contextmanager
    def use(self, scope: str) -> Iterator[VaultStore]:
        """The store of a scope. Overloaded where all that may be are in use."""
        tenant = self._enter(scope)
        try:
            yield tenant.store
        finally:
            tenant.users -= 1
            tenant.idle_since = self._loop.time()
            if self._timer is None and not self._closed:
                self._timer = self._loop.call_later(self._idle_seconds, self._sweep)

    def __len__(self) -> int:
        return len(self._tenants)

    async def aclose(self) -> None:
        """Close all, also those in use."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        while self._tenants:
            self._close(next(iter(self._tenants)))
        if self._closing:
            await asyncio.wait(self._closing)

    def _enter(self, scope: str) -> _Tenant:
        if self._closed:
            raise StoreUnavailable("the store has been closed; its config has changed or is gone")
        if scope not in self._tenants:
            self._make_room()
            self._tenants[scope] = _Tenant(self._open(scope))
        self._tenants.move_to_end(scope)
        tenant = self._tenants[scope]
        tenant.users += 1
        return tenant

    def _make_room(self) -> None:
        if len(self._tenants) < self._most:
            return
        for scope, tenant in self._tenants.items():
            if not tenant.users:
                self._close(scope)
                return
        raise Overloaded(
            f"{self._most} scopes are in use at once, and each has a login of its own; try again",
            retry_after=1.0,
        )

    def _sweep(self) -> None:
        """Close what is idle for too long, and come again when the next one will be."""
        self._timer = None
        now = self._loop.time()
        idle = {scope: tenant.idle_since for scope, tenant in self._tenants.items() if not tenant.users}
        for scope, since in idle.items():
            if since + self._idle_seconds <= now:
                self._close(scope)
        waiting = [since for scope, since in idle.items() if scope in self._tenants]
        if waiting:
            self._timer = self._loop.call_at(min(waiting) + self._idle_seconds, self._sweep)

    def _close(self, scope: str) -> None:
        task = self._loop.create_task(self._tenants.pop(scope).store.aclose(), name="vault tenant")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
