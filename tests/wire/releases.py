"""Peers of released versions, out of the descriptors that were kept of them."""

from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from store_plugin.endpoints import Endpoint
from store_plugin.wire import SERVICES

FILES = {path.stem: path for path in sorted((Path(__file__).parent / "released").glob("*.binpb"))}
"""`crossplane` is what Crossplane 1.12 to 1.20 and ess-plugin-vault speak."""
_PACKAGE = "ess.proto.v1alpha1"
_METHODS = ("GetSecret", "ApplySecret", "DeleteKeys")


def descriptors(release: str) -> FileDescriptorSet:
    return FileDescriptorSet.FromString(FILES[release].read_bytes())


class Messages:
    """The messages of a release, which know nothing of later fields."""

    def __init__(self, release: str) -> None:
        pool = descriptor_pool.DescriptorPool()
        for file in _in_order(descriptors(release)):
            pool.Add(file)
        self._pool = pool

    def __call__(self, name: str) -> type[Message]:
        """Of the service for secrets."""
        return self.named(f"{_PACKAGE}.{name}")

    def named(self, name: str) -> type[Message]:
        """Of any package."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))


def _in_order(files: FileDescriptorSet) -> Iterator[Any]:
    """Each after those that it imports."""
    waiting, added = list(files.file), set[str]()
    while waiting:
        ready = next(file for file in waiting if added.issuperset(file.dependency))
        waiting.remove(ready)
        added.add(ready.name)
        yield ready


class OldClient:
    """A client of that release, at a server of today."""

    def __init__(self, release: str, endpoint: str) -> None:
        self._messages = Messages(release)
        options = [("grpc.default_authority", "localhost")]
        self._channel = grpc.insecure_channel(Endpoint.parse(endpoint).target, options=options)

    def __enter__(self) -> "OldClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, service: str, method: str, config: str, name: str, **secret: Any) -> Any:
        """The answer, as that release reads it."""
        kind, _, named = config.partition("/")
        reference = {"api_version": "secrets.crossplane.io/v1alpha1", "kind": kind, "name": named}
        request = self._messages(f"{method}Request")(config=reference, secret={"scoped_name": name, **secret})
        answer = self._messages(f"{method}Response")
        send = self._channel.unary_unary(
            f"/{service}/{method}", lambda sent: sent.SerializeToString(), answer.FromString
        )
        return send(request, timeout=10)


@dataclass
class OldServer:
    """A server of that release: it keeps what it is given, and cannot do more than that release."""

    release: str
    endpoint: str = field(default_factory=lambda: f"unix:///@store-plugin-test/{uuid4().hex}")
    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def answer(self, method: str, request: Any) -> Mapping[str, Any]:
        name, data = request.secret.scoped_name, dict(request.secret.data)
        if method == "GetSecret":
            return {"secret": {"scoped_name": name, "data": self.secrets.get(name, {})}}
        if method == "ApplySecret":
            before = dict(self.secrets.get(name, {}))
            self.secrets[name] = {**before, **data}
            return {"changed": self.secrets[name] != before}
        for key in data or list(self.secrets.get(name, {})):
            self.secrets.get(name, {}).pop(key, None)
        return {}

    def handlers(self) -> grpc.GenericRpcHandler:
        messages = Messages(self.release)

        def handler(method: str) -> grpc.RpcMethodHandler:
            answer = messages(f"{method}Response")
            return grpc.unary_unary_rpc_method_handler(
                lambda request, _context: answer(**self.answer(method, request)),
                messages(f"{method}Request").FromString,
                lambda sent: sent.SerializeToString(),
            )

        by_method = {method: handler(method) for method in _METHODS}
        return grpc.method_handlers_generic_handler(SERVICES[0].full_name, by_method)


@contextmanager
def old_server(release: str) -> Iterator[OldServer]:
    old = OldServer(release)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((old.handlers(),))
    server.add_insecure_port(Endpoint.parse(old.endpoint).listen_address)
    server.start()
    try:
        yield old
    finally:
        server.stop(None).wait()
