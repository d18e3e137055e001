"""A controller over the clusters of a fleet, with kopf: whenever the way to a cluster is new or has
changed, it lists the namespaces there, as fleet.py beside it does.

    STORE_PLUGIN_ACCESS_CONFIG=providers.yaml kopf run --all-namespaces fleet_operator.py

`on.event` writes nothing to ClusterProfiles: they belong to their cluster manager.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import kopf
from fleet import namespaces

from store_plugin.access import AccessConfig, ClusterProfile


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
