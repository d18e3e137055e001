"""How many calls a plugin takes at a time."""

import asyncio
from collections import Counter

import grpc

from store_plugin.plugin.serving import MOST_WAITING
from tests.hub.conftest import StartHub, StartPlugin
from tests.support.echo import EchoStub, Held
from tests.support.waiting import until


async def test_calls_beyond_those_that_run_wait_and_those_beyond_these_are_refused(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub, servicer = await start_hub(), Held()
    await start_plugin(servicer=servicer, concurrency=2)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    most = 2 * (1 + MOST_WAITING)
    calls = [stub.Say(b"x", timeout=60) for _ in range(most + 3)]
    await until(lambda: sum(call.done() for call in calls) == 3)
    assert servicer.running == 2
    servicer.may_go.set()
    ended = Counter(await asyncio.gather(*(call.code() for call in calls)))
    assert ended == {grpc.StatusCode.OK: most, grpc.StatusCode.RESOURCE_EXHAUSTED: 3}
    assert await stub.Say(b"free again") == b"free again"
