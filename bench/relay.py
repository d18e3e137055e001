"""The floor of any such sidecar: a grpc.aio handler that passes a read on over a raw socket.

It has no rules, no config, no errors, no deadlines and reads only what this bench stores:
what a get costs above it is the price of those.
"""

import asyncio
import json
import os
import signal
import sys
from urllib.parse import urlsplit

import grpc
import uvloop

from store_plugin._proto.ess_pb2 import GetSecretRequest, GetSecretResponse, Secret
from store_plugin.wire import SERVICES


class Connection(asyncio.Protocol):
    """One connection; an answer is complete when Content-Length says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = b""

    def exchange(self, request: bytes) -> "asyncio.Future[bytes]":
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) == length:
            self.received = b""
            self.answer.set_result(body)


async def serve(endpoint: str, server: str, mount: str) -> None:
    address = urlsplit(server)
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    headers = f"HTTP/1.1\r\nHost: {address.netloc}\r\nX-Vault-Token: {os.environ['BENCH_TOKEN']}\r\n\r\n"

    async def get(data: bytes, context: object) -> bytes:
        name = GetSecretRequest.FromString(data).secret.scoped_name
        connection = (
            idle.pop()
            if idle
            else (await loop.create_connection(Connection, address.hostname, address.port))[1]
        )
        body = await connection.exchange(f"GET /v1/{mount}/data/{name} {headers}".encode())
        idle.append(connection)
        stored = {key: value.encode() for key, value in json.loads(body)["data"]["data"].items()}
        return GetSecretResponse(secret=Secret(scoped_name=name, data=stored)).SerializeToString()

    listener = grpc.aio.server()
    handlers = {"GetSecret": grpc.unary_unary_rpc_method_handler(get)}
    service = SERVICES[0].full_name
    listener.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    listener.add_insecure_port(endpoint)
    await listener.start()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await listener.stop(0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(*sys.argv[1:]))
