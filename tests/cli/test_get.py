"""`store-plugin get`: nothing is shown that was not asked for."""

import json
from pathlib import Path

import pytest
import yaml

from store_plugin._proto import ess_pb2
from store_plugin.errors import ConfigNotFound
from tests.cli.conftest import Run
from tests.client.ess_server import EssServer

CANARY = "canary-81c2-value"
DATA = {"password": CANARY.encode(), "raw": b"\xff\x00" + CANARY.encode(), "escape": b"\x1b[31mred"}
WHERE = ("get", "LocalConfig/files", "team-a/db")


@pytest.fixture(autouse=True)
def stored(server: EssServer) -> None:
    secret = ess_pb2.Secret(metadata={"env": "prod [bold]"}, data=DATA)
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=secret, version="7")


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
@pytest.mark.parametrize("key", [[], ["password"]], ids=["all", "one key"])
def test_values_are_hidden(run: Run, output: str, key: list[str]) -> None:
    result = run(*WHERE, *key, "-o", output)
    assert result.exit_code == 0
    assert "password" in result.output
    assert CANARY not in result.output
    assert "Y2FuYXJ5" not in result.output  # nor as base64


def test_table_shows_keys_labels_and_version(run: Run) -> None:
    shown = run(*WHERE).output
    assert "********" in shown
    assert "prod [bold]" in shown
    assert "version 7" in shown


def test_revealed_table_shows_text_and_marks_what_is_none(run: Run) -> None:
    lines = {line.split()[0]: line for line in run(*WHERE, "--reveal").output.splitlines() if line}
    assert lines["password"].endswith(CANARY)
    assert lines["raw"].endswith("(base64)")


def test_terminal_sequences_never_reach_the_terminal(run: Run) -> None:
    shown = run(*WHERE, "--reveal").output
    assert "\x1b" not in shown
    assert "G1szMW1yZWQ= (base64)" in shown


def test_revealed_json_tells_text_from_base64(run: Run) -> None:
    document = json.loads(run(*WHERE, "--reveal", "-o", "json").output)
    assert document["version"] == "7"
    assert document["data"]["password"] == {"text": CANARY}
    assert set(document["data"]["raw"]) == {"base64"}


def test_hidden_yaml_says_so(run: Run) -> None:
    document = yaml.safe_load(run(*WHERE, "-o", "yaml").output)
    assert document["data"]["password"] == {"masked": True}
    assert document["metadata"] == {"env": "prod [bold]"}


def test_long_values_are_not_cut_in_a_pipe(run: Run, server: EssServer) -> None:
    secret = ess_pb2.Secret(data={"key": b"x" * 500})
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=secret)
    assert "x" * 500 in run(*WHERE, "--reveal").output


def test_raw_writes_the_exact_bytes(run: Run) -> None:
    assert run(*WHERE, "raw", "--reveal", "-o", "raw").stdout_bytes == DATA["raw"]


@pytest.mark.parametrize("arguments", [[], ["password"], ["--reveal"]], ids=" ".join)
def test_raw_needs_a_key_and_reveal(run: Run, server: EssServer, arguments: list[str]) -> None:
    assert run(*WHERE, *arguments, "-o", "raw").exit_code == 2
    assert server.received == []


@pytest.mark.parametrize(
    ("version", "told"),
    [("7", "secret team-a/db is empty\n"), ("", "there is no secret team-a/db, or it is empty\n")],
    ids=["empty", "missing, or of a store without versions"],
)
def test_an_empty_secret_is_told_from_a_missing_one(
    run: Run, server: EssServer, version: str, told: str
) -> None:
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(version=version)
    result = run(*WHERE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)


def test_version_is_asked_for(run: Run, server: EssServer) -> None:
    run(*WHERE, "--version", "3")
    assert server.received[0].request.options.version == "3"  # type: ignore[attr-defined]


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_missing_secret_is_said_and_no_error(run: Run, server: EssServer, output: str) -> None:
    server.answers.clear()
    result = run(*WHERE, "-o", output)
    assert result.exit_code == 0
    if output == "table":
        assert "there is no secret team-a/db" in result.stderr
        assert result.stdout == ""
    else:
        assert yaml.safe_load(result.stdout)["data"] == {}


def test_missing_key_is_an_error(run: Run) -> None:
    result = run(*WHERE, "nothing")
    assert result.exit_code == 1
    assert "no key nothing" in result.stderr


def test_refusal_is_told_with_its_reason(run: Run, server: EssServer) -> None:
    server.fail("GetSecret", ConfigNotFound("there is no LocalConfig named 'files'"))
    result = run(*WHERE)
    assert result.exit_code == 1
    assert result.stderr == "Error: there is no LocalConfig named 'files' (CONFIG_NOT_FOUND)\n"


def test_token_file_is_used(run: Run, server: EssServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token\n")
    run(*WHERE, "--token-file", str(tmp_path / "token"))
    assert server.received[0].metadata["authorization"] == "Bearer the-token"


def test_certificates_meant_for_tcp_do_not_disturb_a_socket(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is shared with `serve` of the same container."""
    monkeypatch.setenv("STORE_PLUGIN_CERTS_DIR", "/certs")
    assert run(*WHERE).exit_code == 0
