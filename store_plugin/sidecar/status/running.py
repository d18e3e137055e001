"""Puts election and writing together."""

import asyncio
import socket
from pathlib import Path
from uuid import uuid4

from store_plugin.cluster_api import ClusterApi
from store_plugin.config.kinds import Kinds
from store_plugin.config.source import ConfigSource
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.sidecar.status.checking import Checks
from store_plugin.sidecar.status.election import Election
from store_plugin.sidecar.status.writer import StatusWriter
from store_plugin.sidecar.status.writing import StatusApi
from store_plugin.store import Logger

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def write_status(
    api: ClusterApi,
    source: ConfigSource,
    kinds: Kinds,
    table: ConfigTable,
    router: Router,
    namespace: str | None,
    log: Logger,
) -> None:
    """Write status and Events while we are the one, until cancelled. The Lease is in
    `namespace`, or in that of this Pod."""
    where = await asyncio.to_thread(_own_namespace) if namespace is None else namespace
    election = Election(api, where, f"{socket.gethostname()}-{uuid4().hex[:8]}", log)
    writer = StatusWriter(
        StatusApi(api, kinds), table, Checks(router), lambda: election.leading, source.generation, log
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(election.run(), name="election")
        group.create_task(writer.run(), name="status")


def _own_namespace() -> str:
    try:
        return _OWN_NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"
