"""Serves StoreFactories as SecretBackend: the Store protocol, call by call."""

from typing import Any

import grpc

from store_plugin import backend
from store_plugin._proto import backend_pb2 as proto
from store_plugin.model import ScopedName
from store_plugin.plugin.notes import Notes
from store_plugin.plugin.stores import OpenStores

_REQUESTS: dict[str, Any] = {
    "Describe": proto.DescribeRequest,
    "Read": proto.ReadRequest,
    "Write": proto.WriteRequest,
    "Delete": proto.DeleteRequest,
    "Check": proto.CheckRequest,
}


class SecretBackend:
    """The servicer. Errors of `store_plugin.errors` travel as they are."""

    def __init__(self, stores: OpenStores) -> None:
        self._stores = stores
        self._notes = Notes()

    def add_to(self, server: Any) -> None:
        """As generated code adds a servicer to a server."""
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                getattr(self, name.lower()), request.FromString, lambda message: message.SerializeToString()
            )
            for name, request in _REQUESTS.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(backend.SERVICE, handlers),))

    async def describe(self, request: proto.DescribeRequest, context: Any) -> proto.DescribeResponse:
        async with self._stores.lease(request.config) as store:
            # The part of a location that is no name: what all secrets of the store have in common.
            place = store.location(_PROBE).removesuffix(str(_PROBE))
            return proto.DescribeResponse(
                capabilities=backend.capabilities_to(store.capabilities), location=place
            )

    async def read(self, request: proto.ReadRequest, context: Any) -> proto.ReadResponse:
        name = backend.name_from(request.scoped_name)
        async with self._stores.lease(request.config) as store:
            stored = await store.read(name, backend.version_from(request.version))
            return proto.ReadResponse(stored=backend.stored_to(stored, self._notes.note_for(stored)))

    async def write(self, request: proto.WriteRequest, context: Any) -> proto.WriteResponse:
        name, secret = backend.name_from(request.scoped_name), backend.secret_from(request.secret)
        async with self._stores.lease(request.config) as store:
            base = await self._notes.base_of(backend.stored_from(request.base), store, name)
            return proto.WriteResponse(version=await store.write(name, secret, base=base) or "")

    async def delete(self, request: proto.DeleteRequest, context: Any) -> proto.DeleteResponse:
        name = backend.name_from(request.scoped_name)
        async with self._stores.lease(request.config) as store:
            base = await self._notes.base_of(backend.stored_from(request.base), store, name)
            await store.delete(name, base=base)
            return proto.DeleteResponse()

    async def check(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:
        async with self._stores.lease(request.config) as store:
            return proto.CheckResponse(warnings=await store.check())


_PROBE = ScopedName(("probe",))
