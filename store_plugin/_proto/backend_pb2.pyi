import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESENCE_UNSPECIFIED: _ClassVar[Presence]
    PRESENT: _ClassVar[Presence]
    ABSENT: _ClassVar[Presence]
    TOMBSTONE: _ClassVar[Presence]
PRESENCE_UNSPECIFIED: Presence
PRESENT: Presence
ABSENT: Presence
TOMBSTONE: Presence

class StoreConfig(_message.Message):
    __slots__ = ("api_version", "kind", "name", "generation", "spec", "credentials")
    class CredentialsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    kind: str
    name: str
    generation: int
    spec: bytes
    credentials: _containers.ScalarMap[str, bytes]
    def __init__(self, api_version: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., generation: _Optional[int] = ..., spec: _Optional[bytes] = ..., credentials: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("data", "metadata")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.ScalarMap[str, bytes]
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, data: _Optional[_Mapping[str, bytes]] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StoredSecret(_message.Message):
    __slots__ = ("presence", "secret", "version", "state", "unfinished_age")
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_AGE_FIELD_NUMBER: _ClassVar[int]
    presence: Presence
    secret: Secret
    version: str
    state: bytes
    unfinished_age: _duration_pb2.Duration
    def __init__(self, presence: _Optional[_Union[Presence, str]] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., version: _Optional[str] = ..., state: _Optional[bytes] = ..., unfinished_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: StoreConfig
    def __init__(self, config: _Optional[_Union[StoreConfig, _Mapping]] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("capabilities", "location")
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    capabilities: Capabilities
    location: str
    def __init__(self, capabilities: _Optional[_Union[Capabilities, _Mapping]] = ..., location: _Optional[str] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("compare_and_set", "conditional_delete", "versions", "metadata", "tombstones", "max_data_bytes", "max_keys", "max_metadata_entries", "max_metadata_key_bytes", "max_metadata_value_bytes")
    COMPARE_AND_SET_FIELD_NUMBER: _ClassVar[int]
    CONDITIONAL_DELETE_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    MAX_DATA_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_KEYS_FIELD_NUMBER: _ClassVar[int]
    MAX_METADATA_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MAX_METADATA_KEY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_METADATA_VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    compare_and_set: bool
    conditional_delete: bool
    versions: bool
    metadata: bool
    tombstones: bool
    max_data_bytes: int
    max_keys: int
    max_metadata_entries: int
    max_metadata_key_bytes: int
    max_metadata_value_bytes: int
    def __init__(self, compare_and_set: bool = ..., conditional_delete: bool = ..., versions: bool = ..., metadata: bool = ..., tombstones: bool = ..., max_data_bytes: _Optional[int] = ..., max_keys: _Optional[int] = ..., max_metadata_entries: _Optional[int] = ..., max_metadata_key_bytes: _Optional[int] = ..., max_metadata_value_bytes: _Optional[int] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("config", "scoped_name", "version")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SCOPED_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    config: StoreConfig
    scoped_name: str
    version: str
    def __init__(self, config: _Optional[_Union[StoreConfig, _Mapping]] = ..., scoped_name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("stored",)
    STORED_FIELD_NUMBER: _ClassVar[int]
    stored: StoredSecret
    def __init__(self, stored: _Optional[_Union[StoredSecret, _Mapping]] = ...) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("config", "scoped_name", "secret", "base")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SCOPED_NAME_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    config: StoreConfig
    scoped_name: str
    secret: Secret
    base: StoredSecret
    def __init__(self, config: _Optional[_Union[StoreConfig, _Mapping]] = ..., scoped_name: _Optional[str] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., base: _Optional[_Union[StoredSecret, _Mapping]] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("config", "scoped_name", "base")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SCOPED_NAME_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    config: StoreConfig
    scoped_name: str
    base: StoredSecret
    def __init__(self, config: _Optional[_Union[StoreConfig, _Mapping]] = ..., scoped_name: _Optional[str] = ..., base: _Optional[_Union[StoredSecret, _Mapping]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: StoreConfig
    def __init__(self, config: _Optional[_Union[StoreConfig, _Mapping]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("warnings",)
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, warnings: _Optional[_Iterable[str]] = ...) -> None: ...
