"""The image as it is built: how large it is, under whom it runs, how it starts and ends."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from store_plugin import __version__
from store_plugin.client import Client
from tests.support import manifests, moto
from tests.support.containers import Containers
from tests.support.kubernetes import Cluster, path_of
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.processes import reap
from tests.support.waiting import eventually

# Building it is slow on a busy machine.
pytestmark = pytest.mark.timeout(600)

STORES = ("LocalConfig/files", "VaultConfig/vault", "AWSConfig/secrets", "AWSConfig/parameters")
HARDENED = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
USERS = {"as built": (None, 65532), "any UID of group 0, as OpenShift gives": ("1000650000:0", 1000650000)}
_ORPHAN = "import os; os.fork() or (os.fork() or os._exit(0), os._exit(0))"


@pytest.fixture
def place(podman: Containers, request: pytest.FixtureRequest) -> Path:
    """A folder that a container sees under the same name."""
    made = podman.directory / f"place-{abs(hash(request.node.name))}"
    made.mkdir()
    return made


@contextmanager
def serving(
    podman: Containers,
    image: str,
    place: Path,
    *arguments: str,
    user: str | None = None,
    owner: int = 65532,
    network: str = "none",
) -> Iterator["subprocess.Popen[bytes]"]:
    """`serve` in a hardened container, once it serves; what is in `place` belongs to `owner`."""
    for path in (place, *place.rglob("*")):
        os.chown(path, owner, 0)
    options = [*HARDENED, "--volume", f"{place}:{place}", *(["--user", user] if user else [])]
    listen = ["serve", "--listen", f"unix://{place}/ess.sock", "--admin-listen", f"127.0.0.1:{free_port()}"]
    with podman.started(place.name, image, options, [*listen, *arguments], network) as process:
        log = podman.log_of(place.name)
        eventually(lambda: '"serving"' in log.read_text() or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text()
        yield process


def local_configs(place: Path) -> list[str]:
    """Options that say where the config `LocalConfig/files` is."""
    (place / "configs").mkdir()
    manifests.local(place / "configs", "files", place)
    return ["--config-dir", f"{place}/configs"]


@pytest.mark.parametrize(("user", "owner"), USERS.values(), ids=USERS)
def test_it_serves_without_rights_and_ends_with_zero(
    podman: Containers, everything: str, place: Path, user: str | None, owner: int
) -> None:
    with serving(podman, everything, place, *local_configs(place), user=user, owner=owner) as process:
        with Client(f"unix://{place}/ess.sock") as client:
            assert client.apply("LocalConfig/files", "team-a/database", {"password": b"x"}).changed
            assert client.get("LocalConfig/files", "team-a/database").data == {"password": b"x"}
        podman.run("kill", "--signal", "TERM", place.name)
        reap(process)
    assert process.returncode == 0
    assert '"stopped"' in podman.log_of(place.name).read_text()


def test_what_others_leave_behind_is_reaped(podman: Containers, everything: str, place: Path) -> None:
    with serving(podman, everything, place, *local_configs(place)):
        init = podman.run("inspect", "--format", "{{.State.Pid}}", place.name)
        for _ in range(3):
            podman.run("exec", place.name, "/opt/store-plugin/bin/python", "-c", _ORPHAN)
        # Process 1 and the sidecar; the orphans came to process 1.
        eventually(lambda: len(_children(init)) == 1)
        (sidecar,) = _children(init)
        assert _children(sidecar) == []


def _children(pid: str) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in _listed(task / "children")]


def _listed(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # a thread that has ended since it was listed
        return []


def test_every_store_works(podman: Containers, everything: str, place: Path, bao: OpenBao) -> None:
    """Nothing is missing that was taken out to make it small."""
    options = local_configs(place)
    (place / "token").write_text(bao.root_token)
    token = {"method": "Token", "token": manifests.from_file(place / "token")}
    spec = {"server": bao.address, "mountPath": bao.mount_kv("v2"), "auth": token}
    manifests.write(place / "configs", "VaultConfig", "vault", spec)
    with moto.server(place) as aws:
        manifests.aws(place / "configs", "secrets", place, aws.address)
        manifests.aws(place / "configs", "parameters", place, aws.address, service="ParameterStore")
        with (
            serving(podman, everything, place, *options, network="host"),
            Client(f"unix://{place}/ess.sock") as client,
        ):
            for config in STORES:
                assert client.apply(config, "team-a/database", {"password": b"x"}).changed, config
                assert client.get(config, "team-a/database").data == {"password": b"x"}, config


@pytest.fixture
def config_in_cluster(place: Path, installed: Cluster) -> Iterator[Cluster]:
    """A cluster with the config `LocalConfig/files`, for as long as it is needed: other tests ask
    for all configs that there are."""
    (path,) = local_configs(place)[1:]
    (file,) = Path(path).glob("*.yaml")
    manifest = yaml.safe_load(file.read_text())
    installed.apply(manifest, "tests")
    yield installed
    installed.api("DELETE", path_of(manifest))


def test_it_takes_its_configs_from_a_cluster(
    podman: Containers, everything: str, place: Path, config_in_cluster: Cluster
) -> None:
    """What the Kubernetes client was slimmed to is enough to watch, and to check CRDs."""
    (place / "kubeconfig").write_text(yaml.safe_dump(config_in_cluster.kubeconfig()))
    options = ["--kubeconfig", f"{place}/kubeconfig", "--crds", "check", "--allow-host-network"]
    with (
        serving(podman, everything, place, *options, network="host"),
        Client(f"unix://{place}/ess.sock") as client,
    ):
        assert client.apply("LocalConfig/files", "team-a/database", {"password": b"x"}).changed
    assert '"level": "error"' not in podman.log_of(place.name).read_text()


COMMANDS = ["publisher", "doctor", "plugin", "access"]


@pytest.mark.parametrize(
    ("variant", "missing"), [("all", set()), ("vault", {"AWSConfig"}), ("aws", {"VaultConfig"})]
)
def test_a_variant_has_the_stores_that_it_is_for(podman: Containers, variant: str, missing: set[str]) -> None:
    inside = ("run", "--rm", "--network", "none", *HARDENED, podman.built(variant))
    listed = json.loads(podman.run(*inside, "kinds", "--output", "json"))
    assert {"AWSConfig", "KubernetesStoreConfig", "LocalConfig", "VaultConfig"} <= {
        one["kind"] for one in listed
    }
    assert {one["kind"] for one in listed if one["missing"]} == missing
    for command in COMMANDS:
        assert podman.run(*inside, command, "--help").startswith("Usage:")


def test_it_brings_no_installer(podman: Containers, everything: str) -> None:
    entry = ["--entrypoint", "/opt/store-plugin/bin/python", everything]
    done = podman.completed("run", "--rm", "--network", "none", *entry, "-m", "pip")
    assert done.returncode != 0
    assert "No module named pip" in done.stderr


def test_it_says_what_it_is(podman: Containers, everything: str) -> None:
    config = podman.described(everything)["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/opt/store-plugin/bin/store-plugin"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    labels = {key.removeprefix("org.opencontainers.image."): text for key, text in config["Labels"].items()}
    assert labels["title"] == "store-plugin"
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert len(labels["revision"].rstrip("+")) == 40


BOUNDS = {"all": 130_000_000, "vault": 75_000_000}


@pytest.mark.parametrize("variant", BOUNDS)
def test_what_it_adds_to_its_base_is_small(podman: Containers, everything: str, variant: str) -> None:
    assert podman.added_bytes(podman.built(variant)) <= BOUNDS[variant]


def test_the_same_wheels_on_the_same_base_are_the_same_image(podman: Containers) -> None:
    first, again = podman.built("vault"), podman.built("vault", tag="again")
    assert podman.described(first)["Id"] == podman.described(again)["Id"]
