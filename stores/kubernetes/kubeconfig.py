"""A client's configuration, from a kubeconfig that somebody put into a credential.

Whoever writes that credential must not get more than a connection: a kubeconfig that names
files would have the sidecar send them away, one that names a command would run it. So
nothing but values is taken; the library's own loader takes all.
"""

import ssl
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config

from store_plugin.errors import ConfigInvalid

_CLUSTER = {"server", "certificate-authority-data", "tls-server-name"}
_USER = {"token", "client-certificate-data", "client-key-data"}
_OTHERS = {
    "auth-provider", "certificate-authority", "client-certificate", "client-key", "exec", "extensions",
    "insecure-skip-tls-verify", "password", "proxy-url", "tokenFile", "username",
}  # fmt: skip


def own_cluster() -> ApiClient:
    """A client of the cluster this Pod runs in. ConfigInvalid outside of one."""
    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        raise ConfigInvalid(
            "there is no ServiceAccount of a Pod here: give the config a kubeconfig"
        ) from None
    return ApiClient(configuration)


def other_cluster(kubeconfig: bytes, context: str | None) -> ApiClient:
    """A client of the cluster in `kubeconfig`. ConfigInvalid shows nothing of its values."""
    made = None
    try:
        made = _client(_parsed(kubeconfig), context)
    except ConfigInvalid:
        raise
    except Exception as error:  # what stands there may be anything
        problem = type(error).__name__
    if made is None:
        raise ConfigInvalid(f"kubeconfig is none that can be used ({problem})")
    return made


def _parsed(kubeconfig: bytes) -> Mapping[str, Any]:
    document = yaml.safe_load(kubeconfig)
    if not isinstance(document, Mapping):
        raise ConfigInvalid("kubeconfig is no block with clusters, users and contexts")
    return document


def _client(document: Mapping[str, Any], context: str | None) -> ApiClient:
    chosen = _named(document, "context", context or document.get("current-context"))
    cluster = _named(document, "cluster", chosen["cluster"])
    user = _named(document, "user", chosen["user"])
    _check(cluster, _CLUSTER, "cluster")
    _check(user, _USER, "user")
    if not str(cluster["server"]).startswith("https://"):
        raise ConfigInvalid("kubeconfig: the server must be https://")
    configuration = Configuration(host=str(cluster["server"]).rstrip("/"))
    configuration.tls_server_name = cluster.get("tls-server-name")
    if authority := cluster.get("certificate-authority-data"):
        configuration.ca_cert_data = b64decode(authority).decode()
    if token := user.get("token"):
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return _with_certificate(configuration, user)


def _with_certificate(configuration: Configuration, user: Mapping[str, Any]) -> ApiClient:
    """The TLS context reads the certificate from files, when the client is made and then no
    more."""
    if "client-certificate-data" not in user:
        return ApiClient(configuration)
    with TemporaryDirectory() as directory:
        for name, attribute in (("client-certificate-data", "cert_file"), ("client-key-data", "key_file")):
            path = Path(directory) / attribute
            path.touch(mode=0o600)
            path.write_bytes(b64decode(user[name]))
            setattr(configuration, attribute, str(path))
        try:
            return ApiClient(configuration)
        except ssl.SSLError:
            raise ConfigInvalid("kubeconfig: client certificate and key are no pair") from None


def _named(document: Mapping[str, Any], kind: str, name: object) -> Mapping[str, Any]:
    for entry in document.get(f"{kind}s") or ():
        if entry["name"] == name:
            found: Mapping[str, Any] = entry[kind]
            return found
    raise ConfigInvalid(f"kubeconfig has no {kind} of the name that is asked for")


def _check(block: Mapping[str, Any], known: set[str], kind: str) -> None:
    """Unknown fields are told by name only where the name is one of kubeconfigs."""
    if unknown := set(map(str, block)) - known:
        told = ", ".join(sorted(unknown & _OTHERS)) or "fields that are not known"
        taken = ", ".join(sorted(known))
        raise ConfigInvalid(f"kubeconfig: the {kind} has {told}; a store takes only {taken}")
