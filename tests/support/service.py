"""One address in front of several servers, as a Service of Kubernetes is: a new connection goes to
one of the servers that are listed, and stays with it."""

import asyncio
import random
from collections.abc import Iterable


class Service:
    """`async with Service() as service:` listens at `address`; `ports` says where connections go."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Service":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", random.choice(sorted(self.ports)))
            writers.append(back)
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        except (OSError, IndexError):
            pass  # as a connection to a Pod that is gone
        finally:
            self._tasks.discard(task)
            _close(writers)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


def _close(writers: Iterable[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
