"""What an error of the sidecar, or on the way to it, means for a Secret, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from store_plugin.errors import (
    CallerUnknown,
    Cancelled,
    ConfigInvalid,
    ConfigNotFound,
    Conflict,
    ConnectionLost,
    DeadlineExceeded,
    DocumentInvalid,
    InvalidRequest,
    KindNotServed,
    LoginRefused,
    NameNotSupported,
    NotOwner,
    NotReachable,
    Overloaded,
    PluginDisconnected,
    PluginNotFound,
    ScopeNotAllowed,
    StoreDenied,
    StorePluginError,
    StoreQuota,
    StoreUnavailable,
    Tampered,
    Throttled,
    TooLarge,
)
from store_plugin.publisher.conditions import Reason, Refused

_ADOPT = (
    "choose another name with the annotation secrets.crossplane.io/remote-name, or have the owner label of "
    "the secret in the store removed"
)
_OPERATOR = "the sidecar's own log says more"

MEANINGS: tuple[tuple[type[StorePluginError], Reason, str], ...] = (
    (NameNotSupported, Reason.NAME_REFUSED, "set the annotation secrets.crossplane.io/remote-name"),
    (TooLarge, Reason.TOO_LARGE, "choose fewer keys with the annotation secrets.crossplane.io/keys"),
    (InvalidRequest, Reason.REFUSED, "change the Secret or its annotations"),
    (NotOwner, Reason.NOT_OWNER, _ADOPT),
    (ConfigNotFound, Reason.STORE_INVALID, "create the config that the StoreConfig names, or name another"),
    (ConfigInvalid, Reason.STORE_INVALID, "mend the config that the StoreConfig names"),
    (KindNotServed, Reason.STORE_INVALID, "name a config of a kind that the sidecar serves"),
    (LoginRefused, Reason.STORE_INVALID, "mend the login of the config that the StoreConfig names"),
    (DocumentInvalid, Reason.REFUSED, "mend or remove what is in the store under this name"),
    (Tampered, Reason.REFUSED, "mend or remove what is in the store under this name"),
    (ScopeNotAllowed, Reason.ACCESS_DENIED, "add this namespace to `access` of the store's config"),
    (StoreDenied, Reason.ACCESS_DENIED, "give the sidecar's login the right in the store"),
    (CallerUnknown, Reason.ACCESS_DENIED, "give the publisher the token or certificate of the sidecar"),
    (NotReachable, Reason.NOT_REACHABLE, "is the sidecar of this StoreConfig's endpoint running?"),
    (ConnectionLost, Reason.NOT_REACHABLE, "is the sidecar of this StoreConfig's endpoint running?"),
    (StoreUnavailable, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (PluginDisconnected, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (PluginNotFound, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (DeadlineExceeded, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (Conflict, Reason.STORE_UNAVAILABLE, "somebody else writes to the same secret all the time"),
    (Throttled, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (Overloaded, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (StoreQuota, Reason.STORE_UNAVAILABLE, "raise the store's quota"),
    (Cancelled, Reason.STORE_UNAVAILABLE, _OPERATOR),
    (StorePluginError, Reason.FAILED, _OPERATOR),
)
"""Class, reason, what to do; the first that fits."""

_AWAY = (
    NotReachable,
    ConnectionLost,
    StoreUnavailable,
    PluginDisconnected,
    PluginNotFound,
    DeadlineExceeded,
)
"""Other Secrets of the same StoreConfig would fare the same."""


@contextmanager
def told_as_reasons() -> Iterator[None]:
    """Errors of calls to a sidecar as Refused."""
    try:
        yield
    except StorePluginError as error:
        raise refused(error) from None


def refused(error: StorePluginError) -> Refused:
    """What to say about an error. Its message is written for people, and holds no value."""
    reason, advice = next((reason, advice) for cls, reason, advice in MEANINGS if isinstance(error, cls))
    return Refused(reason, f"{error.message}; {advice}", error.retry_after, away=isinstance(error, _AWAY))
