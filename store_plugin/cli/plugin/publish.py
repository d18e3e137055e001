"""`store-plugin plugin publish`: a repository is a directory with an index."""

import asyncio
from pathlib import Path

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import note, signature_option


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--repository",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The repository: served by any web server, or mounted, as it is.",
)
@click.option("--name", metavar="NAME", help="Its name; left out: as it says itself, for which it is run.")
@click.option(
    "--version", metavar="VERSION", help="Its version; left out: as it says itself, for which it is run."
)
@signature_option
@click.option(
    "--sign-key",
    metavar="KEY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign it with this private key (PEM, ECDSA P-256 or Ed25519, not encrypted).",
)
@output_option()
def publish(
    file: Path,
    repository: Path,
    name: str | None,
    version: str | None,
    signature: Path | None,
    sign_key: Path | None,
    output: str,
) -> None:
    """Put an executable into a repository.

    The file is there before the index names it, and what was published does not change: give what
    differs another version.
    """
    from store_plugin.lifecycle.administration.describing import described
    from store_plugin.lifecycle.administration.trust import read_signature
    from store_plugin.lifecycle.repository.publishing import Publication, publish, signed

    if signature is not None and sign_key is not None:
        raise click.UsageError("pass --signature or --sign-key, not both")
    if name is None or version is None:
        note(f"running {file} --describe to ask for its name and version")
        told = asyncio.run(described(file))
        name, version = name or told.name, version or told.version
    text = signed(file, sign_key) if sign_key else read_signature(signature) if signature else None
    release = publish(repository, Publication(file.absolute(), name, version, text))
    if output != "table":
        emit(release.model_dump(mode="json", by_alias=True), output)
        return
    click.echo(f"published {release.name} {release.version} as {repository / release.file}")
    click.echo("signed" if release.signature else "not signed")
    click.echo(f"now: store-plugin plugin install {release.name} --repository {repository}")
