"""A ClusterProfile (multicluster.x-k8s.io), as far as it says how to reach its cluster.

Whoever may write a profile's status says where a connection goes and what a plugin is told;
nothing here follows it further: a path to a certificate authority is not read, an address that is
not https is refused.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from store_plugin.access.authority import without_comments
from store_plugin.errors import ConfigInvalid

GROUP = "multicluster.x-k8s.io"
VERSIONS = ("v1alpha1", "v1alpha2")
"""In the order they are asked for. The first has all that the second has, and the older list."""
PLURAL = "clusterprofiles"
KIND = "ClusterProfile"
_LISTS = ("credentialProviders", "accessProviders")
"""The older name and the newer one; an entry of the newer wins."""
_PROXIES = ("http", "https", "socks5")
_DEEPEST = 100
"""Levels of lists and blocks that what is said of a cluster may have."""
_TOO_DEEP: Mapping[str, Any] = {"": "nested too deep to be copied or sent to a plugin"}


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """How one provider's clients reach the cluster."""

    provider: str
    server: str
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority_data: bytes = b""
    """PEM without comments; empty: the authorities of the system."""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """By name; of a name that stands twice the first."""


@dataclass(frozen=True, slots=True)
class ClusterProfile:
    """A member of the fleet."""

    namespace: str
    name: str
    accesses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """What stands in the status, by the provider's name, in the profile's order."""
    display_name: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def from_object(cls, found: Mapping[str, Any]) -> "ClusterProfile":
        """Of an object as an API server gives it. ConfigInvalid where it is no ClusterProfile."""
        if found.get("kind", KIND) != KIND or not _block(found, "metadata").get("name"):
            raise ConfigInvalid(f"this object is no {KIND} with a name")
        metadata, status = _block(found, "metadata"), _block(found, "status")
        return cls(
            namespace=str(metadata.get("namespace") or ""),
            name=str(metadata["name"]),
            accesses={str(one["name"]): _kept(_block(one, "cluster")) for one in _entries(status)},
            display_name=str(_block(found, "spec").get("displayName") or ""),
        )

    def access(self, provider: str) -> ClusterAccess:
        """How clients with credentials of `provider` reach it. ConfigInvalid names the field that
        cannot be used; KeyError where the profile does not name the provider."""
        cluster, where = self.accesses[provider], f"profile {self}, provider {provider!r}"
        if cluster is _TOO_DEEP:
            raise ConfigInvalid(f"{where}: what it says of its cluster is nested too deep")
        found = ClusterAccess(
            provider=provider,
            server=_server(cluster, where),
            tls_server_name=_text(cluster, "tls-server-name", where),
            insecure_skip_tls_verify=_flag(cluster, "insecure-skip-tls-verify", where),
            certificate_authority_data=_authority(cluster, where),
            proxy_url=_proxy(cluster, where),
            disable_compression=_flag(cluster, "disable-compression", where),
            extensions=_extensions(cluster, where),
        )
        if found.insecure_skip_tls_verify and found.certificate_authority_data:
            raise ConfigInvalid(
                f"{where}: insecure-skip-tls-verify does not go with certificate-authority-data"
            )
        return found


def _entries(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The older list before the newer, so that the newer one's entries replace its."""
    for name in _LISTS:
        entries = status.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and entry.get("name"):
                yield entry


def _kept(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy. One author's extension that nobody can copy is no reason to list no profile."""
    return _TOO_DEEP if _is_deeper(cluster, _DEEPEST) else deepcopy(cluster)


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        inner: Iterable[object] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _server(cluster: Mapping[str, Any], where: str) -> str:
    server = _text(cluster, "server", where).rstrip("/")
    parts = _address(server)
    if parts is None or parts[0] != "https" or parts[2]:
        raise ConfigInvalid(f"{where}: server must be an address as https://host:port, without a password")
    return server


def _proxy(cluster: Mapping[str, Any], where: str) -> str:
    proxy = _text(cluster, "proxy-url", where)
    parts = _address(proxy)
    if proxy and (parts is None or parts[0] not in _PROXIES):
        raise ConfigInvalid(f"{where}: proxy-url must be an address with {', '.join(_PROXIES)}")
    return proxy


def _address(text: str) -> tuple[str, str, bool] | None:
    """Scheme, host, and whether there is a password or a query; None where it is no address."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    more = "@" in parts.netloc or bool(parts.query or parts.fragment)
    return (parts.scheme, parts.hostname, more) if parts.hostname and text.isprintable() else None


def _authority(cluster: Mapping[str, Any], where: str) -> bytes:
    data = _text(cluster, "certificate-authority-data", where)
    try:
        given = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        given = b"?"
    # Whether a TLS library takes it is seen when a client is made: asking one takes a while.
    authority = without_comments(given) if given else b""
    if authority is None:
        raise ConfigInvalid(
            f"{where}: certificate-authority-data must be certificates in PEM and no other blocks, in base64"
        )
    return authority


def _extensions(cluster: Mapping[str, Any], where: str) -> dict[str, Any]:
    entries = cluster.get("extensions") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ConfigInvalid(f"{where}: extensions must be a list of name and extension")
    found: dict[str, Any] = {}
    for entry in entries:
        found.setdefault(str(entry.get("name") or ""), deepcopy(entry.get("extension")))
    return found


def _text(cluster: Mapping[str, Any], name: str, where: str) -> str:
    value = cluster.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigInvalid(f"{where}: {name} must be text")
    return value or ""


def _flag(cluster: Mapping[str, Any], name: str, where: str) -> bool:
    value = cluster.get(name)
    if value is not None and not isinstance(value, bool):
        raise ConfigInvalid(f"{where}: {name} must be true or false")
    return bool(value)


def _block(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}
