"""What others wrote never reaches the terminal as more than text, whatever is printed and how."""

import json
from collections.abc import Sequence

import click
import pytest
import yaml

from store_plugin._proto import ess_pb2
from store_plugin.cli._connecting import Finding
from store_plugin.cli._failures import failure_of
from store_plugin.cli._output import change_lines, emit, emit_table
from store_plugin.errors import StoreUnavailable
from store_plugin.model import ChangeKind, KeyChange
from tests.cli.conftest import Run
from tests.client.ess_server import EssServer

TITLE = "\x1b]0;owned\x07"
"""Sets a terminal's title; `click.echo` takes out colours only, and those only for files."""
HOSTILE = [TITLE, "\x9b2J", "\r", "\x08", "\x7f", "\u202e", "\u2028", "\U000e0041"]
HARMLESS = set("\n\t")
WHERE = ("LocalConfig/files", "team-a/db")


def only_text(shown: str) -> bool:
    return all(letter.isprintable() or letter in HARMLESS for letter in shown)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("arguments", [(), ("-o", "json"), ("-o", "yaml")], ids=["table", "json", "yaml"])
@pytest.mark.parametrize("asked", [("get",), ("get", "--reveal"), ("apply", "k=v"), ("delete", "k")])
def test_a_stored_name_label_or_version_is_text(
    server: EssServer, run: Run, hostile: str, arguments: Sequence[str], asked: Sequence[str]
) -> None:
    secret = ess_pb2.Secret(metadata={f"l{hostile}": hostile}, data={f"k{hostile}": hostile.encode()})
    changes = [ess_pb2.KeyChange(key=f"k{hostile}", kind="UPDATED")]
    version = f"7{hostile}"
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=secret, version=version)
    server.answers["ApplySecret"] = lambda *_: ess_pb2.ApplySecretResponse(
        changed=True, changes=changes, version=version
    )
    server.answers["DeleteKeys"] = lambda *_: ess_pb2.DeleteKeysResponse(changes=changes)
    command, *more = asked
    shown = run(command, *WHERE, *more, *arguments)
    assert shown.exit_code == 0
    assert only_text(shown.output)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_servers_error_is_text(server: EssServer, run: Run, hostile: str) -> None:
    server.fail("GetSecret", StoreUnavailable(f"the server answers: {hostile}"))
    shown = run("get", *WHERE)
    assert shown.exit_code == 3
    assert "the server answers" in shown.output
    assert only_text(shown.output)
    assert only_text(failure_of(StoreUnavailable(hostile)).message)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_documents_say_the_same_to_programs(capsys: pytest.CaptureFixture[str], hostile: str) -> None:
    document = {"é": [hostile, "two\nlines", "日本"]}
    emit(document, "json")
    text = capsys.readouterr().out
    assert only_text(text)
    assert "日本" in text
    assert json.loads(text) == document
    emit(document, "yaml")
    text = capsys.readouterr().out
    assert only_text(text)
    assert yaml.safe_load(text) == document


@pytest.mark.parametrize("hostile", HOSTILE)
def test_lines_for_people_are_text(capsys: pytest.CaptureFixture[str], hostile: str) -> None:
    emit_table(["NAME"], [[f"a{hostile}"]])
    click.echo(str(Finding("error", "here", hostile)))
    click.echo("\n".join(change_lines([KeyChange(f"k{hostile}", ChangeKind.ADDED)])))
    assert only_text(capsys.readouterr().out)


def test_a_cell_may_have_lines(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(["NAME"], [["one\ntwo"]])
    assert capsys.readouterr().out.splitlines() == ["NAME", "one", "two"]
