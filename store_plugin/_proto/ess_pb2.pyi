from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConfigReference(_message.Message):
    __slots__ = ("api_version", "kind", "name")
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    kind: str
    name: str
    def __init__(self, api_version: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("scoped_name", "metadata", "data")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    SCOPED_NAME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    scoped_name: str
    metadata: _containers.ScalarMap[str, str]
    data: _containers.ScalarMap[str, bytes]
    def __init__(self, scoped_name: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., data: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class GetSecretRequest(_message.Message):
    __slots__ = ("config", "secret", "options")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    config: ConfigReference
    secret: Secret
    options: GetOptions
    def __init__(self, config: _Optional[_Union[ConfigReference, _Mapping]] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., options: _Optional[_Union[GetOptions, _Mapping]] = ...) -> None: ...

class GetSecretResponse(_message.Message):
    __slots__ = ("secret", "version")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    secret: Secret
    version: str
    def __init__(self, secret: _Optional[_Union[Secret, _Mapping]] = ..., version: _Optional[str] = ...) -> None: ...

class ApplySecretRequest(_message.Message):
    __slots__ = ("config", "secret", "options")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    config: ConfigReference
    secret: Secret
    options: ApplyOptions
    def __init__(self, config: _Optional[_Union[ConfigReference, _Mapping]] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., options: _Optional[_Union[ApplyOptions, _Mapping]] = ...) -> None: ...

class ApplySecretResponse(_message.Message):
    __slots__ = ("changed", "changes", "version")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    changes: _containers.RepeatedCompositeFieldContainer[KeyChange]
    version: str
    def __init__(self, changed: bool = ..., changes: _Optional[_Iterable[_Union[KeyChange, _Mapping]]] = ..., version: _Optional[str] = ...) -> None: ...

class DeleteKeysRequest(_message.Message):
    __slots__ = ("config", "secret", "options")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    config: ConfigReference
    secret: Secret
    options: DeleteOptions
    def __init__(self, config: _Optional[_Union[ConfigReference, _Mapping]] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., options: _Optional[_Union[DeleteOptions, _Mapping]] = ...) -> None: ...

class DeleteKeysResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[KeyChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[KeyChange, _Mapping]]] = ...) -> None: ...

class GetOptions(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class ApplyOptions(_message.Message):
    __slots__ = ("dry_run", "if_version")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    if_version: str
    def __init__(self, dry_run: bool = ..., if_version: _Optional[str] = ...) -> None: ...

class DeleteOptions(_message.Message):
    __slots__ = ("keep_empty_secret", "dry_run")
    KEEP_EMPTY_SECRET_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    keep_empty_secret: bool
    dry_run: bool
    def __init__(self, keep_empty_secret: bool = ..., dry_run: bool = ...) -> None: ...

class KeyChange(_message.Message):
    __slots__ = ("key", "kind")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[KeyChange.Kind]
        ADDED: _ClassVar[KeyChange.Kind]
        UPDATED: _ClassVar[KeyChange.Kind]
        REMOVED: _ClassVar[KeyChange.Kind]
        METADATA: _ClassVar[KeyChange.Kind]
    KIND_UNSPECIFIED: KeyChange.Kind
    ADDED: KeyChange.Kind
    UPDATED: KeyChange.Kind
    REMOVED: KeyChange.Kind
    METADATA: KeyChange.Kind
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    key: str
    kind: KeyChange.Kind
    def __init__(self, key: _Optional[str] = ..., kind: _Optional[_Union[KeyChange.Kind, str]] = ...) -> None: ...
