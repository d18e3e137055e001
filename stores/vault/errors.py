"""The one place where what goes wrong below becomes an error of ours.

Statuses as in Vault's and OpenBao's API documentation, "HTTP status codes". Messages
carry the request's method and path and what the server said about it, never a body that
was sent, a header or a token.
"""

import os
import re
import ssl
from collections.abc import Sequence

import hvac.exceptions

from store_plugin.errors import (
    Bug,
    ConfigInvalid,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
    TooLarge,
)

_LONGEST_TEXT = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")

# What a 400 or 5xx means can be told only by its text.
_BY_TEXT: tuple[tuple[str, type[StorePluginError]], ...] = (
    ("check-and-set parameter did not match", Conflict),
    ("too large", TooLarge),
    # Limits on the JSON itself: strings in all (OpenBao), entries or lengths (Vault).
    ("high complexity", TooLarge),
    ("exceeds", TooLarge),
    ("Upgrading from non-versioned", StoreUnavailable),
    ("HTTP request to an HTTPS server", ConfigInvalid),
    ("Waiting for the primary to upgrade from non-versioned", StoreUnavailable),
)
_BY_STATUS: dict[int, type[StorePluginError]] = {
    400: InvalidRequest,
    401: StoreDenied,
    403: StoreDenied,
    404: ConfigInvalid,
    405: ConfigInvalid,
    412: StoreUnavailable,
    413: TooLarge,
    429: Throttled,
    472: StoreUnavailable,
    473: StoreUnavailable,
}
_UNSEAL = "unseal it (bao operator unseal, vault operator unseal)"
_TO_DO: dict[int, str] = {
    412: "it lags behind a write of ours: wait, or name the active node as server",
    429: "it limits requests: wait, or raise its rate limit quota",
    472: "it is a secondary for disaster recovery and serves nobody: name a server of the primary as server",
    473: "it is a standby that cannot do this: name the active node or a load balancer before it as server",
    501: "initialize it (bao operator init, vault operator init)",
    502: "what stands before it cannot reach it: look there",
    503: "it is under maintenance or has no active node: wait, or look at its log",
    504: "what stands before it waits for it in vain: look there",
}
"""What to do about a status, for whoever reads the message."""
_BY_CLASS: tuple[tuple[type[BaseException], type[StorePluginError]], ...] = (
    (TimeoutError, DeadlineExceeded),
    (OSError, StoreUnavailable),
    (hvac.exceptions.InvalidRequest, InvalidRequest),
    (hvac.exceptions.Unauthorized, StoreDenied),
    (hvac.exceptions.Forbidden, StoreDenied),
    (hvac.exceptions.InvalidPath, ConfigInvalid),
    (hvac.exceptions.UnsupportedOperation, ConfigInvalid),
    (hvac.exceptions.RateLimitExceeded, Throttled),
    (hvac.exceptions.ParamValidationError, Bug),
    (hvac.exceptions.VaultError, StoreUnavailable),
)

# Alerts (RFC 8446, 6.2), as OpenSSL names them. It is the server that sends them.
_OF_OUR_CERTIFICATE = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
    }
)


def from_status(
    status: int, texts: Sequence[str], where: str, retry_after: float | None = None
) -> StorePluginError:
    """The error for an answer that is no success; `texts` is its `errors` list."""
    said = " ".join(texts)
    kind = _BY_STATUS.get(status, InvalidRequest if 400 <= status < 500 else StoreUnavailable)
    for sign, meaning in _BY_TEXT:
        if sign in said and status != 403:
            kind = meaning
    if 300 <= status < 400:
        said = "it sends us elsewhere, where a token must not go; name the right address as server"
    if retry_after is None and kind in (Throttled, StoreUnavailable):
        retry_after = 1.0
    todo = _UNSEAL if status == 503 and "sealed" in said else _TO_DO.get(status)
    message = f"{where}: the server answers {status}{_shown(said)}"
    return kind(f"{message}; {todo}" if todo else message, retry_after=retry_after)


def from_exception(error: BaseException, where: str) -> StorePluginError:
    """The error for what hvac or the network raised. Raise it `from None`."""
    if isinstance(error, ssl.SSLError):
        return from_tls(error, where)
    ours = next((ours for theirs, ours in _BY_CLASS if isinstance(error, theirs)), Bug)
    retry_after = 1.0 if ours is StoreUnavailable else None
    return ours(f"{where}: {described(error, type(error).__name__)}", retry_after=retry_after)


def from_tls(error: ssl.SSLError, where: str) -> StorePluginError:
    """The error for a connection that TLS ended: one certificate or the other was not liked."""
    said = f"{where}: {described(error, type(error).__name__)}"
    reason = getattr(error, "reason", "")
    if reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return ConfigInvalid(f"{where}: the server demands a client certificate: set clientCertificate")
    if reason in _OF_OUR_CERTIFICATE:
        return LoginRefused(f"{said}; the server refuses our certificate: check clientCertificate")
    return StoreUnavailable(said, retry_after=1.0)


def described(error: BaseException, name: str) -> str:
    """What failed, by its name; with its text only where that is about the network."""
    if isinstance(error, ConnectionError) and error.errno:
        return f"{name}: {os.strerror(error.errno)}"
    if isinstance(error, OSError):
        return f"{name}{_shown(error.strerror or str(error))}"
    return name


def unavailable(where: str, why: str) -> StorePluginError:
    """No answer that counts as one; `why` is safe to show."""
    return StoreUnavailable(f"{where}: {why}", retry_after=1.0)


def not_vault(where: str) -> StorePluginError:
    """Something answered, and not as Vault does: a proxy, a wrong address."""
    return unavailable(where, "what answers does not speak Vault's API")


def _shown(said: str) -> str:
    """What the server said, short and on one line. Where it cannot read the request's JSON
    it quotes from it: that is left out."""
    if not said or "decode JSON" in said or "parse JSON" in said:
        return ""
    plain = _UNPRINTABLE.sub(" ", said).strip()
    return f": {plain if len(plain) <= _LONGEST_TEXT else plain[: _LONGEST_TEXT - 3] + '...'}"
