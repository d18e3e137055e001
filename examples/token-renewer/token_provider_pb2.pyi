import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RenewTokenRequest(_message.Message):
    __slots__ = ("metadata", "token")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    metadata: str
    token: str
    def __init__(self, metadata: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class RenewTokenResponse(_message.Message):
    __slots__ = ("token", "new_metadata", "expiration")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEW_METADATA_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_FIELD_NUMBER: _ClassVar[int]
    token: str
    new_metadata: str
    expiration: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[str] = ..., new_metadata: _Optional[str] = ..., expiration: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetTokenValidityRequest(_message.Message):
    __slots__ = ("metadata", "token")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    metadata: str
    token: str
    def __init__(self, metadata: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class GetTokenValidityResponse(_message.Message):
    __slots__ = ("expiration",)
    EXPIRATION_FIELD_NUMBER: _ClassVar[int]
    expiration: _timestamp_pb2.Timestamp
    def __init__(self, expiration: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
