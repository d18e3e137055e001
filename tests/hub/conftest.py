"""A hub in this process, and plugins that dial it over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import grpc
import pytest
import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.settings import HubSettings
from store_plugin.plugin import Plugin, serving
from tests.support.echo import Echo, add_echo

FOR_EVER = 1_000_000
"""Heartbeats that may be missed where they come often and a test is about something else."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins of this process give no hub up because it is silent."""
    monkeypatch.setattr(serving, "MISSED_HEARTBEATS", FOR_EVER)


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-tests/hub-{uuid4().hex}"


StartHub = Callable[..., Awaitable[Hub]]
StartPlugin = Callable[..., Awaitable[Plugin]]


@pytest.fixture
async def start_hub(endpoint: str) -> AsyncIterator[StartHub]:
    async with AsyncExitStack() as stack:

        async def start(settings: HubSettings | None = None) -> Hub:
            listener = HubListener(Endpoint.parse(endpoint), anyone, any_name)
            hub = Hub([listener], structlog.get_logger(), settings)
            return await stack.enter_async_context(running_hub(hub, endpoint))

        yield start


@asynccontextmanager
async def running_hub(hub: Hub, endpoint: str) -> AsyncIterator[Hub]:
    """A hub whose plugins may break off half way in before it stops: it does that after a call, which
    comes after all of them, and with a connection that is whole (docs/decisions/0052)."""
    options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1)]
    await hub.start()
    try:
        yield hub
    finally:
        async with grpc.aio.insecure_channel(Endpoint.parse(endpoint).target, options) as channel:
            with suppress(grpc.aio.AioRpcError):  # it may have stopped already
                await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20)
            await hub.stop(1.0)


@pytest.fixture
async def start_plugin(endpoint: str) -> AsyncIterator[StartPlugin]:
    async with AsyncExitStack() as stack:

        async def start(name: str = "echo", servicer: Echo | None = None, **options: object) -> Plugin:
            plugin = Plugin(name, "1.0", **options)
            add_echo(servicer or Echo(), plugin)
            await stack.enter_async_context(running(plugin, endpoint))
            return plugin

        yield start


@asynccontextmanager
async def running(plugin: Plugin, endpoint: str, **options: Any) -> AsyncIterator[None]:
    """The plugin, connected or trying to."""
    task = asyncio.create_task(plugin.run(endpoint, signals=(), **options))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
