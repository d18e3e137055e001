"""The example operator runs: real API server, real sidecar, real OpenBao, as much RBAC as it ships."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store_plugin.crds.collection import store_config_definition
from tests.support import manifests
from tests.support.kubernetes import MERGE, ApiError, Cluster
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError as BaoError
from tests.support.operator import example, operator_token, running_operator
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

GROUP = "/apis/example.org/v1alpha1"
WITHIN = 60.0


@dataclass
class World:
    """All that the example needs, and a namespace."""

    cluster: Cluster
    bao: OpenBao
    mount: str
    sidecar: SidecarProcess
    namespace: str
    operator_log: Path

    def database(self) -> dict[str, Any]:
        """The example's own manifest, in the namespace of the test."""
        manifest = example("database.yaml")
        manifest["metadata"]["namespace"] = self.namespace
        return manifest

    @property
    def path(self) -> str:
        return f"{GROUP}/namespaces/{self.namespace}/databases/orders"

    def stored(self) -> dict[str, str]:
        """The login, as OpenBao's own API shows it."""
        try:
            answer = self.bao.api("GET", f"{self.mount}/data/{self.namespace}/orders-login")
        except BaoError as error:
            assert error.status == 404
            return {}
        found: dict[str, str] = answer["data"]["data"]
        return found

    def condition(self, kind: str) -> dict[str, Any]:
        status = self.cluster.api("GET", self.path).get("status", {})
        found = [one for one in status.get("conditions", ()) if one["type"] == kind]
        return found[0] if found else {"status": None}

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
            raise AssertionError(self.operator_log.read_text()[-6000:] + self.sidecar.log[-2000:]) from None


@pytest.fixture(scope="module")
def world(bao: OpenBao, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("operator")
    (data / "configs").mkdir()
    (data / "token").write_text(bao.root_token)
    mount = bao.mount_kv()
    auth = {"method": "Token", "token": manifests.from_file(data / "token")}
    spec = {"server": bao.address, "mountPath": mount, "auth": auth}
    manifests.write(data / "configs", "VaultConfig", "vault", spec)
    cluster.define(example("crd.yaml"))
    cluster.define(store_config_definition("example.org/v1alpha1").manifest())
    with running_sidecar(data / "configs") as sidecar:
        store_config = example("store-config.yaml")
        store_config["spec"]["external"]["endpoint"] = sidecar.endpoint
        cluster.apply(store_config)
        namespace = cluster.namespace()
        kubeconfig = cluster.kubeconfig(operator_token(cluster, namespace))
        with running_operator(kubeconfig, data) as log:
            yield World(cluster, bao, mount, sidecar, namespace, log)


def test_details_follow_the_object_from_beginning_to_end(world: World) -> None:
    world.cluster.apply(world.database())
    world.eventually(lambda: world.condition("Synced")["status"] == "True")
    login = world.stored()
    assert (login["username"], login["port"]) == ("orders", "5432")
    assert len(login["password"]) >= 20

    changed = world.database()
    changed["spec"]["port"] = 5433
    world.cluster.apply(changed)
    world.eventually(lambda: world.stored().get("port") == "5433")
    assert world.stored() == {**login, "port": "5433"}

    world.cluster.api("DELETE", world.path)
    world.eventually(world.gone)
    assert world.stored() == {}


def test_a_failure_shows_in_the_status_and_mends_itself(world: World) -> None:
    """Somebody else has a secret of that name; then it is taken away."""
    place = f"{world.mount}/metadata/{world.namespace}/orders-login"
    data = f"{world.mount}/data/{world.namespace}/orders-login"
    world.bao.api("PUT", data, {"data": {"theirs": "1"}})
    world.bao.api("PUT", place, {"custom_metadata": {"secret.crossplane.io/owner-uid": "else"}})
    world.cluster.apply(world.database())
    world.eventually(lambda: world.condition("Synced")["status"] == "False")
    assert "cannot write to secret store: existing secret " in world.condition("Synced")["message"]
    assert world.stored() == {"theirs": "1"}
    world.bao.api("DELETE", place)
    world.eventually(lambda: world.condition("Synced")["status"] == "True")
    assert world.stored()["username"] == "orders"
    world.cluster.api("DELETE", world.path)
    world.eventually(world.gone)


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"configRef": {"name": "other"}}, None],
    ids=["another name", "another store", "no longer"],
)
def test_a_secret_cannot_be_left_behind(world: World, change: object) -> None:
    """It is deleted once it is known to have its finalizer: an API server that deletes an object in the
    moment in which it gets its first one may not heed that."""
    world.cluster.apply(world.database())
    world.eventually(lambda: world.condition("Synced")["status"] == "True")
    patch = {"spec": {"publishConnectionDetailsTo": change}}
    with pytest.raises(ApiError, match="secret would be left behind"):
        world.cluster.api("PATCH", world.path, patch, content_type=MERGE)
    world.cluster.api("DELETE", world.path)
    world.eventually(world.gone)
    assert world.stored() == {}
