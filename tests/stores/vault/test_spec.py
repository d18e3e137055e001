import pytest
from pydantic import ValidationError

from stores.vault import VaultSpec
from tests.stores.vault.opening import GIVEN, WITH_TOKEN, spec_of

SERVER = "https://vault.example.com:8200"
FS = {"source": "Filesystem", "fs": {"path": "/token"}}
PAIR = {"certificate": GIVEN, "key": GIVEN}
CERT = {"method": "Cert", "cert": {}}
SECRET = {
    "source": "Secret",
    "secretRef": {"namespace": "crossplane-system", "name": "vault", "key": "token"},
}


def user(name: str) -> dict[str, object]:
    return {"method": "UserPass", "userPass": {"username": name, "passwordSource": GIVEN}}


def wrapped(source: object = None) -> dict[str, object]:
    block = {"roleId": "x", "secretIdSource": source, "secretIdWrapped": True}
    return {"method": "AppRole", "appRole": block}


def aws(**block: object) -> dict[str, object]:
    return {"method": "AWS", "aws": block}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(
            {"server": SERVER, "mountPath": "secret/", "auth": {"method": "Token", "token": FS}},
            id="token-file",
        ),
        pytest.param(
            {
                "server": SERVER,
                "mountPath": "secret/",
                "version": "v1",
                "namespace": "admin/",
                "caBundle": SECRET,
                "auth": {"method": "Token", "token": SECRET},
            },
            id="token-secret-with-ca",
        ),
        pytest.param(
            {
                "server": SERVER,
                "mountPath": "secret",
                "caBundle": {"source": "None"},
                "auth": {"method": "Kubernetes", "kubernetes": {"role": "crossplane"}},
            },
            id="kubernetes",
        ),
        pytest.param(
            {
                "server": SERVER,
                "mountPath": "secret",
                "auth": {
                    "method": "Kubernetes",
                    "kubernetes": {"role": "x", "mountPath": "k8s", "serviceAccountTokenSource": FS},
                },
            },
            id="kubernetes-in-full",
        ),
    ],
)
def test_manifests_of_ess_plugin_vault_are_valid(spec: dict[str, object]) -> None:
    assert VaultSpec.model_validate(spec).server == SERVER


def test_version_2_is_the_default() -> None:
    assert spec_of(SERVER, "secret", WITH_TOKEN).version == "v2"


@pytest.mark.parametrize("mount", ["kv/team", "kv/team/", "/kv/team/"])
def test_slashes_around_a_mount_path_mean_nothing(mount: str) -> None:
    assert spec_of(SERVER, mount, WITH_TOKEN).mount_path == "kv/team"


@pytest.mark.parametrize("server", ["https://VAULT.example.com/", "https://vault.example.com"])
def test_one_server_has_one_spelling(server: str) -> None:
    assert spec_of(server, "secret", WITH_TOKEN).server == "https://vault.example.com"


@pytest.mark.parametrize(
    "server",
    [
        "http://127.0.0.1:8200",
        "http://[::1]:8200",
        "http://vault",
        "https://vault.vault-system.svc.cluster.local:8200",
        "https://my_vault:8200/behind/a/proxy",
        f"https://{'a' * 63}.example.com.",
    ],
)
def test_servers_that_can_be_reached(server: str) -> None:
    assert spec_of(server, "secret", WITH_TOKEN).server == server


def test_the_login_is_in_the_namespace_of_the_secrets_unless_told_otherwise() -> None:
    assert spec_of(SERVER, "kv", WITH_TOKEN, namespace="a/b/").login_namespace == "a/b"
    assert spec_of(SERVER, "kv", WITH_TOKEN, namespace="a", authNamespace="").login_namespace == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"server": "vault:8200"}, "https://", id="no-scheme"),
        pytest.param({"server": "unix:///vault.sock"}, "https://", id="other-scheme"),
        pytest.param({"server": "https://user:pw@vault"}, "neither user", id="user-in-address"),
        pytest.param({"server": "https://vault/?x=1"}, "neither user", id="query-in-address"),
        pytest.param({"server": "https://vault:65536"}, "Port", id="port-out-of-range"),
        pytest.param({"server": "https://vault:0"}, "no port", id="port-0"),
        pytest.param({"server": "https://vault:abc"}, "Port", id="port-of-letters"),
        pytest.param({"server": "https://@vault"}, "neither user", id="empty-user"),
        pytest.param({"server": "https://vault?"}, "neither user", id="empty-query"),
        pytest.param({"server": "https://a..b:8200"}, "name of a host", id="empty-label"),
        pytest.param({"server": f"https://{'a' * 64}.com"}, "name of a host", id="long-label"),
        pytest.param({"server": f"https://{'a.' * 130}com"}, "name of a host", id="long-host"),
        pytest.param({"server": "https://-vault"}, "name of a host", id="leading-hyphen"),
        pytest.param({"server": "https://va%20ult"}, "name of a host", id="percent-in-host"),
        pytest.param({"server": r"https://vault\x"}, "name of a host", id="backslash-in-host"),
        pytest.param({"server": "https://1.2.3.999"}, "1.2.3.999", id="no-ipv4"),
        pytest.param({"server": "https://[::g]"}, "::g", id="no-ipv6"),
        pytest.param({"server": "https://[v1.x]"}, "v1.x", id="future-ip"),
        pytest.param({"server": " https://vault"}, "white space", id="space-before"),
        pytest.param({"server": "https://va ult"}, "white space", id="space-in-host"),
        pytest.param({"server": "https://vau\tlt"}, "white space", id="tab-in-host"),
        pytest.param({"server": "https://vault/a b"}, "white space", id="space-in-path"),
        pytest.param({"server": "https://váult"}, "ASCII", id="no-ascii"),
        pytest.param({"mountPath": "secret/../sys"}, "nor ..", id="mount-leaves-itself"),
        pytest.param({"mountPath": ""}, "empty", id="no-mount"),
        pytest.param({"mountPath": "a//b"}, "empty", id="empty-segment"),
        pytest.param({"mountPath": "a%2fb"}, "none of", id="percent"),
        pytest.param({"mountPath": "a?b"}, "none of", id="question-mark"),
        pytest.param({"namespace": "a\nb"}, "white space", id="newline-in-namespace"),
        pytest.param({"version": "v3"}, "v1", id="unknown-version"),
        pytest.param({"auth": {"method": "Token"}}, "block token", id="token-without-block"),
        pytest.param({"auth": {"method": "Kubernetes"}}, "block kubernetes", id="kubernetes-without-block"),
        pytest.param({"auth": {"method": "AppRole"}}, "block appRole", id="approle-without-block"),
        pytest.param({"auth": {"method": "JWT", "token": GIVEN}}, "block jwt", id="block-of-another-method"),
        pytest.param({"auth": {"method": "Userpass"}}, "Token", id="unknown-method"),
        pytest.param({"auth": {"method": "UserPass"}}, "block userPass", id="userpass-without-block"),
        pytest.param({"auth": {"method": "LDAP"}}, "block ldap", id="ldap-without-block"),
        pytest.param({"auth": {"method": "Cert"}}, "block cert", id="cert-without-block"),
        pytest.param({"auth": {"method": "AWS"}}, "block aws", id="aws-without-block"),
        pytest.param({"auth": user("a/b")}, "no slash", id="slash-in-user-name"),
        pytest.param({"auth": user("..")}, "neither empty", id="user-name-leaves-its-place"),
        pytest.param({"auth": user("")}, "neither empty", id="no-user-name"),
        pytest.param({"auth": user("a\nb")}, "no control", id="newline-in-user-name"),
        pytest.param({"auth": CERT}, "set its certificate and key", id="cert-without-certificate"),
        pytest.param(
            {"auth": CERT, "clientCertificate": PAIR, "server": "http://vault"},
            "https://",
            id="cert-in-the-clear",
        ),
        pytest.param({"clientCertificate": {"certificate": GIVEN}}, "required", id="certificate-without-key"),
        pytest.param({"auth": wrapped()}, "secretIdSource", id="nothing-wrapped"),
        pytest.param({"auth": wrapped({"source": "None"})}, "secretIdSource", id="wrapped-none"),
        pytest.param({"auth": aws(region="Ireland")}, "pattern", id="no-region"),
        pytest.param({"auth": aws(headerValue="a b")}, "pattern", id="space-in-header"),
        pytest.param({"auth": aws(headerValue="a\r\nb: c")}, "pattern", id="two-headers"),
        pytest.param({"auth": aws(stsEndpoint="sts")}, "written like", id="no-endpoint"),
        pytest.param({"auth": aws(stsEndpoint="https://sts/x")}, "path", id="path-in-endpoint"),
        pytest.param({"auth": aws(static={"accessKeyID": GIVEN})}, "required", id="half-a-key"),
        pytest.param({"mountpath": "x"}, "not permitted", id="misspelt-field"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, object], said: str) -> None:
    spec = {"server": SERVER, "mountPath": "secret", "auth": WITH_TOKEN, **fields}
    with pytest.raises(ValidationError, match=said):
        VaultSpec.model_validate(spec)
