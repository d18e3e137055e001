"""What a cluster holds where ess-plugin-vault was installed by its chart, and what it left in Vault."""

from typing import Any

from store_plugin.model import OWNER_LABEL
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao

NAMESPACE = "crossplane-system"
NAME = "ess-plugin-vault"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}
_TEXT: dict[str, Any] = {"type": "string"}
Manifest = dict[str, Any]


def block(*required: str, **properties: Any) -> Manifest:
    return {"type": "object", "properties": properties, "required": list(required)}


def _credential() -> Manifest:
    source = {"type": "string", "enum": ["None", "Secret", "Environment", "Filesystem"]}
    reference = block("namespace", "name", "key", namespace=_TEXT, name=_TEXT, key=_TEXT)
    file, variable = block("path", path=_TEXT), block("name", name=_TEXT)
    return block("source", source=source, env=variable, fs=file, secretRef=reference)


def _crd(kind: str, spec: Manifest, group: str = "secrets.crossplane.io") -> Manifest:
    singular = kind.lower()
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{singular}s", "singular": singular}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{group}"},
        "spec": {
            "group": group,
            "names": {**names, "categories": ["crossplane", "pkg"]},
            "scope": "Cluster",
            "versions": [version],
        },
    }


def vault_config_crd() -> Manifest:
    """Of the last release, 0.2: its fields, with the one default."""
    kubernetes = block("role", role=_TEXT, mountPath=_TEXT, serviceAccountTokenSource=_credential())
    return _crd(
        "VaultConfig",
        block(
            "server",
            "mountPath",
            "auth",
            server=_TEXT,
            mountPath=_TEXT,
            namespace=_TEXT,
            version={"type": "string", "default": "v2"},
            caBundle=_credential(),
            auth=block("method", method=_TEXT, token=_credential(), kubernetes=kubernetes),
        ),
    )


def store_config_crd(group: str = "secrets.crossplane.io") -> Manifest:
    """Crossplane's own, or that of a provider in its group: fields, and no rule between them."""
    reference = block("apiVersion", "kind", "name", apiVersion=_TEXT, kind=_TEXT, name=_TEXT)
    kinds = {"type": "string", "enum": ["Kubernetes", "Vault", "Plugin"], "default": "Kubernetes"}
    plugin = block(endpoint=_TEXT, configRef=reference)
    return _crd("StoreConfig", block("defaultScope", type=kinds, defaultScope=_TEXT, plugin=plugin), group)


def in_namespace(api_version: str, kind: str, name: str, **fields: Any) -> Manifest:
    metadata = {"namespace": NAMESPACE, "name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def service() -> Manifest:
    port = {"name": "http", "port": 4040, "protocol": "TCP", "targetPort": "http"}
    return in_namespace("v1", "Service", NAME, spec={"selector": LABELS, "ports": [port]})


def deployment(name: str, labels: dict[str, str], **spec: Any) -> Manifest:
    template = {"metadata": {"labels": labels}, "spec": spec}
    return in_namespace(
        "apps/v1", "Deployment", name, spec={"selector": {"matchLabels": labels}, "template": template}
    )


def install(cluster: Cluster) -> None:
    """Crossplane's namespace and Deployment, its StoreConfig, and the chart of ess-plugin-vault."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for crd in (vault_config_crd(), store_config_crd()):
        cluster.apply(crd, "helm")
        cluster.define(crd)
    containers = [{"name": NAME, "image": "ess", "ports": [{"name": "http", "containerPort": 4040}]}]
    crossplane = {"serviceAccountName": "crossplane", "containers": [{"name": "crossplane", "image": "x"}]}
    for manifest in (
        in_namespace("v1", "ServiceAccount", "crossplane"),
        in_namespace("v1", "ServiceAccount", NAME),
        service(),
        deployment(NAME, LABELS, serviceAccountName=NAME, containers=containers),
        deployment("crossplane", {"app": "crossplane"}, **crossplane),
    ):
        cluster.apply(manifest, "helm")


def leave_secret(bao: OpenBao, mount: str, version: str, name: str, owner: str, **data: str) -> None:
    """A secret as ess-plugin-vault writes it: in version 2 the metadata first, in version 1 as keys."""
    if version == "v1":
        bao.api("PUT", f"{mount}/{name}", {**data, f"metadata:{OWNER_LABEL}": owner})
        return
    bao.api("POST", f"{mount}/metadata/{name}", {"custom_metadata": {OWNER_LABEL: owner}})
    bao.api("PUT", f"{mount}/data/{name}", {"options": {"cas": 0}, "data": data})
