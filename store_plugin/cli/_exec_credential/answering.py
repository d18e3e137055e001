"""One request answered: the secret fetched, looked at, and held against the cluster asked for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from store_plugin.access.exec_credential import ExecInfo, ExecStatus
from store_plugin.access.stored.cluster import check_chosen, check_same
from store_plugin.access.stored.credential import StoredCredential, Wanted, credential_in
from store_plugin.access.stored.template import Request
from store_plugin.cli._exec_credential.options import Connecting, Options
from store_plugin.client import Client, parse_config
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import ConfigInvalid
from store_plugin.model import ConfigReference, ScopedName, Secret

_OF_THE_TIME = 0.9
"""The part of the time that a call may take: what it is late with is told better than that it is late."""


def credential(options: Options, info: ExecInfo, environ: Mapping[str, str]) -> ExecStatus:
    """The credential that is asked for. Any error of ours; its message names config and secret."""
    if _chosen(options) and info.cluster is None:
        raise ConfigInvalid(
            "the profile chooses the secret, and the plugin is not told for which cluster: "
            "set provideClusterInfo: true in the exec config"
        )
    request = Request(info, environ)
    config, name = parse_config(options.config), options.name.filled(request)
    wanted = Wanted(
        keys=options.keys,
        context=options.context.filled(request) if options.context else None,
        audience=options.audience.filled(request) if options.audience else None,
        expiry_label=options.expiry_label,
    )
    secret = _fetched(options, config, name)
    if not secret.data:
        raise ConfigInvalid(f"there is no secret {name} in {config}, or it is empty")
    try:
        found = credential_in(secret, wanted)
        _check_cluster(found, options, info)
    except ConfigInvalid as error:
        raise ConfigInvalid(f"secret {name} in {config}: {error.message}") from None
    return found.status


def _check_cluster(found: StoredCredential, options: Options, info: ExecInfo) -> None:
    if info.cluster is None:
        return
    (check_chosen if _chosen(options) else check_same)(found.cluster, info.cluster)


def _chosen(options: Options) -> bool:
    """Whether a profile has a say in what is handed out."""
    return options.name.chosen or (options.context is not None and options.context.chosen)


def _fetched(options: Options, config: ConfigReference, name: ScopedName) -> Secret:
    seconds = options.timeout * _OF_THE_TIME
    if options.config_dir is not None:
        if not options.config_dir.is_dir():
            raise ConfigInvalid(f"--config-dir {options.config_dir} is no directory")
        return asyncio.run(_from_directory(options.config_dir, config, name, seconds))
    return _from_sidecar(options.connecting, config, name, seconds)


def _from_sidecar(
    connecting: Connecting, config: ConfigReference, name: ScopedName, seconds: float
) -> Secret:
    endpoint = Endpoint.parse(connecting.endpoint)
    with Client(
        endpoint,
        token_file=connecting.token_file,
        # Certificates named for other endpoints, by a variable that a container shares.
        certs_dir=connecting.certs_dir if endpoint.transport is Transport.TCP else None,
        server_name=connecting.server_name,
        timeout=seconds,
        connect_timeout=connecting.connect_timeout,
    ) as client:
        return client.get(config, name)


async def _from_directory(
    directory: Path, config: ConfigReference, name: ScopedName, seconds: float
) -> Secret:
    try:
        from store_plugin.cli._opening import open_directory
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("store_plugin"):
            raise  # not something to install
        raise ConfigInvalid(
            f"--config-dir needs the module {error.name!r}: pip install 'store-plugin[sidecar]', and the "
            "extra of the store, as in 'store-plugin[sidecar,vault]'"
        ) from None
    try:
        async with asyncio.timeout(seconds), open_directory(directory) as opened:
            with await opened.router.lease(config) as lease:
                return (await lease.engine.get(name)).secret
    except TimeoutError:
        raise ConfigInvalid(f"{config} gave no answer within {seconds:g} s") from None
