"""A client's configuration, from a kubeconfig that somebody put into a credential.

Whoever writes that credential must not get more than a connection: a kubeconfig that names
files would have the sidecar send them away, one that names a command would run it. So
nothing but values is taken; the library's own loader takes all. It is read on the event loop that
serves all others, so it is bounded, and nothing in it stands for more than is written.
"""

import ssl
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from aiohttp import ClientError, TraceConfig, TraceRequestRedirectParams
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config

from store_plugin.errors import ConfigInvalid

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a build of PyYAML without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MOST_BYTES = 64 * 1024
"""Of a kubeconfig: reading this many takes a tenth of a second at most."""
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
    return _made(configuration)


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
    if len(kubeconfig) > MOST_BYTES:
        raise ConfigInvalid(f"kubeconfig is larger than {MOST_BYTES} bytes: leave other clusters out")
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(kubeconfig, Loader=_Loader)):
        raise ConfigInvalid("kubeconfig has an alias (*): write out what it stands for")
    document = yaml.load(kubeconfig, Loader=_Loader)
    if not isinstance(document, Mapping):
        raise ConfigInvalid("kubeconfig is no block with clusters, users and contexts")
    return document


def _client(document: Mapping[str, Any], context: str | None) -> ApiClient:
    chosen = _named(document, "context", context or document.get("current-context"))
    cluster = _named(document, "cluster", chosen["cluster"])
    user = _named(document, "user", chosen["user"])
    _check(cluster, _CLUSTER, "cluster")
    _check(user, _USER, "user")
    server = _text(cluster, "server")
    if not server.startswith("https://"):
        raise ConfigInvalid("kubeconfig: the server must be https://")
    configuration = Configuration(host=server.rstrip("/"))
    configuration.tls_server_name = _text(cluster, "tls-server-name") or None
    if authority := _text(cluster, "certificate-authority-data"):
        configuration.ca_cert_data = b64decode(authority).decode()
    if token := _text(user, "token"):
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return _with_certificate(configuration, user)


def _with_certificate(configuration: Configuration, user: Mapping[str, Any]) -> ApiClient:
    """The TLS context reads the certificate from files, when the client is made and then no
    more."""
    if "client-certificate-data" not in user:
        return _made(configuration)
    with TemporaryDirectory() as directory:
        for name, attribute in (("client-certificate-data", "cert_file"), ("client-key-data", "key_file")):
            path = Path(directory) / attribute
            path.touch(mode=0o600)
            path.write_bytes(b64decode(user[name]))
            setattr(configuration, attribute, str(path))
        try:
            return _made(configuration)
        except ssl.SSLError:
            raise ConfigInvalid("kubeconfig: client certificate and key are no pair") from None


def _made(configuration: Configuration) -> ApiClient:
    """A client that goes nowhere else: whoever answers there could have it ask any server, in the
    clear too, and show what that says."""
    stays = TraceConfig()
    stays.on_request_redirect.append(_refuse)
    configuration.trace_configs = [stays]
    return ApiClient(configuration)


async def _refuse(_session: object, _context: object, redirect: TraceRequestRedirectParams) -> None:
    redirect.response.close()
    raise ClientError("it sends us elsewhere")


def _text(block: Mapping[str, Any], name: str) -> str:
    value = block.get(name) or ""
    if not isinstance(value, str):
        raise ConfigInvalid(f"kubeconfig: {name} must be text")
    return value


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
