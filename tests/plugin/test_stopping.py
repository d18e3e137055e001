"""A plugin that stops: calls under way finish, and nothing new begins."""

import asyncio
import socket
import threading
from typing import Any

import grpc
import pytest

from store_plugin.hub.events import EventKind
from store_plugin.plugin import Plugin
from store_plugin.plugin.backoff import Backoff
from store_plugin.plugin.connecting import link
from tests.plugin.test_replicas import FIRST, NAME, SECOND, Names, hub_at
from tests.support.echo import Echo, EchoStub, add_echo
from tests.support.ports import free_port
from tests.support.waiting import until


class Patient(Echo):
    """Its methods wait until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.begun = threading.Event()
        self.ended = threading.Event()

    def SayInThread(self, request: bytes, context: Any) -> bytes:
        self.begun.set()
        self.may_go_on.wait(60)
        self.ended.set()
        return request


def patient() -> tuple[Plugin, Patient]:
    plugin, servicer = Plugin("echo", "1"), Patient()
    add_echo(servicer, plugin)
    return plugin, servicer


async def test_a_method_that_hangs_in_its_thread_holds_up_nobody() -> None:
    port = free_port()
    plugin, servicer = patient()
    async with hub_at(FIRST, port) as hub:
        running = asyncio.create_task(plugin.run(f"dns:///{FIRST}:{port}", signals=()))
        try:
            await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
            call = EchoStub(hub.plugin("echo")).SayInThread(b"x")
            await until(servicer.begun.is_set)
            running.cancel()
            await asyncio.wait((running,))
            assert not servicer.ended.is_set()
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
        finally:
            servicer.may_go_on.set()


async def test_no_stream_is_opened_while_calls_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that came over it would be lost when the plugin ends."""
    monkeypatch.setattr(socket, "getaddrinfo", Names(socket.getaddrinfo, FIRST, SECOND))
    monkeypatch.setattr(link, "Backoff", lambda: Backoff(longest=0.05))
    port = free_port()
    plugin, servicer = patient()
    async with hub_at(FIRST, port) as first:
        running = asyncio.create_task(plugin.run(f"dns:///{NAME}:{port}", signals=()))
        await asyncio.wait_for(first.plugin("echo").channel_ready(), 20)
        call = EchoStub(first.plugin("echo")).SayInThread(b"x")
        await until(servicer.begun.is_set)
        plugin.stop()
        async with hub_at(SECOND, port) as second:
            with second.registry.events.listen() as events:
                await asyncio.sleep(0.5)  # some tries
                servicer.may_go_on.set()
                await asyncio.wait_for(running, 30)
            assert EventKind.CONNECTED not in [event.kind async for event in events]
        assert await call == b"x"
