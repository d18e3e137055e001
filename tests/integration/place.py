"""A namespace of a real cluster in which a sidecar takes its configs under a ServiceAccount."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.support.kubernetes import ApiError, Cluster
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready

KINDS = ("vaultconfigs", "localconfigs", "awsconfigs", "kubernetesstoreconfigs")
READ_CONFIGS = {"apiGroups": ["secrets.crossplane.io"], "resources": [*KINDS], "verbs": ["list", "watch"]}


class Place:
    """A namespace with the sidecar's ServiceAccount, and a VaultConfig with its token Secret."""

    def __init__(self, cluster: Cluster, bao: OpenBao, directory: Path) -> None:
        self.cluster = cluster
        self.bao = bao
        self.directory = directory
        self.namespace = cluster.namespace()
        self.config = f"vault-{uuid4().hex[:8]}"
        self.mount = bao.mount_kv("v2")
        self.user = cluster.service_account(self.namespace)
        self.bindings = [
            cluster.allow(self.user, [READ_CONFIGS]),
            cluster.allow(self.user, [self.read_secret], self.namespace),
        ]
        self.rotate()
        self.write()

    @property
    def read_secret(self) -> dict[str, Any]:
        return {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["vault-token"],
            "verbs": ["list", "watch"],
        }

    def write(self, **changes: Any) -> None:
        reference = {"namespace": self.namespace, "name": "vault-token", "key": "token"}
        auth = {"method": "Token", "token": {"source": "Secret", "secretRef": reference}}
        spec = {"server": self.bao.address, "mountPath": self.mount, "auth": auth, **changes}
        self.cluster.apply(manifest("VaultConfig", self.config, spec))

    def rotate(self) -> str:
        """A new token in the Secret."""
        token = self.bao.token([self.bao.kv_policy(self.mount)])
        metadata = {"name": "vault-token", "namespace": self.namespace}
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": token}}
        )
        return token

    def delete(self) -> None:
        try:
            self.cluster.api("DELETE", f"/apis/secrets.crossplane.io/v1alpha1/vaultconfigs/{self.config}")
        except ApiError as error:
            assert error.status == 404

    @contextmanager
    def sidecar(self, *arguments: str, without_api_server: bool = False) -> Iterator[SidecarProcess]:
        kubeconfig = self.directory / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(self.cluster.kubeconfig(self.cluster.token(self.user))))
        if without_api_server:
            self.cluster.crash()
        with started_sidecar(self.directory, "--kubeconfig", str(kubeconfig), *arguments) as process:
            if not without_api_server:
                wait_ready(process)
            yield process

    @property
    def reference(self) -> str:
        return f"VaultConfig/{self.config}"


def state(sidecar: SidecarProcess, name: str) -> dict[str, Any]:
    states = json.loads(sidecar.http("/configs"))["configs"]
    return next((found for found in states if found["name"] == name), {})


def synced(sidecar: SidecarProcess) -> bool:
    return bool(json.loads(sidecar.http("/configs"))["source"]["synced"])
