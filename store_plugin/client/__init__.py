"""The client for operators: `Client` for threads, `AsyncClient` for asyncio.

    from store_plugin.client import Client

    with Client() as client:
        client.apply("VaultConfig/prod", "team-a/db", {"password": b"..."}, owner=uid)
        secret = client.get("VaultConfig/prod", "team-a/db")

It needs gRPC and protobuf and nothing of the server. What goes wrong is raised as a class
of `store_plugin.errors`, with `code`, `reason`, `metadata` and `retry_after`.
"""

from store_plugin.client._base import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT
from store_plugin.client._messages import FetchedSecret, parse_config
from store_plugin.client.aio import AsyncClient
from store_plugin.client.sync import Client

__all__ = [
    "DEFAULT_CONNECT_TIMEOUT",
    "DEFAULT_TIMEOUT",
    "AsyncClient",
    "Client",
    "FetchedSecret",
    "parse_config",
]
