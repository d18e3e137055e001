"""`store-plugin access kubeconfig`: kubectl, where a controller of ours would go."""

import asyncio
from pathlib import Path

import click
import yaml

from store_plugin.access import kubeconfig as kubeconfigs
from store_plugin.cli.access._shared import fleet_options, found, opened
from store_plugin.lifecycle.files import replace_file


@click.command()
@click.argument("profile", metavar="NAMESPACE/NAME")
@fleet_options
@click.option(
    "--to",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to this file, for us alone to read, instead of standard output.",
)
def kubeconfig(
    profile: str, providers: Path, kubeconfig: Path | None, context: str | None, target: Path | None
) -> None:
    """Write a kubeconfig for a cluster of the fleet.

    It has no credential in it: kubectl runs the provider's plugin, as controllers do.
    """
    with opened(providers) as access:
        (there,) = asyncio.run(found(kubeconfig, context, "", profile))
        chosen, cluster = access.choose(there)
    document = kubeconfigs.kubeconfig(chosen, there, cluster)
    text = yaml.safe_dump(document, sort_keys=False)
    if target is None:
        click.echo(text, nl=False)
    else:
        replace_file(target, text.encode())
