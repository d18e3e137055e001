"""One client, and so one channel, for each endpoint that StoreConfigs name.

Any number of StoreConfigs and calls share it. It is made with the first call and kept;
when nobody has called for long, it is closed and made anew when somebody does.
"""

import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from store_plugin.client import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, AsyncClient, Client
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.running import run_now, settled

DEFAULT_MAX_IDLE = 600.0

ClientT = TypeVar("ClientT", Client, AsyncClient)


@dataclass(slots=True)
class _Pooled(Generic[ClientT]):
    client: ClientT
    used: float


class _Pool(Generic[ClientT]):
    """Options: those of a client. `certs_dir` and `server_name` count for TCP only, so that
    one pool serves StoreConfigs of both kinds. `max_idle`: seconds after its last use that
    a client is kept (the next call to any endpoint closes it); never less than twice the
    timeout, so that no call is under way."""

    _make: Callable[..., ClientT]

    def __init__(
        self,
        *,
        certs_dir: str | Path | None = None,
        server_name: str | None = None,
        token_file: str | Path | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        max_idle: float = DEFAULT_MAX_IDLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certs_dir = certs_dir
        self._server_name = server_name
        self._token_file = token_file
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._max_idle = max(max_idle, 2 * timeout)
        self._clock = clock
        self._lock = threading.Lock()
        self._pooled: dict[Endpoint, _Pooled[ClientT]] = {}
        self._closed = False

    async def client(self, endpoint: str) -> ClientT:
        """The client of an endpoint, however it is spelled. It is not to be closed.

        InvalidRequest for one that is no endpoint, or that lacks the certificates it needs.
        """
        place = Endpoint.parse(endpoint)
        with self._lock:
            if self._closed:
                raise RuntimeError("the manager is closed")
            if place not in self._pooled:
                self._pooled[place] = _Pooled(self._made(place), 0)
            self._pooled[place].used = self._clock()
            client, idle = self._pooled[place].client, self._take_idle()
        await _close(idle)
        return client

    async def _close_all(self) -> None:
        with self._lock:
            clients, self._closed = [pooled.client for pooled in self._pooled.values()], True
            self._pooled.clear()
        await _close(clients)

    def _made(self, place: Endpoint) -> ClientT:
        over_tcp = place.transport is Transport.TCP
        return self._make(
            place,
            certs_dir=self._certs_dir if over_tcp else None,
            server_name=self._server_name if over_tcp else None,
            token_file=self._token_file,
            timeout=self._timeout,
            connect_timeout=self._connect_timeout,
        )

    def _take_idle(self) -> list[ClientT]:
        oldest = self._clock() - self._max_idle
        idle = [place for place, pooled in self._pooled.items() if pooled.used < oldest]
        return [self._pooled.pop(place).client for place in idle]


class ClientPool(_Pool[Client]):
    """Clients for threads."""

    _make = Client

    def close(self) -> None:
        """Close all of them; calls under way end with Cancelled. For good."""
        run_now(self._close_all())


class AsyncClientPool(_Pool[AsyncClient]):
    """Clients for asyncio."""

    _make = AsyncClient

    async def close(self) -> None:
        """Close all of them; calls under way end with Cancelled. For good."""
        await self._close_all()


async def _close(clients: list[ClientT]) -> None:
    for client in clients:
        closing: Callable[[], Awaitable[None] | None] = client.close
        await settled(closing())
