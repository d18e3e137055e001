"""The hub as a part of the sidecar: plugins come in, and their kinds become kinds of ours.

Configs of a kind that comes, or comes with another schema, are read again. Stores of a plugin
are opened anew when its instances are of other versions than before, because another version may
be able to do other things.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

from store_plugin import backend
from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import InvalidRequest, PluginDisconnected
from store_plugin.hub.access import HubAccess, HubAuth, listeners
from store_plugin.hub.authentication.allowing import AllowRule
from store_plugin.hub.hub import Hub
from store_plugin.hub.peer import Peer, PluginKind
from store_plugin.hub.registry import Limits, OnDuplicate, Registry
from store_plugin.hub.settings import HubSettings
from store_plugin.hub.store_kinds.kinds import KindName, Kinds
from store_plugin.sidecar.hub.crds import PluginCrds
from store_plugin.sidecar.hub.managed import ManagedPlugins
from store_plugin.sidecar.hub.pod_events import tell_pod
from store_plugin.sidecar.hub.recording import Recorder
from store_plugin.sidecar.hub.states import PluginState, states
from store_plugin.sidecar.settings import Settings
from store_plugin.store import Logger, ServedKind
from store_plugin.stream.frames import service_name

KindsChanged = Callable[[Collection[KindName]], None]


class PluginHub:
    """The hub and the kinds of a sidecar, built-in ones included."""

    def __init__(
        self,
        settings: Settings,
        built_in: Mapping[KindName, ServedKind],
        log: Logger,
        on_event: Callable[[str], None],
        environ: Mapping[str, str],
    ) -> None:
        options = settings.hub
        self._settings = settings
        self._log = log
        self._limits = Limits(plugins=options.max_plugins)
        self.registry = Registry(self._limits, OnDuplicate(options.duplicates))
        self.kinds = Kinds(built_in, self.registry, options.plugin_groups)
        self.managed = None
        if settings.plugins_dir is not None:
            life = timedelta(hours=settings.plugins_cert_life)
            signed = settings.plugins_require_signature
            self.managed = ManagedPlugins(settings.plugins_dir, self.registry, environ, log, life, signed)
        self._on_event = on_event
        self._versions: dict[str, frozenset[str]] = {}
        self._kinds_changed: KindsChanged = _nobody
        self._reopen: KindsChanged = _nobody
        self._listening: list[asyncio.Task[None]] = []
        """To what the registry tells."""
        self._crds = PluginCrds(settings, log)
        self._hub: Hub | None = None
        self._cluster = AsyncExitStack()
        """What the listeners ask it with."""

    def states(self) -> list[PluginState]:
        """The plugins connected now."""
        return states(self.registry)

    def brought(self) -> list[tuple[str, PluginKind]]:
        """Each kind that came, with the name of its plugin."""
        return [(factory.plugin, factory.kind) for factory in self.kinds.of_plugins().values()]

    def groups(self) -> tuple[str, ...]:
        """The API groups that plugins may bring kinds of, as patterns."""
        return self._settings.hub.plugin_groups

    async def call(self, name: str, method: str, payload: bytes, timeout: float) -> bytes:
        """One unary call, within `timeout` seconds. CallFailed; PluginDisconnected; InvalidRequest
        for a method that reads or writes secrets past the rules of this sidecar."""
        entry = self.registry.pick(name)
        if entry is None:
            raise PluginDisconnected(f"plugin {name} is not connected", retry_after=1.0)
        service = service_name(method)
        if service == backend.SERVICE or (not service and backend.SERVICE in entry.peer.services):
            raise InvalidRequest(
                f"secrets go through the sidecar's rules: use store-plugin get, apply or delete, "
                f"and the full name of any method that is not of {backend.SERVICE}"
            )
        return (await entry.instance.call(method, payload, timeout=timeout, metadata=())).payload

    def dropped_replies(self) -> int:
        """Replies that no call waited for."""
        return 0 if self._hub is None else self._hub.dropped_replies

    def in_flight(self) -> int:
        """Calls to plugins under way."""
        return sum(entry.instance.in_flight for entry in self.registry.entries())

    async def start(
        self, *, kinds_changed: KindsChanged, reopen: KindsChanged, cluster: ClusterApi | None = None
    ) -> None:
        """Let plugins in. `kinds_changed` is told of kinds that are new or have another schema,
        `reopen` of kinds whose plugin has another version. `cluster`: that of the configs, if they
        are of one. Raises as `listeners` and Hub.start."""
        self._kinds_changed, self._reopen = kinds_changed, reopen
        listening = listeners(self._settings.hub.listen, _access(self._settings), self._log)
        entrances = await self._cluster.enter_async_context(listening)
        if self.managed is not None:
            entrances = [*entrances, await self.managed.listener()]
        self._hub = Hub(
            entrances,
            self._log,
            self._hub_settings(),
            registry=self.registry,
            admit=self._admit,
            joined=self._take_kinds,
            noted=self.managed.noted if self.managed is not None else _unnoted,
        )
        self._listening.append(asyncio.create_task(self._follow(), name="plugin events"))
        if self.managed is not None:
            recorder = Recorder(self.managed.audit, self.registry.events.listen(), self._log)
            self._listening.append(asyncio.create_task(recorder.run(), name="record of plugins"))
        if (pod := self._settings.pod) is not None:
            telling = tell_pod(pod, self._settings, cluster, self.registry.events.listen(), self._log)
            self._listening.append(asyncio.create_task(telling, name="Events of the Pod"))
        await self._hub.start()
        if self.managed is not None:
            await self.managed.start(self._hub.endpoints[-1])

    async def stop(self, grace: float) -> None:
        """Plugins have `grace` seconds to finish the calls they have."""
        async with self._cluster:
            if self.managed is not None:
                await self.managed.stop(grace)
            if self._hub is not None:
                await self._hub.stop(grace)
            for task in self._listening:
                task.cancel()
            await asyncio.gather(*self._listening, return_exceptions=True)
            await self._crds.aclose()

    def _hub_settings(self) -> HubSettings:
        options = self._settings.hub
        return HubSettings(
            limits=self._limits,
            heartbeat_interval=options.heartbeat,
            max_stream_age=options.max_stream_age,
            drain_grace=self._settings.shutdown_grace,
        )

    def _admit(self, peer: Peer) -> bool:
        self.kinds.check(peer)
        return self.managed.admit(peer) if self.managed is not None else False

    def _take_kinds(self, peer: Peer) -> None:
        if changed := self.kinds.take(peer):
            self._kinds_changed(changed)
            self._crds.bring([kind for kind in peer.kinds if (kind.api_version, kind.kind) in changed])

    async def _follow(self) -> None:
        with self.registry.events.listen() as events:
            async for event in events:
                self._on_event(event.kind.value)
                self._look_at_versions(event.name)

    def _look_at_versions(self, name: str) -> None:
        """While nobody is connected the stores stay: whoever comes back may be the same."""
        ready = (entry for entry in self.registry.named(name) if not entry.held)
        now = frozenset(entry.peer.version for entry in ready)
        kinds = {kind for kind, factory in self.kinds.of_plugins().items() if factory.plugin == name}
        if not kinds or not now or now == self._versions.get(name):
            return
        if name in self._versions:
            self._reopen(kinds)
        self._versions[name] = now


def _unnoted(_peer: Peer, _method: str, _keys: tuple[str, ...]) -> None:
    """Without a plugins directory there is no audit record."""


def _nobody(_kinds: Collection[KindName]) -> None:
    """Before the start nobody is told."""


def _access(settings: Settings) -> HubAccess:
    options = settings.hub
    return HubAccess(
        auth=HubAuth(options.auth),
        allow=tuple(map(AllowRule.parse, options.allow)),
        audience=options.audience,
        certs_dir=options.certs_dir,
        kubeconfig=settings.kubeconfig,
        namespace=options.namespace,
        pod_ip=settings.pod_ip,
        host_ip=settings.host_ip,
        allow_host_network=settings.allow_host_network,
        socket_mode=options.socket_mode,
        socket_group=settings.socket_group,
    )
