"""A TCP proxy in front of an HTTP server: counts requests, and can be slow, silent or gone."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy:
    """`async with Proxy(target) as proxy:` forwards `proxy.address` to `target`.

    `requests` holds method and path of each request seen (`GET /v1/secret/data/a`), in
    plain HTTP. While `silent`, bytes of clients go nowhere; while `passing` is not set, they
    wait; `delay` holds each request back, in seconds; `drop` closes all connections.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[str] = []
        self.connections = 0
        self.delay = 0.0
        self.silent = False
        self.passing = asyncio.Event()
        self.passing.set()
        self.cut_answers = False
        """Close the connection instead of passing an answer on."""

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{self._target.scheme}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def count(self, method: str = "", path: str = "") -> int:
        return sum(request.startswith(method) and path in request for request in self.requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            upstream = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._writers |= {writer, upstream[1]}
            heads = _Heads(self.requests)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, upstream[1], heads))
                group.create_task(self._down(upstream[0], writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for open_writer in (writer, *([upstream[1]] if "upstream" in locals() else [])):
                self._writers.discard(open_writer)
                open_writer.close()
                with suppress(OSError):
                    await open_writer.wait_closed()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heads: "_Heads") -> None:
        while chunk := await reader.read(65536):
            heads.feed(chunk)
            await self.passing.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if not self.silent:
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if self.cut_answers:
                break
            writer.write(chunk)
            await writer.drain()
        writer.close()


class _Heads:
    """Finds the request lines in one connection's bytes."""

    def __init__(self, found: list[str]) -> None:
        self._found = found
        self._buffer = b""
        self._body_left = 0

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while self._buffer:
            skipped = min(self._body_left, len(self._buffer))
            self._buffer, self._body_left = self._buffer[skipped:], self._body_left - skipped
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer = rest
            lines = head.decode("latin-1").split("\r\n")
            self._found.append(lines[0].rsplit(" ", 1)[0])
            lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
            self._body_left = int(lengths[0]) if lengths else 0
