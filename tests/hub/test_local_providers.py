"""A provider of the hub's own process: called as a plugin is, and alone under its name."""

import asyncio
from typing import Any

import grpc
import pytest

from store_plugin.errors import AlreadyConnected
from store_plugin.hub.events import EventKind
from store_plugin.hub.hub import Hub
from store_plugin.hub.registry import OnDuplicate
from store_plugin.hub.settings import HubSettings
from store_plugin.stream.features import ALL
from store_plugin.stream.handlers import HandlerTable
from tests.hub.conftest import StartHub, StartPlugin
from tests.hub.raw import RawPlugin
from tests.support.echo import Echo, EchoStub, add_echo


def local(servicer: Echo | None = None) -> HandlerTable:
    table = HandlerTable()
    add_echo(servicer or Echo(), table)
    return table


async def test_it_is_called_as_a_plugin_is(start_hub: StartHub) -> None:
    hub = await start_hub()
    hub.register("echo", local())
    stub = EchoStub(hub.plugin("echo"))
    assert await stub.Say(b"x") == b"x"
    assert [answer async for answer in stub.Count(b"3")] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "registration",
    [{}, {"features": ALL}, {"features": ALL, "instance_id": "one"}, {"instance_id": "local"}],
    ids=["of the framework", "nameless", "an instance", "the provider's own instance"],
)
async def test_no_plugin_takes_its_name(
    start_hub: StartHub, endpoint: str, registration: dict[str, Any]
) -> None:
    hub = await start_hub()
    entry = hub.register("raw", local())
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(**registration)
        code, why = await plugin.status()
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "the hub's own process" in why
    assert hub.registry.entries() == [entry]
    assert await EchoStub(hub.plugin("raw")).Say(b"x") == b"x"


@pytest.mark.parametrize("on_duplicate", OnDuplicate)
async def test_it_takes_its_name_from_a_plugin_whose_calls_finish(
    start_hub: StartHub, start_plugin: StartPlugin, on_duplicate: OnDuplicate
) -> None:
    hub = await start_hub(HubSettings(on_duplicate=on_duplicate))
    servicer = Echo()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    under_way = EchoStub(hub.plugin("echo")).Wait(b"0.2")
    while not servicer.waiting:
        await asyncio.sleep(0.005)
    entry = hub.register("echo", local())
    assert hub.registry.entries() == [entry]
    assert await under_way == b"0.2"


async def test_the_newer_one_of_two_takes_over_and_the_older_is_gone(start_hub: StartHub) -> None:
    hub = await start_hub()
    first = hub.register("echo", local())
    with hub.registry.events.listen() as events:
        second = hub.register("echo", local())
    told = [event.kind async for event in events]
    assert told == [EventKind.CONNECTED, EventKind.DRAINING, EventKind.GONE, EventKind.READY]
    assert first.gone.is_set()
    assert hub.registry.entries() == [second]


async def test_the_first_one_of_two_stays_where_the_hub_is_set_so(start_hub: StartHub) -> None:
    hub = await start_hub(HubSettings(on_duplicate=OnDuplicate.REJECT))
    hub.register("echo", local())
    with pytest.raises(AlreadyConnected):
        hub.register("echo", local())


async def test_a_name_that_was_given_back_is_any_plugins(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub: Hub = await start_hub()
    hub.registry.remove(hub.register("echo", local()), "not needed any more")
    await start_plugin()
    assert await EchoStub(hub.plugin("echo")).Say(b"x", wait_for_ready=True, timeout=20) == b"x"
