"""A kubeconfig with which kubectl reaches a cluster of the fleet as a consumer of ours would.

It holds no credential: kubectl runs the same plugin with the same arguments. Variables that the
consumer's file gives to the plugin are in it, so it is for the same eyes as that file.
"""

from typing import Any

from store_plugin.access.exec_credential import cluster_document
from store_plugin.access.planning import (
    CONFIG_EXTENSION,
    arguments_of,
    cluster_of,
    interactive_mode,
    variables_of,
)
from store_plugin.access.profiles import ClusterAccess, ClusterProfile
from store_plugin.access.providers import Provider


def kubeconfig(provider: Provider, profile: ClusterProfile, access: ClusterAccess) -> dict[str, Any]:
    """As a document of kubectl's config (v1). ConfigInvalid, as for a run of the plugin."""
    name = f"{profile}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": _cluster(access)}],
        "users": [{"name": name, "user": {"exec": _exec(provider, profile, access)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _cluster(access: ClusterAccess) -> dict[str, Any]:
    cluster = cluster_document(cluster_of(access))
    if "config" in cluster:  # what a plugin gets is an extension here
        cluster["extensions"] = [{"name": CONFIG_EXTENSION, "extension": cluster.pop("config")}]
    return cluster


def _exec(provider: Provider, profile: ClusterProfile, access: ClusterAccess) -> dict[str, Any]:
    config = provider.exec_config
    variables = variables_of(provider, profile, access)
    return {
        "apiVersion": config.api_version,
        "command": config.command,
        "args": list(arguments_of(provider, profile, access)),
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "interactiveMode": interactive_mode(config),
        "provideClusterInfo": config.provide_cluster_info,
        **({"installHint": config.install_hint} if config.install_hint else {}),
    }
