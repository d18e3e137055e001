"""A small ESS server for tests of the client: it answers what a test tells it to, and
remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from store_plugin._proto import ess_pb2
from store_plugin.endpoints import Endpoint
from store_plugin.errors import StorePluginError
from store_plugin.wire import SERVICES, STATUS_TRAILER, status_of

Answer = Callable[[Message, grpc.ServicerContext], Message]

_REQUESTS: dict[str, type[Message]] = {
    "GetSecret": ess_pb2.GetSecretRequest,
    "ApplySecret": ess_pb2.ApplySecretRequest,
    "DeleteKeys": ess_pb2.DeleteKeysRequest,
}
_EMPTY: dict[str, type[Message]] = {
    "GetSecret": ess_pb2.GetSecretResponse,
    "ApplySecret": ess_pb2.ApplySecretResponse,
    "DeleteKeys": ess_pb2.DeleteKeysResponse,
}


@dataclass(frozen=True)
class Received:
    """One call as it arrived."""

    method: str
    request: Message
    metadata: dict[str, str | bytes]


@dataclass
class EssServer:
    """Calls arrive in `received`; `answers` by method, an empty message otherwise."""

    received: list[Received] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    port: int = 0
    _server: grpc.Server | None = None

    def start(self, endpoint: str, credentials: grpc.ServerCredentials | None = None) -> None:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        address = Endpoint.parse(endpoint).listen_address
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self._server.start()

    def stop(self, grace: float | None = None) -> threading.Event:
        if self._server is None:
            done = threading.Event()
            done.set()
            return done
        return self._server.stop(grace)

    def fail(self, method: str, error: StorePluginError) -> None:
        """Answer with a typed error as the sidecar sends it."""

        def answer(_request: Message, context: grpc.ServicerContext) -> Message:
            status = status_of(error)
            context.set_trailing_metadata(((STATUS_TRAILER, status.SerializeToString()),))
            context.abort(grpc_code(int(error.code)), status.message)
            raise AssertionError("abort raises")

        self.answers[method] = answer

    def methods(self) -> list[str]:
        return [call.method for call in self.received]

    def _handlers(self) -> grpc.GenericRpcHandler:
        handlers = {method: self._handler(method) for method in _REQUESTS}
        return grpc.method_handlers_generic_handler(SERVICES[0].full_name, handlers)

    def _handler(self, method: str) -> grpc.RpcMethodHandler:
        def handle(request: Message, context: grpc.ServicerContext) -> Message:
            metadata = {pair[0]: pair[1] for pair in context.invocation_metadata()}
            self.received.append(Received(method, request, metadata))
            answer = self.answers.get(method)
            return answer(request, context) if answer else _EMPTY[method]()

        return grpc.unary_unary_rpc_method_handler(
            handle, _REQUESTS[method].FromString, lambda message: message.SerializeToString()
        )


def grpc_code(code: int) -> grpc.StatusCode:
    return next(status for status in grpc.StatusCode if status.value[0] == code)


@contextmanager
def serving(endpoint: str, credentials: grpc.ServerCredentials | None = None) -> Iterator[EssServer]:
    server = EssServer()
    server.start(endpoint, credentials)
    try:
        yield server
    finally:
        server.stop().wait()
