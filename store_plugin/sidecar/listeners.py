"""One grpc.aio server per endpoint, each with its own way to know its callers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.sidecar.call import MAX_MESSAGE_BYTES, Call, Context, Handler
from store_plugin.sidecar.settings import Settings
from store_plugin.sockets import cannot_listen, private_umask, protect, remove_stale_socket
from store_plugin.store import Logger
from store_plugin.tls import server_credentials
from store_plugin.wire import SERVICES


class Listener:
    """A server on one endpoint."""

    def __init__(
        self, endpoint: Endpoint, settings: Settings, handlers: Mapping[str, Handler], log: Logger
    ) -> None:
        self.endpoint = endpoint
        self._settings = settings
        self._log = log
        self._server = grpc.aio.server(
            options=_options(endpoint, settings), maximum_concurrent_rpcs=2 * settings.max_in_flight
        )
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in the stub
        self._register(handlers)

    async def start(self) -> None:
        """Bind and serve; InvalidRequest where the endpoint is taken or cannot be bound."""
        with private_umask():
            self._bind()
        await self._server.start()
        if self.endpoint.transport is Transport.PATH:
            protect(Path(self.endpoint.address), self._settings.socket_mode, self._settings.socket_group)
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def refuse(self) -> None:
        """Tell health checks that this server is about to go."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Accept nothing more; calls in flight have `grace` seconds to finish."""
        await self._server.stop(grace)

    def _register(self, handlers: Mapping[str, Handler]) -> None:
        for service in SERVICES:
            self._server.add_generic_rpc_handlers((_generic_handler(service.full_name, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )

    async def _set_health(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for name in ("", *(service.full_name for service in SERVICES)):
            await self._health.set(name, status)

    def _bind(self) -> None:
        address = self.endpoint.listen_address
        if self.endpoint.transport is Transport.PATH:
            remove_stale_socket(Path(self.endpoint.address))
        try:
            if self.endpoint.transport is Transport.TCP:
                credentials = server_credentials(self._settings.certs_dir, self._log)
                bound = self._server.add_secure_port(address, credentials)
            else:
                bound = self._server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise cannot_listen(self.endpoint)


def _generic_handler(service: str, handlers: Mapping[str, Handler]) -> "grpc.GenericRpcHandler[bytes, bytes]":
    methods = {
        method: grpc.unary_unary_rpc_method_handler(_behaviour(method, handler))
        for method, handler in handlers.items()
    }
    return grpc.method_handlers_generic_handler(service, methods)


def _behaviour(method: str, handler: Handler) -> Callable[[bytes, Context], object]:
    """What grpc.aio calls: bytes in, bytes out, so that malformed requests reach the
    interceptors too."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        return await handler(request, Call(context, method))

    return behaviour


def _options(endpoint: Endpoint, settings: Settings) -> Sequence[tuple[str, int]]:
    idle = int(settings.max_connection_idle * 1000)
    common = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_connection_idle_ms", idle),
        ("grpc.so_reuseport", 0),
        UNCOMPRESSED,
    ]
    if endpoint.transport is not Transport.TCP:
        return common
    return [
        *common,
        ("grpc.max_connection_age_ms", int(settings.max_connection_age * 1000)),
        ("grpc.max_connection_age_grace_ms", int(settings.shutdown_grace * 1000)),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
