"""From a secret of a store to what a credential plugin answers.

A secret holds a token, a client certificate with its key, both, or a kubeconfig; under which keys
is for whoever runs the plugin to say. No message shows a value.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from store_plugin.access.exec_credential import ExecStatus, parse_time
from store_plugin.access.stored.cluster import ClusterSaid
from store_plugin.access.stored.kubeconfig import user_of
from store_plugin.access.stored.token import check_audience, expiry_of
from store_plugin.errors import ConfigInvalid
from store_plugin.model import Secret


@dataclass(frozen=True, slots=True)
class Keys:
    """Under which keys of a secret there is what; the defaults are Kubernetes' own."""

    token: str = "token"  # noqa: S105
    certificate: str = "tls.crt"
    key: str = "tls.key"
    kubeconfig: str = "kubeconfig"
    server: str = "server"
    authority: str = "ca.crt"

    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return (self.token, self.certificate, self.key, self.kubeconfig, self.server, self.authority)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a secret."""

    keys: Keys = field(default_factory=Keys)
    context: str | None = None
    """Of a kubeconfig; None: its current one."""
    audience: str | None = None
    """The token has to be for it."""
    expiry_label: str | None = None
    """Metadata entry that tells when the credential ends, as `2030-01-31T12:00:00Z` or in
    seconds since 1970, which a label of Kubernetes can hold."""


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential, and what its secret says of the cluster it is for."""

    status: ExecStatus
    cluster: ClusterSaid


def credential_in(secret: Secret, wanted: Wanted) -> StoredCredential:
    """The credential that a secret holds; a kubeconfig only where there is neither token nor
    certificate beside it. ConfigInvalid."""
    keys, data = wanted.keys, secret.data
    if keys.token in data or keys.certificate in data or keys.key in data:
        found = StoredCredential(_own(secret, keys), _said(secret, keys))
    elif keys.kubeconfig in data:
        found = _from_kubeconfig(data[keys.kubeconfig], wanted.context)
    else:
        raise ConfigInvalid(
            f"it has none of the keys {keys.token}, {keys.certificate} and {keys.key}, or {keys.kubeconfig}: "
            "say with --token-key, --certificate-key and --key-key, or --kubeconfig-key, where it is"
        )
    return StoredCredential(_bounded(found.status, secret, wanted), found.cluster)


def _own(secret: Secret, keys: Keys) -> ExecStatus:
    data = secret.data
    if (keys.certificate in data) != (keys.key in data):
        raise ConfigInvalid(f"it has only one of {keys.certificate} and {keys.key}: both are needed")
    token = _ascii(data.get(keys.token, b""), keys.token).strip()
    if keys.token in data and not token:
        raise ConfigInvalid(f"{keys.token} is empty")
    return ExecStatus(
        token,
        _pem(data.get(keys.certificate, b""), "CERTIFICATE", keys.certificate),
        _pem(data.get(keys.key, b""), "PRIVATE KEY", keys.key),
    )


def _from_kubeconfig(text: bytes, context: str | None) -> StoredCredential:
    user = user_of(text, context)
    if not user.token and not user.certificate:
        raise ConfigInvalid("the user in the kubeconfig has neither a token nor a client certificate")
    certificate = _pem(user.certificate, "CERTIFICATE", "client-certificate-data")
    key = _pem(user.key, "PRIVATE KEY", "client-key-data")
    return StoredCredential(ExecStatus(user.token.strip(), certificate, key), user.cluster)


def _said(secret: Secret, keys: Keys) -> ClusterSaid:
    server = secret.data.get(keys.server)
    return ClusterSaid(
        None if server is None else server.decode("ascii", "replace").strip(),
        secret.data.get(keys.authority),
    )


def _bounded(status: ExecStatus, secret: Secret, wanted: Wanted) -> ExecStatus:
    """The credential with the earliest end that anything tells."""
    if wanted.audience is not None:
        check_audience(status.token, wanted.audience)
    ends = [expiry_of(status.token), _labelled(secret, wanted.expiry_label)]
    expires = min((end for end in ends if end is not None), default=None)
    return ExecStatus(status.token, status.certificate, status.key, expires)


def _labelled(secret: Secret, label: str | None) -> datetime | None:
    if label is None:
        return None
    text = secret.metadata.get(label)
    if not text:
        raise ConfigInvalid(f"it has no label {label}, which --expiry-label names")
    try:
        return datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else parse_time(text)
    except (ValueError, OverflowError, OSError):
        raise ConfigInvalid(
            f"the label {label} is no time: write 2030-01-31T12:00:00Z, or seconds since 1970"
        ) from None


def _pem(content: bytes, kind: str, what: str) -> bytes:
    if content and (f"{kind}-----" not in _ascii(content, what) or b"-----BEGIN " not in content):
        raise ConfigInvalid(f"{what} holds no {kind.lower()} in PEM")
    return content


def _ascii(content: bytes, what: str) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{what} holds bytes that are no text of a credential") from None
