"""A connected plugin as a gRPC channel: `XStub(hub.plugin("name"))` calls it over its stream.

The plugin is looked up anew for each call, so a channel outlives every instance of it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Self, TypeAlias

import grpc

from store_plugin.errors import Code, ConfigInvalid, PluginDisconnected
from store_plugin.hub.calling.calls import StreamCall, UnaryCall
from store_plugin.hub.calling.pending import Reply
from store_plugin.hub.registry import Entry, Instance, Registry
from store_plugin.stream.context import metadata_of
from store_plugin.stream.frames import Metadata
from store_plugin.stream.outcomes import failed, failed_with

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take where its caller sets no timeout."""

Serializer: TypeAlias = Callable[[Any], bytes] | None
Deserializer: TypeAlias = Callable[[bytes], Any] | None


class PluginChannel(grpc.aio.Channel):
    """Calls to the plugin of one name. Closing it does nothing: the stream is the plugin's.

    `private`: calls carry credentials, and go over streams that nobody else can read.
    """

    def __init__(
        self, registry: Registry, name: str, timeout: float = DEFAULT_TIMEOUT, *, private: bool = False
    ) -> None:
        self._registry = registry
        self._name = name
        self._timeout = timeout
        self._private = private

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return _Unary(self, method, request_serializer or bytes, response_deserializer or bytes)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return _Stream(self, method, request_serializer or bytes, response_deserializer or bytes)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return _Impossible(self, method, bytes, bytes)

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Any:
        return _Impossible(self, method, bytes, bytes)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """READY while an instance takes calls; plugins dial, so nothing can be tried."""
        ready = self._registry.pick(self._name) is not None
        return grpc.ChannelConnectivity.READY if ready else grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        with self._registry.events.listen() as events:
            while self.get_state() is last_observed_state:
                await anext(events)

    async def channel_ready(self) -> None:
        await self._registry.wait_for(self._name)

    async def close(self, grace: float | None = None) -> None:
        """Nothing to release."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to release."""

    def timeout_of(self, timeout: float | None) -> float:
        """In seconds, for a call whose caller said `timeout`."""
        return self._timeout if timeout is None else timeout

    async def entry(self, *, wait: float) -> Entry:
        """The instance for the next call. CallFailed where none connects within `wait` seconds,
        or its stream is not private and has to be."""
        entry = self._registry.pick(self._name, private=self._private) or await self._connected(wait)
        if self._private and not entry.peer.private:
            raise failed_with(
                ConfigInvalid(
                    f"plugin {self._name} is connected over a socket that others can read: credentials "
                    "go over TLS or an owner-only path socket"
                )
            )
        return entry

    async def _connected(self, wait: float) -> Entry:
        try:
            async with asyncio.timeout(wait):
                return await self._registry.wait_for(self._name)
        except TimeoutError:
            raise failed_with(
                PluginDisconnected(f"plugin {self._name} is not connected", retry_after=1.0)
            ) from None


class _Method:
    """One method of a plugin's service."""

    def __init__(
        self,
        channel: PluginChannel,
        method: str,
        serialize: Callable[[Any], bytes],
        deserialize: Callable[[bytes], Any],
    ) -> None:
        self._channel = channel
        self._method = method
        self._serialize = serialize
        self._deserialize = deserialize

    async def _found(self, timeout: float, wait: bool) -> tuple[Instance, float]:
        """The instance to call, and the seconds that are left of the call's. CallFailed."""
        deadline = time.monotonic() + timeout
        entry = await self._channel.entry(wait=timeout if wait else 0.0)
        return entry.instance, max(0.0, deadline - time.monotonic())


class _Unary(_Method, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> UnaryCall:
        seconds = self._channel.timeout_of(timeout)
        payload = self._serialize(request)
        reply = partial(self._reply, payload, seconds, metadata_of(metadata), bool(wait_for_ready))
        return UnaryCall(reply, seconds, self._deserialize)

    async def _reply(self, payload: bytes, timeout: float, metadata: Metadata, wait: bool) -> Reply:
        instance, left = await self._found(timeout, wait)
        return await instance.call(self._method, payload, timeout=left, metadata=metadata)


class _Stream(_Method, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> StreamCall:
        seconds = self._channel.timeout_of(timeout)
        replies = self._replies(
            self._serialize(request), seconds, metadata_of(metadata), bool(wait_for_ready)
        )
        return StreamCall(replies, seconds, self._deserialize)

    async def _replies(
        self, payload: bytes, timeout: float, metadata: Metadata, wait: bool
    ) -> AsyncGenerator[Reply, None]:
        instance, left = await self._found(timeout, wait)
        replies = instance.stream(self._method, payload, timeout=left, metadata=metadata)
        async with aclosing(replies):
            async for reply in replies:
                yield reply


class _Impossible(_Method):
    """A method that sends a stream: a PluginStream carries one request per call."""

    def __call__(self, *_: Any, **__: Any) -> UnaryCall:
        async def refused() -> Reply:
            raise failed(Code.UNIMPLEMENTED, f"{self._method} sends a stream, which plugins do not take")

        return UnaryCall(refused, DEFAULT_TIMEOUT, self._deserialize)
