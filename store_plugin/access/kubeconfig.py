"""A kubeconfig with which kubectl reaches a cluster of the fleet as a consumer of ours would.

It holds no credential: kubectl runs the same plugin with the same arguments. Variables that the
consumer's file gives to the plugin are in it, so it is for the same eyes as that file.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from store_plugin.access.planning import CONFIG_EXTENSION, arguments_of, interactive_mode, variables_of
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
    fields: Mapping[str, Any] = {
        "server": access.server,
        "tls-server-name": access.tls_server_name,
        "insecure-skip-tls-verify": access.insecure_skip_tls_verify,
        "certificate-authority-data": b64encode(access.certificate_authority_data).decode(),
        "proxy-url": access.proxy_url,
        "disable-compression": access.disable_compression,
    }
    cluster = {field: value for field, value in fields.items() if value}
    config = access.extensions.get(CONFIG_EXTENSION)
    if config is not None:
        cluster["extensions"] = [{"name": CONFIG_EXTENSION, "extension": config}]
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
