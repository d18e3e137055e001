"""The publisher as a process, and a place to publish to and from: a cluster, a sidecar and OpenBao."""

import json
import os
import signal
import subprocess
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.support import manifests
from tests.support.kubernetes import MERGE, ApiError, Cluster
from tests.support.manifests import GROUP_VERSION
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError as BaoError
from tests.support.ports import free_port
from tests.support.processes import running_program
from tests.support.sidecar import PROGRAM
from tests.support.waiting import eventually

WORDS = "secrets.crossplane.io"
STORE_CONFIGS = f"/apis/{GROUP_VERSION}/storeconfigs"
RBAC = Path(__file__).parents[2] / "deploy" / "publisher" / "rbac.yaml"
WITHIN = 45.0


@dataclass
class Publisher:
    """A process; what it says about itself."""

    process: "subprocess.Popen[bytes]"
    admin: str
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def http(self, path: str) -> str:
        """Body of a page; OSError (URLError) where its status is not 200."""
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=30) as response:
            return str(response.read().decode())

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return self.http("/readyz") == "ok\n"
        except OSError:
            return False

    def figure(self, name: str, **labels: str) -> float:
        """A sample of its metrics; 0 where there is none."""
        return _sample(self.http("/metrics"), name, **labels)

    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing is worked on."""
        if not self.is_ready():
            return False
        page = self.http("/metrics")
        return _sample(page, "waiting") == _sample(page, "working") == 0

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@dataclass
class PublisherPlace:
    """What tests of the publisher work with; each has a namespace of its own, `namespace`."""

    cluster: Cluster
    bao: OpenBao
    mount: str
    endpoint: str
    directory: Path
    namespace: str = ""
    made: set[str] = field(default_factory=set)
    """StoreConfigs."""

    # StoreConfigs.

    def store_config(
        self, name: str, *, config: str = "vault", annotations: Mapping[str, str] | None = None, **spec: Any
    ) -> str:
        reference = {"apiVersion": GROUP_VERSION, "kind": "VaultConfig", "name": config}
        external = {"endpoint": self.endpoint, "configRef": reference}
        whole = {"type": "External", "defaultScope": "none", "external": external, **spec}
        manifest = {
            "apiVersion": GROUP_VERSION,
            "kind": "StoreConfig",
            "metadata": {"name": name, "annotations": dict(annotations or {})},
            "spec": {field: value for field, value in whole.items() if value is not None},
        }
        self.cluster.apply(manifest)
        self.made.add(name)
        return name

    def delete_store_config(self, name: str) -> None:
        self.cluster.api("DELETE", f"{STORE_CONFIGS}/{name}")
        self.made.discard(name)

    # Secrets of the cluster.

    def put(
        self,
        name: str,
        data: Mapping[str, str],
        *,
        kind: str = "Opaque",
        labels: Mapping[str, str] | None = None,
        namespace: str = "",
        **words: str,
    ) -> None:
        """A new Secret; `words` are annotations of ours, `publish_to="vault"`."""
        body = _secret(name, data, kind, labels or {}, words)
        self.cluster.api("POST", f"/api/v1/namespaces/{namespace or self.namespace}/secrets", body)

    def replace(self, name: str, data: Mapping[str, str], **words: str) -> None:
        """All of a Secret, with what the publisher has written into it, as `kubectl replace` does."""
        self.cluster.api("PUT", self._path(name), _secret(name, data, "Opaque", {}, words))

    def change(self, name: str, data: Mapping[str, str | None] | None = None, **words: str | None) -> None:
        """A merge patch of data and of annotations of ours."""
        annotations = {f"{WORDS}/{word.replace('_', '-')}": value for word, value in words.items()}
        patch: dict[str, Any] = {"metadata": {"annotations": annotations}}
        if data:
            patch["data"] = _encoded(data)
        self.cluster.api("PATCH", self._path(name), patch, content_type=MERGE)

    def hold(self, name: str, *more: str) -> None:
        """Other finalizers than ours: these."""
        found = [one for one in self.finalizers(name) if one.startswith(WORDS)]
        patch = {"metadata": {"finalizers": [*found, *more]}}
        self.cluster.api("PATCH", self._path(name), patch, content_type=MERGE)

    def delete(self, name: str) -> None:
        self.cluster.api("DELETE", self._path(name))

    def secret(self, name: str) -> dict[str, Any] | None:
        try:
            return self.cluster.api("GET", self._path(name))
        except ApiError as error:
            assert error.status == 404
            return None

    def data(self, name: str) -> dict[str, str]:
        found = self.secret(name) or {}
        return {key: b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def status(self, name: str) -> dict[str, str]:
        """What the publisher says about it."""
        found = self.secret(name) or {"metadata": {}}
        text = (found["metadata"].get("annotations") or {}).get(f"{WORDS}/status", "{}")
        said: dict[str, str] = json.loads(text)
        return said

    def reason(self, name: str) -> str:
        return self.status(name).get("reason", "")

    def finalizers(self, name: str) -> list[str]:
        found = self.secret(name) or {"metadata": {}}
        return list(found["metadata"].get("finalizers") or [])

    def events(self, name: str, namespace: str = "") -> list[dict[str, Any]]:
        """Events about an object of that name."""
        path = f"/api/v1/namespaces/{namespace or self.namespace}/events"
        return [
            one for one in self.cluster.api("GET", path)["items"] if one["involvedObject"]["name"] == name
        ]

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets/{name}"

    # The store.

    def stored(self, name: str, namespace: str = "") -> dict[str, str]:
        """As OpenBao's own API shows it, below the namespace; empty: there is nothing."""
        try:
            answer = self.bao.api("GET", f"{self.mount}/data/{namespace or self.namespace}/{name}")
        except BaoError as error:
            assert error.status == 404
            return {}
        found: dict[str, str] = answer["data"]["data"]
        return found

    def version(self, name: str) -> int:
        """How often it was written."""
        answer = self.bao.api("GET", f"{self.mount}/metadata/{self.namespace}/{name}")
        return int(answer["data"]["current_version"])

    def store(self, name: str, data: Mapping[str, str]) -> None:
        """Around the sidecar: somebody else's secret."""
        place = f"{self.namespace}/{name}"
        owner = {"secret.crossplane.io/owner-uid": "somebody else"}
        self.bao.api("PUT", f"{self.mount}/metadata/{place}", {"custom_metadata": owner})
        self.bao.api("PUT", f"{self.mount}/data/{place}", {"data": dict(data)})

    def eventually(self, condition: Callable[[], object], publisher: Publisher | None = None) -> None:
        try:
            eventually(condition, WITHIN)
        except AssertionError:
            raise AssertionError(publisher.log[-6000:] if publisher else "did not come true") from None


def vault_configs(directory: Path, bao: OpenBao, mount: str, server: str = "") -> Path:
    """A new directory in `directory` with VaultConfig `vault`; `tenants`, for team-* only;
    `anybodys`, which does not ask who owns a secret; and AWSConfig `parameters`, which has fewer
    names than others, and no server."""
    configs = directory / "configs"
    configs.mkdir()
    (directory / "token").write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(directory / "token")}
    spec = {"server": server or bao.address, "mountPath": mount, "auth": auth}
    manifests.write(configs, "VaultConfig", "vault", spec)
    tenants = {**spec, "access": [{"scopes": ["team-*"]}]}
    manifests.write(configs, "VaultConfig", "tenants", tenants)
    anybodys = {**spec, "ownership": {"policy": "Ignore"}}
    manifests.write(configs, "VaultConfig", "anybodys", anybodys)
    manifests.aws(configs, "parameters", directory, "http://127.0.0.1:1", service="ParameterStore")
    return configs


@contextmanager
def running_publisher(place: PublisherPlace, *options: str, user: str = "") -> Iterator[Publisher]:
    """Ready. It is `user`, by default a ServiceAccount with the role that is shipped."""
    with started_publisher(place, *options, user=user) as publisher:
        try:
            eventually(publisher.is_ready, 60.0)
        except AssertionError:
            raise AssertionError(f"the publisher is not ready:\n{publisher.log}") from None
        yield publisher


@contextmanager
def started_publisher(place: PublisherPlace, *options: str, user: str = "") -> Iterator[Publisher]:
    """The same without a wait until it is ready."""
    directory = place.directory / f"publisher-{uuid4().hex[:8]}"
    directory.mkdir()
    token = place.cluster.token(user or publisher_account(place.cluster))
    kubeconfig = place.cluster.kubeconfig(token)
    (directory / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    admin = f"127.0.0.1:{free_port()}"
    command: Sequence[str] = [PROGRAM, "publisher", "--admin-listen", admin, *options]
    environ = {**os.environ, "STORE_PLUGIN_PUBLISHER_KUBECONFIG": str(directory / "kubeconfig")}
    log_file = directory / "log"
    with running_program(command, log_file, environ) as process:
        yield Publisher(process, admin, log_file)


def publisher_account(cluster: Cluster) -> str:
    """A ServiceAccount with the role of deploy/publisher, and nothing else."""
    user = cluster.service_account(cluster.namespace(), "store-plugin-publisher")
    cluster.allow(user, shipped_rules())
    return user


def shipped_rules() -> list[dict[str, Any]]:
    (role,) = [one for one in yaml.safe_load_all(RBAC.read_text()) if one["kind"] == "ClusterRole"]
    rules: list[dict[str, Any]] = role["rules"]
    return rules


def _sample(page: str, name: str, **labels: str) -> float:
    """In a page of metrics; 0 where there is none."""
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    start = f"store_plugin_publisher_{name}" + (f"{{{shown}}} " if labels else " ")
    lines = [line for line in page.splitlines() if line.startswith(start)]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def _secret(
    name: str, data: Mapping[str, str], kind: str, labels: Mapping[str, str], words: Mapping[str, str]
) -> dict[str, Any]:
    annotations = {f"{WORDS}/{word.replace('_', '-')}": value for word, value in words.items()}
    metadata = {"name": name, "annotations": annotations, "labels": dict(labels)}
    return {"metadata": metadata, "type": kind, "data": _encoded(data)}


def _encoded(data: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: None if value is None else b64encode(value.encode()).decode() for key, value in data.items()}
