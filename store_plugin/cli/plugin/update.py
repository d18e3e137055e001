"""`store-plugin plugin update`: a new version in place of the one that runs, in one step."""

from pathlib import Path

import click

from store_plugin.cli.plugin._identity import Said, identity_of
from store_plugin.cli.plugin._incoming import Named, incoming_options
from store_plugin.cli.plugin._running import let_run
from store_plugin.cli.plugin._shared import layout_of, name_argument, plugins_dir_option
from store_plugin.cli.plugin._sidecar import control_socket_option
from store_plugin.cli.plugin._waiting import Wait, wait_options


@click.command()
@name_argument
@click.argument("what", metavar="[PATH|WHEEL|DIR|NAME==VERSION]", required=False)
@click.option("--version", metavar="VERSION", help="Its version; left out: as it says itself.")
@incoming_options
@wait_options
@plugins_dir_option
@control_socket_option
def update(
    name: str,
    what: str | None,
    version: str | None,
    named: Named,
    wait: Wait | None,
    plugins_dir: Path,
    control_socket: Path | None,
) -> None:
    """Install, register and enable a new version of a plugin.

    It runs with the settings of the version before: arguments, variables, limits, times. With
    --repository the newest version there is taken, or the one that is named. A sidecar that runs starts
    it beside the old one, and changes over when it is ready; where it does not get ready, the old one
    stays.
    """
    from store_plugin.lifecycle.administration.installing import Installer
    from store_plugin.lifecycle.administration.registering import Registrar
    from store_plugin.lifecycle.administration.updating import check_same, next_version, settings_of

    if what is None and named.repository is None:
        raise click.UsageError("update to what? Name a file, or a --repository")
    layout = layout_of(plugins_dir)
    registrar = Registrar(layout)
    before = settings_of(registrar, name)
    with named.incoming(what or name) as incoming:
        digest = Installer(layout).install(incoming).digest
    origin = registrar.origins.get(digest)
    found = identity_of(registrar, digest, origin, Said(name if version else None, version))
    check_same(name, found[0], origin)
    registration = next_version(registrar, before, found[1], digest)
    click.echo(f"registered {name} {registration.version}, sha256 {digest}")
    let_run(layout, name, registration.version, wait, control_socket)
