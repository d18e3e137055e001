"""The example of a fleet: two clusters, one whose credential a store has, one with a plugin of its own."""

import asyncio
import os
import runpy
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.client import Client
from tests.support import manifests
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.operator import running_operator
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

# Two clusters are started, and each program imports the kubernetes library.
pytestmark = pytest.mark.timeout(300)

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
PROFILES = "/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{}/clusterprofiles"
WITHIN = 90.0
LIST = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]


class Example:
    """The example's files with addresses that lead somewhere."""

    def __init__(self, hub: Cluster, member: Cluster, sidecar: SidecarProcess, directory: Path) -> None:
        self.hub, self.member, self.sidecar, self.directory = hub, member, sidecar, directory
        self.namespace = hub.namespace()
        for name in ("providers.yaml", "regional_plugin.py"):
            (directory / name).write_text((EXAMPLE / name).read_text())
        self.user = member.service_account(member.namespace())
        member.allow(self.user, LIST)
        self.tokens = directory / "tokens"
        self.tokens.mkdir()
        self.hub_kubeconfig = directory / "hub"
        viewer = hub.service_account(self.namespace, "fleet")
        rules = [
            {"apiGroups": ["multicluster.x-k8s.io"], "resources": ["clusterprofiles"], "verbs": ["list"]}
        ]
        hub.allow(viewer, rules)
        self.hub_kubeconfig.write_text(yaml.safe_dump(hub.kubeconfig(hub.token(viewer))))

    def profiles(self) -> list[dict[str, Any]]:
        authority = b64encode(self.member.ca).decode()
        text = (EXAMPLE / "profiles.yaml").read_text().replace("QVVUSE9SSVRZ", authority)
        text = text.replace("https://member-1.example.com:6443", self.member.address)
        return list(yaml.safe_load_all(text.replace("namespace: fleet", f"namespace: {self.namespace}")))

    def apply(self) -> None:
        for profile in self.profiles():
            self._apply(profile)

    def apply_as(self, name: str, extension: object, server: str) -> None:
        """The first profile under another name, by an author who wants another credential."""
        profile = self.profiles()[0]
        profile["metadata"]["name"] = name
        cluster = profile["status"]["accessProviders"][0]["cluster"]
        cluster |= {
            "server": server,
            "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": extension}],
        }
        self._apply(profile)

    def _apply(self, profile: dict[str, Any]) -> None:
        self.hub.apply({key: value for key, value in profile.items() if key != "status"})
        status = {key: value for key, value in profile.items() if key != "spec"}
        self.hub.apply(status, subresource="status")

    def store(self, **data: str) -> None:
        with Client(self.sidecar.endpoint) as client:
            client.apply(
                "VaultConfig/vault", "fleet/member-1", {key: text.encode() for key, text in data.items()}
            )

    def plugin_environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "STORE_PLUGIN_ENDPOINT": self.sidecar.endpoint}

    def run(self) -> dict[str, str]:
        """What the program says of each profile."""
        command = [sys.executable, str(EXAMPLE / "fleet.py"), "--access-config", "providers.yaml"]
        ended = subprocess.run(
            [*command, "--kubeconfig", str(self.hub_kubeconfig)],
            cwd=self.directory,
            env=self.plugin_environment(),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        said = (line.partition(": ") for line in ended.stdout.splitlines())
        mine = {place: answer for place, _, answer in said if place.startswith(self.namespace)}
        return {place.partition("/")[2]: answer for place, answer in mine.items()}


@pytest.fixture
def example(hub: Cluster, member: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Example]:
    (tmp_path / "configs").mkdir()
    (tmp_path / "bao-token").write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(tmp_path / "bao-token")}
    spec = {"server": bao.address, "mountPath": bao.mount_kv("v2"), "auth": auth}
    manifests.write(tmp_path / "configs", "VaultConfig", "vault", spec)
    (tmp_path / "example").mkdir()
    with running_sidecar(tmp_path / "configs") as sidecar:
        made = Example(hub, member, sidecar, tmp_path / "example")
        yield made
    hub.api("DELETE", PROFILES.format(made.namespace))


def test_the_program_lists_every_cluster_and_tells_what_is_wrong_with_one(example: Example) -> None:
    example.apply()
    token = example.member.token(example.user)
    said = example.run()
    assert "of provider 'store' failed with exit code 1" in said["member-1"]
    assert "of provider 'regional' failed with exit code 1" in said["member-2"]

    example.store(token=token, server=example.member.address, **{"ca.crt": example.member.ca.decode()})
    (example.tokens / "reporter.reports-1.north").write_text(token)
    said = example.run()
    for name in ("member-1", "member-2"):
        assert "kube-system" in said[name].split(", ")
    assert token not in str(said)

    for name, extension, server in (
        ("another-scope", {"cluster": "../other/secret"}, example.member.address),
        ("another-cluster", {"cluster": "member-1"}, example.hub.address),
    ):
        example.apply_as(name, extension, server)
    said = example.run()
    assert "kube-system" in said["member-1"]
    for name in ("another-scope", "another-cluster"):
        assert "of provider 'store' failed with exit code 1" in said[name]


async def test_a_large_fleet_is_asked_in_turns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or most would wait for their plugin's turn until their time is over."""
    program = runpy.run_path(str(EXAMPLE / "fleet.py"))
    under_way: list[int] = [0]

    async def namespaces(_access: object, profile: str) -> str:
        under_way.append(under_way[-1] + 1)
        await asyncio.sleep(0)
        under_way.append(under_way[-1] - 1)
        return f"{profile} answers"

    async def profiles(_hub: object) -> list[str]:
        return [f"fleet/member-{number}" for number in range(100)]

    globals_of_main = program["main"].__globals__
    monkeypatch.setitem(globals_of_main, "namespaces", namespaces)
    monkeypatch.setitem(globals_of_main, "list_profiles_async", profiles)
    monkeypatch.setitem(globals_of_main, "connected", lambda _kubeconfig: nullcontext())
    await program["main"](None, None)
    assert max(under_way) == program["AT_ONCE"]
    assert len(capsys.readouterr().out.splitlines()) == 100


def test_the_operator_follows_the_profiles_and_writes_nothing_to_them(example: Example) -> None:
    token = example.member.token(example.user)
    example.store(token=token, server=example.member.address, **{"ca.crt": example.member.ca.decode()})
    viewer = example.hub.service_account(example.namespace, "operator")
    profiles = {"apiGroups": ["multicluster.x-k8s.io"], "resources": ["clusterprofiles"]}
    kopf_itself = [
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"]},
        {"apiGroups": [""], "resources": ["namespaces"]},
    ]
    example.hub.allow(viewer, [{**one, "verbs": ["list", "watch"]} for one in (profiles, *kopf_itself)])
    environ = {
        **example.plugin_environment(),
        "STORE_PLUGIN_ACCESS_CONFIG": str(example.directory / "providers.yaml"),
    }
    here = example.namespace
    kubeconfig = example.hub.kubeconfig(example.hub.token(viewer))
    with (
        example.hub.recorded(viewer) as requests,
        running_operator(kubeconfig, example.directory, EXAMPLE / "fleet_operator.py", **environ) as log,
    ):

        def said(text: str) -> bool:
            return f"{here}/{text}" in log.read_text()

        example.apply()
        eventually(lambda: said("member-1: default, "), WITHIN)
        eventually(lambda: said("member-2: the exec plugin of provider 'regional' failed"), WITHIN)
        example.apply_as("member-1", {"cluster": "member-1"}, "https://127.0.0.1:1")
        eventually(lambda: said("member-1: the exec plugin of provider 'store' failed"), WITHIN)
        example.hub.api("DELETE", f"{PROFILES.format(here)}/member-2")
        eventually(lambda: said("member-2: gone"), WITHIN)
    assert token not in log.read_text()
    assert {request.verb for request in requests if request.resource == "clusterprofiles"} == {
        "list",
        "watch",
    }
