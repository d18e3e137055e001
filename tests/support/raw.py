"""Calls below the client: any service name, any bytes."""

from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from store_plugin._proto import ess_pb2
from store_plugin.endpoints import Endpoint
from store_plugin.errors import StorePluginError
from store_plugin.wire import SERVICES, error_from

SERVICE_NAMES = [service.full_name for service in SERVICES]
GROUP_VERSION = "secrets.crossplane.io/v1alpha1"
RESPONSES: dict[str, type[Message]] = {
    "GetSecret": ess_pb2.GetSecretResponse,
    "ApplySecret": ess_pb2.ApplySecretResponse,
    "DeleteKeys": ess_pb2.DeleteKeysResponse,
}
MessageT = TypeVar("MessageT", bound=Message)


def channel_to(endpoint: str) -> grpc.Channel:
    options = [
        ("grpc.default_authority", "localhost"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.insecure_channel(Endpoint.parse(endpoint).target, options)


@dataclass
class RawService:
    """One of the two service names at an endpoint."""

    channel: grpc.Channel
    service: str

    def send(self, method: str, request: bytes, timeout: float = 20, **metadata: str) -> bytes:
        call = self.channel.unary_unary(f"/{self.service}/{method}")
        pairs = [(key.replace("_", "-"), value) for key, value in metadata.items()]
        response: bytes = call(request, timeout=timeout, metadata=pairs, wait_for_ready=True)
        return response

    def call(self, request: Message, timeout: float = 20, **metadata: str) -> Message:
        """The response message; raises the typed error."""
        method = type(request).__name__.removesuffix("Request")
        try:
            response = self.send(method, request.SerializeToString(), timeout, **metadata)
        except grpc.RpcError as error:
            raise typed(error) from None
        return RESPONSES[method].FromString(response)


def typed(error: grpc.RpcError) -> StorePluginError:
    assert isinstance(error, grpc.Call)
    return error_from(error.code().value[0], error.details() or "", error.trailing_metadata() or ())


def config(name: str, kind: str = "LocalConfig", api_version: str = GROUP_VERSION) -> ess_pb2.ConfigReference:
    return ess_pb2.ConfigReference(api_version=api_version, kind=kind, name=name)


def secret(
    name: str, data: dict[str, bytes] | None = None, metadata: dict[str, str] | None = None
) -> ess_pb2.Secret:
    return ess_pb2.Secret(scoped_name=name, data=data or {}, metadata=metadata or {})
