"""`store-plugin config check --connect` over a directory of configs that are broken, each in a
way of its own: one line for each says what is wrong and what to do."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, blocks
from tests.support import manifests
from tests.support import moto as moto_support
from tests.support.certificates import CertificateAuthority
from tests.support.moto import Moto
from tests.support.openbao import OpenBao, stored_server
from tests.support.ports import free_port
from tests.support.sidecar import PROGRAM

CANARY = "canary-4711"
LEAST = {"data": ("create", "read", "update"), "metadata": ("delete", "patch", "update")}
OPEN = {"access": [{"scopes": ["*"]}]}


@dataclass(frozen=True)
class Bench:
    """The servers, and where the files are that configs refer to."""

    bao: OpenBao
    sealed: OpenBao
    """With TLS."""
    moto: Moto
    """Believes in IAM."""
    files: Path
    mounts: Mapping[str, str]
    others: CertificateAuthority

    def file(self, name: str, text: str) -> dict[str, Any]:
        path = self.files / name
        path.write_text(text)
        return manifests.from_file(path)

    def policy(self, **missing: tuple[str, ...]) -> str:
        mount = self.mounts["v2"]
        return self.bao.policy(
            {f"{mount}/{part}/*": [*set(LEAST[part]).difference(missing.get(part, ()))] for part in LEAST}
        )

    def vault(self, **fields: Any) -> dict[str, Any]:
        """A VaultConfig in which nothing is wrong but for `fields`."""
        token = self.file("token", self.bao.token([self.policy()]))
        auth = {"method": "Token", "token": token}
        return {"server": self.bao.address, "mountPath": self.mounts["v2"], "auth": auth, **OPEN, **fields}

    def with_token(self, name: str, token: str, **fields: Any) -> dict[str, Any]:
        return self.vault(auth={"method": "Token", "token": self.file(name, token)}, **fields)

    def aws(self, name: str, *rights: str, **fields: Any) -> dict[str, Any]:
        """An AWSConfig of a user with these rights."""
        access, secret = self.moto.user(*rights)
        keys = {"accessKeyID": self.file(f"{name}.id", access)}
        keys["secretAccessKey"] = self.file(f"{name}.secret", secret)
        auth = {"method": "Static", "static": keys}
        common = {"region": "eu-west-1", "endpoint": self.moto.address, "prefix": "crossplane"}
        return {**common, "auth": auth, **OPEN, **fields}

    def local(self, **fields: Any) -> dict[str, Any]:
        key = manifests.from_file(self.files / "local.key")
        return {"path": str(self.files / "local.db"), "key": key, **OPEN, **fields}


Spec = Callable[[Bench], dict[str, Any]]


# Vault.


def wrong_address(bench: Bench) -> dict[str, Any]:
    return bench.vault(server=f"http://127.0.0.1:{free_port()}")


def not_a_vault(bench: Bench) -> dict[str, Any]:
    return bench.vault(server=bench.moto.address)


def missing_ca(bench: Bench) -> dict[str, Any]:
    return bench.vault(server=bench.sealed.address)


def wrong_ca(bench: Bench) -> dict[str, Any]:
    bundle = bench.file("wrong-ca.crt", bench.others.pem.decode())
    return bench.vault(server=bench.sealed.address, caBundle=bundle)


def wrong_name(bench: Bench) -> dict[str, Any]:
    bundle = manifests.from_file(bench.files / "ca.crt")
    return bench.vault(server=bench.sealed.address, caBundle=bundle, tlsServerName="vault.example.com")


def no_tls(bench: Bench) -> dict[str, Any]:
    return bench.vault(server=bench.sealed.address.replace("https:", "http:"))


def sealed(bench: Bench) -> dict[str, Any]:
    return bench.vault(server=bench.sealed.address, caBundle=manifests.from_file(bench.files / "ca.crt"))


def wrong_role(bench: Bench) -> dict[str, Any]:
    block = {"role": "nobody", "mountPath": bench.bao.mount_auth("kubernetes")}
    block["serviceAccountTokenSource"] = bench.file("sa-token", f"{CANARY}.b.c")
    return bench.vault(auth={"method": "Kubernetes", "kubernetes": block})


def used_secret_id(bench: Bench) -> dict[str, Any]:
    mount, role_id, secret_id = bench.bao.approle(["default"], secret_id_num_uses=1)
    login = {"role_id": role_id, "secret_id": secret_id}
    bench.bao.api("POST", f"auth/{mount}/login", login, token="")
    source = bench.file("secret-id", secret_id)
    block = {"roleId": role_id, "mountPath": mount, "secretIdSource": source}
    return bench.vault(auth={"method": "AppRole", "appRole": block})


def revoked_token(bench: Bench) -> dict[str, Any]:
    token = bench.bao.token([bench.policy()])
    bench.bao.revoke(token)
    return bench.with_token("revoked", token)


def misspelt_mount(bench: Bench) -> dict[str, Any]:
    return bench.vault(mountPath=bench.mounts["v2"].replace("kv-", "kw-"))


def wrong_version(bench: Bench) -> dict[str, Any]:
    return bench.vault(version="v1")


def missing_permission(bench: Bench) -> dict[str, Any]:
    return bench.with_token("no-delete", bench.bao.token([bench.policy(metadata=("delete",))]))


def wrong_namespace(bench: Bench) -> dict[str, Any]:
    return bench.vault(namespace="nowhere", authNamespace="")


# AWS.


def endpoint_down(bench: Bench) -> dict[str, Any]:
    return bench.aws("down", "*", endpoint=f"http://127.0.0.1:{free_port()}")


def bad_key(bench: Bench) -> dict[str, Any]:
    spec = bench.aws("bad", "*")
    bench.file("bad.secret", CANARY)
    return spec


def unknown_key(bench: Bench) -> dict[str, Any]:
    spec = bench.aws("unknown", "*")
    bench.file("unknown.id", "AKIANOBODY")
    return spec


def missing_action(bench: Bench) -> dict[str, Any]:
    rights = ("GetSecretValue", "DescribeSecret", "CreateSecret", "PutSecretValue", "RestoreSecret")
    return bench.aws("action", *(f"secretsmanager:{right}" for right in (*rights, "DeleteSecret")))


def missing_kms_key(bench: Bench) -> dict[str, Any]:
    return bench.aws("kms", "*", secretsManager={"kmsKeyID": "alias/nowhere"})


def missing_kms_right(bench: Bench) -> dict[str, Any]:
    bench.moto.key("alias/there")
    rights = ("secretsmanager:*", "kms:GenerateDataKey")
    return bench.aws("kms-right", *rights, secretsManager={"kmsKeyID": "alias/there"})


# Local files.


def wrong_key(bench: Bench) -> dict[str, Any]:
    return bench.local(key=bench.file("other.key", manifests.new_key()))


def no_key(bench: Bench) -> dict[str, Any]:
    return bench.local(key=bench.file("no.key", CANARY))


def missing_directory(bench: Bench) -> dict[str, Any]:
    return bench.local(path=str(bench.files / "nowhere" / "local.db"))


def open_directory(bench: Bench) -> dict[str, Any]:
    directory = bench.files / "shared"
    directory.mkdir()
    directory.chmod(0o777)
    return bench.local(path=str(directory / "local.db"))


# Manifests.


def unknown_field(bench: Bench) -> dict[str, Any]:
    return {**bench.vault(), "mountpath": CANARY}


def missing_credential(bench: Bench) -> dict[str, Any]:
    return bench.vault(caBundle=manifests.from_file(bench.files / "nowhere.crt"))


BROKEN: Mapping[str, tuple[str, Spec, str, str]] = {
    spec.__name__.replace("_", "-"): (kind, spec, wrong, advice)
    for kind, spec, wrong, advice in (
        ("VaultConfig", wrong_address, r"Connection refused", r"mend server, or start what it names$"),
        ("VaultConfig", not_a_vault, r"the server answers 500", r"is server the address of a Vault\?"),
        ("VaultConfig", missing_ca, r"CERTIFICATE_VERIFY_FAILED", r"set caBundle to the CA"),
        ("VaultConfig", wrong_ca, r"CERTIFICATE_VERIFY_FAILED", r"caBundle is not of the CA .* put that CA"),
        ("VaultConfig", wrong_name, r"CERTIFICATE_VERIFY_FAILED", r"set tlsServerName to a name in the"),
        ("VaultConfig", no_tls, r"400", r"write https:// in server$"),
        ("VaultConfig", sealed, r"503: Vault is sealed", r"unseal it"),
        ("VaultConfig", wrong_role, r'invalid role name "nobody"', r"mend auth\.kubernetes\.role$"),
        ("VaultConfig", used_secret_id, r"invalid role or secret ID", r"make a new secret ID for auth\.app"),
        ("VaultConfig", revoked_token, r"wrong, expired or revoked", r"put a new token where auth\.token"),
        ("VaultConfig", misspelt_mount, r"no secrets engine at kw-", r"did you mean mountPath: kv-\w+\?$"),
        ("VaultConfig", wrong_version, r"is version 2, and the config says v1", r"set version: v2$"),
        (
            "VaultConfig",
            missing_permission,
            r"the policies do not allow delete on kv-\w+/metadata/\*",
            r'let one say path "kv-\w+/metadata/\*" { capabilities = \["delete", "patch", "update"\] }$',
        ),
        ("VaultConfig", wrong_namespace, r"namespace not found", r"mend namespace or authNamespace$"),
        ("AWSConfig", endpoint_down, r"nobody answers there", r"mend endpoint http://127\.0\.0\.1:\d+$"),
        ("AWSConfig", bad_key, r"InvalidSignatureException", r"mend auth\.static, its accessKeyID and sec"),
        ("AWSConfig", unknown_key, r"AWS does not know the access key", r"mend auth\.static"),
        (
            "AWSConfig",
            missing_action,
            r"user/user-\w+ may not do all that is needed",
            r"allow secretsmanager:UpdateSecretVersionStage, .*UntagResource on arn:aws:sec.*:crossplane/\*",
        ),
        (
            "AWSConfig",
            missing_kms_key,
            r"alias/nowhere: there is no such key",
            r"create it, or mend kmsKeyID$",
        ),
        (
            "AWSConfig",
            missing_kms_right,
            r"kms:Decrypt on alias/there is denied",
            r"allow it to the identity",
        ),
        ("LocalConfig", wrong_key, r"the key does not open", r"list the one before it under olderKeys$"),
        ("LocalConfig", no_key, r"the key at key is not base64", r"make one with: head -c 32"),
        ("LocalConfig", missing_directory, r"does not exist", r"create it or name another path$"),
        ("LocalConfig", open_directory, r"other users can write the directory", r"use mode 0700$"),
        ("VaultConfig", unknown_field, r"there is no such field", r"did you mean mountPath\?$"),
        ("VaultConfig", missing_credential, r"nowhere\.crt does not exist", r"provide it, or name another"),
    )
}
WARNINGS = {"missing-kms-right", "open-directory"}
"""What works, or may work: told, and no error."""


@pytest.fixture(scope="module")
def bench(
    bao: OpenBao, ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("sealed")
    mounts = {version: bao.mount_kv(version) for version in ("v1", "v2")}
    files = tmp_path_factory.mktemp("files")
    (files / "ca.crt").write_bytes(ca.pem)
    (files / "local.key").write_text(manifests.new_key())
    others = CertificateAuthority.create("Another CA")
    with (
        stored_server(directory, certificate=ca.issue(), ca=ca.pem) as server,
        moto_support.server(tmp_path_factory.mktemp("moto")) as moto,
    ):
        server.seal()
        moto.guard()
        yield Bench(bao, server, moto, files, mounts, others)


@dataclass(frozen=True)
class Told:
    """What the command printed."""

    code: int
    output: str
    stderr: str
    findings: list[dict[str, str]]

    def about(self, name: str) -> list[dict[str, str]]:
        """The findings about one config, by its name or its file."""
        at = re.compile(rf"Config/{name}$|config-{name}\.yaml:")
        return [found for found in self.findings if at.search(found["where"])]


def run(bench: Bench, configs: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "AWS_ENDPOINT_URL_KMS": bench.moto.address}
    command = [PROGRAM, "config", "check", str(configs), "--connect", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)


@pytest.fixture(scope="module")
def told(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """All of them at once, and one that is sound of each kind."""
    configs = tmp_path_factory.mktemp("configs")
    manifests.write(configs, "LocalConfig", "sound", bench.local())
    assert run(bench, configs).returncode == 0
    manifests.write(configs, "VaultConfig", "sound", bench.vault())
    manifests.write(configs, "AWSConfig", "sound", bench.aws("sound", "secretsmanager:*"))
    for name, (kind, spec, _, _) in BROKEN.items():
        manifests.write(configs, kind, name, spec(bench))
    ended, as_json = run(bench, configs), run(bench, configs, "-o", "json")
    assert ended.returncode == as_json.returncode
    found = json.loads(as_json.stdout)["findings"]
    return Told(ended.returncode, ended.stdout, ended.stderr + as_json.stderr, found)


@pytest.mark.parametrize("name", BROKEN)
def test_one_line_says_what_is_wrong_and_what_to_do(told: Told, name: str) -> None:
    level = "warning" if name in WARNINGS else "error"
    (found,) = [one for one in told.about(name) if one["level"] != "ok"]
    _, _, wrong, advice = BROKEN[name]
    assert found["level"] == level
    assert re.search(wrong, found["message"])
    assert re.search(advice, found["message"])
    assert [line for line in told.output.splitlines() if found["message"] in line]


@pytest.mark.parametrize("page", ["vault.md", "aws.md"])
def test_what_the_pages_show_is_what_the_command_says(page: str) -> None:
    """The same patterns that the answers above match."""
    lines = "".join(blocks(DOCS / "stores" / page, "text")).splitlines()
    errors = [line for line in lines if line.startswith("error   ")]
    assert len(errors) >= 4
    for line in errors:
        assert any(re.search(f"{wrong}.*{advice}", line) for _, _, wrong, advice in BROKEN.values()), line


def test_those_that_are_sound_are_not_held_up(told: Told) -> None:
    for kind in ("VaultConfig", "AWSConfig", "LocalConfig"):
        assert f"ok      {kind}/sound" in told.output.splitlines()
    assert [one["level"] for one in told.about("sound")] == ["ok"] * 3


def test_it_ends_with_one_and_counts(told: Told) -> None:
    assert told.code == 1
    errors, warnings = len(BROKEN) - len(WARNINGS), len(WARNINGS)
    # The manifest with an unknown field declares no config that could be counted.
    assert told.output.splitlines()[-1].endswith(f", {errors} errors, {warnings} warnings")


def test_nothing_secret_is_told(told: Told, bench: Bench) -> None:
    secrets = {
        path.read_text().strip() for path in bench.files.iterdir() if path.is_file() and path.suffix != ".db"
    }
    everything = told.output + told.stderr + json.dumps(told.findings)
    public = {path.read_text().strip() for path in bench.files.glob("*.id")}
    for secret in {*secrets, CANARY} - public:
        assert secret not in everything
    assert told.stderr == ""
