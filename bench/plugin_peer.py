"""Plugins under measurement: one process with any number of them, each with a connection of its
own, that serve what the floor serves: the same method, also reached directly."""

import asyncio
import logging
import signal
import sys
from typing import Any

import grpc
import uvloop

from store_plugin.plugin import Plugin

SERVICE = "bench.Echo"


async def echo(request: bytes, context: object) -> bytes:
    return request


async def wait(request: bytes, context: object) -> bytes:
    await asyncio.sleep(float(request))
    return request


def add_echo(server: Any) -> None:
    """As generated code would."""
    methods = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))


def name(number: int) -> str:
    return f"plugin-{number}"


async def serve(endpoint: str, direct: str, first: int, number: int) -> None:
    server = grpc.aio.server()
    add_echo(server)
    server.add_insecure_port(direct)
    await server.start()
    plugins = [Plugin(name(first + position), "1") for position in range(number)]
    for plugin in plugins:
        add_echo(plugin)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [p.stop() for p in plugins])
    await asyncio.gather(*(plugin.run(endpoint, signals=()) for plugin in plugins))
    await server.stop(0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
