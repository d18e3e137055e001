"""Every reason a request can fail, as one tree, so that each is handled by name.

StorePluginError
├── InvalidRequest          INVALID_ARGUMENT     INVALID_REQUEST
│   ├── TooLarge            INVALID_ARGUMENT     TOO_LARGE
│   └── NameNotSupported    INVALID_ARGUMENT     NAME_NOT_SUPPORTED
├── ConfigNotFound          NOT_FOUND            CONFIG_NOT_FOUND
├── VersionNotFound         NOT_FOUND            VERSION_NOT_FOUND
├── PluginNotFound          NOT_FOUND            PLUGIN_NOT_FOUND
├── KindNotServed           UNIMPLEMENTED        KIND_NOT_SERVED
├── ConfigInvalid           FAILED_PRECONDITION  CONFIG_INVALID
├── LoginRefused            FAILED_PRECONDITION  LOGIN_REFUSED
├── NotOwner                FAILED_PRECONDITION  NOT_OWNER
├── DocumentInvalid         FAILED_PRECONDITION  DOCUMENT_INVALID
├── ScopeNotAllowed         PERMISSION_DENIED    SCOPE_NOT_ALLOWED
├── StoreDenied             PERMISSION_DENIED    STORE_DENIED
├── PluginRefused           PERMISSION_DENIED    PLUGIN_REFUSED
├── CallerUnknown           UNAUTHENTICATED      CALLER_UNKNOWN
│   └── TokenUnavailable    UNAUTHENTICATED      TOKEN_UNAVAILABLE    (plugin only)
├── AlreadyConnected        ALREADY_EXISTS       ALREADY_CONNECTED
├── AlreadyRegistered       ALREADY_EXISTS       ALREADY_REGISTERED
├── PluginUntrusted         FAILED_PRECONDITION  PLUGIN_UNTRUSTED
├── Tampered                DATA_LOSS            TAMPERED
├── Conflict                ABORTED              CONFLICT
├── Throttled               RESOURCE_EXHAUSTED   THROTTLED
├── Overloaded              RESOURCE_EXHAUSTED   OVERLOADED
├── StoreQuota              RESOURCE_EXHAUSTED   STORE_QUOTA
├── StoreUnavailable        UNAVAILABLE          STORE_UNAVAILABLE
│   └── BreakerOpen         UNAVAILABLE          BREAKER_OPEN
├── PluginDisconnected      UNAVAILABLE          PLUGIN_DISCONNECTED
├── DeadlineExceeded        DEADLINE_EXCEEDED
├── Cancelled               CANCELLED
├── NotReachable            UNAVAILABLE          NOT_REACHABLE        (client only)
├── ConnectionLost          UNAVAILABLE          CONNECTION_LOST      (client only)
├── Bug                     INTERNAL             BUG
└── RemoteError             as the call ended    (none of ours)

Codes and reasons are the table of the wire document (docs/wire.md). A message names
the config and the secret, never a value, a token or a key.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum

DOMAIN = "secrets.crossplane.io"
"""Domain of the google.rpc.ErrorInfo that every error travels with."""


class Code(IntEnum):
    """The canonical gRPC status codes (google.rpc.Code), free of any gRPC library."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StorePluginError(Exception):
    """Base of all errors here.

    `metadata` goes into ErrorInfo and must hold names only. `retry_after` (seconds) is
    set where waiting helps; it travels as RetryInfo.
    """

    code: Code = Code.UNKNOWN
    reason: str = ""

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidRequest(StorePluginError):
    """The request itself is wrong: a bad name or key, a missing field."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"


class TooLarge(InvalidRequest):
    """More bytes, keys or metadata than the store can hold; the message gives both."""

    reason = "TOO_LARGE"


class NameNotSupported(InvalidRequest):
    """A name that is valid here and not in this store."""

    reason = "NAME_NOT_SUPPORTED"


class ConfigNotFound(StorePluginError):
    """No store config of that name."""

    code = Code.NOT_FOUND
    reason = "CONFIG_NOT_FOUND"


class VersionNotFound(StorePluginError):
    """The version asked for does not exist."""

    code = Code.NOT_FOUND
    reason = "VERSION_NOT_FOUND"


class PluginNotFound(StorePluginError):
    """No plugin, or no version of it, of that name is registered."""

    code = Code.NOT_FOUND
    reason = "PLUGIN_NOT_FOUND"


class KindNotServed(StorePluginError):
    """No store here serves that kind of config."""

    code = Code.UNIMPLEMENTED
    reason = "KIND_NOT_SERVED"


class ConfigInvalid(StorePluginError):
    """The store config is invalid, or its credentials are missing or unreadable."""

    code = Code.FAILED_PRECONDITION
    reason = "CONFIG_INVALID"


class LoginRefused(StorePluginError):
    """The store refuses the credentials of the config."""

    code = Code.FAILED_PRECONDITION
    reason = "LOGIN_REFUSED"


class NotOwner(StorePluginError):
    """The secret belongs to another owner, or to none."""

    code = Code.FAILED_PRECONDITION
    reason = "NOT_OWNER"


class DocumentInvalid(StorePluginError):
    """What is stored under the name is not a document we can merge into."""

    code = Code.FAILED_PRECONDITION
    reason = "DOCUMENT_INVALID"


class ScopeNotAllowed(StorePluginError):
    """The config's `access` does not allow this caller or scope."""

    code = Code.PERMISSION_DENIED
    reason = "SCOPE_NOT_ALLOWED"


class StoreDenied(StorePluginError):
    """The store answers that our identity may not do this."""

    code = Code.PERMISSION_DENIED
    reason = "STORE_DENIED"


class CallerUnknown(StorePluginError):
    """The caller has no token or certificate, or a wrong one."""

    code = Code.UNAUTHENTICATED
    reason = "CALLER_UNKNOWN"


class TokenUnavailable(CallerUnknown):
    """There is no token to send. Raised by plugins only: nothing was dialled."""

    reason = "TOKEN_UNAVAILABLE"


class PluginRefused(StorePluginError):
    """The hub, or a proxy before it, does not let this plugin in, or not under that name."""

    code = Code.PERMISSION_DENIED
    reason = "PLUGIN_REFUSED"


class AlreadyConnected(StorePluginError):
    """A plugin of that name is connected, and the hub keeps the first."""

    code = Code.ALREADY_EXISTS
    reason = "ALREADY_CONNECTED"


class AlreadyRegistered(StorePluginError):
    """That version of a plugin is registered, or in use."""

    code = Code.ALREADY_EXISTS
    reason = "ALREADY_REGISTERED"


class PluginUntrusted(StorePluginError):
    """An executable is not what was registered, or nobody who is trusted signed it."""

    code = Code.FAILED_PRECONDITION
    reason = "PLUGIN_UNTRUSTED"


class Tampered(StorePluginError):
    """A stored value fails its integrity check."""

    code = Code.DATA_LOSS
    reason = "TAMPERED"


class Conflict(StorePluginError):
    """Another writer was faster, or the stored version is not the one asked for."""

    code = Code.ABORTED
    reason = "CONFLICT"


class Throttled(StorePluginError):
    """The store asks us to slow down."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "THROTTLED"


class Overloaded(StorePluginError):
    """A limit of ours is reached: the sidecar's, or a config's."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"


class StoreQuota(StorePluginError):
    """The store's own quota (versions, parameters) is used up."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "STORE_QUOTA"


class StoreUnavailable(StorePluginError):
    """The store is unreachable, sealed or failing."""

    code = Code.UNAVAILABLE
    reason = "STORE_UNAVAILABLE"


class BreakerOpen(StoreUnavailable):
    """Most calls of late found the store unavailable: it was not asked."""

    reason = "BREAKER_OPEN"


class PluginDisconnected(StorePluginError):
    """The plugin that serves this is known, and not connected now."""

    code = Code.UNAVAILABLE
    reason = "PLUGIN_DISCONNECTED"


class NotReachable(StorePluginError):
    """Nobody answers at the endpoint. Raised by clients only: the call was never sent."""

    code = Code.UNAVAILABLE
    reason = "NOT_REACHABLE"


class ConnectionLost(StorePluginError):
    """The connection ended during the call. Raised by clients only: the call may or may
    not have been carried out."""

    code = Code.UNAVAILABLE
    reason = "CONNECTION_LOST"


class DeadlineExceeded(StorePluginError):
    """The deadline passed before the store answered."""

    code = Code.DEADLINE_EXCEEDED


class Cancelled(StorePluginError):
    """The call was cancelled, by its caller or by the server's stop."""

    code = Code.CANCELLED


class Bug(StorePluginError):
    """Anything else. The message holds the request id; the log holds the traceback."""

    code = Code.INTERNAL
    reason = "BUG"


class RemoteError(StorePluginError):
    """A call that ended without a reason of ours: another server or a proxy answered."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, metadata=metadata, retry_after=retry_after)
        self.code = Code(code)


def error_classes() -> Iterator[type[StorePluginError]]:
    """All classes of the tree, base excluded."""

    def below(cls: type[StorePluginError]) -> Iterator[type[StorePluginError]]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    return below(StorePluginError)
