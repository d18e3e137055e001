"""The page about VaultConfig: what it does on the server is what a login in a Pod needs."""

from pathlib import Path

from click.testing import CliRunner

from store_plugin.cli._app import cli
from tests.docs.pages import DOCS
from tests.docs.walks import take_walk
from tests.support import manifests
from tests.support.kubernetes import Cluster
from tests.support.openbao import dev_server

PAGE = DOCS / "stores" / "vault.md"


def test_a_server_that_is_set_up_as_shown_takes_the_login_and_gives_the_rights(
    cluster: Cluster, tmp_path: Path
) -> None:
    namespace = cluster.namespace()
    (tmp_path / "ca.crt").write_bytes(cluster.ca)
    (tmp_path / "token").write_text(cluster.token(cluster.login_account(namespace, "operator")))
    (tmp_path / "configs").mkdir()

    def as_here(text: str) -> str:
        """As the page has it for a server that is elsewhere, and for operators of this test."""
        elsewhere = f"{cluster.address} kubernetes_ca_cert=@ca.crt disable_local_ca_jwt=true"
        text = text.replace("https://kubernetes.default.svc", elsewhere)
        return text.replace("namespaces=operators", f"namespaces={namespace}")

    with dev_server(tmp_path) as bao:
        take_walk(PAGE, tmp_path, {"BAO_ADDR": bao.address, "BAO_TOKEN": bao.root_token}, as_here)
        login = {"role": "crossplane", "serviceAccountTokenSource": manifests.from_file(tmp_path / "token")}
        spec = {
            "server": bao.address,
            "mountPath": "crossplane",
            "auth": {"method": "Kubernetes", "kubernetes": login},
            "access": [{"scopes": ["team-a"]}],
        }
        manifests.write(tmp_path / "configs", "VaultConfig", "vault", spec)
        result = CliRunner().invoke(cli, ["config", "check", str(tmp_path / "configs"), "--connect"])
    assert result.output.splitlines() == ["ok      VaultConfig/vault", "1 config, 0 errors, 0 warnings"]
