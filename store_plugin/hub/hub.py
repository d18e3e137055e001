"""A hub: listeners for plugins, their registry, and channels to them.

Runs inside any asyncio program: `async with Hub(...)`, then `hub.plugin("name")`.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2_grpc

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.hub.calling.channel import PluginChannel
from store_plugin.hub.calling.local import LocalInstance
from store_plugin.hub.entrance import Authenticate, Authorize, Entrance
from store_plugin.hub.health import Healthy
from store_plugin.hub.logs import Refusals
from store_plugin.hub.registry import Entry, Registry
from store_plugin.hub.service import Admit, Joined, PluginStreams
from store_plugin.hub.session import Noted
from store_plugin.hub.settings import HubSettings
from store_plugin.log import Logger, StandardLogger
from store_plugin.sockets import cannot_listen, private_umask, protect, remove_stale_socket
from store_plugin.stream.handlers import HandlerTable

_MOST_THREADS = 16
_LAST_WORDS = 0.5
"""Seconds, of a hub's grace, for the ends of streams to reach their plugins."""


@dataclass(frozen=True, slots=True)
class HubListener:
    """Where plugins may dial, and who may come in there. `credentials`: for TLS on TCP; `handlers`:
    what is served there besides PluginStream."""

    endpoint: Endpoint
    authenticate: Authenticate
    authorize: Authorize
    credentials: grpc.ServerCredentials | None = field(default=None, repr=False)
    socket_mode: int = 0o600
    socket_group: str | None = None
    handlers: "tuple[grpc.GenericRpcHandler[Any, Any], ...]" = ()

    @property
    def private(self) -> bool:
        """Whether nobody but the two ends can read its streams: TLS, or an owner-only socket."""
        owner_only = self.endpoint.transport is Transport.PATH and not self.socket_mode & 0o077
        return self.credentials is not None or owner_only


class Hub:
    """Belongs to one event loop; `start` it there, and `stop` it.

    Logs go to `logging.getLogger("store_plugin.hub")` where no logger is given.
    """

    def __init__(
        self,
        listeners: Sequence[HubListener],
        log: Logger | None = None,
        settings: HubSettings | None = None,
        *,
        registry: Registry | None = None,
        admit: Admit = lambda peer: None,
        joined: Joined = lambda peer: None,
        noted: Noted = lambda peer, method, keys: None,
    ) -> None:
        self.settings = settings or HubSettings()
        if registry is None:  # an empty one is false
            registry = Registry(self.settings.limits, self.settings.on_duplicate)
        self.registry = registry
        self._listeners = listeners
        self._log = log or StandardLogger("store_plugin.hub")
        self._refusals = Refusals(registry, self._log)
        self._streams = PluginStreams(
            registry, self.settings, self._log, self._refusals, admit, joined, noted
        )
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "local-plugin")
        """Starts none until a plain function is called."""
        self._servers: list[grpc.aio.Server] = []
        self._endpoints: list[Endpoint] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens once it has started, in the order of its listeners: with the ports that
        it got where they asked for port 0."""
        return tuple(self._endpoints)

    def plugin(self, name: str) -> PluginChannel:
        """A gRPC channel to the plugin of that name, whether it is connected now or not."""
        return PluginChannel(self.registry, name)

    def register(self, name: str, provider: HandlerTable) -> Entry:
        """Put servicers of this process under a name, as if they had connected: what
        `add_XServicer_to_server(servicer, provider)` was called with. The name is theirs alone until
        `registry.remove` of the entry: plugins that have it finish their calls, others are refused.
        AlreadyConnected where the hub keeps the first of a name."""

        def replaced() -> None:
            self.registry.remove(entry, "another provider of this process has its name")

        instance = LocalInstance(name, provider, self._threads, self._log)
        entry = self.registry.add(instance, replaced)
        return entry

    @property
    def dropped_replies(self) -> int:
        """Replies of plugins that no call waited for: late, doubled, or made up."""
        return self._streams.dropped

    async def start(self) -> None:
        """Listen. InvalidRequest where an endpoint is taken or cannot be bound: then nothing listens."""
        try:
            for listener in self._listeners:
                await self._listen(listener)
        except BaseException:
            await self._close()
            raise
        self._watching = asyncio.create_task(self._streams.watch(), name="hub heartbeats")

    async def stop(self, grace: float = 20.0) -> None:
        """Take no more plugins, let calls under way finish, close: all within `grace` seconds, the last
        half of one for telling plugins the end, or half of a grace that is shorter than one."""
        if self._watching is not None:
            self._watching.cancel()
        # Nobody new comes in before those who are there are told to go: they dial again at once, and a
        # connection that is half made when its listener goes can end the process (docs/decisions/0052).
        closing = asyncio.gather(*(server.stop(grace) for server in self._servers))
        last_words = min(_LAST_WORDS, grace / 2)
        try:
            await self._streams.drain(grace - last_words)
        finally:
            await self._close(last_words)
            await closing

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _listen(self, listener: HubListener) -> None:
        with private_umask():
            server, endpoint = self._server(listener)
        await server.start()
        self._servers.append(server)
        if listener.endpoint.transport is Transport.PATH:
            protect(Path(listener.endpoint.address), listener.socket_mode, listener.socket_group)
        self._endpoints.append(endpoint)
        self._log.info("hub listening", endpoint=str(endpoint))

    async def _close(self, grace: float = _LAST_WORDS) -> None:
        if self._watching is not None:
            await asyncio.wait((self._watching,))
        await asyncio.gather(*(server.stop(grace) for server in self._servers))
        await self._streams.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _server(self, listener: HubListener) -> tuple[grpc.aio.Server, Endpoint]:
        server = grpc.aio.server(options=self._options())
        entrance = Entrance(listener.authenticate, listener.authorize, listener.private)
        handlers: Any = self._streams.handlers(entrance)
        server.add_generic_rpc_handlers((*handlers, *listener.handlers))
        health = Healthy(listener.authenticate, self._refusals)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        address = listener.endpoint.listen_address
        if listener.endpoint.transport is Transport.PATH:
            remove_stale_socket(Path(listener.endpoint.address))
        try:
            if listener.credentials is None:
                bound = server.add_insecure_port(address)
            else:
                bound = server.add_secure_port(address, listener.credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            raise cannot_listen(listener.endpoint)
        return server, _bound(listener.endpoint, bound)

    def _options(self) -> list[tuple[str, Any]]:
        most = self.settings.max_message_bytes
        return [
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", most),
            ("grpc.so_reuseport", 0),
            UNCOMPRESSED,
            ("grpc.max_connection_idle_ms", int(self.settings.max_connection_idle * 1000)),
            # Plugins behind proxies ping as they like.
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ("grpc.http2.max_ping_strikes", 0),
        ]


def _bound(endpoint: Endpoint, port: int) -> Endpoint:
    if endpoint.transport is not Transport.TCP:
        return endpoint
    return replace(endpoint, address=f"{endpoint.address.rpartition(':')[0]}:{port}")
