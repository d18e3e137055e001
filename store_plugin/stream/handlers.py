"""The methods of generated servicers, wherever the calls come from.

A table takes what `add_XServicer_to_server(servicer, table)` of any generated code gives to
a gRPC server, and finds methods by their full name, or by the bare one that
operator-plugin-framework sends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from store_plugin.errors import Code, InvalidRequest
from store_plugin.stream.frames import Metadata, method_name, service_name
from store_plugin.stream.outcomes import failed

MethodHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@dataclass(frozen=True, slots=True)
class _Details(grpc.HandlerCallDetails):
    """What generic handlers are asked with."""

    method: str
    invocation_metadata: Metadata = ()


class HandlerTable:
    """Stands in for a gRPC server where servicers are added."""

    def __init__(self) -> None:
        self._services: dict[str, grpc.ServiceRpcHandler[Any, Any]] = {}

    @property
    def services(self) -> tuple[str, ...]:
        """Full names of the services added."""
        return tuple(self._services)

    def add_generic_rpc_handlers(self, handlers: Sequence["grpc.GenericRpcHandler[Any, Any]"]) -> None:
        """What generated code calls. InvalidRequest for a handler without a service's name,
        and for a service that is there already."""
        for handler in handlers:
            if not isinstance(handler, grpc.ServiceRpcHandler):
                raise InvalidRequest("only handlers of a named service can be served over a stream")
            name = handler.service_name()
            if name in self._services:
                raise InvalidRequest(f"the service {name} is served already")
            self._services[name] = handler

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, MethodHandler]
    ) -> None:
        """Newer generated code calls this besides; the handlers are the same."""

    def find(self, method: str) -> MethodHandler:
        """The handler of a method. CallFailed with UNIMPLEMENTED where there is none, or a bare
        name that several services have."""
        service = service_name(method)
        found = list(self._candidates(service, method_name(method)))
        if len(found) > 1:
            raise failed(Code.UNIMPLEMENTED, f"several services here have {method}: name the service")
        if not found:
            raise failed(Code.UNIMPLEMENTED, f"unknown method {method}")
        return found[0]

    def _candidates(self, service: str, method: str) -> Iterator[MethodHandler]:
        for name, handlers in self._services.items():
            if service in ("", name):
                handler = handlers.service(_Details(f"/{name}/{method}"))
                if handler is not None:
                    yield handler
