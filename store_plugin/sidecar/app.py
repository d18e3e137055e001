"""Puts the sidecar together, runs it, and takes it down in order.

The one place that composes: every part receives what it needs as arguments.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.config.kinds import Kinds
from store_plugin.config.source import ConfigSource
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.engine import LocationLocks
from store_plugin.errors import InvalidRequest
from store_plugin.sidecar.admin import AdminServer, View
from store_plugin.sidecar.call import Handler, Interceptor, compose
from store_plugin.sidecar.crds import bring_crds
from store_plugin.sidecar.fleet import AccessConfigWatch, fleet_of
from store_plugin.sidecar.interceptors.access_log import Strangers, access_log
from store_plugin.sidecar.interceptors.admission import Admission
from store_plugin.sidecar.interceptors.authentication import (
    Authenticate,
    anyone_local,
    authentication,
    bearer_of_token,
    holder_of_certificate,
)
from store_plugin.sidecar.interceptors.error_mapping import error_mapping
from store_plugin.sidecar.interceptors.metrics import measured
from store_plugin.sidecar.interceptors.request_id import request_id
from store_plugin.sidecar.listeners import Listener
from store_plugin.sidecar.logs import configure_logs
from store_plugin.sidecar.loop import Loop
from store_plugin.sidecar.memory import share_arenas, trim_memory_forever
from store_plugin.sidecar.metrics import Metrics
from store_plugin.sidecar.service import SecretStoreService
from store_plugin.sidecar.settings import Settings
from store_plugin.sidecar.sources import Opened, config_source
from store_plugin.sidecar.tokens import TokenFile
from store_plugin.store import Logger, served_kinds

if TYPE_CHECKING:
    from store_plugin.sidecar.hub.plugins import PluginHub

_LEFT_AT_ONCE = 130
_WAIT_FOR_LEASES = 2.0
"""Seconds; calls have had their grace by then. Grace, this and the closing of stores (10 s)
stay within the 30 s that Kubernetes gives a Pod."""
_LAST_GRACE = 0.5
"""Seconds that plugins have to hear that the hub goes, where the grace is over."""


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. InvalidRequest where the
    settings cannot work. `environ` is where Environment credential references look."""
    settings.check()
    _raise_descriptor_limit()
    _leave_no_core()
    log = configure_logs(settings.log_level, settings.log_format)
    share_arenas()
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_serve(settings, environ, log))


async def _serve(settings: Settings, environ: Mapping[str, str], log: Logger) -> int:
    return await _Sidecar(settings, environ, log).run()


class _Sidecar:
    """All parts of one sidecar. Made inside the event loop, which gRPC's servers bind to."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], log: Logger) -> None:
        self._settings = settings
        self._log = log
        self._serving = False
        self._stopping = asyncio.Event()
        self._stop_by = 0.0
        self._environ = environ
        self._table = table = ConfigTable()
        self._metrics = Metrics()
        self._plugins = self._plugin_hub()
        kinds: Kinds = served_kinds() if self._plugins is None else self._plugins.kinds
        self._kinds = kinds
        self._admission = Admission(settings.max_in_flight)
        token_file = settings.client_token_file
        self._client_token = TokenFile(token_file, log) if token_file is not None else None
        self._fleet = fleet_of(settings, log)
        self._access_config = self._access_config_watch()
        self._router = Router(
            table, kinds, LocationLocks(), log, self._metrics.store_call, self._metrics, self._fleet
        )
        self._listeners = [
            Listener(endpoint, settings, self._handlers(endpoint), log) for endpoint in settings.listen
        ]

    async def run(self) -> int:
        """Start everything, wait for a signal, stop everything."""
        self._watch_signals()
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(
                config_source(self._settings, self._kinds, self._table, self._log, self._environ)
            )
            source = opened.source
            if self._fleet is not None:
                stack.push_async_callback(self._fleet.aclose)
            stack.push_async_callback(self._router.aclose, _WAIT_FOR_LEASES)
            stack.push_async_callback(_end, asyncio.create_task(trim_memory_forever(), name="memory"))
            settings = self._settings
            if settings.crds != "off":
                bringing = bring_crds(settings.crds, settings.kubeconfig, settings.context, self._log)
                stack.push_async_callback(_end, asyncio.create_task(bringing, name="CRDs"))
            await self._start_admin(stack, source)
            if await self._loaded(source):
                await self._serve(stack, opened)
        self._log.info("stopped")
        return 0

    async def _loaded(self, source: ConfigSource) -> bool:
        """Whether the configs are known; not, where a signal came first: a source may wait for
        an API server for ever."""
        loading = asyncio.create_task(source.load(), name="config source")
        try:
            await self._until_stopped(loading)
            return loading.done()
        finally:
            await _end(loading)

    async def _serve(self, stack: AsyncExitStack, opened: Opened) -> None:
        watching = asyncio.create_task(self._follow(opened), name="config source")
        stack.push_async_callback(_end, watching)
        await self._start_control(stack)
        if self._plugins is not None:
            await self._start_hub(self._plugins, stack, opened)
        await self._start_listeners(stack)
        self._serving = True
        self._log.info("serving", configs=self._router.counts().configs.total())
        await self._until_stopped(watching)
        self._serving = False

    async def _follow(self, opened: Opened) -> None:
        """Follow the source, the clients' token and the access config; write what the source is
        like, where that is wanted."""
        async with asyncio.TaskGroup() as group:
            group.create_task(opened.source.run(), name="config source")
            if self._client_token is not None:
                group.create_task(self._client_token.follow(), name="client token")
            if self._access_config is not None:
                group.create_task(self._access_config.follow(), name="access config")
            if opened.cluster is not None and self._settings.write_status:
                from store_plugin.sidecar.status.running import write_status

                where = self._settings.lease_namespace
                writing = write_status(
                    opened.cluster, opened.source, self._kinds, self._table, self._router, where, self._log
                )
                group.create_task(writing, name="status")

    async def _until_stopped(self, work: "asyncio.Task[None]") -> None:
        """Wait for a signal, or for the end of `work`; raises what that raised. The end of a
        config source is a bug that ends the process."""
        stopping = asyncio.create_task(self._stopping.wait(), name="signal")
        try:
            await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if work.done():
            work.result()

    def _access_config_watch(self) -> AccessConfigWatch | None:
        file = self._settings.access_config
        if self._fleet is None or file is None:
            return None
        return AccessConfigWatch(self._fleet, file, self._log)

    def _plugin_hub(self) -> "PluginHub | None":
        if not self._settings.takes_plugins:
            return None
        # Costs memory and time, so only where plugins may come.
        from store_plugin.sidecar.hub.plugins import PluginHub

        on_event = self._metrics.plugin_event
        return PluginHub(self._settings, served_kinds(), self._log, on_event, self._environ)

    async def _start_hub(self, plugins: "PluginHub", stack: AsyncExitStack, opened: Opened) -> None:
        """Before the listeners, and stopped after them: calls to plugins' stores finish first."""
        stack.push_async_callback(self._stop_hub, plugins)
        await plugins.start(
            kinds_changed=opened.source.kinds_changed, reopen=self._router.reopen, cluster=opened.cluster
        )

    async def _start_control(self, stack: AsyncExitStack) -> None:
        """Where it was asked for, or else where commands about its plugins look for it; nobody
        asked for that one, so where it cannot be the sidecar does without."""
        if (path := self._settings.control_socket) is not None:
            await self._control_at(path, stack)
        elif self._plugins is not None and self._plugins.managed is not None:
            try:
                await self._control_at(self._plugins.managed.control_socket, stack)
            except InvalidRequest as error:
                self._log.warning("no control socket: pass --control-socket", error=error.message)

    async def _control_at(self, path: Path, stack: AsyncExitStack) -> None:
        # Only where it is asked for, as the hub.
        from store_plugin.sidecar.control.managed import ManagedMethods
        from store_plugin.sidecar.control.server import ControlServer
        from store_plugin.sidecar.control.service import ControlService, Running

        plugins = self._plugins
        running = Running(
            [str(listener.endpoint) for listener in self._listeners],
            lambda: self._serving,
            lambda: self._admission.in_flight,
            self._router.counts,
            plugins,
        )
        managed = ManagedMethods(plugins.managed if plugins is not None else None)
        server = ControlServer(path, ControlService(running), managed, self._log)
        stack.push_async_callback(server.stop)
        await server.start()

    async def _stop_hub(self, plugins: "PluginHub") -> None:
        await plugins.stop(max(_LAST_GRACE, self._stop_by - asyncio.get_running_loop().time()))

    async def _start_admin(self, stack: AsyncExitStack, source: ConfigSource) -> None:
        plugins = self._plugins
        view = View(
            lambda: self._serving,
            self._router,
            source,
            self._metrics,
            plugins.states if plugins is not None else None,
            lambda: self._access_config.problems if self._access_config is not None else (),
        )
        self._metrics.watch(
            in_flight=lambda: self._admission.in_flight,
            configs=self._router.counts,
            problems=lambda: len(view.problems),
            source=lambda: source.state,
        )
        if plugins is not None:
            self._metrics.watch_plugins(
                connected=lambda: len(plugins.registry),
                in_flight=plugins.in_flight,
                dropped=plugins.dropped_replies,
            )
            if plugins.managed is not None:
                self._metrics.watch_managed(plugins.managed.statuses)
        admin = AdminServer(view)
        stack.push_async_callback(admin.stop)
        settings = self._settings
        await admin.start(settings.admin_listen, settings.health_listen, settings.metrics_listen)

    async def _start_listeners(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._stop_listeners)
        for listener in self._listeners:
            await listener.start()
            self._log.info("listening", endpoint=str(listener.endpoint))

    async def _stop_listeners(self) -> None:
        """Not ready, then nothing new, then what is in flight may finish."""
        self._serving = False
        self._stop_by = asyncio.get_running_loop().time() + self._settings.shutdown_grace
        self._log.info("stopping", in_flight=self._admission.in_flight, grace=self._settings.shutdown_grace)
        for listener in self._listeners:
            await listener.refuse()
        await asyncio.gather(*(listener.stop(self._settings.shutdown_grace) for listener in self._listeners))

    def _handlers(self, endpoint: Endpoint) -> Mapping[str, Handler]:
        service = SecretStoreService(self._router)
        interceptors: list[Interceptor] = [
            request_id,
            partial(error_mapping, log=self._log),
            partial(measured, metrics=self._metrics),
            partial(access_log, log=self._log, successes=self._settings.access_log, strangers=Strangers()),
            partial(authentication, authenticate=self._authenticator(endpoint)),
            self._admission.intercept,
        ]
        return {method: compose(handler, interceptors) for method, handler in service.handlers().items()}

    def _authenticator(self, endpoint: Endpoint) -> Authenticate:
        if endpoint.transport is Transport.TCP:
            return holder_of_certificate
        if self._client_token is not None:
            return bearer_of_token(self._client_token.matches)
        return anyone_local

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        """The first signal drains, the second leaves at once."""
        if self._stopping.is_set():
            sys.stderr.flush()
            os._exit(_LEFT_AT_ONCE)
        self._stopping.set()


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=5.0)


def _raise_descriptor_limit() -> None:
    """As many descriptors as the system allows: Crossplane's runtime opens a connection
    for every operation and leaves closing it to us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _leave_no_core() -> None:
    """A dump of this process would hold every secret and credential that it has seen."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # a plugin may be registered with another
