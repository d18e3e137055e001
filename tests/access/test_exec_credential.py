"""The wire between a client and a credential plugin."""

import json
from datetime import UTC, datetime

import pytest

from store_plugin.access.exec_credential import (
    API_VERSIONS,
    ExecCluster,
    ExecInfo,
    ExecStatus,
    info_text,
    parse_info,
    parse_status,
    status_text,
)
from store_plugin.errors import ConfigInvalid, InvalidRequest

V1, V1BETA1 = API_VERSIONS
CLUSTER = ExecCluster("https://a:6443", "name", True, b"-----BEGIN", "http://proxy:3128", True, {"a": [1]})
EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CANARY = "canary-8fe2"


def answer(**status: object) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize("cluster", [None, ExecCluster("https://a"), CLUSTER], ids=["no", "bare", "full"])
def test_a_plugin_reads_what_a_client_asks(version: str, cluster: ExecCluster | None) -> None:
    info = ExecInfo(version, True, cluster)
    assert parse_info(info_text(info)) == info


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize(
    "status",
    [
        ExecStatus(token="t"),
        ExecStatus(certificate=b"c", key=b"k"),
        ExecStatus(token="t", certificate=b"c", key=b"k", expires=EXPIRES),
    ],
    ids=["token", "certificate", "both"],
)
def test_a_client_reads_what_a_plugin_answers(version: str, status: ExecStatus) -> None:
    assert parse_status(status_text(version, status), version) == status


def test_fields_are_spelled_as_kubernetes_spells_them() -> None:
    spec = json.loads(info_text(ExecInfo(V1, False, CLUSTER)))["spec"]
    assert spec == {
        "interactive": False,
        "cluster": {
            "server": "https://a:6443",
            "tls-server-name": "name",
            "insecure-skip-tls-verify": True,
            "certificate-authority-data": "LS0tLS1CRUdJTg==",
            "proxy-url": "http://proxy:3128",
            "disable-compression": True,
            "config": {"a": [1]},
        },
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        (f"token: {CANARY}", "no JSON object"),
        (f'["{CANARY}"]', "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        (json.dumps({"apiVersion": V1, "kind": CANARY}), "is no ExecCredential"),
        (json.dumps({"apiVersion": CANARY, "kind": "ExecCredential"}), "another version"),
        (json.dumps({"apiVersion": V1BETA1, "kind": "ExecCredential"}), "another version"),
        (json.dumps({"apiVersion": V1, "kind": "ExecCredential"}), "no status"),
        (json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": [CANARY]}), "no status"),
        (answer(), "neither a token"),
        (answer(token=None), "neither a token"),
        (answer(token=[CANARY]), "token in its answer is no text"),
        (answer(token=f"{CANARY}\n"), "header"),
        (answer(token=f"{CANARY} x"), "header"),
        (answer(token=f"{CANARY}\u00e9"), "header"),
        (answer(clientCertificateData=CANARY), "without its key"),
        (answer(clientKeyData=CANARY, token=CANARY), "without its key"),
        (answer(token=CANARY, expirationTimestamp=CANARY), "expirationTimestamp"),
        (answer(token=CANARY, expirationTimestamp="2030-01-02T03:04:05"), "expirationTimestamp"),
        (answer(token=CANARY, expirationTimestamp=5), "expirationTimestamp"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_without_any_of_it(text: str, problem: str) -> None:
    with pytest.raises(ConfigInvalid, match=problem) as caught:
        parse_status(text, V1)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None or CANARY not in repr(caught.value.__context__)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        json.dumps({"apiVersion": f"{V1}alpha1", "kind": "ExecCredential"}),
        json.dumps({"apiVersion": V1, "kind": "Other"}),
        json.dumps({"apiVersion": V1, "kind": "ExecCredential", "spec": [1]}),
        json.dumps({"apiVersion": V1, "kind": "ExecCredential", "spec": {"cluster": []}}),
        json.dumps(
            {
                "apiVersion": V1,
                "kind": "ExecCredential",
                "spec": {"cluster": {"certificate-authority-data": "%"}},
            }
        ),
    ],
)
def test_a_request_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_info(text)


def test_nothing_of_a_credential_is_in_its_repr() -> None:
    status = ExecStatus(CANARY, CANARY.encode(), CANARY.encode())
    assert CANARY not in repr(status)


def test_a_key_that_is_no_text_is_told_and_not_shown() -> None:
    text = answer(clientCertificateData="c", clientKeyData=f"{CANARY}\ud800")
    with pytest.raises(ConfigInvalid, match="clientKeyData in its answer is no text") as raised:
        parse_status(text, V1)
    assert raised.value.__context__ is None
