"""A sidecar that takes its configs and credentials from a real cluster, under a ServiceAccount."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from store_plugin.client import Client
from store_plugin.errors import ConfigNotFound, StoreUnavailable
from tests.integration.callers import Callers
from tests.support.kubernetes import ApiError, Cluster
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready
from tests.support.waiting import eventually

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


@pytest.fixture
def place(installed: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Place]:
    made = Place(installed, bao, tmp_path)
    yield made
    made.delete()


def state(sidecar: SidecarProcess, name: str) -> dict[str, Any]:
    states = json.loads(sidecar.http("/configs"))["configs"]
    return next((found for found in states if found["name"] == name), {})


def synced(sidecar: SidecarProcess) -> bool:
    return bool(json.loads(sidecar.http("/configs"))["source"]["synced"])


def test_a_request_makes_no_call_to_the_api_server(place: Place) -> None:
    with ExitStack() as stack:
        with place.cluster.recorded(place.user) as at_start:
            sidecar = stack.enter_context(place.sidecar())
            client = stack.enter_context(Client(sidecar.endpoint))
        with place.cluster.recorded(place.user) as meanwhile:
            assert client.apply(place.reference, "team-a/db", {"k": b"v"}).changed
            for _ in range(20):
                assert client.get(place.reference, "team-a/db").data == {"k": b"v"}
    assert meanwhile == []
    assert sorted({(request.verb, request.resource) for request in at_start}) == sorted(
        (verb, resource) for resource in (*KINDS, "secrets") for verb in ("list", "watch")
    )


def test_a_changed_config_is_in_force_and_a_deleted_one_gone(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        place.write(pathPrefix="elsewhere")
        eventually(lambda: state(sidecar, place.config)["generation"] == 2)
        assert not client.get(place.reference, "team-a/db").data
        place.delete()
        eventually(lambda: not state(sidecar, place.config))
        with pytest.raises(ConfigNotFound):
            client.get(place.reference, "team-a/db")


def test_a_credential_rotated_under_sixteen_callers_fails_no_call(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        with Callers(sidecar, place.reference, "team-a/db") as callers:
            for rotation in range(5):
                token = place.rotate()
                eventually(lambda n=rotation + 1: sidecar.log.count('"credential changed"') >= n)
                callers.more()
                assert token not in sidecar.log
        assert not callers.failures


def test_a_config_deleted_while_leased_lets_calls_under_way_finish(place: Place) -> None:
    """Sixteen callers meet the end of their config: each call is served, or told that it is gone."""
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        with Callers(sidecar, place.reference, "team-a/db") as callers:
            callers.more()
            place.delete()
            eventually(lambda: callers.failures)
        assert {type(failure) for failure in callers.failures} == {ConfigNotFound}


def test_the_last_state_serves_while_the_api_server_is_away(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        place.cluster.crash()
        try:
            eventually(lambda: "VaultConfigs: not in sync for" in sidecar.http("/readyz"))
            assert sidecar.http("/readyz").startswith("ok: serving")
            assert "store_plugin_config_source_synced 0.0" in sidecar.http("/metrics")
            assert client.get(place.reference, "team-a/db").data == {"k": b"v"}
            with pytest.raises(StoreUnavailable, match="VaultConfigs cannot be read now"):
                client.get("VaultConfig/unknown", "team-a/db")
        finally:
            place.cluster.start()
        place.write(pathPrefix="elsewhere")
        eventually(lambda: state(sidecar, place.config)["generation"] == 2, 30)
        eventually(lambda: synced(sidecar), 30)
        with pytest.raises(ConfigNotFound):
            client.get("VaultConfig/unknown", "team-a/db")


def test_a_sidecar_waits_for_an_api_server_that_is_away_and_can_be_stopped(place: Place) -> None:
    with place.sidecar(without_api_server=True) as waiting:
        try:
            eventually(lambda: "nothing is known yet" in _page(waiting, "/readyz"))
            assert _page(waiting, "/readyz").startswith("not serving")
            waiting.process.send_signal(signal.SIGTERM)
            assert waiting.wait() == 0
        finally:
            place.cluster.start()


def _page(sidecar: SidecarProcess, path: str) -> str:
    try:
        return sidecar.http(path)
    except OSError:
        return ""
