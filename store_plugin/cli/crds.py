"""`store-plugin crds`: the CustomResourceDefinitions, printed or brought into a cluster."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._failures import Failure
from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import cluster_options
from store_plugin.crds.collection import as_yaml, definitions, store_config_definition
from store_plugin.crds.definition import Definition

if TYPE_CHECKING:
    from store_plugin.crds.applying import Outcome


@click.command()
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "name"]),
    default="yaml",
    show_default=True,
    help="How they are printed.",
)
@click.option(
    "--store-configs",
    "api_version",
    metavar="GROUP/VERSION",
    help="API version of StoreConfig, as a provider has it in its own group, instead of Crossplane's.",
)
@click.option("--apply", "mode", flag_value="apply", help="Apply them to the cluster instead.")
@click.option("--check", "mode", flag_value="check", help="Compare with the cluster instead.")
@cluster_options
def crds(
    kinds: tuple[str, ...],
    output: str,
    api_version: str | None,
    mode: str | None,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Print the CustomResourceDefinitions, or apply them.

    There is one for every kind served here, and one for StoreConfig. What a newer version
    applied is left as it is, and so is a StoreConfig of others.
    """
    chosen = _chosen(kinds, api_version)
    if mode is None:
        _print(chosen, output)
        return
    outcomes = asyncio.run(_in_cluster(chosen, mode, kubeconfig, context))
    rows = [(outcome.name, outcome.state.value, outcome.version or "") for outcome in outcomes]
    emit_table(("CRD", "STATE", "VERSION BEFORE" if mode == "apply" else "VERSION"), rows)
    if wrong := [outcome.name for outcome in outcomes if outcome.state.value in ("missing", "older")]:
        raise Failure(f"{len(wrong)} to apply: store-plugin crds --apply")


def _chosen(kinds: Sequence[str], api_version: str | None) -> list[Definition]:
    found = [*definitions()]
    if api_version is not None:
        group, slash, version = api_version.partition("/")
        if not (group and slash and version):
            raise click.UsageError("--store-configs is written like gcp.crossplane.io/v1alpha1")
        found[-1] = store_config_definition(api_version)
    known = [definition.kind for definition in found]
    if unknown := sorted(set(kinds) - set(known)):
        raise click.UsageError(f"no such kind: {', '.join(unknown)}; there are {', '.join(known)}")
    return [definition for definition in found if not kinds or definition.kind in kinds]


def _print(chosen: Sequence[Definition], output: str) -> None:
    if output == "name":
        click.echo("\n".join(definition.name for definition in chosen))
    elif output == "json":
        items = [definition.manifest() for definition in chosen]
        emit({"apiVersion": "v1", "kind": "List", "items": items}, output)
    else:
        click.echo(as_yaml(chosen), nl=False)


async def _in_cluster(
    chosen: Sequence[Definition], mode: str, kubeconfig: Path | None, context: str | None
) -> "Sequence[Outcome]":
    from store_plugin.cluster import connected
    from store_plugin.crds import applying

    async with connected(kubeconfig, context) as api:
        return await (applying.apply if mode == "apply" else applying.look)(api, chosen)
