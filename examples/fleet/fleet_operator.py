"""A controller over the clusters of a fleet, with kopf: whenever the way to a cluster is new or has
changed, it lists the namespaces there.

    STORE_PLUGIN_ACCESS_CONFIG=providers.yaml kopf run --all-namespaces fleet_operator.py

`on.event` writes nothing to ClusterProfiles: they belong to their cluster manager.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import kopf
from kubernetes.aio.client import ApiException, CoreV1Api

from store_plugin.access import AccessConfig, ClusterProfile
from store_plugin.errors import StorePluginError

SECONDS_FOR_ONE = 30.0


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.enabled = False
    settings.batching.worker_limit = 16  # clusters at once
    file = Path(os.environ["STORE_PLUGIN_ACCESS_CONFIG"])
    memo.access = await asyncio.to_thread(AccessConfig.from_file, file)
    memo.known = {}


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    memo.access.close()


@kopf.on.event("multicluster.x-k8s.io", "clusterprofiles")
async def follow(event: kopf.RawEvent, body: kopf.Body, memo: kopf.Memo, logger: Any, **_: Any) -> None:
    profile = ClusterProfile.from_object(body)
    name = str(profile)
    if event["type"] == "DELETED":
        memo.known.pop(name, None)
        logger.info(f"{name}: gone")
    elif profile.accesses and memo.known.get(name) != profile:  # not only a condition that was renewed
        memo.known[name] = profile
        logger.info(f"{name}: {await namespaces(memo.access, profile)}")


async def namespaces(access: AccessConfig, profile: ClusterProfile) -> str:
    """Of one cluster. A client costs next to nothing: it shares the login of those before it."""
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
