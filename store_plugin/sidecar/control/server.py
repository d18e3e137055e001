"""The socket of the Control service: its file's rights are all that is asked for."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import grpc

from store_plugin._proto import control_pb2 as proto
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import Bug, StorePluginError
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.sidecar.call import Context
from store_plugin.sidecar.control.managed import ManagedMethods
from store_plugin.sidecar.control.service import ControlService
from store_plugin.sockets import cannot_listen, private_umask, protect, remove_stale_socket
from store_plugin.store import Logger
from store_plugin.stream.outcomes import CallFailed, failed_with, grpc_code

_MODE = 0o600
_STOP_SECONDS = 0.5

Method = Callable[[Any], Awaitable[Any]]
StreamMethod = Callable[[Any], AsyncGenerator[Any, None]]


class ControlServer:
    """Serves on a path socket of mode 0600."""

    def __init__(self, path: Path, service: ControlService, managed: ManagedMethods, log: Logger) -> None:
        self._endpoint = Endpoint(Transport.PATH, str(path.absolute()))
        self._path = path
        self._log = log
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0), UNCOMPRESSED])
        descriptor = proto.DESCRIPTOR.services_by_name["Control"]
        methods: dict[str, tuple[Method, Any]] = {
            "Status": (service.status, proto.StatusRequest),
            "Plugins": (service.plugins, proto.PluginsRequest),
            "Kinds": (service.kinds, proto.KindsRequest),
            "CallPlugin": (service.call_plugin, proto.CallPluginRequest),
            "SetLogLevel": (service.set_log_level, proto.SetLogLevelRequest),
            "ManagedPlugins": (managed.managed_plugins, proto.ManagedPluginsRequest),
            "RestartPlugin": (managed.restart_plugin, proto.RestartPluginRequest),
            "CatalogChanged": (managed.catalog_changed, proto.CatalogChangedRequest),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answered(method), request.FromString, lambda message: message.SerializeToString()
            )
            for name, (method, request) in methods.items()
        }
        handlers["PluginOutput"] = grpc.unary_stream_rpc_method_handler(
            self._streamed(managed.plugin_output),
            proto.PluginOutputRequest.FromString,
            lambda message: message.SerializeToString(),
        )
        generic = grpc.method_handlers_generic_handler(descriptor.full_name, handlers)
        self._server.add_generic_rpc_handlers((generic,))

    async def start(self) -> None:
        """InvalidRequest where the path is taken or cannot be bound."""
        remove_stale_socket(self._path)
        try:
            with private_umask():
                bound = self._server.add_insecure_port(self._endpoint.listen_address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise cannot_listen(self._endpoint)
        await self._server.start()
        protect(self._path, _MODE, None)
        self._log.info("control socket", path=str(self._path))

    async def stop(self) -> None:
        """Nothing that is asked here is worth waiting for."""
        await self._server.stop(_STOP_SECONDS)

    def _answered(self, method: Method) -> Callable[[Any, Context], Awaitable[Any]]:
        async def answered(request: Any, context: Context) -> Any:
            async with self._told(context):
                return await method(request)

        return answered

    def _streamed(self, method: StreamMethod) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def streamed(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._told(context), aclosing(method(request)) as messages:
                async for message in messages:
                    yield message

        return streamed

    @asynccontextmanager
    async def _told(self, context: Context) -> AsyncIterator[None]:
        """What is raised ends the call, with its code, reason and text."""
        try:
            yield
        except CallFailed as failure:
            await _abort(context, failure)
        except StorePluginError as error:
            await _abort(context, failed_with(error))
        except Exception:
            self._log.error("control call failed unexpectedly", exc_info=True)
            await _abort(context, failed_with(Bug("internal error; the sidecar's log tells more")))


async def _abort(context: Context, failure: CallFailed) -> NoReturn:
    await context.abort(grpc_code(failure.code), failure.message, failure.trailing_metadata)
    raise AssertionError("abort never returns")
