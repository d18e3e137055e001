"""`store-plugin access list`: what there is to reach. No plugin is run, no cluster is asked."""

import asyncio
from pathlib import Path

import click

from store_plugin.access.clients.member import check_usable
from store_plugin.access.config import AccessConfig
from store_plugin.access.profiles import ClusterProfile
from store_plugin.cli._output import Plain, emit, emit_table
from store_plugin.cli._parameters import output_option
from store_plugin.cli.access._shared import fleet_options, found, namespace_option, none_found, opened
from store_plugin.errors import ConfigInvalid


@click.command("list")
@fleet_options
@namespace_option
@output_option()
def list_(providers: Path, kubeconfig: Path | None, context: str | None, namespace: str, output: str) -> None:
    """List ClusterProfiles and the providers that serve them.

    PROVIDER is the first of the access config that the profile names, OFFERED all that it names.
    """
    with opened(providers) as access:
        profiles = asyncio.run(found(kubeconfig, context, namespace))
        rows = [_row(access, profile) for profile in profiles]
    if output != "table":
        emit(rows, output)
        return
    columns = ("PROFILE", "NAME", "PROVIDER", "SERVER", "OFFERED")
    emit_table(columns, [_cells(row) for row in rows], empty=none_found(namespace))


def _row(access: AccessConfig, profile: ClusterProfile) -> dict[str, Plain]:
    provider = server = problem = None
    try:
        chosen, cluster = access.choose(profile)
        provider, server = chosen.name, cluster.server
        check_usable(str(profile), cluster)
    except ConfigInvalid as error:
        problem = error.message
    return {
        "profile": str(profile),
        "displayName": profile.display_name,
        "provider": provider,
        "server": server,
        "offered": list(profile.accesses),
        "problem": problem,
    }


def _cells(row: dict[str, Plain]) -> tuple[str, ...]:
    offered = row["offered"]
    assert isinstance(offered, list)
    served = ": ".join(str(row[name]) for name in ("provider", "problem") if row[name])
    return (
        str(row["profile"]),
        str(row["displayName"]),
        served,
        str(row["server"] or ""),
        ", ".join(map(str, offered)),
    )
