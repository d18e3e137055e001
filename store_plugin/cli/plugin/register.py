"""`store-plugin plugin register`: an executable becomes a version of a plugin."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import layout_of, note, plugins_dir_option, say_next

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.origins import Origin
    from store_plugin.lifecycle.administration.registering import Registrar, RegistrationConfig


@click.command()
@click.argument("what", metavar="FILE|DIGEST|NAME")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How it is run: arguments, variables it may see, limits, times (YAML).",
)
@click.option("--name", help="Its name; left out: as in the config, or as it says itself.")
@click.option("--version", help="Its version; left out: as in the config, or as it says itself.")
@plugins_dir_option
@output_option()
def register(
    what: str, config: Path | None, name: str | None, version: str | None, plugins_dir: Path, output: str
) -> None:
    """Have an installed executable known as a version of a plugin.

    Only what is registered is run, and only with the very content it was registered with. A version
    never changes: give what differs another one. Where neither you nor the repository says what it
    is, it is run with --describe to ask.
    """
    from store_plugin.lifecycle.administration.choosing import installed_executable
    from store_plugin.lifecycle.administration.registering import Registrar, RegistrationConfig, read_config
    from store_plugin.lifecycle.administration.registering import registration as checked

    registrar = Registrar(layout_of(plugins_dir))
    digest, origin = installed_executable(registrar, what)
    given = read_config(config) if config else RegistrationConfig()
    found_name, found_version = _identity(registrar, digest, origin, given, name, version)
    registration = checked(found_name, found_version, digest, registrar.signer_of(digest), given)
    registrar.register(registration)
    if output != "table":
        emit(registration.model_dump(mode="json", by_alias=True), output)
        return
    signer = f"signed by {registration.signer}" if registration.signer else "not signed"
    click.echo(f"registered {registration.name} {registration.version}, sha256 {digest}, {signer}")
    say_next(f"enable {registration.name} {registration.version}")


def _identity(
    registrar: "Registrar",
    digest: str,
    origin: "Origin | None",
    given: "RegistrationConfig",
    name: str | None,
    version: str | None,
) -> tuple[str, str]:
    """Name and version: the person's words count most, then the config's, then its origin's."""
    name = name or given.name or (origin.name if origin else None)
    version = version or given.version or (origin.version if origin else None)
    if name is None or version is None:
        from store_plugin.lifecycle.administration.describing import describe

        note("running it with --describe to ask for its name and version")
        told = asyncio.run(describe(registrar.content.path(digest), digest))
        name, version = name or told.name, version or told.version
    return name, version
