"""The load: a number of callers that call one after the other for some seconds.

Runs as a process of its own and prints a JSON object: calls, seconds, and the latencies'
p50 and p99 in milliseconds. Every answer is checked, so that no figure is made of errors.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import grpc
import uvloop

from bench.echo import METHOD
from store_plugin._proto.ess_pb2 import ApplySecretRequest, ConfigReference, GetSecretRequest, Secret
from store_plugin.client import AsyncClient, Client
from store_plugin.endpoints import Endpoint
from store_plugin.errors import StorePluginError
from store_plugin.wire import SERVICES

Call = Callable[[int], Awaitable[None]]
API_VERSION = "secrets.crossplane.io/v1alpha1"
_PATIENCE, _PAUSE = 2.0, 0.2
PAYLOAD = b"x" * 200


async def measure(call: Call, callers: int, seconds: float) -> dict[str, float]:
    """Let all callers call until the time is over; the first tenth does not count."""
    latencies: list[float] = []
    all_calls = 0
    start = time.perf_counter()
    count_from, end = start + seconds * 0.1, start + seconds

    async def caller(number: int) -> None:
        nonlocal all_calls
        while (before := time.perf_counter()) < end:
            await call(number)
            all_calls += 1
            if before >= count_from:
                latencies.append(time.perf_counter() - before)

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(number))
    latencies.sort()
    return {
        "calls": len(latencies),
        "all_calls": all_calls,
        "seconds": end - count_from,
        "p50": 1000 * latencies[len(latencies) // 2],
        "p99": 1000 * latencies[int(len(latencies) * 0.99)],
    }


async def echo(options: argparse.Namespace) -> dict[str, float]:
    async with grpc.aio.insecure_channel(options.target) as channel:
        method = channel.unary_unary(METHOD)

        async def call(_number: int) -> None:
            assert await method(PAYLOAD) == PAYLOAD

        return await measure(call, options.callers, options.seconds)


async def http(options: argparse.Namespace) -> dict[str, float]:
    connector = aiohttp.TCPConnector(limit=options.callers)
    headers = {"X-Vault-Token": os.environ["BENCH_TOKEN"], "X-Vault-Request": "true"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def call(_number: int) -> None:
            async with session.get(options.target) as response:
                assert response.status == 200
                await response.read()

        return await measure(call, options.callers, options.seconds)


def reference(options: argparse.Namespace) -> ConfigReference:
    return ConfigReference(api_version=API_VERSION, kind=options.kind, name=options.config)


def name_of(options: argparse.Namespace, number: int) -> str:
    """Each caller's own secret, or the one of all."""
    return options.name if options.same else f"{options.name}-{number}"


async def get(options: argparse.Namespace) -> dict[str, float]:
    """Gets with nothing of the client but the channel, as the echo is called."""
    requests = [
        GetSecretRequest(config=reference(options), secret=Secret(scoped_name=name_of(options, number)))
        for number in range(options.callers)
    ]
    return await calls(options, "GetSecret", [request.SerializeToString() for request in requests])


async def apply(options: argparse.Namespace) -> dict[str, float]:
    """Applies of what is stored already."""
    requests = []
    with Client(options.target) as client:
        for number in range(options.callers):
            name = name_of(options, number)
            stored = client.get(f"{options.kind}/{options.config}", name)
            secret = Secret(scoped_name=name, data=stored.data, metadata=stored.metadata)
            requests.append(ApplySecretRequest(config=reference(options), secret=secret).SerializeToString())
    return await calls(options, "ApplySecret", requests)


async def calls(options: argparse.Namespace, method: str, requests: list[bytes]) -> dict[str, float]:
    path = f"/{SERVICES[0].full_name}/{method}"
    channel_options = [("grpc.default_authority", "localhost")]
    async with grpc.aio.insecure_channel(Endpoint.parse(options.target).target, channel_options) as channel:
        stub = channel.unary_unary(path)

        async def call(number: int) -> None:
            assert await stub(requests[number])

        return await measure(call, options.callers, options.seconds)


async def client(options: argparse.Namespace) -> dict[str, float]:
    """A get through AsyncClient, as operators call it."""
    config = f"{options.kind}/{options.config}"
    async with AsyncClient(options.target) as client:

        async def call(number: int) -> None:
            assert (await client.get(config, name_of(options, number))).data

        return await measure(call, options.callers, options.seconds)


async def patient(options: argparse.Namespace) -> dict[str, float]:
    """Callers of a store that never answers, until ended: each asks again a moment after it
    was told so. Nothing is measured."""
    config = f"{options.kind}/{options.config}"
    async with AsyncClient(options.target) as client:

        async def caller(number: int) -> None:
            while True:
                with suppress(StorePluginError):
                    await client.get(config, name_of(options, number), timeout=_PATIENCE)
                await asyncio.sleep(_PAUSE)

        await asyncio.gather(*map(caller, range(options.callers)))
    return {}


LOADS = {"echo": echo, "http": http, "get": get, "apply": apply, "client": client, "patient": patient}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("target")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--kind", default="VaultConfig")
    parser.add_argument("--config", default="")
    parser.add_argument("--name", default="")
    parser.add_argument("--same", action="store_true", help="all callers read one secret")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(LOADS[options.load](options))))


if __name__ == "__main__":
    main()
