"""Puts the publisher together, and runs it until it is told to end."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import product

from store_plugin.cluster import connected
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable, Throttled
from store_plugin.publisher.admin import served
from store_plugin.publisher.cluster.events import Events
from store_plugin.publisher.cluster.secrets import ClusterSecrets
from store_plugin.publisher.cluster.store_configs import StoreConfigs, store_configs_of
from store_plugin.publisher.cluster.watching import MetadataApi, SecretsTarget, secrets_of
from store_plugin.publisher.metrics import Metrics
from store_plugin.publisher.notices import Notices
from store_plugin.publisher.queue import WorkQueue
from store_plugin.publisher.records import Records
from store_plugin.publisher.settings import Settings
from store_plugin.publisher.work.external import External
from store_plugin.publisher.work.fetching import Fetching
from store_plugin.publisher.work.outages import Outages
from store_plugin.publisher.work.publishing import Publishing
from store_plugin.publisher.work.reconciling import Reconciler
from store_plugin.publisher.work.removing import Removing
from store_plugin.publisher.work.restoring import Restoring
from store_plugin.publisher.work.turns import Turns
from store_plugin.publisher.workers import Workers
from store_plugin.runtime import AsyncClientPool, AsyncDetailsManager
from store_plugin.store import Logger
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.watch import Watch

_SYSTEM = "/api/v1/namespaces/kube-system"


def run(settings: Settings, log: Logger) -> None:
    """Publish until SIGTERM or SIGINT. What was under way then is found unfinished by the next one."""
    asyncio.run(_until_told(settings, log))


async def _until_told(settings: Settings, log: Logger) -> None:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    serving = asyncio.create_task(serve(settings, log), name="publisher")
    told = asyncio.create_task(end.wait(), name="signals")
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    for task in (serving, told):
        task.cancel()
    await asyncio.wait({serving, told})
    if not serving.cancelled():
        serving.result()


async def serve(settings: Settings, log: Logger) -> None:
    """Publish until cancelled."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(settings.kubeconfig, settings.context))
        publisher = _Publisher(settings, client, log)
        await stack.enter_async_context(publisher.details)
        address = settings.admin_address
        await stack.enter_async_context(served(*address, publisher.ready, publisher.metrics.render))
        await publisher.run()


class _Publisher:
    """The parts, and what ties them."""

    def __init__(self, settings: Settings, client: ApiClient, log: Logger) -> None:
        self._settings = settings
        self._client = client
        self._log = log
        self._queue = WorkQueue()
        self._records = Records()
        self._configs = StoreConfigs(self._store_config_changed)
        self._notices = Notices(self._queue, self._records, self._configs.place)
        self._turns = Turns(
            _most_of_one(settings.concurrency), self._notices.turn_has_come, self._queue.is_urgent
        )
        self._outages = Outages(self._notices.store_is_back)
        self.metrics = Metrics()
        self.details = AsyncDetailsManager(self._configs, clients=_clients(settings))
        self._watches: list[Watch] = []

    def ready(self) -> bool:
        """Whether all there is has been listed once."""
        return bool(self._watches) and all(watch.state.known for watch in self._watches)

    async def run(self) -> None:
        self.metrics.watch(
            secrets=self._reasons,
            waiting=lambda: len(self._queue),
            working=lambda: self._queue.taken,
            behind=self._behind,
        )
        cluster_id = self._settings.cluster_id or await _cluster_id(self._client, self._log)
        workers = Workers(
            self._queue, self._reconciler(cluster_id).look_after, self._settings.concurrency, self._log
        )
        configs = Watch(
            ClusterApi(self._client),
            store_configs_of(self._settings.store_configs),
            self._configs,
            self._log,
            Pauses(),
        )
        self._watches = [configs, *self._watches_of_secrets()]
        await configs.list_once()  # Secrets come after what they refer to
        self._log.info("publishing", cluster_id=cluster_id)
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(watch.run(), name="watch")
            group.create_task(workers.run(), name="workers")

    def _store_config_changed(self, name: str) -> None:
        self._outages.forget(name)
        self._turns.forget(name)
        self._notices.store_config_changed(name)

    def _watches_of_secrets(self) -> Iterator[Watch]:
        settings = self._settings
        namespaces: Sequence[str | None] = settings.namespaces or (None,)
        kinds = (False, True) if settings.defaults.store_config is not None else (False,)
        api = MetadataApi(self._client)
        for namespace, connection in product(namespaces, kinds):
            target = SecretsTarget(self._notices.changed, self._notices.gone, everything=connection)
            collection = secrets_of(namespace, connection=connection)
            yield Watch(api, collection, target, self._log, Pauses())

    def _reconciler(self, cluster_id: str) -> Reconciler:
        secrets = ClusterSecrets(self._client, self.metrics.written)
        external = External(self.details, cluster_id, self._turns, self._outages, self.metrics)
        events = Events(self._client, self._log)
        publishing = Publishing(
            secrets,
            self._configs,
            external,
            self._records,
            self._notices.name_is_free,
            self._settings.resync_interval,
        )
        defaults = self._settings.defaults
        return Reconciler(
            secrets,
            publishing,
            Fetching(secrets, self._configs, external),
            Removing(secrets, publishing, events, defaults),
            Restoring(secrets, defaults),
            self._turns,
            events,
            self._records,
            defaults,
        )

    def _reasons(self) -> Iterator[tuple[str, str]]:
        for _, record in self._records:
            if record.reason is not None:
                yield record.direction, record.reason

    def _behind(self) -> float:
        return max((watch.state.behind for watch in self._watches), default=0.0)


def _most_of_one(concurrency: int) -> int:
    """Workers that Secrets of one StoreConfig may have: a few are left to others."""
    return max(1, concurrency - max(1, concurrency // 4))


def _clients(settings: Settings) -> AsyncClientPool:
    return AsyncClientPool(
        certs_dir=settings.certs_dir,
        server_name=settings.server_name,
        token_file=settings.token_file,
        timeout=settings.timeout,
    )


async def _cluster_id(client: ApiClient, log: Logger) -> str:
    """UID of the namespace that every cluster has, and that lives as long as the cluster."""
    pauses = Pauses().start()
    while True:
        try:
            found = await ClusterApi(client).find(_SYSTEM)
        except (StoreUnavailable, Throttled) as error:
            log.warning("the API server does not answer yet", problem=error.message)
        except StorePluginError as error:
            told = f"the namespace kube-system cannot be read: allow get on it, or set --cluster-id ({error})"
            raise ConfigInvalid(told) from None
        else:
            if found is None:
                raise ConfigInvalid("there is no namespace kube-system: set --cluster-id")
            return str(found["metadata"]["uid"])
        await asyncio.sleep(pauses.next())
