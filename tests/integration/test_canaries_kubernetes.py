"""Secrets in a real cluster: no value and no token is said where it is not meant to be, not
even by the kubernetes library at its most talkative."""

import base64
from pathlib import Path

import yaml

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from tests.support import manifests
from tests.support.kubernetes import Cluster
from tests.support.sidecar import running_sidecar

VALUE = "canary-value-5711"
TOKEN = "canary-token-5712"


def test_no_canary_is_said(cluster: Cluster, tmp_path: Path) -> None:
    namespace, configs = cluster.namespace(), tmp_path / "configs"
    configs.mkdir()
    right = cluster.kubeconfig()
    files = {"right": right, "wrong": cluster.kubeconfig(token=TOKEN)}
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
        spec = {"kubeconfig": manifests.from_file(tmp_path / name)}
        manifests.write(configs, "KubernetesStoreConfig", name, spec)
    data, said = {"k": VALUE.encode(), "..": VALUE.encode()}, []
    fixed = {"metadata": {"name": "fixed"}, "immutable": True, "data": {"k": "eA=="}}
    cluster.api("POST", f"/api/v1/namespaces/{namespace}/secrets", fixed)
    with running_sidecar(configs, "--log-level", "debug", "--access-log") as sidecar:
        with Client(sidecar.endpoint) as client:
            good = {"k": VALUE.encode()}
            said.append(repr(client.apply("KubernetesStoreConfig/right", f"{namespace}/a", good)))
            said.append(repr(client.get("KubernetesStoreConfig/right", f"{namespace}/a")))
            for config, name, sent in (
                ("right", f"{namespace}/a", data),
                ("right", f"{namespace}/fixed", good),
                ("right", "nowhere-at-all/a", good),
                ("wrong", f"{namespace}/a", good),
            ):
                try:
                    client.apply(f"KubernetesStoreConfig/{config}", name, sent)
                except StorePluginError as error:
                    said += [repr(error), str(error.metadata), str(error.__cause__)]
        said += [sidecar.http(page) for page in ("/readyz", "/metrics", "/configs")]
        assert sidecar.stop() == 0
        everything = "\n".join([*said, sidecar.log])
    assert "LoginRefused" in everything
    for canary in (
        VALUE,
        TOKEN,
        base64.b64encode(VALUE.encode()).decode(),
        right["users"][0]["user"]["token"],
    ):
        assert canary not in everything
