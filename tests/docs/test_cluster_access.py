"""The page about clusters of a fleet: from a secret in OpenBao to kubectl, as it is shown."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from store_plugin.access.execution.environment import ALLOWED
from store_plugin.access.planning import ARGUMENTS_EXTENSION, CONFIG_EXTENSION, VARIABLES_EXTENSION
from store_plugin.access.providers import AccessFile, ExecConfig, Provider, read_providers
from tests.docs.pages import DOCS, ROOT, blocks, rows, section
from tests.docs.walks import take_walk
from tests.support import manifests
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.tools import tool

PAGE = DOCS / "cluster-access.md"
SERVER, AUTHORITY = "https://member-1.example.com:6443", "QVVUSE9SSVRZ"


@pytest.fixture
def sidecar(bao: OpenBao, tmp_path: Path) -> Iterator[SidecarProcess]:
    (tmp_path / "configs").mkdir()
    (tmp_path / "bao-token").write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(tmp_path / "bao-token")}
    spec = {"server": bao.address, "mountPath": bao.mount_kv("v2"), "auth": auth}
    manifests.write(tmp_path / "configs", "VaultConfig", "vault", spec)
    with running_sidecar(tmp_path / "configs") as process:
        yield process


def test_a_secret_in_openbao_opens_the_member_to_kubectl(
    sidecar: SidecarProcess, cluster: Cluster, member: Cluster, tmp_path: Path
) -> None:
    def as_here(text: str) -> str:
        authority = b64encode(member.ca).decode()
        return text.replace(SERVER, member.address).replace(AUTHORITY, authority)

    walk = tmp_path / "walk"
    walk.mkdir()
    for block in blocks(PAGE, "yaml"):
        name = block.partition("\n")[0].removeprefix("# ")
        (walk / name).write_text(as_here(block))
    (walk / "crd.yaml").write_text((ROOT / "examples" / "fleet" / "crd.yaml").read_text())
    (walk / "hub.kubeconfig").write_text(yaml.safe_dump(cluster.kubeconfig()))
    (walk / "member-1-admin.kubeconfig").write_text(yaml.safe_dump(member.kubeconfig()))
    (walk / "member-1.crt").write_bytes(member.ca)
    environ = {"STORE_PLUGIN_ENDPOINT": sidecar.endpoint}
    take_walk(PAGE, walk, environ, as_here, {"kubectl": tool("kubectl")})


def test_the_fields_of_the_access_config_are_documented() -> None:
    def names(model: type[Provider] | type[ExecConfig]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    documented = {row[0].strip("`") for row in rows(section(PAGE, "The access config"))}
    inner = {f"execConfig.{name}" for name in names(ExecConfig)}
    assert documented == (names(Provider) - {"execConfig"}) | inner
    assert AccessFile.model_fields.keys() == {"providers"}


def test_the_extensions_are_documented() -> None:
    documented = {row[0].strip("`") for row in rows(section(PAGE, "What a profile may say"))}
    assert documented == {CONFIG_EXTENSION, ARGUMENTS_EXTENSION, VARIABLES_EXTENSION}


def test_the_example_files_can_be_read() -> None:
    assert [one.name for one in read_providers(ROOT / "examples" / "fleet" / "providers.yaml")] == [
        "store",
        "regional",
    ]
    assert {"PATH", "HOME"} <= ALLOWED
