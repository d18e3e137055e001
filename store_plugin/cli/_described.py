"""Calling a plugin's methods without generated code: JSON in, JSON out, by what it tells of itself."""

import json
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from store_plugin._proto import reflection_pb2 as proto
from store_plugin.cli._control import Control
from store_plugin.errors import Code, InvalidRequest, StorePluginError

_SERVICE = proto.DESCRIPTOR.services_by_name["Reflection"].full_name
_DESCRIPTORS = f"/{_SERVICE}/Descriptors"


@dataclass(frozen=True, slots=True)
class Described:
    """One method of a plugin."""

    method: MethodDescriptor

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    def request(self, text: str) -> bytes:
        """The request that is `text` in JSON. InvalidRequest; values of `text` are not shown."""
        message = _class_of(self.method.input_type)()
        try:
            json_format.ParseDict(json.loads(text), message)
        except (ValueError, TypeError, json_format.ParseError):
            fields = ", ".join(field.json_name for field in self.method.input_type.fields) or "none"
            raise InvalidRequest(
                f"the request is not a {self.method.input_type.full_name} in JSON; its fields: {fields}"
            ) from None
        return bytes(message.SerializeToString())

    def response(self, payload: bytes) -> Any:
        """The response as what JSON can say."""
        message: Message = _class_of(self.method.output_type).FromString(payload)
        return json_format.MessageToDict(message)


def described(control: Control, plugin: str, method: str, timeout: float) -> Described:
    """The method `Method`, `Service/Method` or `/package.Service/Method` of a plugin.
    InvalidRequest where there is none, or several; what asking the plugin raises."""
    try:
        payload = control.call_plugin(plugin, _DESCRIPTORS, b"", timeout)
    except StorePluginError as error:
        if error.code is not Code.UNIMPLEMENTED:
            raise
        raise InvalidRequest(
            f"plugin {plugin} does not describe its services ({_SERVICE}): call it with its generated code"
        ) from None
    found = proto.DescriptorsResponse.FromString(payload)
    methods = [one for one in _methods(found) if _fits(one, method)]
    if len(methods) == 1:
        if methods[0].server_streaming or methods[0].client_streaming:
            raise InvalidRequest(f"{method} sends or answers with a stream: call it with its generated code")
        return Described(methods[0])
    names = sorted(f"{one.containing_service.full_name}/{one.name}" for one in methods or _methods(found))
    unknown = "".join(f"; nothing is known of {service}" for service in found.unknown_services)
    problem = f"several methods are called {method}" if methods else f"plugin {plugin} has no method {method}"
    raise InvalidRequest(f"{problem}; there are {', '.join(names) or 'none'}{unknown}")


def _methods(found: proto.DescriptorsResponse) -> list[MethodDescriptor]:
    pool = descriptor_pool.DescriptorPool()
    for file in found.files.file:
        pool.Add(file)
    files = [pool.FindFileByName(file.name) for file in found.files.file]
    services = [service for file in files for service in file.services_by_name.values()]
    return [method for service in services for method in service.methods]


def _fits(method: MethodDescriptor, asked: str) -> bool:
    service, _, name = asked.strip("/").rpartition("/")
    full = method.containing_service.full_name
    return name == method.name and (service in ("", full) or full.endswith(f".{service}"))


def _class_of(descriptor: Any) -> Any:
    return message_factory.GetMessageClass(descriptor)
