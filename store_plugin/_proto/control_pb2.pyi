import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("version", "serving", "started", "listening", "in_flight", "configs", "plugins", "log_level")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    LISTENING_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    version: str
    serving: bool
    started: _timestamp_pb2.Timestamp
    listening: _containers.RepeatedScalarFieldContainer[str]
    in_flight: int
    configs: _containers.RepeatedCompositeFieldContainer[ConfigCount]
    plugins: int
    log_level: str
    def __init__(self, version: _Optional[str] = ..., serving: bool = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., listening: _Optional[_Iterable[str]] = ..., in_flight: _Optional[int] = ..., configs: _Optional[_Iterable[_Union[ConfigCount, _Mapping]]] = ..., plugins: _Optional[int] = ..., log_level: _Optional[str] = ...) -> None: ...

class ConfigCount(_message.Message):
    __slots__ = ("kind", "state", "number")
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    state: str
    number: int
    def __init__(self, kind: _Optional[str] = ..., state: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class PluginsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PluginsResponse(_message.Message):
    __slots__ = ("plugins",)
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    plugins: _containers.RepeatedCompositeFieldContainer[Plugin]
    def __init__(self, plugins: _Optional[_Iterable[_Union[Plugin, _Mapping]]] = ...) -> None: ...

class Plugin(_message.Message):
    __slots__ = ("name", "version", "instance", "user", "kinds", "services", "since", "in_flight", "silent_for")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    SILENT_FOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    instance: str
    user: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    services: _containers.RepeatedScalarFieldContainer[str]
    since: _timestamp_pb2.Timestamp
    in_flight: int
    silent_for: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., instance: _Optional[str] = ..., user: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., services: _Optional[_Iterable[str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., in_flight: _Optional[int] = ..., silent_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class KindsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KindsResponse(_message.Message):
    __slots__ = ("kinds", "groups")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedCompositeFieldContainer[Kind]
    groups: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kinds: _Optional[_Iterable[_Union[Kind, _Mapping]]] = ..., groups: _Optional[_Iterable[str]] = ...) -> None: ...

class Kind(_message.Message):
    __slots__ = ("plugin", "api_version", "kind", "plural", "spec_schema")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PLURAL_FIELD_NUMBER: _ClassVar[int]
    SPEC_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    api_version: str
    kind: str
    plural: str
    spec_schema: bytes
    def __init__(self, plugin: _Optional[str] = ..., api_version: _Optional[str] = ..., kind: _Optional[str] = ..., plural: _Optional[str] = ..., spec_schema: _Optional[bytes] = ...) -> None: ...

class CallPluginRequest(_message.Message):
    __slots__ = ("name", "method", "payload", "timeout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    method: str
    payload: bytes
    timeout: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., method: _Optional[str] = ..., payload: _Optional[bytes] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CallPluginResponse(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    def __init__(self, payload: _Optional[bytes] = ...) -> None: ...

class SetLogLevelRequest(_message.Message):
    __slots__ = ("level",)
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    level: str
    def __init__(self, level: _Optional[str] = ...) -> None: ...

class SetLogLevelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ManagedPluginsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ManagedPluginsResponse(_message.Message):
    __slots__ = ("directory", "plugins")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    directory: str
    plugins: _containers.RepeatedCompositeFieldContainer[ManagedPlugin]
    def __init__(self, directory: _Optional[str] = ..., plugins: _Optional[_Iterable[_Union[ManagedPlugin, _Mapping]]] = ...) -> None: ...

class ManagedPlugin(_message.Message):
    __slots__ = ("name", "version", "digest", "state", "since", "restarts", "instance", "pid", "why", "wanted_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    WANTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    state: str
    since: _timestamp_pb2.Timestamp
    restarts: int
    instance: str
    pid: int
    why: str
    wanted_version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., state: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restarts: _Optional[int] = ..., instance: _Optional[str] = ..., pid: _Optional[int] = ..., why: _Optional[str] = ..., wanted_version: _Optional[str] = ...) -> None: ...

class RestartPluginRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RestartPluginResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PluginOutputRequest(_message.Message):
    __slots__ = ("name", "lines", "follow")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    name: str
    lines: int
    follow: bool
    def __init__(self, name: _Optional[str] = ..., lines: _Optional[int] = ..., follow: bool = ...) -> None: ...

class PluginOutputResponse(_message.Message):
    __slots__ = ("lines", "lost")
    LINES_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[OutputLine]
    lost: int
    def __init__(self, lines: _Optional[_Iterable[_Union[OutputLine, _Mapping]]] = ..., lost: _Optional[int] = ...) -> None: ...

class OutputLine(_message.Message):
    __slots__ = ("at", "text")
    AT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    text: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class CatalogChangedRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CatalogChangedResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
