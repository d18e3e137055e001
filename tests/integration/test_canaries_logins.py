"""Every login to Vault and to AWS with credentials that can be told again, right and wrong ones:
none of them is in what the sidecar and the check of its configs say."""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from tests.support import ldap, manifests, moto
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao
from tests.support.sidecar import PROGRAM, running_sidecar
from tests.support.sts import GuardedSTS

WRONG = "canary-wrong-4801"
PASSWORD = "canary-password-4802"
SECRET_ID = "canary-secret-id-4803"
VALUE = "canary-value-4804"
AWS_SECRET = "canary-aws-secret-4805"
SESSION = "canary-aws-session-4806"
_TOKENS = re.compile(r"\b(hvs|hvb|s|b)\.[A-Za-z0-9_-]{20,}")
"""As servers make them."""


@dataclass
class Planted:
    """Configs, each with a login that works or is refused, and what must not be told."""

    bao: OpenBao
    tls_bao: OpenBao
    directory: Path
    canaries: list[str] = field(default_factory=lambda: [WRONG, VALUE])
    configs: list[str] = field(default_factory=list)

    def file(self, name: str, content: str | bytes, *, canary: str | None = None) -> dict[str, Any]:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.canaries += [canary] if canary else []
        return manifests.from_file(path)

    def vault(self, name: str, auth: dict[str, Any], mount: str, **spec: Any) -> None:
        whole = {"server": self.bao.address, "mountPath": mount, "auth": auth, **spec}
        self.add("VaultConfig", name, whole)

    def add(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        access = [{"scopes": ["team-a"]}]
        manifests.write(self.directory / "configs", kind, name, {**spec, "access": access})
        self.configs.append(f"{kind}/{name}")


def plant_passwords(planted: Planted, mount: str, policies: list[str], directory: str) -> None:
    ldap_mount = planted.bao.ldap_auth(policies, directory, ldap.GROUP)
    user_mount = planted.bao.userpass(policies, "app", PASSWORD)
    for method, name, user, where, right in (
        ("LDAP", "ldap", ldap.USER, ldap_mount, ldap.PASSWORD),
        ("UserPass", "userPass", "app", user_mount, PASSWORD),
    ):
        for case, password in (("right", right), ("wrong", WRONG)):
            source = planted.file(f"{name}-{case}.password", password, canary=password)
            block = {"username": user, "mountPath": where, "passwordSource": source}
            planted.vault(f"{name.lower()}-{case}", {"method": method, name: block}, mount)


def plant_approles(planted: Planted, mount: str, policies: list[str]) -> None:
    where, role_id, _ = planted.bao.approle(policies)
    path = f"auth/{where}/role/app/custom-secret-id"
    wrapping = planted.bao.wrapped("POST", path, "10m", {"secret_id": SECRET_ID})
    planted.canaries.append(SECRET_ID)
    for name, secret_id, wrapped in (
        ("wrapped", wrapping, True),
        ("wrapped-wrong", WRONG, True),
        ("plain-wrong", WRONG, False),
    ):
        source = planted.file(f"{name}.secret-id", secret_id, canary=secret_id)
        block = {"roleId": role_id, "mountPath": where, "secretIdSource": source, "secretIdWrapped": wrapped}
        planted.vault(f"approle-{name}", {"method": "AppRole", "appRole": block}, mount)


def plant_jwt(planted: Planted, mount: str) -> None:
    token = "eyJhbGciOiJub25lIn0.canary-jwt-4807.x"
    block = {"role": "app", "mountPath": planted.bao.mount_auth("jwt")}
    source = planted.file("jwt", token, canary=token)
    planted.vault("jwt-wrong", {"method": "JWT", "jwt": {**block, "tokenSource": source}}, mount)


def plant_certificates(planted: Planted, ca: CertificateAuthority) -> None:
    server, mount = planted.tls_bao, planted.tls_bao.mount_kv("v2")
    where = server.cert_auth([server.kv_policy(mount)], ca.pem, names=["sidecar.internal"])
    bundle = planted.file("ca.crt", ca.pem)
    right, stranger = ca.issue(["sidecar.internal"], client=True), ca.issue(["other"], client=True)
    for name, certificate, key in (
        ("right", right[0], right[1]),
        ("stranger", stranger[0], stranger[1]),
        ("mixed", right[0], stranger[1]),
    ):
        shown = {
            "certificate": planted.file(f"{name}.crt", certificate),
            "key": planted.file(f"{name}.key", key, canary=key.decode().splitlines()[1]),
        }
        spec = {"server": server.address, "caBundle": bundle, "clientCertificate": shown}
        planted.vault(f"cert-{name}", {"method": "Cert", "cert": {"mountPath": where}}, mount, **spec)


def plant_aws(planted: Planted, mount: str, policies: list[str], sts: GuardedSTS, endpoint: str) -> None:
    where = planted.bao.aws_auth(policies, sts.address, sts.identity, region="eu-west-1", header="vault")
    for name, secret in (("right", sts.secret_key), ("wrong", WRONG)):
        static = {
            "accessKeyID": planted.file(f"{name}.id", sts.access_key),
            "secretAccessKey": planted.file(f"{name}.secret", secret, canary=secret),
        }
        block = {"role": "crossplane", "mountPath": where, "headerValue": "vault", "region": "eu-west-1"}
        aws = {**block, "stsEndpoint": sts.address, "static": static}
        planted.vault(f"aws-{name}", {"method": "AWS", "aws": aws}, mount)
        # The same keys at an endpoint that checks them, and others at one that checks nothing.
        spec = {
            "region": "eu-west-1",
            "endpoint": sts.address,
            "auth": {"method": "Static", "static": static},
        }
        planted.add("AWSConfig", f"checked-{name}", spec)
    static = {
        "accessKeyID": planted.file("any.id", "AKIAANYBODY"),
        "secretAccessKey": planted.file("any.secret", AWS_SECRET, canary=AWS_SECRET),
        "sessionToken": planted.file("any.session", SESSION, canary=SESSION),
    }
    for service in ("SecretsManager", "ParameterStore"):
        auth = {"method": "Static", "static": static}
        spec = {"region": "eu-west-1", "service": service, "endpoint": endpoint, "auth": auth}
        planted.add("AWSConfig", f"any-{service.lower()}", spec)


@pytest.fixture(scope="module")
def planted(
    plugin_bao: OpenBao,
    tls_bao: OpenBao,
    ca: CertificateAuthority,
    directory: str,
    sts: GuardedSTS,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Planted]:
    planted = Planted(plugin_bao, tls_bao, tmp_path_factory.mktemp("planted"))
    (planted.directory / "configs").mkdir()
    mount = plugin_bao.mount_kv("v2")
    policies = [plugin_bao.kv_policy(mount)]
    with moto.server(planted.directory) as server:
        plant_passwords(planted, mount, policies, directory)
        plant_approles(planted, mount, policies)
        plant_jwt(planted, mount)
        plant_certificates(planted, ca)
        plant_aws(planted, mount, policies, sts, server.address)
        yield planted


def said_by(call: Callable[[], object]) -> tuple[bool, str]:
    """Whether it succeeded, and all that it tells."""
    try:
        return True, repr(call())
    except StorePluginError as error:
        return False, f"{error!r} {error.metadata} {error.__cause__!r} {error.__context__!r}"


def assert_nothing_told(planted: Planted, everything: str) -> None:
    for canary in planted.canaries:
        for spelled in (canary, base64.b64encode(canary.encode()).decode().rstrip("=")):
            assert spelled not in everything, f"{spelled} is told"
    assert "canary-" not in everything
    assert not _TOKENS.search(everything)


def test_a_sidecar_tells_no_credential(planted: Planted) -> None:
    configs = planted.directory / "configs"
    works: dict[str, bool] = {}
    with running_sidecar(configs, "--log-level", "debug", "--access-log") as sidecar:
        said = []
        with Client(sidecar.endpoint) as client:
            for config in planted.configs:
                data = {config.partition("/")[2]: VALUE.encode()}
                works[config], told = said_by(lambda c=config, d=data: client.apply(c, "team-a/db", d))
                said += [told, said_by(lambda c=config: client.get(c, "team-a/db").version)[1]]
        said += [sidecar.http(page) for page in ("/readyz", "/healthz", "/metrics", "/configs")]
        assert sidecar.stop() == 0
        assert_nothing_told(planted, "\n".join([*said, sidecar.log]))
    right = {config for config, worked in works.items() if worked}
    assert right == {config for config in works if not re.search("wrong|stranger|mixed", config)}


def test_a_check_of_the_configs_tells_no_credential(planted: Planted) -> None:
    for options in ((), ("-o", "json")):
        command = [PROGRAM, "config", "check", str(planted.directory / "configs"), "--connect", *options]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert ended.returncode == 1
        for config in planted.configs:
            assert config in ended.stdout
        assert_nothing_told(planted, ended.stdout + ended.stderr)
