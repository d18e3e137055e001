"""`store-plugin delete`: keys of a secret, or all of it."""

import sys

import click

from store_plugin.cli._output import change_lines, changes_document, emit
from store_plugin.cli._parameters import (
    config_argument,
    dry_run_option,
    name_argument,
    output_option,
    owner_option,
    parse_key,
    parsed_by,
    with_client,
)
from store_plugin.client import Client
from store_plugin.errors import DocumentInvalid
from store_plugin.model import ChangeKind, ConfigReference, KeyChange, ScopedName


@click.command()
@config_argument
@name_argument
@click.argument("keys", metavar="[KEY]...", nargs=-1, type=parsed_by(parse_key))
@owner_option
@click.option("--keep-empty", is_flag=True, help="Leave an empty secret behind instead of none.")
@dry_run_option
@click.option("--yes", is_flag=True, help="Remove a whole secret without asking.")
@output_option()
@with_client
def delete(
    client: Client,
    config: ConfigReference,
    name: ScopedName,
    keys: tuple[str, ...],
    owner: str | None,
    keep_empty: bool,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Remove keys of a secret, or the whole secret.

    Without a KEY the whole secret goes, with all its versions. That is asked for first;
    where nobody can be asked it needs --yes, so that a script whose list of keys came out
    empty removes nothing. What is not there is not an error.
    """
    if keys:
        changes = client.delete_keys(config, name, keys, owner=owner, keep_empty=keep_empty, dry_run=dry_run)
    else:
        if not (yes or dry_run):
            _confirm(config, name)
        changes = client.delete(config, name, owner=owner, keep_empty=keep_empty, dry_run=dry_run)
    if output == "table":
        whole = not (changes or keys or keep_empty)
        headline = _without_keys(client, config, name, dry_run) if whole else _headline(changes, dry_run)
        click.echo("\n".join([f"{name}: {headline}", *change_lines(changes)]))
    else:
        emit(
            {
                "config": str(config),
                "name": str(name),
                "dryRun": dry_run,
                "changes": changes_document(changes),
            },
            output,
        )


def _confirm(config: ConfigReference, name: ScopedName) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"no KEY is given: to remove all of {name} from {config}, add --yes")
    click.confirm(f"Remove all of {name} from {config}?", abort=True, err=True)


def _headline(changes: tuple[KeyChange, ...], dry_run: bool) -> str:
    if not changes:
        return "no key to remove"
    # Of how much: "removed" alone reads as if the whole secret were gone.
    keys = sum(change.kind is ChangeKind.REMOVED for change in changes)
    number = f"{keys} key{'s' * (keys != 1)}"
    return f"{'would remove' if dry_run else 'removed'} {number}"


def _without_keys(client: Client, config: ConfigReference, name: ScopedName, dry_run: bool) -> str:
    """What deleting all of a secret does that has no keys, or none that can be read: the answer
    names no key, and is the same where there is no secret."""
    if not dry_run:
        return "no key to remove; a secret that was empty, or could not be read, is gone"
    try:
        found = client.get(config, name)
    except DocumentInvalid:
        return "would remove the secret, which cannot be read"
    if found.version or found.metadata:
        return "would remove the secret, which has no keys"
    return "no key to remove; a secret that is empty would go"
