"""A network between two ends that treats each connection badly, in a way of its own.

Bytes of one connection stay in order, as TCP keeps them; what one connection carries overtakes
what another does.
"""

import asyncio
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Fate:
    """What happens to a connection. Times are seconds, `math.inf` of bytes is never."""

    first_delay: float = 0.0
    """Before anything passes: younger connections overtake it."""
    delay: float = 0.0
    """For each chunk, up to this."""
    cut_after: float = float("inf")
    """Bytes to the server, the last chunk truncated; then the connection breaks."""
    silent_after: float = float("inf")
    """Bytes to the server; then nothing passes any more, either way, and nothing breaks."""


class BadNetwork:
    """`async with BadNetwork(host, port, chance) as network:` leads `network.address` there.

    Once `healed`, new connections have nothing to fear; those that are there keep their fate.
    """

    def __init__(self, host: str, port: int, chance: random.Random) -> None:
        self._target = host, port
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self.healed = False
        self.connections = 0

    async def __aenter__(self) -> "BadNetwork":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._break_all()

    async def _break_all(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fate(self) -> Fate:
        """A fifth of the connections lives for long, on a slow line."""
        chance = self._chance
        if self.healed:
            return Fate()
        slow = Fate(first_delay=chance.uniform(0, 0.2), delay=0.02)
        bytes_passed = chance.choice((10, 200, 1_000, 3_000, 20_000)) * chance.uniform(0.5, 1.5)
        match chance.randrange(5):
            case 0:
                return slow
            case 1 | 2 | 3:
                return Fate(slow.first_delay, chance.choice((0.0, 0.01)), cut_after=int(bytes_passed))
            case _:
                return Fate(slow.first_delay, 0.0, silent_after=int(bytes_passed))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        writers = [writer]
        try:
            fate = self._fate()
            await asyncio.sleep(fate.first_delay)
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
            writers.append(upstream_writer)
            line = _Line(fate, self._chance)
            async with asyncio.TaskGroup() as group:
                group.create_task(line.up(reader, upstream_writer))
                group.create_task(line.down(upstream_reader, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for each in writers:
                each.transport.abort()


class _Cut(ConnectionError):
    """The fate of the connection is fulfilled."""


class _Line:
    """Both directions of one connection."""

    def __init__(self, fate: Fate, chance: random.Random) -> None:
        self._fate = fate
        self._chance = chance
        self._passed = 0
        self._silent = False

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await asyncio.sleep(self._chance.uniform(0, self._fate.delay))
            self._silent = self._silent or self._passed + len(chunk) > self._fate.silent_after
            room = self._fate.cut_after - self._passed
            self._passed += len(chunk)
            if self._silent:
                continue
            writer.write(chunk if len(chunk) <= room else chunk[: int(room)])
            await writer.drain()
            if len(chunk) > room:
                raise _Cut
        raise _Cut

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await asyncio.sleep(self._chance.uniform(0, self._fate.delay))
            if not self._silent:
                writer.write(chunk)
                await writer.drain()
        raise _Cut
