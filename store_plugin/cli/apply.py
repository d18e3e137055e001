"""`store-plugin apply`: keys and labels into a secret."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click

from store_plugin.cli._output import change_lines, changes_document, emit
from store_plugin.cli._parameters import (
    config_argument,
    dry_run_option,
    name_argument,
    output_option,
    owner_option,
    parse_key,
    parse_label,
    parsed_by,
    with_client,
)
from store_plugin.cli._printable import say
from store_plugin.client import Client
from store_plugin.errors import InvalidRequest
from store_plugin.model import MAX_DATA_BYTES, Applied, ConfigReference, ScopedName


@dataclass(frozen=True, slots=True)
class Assignment:
    """A key, and where its value comes from; the value itself is read later."""

    key: str
    source: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Assignment":
        """`KEY=VALUE`, `KEY=@FILE` or `KEY=@-`."""
        key, equals, source = text.partition("=")
        if not equals:
            raise InvalidRequest("write KEY=VALUE, KEY=@FILE or KEY=@-")
        return cls(parse_key(key), source)

    @property
    def from_stdin(self) -> bool:
        return self.source == "@-"

    def value(self) -> bytes:
        """The value's bytes; a file's exactly as they are."""
        if self.source.startswith("@@"):
            return self.source[1:].encode("utf-8", "surrogateescape")
        if self.from_stdin:
            return sys.stdin.buffer.read(MAX_DATA_BYTES + 1)
        if self.source.startswith("@"):
            return _content(Path(self.source[1:]))
        return self.source.encode("utf-8", "surrogateescape")


@click.command()
@config_argument
@name_argument
@click.argument(
    "assignments", metavar="[KEY=VALUE|KEY=@FILE|KEY=@-]...", nargs=-1, type=parsed_by(Assignment.parse)
)
@owner_option
@click.option(
    "--label",
    "labels",
    metavar="K=V",
    multiple=True,
    type=parsed_by(parse_label),
    help="Metadata; repeatable.",
)
@dry_run_option
@click.option(
    "--if-version", metavar="VERSION", help="Only over this version; 0: only if there is no secret."
)
@output_option()
@with_client
def apply(
    client: Client,
    config: ConfigReference,
    name: ScopedName,
    assignments: tuple[Assignment, ...],
    owner: str | None,
    labels: tuple[tuple[str, str], ...],
    dry_run: bool,
    if_version: str | None,
    output: str,
) -> None:
    """Merge keys and labels into a secret.

    The secret is created where there is none; keys and labels that are not named stay as
    they are. What changed is listed by key: + added, ~ updated.

    KEY=@FILE takes the value from a file and KEY=@- from standard input, byte for byte,
    the newline at the end included. Prefer them: a VALUE on the command line is visible
    to everyone who may list processes (ps), and stays in the shell's history. A VALUE that
    begins with @ is written KEY=@@...
    """
    applied = client.apply(
        config,
        name,
        _data(assignments),
        dict(labels),
        owner=owner,
        dry_run=dry_run,
        if_version=if_version,
    )
    if output == "table":
        say("\n".join([_headline(name, applied, dry_run), *change_lines(applied.changes)]))
    else:
        emit(
            {
                "config": str(config),
                "name": str(name),
                "dryRun": dry_run,
                "changed": applied.changed,
                "changes": changes_document(applied.changes),
                "version": applied.version,
            },
            output,
        )


def _data(assignments: tuple[Assignment, ...]) -> dict[str, bytes]:
    for key, number in Counter(assignment.key for assignment in assignments).items():
        if number > 1:
            raise click.UsageError(f"the key {key} is given twice")
    if sum(assignment.from_stdin for assignment in assignments) > 1:
        raise click.UsageError("only one value can come from standard input")
    return {assignment.key: assignment.value() for assignment in assignments}


def _content(path: Path) -> bytes:
    """One byte more than allowed at most, so that the size is refused with a message."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_DATA_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}") from None


def _headline(name: ScopedName, applied: Applied, dry_run: bool) -> str:
    if not applied.changed:
        return f"{name} unchanged"
    if dry_run:
        return f"{name} would change"
    return f"{name} changed" + (f", now version {applied.version}" if applied.version else "")
