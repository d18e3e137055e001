"""What an operator needs to publish connection details as Crossplane's runtime does.

    from store_plugin.runtime import DetailsManager, StaticStoreConfigs, StoreConfig

    with DetailsManager(StaticStoreConfigs([StoreConfig.from_manifest(manifest)])) as details:
        details.publish(owner, {"password": b"..."})
        details.unpublish(owner)

Errors are the classes of `store_plugin.errors`. docs/runtime.md begins from nothing.
"""

from store_plugin.runtime.clients import AsyncClientPool, ClientPool
from store_plugin.runtime.clusters import OwnCluster
from store_plugin.runtime.manager import AsyncDetailsManager, DetailsManager
from store_plugin.runtime.owners import Owner, PublishTo, SecretMetadata, StoreConfigReference
from store_plugin.runtime.sources.asked import AsyncClusterStoreConfigs, ClusterStoreConfigs
from store_plugin.runtime.sources.source import (
    AsyncStoreConfigSource,
    NoStoreConfigs,
    StaticStoreConfigs,
    StoreConfigSource,
)
from store_plugin.runtime.sources.threaded import ThreadedStoreConfigs
from store_plugin.runtime.sources.watched import WatchedStoreConfigs
from store_plugin.runtime.store_config import StoreConfig, StoreConfigSpec

__all__ = [
    "AsyncClientPool",
    "AsyncClusterStoreConfigs",
    "AsyncDetailsManager",
    "AsyncStoreConfigSource",
    "ClientPool",
    "ClusterStoreConfigs",
    "DetailsManager",
    "NoStoreConfigs",
    "OwnCluster",
    "Owner",
    "PublishTo",
    "SecretMetadata",
    "StaticStoreConfigs",
    "StoreConfig",
    "StoreConfigReference",
    "StoreConfigSource",
    "StoreConfigSpec",
    "ThreadedStoreConfigs",
    "WatchedStoreConfigs",
]
