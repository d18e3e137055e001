import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PluginStreamMessage(_message.Message):
    __slots__ = ("register", "rpc_call", "rpc_response", "error", "registered", "cancel", "ping", "pong", "drain", "log", "taken")
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    RPC_CALL_FIELD_NUMBER: _ClassVar[int]
    RPC_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    register: PluginRegister
    rpc_call: PluginRPCCall
    rpc_response: PluginRPCResponse
    error: PluginError
    registered: PluginRegistered
    cancel: PluginCancel
    ping: PluginPing
    pong: PluginPong
    drain: PluginDrain
    log: PluginLog
    taken: PluginTaken
    def __init__(self, register: _Optional[_Union[PluginRegister, _Mapping]] = ..., rpc_call: _Optional[_Union[PluginRPCCall, _Mapping]] = ..., rpc_response: _Optional[_Union[PluginRPCResponse, _Mapping]] = ..., error: _Optional[_Union[PluginError, _Mapping]] = ..., registered: _Optional[_Union[PluginRegistered, _Mapping]] = ..., cancel: _Optional[_Union[PluginCancel, _Mapping]] = ..., ping: _Optional[_Union[PluginPing, _Mapping]] = ..., pong: _Optional[_Union[PluginPong, _Mapping]] = ..., drain: _Optional[_Union[PluginDrain, _Mapping]] = ..., log: _Optional[_Union[PluginLog, _Mapping]] = ..., taken: _Optional[_Union[PluginTaken, _Mapping]] = ...) -> None: ...

class PluginRegister(_message.Message):
    __slots__ = ("name", "version", "features", "instance_id", "kinds", "services", "protocol_versions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    features: _containers.RepeatedScalarFieldContainer[str]
    instance_id: str
    kinds: _containers.RepeatedCompositeFieldContainer[PluginKind]
    services: _containers.RepeatedScalarFieldContainer[str]
    protocol_versions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., instance_id: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[PluginKind, _Mapping]]] = ..., services: _Optional[_Iterable[str]] = ..., protocol_versions: _Optional[_Iterable[int]] = ...) -> None: ...

class PluginKind(_message.Message):
    __slots__ = ("api_version", "kind", "plural", "spec_schema")
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PLURAL_FIELD_NUMBER: _ClassVar[int]
    SPEC_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    kind: str
    plural: str
    spec_schema: bytes
    def __init__(self, api_version: _Optional[str] = ..., kind: _Optional[str] = ..., plural: _Optional[str] = ..., spec_schema: _Optional[bytes] = ...) -> None: ...

class PluginRPCCall(_message.Message):
    __slots__ = ("request_id", "method", "payload", "timeout", "metadata")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    method: str
    payload: bytes
    timeout: _duration_pb2.Duration
    metadata: _containers.RepeatedCompositeFieldContainer[PluginMetadata]
    def __init__(self, request_id: _Optional[str] = ..., method: _Optional[str] = ..., payload: _Optional[bytes] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., metadata: _Optional[_Iterable[_Union[PluginMetadata, _Mapping]]] = ...) -> None: ...

class PluginRPCResponse(_message.Message):
    __slots__ = ("request_id", "payload", "status", "more", "trailing_metadata")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    TRAILING_METADATA_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    payload: bytes
    status: _status_pb2.Status
    more: bool
    trailing_metadata: _containers.RepeatedCompositeFieldContainer[PluginMetadata]
    def __init__(self, request_id: _Optional[str] = ..., payload: _Optional[bytes] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., more: bool = ..., trailing_metadata: _Optional[_Iterable[_Union[PluginMetadata, _Mapping]]] = ...) -> None: ...

class PluginError(_message.Message):
    __slots__ = ("message", "code", "request_id")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    message: str
    code: str
    request_id: str
    def __init__(self, message: _Optional[str] = ..., code: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PluginMetadata(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class PluginRegistered(_message.Message):
    __slots__ = ("instance_id", "features", "heartbeat_interval", "max_message_bytes")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    features: _containers.RepeatedScalarFieldContainer[str]
    heartbeat_interval: _duration_pb2.Duration
    max_message_bytes: int
    def __init__(self, instance_id: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_message_bytes: _Optional[int] = ...) -> None: ...

class PluginCancel(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class PluginPing(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class PluginPong(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class PluginDrain(_message.Message):
    __slots__ = ("grace",)
    GRACE_FIELD_NUMBER: _ClassVar[int]
    grace: _duration_pb2.Duration
    def __init__(self, grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PluginLog(_message.Message):
    __slots__ = ("level", "message")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    level: str
    message: str
    def __init__(self, level: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class PluginTaken(_message.Message):
    __slots__ = ("request_id", "responses")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    responses: int
    def __init__(self, request_id: _Optional[str] = ..., responses: _Optional[int] = ...) -> None: ...

class PluginEnvelope(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...
