"""Deadlines of streams of responses hold whoever is slow."""

import grpc
import pytest

from tests.hub.conftest import StartHub, StartPlugin
from tests.support.echo import EchoStub


async def test_a_caller_that_takes_nothing_is_told_so_at_the_deadline(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub = await start_hub()
    await start_plugin()
    await hub.plugin("echo").channel_ready()
    call = EchoStub(hub.plugin("echo")).Count(b"100", timeout=0.2)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(grpc.aio.AioRpcError):
        [response async for response in call]
