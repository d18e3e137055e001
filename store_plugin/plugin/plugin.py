"""A plugin: any generated servicers, served over streams to one or more hubs."""

import asyncio
import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.enrolment import TRIAL_VARIABLE
from store_plugin.errors import InvalidRequest, StorePluginError
from store_plugin.log import Logger, StandardLogger
from store_plugin.plugin.checking import Check, add_check
from store_plugin.plugin.connecting.dialing import Door, door_to
from store_plugin.plugin.connecting.following import Following
from store_plugin.plugin.connecting.link import Link
from store_plugin.plugin.connecting.links import Links
from store_plugin.plugin.connecting.membership import Invitation, Membership
from store_plugin.plugin.descriptors import Descriptors
from store_plugin.plugin.manifest import DESCRIBE, manifest
from store_plugin.plugin.serving import HubStream, Wire
from store_plugin.plugin.tokens import TokenSource
from store_plugin.plugin.usage import HELP, HUB, usage
from store_plugin.stream import frames
from store_plugin.stream.features import ALL
from store_plugin.stream.handlers import HandlerTable, MethodHandler
from store_plugin.stream.invocation import Invoker

if TYPE_CHECKING:
    from store_plugin.plugin.store_serving import StoreServing
    from store_plugin.store import StoreFactory

STOP_GRACE = 20.0
"""Seconds for calls under way when the plugin stops."""
ENDING = (signal.SIGTERM, signal.SIGINT)
"""Signals that have a plugin finish its calls and end."""


class Plugin:
    """Give it to `add_XServicer_to_server` of any generated code, then `run` it.

    `concurrency`: calls that run at a time on one stream. Plain (not async) methods run in
    threads, as many as that. Logs go to `logging.getLogger("store_plugin.plugin")` where no
    logger is given. `arguments`: those that it may be registered with, for `describe`.
    """

    def __init__(
        self,
        name: str,
        version: str,
        *,
        instance_id: str | None = None,
        concurrency: int = 64,
        log: Logger | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        if not frames.is_plugin_name(name):
            raise InvalidRequest(f"{name!r} is no name for a plugin: write a DNS label")
        self.name = name
        self.version = version
        self.instance_id = instance_id or uuid.uuid4().hex[:12]
        self.table = HandlerTable()
        Descriptors(self.table).add_to(self.table)
        self.kinds: list[proto.PluginKind] = []
        self._arguments = tuple(arguments)
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

    def serve_store(
        self, factory: "StoreFactory[Any]", *, api_version: str, kind: str, plural: str = ""
    ) -> None:
        """Serve a kind of store config: `kind` of `api_version` (GROUP/VERSION), as `factory`
        opens it. `plural`: of its CRD, where that is not the kind in lower case and an s.
        InvalidRequest where its model has no schema that Kubernetes takes."""
        # pydantic comes with stores only: plugins of other services go without.
        from store_plugin.plugin.store_serving import StoreServing

        if self._stores is None:
            self._stores = StoreServing(self._log)
            self._stores.add_to(self.table)
        self.kinds.append(self._stores.add(factory, api_version, kind, plural))

    def on_check(self, check: Check) -> Check:
        """Have `check` say whether this plugin is well, by raising where it is not. It is asked
        before this version takes calls from another one. Also a decorator."""
        add_check(check, self.table)
        return check

    def describe(self) -> dict[str, Any]:
        """What it is and serves, as a JSON object."""
        return manifest(
            self.name,
            self.version,
            kinds=self.kinds,
            services=self.table.services,
            arguments=self._arguments,
        )

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """What an executable does that a sidecar runs, or `store-plugin plugin run --dev`: print
        `describe` where it is asked to (`--describe`), or how it is used (`--help`), else `run`
        where its environment says, or its arguments (`--hub ENDPOINT`), log to stderr, and exit.
        `arguments`: those of the command line."""
        given = list(sys.argv[1:] if arguments is None else arguments)
        if DESCRIBE in given:
            print(json.dumps(self.describe(), indent=2))
            return
        if HELP in given:
            print(usage(self.name, self.version, self.kinds), end="")
            return
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
        try:
            asyncio.run(self.run(_hub_in(given) or os.environ.get(TRIAL_VARIABLE)))
        except StorePluginError as error:
            sys.exit(f"{self.name}: {error.message}")

    @property
    def connected(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    async def run(
        self,
        endpoint: str | None = None,
        *,
        token: TokenSource | None = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        server_name: str | None = None,
        signals: Iterable[signal.Signals] = ENDING,
    ) -> None:
        """Connect and serve until `stop` or a signal; reconnects for ever.

        Without `endpoint`: as `run_enrolled`. `endpoint` as everywhere (`unix:///@name`,
        `unix:///path`, `https://host:port`, `dns:///host:port` without TLS); a host with several
        addresses gets a stream each.
        InvalidRequest where the arguments cannot work together.
        """
        if endpoint is not None:
            await self._serve(door_to(endpoint, token, ca, certificate, key, server_name), signals)
            return
        if any(given is not None for given in (token, ca, certificate, key, server_name)):
            raise InvalidRequest("certificates and tokens are for an endpoint: give one")
        await self.run_enrolled(signals=signals)

    async def run_enrolled(
        self,
        environ: MutableMapping[str, str] = os.environ,
        *,
        signals: Iterable[signal.Signals] = ENDING,
    ) -> None:
        """Run as a process that a sidecar has started: with the certificate that the token in its
        environment gets, and those that follow. InvalidRequest where there is no token;
        PluginRefused, NotReachable where it gets none, or it ends and no other is to be had."""
        membership = await Membership.begun(Invitation.taken_from(environ), self.name, self._log)
        self.instance_id = membership.instance_id
        renewing = asyncio.create_task(self._renewed(membership), name="plugin certificate")
        try:
            await self._serve(membership.door, signals)
        finally:
            renewing.cancel()
            await asyncio.wait((renewing,))
        if not renewing.cancelled():
            renewing.result()

    def stop(self) -> None:
        """Have `run` finish calls under way and return."""
        self._stopping.set()

    async def _renewed(self, membership: Membership) -> None:
        try:
            await membership.keep(self._come_again)
        finally:
            self.stop()  # nobody lets us in any more

    def _come_again(self) -> None:
        """Have another stream in the place of each, which goes on until the hub has that one."""
        for stream in self._streams:
            stream.draining.set()

    async def _serve(self, door: Door, signals: Iterable[signal.Signals]) -> None:
        loop = asyncio.get_running_loop()
        watched = list(signals)
        for number in watched:
            loop.add_signal_handler(number, self.stop)
        threads = ThreadPoolExecutor(self._concurrency, "plugin-method")
        try:
            await self._keep_connected(door, Invoker(threads, self._log))
        finally:
            # Not waited for: a method that hangs would hold up the loop, and all else on it.
            threads.shutdown(wait=False, cancel_futures=True)
            if self._stores is not None:
                await self._stores.aclose()
            for number in watched:
                loop.remove_signal_handler(number)

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

        def make_link(target: str) -> Link:
            return Link(target, door, make_stream, self._streams, following.lost, self._log)

        links = Links(make_link)
        following = Following(door, links, self._registration, self._log)
        looking = asyncio.create_task(following.run(), name="hub addresses")
        stopping = asyncio.create_task(self._stopping.wait(), name="plugin stop")
        try:
            await asyncio.wait((looking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if looking.done():  # which is a mistake of ours
                looking.result()
            links.retire()
            await asyncio.gather(*(stream.finish(STOP_GRACE) for stream in tuple(self._streams)))
        finally:
            for task in (looking, stopping):
                task.cancel()
            await links.aclose()
            await asyncio.wait((looking, stopping))

    def _registration(self) -> frames.Frame:
        return frames.register(
            self.name,
            self.version,
            instance_id=self.instance_id,
            features=ALL,
            services=self.table.services,
            kinds=self.kinds,
        )


def _hub_in(arguments: Sequence[str]) -> str | None:
    """What follows `--hub`. InvalidRequest where nothing does."""
    if HUB not in arguments:
        return None
    following = arguments[arguments.index(HUB) + 1 :]
    if not following:
        raise InvalidRequest(f"{HUB} needs an endpoint, such as unix:///run/store-plugin/hub.sock")
    return following[0]
