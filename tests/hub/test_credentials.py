"""Who may come in is asked at every stream, and streams do not grow old: a credential that has
ended lets nobody stay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.errors import CallerUnknown
from store_plugin.hub import Hub, HubListener, HubSettings, any_name
from store_plugin.hub.peer import Identity
from store_plugin.plugin import Plugin
from tests.hub.conftest import FOR_EVER, running, running_hub
from tests.support.echo import Echo, EchoStub, add_echo
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("patient")


class Door:
    """Knows one token at a time."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.shown: list[str] = []

    async def __call__(self, context: Any) -> Identity:
        shown = dict(context.invocation_metadata()).get("authorization", "")
        self.shown.append(shown)
        if shown != f"Bearer {self.token}":
            raise CallerUnknown("this token is not known here")
        return Identity(self.token)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first\n")
    return file


@asynccontextmanager
async def hub_behind(door: Door, endpoint: str, grace: float) -> AsyncIterator[Hub]:
    """`grace`: seconds that an old stream may go on until there is another."""
    listener = HubListener(Endpoint.parse(endpoint), door, any_name)
    settings = HubSettings(
        max_stream_age=0.3, heartbeat_interval=0.05, missed_heartbeats=FOR_EVER, drain_grace=grace
    )
    async with running_hub(Hub([listener], structlog.get_logger(), settings), endpoint) as hub:
        yield hub


@asynccontextmanager
async def plugin_with(token: Path, endpoint: str) -> AsyncIterator[Plugin]:
    plugin = Plugin("echo", "1")
    add_echo(Echo(), plugin)
    async with running(plugin, endpoint, token=token):
        yield plugin


async def test_a_rotated_token_is_shown_when_the_stream_is_old_and_no_call_fails(
    endpoint: str, file: Path
) -> None:
    door = Door("first")
    async with hub_behind(door, endpoint, 30.0) as hub, plugin_with(file, endpoint):
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        stub = EchoStub(hub.plugin("echo"))
        door.token = "second"
        file.write_text("second\n")
        async with asyncio.timeout(20):
            while [e.peer.identity.user for e in hub.registry.entries()] != ["second"]:
                assert await stub.Say(b"x") == b"x"
        assert set(door.shown) == {"Bearer first", "Bearer second"}


async def test_who_has_no_valid_token_any_more_is_out_once_the_stream_is_old(
    endpoint: str, file: Path
) -> None:
    door = Door("first")
    async with hub_behind(door, endpoint, 1.0) as hub, plugin_with(file, endpoint):
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        door.token = "second"
        await until(lambda: len(hub.registry) == 0, within=20)
        assert await EchoStub(hub.plugin("echo")).Say(b"x").code() is grpc.StatusCode.UNAVAILABLE
        file.write_text("second\n")
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 30)
