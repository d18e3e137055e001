"""`store-plugin get`: a secret, its values hidden until they are asked for."""

import base64
import sys

import click

from store_plugin.cli._failures import Failure
from store_plugin.cli._output import Plain, emit, emit_table
from store_plugin.cli._parameters import (
    config_argument,
    name_argument,
    output_option,
    parse_key,
    parsed_by,
    with_client,
)
from store_plugin.cli._printable import say
from store_plugin.client import Client, FetchedSecret
from store_plugin.model import ConfigReference, ScopedName

_MASK = "********"


@click.command()
@config_argument
@name_argument
@click.argument("key", metavar="[KEY]", required=False, type=parsed_by(parse_key))
@click.option("--reveal", is_flag=True, help="Show the values instead of asterisks.")
@click.option("--version", metavar="VERSION", help="An older version, where the store keeps them.")
@output_option("raw")
@with_client
def get(
    client: Client,
    config: ConfigReference,
    name: ScopedName,
    key: str | None,
    reveal: bool,
    version: str | None,
    output: str,
) -> None:
    """Show a secret.

    Values are hidden unless --reveal is given; one that is not printable text is shown as
    base64 and marked so. With a KEY, --reveal and -o raw the exact bytes of that value are
    written.

    A secret that does not exist is not an error: it is empty, and that is said (exit code
    0). A KEY that is not there is one (exit code 1).
    """
    if output == "raw" and not (key and reveal):
        raise click.UsageError("-o raw writes the bytes of one value: give a KEY and --reveal")
    secret = client.get(config, name, version=version)
    if key is not None:
        secret = _only(key, secret, name)
    if output == "raw" and key is not None:
        sys.stdout.buffer.write(secret.data[key])
    elif output == "table":
        _show(secret, name, reveal)
    else:
        emit(_document(secret, config, name, reveal), output)


def _only(key: str, secret: FetchedSecret, name: ScopedName) -> FetchedSecret:
    if key not in secret.data:
        raise Failure(f"secret {name} has no key {key}")
    return FetchedSecret({key: secret.data[key]}, secret.metadata, secret.version)


def _show(secret: FetchedSecret, name: ScopedName, reveal: bool) -> None:
    if not secret.data and not secret.metadata:
        # Some stores give secrets no version, and then nobody can tell the two apart.
        told = f"secret {name} is empty" if secret.version else f"there is no secret {name}, or it is empty"
        click.echo(told, err=True)
        return
    rows = [(key, _cell(value, reveal)) for key, value in sorted(secret.data.items())]
    emit_table(("KEY", "VALUE"), rows)
    if secret.metadata:
        click.echo()
        emit_table(("LABEL", "VALUE"), sorted(secret.metadata.items()))
    if secret.version:
        say(f"\nversion {secret.version}")


def _cell(value: bytes, reveal: bool) -> str:
    if not reveal:
        return _MASK
    text = _as_text(value)
    return text if text is not None else f"{_base64(value)} (base64)"


def _document(secret: FetchedSecret, config: ConfigReference, name: ScopedName, reveal: bool) -> Plain:
    """Each value is an object with one entry: `text`, `base64`, or `masked`."""
    return {
        "config": str(config),
        "name": str(name),
        "version": secret.version,
        "metadata": dict(sorted(secret.metadata.items())),
        "data": {key: _value(value, reveal) for key, value in sorted(secret.data.items())},
    }


def _value(value: bytes, reveal: bool) -> Plain:
    if not reveal:
        return {"masked": True}
    text = _as_text(value)
    return {"text": text} if text is not None else {"base64": _base64(value)}


def _as_text(value: bytes) -> str | None:
    """The value as text; None where a terminal could take it for more than that."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
