"""What a plugin serves, told to whoever wants to call it without generated code.

grpc.reflection is a stream of requests, which a PluginStream does not carry, so this is one
unary call (docs/wire.md, "Reflection"). Generated code registers its files with protobuf; of
services that were added by hand nothing is known.
"""

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor

from store_plugin._proto import reflection_pb2 as proto
from store_plugin.stream.handlers import HandlerTable

SERVICE = proto.DESCRIPTOR.services_by_name["Reflection"].full_name
METHOD = f"/{SERVICE}/Descriptors"


class Descriptors:
    """Describes the services of a table."""

    def __init__(self, table: HandlerTable) -> None:
        self._table = table

    def add_to(self, server: Any) -> None:
        """As generated code adds a servicer to a server."""
        handler = grpc.unary_unary_rpc_method_handler(
            self.descriptors, proto.DescriptorsRequest.FromString, lambda message: message.SerializeToString()
        )
        handlers = {"Descriptors": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def descriptors(self, request: proto.DescriptorsRequest, context: Any) -> proto.DescriptorsResponse:
        files: dict[str, FileDescriptor] = {}
        unknown = []
        for service in self._table.services:
            file = _file_of(service)
            if file is None:
                unknown.append(service)
            else:
                _add(file, files)
        return proto.DescriptorsResponse(
            files=descriptor_pb2.FileDescriptorSet(file=map(_as_message, files.values())),
            unknown_services=unknown,
        )


def _file_of(service: str) -> FileDescriptor | None:
    try:
        found: FileDescriptor = descriptor_pool.Default().FindServiceByName(service).file
    except KeyError:
        return None
    return found


def _add(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    """The file after all that it imports."""
    for imported in file.dependencies:
        if imported.name not in files:
            _add(imported, files)
    files[file.name] = file


def _as_message(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    message = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(message)
    return message
