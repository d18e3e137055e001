"""A kubeconfig from a credential gives a connection, and nothing else to whoever wrote it."""

from base64 import b64encode
from typing import Any

import pytest
import yaml

from store_plugin.errors import ConfigInvalid
from store_plugin.model import ScopedName
from store_plugin.testing.environment import MemoryCredentials
from tests.stores.kubernetes.opening import credentials, open_store
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import Cluster

CANARY = "c4nary-t0ken"


def kubeconfig(cluster: dict[str, Any], user: dict[str, Any], **fields: Any) -> MemoryCredentials:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **fields,
    }
    return MemoryCredentials({"kubeconfig": yaml.safe_dump(document).encode()})


@pytest.mark.parametrize(
    ("resolved", "message"),
    [
        pytest.param(
            kubeconfig({}, {"exec": {"command": CANARY}}), "the user in the kubeconfig has exec", id="command"
        ),
        pytest.param(
            kubeconfig({}, {"tokenFile": CANARY}),
            "the user in the kubeconfig has tokenFile",
            id="file of a token",
        ),
        pytest.param(
            kubeconfig({}, {"client-key": CANARY}),
            "the user in the kubeconfig has client-key;",
            id="file of a key",
        ),
        pytest.param(
            kubeconfig({"certificate-authority": CANARY}, {}), "has certificate-authority", id="file of a CA"
        ),
        pytest.param(
            kubeconfig({"insecure-skip-tls-verify": True}, {}),
            "has insecure-skip-tls-verify",
            id="unverified",
        ),
        pytest.param(kubeconfig({"proxy-url": CANARY}, {}), "has proxy-url", id="proxy"),
        pytest.param(kubeconfig({}, {CANARY: 1}), "fields that are not known", id="unknown field"),
        pytest.param(kubeconfig({"server": "http://a"}, {}), "must be https://", id="in the clear"),
        pytest.param(
            kubeconfig({}, {}, **{"current-context": CANARY}), "no context of the name", id="context"
        ),
        pytest.param(kubeconfig({}, {}, users=[]), "no user", id="user"),
        pytest.param(kubeconfig({}, {}, clusters=CANARY), "no cluster of the name", id="wrong type"),
        pytest.param(kubeconfig({"certificate-authority-data": CANARY}, {}), "is not base64", id="no base64"),
        pytest.param(
            kubeconfig({"certificate-authority-data": b64encode(CANARY.encode()).decode()}, {}),
            "can be used",
            id="no certificate",
        ),
        pytest.param(
            kubeconfig({}, {"client-certificate-data": "YQ=="}), "are no pair", id="a certificate alone"
        ),
        pytest.param(MemoryCredentials({"kubeconfig": b"{" + CANARY.encode()}), "ParserError", id="no YAML"),
        pytest.param(MemoryCredentials({"kubeconfig": CANARY.encode()}), "is no block", id="a text"),
    ],
)
async def test_what_gives_more_than_a_connection_is_refused(
    resolved: MemoryCredentials, message: str
) -> None:
    with pytest.raises(ConfigInvalid, match=message) as refused:
        await open_store(resolved)
    seen = refused.value
    assert CANARY not in f"{seen!r} {seen.__cause__!r} {seen.__context__!r}"


async def test_a_context_can_be_chosen(cluster: Cluster) -> None:
    document = yaml.safe_load(credentials(cluster).get("kubeconfig"))
    document["current-context"] = "another"
    store = await open_store(
        MemoryCredentials({"kubeconfig": yaml.safe_dump(document).encode()}), context="tests"
    )
    assert not (await store.read(ScopedName.parse("default/a"))).present
    await store.aclose()


async def test_a_client_certificate_is_shown_and_its_files_are_gone(
    ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    bundle = ca.client("sidecar")
    user = {
        "client-certificate-data": b64encode(bundle.certificate).decode(),
        "client-key-data": b64encode(bundle.key).decode(),
    }
    store = await open_store(kubeconfig({}, user))
    assert list(directory.iterdir()) == []
    await store.aclose()


async def test_certificate_and_key_that_are_no_pair_are_told(ca: CertificateAuthority) -> None:
    user = {
        "client-certificate-data": b64encode(ca.client("one").certificate).decode(),
        "client-key-data": b64encode(ca.client("two").key).decode(),
    }
    with pytest.raises(ConfigInvalid, match="are no pair"):
        await open_store(kubeconfig({}, user))
