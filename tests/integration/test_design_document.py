"""The manifests of Crossplane's design document, as they stand there, at work: both in a real API
server, a sidecar that takes its config from there, and an operator that publishes with them.

Only what names this machine is changed: the socket, the server, the mount and its token.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.crds.collection import store_config_definition
from tests.support.kubernetes import ApiError, Cluster, path_of
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError as BaoError
from tests.support.operator import example, operator_token, running_operator
from tests.support.pod import sidecar_account, sidecar_in_pod
from tests.support.waiting import eventually

MANIFESTS = """\
apiVersion: gcp.crossplane.io/v1alpha1
kind: StoreConfig
metadata:
  name: vault
spec:
  type: External
  defaultScope: crossplane-system
  external:
    endpoint: unix:///@crossplane/secret/default.sock
    configRef:
      apiVersion: secrets.crossplane.io/v1alpha1
      kind: VaultConfig
      name: vault-internal
---
apiVersion: secrets.crossplane.io/v1alpha1
kind: VaultConfig
metadata:
  name: vault-internal
spec:
  server: http://vault.vault-system:8200
  mountPath: secrets/
  version: v2
  auth:
    method: Token
    token:
      source: Secret
      secretRef:
        namespace: crossplane-system
        name: vault-token
        key: token
"""
GROUP = "gcp.crossplane.io"
WITHIN = 60.0


@dataclass
class World:
    """The operator runs; `path` is its Database."""

    cluster: Cluster
    bao: OpenBao
    secret: str
    path: str
    log: Path

    def stored(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.bao.api("GET", self.secret)["data"]["data"]
        except BaoError as error:
            assert error.status == 404
            return {}
        return found

    def gone(self) -> bool:
        try:
            self.cluster.api("GET", self.path)
        except ApiError as error:
            return error.status == 404
        return False

    def eventually(self, condition: Callable[[], object]) -> None:
        try:
            eventually(condition, WITHIN)
        except AssertionError:
            raise AssertionError(self.log.read_text()[-6000:]) from None


@pytest.fixture
def world(bao: OpenBao, installed: Cluster, tmp_path: Path) -> Iterator[World]:
    cluster = installed
    store_config, vault_config = yaml.safe_load_all(MANIFESTS)
    mount, namespace = bao.mount_kv(), cluster.namespace()
    vault_config["spec"] |= {"server": bao.address, "mountPath": f"{mount}/"}
    reference = vault_config["spec"]["auth"]["token"]["secretRef"]
    cluster.apply(token_secret(cluster, reference, bao.token([bao.kv_policy(mount)])))
    cluster.apply(vault_config)
    cluster.define(example("crd.yaml"))
    cluster.define(store_config_definition(f"{GROUP}/v1alpha1").manifest())
    user = sidecar_account(cluster, namespace, reference["namespace"])
    with sidecar_in_pod(cluster, user, tmp_path) as sidecar:
        store_config["spec"]["external"]["endpoint"] = sidecar.endpoint
        cluster.apply(store_config)
        rule = {"apiGroups": [GROUP], "resources": ["storeconfigs"], "verbs": ["list", "watch"]}
        kubeconfig = cluster.kubeconfig(operator_token(cluster, namespace, rule))
        with running_operator(kubeconfig, tmp_path, STORE_CONFIGS=f"{GROUP}/v1alpha1") as log:
            path = f"/apis/example.org/v1alpha1/namespaces/{namespace}/databases/orders"
            yield World(cluster, bao, f"{mount}/data/{namespace}/orders-login", path, log)
    for manifest in (store_config, vault_config):
        cluster.api("DELETE", path_of(manifest))


def token_secret(cluster: Cluster, reference: dict[str, str], token: str) -> dict[str, Any]:
    """The Secret that a config refers to, in a namespace that is there."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": reference["namespace"]}}
    cluster.apply(namespace)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": reference["namespace"], "name": reference["name"]},
        "stringData": {reference["key"]: token},
    }


def test_details_are_in_the_store_change_with_their_owner_and_go_with_it(world: World) -> None:
    database = example("database.yaml")
    database["metadata"]["namespace"] = world.path.split("/")[5]
    database["spec"]["publishConnectionDetailsTo"]["configRef"] = {"name": "vault"}
    world.cluster.apply(database)
    world.eventually(lambda: world.stored().get("port") == "5432")
    first = world.stored()
    database["spec"]["port"] = 5433
    world.cluster.apply(database)
    world.eventually(lambda: world.stored().get("port") == "5433")
    assert world.stored() == {**first, "port": "5433"}
    world.cluster.api("DELETE", world.path)
    world.eventually(world.gone)
    assert world.stored() == {}
    assert first["password"] not in world.log.read_text()
