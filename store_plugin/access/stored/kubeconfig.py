"""The user of a kubeconfig that is kept as a secret.

It is data from a store, not a file of the person who runs this: a command in it would be run, and
a path in it be read, by whoever may write the secret. So a user is values and nothing else.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from store_plugin.access.stored.cluster import ClusterSaid
from store_plugin.errors import ConfigInvalid

_USER = {"token", "client-certificate-data", "client-key-data"}
_CLUSTER = {
    "server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "proxy-url",
    "disable-compression",
}  # fmt: skip
_OTHERS = {
    "as", "as-groups", "as-uid", "as-user-extra", "auth-provider", "certificate-authority",
    "client-certificate", "client-key", "exec", "extensions", "password", "tokenFile", "username",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class KubeconfigUser:
    """How one context logs in, and where."""

    cluster: ClusterSaid
    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


def user_of(kubeconfig: bytes, context: str | None) -> KubeconfigUser:
    """The user of `context`, or of the current one. ConfigInvalid shows no value."""
    document = _parsed(kubeconfig)
    chosen = _named(document, "context", context or document.get("current-context"))
    user = _named(document, "user", chosen.get("user"))
    cluster = _named(document, "cluster", chosen.get("cluster"))
    _check(user, _USER, "user")
    _check(cluster, _CLUSTER, "cluster")
    return KubeconfigUser(
        ClusterSaid(
            _text(cluster, "server") or None,
            _bytes(cluster, "certificate-authority-data") or None,
            _text(cluster, "tls-server-name") or None,
        ),
        token=_text(user, "token"),
        certificate=_bytes(user, "client-certificate-data"),
        key=_bytes(user, "client-key-data"),
    )


def _parsed(kubeconfig: bytes) -> Mapping[str, Any]:
    """YAML's errors show what they were given."""
    document = _from_json(kubeconfig) or _from_yaml(kubeconfig)
    if not isinstance(document, Mapping):
        raise ConfigInvalid("the kubeconfig is no block with clusters, users and contexts")
    return document


def _from_json(text: bytes) -> object:
    """First, for it costs nothing to import."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_yaml(text: bytes) -> object:
    try:
        import yaml
    except ImportError:
        raise ConfigInvalid(
            "a kubeconfig in YAML needs the extra 'cli': pip install 'store-plugin[cli]', or keep it as JSON"
        ) from None
    try:
        # Whoever writes the secret could have a few lines stand for more than memory holds.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ConfigInvalid("the kubeconfig has an alias (*): write out what it stands for")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _named(document: Mapping[str, Any], kind: str, name: object) -> Mapping[str, Any]:
    entries = document.get(f"{kind}s")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and name is not None and entry.get("name") == name:
            found = entry.get(kind)
            if isinstance(found, Mapping):
                return found
    raise ConfigInvalid(f"the kubeconfig has no {kind} of the name that is asked for")


def _check(block: Mapping[str, Any], known: set[str], kind: str) -> None:
    """Unknown fields are told by name only where the name is one of kubeconfigs."""
    if unknown := set(map(str, block)) - known:
        told = ", ".join(sorted(unknown & _OTHERS)) or "fields that are not known"
        taken = ", ".join(sorted(known))
        raise ConfigInvalid(f"the {kind} in the kubeconfig has {told}; only these are taken: {taken}")


def _text(block: Mapping[str, Any], name: str) -> str:
    value = block.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigInvalid(f"{name} in the kubeconfig is no text")
    return value or ""


def _bytes(block: Mapping[str, Any], name: str) -> bytes:
    try:
        return b64decode(_text(block, name), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigInvalid(f"{name} in the kubeconfig is not base64") from None
