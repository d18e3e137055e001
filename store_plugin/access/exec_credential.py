"""What a client and a credential plugin tell each other: `ExecCredential`, both directions.

The request travels in the variable KUBERNETES_EXEC_INFO, the answer on standard output
(client.authentication.k8s.io/v1 and v1beta1, Kubernetes' "client-go credential plugins"). Plain
dataclasses and the standard library: plugins import this, and must start fast. No message shows
anything of an answer.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from store_plugin.errors import ConfigInvalid, InvalidRequest

EXEC_INFO = "KUBERNETES_EXEC_INFO"
"""The variable that the request travels in."""
PROFILE_NAMESPACE = "STORE_PLUGIN_CLUSTER_PROFILE_NAMESPACE"
PROFILE_NAME = "STORE_PLUGIN_CLUSTER_PROFILE_NAME"
"""Variables of ours that tell a plugin for which ClusterProfile it is run. They come from the
object's own metadata: who writes its status cannot choose them."""
KIND = "ExecCredential"
GROUP = "client.authentication.k8s.io"
API_VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
"""The versions spoken here, the newest first; v1alpha1 is gone from client-go since 1.24."""


@dataclass(frozen=True, slots=True)
class ExecCluster:
    """The cluster that a credential is for, as far as a plugin is told."""

    server: str
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority_data: bytes = b""
    """PEM; empty: the authorities of the system."""
    proxy_url: str = ""
    disable_compression: bool = False
    config: Any = None
    """What the extension `client.authentication.k8s.io/exec` holds: JSON of any shape."""


@dataclass(frozen=True, slots=True)
class ExecInfo:
    """What a client asks of a plugin."""

    api_version: str
    interactive: bool = False
    """Whether standard input is a person's."""
    cluster: ExecCluster | None = None
    """Given where the client's config says `provideClusterInfo`."""


@dataclass(frozen=True, slots=True)
class ExecStatus:
    """What a plugin answers: a token, or a certificate with its key, or both."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    """PEM."""
    key: bytes = field(default=b"", repr=False)
    """PEM."""
    expires: datetime | None = None
    """None: it lasts until a server refuses it, or the process that asked ends."""


def info_text(info: ExecInfo) -> str:
    """The request, as KUBERNETES_EXEC_INFO holds it."""
    spec: dict[str, Any] = {"interactive": info.interactive}
    if info.cluster is not None:
        spec["cluster"] = cluster_document(info.cluster)
    return _text(info.api_version, "spec", spec)


def parse_info(text: str) -> ExecInfo:
    """The request that a client made. InvalidRequest."""
    document = _object(text, "KUBERNETES_EXEC_INFO")
    version = document.get("apiVersion")
    if document.get("kind") != KIND or version not in API_VERSIONS:
        raise InvalidRequest(f"{EXEC_INFO} must be an {KIND} of {' or '.join(API_VERSIONS)}")
    spec = document.get("spec") or {}
    if not isinstance(spec, Mapping):
        raise InvalidRequest(f"{EXEC_INFO}: spec is no object")
    cluster = spec.get("cluster")
    parsed = None if cluster is None else _parsed_cluster(cluster)
    return ExecInfo(str(version), spec.get("interactive") is True, parsed)


def cluster_document(cluster: ExecCluster) -> dict[str, Any]:
    """As Kubernetes spells it. Fields that say nothing are left out, as client-go does."""
    found: dict[str, Any] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": b64encode(cluster.certificate_authority_data).decode(),
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.disable_compression,
    }
    present = {name: value for name, value in found.items() if value}
    return present if cluster.config is None else {**present, "config": cluster.config}


def status_text(api_version: str, status: ExecStatus) -> str:
    """The answer, in the version that was asked in."""
    found: dict[str, Any] = {}
    if status.expires is not None:
        found["expirationTimestamp"] = status.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if status.token:
        found["token"] = status.token
    if status.certificate:
        found["clientCertificateData"] = status.certificate.decode()
        found["clientKeyData"] = status.key.decode()
    return _text(api_version, "status", found)


def parse_status(text: str | bytes, api_version: str) -> ExecStatus:
    """The answer of a plugin that was asked in `api_version`. ConfigInvalid says what is wrong
    with it, as client-go would find it."""
    try:
        document = _object(text, "what it printed")
    except InvalidRequest as error:
        raise ConfigInvalid(error.message) from None
    if document.get("kind") != KIND:
        raise ConfigInvalid(f"what it printed is no {KIND}")
    if document.get("apiVersion") != api_version:
        raise ConfigInvalid(f"it was asked in {api_version} and answers in another version")
    status = document.get("status")
    if not isinstance(status, Mapping):
        raise ConfigInvalid("its answer has no status")
    return _parsed_status(status)


def parse_time(text: str) -> datetime:
    """A moment as Kubernetes writes it (RFC 3339). ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _parsed_status(status: Mapping[str, Any]) -> ExecStatus:
    token = _field(status, "token")
    certificate, key = _field(status, "clientCertificateData"), _field(status, "clientKeyData")
    if bool(certificate) != bool(key):
        raise ConfigInvalid("its answer has a client certificate without its key, or the other way round")
    if not token and not certificate:
        raise ConfigInvalid("its answer has neither a token nor a client certificate")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigInvalid("the token in its answer is none that a header can carry")
    return ExecStatus(token, certificate.encode(), key.encode(), _expiry(status))


def _expiry(status: Mapping[str, Any]) -> datetime | None:
    text = _field(status, "expirationTimestamp")
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        pass  # its text shows the value, so it is no context of what is raised
    raise ConfigInvalid("expirationTimestamp in its answer is no time as 2030-01-31T12:00:00Z")


def _field(status: Mapping[str, Any], name: str) -> str:
    value = status.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigInvalid(f"{name} in its answer is no text")  # half a character is none either
    return value


def _parsed_cluster(cluster: object) -> ExecCluster:
    if not isinstance(cluster, Mapping):
        raise InvalidRequest(f"{EXEC_INFO}: spec.cluster is no object")
    try:
        authority = b64decode(cluster.get("certificate-authority-data") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidRequest(f"{EXEC_INFO}: certificate-authority-data is not base64") from None
    return ExecCluster(
        server=str(cluster.get("server") or ""),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        insecure_skip_tls_verify=cluster.get("insecure-skip-tls-verify") is True,
        certificate_authority_data=authority,
        proxy_url=str(cluster.get("proxy-url") or ""),
        disable_compression=cluster.get("disable-compression") is True,
        config=cluster.get("config"),
    )


def _text(api_version: str, part: str, content: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": api_version, "kind": KIND, part: content}, separators=(",", ":"))


def _object(text: str | bytes, what: str) -> Mapping[str, Any]:
    """JSON's own error would show what it was given."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidRequest(f"{what} is no JSON object")
    return document
