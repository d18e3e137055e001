"""A hub's name may have several addresses, which come and go: every replica has every plugin."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.errors import NotReachable
from store_plugin.hub import Hub, HubListener, any_name, anyone
from store_plugin.plugin import Plugin
from store_plugin.plugin.connecting import dialing, following
from tests.hub.conftest import running, running_hub
from tests.support.echo import Echo, EchoStub, Held, add_echo
from tests.support.ports import free_port
from tests.support.waiting import until

NAME = "hubs.test"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


class Names:
    """A resolver that knows one name, by as many addresses as a test wants."""

    def __init__(self, known: Callable[..., Any], *addresses: str) -> None:
        self.addresses = list(addresses)
        self._known = known
        self._asked = 0

    async def looked_up(self, times: int = 4) -> None:
        """Wait until the name as it is now has been looked up so many times."""
        enough = self._asked + times + 1  # one may be under way
        await until(lambda: self._asked >= enough)

    def __call__(self, host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host != NAME:
            return self._known(host, port, *more, **options)
        self._asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in self.addresses]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names(socket.getaddrinfo, FIRST, SECOND)
    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr(following, "RESOLVE_SECONDS", 0.05)
    monkeypatch.setattr(following, "UNRESOLVED_SECONDS", 0.05)
    return names


@pytest.fixture
def port() -> int:
    return free_port()


@asynccontextmanager
async def hub_at(address: str, port: int) -> AsyncIterator[Hub]:
    endpoint = f"{address}:{port}"
    listener = HubListener(Endpoint.parse(endpoint), anyone, any_name)
    async with running_hub(Hub([listener], structlog.get_logger()), endpoint) as hub:
        yield hub


def echo(servicer: Echo | None = None) -> Plugin:
    plugin = Plugin("echo", "1")
    add_echo(servicer or Echo(), plugin)
    return plugin


async def test_a_name_that_no_host_can_have_is_told() -> None:
    with pytest.raises(NotReachable, match="is no host's"):
        await dialing.addresses(Endpoint.parse(f"dns:///{'a' * 64}.example.org:8443"))


async def test_a_name_that_is_not_known_is_told_once(
    names: Names, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    names.addresses = []
    async with hub_at(FIRST, port) as first, running(echo(), f"dns:///{NAME}:{port}"):
        await names.looked_up()
        names.addresses = [FIRST]
        await asyncio.wait_for(first.plugin("echo").channel_ready(), 20)
    assert caplog.text.count("hub not found") == 1


async def test_every_replica_gets_a_stream(names: Names, port: int) -> None:
    plugin = echo()
    async with (
        hub_at(FIRST, port) as first,
        hub_at(SECOND, port) as second,
        running(plugin, f"dns:///{NAME}:{port}"),
    ):
        for hub in (first, second):
            assert await EchoStub(hub.plugin("echo")).Say(b"x", wait_for_ready=True, timeout=20) == b"x"
        assert plugin.connected == 2


async def test_a_replica_that_comes_later_is_found(names: Names, port: int) -> None:
    names.addresses = []
    async with hub_at(FIRST, port) as first, running(echo(), f"dns:///{NAME}:{port}"):
        names.addresses = [FIRST]
        await asyncio.wait_for(first.plugin("echo").channel_ready(), 20)
        async with hub_at(SECOND, port) as second:
            names.addresses = [FIRST, SECOND]
            await asyncio.wait_for(second.plugin("echo").channel_ready(), 20)
        assert len(first.registry) == 1


async def test_a_replica_that_leaves_the_name_finishes_its_calls(names: Names, port: int) -> None:
    """As Kubernetes does it: a Pod that ends is taken out of the name first."""
    plugin = echo(servicer := Held())
    async with hub_at(FIRST, port) as first, running(plugin, f"dns:///{NAME}:{port}"):
        async with hub_at(SECOND, port) as second:
            await asyncio.wait_for(second.plugin("echo").channel_ready(), 20)
            call = EchoStub(second.plugin("echo")).Say(b"1", timeout=60)
            await until(lambda: servicer.running)
            names.addresses = [FIRST]
            await names.looked_up()
            stopping = asyncio.create_task(second.stop(20.0))
            await asyncio.sleep(0)
            servicer.may_go.set()
            await stopping
            assert await call == b"1"
        await until(lambda: plugin.connected == 1)
        assert await EchoStub(first.plugin("echo")).Say(b"x", wait_for_ready=True, timeout=20) == b"x"


async def test_a_hub_that_moved_is_found_without_waiting_for_the_next_look_up(
    names: Names, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pod that starts anew has another address, under the same name."""
    monkeypatch.setattr(following, "RESOLVE_SECONDS", 3600.0)
    names.addresses = [FIRST]
    async with running(echo(), f"dns:///{NAME}:{port}"):
        async with hub_at(FIRST, port) as first:
            await asyncio.wait_for(first.plugin("echo").channel_ready(), 20)
        names.addresses = [SECOND]
        async with hub_at(SECOND, port) as second:
            await asyncio.wait_for(second.plugin("echo").channel_ready(), 20)


async def test_a_name_that_cannot_be_looked_up_for_a_while_costs_no_stream(names: Names, port: int) -> None:
    plugin = echo()
    async with hub_at(FIRST, port) as first, running(plugin, f"dns:///{NAME}:{port}"):
        await asyncio.wait_for(first.plugin("echo").channel_ready(), 20)
        (entry,) = first.registry.entries()
        names.addresses = []
        await names.looked_up()
        assert first.registry.entries() == [entry]
