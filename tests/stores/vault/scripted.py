"""A server that answers with the bytes a test says, right or wrong."""

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@dataclass(frozen=True)
class Step:
    """What one request is answered with: the pieces with a pause between them, then
    perhaps the end. `reset`: the end is abrupt."""

    pieces: tuple[bytes, ...] = (OK,)
    close: bool = False
    reset: bool = False
    pause: float = 0.0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Where a test clears it nothing is sent until it is set again."""

    def __post_init__(self) -> None:
        self.hold.set()


class ScriptedServer:
    """`async with ScriptedServer() as server`. Requests are answered with `steps` in their
    order, and with `OK` once there are no more; `requests` holds what was received."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.steps: deque[Step] = deque()
        self.requests: list[bytes] = []
        self.connections = 0
        self.first_step: Step | None = None
        """With the begin of each connection, before any request."""

    async def __aenter__(self) -> "ScriptedServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        scheme = "https" if self._context else "http"
        self.address = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def answer(self, *pieces: bytes, **step: bool | float) -> Step:
        self.steps.append(Step(pieces, **step))  # type: ignore[arg-type]
        return self.steps[-1]

    def close_idle(self) -> None:
        for writer in self.writers:
            writer.close()

    @property
    def open(self) -> int:
        """Connections that stand."""
        return len(self.writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.writers.add(writer)
        self.connections += 1
        try:
            while await self._answer_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            self.writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        self.requests.append(head + await reader.readexactly(int(lengths[0]) if lengths else 0))
        step = self.steps.popleft() if self.steps else Step()
        await step.hold.wait()
        for piece in step.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(step.pause)
        if step.reset:
            writer.transport.abort()
        return not (step.close or step.reset)
