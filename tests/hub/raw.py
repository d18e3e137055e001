"""A plugin that says whatever a test wants it to, frame by frame."""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc

from store_plugin.endpoints import Endpoint
from store_plugin.stream import frames


class RawPlugin:
    """One stream to a hub."""

    def __init__(self, endpoint: str, path: str = frames.METHOD_PATH) -> None:
        options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(Endpoint.parse(endpoint).target, options)
        self.call: Any = self._channel.stream_stream(path, None, None)(None)
        self._taking = asyncio.Event()
        self._taking.set()
        self._received: asyncio.Queue[Any] = asyncio.Queue()
        # Giving up on one read would cancel the whole call.
        self._reading = asyncio.create_task(self._read(), name="raw plugin")

    async def send(self, frame: frames.Frame | bytes) -> None:
        await self.call.write(frame if isinstance(frame, bytes) else frame.SerializeToString())

    async def receive(self, within: float = 40.0) -> frames.Frame:
        """The next frame but pings."""
        while True:
            frame = frames.Frame.FromString(await self.receive_bytes(within))
            if not frame.HasField("ping"):
                return frame

    async def receive_bytes(self, within: float = 40.0) -> bytes:
        """The next frame as it came."""
        data = await asyncio.wait_for(self._received.get(), within)
        assert isinstance(data, bytes), "the hub ended the stream"
        return data

    async def register(self, name: str = "raw", **more: Any) -> None:
        await self.send(frames.register(name, "1.0", **more))

    async def status(self, within: float = 40.0) -> tuple[grpc.StatusCode, str]:
        """How the hub ended the stream."""
        return await asyncio.wait_for(self._status(), within)

    def stop_reading(self) -> None:
        """Take no more frames, as a peer that hangs."""
        self._taking.clear()

    def read_on(self) -> None:
        """Take frames again."""
        self._taking.set()

    async def _read(self) -> None:
        data = None
        while data is not frames.EOF:
            await self._taking.wait()
            try:
                data = await self.call.read()
            except grpc.aio.AioRpcError:
                data = frames.EOF
            self._received.put_nowait(data)

    async def _status(self) -> tuple[grpc.StatusCode, str]:
        return await self.call.code(), await self.call.details()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.cancel()
        self._reading.cancel()
        await asyncio.wait((self._reading,))
        await self._channel.close()
