"""The hub's own rights in a cluster, and plugins' ServiceAccounts with theirs."""

import json
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

import jwt

from store_plugin.hub.authentication.tokenreview import DEFAULT_AUDIENCE
from store_plugin.stream import frames
from tests.docs.pages import DOCS, blocks
from tests.support.kubernetes import Cluster

REVIEWER_RULES = (
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
)
CONNECTING = {"nonResourceURLs": [frames.METHOD_PATH, "/grpc.health.v1.Health/Check"], "verbs": ["create"]}
"""The right to come through the proxy."""


def documented_flags() -> list[str]:
    """What docs/plugins.md tells to start kube-rbac-proxy with, but for addresses and files."""
    (block,) = blocks(DOCS / "plugins.md", "text")
    ours = ("--secure-listen-address", "--tls-", "--upstream=")
    return [flag for flag in block.split() if not flag.startswith(ours)]


def reviewer(cluster: Cluster, namespace: str, *, name: str = "hub") -> str:
    """The ServiceAccount that a hub, or a proxy, asks the API server as."""
    user = cluster.service_account(namespace, name)
    cluster.allow(user, REVIEWER_RULES)
    return user


def kubeconfig(cluster: Cluster, user: str, file: Path, *, server: str = "") -> Path:
    """As JSON, which YAML is as well."""
    config = cluster.kubeconfig(cluster.token(user))
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    file.write_text(json.dumps(config))
    return file


def registering(*names: str) -> Mapping[str, object]:
    """The rule that lets a ServiceAccount register plugins of these names."""
    rule: dict[str, object] = {"apiGroups": ["secrets.crossplane.io"], "resources": ["plugins"]}
    return {**rule, "resourceNames": list(names), "verbs": ["register"]}


def for_hub(cluster: Cluster, user: str) -> str:
    """A token that is meant for the hub."""
    return cluster.token(user, DEFAULT_AUDIENCE)


def signed_token(cluster: Cluster, user: str, *, ends_in: int) -> str:
    """One signed with the API server's own key, that ends in so many seconds, or has ended."""
    claims: dict[str, Any] = jwt.decode(for_hub(cluster, user), options={"verify_signature": False})
    begun = int(time()) - 1200
    claims.update(iat=begun, nbf=begun, exp=int(time()) + ends_in)
    key_id = jwt.get_unverified_header(for_hub(cluster, user))["kid"]
    return jwt.encode(claims, cluster.signing_key, algorithm="ES256", headers={"kid": key_id})
