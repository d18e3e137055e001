"""The manifests of the page about VaultConfig log in to real servers as they stand there."""

import re
from collections.abc import Callable
from pathlib import Path
from time import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from store_plugin.config.reading import read_directory
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.store import served_kinds
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.auth_spec import (
    AppRoleAuth,
    Auth,
    AWSAuth,
    CertAuth,
    JWTAuth,
    KubernetesAuth,
    LDAPAuth,
    UserPassAuth,
)
from stores.vault.scope import filled
from stores.vault.spec import VaultSpec
from tests.docs.pages import DOCS, blocks
from tests.stores.vault.opening import engine_over, open_with, soon
from tests.support import ldap
from tests.support.certificates import CertificateAuthority, private_pem, public_pem
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.sts import GuardedSTS

PAGE = DOCS / "stores" / "vault.md"
MANIFESTS = [
    pytest.param(block, id=name[1])
    for block in blocks(PAGE, "yaml")
    if (name := re.search(r"  name: (\S+)\nspec", block))
]
NAME, SECRET = ScopedName.parse("team-a/db"), Secret({"password": b"\xff\x00"}, {OWNER_LABEL: "uid-1"})
SCOPES = ("team-a", "team-b")
"""That the page speaks of."""
Values = dict[str, bytes]


class Page:
    """Sets a server up for what a manifest says, and knows the credentials it refers to."""

    def __init__(self, request: pytest.FixtureRequest, spec: VaultSpec, directory: Path) -> None:
        self._request = request
        self._spec = spec
        self.pod_token = directory / "token"
        plugin = spec.auth.method in ("LDAP", "AWS")
        self.bao: OpenBao = request.getfixturevalue("plugin_bao" if plugin else "tls_bao")
        self._ca: CertificateAuthority = request.getfixturevalue("ca")
        self._namespace = spec.namespace
        if self._namespace:
            self.bao.api("POST", f"sys/namespaces/{self._namespace}")
        # Another manifest may have the same, with another version.
        self._api("DELETE", f"sys/mounts/{spec.mount_path}")
        self.bao.mount_kv(spec.version, namespace=self._namespace, mount=spec.mount_path)
        self._policies = [self.bao.kv_policy(spec.mount_path, namespace=self._namespace)]

    def spec(self) -> VaultSpec:
        """As it stands there, but for the addresses of the servers."""
        auth: Auth = self._spec.auth
        if auth.aws:
            sts: GuardedSTS = self._request.getfixturevalue("sts")
            aws = auth.aws.model_copy(update={"sts_endpoint": sts.address})
            auth = auth.model_copy(update={"aws": aws})
        return self._spec.model_copy(update={"server": self.bao.address, "auth": auth})

    def values(self) -> Values:
        arrange: dict[type, Callable[..., Values]] = {
            KubernetesAuth: self._kubernetes,
            AppRoleAuth: self._approle,
            JWTAuth: self._jwt,
            UserPassAuth: self._userpass,
            LDAPAuth: self._ldap,
            CertAuth: self._cert,
            AWSAuth: self._aws,
        }
        block = self._spec.auth.block
        return {"caBundle": self._ca.pem, **arrange.get(type(block), self._token)(block)}

    def _api(self, method: str, path: str, body: object = None) -> dict[str, dict[str, str]]:
        return self.bao.api(method, path, body, namespace=self._namespace)

    def _mounted(self, kind: str, mount: str) -> str:
        return self.bao.mount_auth(kind, namespace=self._namespace, mount=mount)

    def _token(self, _: object) -> Values:
        return {"auth.token": self.bao.token(self._policies, namespace=self._namespace).encode()}

    def _kubernetes(self, block: KubernetesAuth) -> Values:
        cluster: Cluster = self._request.getfixturevalue("cluster")
        namespace = cluster.namespace()
        mount = self._mounted("kubernetes", block.mount_path)
        config = {"kubernetes_host": cluster.address, "kubernetes_ca_cert": self._ca.pem.decode()}
        self._api("POST", f"auth/{mount}/config", {**config, "disable_local_ca_jwt": True})
        role = {
            "bound_service_account_names": ["provider"],
            "bound_service_account_namespaces": [namespace],
            "token_policies": self._policies,
        }
        for scope in SCOPES:
            self._api("POST", f"auth/{mount}/role/{filled(block.role, scope)}", role)
        self.pod_token.write_text(cluster.token(cluster.login_account(namespace, "provider")))
        return {}

    def _approle(self, block: AppRoleAuth) -> Values:
        role = f"auth/{self._mounted('approle', block.mount_path)}/role/crossplane"
        self._api("POST", role, {"token_policies": self._policies})
        self._api("POST", f"{role}/role-id", {"role_id": block.role_id})
        if block.secret_id_wrapped:
            secret_id = self.bao.wrapped("POST", f"{role}/secret-id", "10m", namespace=self._namespace)
        else:
            secret_id = self._api("POST", f"{role}/secret-id")["data"]["secret_id"]
        return {"auth.appRole.secretIdSource": secret_id.encode()}

    def _jwt(self, block: JWTAuth) -> Values:
        key = ec.generate_private_key(ec.SECP256R1())
        mount = self._mounted("jwt", block.mount_path)
        self._api("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public_pem(key)]})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}
        self._api("POST", f"auth/{mount}/role/{block.role}", {**role, "token_policies": self._policies})
        claims = {"sub": "operator", "aud": "vault", "iat": int(time()), "exp": int(time()) + 300}
        return {"auth.jwt.tokenSource": jwt.encode(claims, private_pem(key), algorithm="ES256").encode()}

    def _userpass(self, block: UserPassAuth) -> Values:
        self.bao.userpass(self._policies, block.username, "p", mount=block.mount_path)
        return {"auth.userPass.passwordSource": b"p"}

    def _ldap(self, block: LDAPAuth) -> Values:
        assert block.username == ldap.USER
        directory: str = self._request.getfixturevalue("directory")
        self.bao.ldap_auth(self._policies, directory, ldap.GROUP, mount=block.mount_path)
        return {"auth.ldap.passwordSource": ldap.PASSWORD.encode()}

    def _cert(self, block: CertAuth) -> Values:
        mount = self._mounted("cert", block.mount_path)
        role = {"certificate": self._ca.pem.decode(), "token_policies": self._policies}
        self._api("POST", f"auth/{mount}/certs/{block.name}", role)
        certificate, key = self._ca.issue(["sidecar.internal"], client=True)
        return {"clientCertificate.certificate": certificate, "clientCertificate.key": key}

    def _aws(self, block: AWSAuth) -> Values:
        sts: GuardedSTS = self._request.getfixturevalue("sts")
        assert block.role == "crossplane"
        self.bao.aws_auth(
            self._policies,
            sts.address,
            sts.identity,
            region=str(block.region),
            header=str(block.header_value),
            mount=block.mount_path,
        )
        return sts.values()


@pytest.mark.parametrize("manifest", MANIFESTS)
async def test_a_manifest_of_the_page_works(
    request: pytest.FixtureRequest, manifest: str, tmp_path: Path
) -> None:
    (tmp_path / "manifest.yaml").write_text(manifest)
    reading = read_directory(tmp_path, served_kinds())
    assert reading.problems == ()
    (config,) = reading.configs
    assert isinstance(config.spec, VaultSpec)
    page = Page(request, config.spec, tmp_path)
    values = page.values()
    store = await open_with(page.spec(), MemoryCredentials(values), pod_token=page.pod_token)
    engine = engine_over(store)
    await engine.apply(NAME, SECRET, deadline=soon())
    assert (await engine.get(NAME)).secret == SECRET
    await engine.delete(NAME, [], deadline=soon())
    assert not (await engine.get(NAME)).present
    await store.check()
    await store.aclose()


def test_there_is_a_manifest_for_every_login() -> None:
    text = "\n".join(blocks(PAGE, "yaml"))
    for method in Auth.choice.blocks:
        assert f"method: {method}\n" in text
    assert "secretIdWrapped: true" in text
