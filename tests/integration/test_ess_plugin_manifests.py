"""Every VaultConfig that ess-plugin-vault accepts works as it is: read from a directory as the
sidecar reads it, and used against a real server, with the secrets that plugin left there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from store_plugin.cli._opening import open_directory
from store_plugin.engine import Engine
from store_plugin.model import OWNER_LABEL, ConfigReference, ScopedName, Secret
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao, stored_server

NAME = ScopedName.parse("team-a/db")
OWNED = {OWNER_LABEL: "uid-1"}
HEAD = """
apiVersion: secrets.crossplane.io/v1alpha1
kind: VaultConfig
metadata:
  name: vault-internal
spec:
  server: {server}
"""
SECRETS = """
---
apiVersion: v1
kind: Secret
metadata: {{name: vault, namespace: crossplane-system}}
stringData: {{token: "{token}", jwt: "{jwt}"}}
"""


@dataclass(frozen=True)
class Server:
    """A server with TLS, mounts of both versions, a Kubernetes login at its usual place."""

    bao: OpenBao
    values: dict[str, str]


@pytest.fixture(scope="module")
def server(
    ca: CertificateAuthority, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("ess")
    certificate = ca.issue(["127.0.0.1"])
    with stored_server(directory, certificate=certificate, ca=ca.pem) as bao:
        bao.mount_kv("v2", mount="secret")
        bao.mount_kv("v1", mount="old/kv")
        namespace, account_namespace = bao.namespace(), cluster.namespace()
        bao.mount_kv("v2", mount="secret", namespace=namespace)
        rules = dict.fromkeys(("secret/*", "old/kv/*"), ("create", "read", "update", "delete"))
        role = bao.kubernetes_auth(
            [bao.policy(rules)], cluster.address, ca.pem, service_account="app", scope=account_namespace
        )
        values = {
            "server": bao.address,
            "ns": namespace,
            "token": bao.root_token,
            "jwt": cluster.token(cluster.login_account(account_namespace, "app")),
            "auth": role,
            "token_file": str(directory / "token"),
            "jwt_file": str(directory / "jwt"),
            "ca_file": str(directory / "ca.crt"),
        }
        (directory / "token").write_text(values["token"])
        (directory / "jwt").write_text(values["jwt"])
        yield Server(bao, values)


TOKEN_FILE = "{{source: Filesystem, fs: {{path: {token_file}}}}}"
CA = "  caBundle: {{source: Filesystem, fs: {{path: {ca_file}}}}}\n"
MANIFESTS = {
    "token-file": CA + "  mountPath: secret/\n  auth:\n    method: Token\n    token: " + TOKEN_FILE,
    "version-2-named": CA
    + "  mountPath: secret\n  version: v2\n  auth: {{method: Token, token: "
    + TOKEN_FILE
    + "}}",
    "version-1": CA
    + "  mountPath: old/kv/\n  version: v1\n  auth: {{method: Token, token: "
    + TOKEN_FILE
    + "}}",
    "namespace": CA + "  namespace: {ns}/\n  mountPath: secret/\n  auth: {{method: Token, token: {root}}}",
    "token-secret": CA
    + "  mountPath: secret/\n  auth: {{method: Token, token: {{source: Secret, "
    + "secretRef: {{namespace: crossplane-system, name: vault, key: token}}}}}}",
    "token-environment": CA
    + "  mountPath: secret/\n  auth: {{method: Token, token: {{source: Environment, "
    + "env: {{name: ESS_TOKEN}}}}}}",
    "kubernetes": CA
    + "  mountPath: secret/\n  auth: {{method: Kubernetes, kubernetes: {{role: app, mountPath: {auth}/, "
    + "serviceAccountTokenSource: {{source: Filesystem, fs: {{path: {jwt_file}}}}}}}}}",
    "kubernetes-secret": CA
    + "  mountPath: secret/\n  auth: {{method: Kubernetes, kubernetes: {{role: app, mountPath: {auth}, "
    + "serviceAccountTokenSource: {{source: Secret, "
    + "secretRef: {{namespace: crossplane-system, name: vault, key: jwt}}}}}}}}",
}


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
async def test_a_manifest_of_ess_plugin_vault_works_as_it_is(
    server: Server, manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**server.values, "root": "{source: Environment, env: {name: ESS_TOKEN}}"}
    monkeypatch.setenv("ESS_TOKEN", server.values["token"])
    (tmp_path / "config.yaml").write_text((HEAD + manifest + SECRETS).format(**values))
    old = "version: v1" in manifest
    namespace = server.values["ns"] if "namespace: {ns}" in manifest else ""
    write_as_the_plugin_did(server.bao, old, namespace)
    async with open_directory(tmp_path) as opened:
        reference = ConfigReference("secrets.crossplane.io/v1alpha1", "VaultConfig", "vault-internal")
        with await opened.router.lease(reference) as lease:
            assert isinstance(lease.engine, Engine)
            await used(lease.engine)


def write_as_the_plugin_did(bao: OpenBao, old: bool, namespace: str) -> None:
    if old:
        body = {"user": "admin", f"metadata:{OWNER_LABEL}": "uid-1"}
        bao.api("PUT", f"old/kv/{NAME}", body, namespace=namespace)
        return
    bao.api("POST", f"secret/metadata/{NAME}", {"custom_metadata": OWNED}, namespace=namespace)
    bao.api("POST", f"secret/data/{NAME}", {"data": {"user": "admin"}}, namespace=namespace)


async def used(engine: Engine) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    assert (await engine.get(NAME)).secret == Secret({"user": b"admin"}, OWNED)
    assert not (await engine.apply(NAME, Secret({"user": b"admin"}, OWNED), deadline=deadline)).changed
    assert (await engine.apply(NAME, Secret({"more": b"x"}, OWNED), deadline=deadline)).changed
    assert (await engine.get(NAME)).secret == Secret({"user": b"admin", "more": b"x"}, OWNED)
    await engine.delete(NAME, [], deadline=deadline)
    assert not (await engine.get(NAME)).present
