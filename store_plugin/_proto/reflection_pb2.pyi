from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescriptorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescriptorsResponse(_message.Message):
    __slots__ = ("files", "unknown_services")
    FILES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_SERVICES_FIELD_NUMBER: _ClassVar[int]
    files: _descriptor_pb2.FileDescriptorSet
    unknown_services: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, files: _Optional[_Union[_descriptor_pb2.FileDescriptorSet, _Mapping]] = ..., unknown_services: _Optional[_Iterable[str]] = ...) -> None: ...
