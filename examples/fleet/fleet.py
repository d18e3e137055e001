"""Lists the namespaces of every cluster of a fleet.

python fleet.py --access-config providers.yaml [--kubeconfig HUB]

The ClusterProfiles are read from the hub, the cluster that the kubeconfig names. Each says where
its cluster is; the access config says which plugins give credentials to this program.
"""

import argparse
import asyncio
from pathlib import Path

from kubernetes.aio.client import ApiException, CoreV1Api

from store_plugin.access import AccessConfig, ClusterProfile
from store_plugin.access.fleet import list_profiles_async
from store_plugin.access.options import add_access_arguments, opened_access
from store_plugin.cluster import connected
from store_plugin.errors import StorePluginError

SECONDS_FOR_ONE = 30.0
AT_ONCE = 16
"""Clusters that are asked at once: with all of a large fleet, most would wait for their plugin's turn
until their time is over."""


async def namespaces(access: AccessConfig, profile: ClusterProfile) -> str:
    """Of one cluster. What goes wrong there is no reason to leave out the others."""
    try:
        async with asyncio.timeout(SECONDS_FOR_ONE), access.connect_aio(profile) as api:
            found = await CoreV1Api(api).list_namespace()
    except StorePluginError as error:  # the profile, or the plugin
        return error.message
    except ApiException as error:
        return f"the cluster answers {error.status} {error.reason}"
    except (OSError, TimeoutError) as error:
        return f"no answer ({type(error).__name__})"
    return ", ".join(item.metadata.name for item in found.items)


async def main(access: AccessConfig, kubeconfig: Path | None) -> None:
    async with connected(kubeconfig) as hub:
        profiles = await list_profiles_async(hub)
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(profile: ClusterProfile) -> str:
        async with turns:
            return await namespaces(access, profile)

    answers = await asyncio.gather(*map(in_turn, profiles))
    for profile, answer in zip(profiles, answers, strict=True):
        print(f"{profile}: {answer}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List the namespaces of every cluster of a fleet.")
    add_access_arguments(parser)
    parser.add_argument("--kubeconfig", type=Path, help="The hub; left out: the cluster of this Pod.")
    options = parser.parse_args()
    with opened_access(parser, options) as access:
        asyncio.run(main(access, options.kubeconfig))
