"""A proxy that tunnels for whoever shows the right credentials (CONNECT, Basic), and for nobody else."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_ACCEPTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """Where it listens, and where to it has tunnelled."""

    credentials: str
    address: str = ""
    """`host:port`."""
    tunnels: list[str] = field(default_factory=list)
    refused: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        shown = [line.partition(": ")[2] for line in headers if line.lower().startswith("proxy-auth")]
        if shown != [f"Basic {b64encode(self.credentials.encode()).decode()}"]:
            self.refused += 1
            writer.write(_REFUSED)
            await writer.drain()
            return
        method, target, _ = first.split()
        assert method == "CONNECT"
        self.tunnels.append(target)
        host, _, port = target.rpartition(":")
        from_target, to_target = await asyncio.open_connection(host, int(port))
        writer.write(_ACCEPTED)
        await asyncio.gather(_pass_on(reader, to_target), _pass_on(from_target, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def connect_proxy(credentials: str) -> Iterator[ConnectProxy]:
    """On loopback, on a thread of its own. `credentials` are `user:password`."""
    proxy, started, loop = ConnectProxy(credentials), threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, name="connect proxy")
    thread.start()
    try:
        assert started.wait(30)
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
