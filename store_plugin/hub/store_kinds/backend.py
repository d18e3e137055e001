"""A plugin as a Store: SecretBackend over its stream, with the config in every request.

A read that is lost with its stream is sent once more, to whichever instance there is then;
a write is not: the engine finds out by reading what became of it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from store_plugin import backend
from store_plugin._proto import backend_pb2 as proto
from store_plugin.errors import (
    Bug,
    Code,
    ConfigInvalid,
    InvalidRequest,
    RemoteError,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.hub.calling.channel import PluginChannel
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from store_plugin.wire import error_from

ResponseT = TypeVar("ResponseT", bound=Message)


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """The config of one store, as each request carries it. `credentials` are asked for anew
    each time, because they change."""

    api_version: str
    kind: str
    name: str
    generation: Callable[[], int]
    spec: bytes = field(repr=False)
    credentials: Callable[[], dict[str, bytes]]

    def message(self) -> proto.StoreConfig:
        """ConfigInvalid where a credential is missing."""
        return proto.StoreConfig(
            api_version=self.api_version,
            kind=self.kind,
            name=self.name,
            generation=self.generation(),
            spec=self.spec,
            credentials=self.credentials(),
        )


class PluginStore:
    """The Store protocol over a channel to a plugin."""

    def __init__(
        self,
        channel: PluginChannel,
        config: BackendConfig,
        capabilities: Capabilities,
        place: str,
        timeout: float,
        closed: Callable[[], None],
    ) -> None:
        self.capabilities = capabilities
        self._calls = BackendCalls(channel, config, timeout)
        self._place = place
        self._on_close: Callable[[], None] | None = closed

    def location(self, name: ScopedName) -> str:
        return f"plugin:{self._place}|{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        request = proto.ReadRequest(scoped_name=str(name), version=version or "")
        response = await self._calls.repeatable("Read", request, proto.ReadResponse)
        return _understood(lambda: backend.stored_from(response.stored))

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        request = proto.WriteRequest(
            scoped_name=str(name), secret=backend.secret_to(secret), base=_base(base)
        )
        return backend.version_from((await self._calls.once("Write", request, proto.WriteResponse)).version)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        request = proto.DeleteRequest(scoped_name=str(name), base=_base(base))
        await self._calls.once("Delete", request, proto.DeleteResponse)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        raise InvalidRequest("a plugin's store cannot be listed")

    async def check(self) -> list[str]:
        response = await self._calls.repeatable("Check", proto.CheckRequest(), proto.CheckResponse)
        return list(response.warnings)

    async def aclose(self) -> None:
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close()


class BackendCalls:
    """SecretBackend's methods for one config; failures come as errors of ours."""

    def __init__(self, channel: PluginChannel, config: BackendConfig, timeout: float) -> None:
        self._channel = channel
        self._config = config
        self._timeout = timeout

    async def repeatable(self, method: str, request: Any, response: type[ResponseT]) -> ResponseT:
        """A call that may be sent twice: where its stream was lost, it is."""
        try:
            return await self._called(method, request, response)
        except grpc.aio.AioRpcError as error:
            failure = _typed(error, self._config)
            away = self._channel.get_state() is not grpc.ChannelConnectivity.READY
            if away or not _is_lost(error):
                raise failure from None
        return await self.once(method, request, response)

    async def once(self, method: str, request: Any, response: type[ResponseT]) -> ResponseT:
        """A call that is not sent again."""
        try:
            return await self._called(method, request, response)
        except grpc.aio.AioRpcError as error:
            raise _typed(error, self._config) from None

    async def _called(self, method: str, request: Any, response: type[ResponseT]) -> ResponseT:
        request.config.CopyFrom(self._config.message())
        call = self._channel.unary_unary(
            backend.method(method), type(request).SerializeToString, response.FromString
        )
        found: ResponseT = await call(request, timeout=self._timeout)
        return found


def _is_lost(error: grpc.aio.AioRpcError) -> bool:
    """Whether the stream was lost with the call; a store that is away says so with a reason."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and isinstance(_told(error), RemoteError)


def _told(error: grpc.aio.AioRpcError) -> StorePluginError:
    trailing: Any = error.trailing_metadata()
    return error_from(Code(error.code().value[0]), error.details() or "", tuple(trailing))


def _typed(error: grpc.aio.AioRpcError, config: BackendConfig) -> StorePluginError:
    found, message = _told(error), error.details() or ""
    if not isinstance(found, RemoteError):
        return found
    code = found.code
    if code is Code.UNAVAILABLE:
        return StoreUnavailable(message)
    if code is Code.UNIMPLEMENTED:
        return ConfigInvalid(f"the plugin of kind {config.kind} does not serve it as a store: {message}")
    return Bug(f"the plugin of kind {config.kind} failed: {message}")


def _base(base: StoredSecret) -> proto.StoredSecret:
    return backend.stored_to(base, base.raw if isinstance(base.raw, bytes) else b"")


def _understood(read: Callable[[], StoredSecret]) -> StoredSecret:
    try:
        return read()
    except InvalidRequest as error:
        raise Bug(f"the plugin's answer cannot be read: {error.message}") from None
