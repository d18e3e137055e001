"""What a secret holds becomes a credential, or says what is wrong with it."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from store_plugin.access.exec_credential import ExecCluster
from store_plugin.access.stored.cluster import ClusterSaid, check_chosen, check_same
from store_plugin.access.stored.credential import Keys, Wanted, credential_in
from store_plugin.errors import ConfigInvalid
from store_plugin.model import Secret
from tests.support.tokens import jwt

CANARY = "canary-5d1e"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
OTHER_CERTIFICATE = CERTIFICATE.replace(b"AAAA", b"BBBB")
KEY = b"-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
SERVER = "https://member.example.com:6443"
END = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = int(END.timestamp())


def encoded(content: bytes) -> str:
    return b64encode(content).decode()


def kubeconfig(user: dict[str, Any], cluster: dict[str, Any] | None = None, **more: Any) -> bytes:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": user}, {"name": "other", "user": {"token": "of-other"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "other"}},
        ],
        "current-context": "one",
        **more,
    }
    return yaml.safe_dump(document).encode()


def test_a_token_is_taken_without_the_line_end_of_its_file() -> None:
    found = credential_in(Secret({"token": b"abc\n", "namespace": b"x"}), Wanted())
    assert (found.status.token, found.status.expires) == ("abc", None)
    assert found.cluster == ClusterSaid()


def test_a_certificate_with_its_key_and_a_token_beside_them() -> None:
    found = credential_in(Secret({"token": b"t", "tls.crt": CERTIFICATE, "tls.key": KEY}), Wanted()).status
    assert (found.token, found.certificate, found.key) == ("t", CERTIFICATE, KEY)


def test_keys_may_have_other_names() -> None:
    keys = Keys(token="t", certificate="c", key="k", kubeconfig="f", server="s", authority="a")
    secret = Secret({"t": b"tok", "s": SERVER.encode(), "a": CERTIFICATE, "token": b"no", "server": b"no"})
    found = credential_in(secret, Wanted(keys))
    assert found.status.token == "tok"
    assert found.cluster == ClusterSaid(SERVER, CERTIFICATE)


@pytest.mark.parametrize("dump", [lambda text: text, lambda text: json.dumps(yaml.safe_load(text)).encode()])
def test_the_user_of_a_kubeconfig(dump: Any) -> None:
    user = {"client-certificate-data": encoded(CERTIFICATE), "client-key-data": encoded(KEY), "token": "t"}
    cluster = {"certificate-authority-data": encoded(CERTIFICATE), "tls-server-name": "name"}
    found = credential_in(Secret({"kubeconfig": dump(kubeconfig(user, cluster))}), Wanted())
    assert (found.status.token, found.status.certificate, found.status.key) == ("t", CERTIFICATE, KEY)
    assert found.cluster == ClusterSaid(SERVER, CERTIFICATE, "name")


def test_another_context_of_a_kubeconfig() -> None:
    secret = Secret({"kubeconfig": kubeconfig({"token": "t"})})
    assert credential_in(secret, Wanted(context="two")).status.token == "of-other"


def test_a_token_beside_a_kubeconfig_comes_first() -> None:
    secret = Secret({"kubeconfig": kubeconfig({"exec": {"command": "x"}}), "token": b"t"})
    assert credential_in(secret, Wanted()).status.token == "t"


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing that is one": ({"password": CANARY.encode()}, "--token-key"),
    "an empty token": ({"token": b" \n"}, "token is empty"),
    "a binary token": ({"token": b"\xff\x00" + CANARY.encode()}, "token holds bytes"),
    "a certificate alone": ({"tls.crt": CERTIFICATE}, "only one of tls.crt and tls.key"),
    "a key alone": ({"tls.key": KEY}, "only one of tls.crt and tls.key"),
    "no certificate": ({"tls.crt": CANARY.encode(), "tls.key": KEY}, "tls.crt holds no certificate in PEM"),
    "no key": ({"tls.crt": CERTIFICATE, "tls.key": CERTIFICATE}, "tls.key holds no private key in PEM"),
    "exp is no time": ({"token": jwt(exp=CANARY).encode()}, "claim exp"),
    "exp is beyond time": ({"token": jwt(exp=1e300).encode()}, "claim exp"),
    "no kubeconfig": ({"kubeconfig": CANARY.encode()}, "no block"),
    "an alias": ({"kubeconfig": b"users: &a [x]\ncurrent-context: *a\n"}, "has an alias"),
    "levels without end": ({"kubeconfig": b"[" * 100_000}, "nested deeper than"),
    "broken YAML": ({"kubeconfig": f"a: [{CANARY}".encode()}, "no block"),
    "a kubeconfig without contexts": ({"kubeconfig": b"contexts: 3"}, "no context"),
    "a user without a name": ({"kubeconfig": kubeconfig({}, users=[{"user": {}}])}, "no user"),
    "a user with nothing": ({"kubeconfig": kubeconfig({})}, "neither a token nor a client certificate"),
    "not base64": (
        {"kubeconfig": kubeconfig({"client-certificate-data": CANARY})},
        "client-certificate-data in the kubeconfig is not base64",
    ),
    "a token that is no text": (
        {"kubeconfig": kubeconfig({"token": 4711})},
        "token in the kubeconfig is no text",
    ),
    "a command": ({"kubeconfig": kubeconfig({"exec": {"command": CANARY}})}, "has exec;"),
    "a file of a token": ({"kubeconfig": kubeconfig({"tokenFile": CANARY})}, "has tokenFile;"),
    "a file of a certificate": (
        {"kubeconfig": kubeconfig({"client-certificate": CANARY, "client-key": CANARY})},
        "has client-certificate, client-key;",
    ),
    "a file of an authority": (
        {"kubeconfig": kubeconfig({"token": "t"}, {"certificate-authority": CANARY})},
        "has certificate-authority;",
    ),
    "an extension": ({"kubeconfig": kubeconfig({"token": "t", "extensions": [CANARY]})}, "has extensions;"),
    "a password": (
        {"kubeconfig": kubeconfig({"username": CANARY, "password": CANARY})},
        "password, username;",
    ),
    "a field nobody knows": ({"kubeconfig": kubeconfig({CANARY: "t"})}, "fields that are not known"),
}


@pytest.mark.parametrize(("data", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_credential_is_told_without_its_values(data: dict[str, bytes], told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        credential_in(Secret(data), Wanted())
    assert told in caught.value.message
    assert CANARY not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_context_that_is_not_there() -> None:
    with pytest.raises(ConfigInvalid, match="no context of the name"):
        credential_in(Secret({"kubeconfig": kubeconfig({"token": "t"})}), Wanted(context="three"))


# Until when it lasts.


@pytest.mark.parametrize(
    ("token", "label", "expires"),
    [
        (jwt(exp=SECONDS), None, END),
        (jwt(), None, None),
        ("a.b.c", None, None),
        ("opaque", str(SECONDS), END),
        ("opaque", "2040-01-02T03:04:05Z", END),
        (jwt(exp=SECONDS), str(SECONDS + 60), END),
        (jwt(exp=SECONDS + 60), str(SECONDS), END),
    ],
    ids=["JWT", "JWT without end", "like a JWT", "seconds", "RFC 3339", "JWT first", "label first"],
)
def test_the_earliest_end_counts(token: str, label: str | None, expires: datetime | None) -> None:
    secret = Secret({"token": token.encode()}, {"until": label} if label else {})
    wanted = Wanted(expiry_label="until" if label else None)
    assert credential_in(secret, wanted).status.expires == expires


@pytest.mark.parametrize("label", [None, "", "tomorrow", "2040-01-02", "9" * 40], ids=repr)
def test_a_label_that_tells_no_end_is_refused(label: str | None) -> None:
    metadata = {} if label is None else {"until": label}
    with pytest.raises(ConfigInvalid, match="label until"):
        credential_in(Secret({"token": b"t"}, metadata), Wanted(expiry_label="until"))


# For whom it is.


@pytest.mark.parametrize("audience", ["kube", ["other", "kube"]], ids=["one", "several"])
def test_a_token_for_the_audience_is_given(audience: object) -> None:
    assert credential_in(Secret({"token": jwt(aud=audience).encode()}), Wanted(audience="kube"))


@pytest.mark.parametrize("token", [jwt(aud="other"), jwt(aud=["a", "b"]), jwt(), "opaque"])
def test_a_token_for_another_audience_is_not(token: str) -> None:
    with pytest.raises(ConfigInvalid, match="audience"):
        credential_in(Secret({"token": token.encode()}), Wanted(audience="kube"))


# For which cluster it is.

ASKED = ExecCluster(SERVER, certificate_authority_data=CERTIFICATE)


@pytest.mark.parametrize(
    "said",
    [
        ClusterSaid(),
        ClusterSaid(SERVER),
        ClusterSaid("https://MEMBER.example.com:6443/"),
        ClusterSaid(SERVER, b"# ours\n" + CERTIFICATE.replace(b"\n", b"\r\n"), ""),
    ],
    ids=["nothing", "server", "spelled otherwise", "all"],
)
def test_a_credential_for_this_cluster_is_given(said: ClusterSaid) -> None:
    check_same(said, ASKED)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ClusterSaid("https://other.example.com:6443"), "another server"),
        (ClusterSaid("https://member.example.com"), "another server"),
        (ClusterSaid("http://member.example.com:6443"), "another server"),
        (ClusterSaid("https://member.example.com:port"), "another server"),
        (ClusterSaid(SERVER, OTHER_CERTIFICATE), "another certificate authority"),
        (ClusterSaid(SERVER, CERTIFICATE + OTHER_CERTIFICATE), "another certificate authority"),
        (ClusterSaid(SERVER, CERTIFICATE, "else"), "another tls-server-name"),
    ],
    ids=["host", "port", "scheme", "no port", "authority", "one of two authorities", "name"],
)
def test_a_credential_for_another_cluster_is_not(said: ClusterSaid, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told):
        check_same(said, ASKED)
    with pytest.raises(ConfigInvalid, match=told):
        check_chosen(said, ASKED)


@pytest.mark.parametrize(
    ("said", "asked", "told"),
    [
        (ClusterSaid(), ASKED, "add the key `server`"),
        (ClusterSaid(SERVER), ASKED, "another certificate authority"),
        (ClusterSaid(SERVER), ExecCluster(SERVER, tls_server_name="mine"), "another tls-server-name"),
        (ClusterSaid(SERVER), ExecCluster(SERVER, insecure_skip_tls_verify=True), "unverified"),
    ],
    ids=["nothing said", "their authority", "their name", "no TLS"],
)
def test_what_the_extension_chose_is_given_to_nobody_who_could_be_another(
    said: ClusterSaid, asked: ExecCluster, told: str
) -> None:
    with pytest.raises(ConfigInvalid, match=told):
        check_chosen(said, asked)


@pytest.mark.parametrize("name", [b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE", b"ANYTHING"])
@pytest.mark.parametrize(
    "said", [ClusterSaid(SERVER), ClusterSaid(SERVER, CERTIFICATE)], ids=["public", "own"]
)
def test_an_authority_that_only_some_tls_libraries_see_is_another(said: ClusterSaid, name: bytes) -> None:
    """OpenSSL trusts an `X509 CERTIFICATE` as well."""
    hidden = (said.authority or b"") + OTHER_CERTIFICATE.replace(b"CERTIFICATE", name)
    asked = ExecCluster(SERVER, certificate_authority_data=hidden)
    with pytest.raises(ConfigInvalid, match="another certificate authority"):
        check_chosen(said, asked)


def test_what_the_extension_chose_is_given_to_its_cluster() -> None:
    check_chosen(ClusterSaid(SERVER, CERTIFICATE), ASKED)
    check_chosen(ClusterSaid(SERVER), ExecCluster(SERVER))
