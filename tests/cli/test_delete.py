"""`store-plugin delete`: keys, or all of it once that is clear."""

from typing import Any

import pytest

from store_plugin._proto import ess_pb2
from store_plugin.cli import delete as delete_module
from store_plugin.errors import DocumentInvalid
from tests.cli.conftest import Run
from tests.client.ess_server import EssServer

WHERE = ("delete", "LocalConfig/files", "team-a/db")


@pytest.fixture(autouse=True)
def removing(server: EssServer) -> None:
    changes = [ess_pb2.KeyChange(key="a", kind="REMOVED")]
    server.answers["DeleteKeys"] = lambda *_: ess_pb2.DeleteKeysResponse(changes=changes)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is a terminal."""

    class Terminal:
        def __getattr__(self, name: str) -> Any:
            import sys

            return (lambda: True) if name == "isatty" else getattr(sys.stdin, name)

    class Sys:
        stdin = Terminal()

    monkeypatch.setattr(delete_module, "sys", Sys)


def sent(server: EssServer) -> ess_pb2.DeleteKeysRequest:
    request = server.received[0].request
    assert isinstance(request, ess_pb2.DeleteKeysRequest)
    return request


def test_keys_are_removed(run: Run, server: EssServer) -> None:
    result = run(*WHERE, "a", "b", "--owner", "uid", "--keep-empty")
    assert result.output.splitlines() == ["team-a/db: removed 1 key", "  - a"]
    assert set(sent(server).secret.data) == {"a", "b"}
    assert sent(server).options.keep_empty_secret


def test_dry_run_says_would(run: Run, server: EssServer) -> None:
    assert run(*WHERE, "a", "--dry-run").output.splitlines() == ["team-a/db: would remove 1 key", "  - a"]
    assert sent(server).options.dry_run


def test_nothing_to_remove_is_no_error(run: Run, server: EssServer) -> None:
    server.answers.clear()
    result = run(*WHERE, "nothing")
    assert (result.exit_code, result.output) == (0, "team-a/db: no key to remove\n")


EMPTY = ess_pb2.GetSecretResponse(version="3")
LABELLED = ess_pb2.GetSecretResponse(secret=ess_pb2.Secret(metadata={"env": "prod"}))
NOTHING = ess_pb2.GetSecretResponse()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (EMPTY, "would remove the secret, which has no keys"),
        (LABELLED, "would remove the secret, which has no keys"),
        (NOTHING, "no key to remove; a secret that is empty would go"),
    ],
    ids=["empty", "without versions", "nothing"],
)
def test_dry_run_tells_that_a_secret_without_keys_would_go(
    run: Run, server: EssServer, found: ess_pb2.GetSecretResponse, told: str
) -> None:
    """What was deleted names no key then, as where there is no secret."""
    server.answers = {"GetSecret": lambda *_: found}
    result = run(*WHERE, "--dry-run")
    assert (result.exit_code, result.output) == (0, f"team-a/db: {told}\n")


def test_dry_run_tells_that_a_secret_that_cannot_be_read_would_go(run: Run, server: EssServer) -> None:
    server.answers.clear()
    server.fail("GetSecret", DocumentInvalid("not JSON"))
    result = run(*WHERE, "--dry-run")
    told = "team-a/db: would remove the secret, which cannot be read\n"
    assert (result.exit_code, result.output) == (0, told)


def test_removing_a_secret_without_keys_does_not_say_that_nothing_was_done(
    run: Run, server: EssServer
) -> None:
    server.answers.clear()
    told = "no key to remove; a secret that was empty, or could not be read, is gone"
    assert run(*WHERE, "--yes").output == f"team-a/db: {told}\n"
    assert server.methods() == ["DeleteKeys"]


def test_whole_secret_needs_yes_where_nobody_can_be_asked(run: Run, server: EssServer) -> None:
    """A script whose list of keys came out empty must remove nothing."""
    result = run(*WHERE)
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert server.received == []


@pytest.mark.parametrize("option", ["--yes", "--dry-run"])
def test_whole_secret_is_removed_with_yes(run: Run, server: EssServer, option: str) -> None:
    assert run(*WHERE, option).exit_code == 0
    assert dict(sent(server).secret.data) == {}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "calls"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_a_person_is_asked_before_a_whole_secret_goes(
    run: Run, server: EssServer, answer: str, calls: int
) -> None:
    result = run(*WHERE, stdin=answer.encode())
    assert "Remove all of team-a/db from LocalConfig/files?" in result.stderr
    assert len(server.received) == calls
    assert result.exit_code == (0 if calls else 1)
