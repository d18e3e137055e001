"""A plugin: any generated servicers, served over streams to one or more hubs."""

import asyncio
import signal
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest, NotReachable
from store_plugin.log import Logger, StandardLogger
from store_plugin.plugin.checking import Check, add_check
from store_plugin.plugin.descriptors import Descriptors
from store_plugin.plugin.dialing import Door, Tls, addresses
from store_plugin.plugin.link import Link
from store_plugin.plugin.links import Links
from store_plugin.plugin.serving import HubStream, Wire
from store_plugin.plugin.tokens import TokenSource
from store_plugin.stream import frames
from store_plugin.stream.features import ALL
from store_plugin.stream.handlers import HandlerTable, MethodHandler
from store_plugin.stream.invocation import Invoker

if TYPE_CHECKING:
    from store_plugin.plugin.store_serving import StoreServing
    from store_plugin.store import StoreFactory

RESOLVE_SECONDS = 30.0
"""How often the hub's name is looked up again."""
UNRESOLVED_SECONDS = 1.0
"""The same while it has no address."""
STOP_GRACE = 20.0
"""Seconds for calls under way when the plugin stops."""


class Plugin:
    """Give it to `add_XServicer_to_server` of any generated code, then `run` it.

    `concurrency`: calls that run at a time on one stream. Plain (not async) methods run in
    threads, as many as that. Logs go to `logging.getLogger("store_plugin.plugin")` where no
    logger is given.
    """

    def __init__(
        self,
        name: str,
        version: str,
        *,
        instance_id: str | None = None,
        concurrency: int = 64,
        log: Logger | None = None,
    ) -> None:
        if not frames.is_plugin_name(name):
            raise InvalidRequest(f"{name!r} is no name for a plugin: write a DNS label")
        self.name = name
        self.version = version
        self.instance_id = instance_id or uuid.uuid4().hex[:12]
        self.table = HandlerTable()
        Descriptors(self.table).add_to(self.table)
        self.kinds: list[proto.PluginKind] = []
        self._concurrency = concurrency
        self._log = log or StandardLogger("store_plugin.plugin")
        self._stopping = asyncio.Event()
        self._streams: set[HubStream] = set()
        self._stores: StoreServing | None = None

    def add_generic_rpc_handlers(self, handlers: Sequence["grpc.GenericRpcHandler[Any, Any]"]) -> None:
        """Called by generated code."""
        self.table.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, MethodHandler]) -> None:
        """Called by newer generated code."""
        self.table.add_registered_method_handlers(service, handlers)

    def serve_store(self, factory: "StoreFactory[Any]", *, api_version: str, kind: str) -> None:
        """Serve a kind of store config: `kind` of `api_version` (GROUP/VERSION), as `factory`
        opens it. InvalidRequest where its model has no schema that Kubernetes takes."""
        # pydantic comes with stores only: plugins of other services go without.
        from store_plugin.plugin.store_serving import StoreServing

        if self._stores is None:
            self._stores = StoreServing(self._log)
            self._stores.add_to(self.table)
        self.kinds.append(self._stores.add(factory, api_version, kind))

    def on_check(self, check: Check) -> Check:
        """Have `check` say whether this plugin is well, by raising where it is not. It is asked
        before this version takes calls from another one. Also a decorator."""
        add_check(check, self.table)
        return check

    @property
    def connected(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    async def run(
        self,
        endpoint: str,
        *,
        token: TokenSource | None = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        server_name: str | None = None,
        signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    ) -> None:
        """Connect and serve until `stop` or a signal; reconnects for ever.

        `endpoint` as everywhere (`unix:///@name`, `unix:///path`, `https://host:port`,
        `dns:///host:port` without TLS); a host with several addresses gets a stream each.
        InvalidRequest where the arguments cannot work together.
        """
        door = _door(endpoint, token, ca, certificate, key, server_name)
        loop = asyncio.get_running_loop()
        watched = list(signals)
        for number in watched:
            loop.add_signal_handler(number, self.stop)
        with ThreadPoolExecutor(self._concurrency, "plugin-method") as threads:
            try:
                await self._keep_connected(door, Invoker(threads, self._log))
            finally:
                if self._stores is not None:
                    await self._stores.aclose()
                for number in watched:
                    loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Have `run` finish calls under way and return."""
        self._stopping.set()

    async def _keep_connected(self, door: Door, invoker: Invoker) -> None:
        """One link per address of the hub, for as long as it has that address."""

        def make_stream(wire: Wire, hub: str, acknowledges: bool) -> HubStream:
            return HubStream(
                wire,
                self.table,
                invoker,
                self._log,
                hub=hub,
                concurrency=self._concurrency,
                acknowledges=acknowledges,
            )

        links = Links(lambda target: Link(target, door, make_stream, self._streams, self._log))
        try:
            while not self._stopping.is_set():
                links.follow(await self._resolved(door, links.targets), self._registration())
                with suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._stopping.wait(), RESOLVE_SECONDS if links.targets else UNRESOLVED_SECONDS
                    )
            await asyncio.gather(*(stream.finish(STOP_GRACE) for stream in tuple(self._streams)))
        finally:
            await links.aclose()

    async def _resolved(self, door: Door, before: Sequence[str]) -> Sequence[str]:
        try:
            return await addresses(door.endpoint)
        except NotReachable as error:
            self._log.warning("hub not found", error=error.message)
            return before

    def _registration(self) -> frames.Frame:
        return frames.register(
            self.name,
            self.version,
            instance_id=self.instance_id,
            features=ALL,
            services=self.table.services,
            kinds=self.kinds,
        )


def _door(
    endpoint: str,
    token: TokenSource | None,
    ca: str | Path | None,
    certificate: str | Path | None,
    key: str | Path | None,
    server_name: str | None,
) -> Door:
    parsed = Endpoint.parse(endpoint)
    if (certificate is None) != (key is None):
        raise InvalidRequest("certificate and key belong together: give both or none")
    secure = endpoint.startswith("https://") or ca is not None or certificate is not None
    if secure and parsed.transport is not Transport.TCP:
        raise InvalidRequest(f"{endpoint} is a socket: it takes no certificates")
    tls = Tls(_path(ca), _path(certificate), _path(key), server_name) if secure else None
    return Door(parsed, tls, token)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
