"""What is run for one cluster: a provider's config and what the ClusterProfile adds to it.

A pure function of both, which changes neither: nothing of one cluster reaches the next. The
extensions and policies are those of cluster-inventory-api.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from store_plugin.access.exec_credential import (
    GROUP,
    PROFILE_NAME,
    PROFILE_NAMESPACE,
    ExecCluster,
    ExecInfo,
)
from store_plugin.access.execution.environment import inherited
from store_plugin.access.execution.runner import ExecCall
from store_plugin.access.profiles import ClusterAccess, ClusterProfile
from store_plugin.access.providers import ExecConfig, Provider
from store_plugin.access.refused import is_refused
from store_plugin.errors import ConfigInvalid

CONFIG_EXTENSION = f"{GROUP}/exec"
"""What the plugin gets as `spec.cluster.config`."""
ARGUMENTS_EXTENSION = "clusterprofiles.multicluster.x-k8s.io/exec/additional-args"
VARIABLES_EXTENSION = "clusterprofiles.multicluster.x-k8s.io/exec/additional-envs"


def planned(
    provider: Provider,
    profile: ClusterProfile,
    access: ClusterAccess,
    *,
    environ: Mapping[str, str] | None = None,
    interactive: bool = False,
) -> ExecCall:
    """The run of `provider`'s plugin for the cluster of `profile`. `environ` stands for this
    process's environment, `interactive` says whether standard input is a person's. ConfigInvalid
    where the profile brings what cannot be used."""
    config = provider.exec_config
    return ExecCall(
        provider=provider.name,
        command=config.command,
        arguments=arguments_of(provider, profile, access),
        environment={
            **inherited(provider.inherit_env, environ),
            **variables_of(provider, profile, access),
        },
        info=ExecInfo(
            config.api_version,
            _interactive(config, provider, interactive),
            cluster_of(access) if config.provide_cluster_info else None,
        ),
        install_hint=config.install_hint,
    )


def interactive_mode(config: ExecConfig) -> str:
    """As chosen, or as is usual for the version."""
    usual = "IfAvailable" if config.api_version.endswith("/v1beta1") else "Never"
    return config.interactive_mode or usual


def cluster_of(access: ClusterAccess) -> ExecCluster:
    """What a plugin is told of a cluster."""
    return ExecCluster(
        server=access.server,
        tls_server_name=access.tls_server_name,
        insecure_skip_tls_verify=access.insecure_skip_tls_verify,
        certificate_authority_data=access.certificate_authority_data,
        proxy_url=access.proxy_url,
        disable_compression=access.disable_compression,
        config=deepcopy(access.extensions.get(CONFIG_EXTENSION)),
    )


def arguments_of(provider: Provider, profile: ClusterProfile, access: ClusterAccess) -> tuple[str, ...]:
    """The provider's, and after them the profile's where the policy lets them."""
    own = provider.exec_config.args
    if provider.arguments_policy == "Ignore":
        return own
    more = access.extensions.get(ARGUMENTS_EXTENSION) or []
    if not isinstance(more, list) or not all(isinstance(one, str) and "\0" not in one for one in more):
        raise ConfigInvalid(f"profile {profile}: {ARGUMENTS_EXTENSION} must be a list of texts")
    return (*own, *more)


def variables_of(provider: Provider, profile: ClusterProfile, access: ClusterAccess) -> dict[str, str]:
    """The provider's and, as the policy says, the profile's, by name; and which profile it is."""
    own = {variable.name: variable.value for variable in provider.exec_config.env}
    found = {**own}
    if provider.variables_policy != "Ignore":
        more = _more_variables(profile, access)
        found = {**more, **own} if provider.variables_policy == "AppendIfNotExists" else {**own, **more}
    ordered = {name: found[name] for name in [*own, *sorted(found.keys() - own.keys())]}
    return {**ordered, PROFILE_NAMESPACE: profile.namespace, PROFILE_NAME: profile.name}


def _more_variables(profile: ClusterProfile, access: ClusterAccess) -> Mapping[str, str]:
    """ConfigInvalid where the profile's would decide what program is run, or in whose name."""
    more: Any = access.extensions.get(VARIABLES_EXTENSION)
    if more is None:
        return {}
    if not isinstance(more, Mapping) or not all(map(_is_variable, more.items())):
        raise ConfigInvalid(f"profile {profile}: {VARIABLES_EXTENSION} must be names with texts")
    for name in more:
        if is_refused(name):
            raise ConfigInvalid(f"profile {profile}: {VARIABLES_EXTENSION} may not set {name}")
    return more


def _is_variable(item: tuple[object, object]) -> bool:
    name, value = item
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and bool(name)
        and "=" not in name
        and "\0" not in name + value
    )


def _interactive(config: ExecConfig, provider: Provider, available: bool) -> bool:
    mode = interactive_mode(config)
    if mode == "Always" and not available:
        raise ConfigInvalid(
            f"provider {provider.name!r}: its plugin asks a person (interactiveMode: Always); here is none"
        )
    return mode != "Never" and available
