"""The token renewer runs: real API server, the operator with its hub, a provider as a process."""

import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kubernetes import Cluster
from tests.support.operator import running_operator
from tests.support.processes import running_program
from tests.support.waiting import eventually

# Operators and providers are started one after another.
pytestmark = pytest.mark.timeout(300)

EXAMPLE = Path(__file__).parents[2] / "examples" / "token-renewer"
WITHIN = 90.0
ENDS = "renewer.example.org/ends"


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLE / name).read_text()))


@dataclass
class World:
    """The operator with the rights that it ships with, and a namespace."""

    cluster: Cluster
    directory: Path
    namespace: str
    kubeconfig: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return f"unix://{self.directory}/hub.sock"

    def operator(self) -> AbstractContextManager[Path]:
        settings = {"HUB_LISTEN": self.endpoint, "CHECK_SECONDS": "0.3"}
        return running_operator(self.kubeconfig, self.directory, EXAMPLE / "renewer.py", **settings)

    def provider(self, lifetime: int = 3600) -> AbstractContextManager[Any]:
        command = [sys.executable, str(EXAMPLE / "fake_provider.py"), self.endpoint, str(lifetime)]
        return running_program(command, self.directory / "provider.log")

    def token(self, name: str, provider: str = "fake", secret: str = "fake.0.first") -> None:
        """The example's own manifests under a name, in the namespace of the test."""
        for manifest in manifests("token.yaml"):
            manifest["metadata"] = {"name": name, "namespace": self.namespace}
            if manifest["kind"] == "Secret":
                manifest["stringData"]["token"] = secret
            else:
                manifest["spec"] |= {"provider": provider, "secretRef": {"name": name}}
            self.cluster.apply(manifest)

    def secret(self, name: str) -> dict[str, Any]:
        return self.cluster.api("GET", f"/api/v1/namespaces/{self.namespace}/secrets/{name}")

    def stored(self, name: str) -> str:
        return b64decode(self.secret(name)["data"]["token"]).decode()

    def status(self, name: str) -> dict[str, Any]:
        path = f"/apis/renewer.example.org/v1alpha1/namespaces/{self.namespace}/tokens/{name}"
        found: dict[str, Any] = self.cluster.api("GET", path).get("status", {})
        return found

    def eventually(self, condition: Callable[[], object]) -> None:
        try:
            eventually(condition, WITHIN)
        except AssertionError:
            logs = [log.read_text()[-5000:] for log in self.directory.glob("*.log")]
            raise AssertionError("\n".join(logs)) from None


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    (crd,) = manifests("crd.yaml")
    cluster.define(crd)
    namespace = cluster.namespace()
    user = cluster.service_account(namespace, "token-renewer")
    (role,) = manifests("rbac.yaml")
    cluster.allow(user, role["rules"])
    kubeconfig = cluster.kubeconfig(cluster.token(user))
    yield World(cluster, tmp_path_factory.mktemp("renewer"), namespace, kubeconfig)


def test_a_token_is_renewed_before_it_ends_and_not_earlier(world: World) -> None:
    with world.operator(), world.provider():
        far = f"fake.{int(time.time()) + 7200}.far"
        world.token("old")
        world.token("young", secret=far)
        world.eventually(lambda: world.status("old").get("ready"))
        world.eventually(lambda: world.status("young").get("ready"))
        renewed = world.secret("old")
        assert world.stored("old") != "fake.0.first"
        assert renewed["metadata"]["annotations"]["renewer.example.org/metadata"] == "1"
        assert renewed["metadata"]["annotations"][ENDS] == world.status("old")["ends"]
        assert world.stored("young") == far


def test_tokens_go_on_being_renewed(world: World) -> None:
    with world.operator(), world.provider(lifetime=601):
        world.token("often")
        seen: set[str] = set()

        def third() -> bool:
            seen.add(world.stored("often"))
            return len(seen) > 3

        world.eventually(third)


def test_a_provider_of_the_operators_own_process_is_one_like_others(world: World) -> None:
    with world.operator():
        world.token("own", provider="built-in")
        world.eventually(lambda: world.status("own").get("ready"))
        assert world.stored("own") != "fake.0.first"


def test_a_provider_may_come_late_go_and_come_back(world: World) -> None:
    with world.operator():
        world.token("waiting")
        world.eventually(lambda: "fake is not connected" in world.status("waiting").get("message", ""))
        for _ in range(2):
            with world.provider():
                world.eventually(lambda: world.status("waiting").get("ready"))
            world.eventually(lambda: world.status("waiting").get("ready") is False)


def test_a_provider_outlives_the_operator(world: World) -> None:
    with world.provider():
        for name in ("before", "after"):
            with world.operator():
                world.token(name)
                world.eventually(lambda name=name: world.status(name).get("ready"))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("missing", {"secretRef": {"name": "nobody-made"}}, "Secret nobody-made: Not Found"),
        ("keyless", {"secretRef": {"name": "keyless", "key": "other"}}, "it has no key 'other'"),
    ],
)
def test_what_is_missing_is_told_in_the_status(
    world: World, name: str, change: dict[str, Any], told: str
) -> None:
    with world.operator(), world.provider():
        world.token(name)
        path = f"/apis/renewer.example.org/v1alpha1/namespaces/{world.namespace}/tokens/{name}"
        world.cluster.api("PATCH", path, {"spec": change}, content_type="application/merge-patch+json")
        world.eventually(lambda: told in world.status(name).get("message", ""))
        world.token(name + "-foreign", secret="of-somebody-else")
        world.eventually(lambda: "no token of ours" in world.status(name + "-foreign").get("message", ""))
