"""What the commands about clusters share: where the profiles are, and what opens the clusters."""

from collections.abc import Callable
from pathlib import Path

import click

from store_plugin.access.config import AccessConfig
from store_plugin.access.execution.runner import TIMEOUT
from store_plugin.access.fleet import find_profile_async, list_profiles_async
from store_plugin.access.options import HELP, NAMES
from store_plugin.access.profiles import ClusterProfile
from store_plugin.cli._parameters import cluster_options

Command = Callable[..., None]

namespace_option = click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    default="",
    help="ClusterProfiles of this namespace only; left out: all.",
)
profiles_argument = click.argument("profiles", nargs=-1, metavar="[NAMESPACE/NAME]...")


def fleet_options(command: Command) -> Command:
    """`providers`, the access config's file, and `kubeconfig` and `context` of the cluster that
    holds the ClusterProfiles."""
    command = cluster_options(command)
    return click.option(
        *NAMES,
        "providers",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="STORE_PLUGIN_ACCESS_CONFIG",
        show_envvar=True,
        required=True,
        help=HELP,
    )(command)


async def found(
    kubeconfig: Path | None, context: str | None, namespace: str, name: str = ""
) -> list[ClusterProfile]:
    """The profile of this name, or all there are."""
    from store_plugin.cluster import connected

    async with connected(kubeconfig, context) as api:
        if name:
            return [await find_profile_async(api, name)]
        return await list_profiles_async(api, namespace)


def none_found(namespace: str) -> str:
    """Told where there are no profiles."""
    return f"there are no ClusterProfiles{f' in the namespace {namespace}' * bool(namespace)}"


def opened(
    providers: Path,
    *,
    interactive: bool = False,
    timeout: float = TIMEOUT,
    require_digest: bool = False,
    trusted_keys: Path | None = None,
) -> AccessConfig:
    """The access config, whose plugins' complaints are shown."""

    def show(provider: str, line: str) -> None:
        click.echo(f"{provider}: {line}", err=True)

    return AccessConfig.from_file(
        providers,
        interactive=interactive,
        on_output=show,
        timeout=timeout,
        require_digest=require_digest,
        trusted_keys=trusted_keys,
    )
