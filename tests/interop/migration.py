"""A cluster with Crossplane and ess-plugin-vault, and the page that tells how to leave it."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from store_plugin.cli.serve import serve
from tests.docs.pages import DOCS, ROOT, section
from tests.support import ess_plugin_vault as before
from tests.support.certificates import CertificateAuthority
from tests.support.crossplane import CrossplaneAuthority
from tests.support.crossplane_client import Crossplane, crossplane_client
from tests.support.ess_plugin_vault import NAMESPACE
from tests.support.kubernetes import Cluster, path_of
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError as BaoError
from tests.support.pod import command_in_pod, sidecar_in_pod
from tests.support.ports import free_port
from tests.support.tools import tool

_PAGE = DOCS / "migrate-from-ess-plugin-vault.md"
_DROP_IN = ROOT / "deploy" / "drop-in"
HOST = f"ess-plugin-vault.{NAMESPACE}"
"""As StoreConfigs name it."""
_HELM = f"""#!/bin/sh
# What the chart's release holds; its CRD is none of it.
[ "$*" = "uninstall ess-plugin-vault --namespace {NAMESPACE}" ] || exit 1
exec kubectl -n {NAMESPACE} delete deployment,service,serviceaccount ess-plugin-vault
"""
Manifest = dict[str, Any]


class Shell:
    """The commands of the page, each run as it stands there."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._directory = directory
        (directory / "kubeconfig").write_text(yaml.safe_dump(cluster.kubeconfig()))
        (directory / "kubectl").symlink_to(tool("kubectl"))
        (directory / "helm").write_text(_HELM)
        (directory / "helm").chmod(0o755)

    def run(self, command: str) -> str:
        path = f"{self._directory}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environ = {
            "PATH": path,
            "KUBECONFIG": str(self._directory / "kubeconfig"),
            "HOME": str(self._directory),
        }
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout


def commands(title: str) -> list[str]:
    """Those of a section, with their further lines."""
    text = section(_PAGE, title)
    blocks = re.findall(r"^ *```console\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    pieces = (re.split(r"^ *\$ ", block, flags=re.MULTILINE)[1:] for block in blocks)
    return [command.strip() for piece in pieces for command in piece]


class World:
    """Crossplane with ess-plugin-vault, and two VaultConfigs: one that logs in as a ServiceAccount
    to KV version 2, and one with a token to version 1."""

    def __init__(self, cluster: Cluster, bao: OpenBao, ca: CertificateAuthority, directory: Path) -> None:
        before.install(cluster)
        self.cluster = cluster
        self.bao = bao
        self.directory = directory
        self.shell = Shell(cluster, directory)
        self.mounts = {version: bao.mount_kv(version) for version in ("v1", "v2")}
        policies = [bao.kv_policy(mount) for mount in self.mounts.values()]
        login = bao.kubernetes_auth(policies, cluster.address, ca.pem, service_account="*", scope=NAMESPACE)
        token = {"token": bao.token(policies)}
        cluster.apply(before.in_namespace("v1", "Secret", "vault-token", stringData=token))
        reference = {"namespace": NAMESPACE, "name": "vault-token", "key": "token"}
        kubernetes = {"method": "Kubernetes", "kubernetes": {"role": "app", "mountPath": login}}
        token_auth = {"method": "Token", "token": {"source": "Secret", "secretRef": reference}}
        self.configs = [
            self._config("v2", mountPath=f"{self.mounts['v2']}/", auth=kubernetes),
            self._config("v1", mountPath=self.mounts["v1"], version="v1", auth=token_auth),
        ]
        for config in self.configs:
            cluster.apply(config, "kubectl")

    def _config(self, name: str, **spec: object) -> Manifest:
        return manifest("VaultConfig", name, {"server": self.bao.address, **spec})

    def stored(self, version: str, name: str) -> dict[str, Any]:
        """What OpenBao's own API shows of a secret, whatever the version."""
        data = "data/" if version == "v2" else ""
        try:
            found: dict[str, Any] = self.bao.api("GET", f"{self.mounts[version]}/{data}{name}")["data"]
        except BaoError as error:
            assert error.status == 404
            return {}
        return dict(found["data"]) if version == "v2" else found

    def get(self, one: Manifest) -> Manifest:
        return self.cluster.api("GET", path_of(one))

    @contextmanager
    def crossplane(self, account: str, container: Manifest) -> Iterator[dict[str, Crossplane]]:
        """Crossplane's client for each config, against a sidecar as a container has it."""
        authority = CrossplaneAuthority()
        certs = authority.server(NAMESPACE).write(self.directory / "certs")
        caller = authority.client(f"crossplane.{NAMESPACE}").write(self.directory / "caller")
        health = f"127.0.0.1:{free_port()}"
        arguments = ["--health-listen", health, "--certs-dir", str(certs), *flags_of(container)]
        listen = [f"127.0.0.1:{free_port()}", str(self.directory / "socket")]
        with ExitStack() as stack:
            sidecar = stack.enter_context(
                sidecar_in_pod(self.cluster, user_of(account), self.directory, *arguments, listen=listen)
            )
            for probe in (one for name, one in container.items() if name.endswith("Probe")):
                with urllib.request.urlopen(f"http://{health}{probe['httpGet']['path']}") as answer:
                    assert answer.status == 200
            yield {
                version: stack.enter_context(
                    crossplane_client(sidecar.endpoint, HOST, caller, f"VaultConfig/{version}")
                )
                for version in self.mounts
            }

    def doctor(self, account: str) -> None:
        """`store-plugin doctor` beside that sidecar finds nothing wrong."""
        arguments = ["--endpoint", str(self.directory / "socket")]
        arguments += ["--certificates", str(self.directory / "certs")]
        ended = command_in_pod(self.cluster, user_of(account), self.directory, "doctor", *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def user_of(account: str) -> str:
    return f"system:serviceaccount:{NAMESPACE}:{account}"


def flags_of(container: Manifest) -> list[str]:
    """The options that a container has besides its addresses, which are the test's own."""
    first, *arguments = container["args"]
    options = serve.make_context(first, arguments).params
    (tcp, socket) = options["listen"]
    (environ,) = container["env"]
    assert tcp.address.endswith(":4040")
    assert environ == {"name": "STORE_PLUGIN_ENDPOINT", "value": socket.address}
    assert options["health_listen"] == "0.0.0.0:8091"
    assert options["admin_listen"] in ("127.0.0.1:8080", "127.0.0.1:8090")
    return ["--write-status"] if options["write_status"] else []


def deployed(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((_DROP_IN / name).read_text()))


def pod_of(name: str) -> Manifest:
    """The spec of the Pods in a file of deploy/drop-in."""
    found = next(one for one in deployed(name) if "spec" in one)["spec"]
    pod: Manifest = found.get("deploymentTemplate", {"spec": found})["spec"]["template"]["spec"]
    return pod


def container_of(name: str) -> Manifest:
    (found,) = (one for one in pod_of(name)["containers"] if one["name"] == "store-plugin")
    return dict(found)
