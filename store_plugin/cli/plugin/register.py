"""`store-plugin plugin register`: an executable becomes a version of a plugin."""

from pathlib import Path

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._identity import Said, identity_of
from store_plugin.cli.plugin._shared import layout_of, plugins_dir_option, say_next


@click.command()
@click.argument("what", metavar="FILE|DIGEST|NAME")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How it is run: arguments, variables it may see, limits, times (YAML).",
)
@click.option("--name", metavar="NAME", help="Its name; left out: as in the config, or as it says itself.")
@click.option(
    "--version", metavar="VERSION", help="Its version; left out: as in the config, or as it says itself."
)
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
    said = Said(name or given.name, version or given.version)
    found_name, found_version = identity_of(registrar, digest, origin, said)
    registration = checked(found_name, found_version, digest, registrar.signer_of(digest), given)
    registrar.register(registration)
    if output != "table":
        emit(registration.model_dump(mode="json", by_alias=True), output)
        return
    signer = f"signed by {registration.signer}" if registration.signer else "not signed"
    click.echo(f"registered {registration.name} {registration.version}, sha256 {digest}, {signer}")
    say_next(f"enable {registration.name} {registration.version}")
