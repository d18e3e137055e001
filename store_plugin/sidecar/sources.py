"""Which source of store configs a sidecar has: a directory, or the cluster."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from store_plugin.cluster_api import ClusterApi
from store_plugin.config.kinds import Kinds
from store_plugin.config.source import ConfigSource
from store_plugin.config.table import ConfigTable
from store_plugin.sidecar.settings import Settings
from store_plugin.store import Logger


@dataclass(frozen=True, slots=True)
class Opened:
    """A source, and the cluster it is of, if it is."""

    source: ConfigSource
    cluster: ClusterApi | None = None


@asynccontextmanager
async def config_source(
    settings: Settings, kinds: Kinds, table: ConfigTable, log: Logger, environ: Mapping[str, str]
) -> AsyncIterator[Opened]:
    """The source that the settings name; what only the other one needs is not imported.

    ConfigInvalid where there is no cluster to connect to.
    """
    poll_interval = settings.credential_poll_interval
    if settings.config_dir is not None:
        from store_plugin.config.directory import DirectorySource

        yield Opened(
            DirectorySource(settings.config_dir, kinds, table, log, environ, poll_interval=poll_interval)
        )
        return
    from store_plugin.cluster import connected
    from store_plugin.config.kubernetes.source import KubernetesSource

    or_else = "a directory of configs with --config-dir"
    async with connected(settings.kubeconfig, settings.context, or_else=or_else) as client:
        api = ClusterApi(client)
        yield Opened(KubernetesSource(api, kinds, table, log, environ, poll_interval=poll_interval), api)
