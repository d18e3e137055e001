"""A sidecar whose clock is wrong by a day works as any other: what it waits for it measures by a
clock that nobody sets, and whether a token is still good or a secret half finished is decided by
the clocks of the servers."""

import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from store_plugin.client import Client
from store_plugin.errors import NotOwner
from tests.support import manifests
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import Cluster, path_of
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao
from tests.support.pod import sidecar_account, sidecar_in_pod
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready
from tests.support.waiting import eventually

DAY = 86_400.0
REVIEWS = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}


def generation(sidecar: SidecarProcess, name: str) -> int:
    states = json.loads(sidecar.http("/configs"))["configs"]
    return sum(state["generation"] for state in states if state["name"] == name)


@pytest.mark.parametrize("ahead", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_wrong_clock_changes_nothing(
    installed: Cluster, bao: OpenBao, ca: CertificateAuthority, tmp_path: Path, ahead: float
) -> None:
    namespace, mount, name = installed.namespace(), bao.mount_kv(), f"skewed-{uuid4().hex[:8]}"
    user = sidecar_account(installed, namespace, namespace)
    installed.allow(user, [REVIEWS])
    login = bao.kubernetes_auth(
        [bao.kv_policy(mount)], installed.address, ca.pem, service_account="sidecar", scope=namespace
    )
    auth = {"method": "Kubernetes", "kubernetes": {"role": "app", "mountPath": login}}
    config = manifest("VaultConfig", name, {"server": bao.address, "mountPath": mount, "auth": auth})
    installed.apply(config)
    reference = f"VaultConfig/{name}"
    try:
        with (
            sidecar_in_pod(installed, user, tmp_path, clock_ahead=ahead) as sidecar,
            Client(sidecar.endpoint) as client,
        ):
            client.apply(reference, "team-a/db", {"k": b"v"}, owner="uid-1")
            with pytest.raises(NotOwner):
                client.apply(reference, "team-a/db", {"k": b"w"}, owner="uid-2")
            config["spec"]["pathPrefix"] = "elsewhere"
            installed.apply(config)
            eventually(lambda: generation(sidecar, name) == 2)
            assert not client.get(reference, "team-a/db").data
            client.apply(reference, "team-a/db", {"k": b"new"}, owner="uid-2")
    finally:
        installed.api("DELETE", path_of(config))


SET_SINCE = """\
import sys, time, types
from grpc._cython import cygrpc
ahead = float(sys.argv.pop(1))
cygrpc.time = types.SimpleNamespace(time=lambda: time.time() + ahead)
from store_plugin.cli import main
main()
"""
"""A sidecar whose clock is set after each call has come and before its deadline is looked at."""


@pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["forward", "back"])
def test_a_clock_that_is_set_while_a_call_comes_in_does_not_end_it(tmp_path: Path, ahead: float) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    manifests.local(configs, "files", tmp_path)
    program = [sys.executable, "-c", SET_SINCE, str(ahead)]
    with started_sidecar(tmp_path, "--config-dir", str(configs), program=program) as sidecar:
        wait_ready(sidecar)
        with Client(sidecar.endpoint, timeout=30) as client:
            client.apply("LocalConfig/files", "team-a/db", {"k": b"v"})
            assert client.get("LocalConfig/files", "team-a/db").data == {"k": b"v"}
