"""`store-plugin plugin install`: an executable comes into the plugins directory."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import (
    SHORT,
    build_options,
    layout_of,
    note,
    plugins_dir_option,
    say_next,
    signature_option,
    sources,
)

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.installing import Incoming, Installed
    from store_plugin.lifecycle.packages.pip import Sources


@click.command()
@click.argument("what", metavar="PATH|WHEEL|DIR|NAME[==VERSION]")
@click.option("--repository", metavar="DIR|URL", help="Take NAME from there: a directory, or https://.")
@signature_option
@click.option(
    "--key",
    metavar="PUB",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key that must have signed it; left out: any of the trusted ones.",
)
@build_options
@plugins_dir_option
@output_option()
def install(
    what: str,
    repository: str | None,
    signature: Path | None,
    key: Path | None,
    wheels: Path | None,
    from_index: bool,
    plugins_dir: Path,
    output: str,
) -> None:
    """Bring an executable into the plugins directory.

    It is copied by its SHA-256, and run from nowhere else. A Python project or a wheel is built into
    one file first. Nothing is run by this: the next step is to register it.
    """
    from store_plugin.lifecycle.administration.installing import Installer

    installer = Installer(layout_of(plugins_dir))
    with tempfile.TemporaryDirectory(prefix="store-plugin-install-") as temporary:
        if repository is not None:
            incoming = _fetched(repository, what, key, Path(temporary))
        else:
            incoming = _local(Path(what), signature, key, sources(wheels, from_index), Path(temporary))
        installed = installer.install(incoming)
    _show(incoming, installed, output)


def _fetched(repository: str, what: str, key: Path | None, directory: Path) -> "Incoming":
    from store_plugin.lifecycle.administration.installing import Incoming
    from store_plugin.lifecycle.repository.fetching import fetch

    name, _, version = what.partition("==")
    fetched = fetch(repository, name, version or None, directory)
    release = fetched.release
    return Incoming(
        fetched.file,
        f"{fetched.where}#{release.file}",
        name=release.name,
        version=release.version,
        digest=release.digest,
        signature=release.signature,
        key=key,
    )


def _local(
    path: Path, signature: Path | None, key: Path | None, given: "Sources", temporary: Path
) -> "Incoming":
    from store_plugin.lifecycle.administration.installing import Incoming
    from store_plugin.lifecycle.administration.trust import read_signature
    from store_plugin.lifecycle.packages.building import build, is_buildable

    text = read_signature(signature) if signature else None
    if not is_buildable(path):
        return Incoming(path, str(path.absolute()), signature=text, key=key)
    note(f"building {path} with pip")
    built = build(path, temporary / "plugin.pyz", given)
    return Incoming(built.file, str(path.absolute()), built.name, built.version, signature=text, key=key)


def _show(incoming: "Incoming", installed: "Installed", output: str) -> None:
    if output != "table":
        emit(
            {
                "name": incoming.name,
                "version": incoming.version,
                "digest": installed.digest,
                "signer": installed.signer,
                "new": installed.new,
            },
            output,
        )
        return
    named = " ".join(filter(None, (incoming.name, incoming.version))) or incoming.source
    click.echo(f"{'installed' if installed.new else 'already installed:'} {named}, sha256 {installed.digest}")
    click.echo(f"signed by {installed.signer}" if installed.signer else "not signed")
    say_next(f"register {incoming.name or installed.digest[:SHORT]}")
