"""`store-plugin doctor`: each thing that can be wrong in a Pod, with what to do."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from click.testing import CliRunner, Result

from store_plugin.cli._app import cli
from store_plugin.cli._doctor import certificates
from store_plugin.client import Client
from store_plugin.errors import KindNotServed
from tests.support import manifests
from tests.support.certificates import Bundle, CertificateAuthority
from tests.support.kubernetes import Cluster
from tests.support.sidecar import SidecarProcess, running_sidecar

NOBODY = "unix:///@store-plugin-test/nobody-serves-here"


def doctor(endpoint: str, *options: str, patience: float = 30.0) -> Result:
    command = ["doctor", "--endpoint", endpoint, "--connect-timeout", str(patience), *options]
    return CliRunner().invoke(cli, command)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    (tmp_path / "data").mkdir(mode=0o700)
    manifests.local(directory, "files", tmp_path / "data", access=[{"scopes": ["*"]}])
    return directory


@pytest.fixture
def sidecar(configs: Path) -> Iterator[SidecarProcess]:
    with running_sidecar(configs) as process:
        yield process


def test_all_is_well(
    sidecar: SidecarProcess, configs: Path, ca: CertificateAuthority, tmp_path: Path
) -> None:
    certs = ca.server("127.0.0.1").write(tmp_path / "certs")
    result = doctor(sidecar.endpoint, "--config-dir", str(configs), "--certificates", str(certs))
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            f"ok      {sidecar.endpoint}: a sidecar serves here",
            f"ok      {certs}: the certificates fit together",
            "ok      LocalConfig/files",
        ],
    )


def test_its_probe_does_not_look_like_a_failure_in_the_sidecars_log(
    sidecar: SidecarProcess, configs: Path
) -> None:
    """Nor does asking for the probe's kind hide another refusal."""
    assert doctor(sidecar.endpoint, "--config-dir", str(configs)).exit_code == 0
    levels = {line["event"]: line["level"] for line in map(json.loads, sidecar.log.splitlines())}
    assert levels["a probe got through"] == "info"
    assert set(levels.values()) == {"info"}
    with Client(sidecar.endpoint) as client, pytest.raises(KindNotServed):
        client.get("doctor.example.org/v1/Doctor/other", "doctor/none")
    refused = [line for line in map(json.loads, sidecar.log.splitlines()) if line["event"] == "call refused"]
    assert [(line["level"], line["config"]) for line in refused] == [("warning", "Doctor/other")]


def test_nobody_at_the_socket_is_told(configs: Path) -> None:
    result = doctor(NOBODY, "--config-dir", str(configs), patience=0.5)
    assert result.exit_code == 1
    assert f"error   {NOBODY}: " in result.output
    advice = "Does a sidecar --listen there (store-plugin serve), in this Pod or network namespace?"
    assert advice in result.output


def test_a_token_that_is_missing_is_told(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    with running_sidecar(configs, "--client-token-file", str(tmp_path / "token")) as sidecar:
        result = doctor(sidecar.endpoint, "--config-dir", str(configs))
        assert "show its token with --token-file" in result.output
        options = ("--config-dir", str(configs), "--token-file", str(tmp_path / "token"))
        assert doctor(sidecar.endpoint, *options).exit_code == 0


SOON = timedelta(minutes=3)
DATES = [
    ("ends soon", {"life": SOON}, "warning", "ends at"),
    ("has ended", {"life": -SOON}, "error", "ended at"),
    ("has not begun", {"starts": SOON}, "error", "is the clock of this node right?"),
]


@pytest.mark.parametrize(("dates", "level", "message"), [c[1:] for c in DATES], ids=[c[0] for c in DATES])
def test_a_certificate_that_is_not_in_force_is_told(
    dates: dict[str, timedelta], level: str, message: str, ca: CertificateAuthority, tmp_path: Path
) -> None:
    certs = Bundle(ca.pem, *ca.issue(**dates)).write(tmp_path / "certs")
    (found,) = certificates.look(certs)
    assert (found.level, found.where) == (level, str(certs / "tls.crt"))
    assert message in found.message


def test_certificates_that_do_not_fit_together_are_told(ca: CertificateAuthority, tmp_path: Path) -> None:
    certs = ca.server("127.0.0.1").write(tmp_path / "certs")
    (certs / "ca.crt").write_bytes(CertificateAuthority.create("Another").pem)
    (found,) = certificates.look(certs)
    assert found.message == "was not issued by the CA in ca.crt; take both from the same source"
    (certs / "tls.key").unlink()
    (found,) = certificates.look(certs)
    assert (found.level, "No such file" in found.message) == ("error", True)


@pytest.fixture
def kubeconfig(installed: Cluster, tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


def test_a_cluster_is_looked_at_with_the_rights_there(
    installed: Cluster, kubeconfig: Path, sidecar: SidecarProcess, tmp_path: Path
) -> None:
    namespace, name = installed.namespace(), f"doctor-{uuid4().hex[:8]}"
    user = installed.service_account(namespace)
    kubeconfig.write_text(yaml.safe_dump(installed.kubeconfig(installed.token(user))))
    reference = {"namespace": namespace, "name": "login", "key": "key"}
    key = {"source": "Secret", "secretRef": reference}
    spec = {"path": str(tmp_path / "x.db"), "key": key}
    installed.apply(manifests.manifest("LocalConfig", name, spec))

    def told() -> dict[str, str]:
        result = doctor(sidecar.endpoint, "--kubeconfig", str(kubeconfig), "-o", "json")
        findings = json.loads(result.output)["findings"]
        return {finding["where"]: f"{finding['level']}: {finding['message']}" for finding in findings}

    try:
        assert told()["localconfigs.secrets.crossplane.io"].startswith(
            "error: may not list and watch; add it to the role"
        )
        rule = {"apiGroups": ["secrets.crossplane.io"], "resources": ["*"], "verbs": ["list", "watch"]}
        installed.allow(user, [rule])
        now = told()
        assert now["rights"].startswith("ok")
        assert now[f"Secret {namespace}/login"].startswith(
            "error: may not list and watch; add it to the role"
        )
        assert "cannot be read" in now[f"LocalConfig/{name}"] or "every caller" in now[f"LocalConfig/{name}"]
        secrets = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["login"]}
        installed.allow(user, [secrets | {"verbs": ["list", "watch"]}], namespace)
        assert f"Secret {namespace}/login" not in told()
    finally:
        installed.api("DELETE", f"/apis/secrets.crossplane.io/v1alpha1/localconfigs/{name}")


def test_a_cluster_that_does_not_answer_is_told(
    installed: Cluster, kubeconfig: Path, sidecar: SidecarProcess
) -> None:
    kubeconfig.write_text(
        yaml.safe_dump(installed.kubeconfig()).replace(installed.address, "https://127.0.0.1:1")
    )
    result = doctor(sidecar.endpoint, "--kubeconfig", str(kubeconfig))
    assert result.exit_code == 1
    assert "error   cluster: the API server gave no answer" in result.output


def test_outside_of_a_pod_it_says_how_to_name_a_cluster(sidecar: SidecarProcess) -> None:
    result = CliRunner(env={"KUBECONFIG": None, "KUBERNETES_SERVICE_HOST": None}).invoke(
        cli, ["doctor", "--endpoint", sidecar.endpoint]
    )
    ways = "name a cluster with --kubeconfig or a directory of configs with --config-dir"
    assert ways in result.output
