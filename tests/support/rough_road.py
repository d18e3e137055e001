"""A TCP proxy that treats connections badly, by chance from a seed: it holds bytes back, cuts
chunks in two, ends connections in the middle, and lets later ones overtake earlier ones."""

import asyncio
import random
from typing import Self


class RoughRoad:
    """`async with RoughRoad(target_port, seed) as road:` listens on `road.port` of 127.0.0.1."""

    def __init__(self, target_port: int, seed: int) -> None:
        self.smooth = False
        """Whether it passes everything on as it comes."""
        self.dropped = 0
        self._target_port = target_port
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            if not self.smooth:  # connections made later may get through earlier
                await asyncio.sleep(self._chance.uniform(0, 0.1))
            there = await asyncio.open_connection("127.0.0.1", self._target_port)
            writers.append(there[1])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, there[1]))
                group.create_task(self._pass_on(there[0], writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            for one in writers:
                one.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if not self.smooth:
                chunk = await self._treated(chunk, writer)
            writer.write(chunk)
            await writer.drain()
        raise ConnectionError  # what one side has ended, ends for the other

    async def _treated(self, chunk: bytes, writer: asyncio.StreamWriter) -> bytes:
        """What is left to pass on; ConnectionError where the connection is cut, truncating."""
        luck = self._chance.random()
        if luck < 0.03:
            writer.write(chunk[: self._chance.randrange(len(chunk) + 1)])
            self.dropped += 1
            raise ConnectionError
        if luck < 0.1:
            await asyncio.sleep(self._chance.uniform(0, 0.05))
        half = self._chance.randrange(len(chunk))
        writer.write(chunk[:half])
        await asyncio.sleep(0)
        return chunk[half:]
