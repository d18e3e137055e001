"""`store-plugin doctor`: what is wrong where a sidecar runs, each line with what to do."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click

from store_plugin.cli._connecting import Finding, connected
from store_plugin.cli._doctor import certificates, cluster, socket
from store_plugin.cli._failures import EXIT_REFUSED
from store_plugin.cli._opening import open_cluster, open_directory
from store_plugin.cli._output import emit
from store_plugin.cli._parameters import cluster_options, output_option, with_client
from store_plugin.cli._plugin_kinds import brought, with_plugin_kinds
from store_plugin.cli.config import declared
from store_plugin.client import Client
from store_plugin.cluster import connected as connected_cluster
from store_plugin.cluster_api import ClusterApi
from store_plugin.config.check import Check, check_directory, check_reading
from store_plugin.config.credentials.origins import secrets_of
from store_plugin.config.kinds import Kinds
from store_plugin.config.kubernetes.reading import read_cluster
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference

_STORE_SECONDS = 30.0


@click.command()
@click.option(
    "--config-dir",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="STORE_PLUGIN_CONFIG_DIR",
    show_envvar=True,
    help="The configs are manifests in this directory, as for serve; left out: of the cluster.",
)
@click.option(
    "--certificates",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The sidecar's own directory of certificates, to look at; left out: /certs, where it exists.",
)
@cluster_options
@output_option()
@with_plugin_kinds
@with_client
def doctor(
    client: Client,
    kinds: Kinds,
    config_dir: Path | None,
    certificates: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    output: str,
) -> None:
    """Find out what is wrong, from inside of a Pod.

    Looks at the socket, the certificates, what this ServiceAccount may do, CRDs, store configs
    and whether their stores can be used. Nothing is written. Each line says what to do; ends
    with exit code 1 where there is any error.
    """
    endpoint = click.get_current_context().params["endpoint"]
    findings = [socket.look(client, endpoint), *_certificates(certificates)]
    findings += asyncio.run(_configs(kinds, config_dir, kubeconfig, context))
    _show(findings, output)
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(EXIT_REFUSED)


def _certificates(directory: Path | None) -> list[Finding]:
    usual = Path("/certs")
    if directory is None and not usual.is_dir():
        return []
    return certificates.look(directory or usual)


async def _configs(
    kinds: Kinds, config_dir: Path | None, kubeconfig: Path | None, context: str | None
) -> list[Finding]:
    try:
        if config_dir is not None:
            return await _directory(kinds, config_dir)
        return await _cluster(kinds, kubeconfig, context)
    except StorePluginError as error:
        return [Finding("error", "cluster" if config_dir is None else str(config_dir), error.message)]


async def _directory(kinds: Kinds, directory: Path) -> list[Finding]:
    checked = await asyncio.to_thread(check_directory, directory, kinds, os.environ)
    asked = await connected(open_directory(directory, kinds), _left_out(kinds, checked), _STORE_SECONDS)
    return declared(directory, checked) + asked


async def _cluster(kinds: Kinds, kubeconfig: Path | None, context: str | None) -> list[Finding]:
    or_else = "a directory of configs with --config-dir"
    async with connected_cluster(kubeconfig, context, or_else=or_else) as client:
        api = ClusterApi(client)
        found = await cluster.look_at_rights(api, cluster.rights(kinds, ()))
        reading = await read_cluster(api, kinds)
        secrets = {name for config in reading.configs for name in secrets_of(config.spec)}
        if secrets:
            found += await cluster.look_at_rights(api, cluster.rights({}, secrets))
    checked = check_reading(reading, kinds, os.environ)
    opening = open_cluster(kubeconfig, context, kinds)
    found += declared(None, checked)
    return found + await connected(opening, _left_out(kinds, checked), _STORE_SECONDS)


def _left_out(kinds: Kinds, checked: Check) -> set[ConfigReference]:
    """Stores that cannot be asked from here: those of plugins too."""
    references = (config.reference for config in checked.reading.configs)
    return {*checked.without_credentials, *brought(kinds, references)}


def _show(findings: Sequence[Finding], output: str) -> None:
    if output != "table":
        lines = [{"level": f.level, "where": f.where, "message": f.message} for f in findings]
        errors = sum(finding.level == "error" for finding in findings)
        emit({"errors": errors, "findings": lines}, output)
        return
    for finding in findings:
        click.echo(str(finding))
