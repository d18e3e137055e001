"""`store-plugin access`: the clusters of a fleet, and whether they answer."""

from collections.abc import Mapping

import click

from store_plugin.cli._lazy import LazyCommand, LazyGroup

_HERE = "store_plugin.cli.access"
COMMANDS: Mapping[str, LazyCommand] = {
    "list": LazyCommand(f"{_HERE}.list", "List ClusterProfiles and the providers that serve them.", "list_"),
    "check": LazyCommand(f"{_HERE}.check", "Log in to clusters and tell which of them answer."),
    "kubeconfig": LazyCommand(f"{_HERE}.kubeconfig", "Write a kubeconfig for a cluster of the fleet."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def access() -> None:
    """Reach the clusters of a fleet by their ClusterProfiles."""
