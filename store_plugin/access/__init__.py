"""Clusters of a fleet, reached as their ClusterProfiles say, with credentials from exec plugins.

    from store_plugin.access import AccessConfig

    with AccessConfig.from_file(Path("providers.yaml")) as access:
        api = kubernetes.client.ApiClient(access.build_config(profile))

docs/cluster-access.md begins from nothing. Names are imported when they are used: a credential
plugin, which imports from here too, starts without the libraries of a consumer.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store_plugin.access.config import AccessConfig
    from store_plugin.access.profiles import ClusterAccess, ClusterProfile
    from store_plugin.access.providers import ExecConfig, Provider, Variable

__all__ = ["AccessConfig", "ClusterAccess", "ClusterProfile", "ExecConfig", "Provider", "Variable"]


def __getattr__(name: str) -> object:
    modules = {"AccessConfig": "config", "ClusterAccess": "profiles", "ClusterProfile": "profiles"}
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{modules.get(name, 'providers')}"), name)
