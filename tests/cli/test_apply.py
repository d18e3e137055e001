"""`store-plugin apply`: what is sent and what is told of it."""

import json
from pathlib import Path

import pytest

from store_plugin._proto import ess_pb2
from store_plugin.errors import NotOwner
from store_plugin.model import MAX_DATA_BYTES, OWNER_LABEL
from tests.cli.conftest import Run
from tests.client.ess_server import EssServer

CANARY = "canary-81c2-value"
WHERE = ("apply", "LocalConfig/files", "team-a/db")


def sent(server: EssServer) -> ess_pb2.ApplySecretRequest:
    request = server.received[0].request
    assert isinstance(request, ess_pb2.ApplySecretRequest)
    return request


def test_values_come_from_arguments_files_and_standard_input(
    run: Run, server: EssServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"\xff\n")
    result = run(
        *WHERE, "a=b=c", f"f=@{tmp_path / 'file'}", "s=@-", "at=@@x", "empty=", stdin=b"from stdin\n"
    )
    assert result.exit_code == 0
    assert dict(sent(server).secret.data) == {
        "a": b"b=c",
        "f": b"\xff\n",
        "s": b"from stdin\n",
        "at": b"@x",
        "empty": b"",
    }


def test_owner_labels_and_version_are_sent(run: Run, server: EssServer) -> None:
    run(*WHERE, "--owner", "uid", "--label", "env=prod", "--label", "x=a=b", "--if-version", "3", "--dry-run")
    assert dict(sent(server).secret.metadata) == {OWNER_LABEL: "uid", "env": "prod", "x": "a=b"}
    assert (sent(server).options.if_version, sent(server).options.dry_run) == ("3", True)


@pytest.fixture
def changing(server: EssServer) -> None:
    changes = [
        ess_pb2.KeyChange(key=key, kind=kind)  # type: ignore[arg-type]
        for key, kind in (("new", "ADDED"), ("old", "UPDATED"), ("env", "METADATA"))
    ]
    server.answers["ApplySecret"] = lambda request, _: ess_pb2.ApplySecretResponse(
        changed=True, changes=changes, version="" if request.options.dry_run else "4"
    )


@pytest.mark.usefixtures("changing")
@pytest.mark.parametrize(
    ("arguments", "headline"),
    [([], "team-a/db changed, now version 4"), (["--dry-run"], "team-a/db would change")],
    ids=["apply", "dry run"],
)
def test_changes_are_listed_by_key_without_values(run: Run, arguments: list[str], headline: str) -> None:
    result = run(*WHERE, f"new={CANARY}", f"old={CANARY}", *arguments)
    assert result.output.splitlines() == [headline, "  + new", "  ~ old", "  ~ env (metadata)"]


@pytest.mark.usefixtures("changing")
def test_json_lists_changes_without_values(run: Run) -> None:
    result = run(*WHERE, f"new={CANARY}", "-o", "json")
    document = json.loads(result.output)
    assert (document["changed"], document["version"], document["dryRun"]) == (True, "4", False)
    assert {"key": "old", "change": "UPDATED"} in document["changes"]
    assert CANARY not in result.output


def test_unchanged_is_told(run: Run, server: EssServer) -> None:
    assert run(*WHERE, "a=b").output == "team-a/db unchanged\n"


def test_refusal_ends_with_one_and_shows_no_value(run: Run, server: EssServer) -> None:
    server.fail("ApplySecret", NotOwner("existing secret team-a/db is not owned"))
    result = run(*WHERE, f"a={CANARY}")
    assert result.exit_code == 1
    assert "NOT_OWNER" in result.stderr
    assert CANARY not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [*WHERE, CANARY],
        [*WHERE, f"bad key={CANARY}"],
        [*WHERE, f"a={CANARY}", "a=again"],
        [*WHERE, "a=@-", "b=@-"],
        [*WHERE, "a=@/no/such/file"],
        [*WHERE, "--label", "novalue"],
        ["apply", "files", "team-a/db"],
        ["apply", "LocalConfig/files", "a/../b"],
        ["apply", "LocalConfig/files"],
        [*WHERE, "--endpoint", "nonsense"],
        [*WHERE, "--endpoint", "localhost:4040"],
        [*WHERE, "--timeout", "0"],
    ],
    ids=lambda arguments: " ".join(arguments[3:]) or "names",
)
def test_wrong_usage_ends_with_two_before_anything_is_sent(
    run: Run, server: EssServer, arguments: list[str]
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert CANARY not in result.output
    assert server.received == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a=1", "b=1", "a=2"], "the key a is given twice"),
        (["--endpoint", "localhost:4040"], "localhost:4040 is reached over TLS only: give --certs-dir"),
    ],
    ids=["key-twice", "no-certificates"],
)
def test_wrong_usage_is_told_in_the_words_of_the_command_line(
    run: Run, arguments: list[str], told: str
) -> None:
    assert told in run(*WHERE, *arguments).stderr


def test_too_large_a_file_is_refused(run: Run, server: EssServer, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(MAX_DATA_BYTES * 1000)
    result = run(*WHERE, f"f=@{tmp_path / 'file'}")
    assert result.exit_code == 1
    assert "TOO_LARGE" in result.stderr
    assert server.received == []
