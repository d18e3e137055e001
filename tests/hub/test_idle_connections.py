"""Whoever connects to a hub and asks nothing keeps no connection of it; a plugin keeps its own."""

import asyncio
import socket

from store_plugin.hub.settings import HubSettings
from tests.hub.conftest import StartHub, StartPlugin
from tests.support.echo import EchoStub
from tests.support.http2 import call_and_abandon

CHECK = "/grpc.health.v1.Health/Check"
PATIENCE = 30.0


async def test_a_connection_without_a_call_is_closed(
    start_hub: StartHub, start_plugin: StartPlugin, endpoint: str
) -> None:
    hub = await start_hub(HubSettings(max_connection_idle=0.5))
    await start_plugin()
    await hub.plugin("echo").channel_ready()
    generation = hub.registry.entries()[0].generation
    idle = await asyncio.to_thread(call_and_abandon, endpoint, CHECK, b"")
    with idle:
        assert await asyncio.wait_for(asyncio.to_thread(closed, idle), PATIENCE)
    assert await EchoStub(hub.plugin("echo")).Say(b"still here") == b"still here"
    assert hub.registry.entries()[0].generation == generation


def closed(connection: socket.socket) -> bool:
    """Waits until the other end has closed it."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True
