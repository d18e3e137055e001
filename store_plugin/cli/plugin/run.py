"""`store-plugin plugin run --dev`: a plugin that nobody has registered, over a hub of its own."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._printable import say
from store_plugin.cli.plugin._launching import config_option, launch_of, launch_options

if TYPE_CHECKING:
    from store_plugin.authoring.trial import Launch, StoreManifest, Trial


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--dev", is_flag=True, help="Yes, run it although nobody registered it.")
@config_option(required=False)
@click.option(
    "--once", is_flag=True, help="End when it is connected and tried, instead of showing its output."
)
@launch_options
def run(
    command: tuple[str, ...], variables: tuple[str, ...], dev: bool, config: Path | None, once: bool
) -> None:
    """Run a plugin that is not registered, to try it.

    It runs as your user, with a hub that is thrown away afterwards. With --config a secret is written,
    read and deleted in a store of its kind. Ends with the plugin, or with Ctrl-C.
    """
    from store_plugin.authoring.manifests import read_manifest

    if not dev:
        raise click.UsageError("it is not registered: pass --dev to run it nevertheless")
    manifest = read_manifest(config) if config else None
    try:
        code = asyncio.run(_run(launch_of(command, variables), manifest, once))
    except KeyboardInterrupt:
        return
    raise SystemExit(1 if code else 0)


async def _run(launch: "Launch", manifest: "StoreManifest | None", once: bool) -> int:
    from store_plugin.authoring.trial import trial

    async with trial(launch, lambda line: say(f"  | {line}"), os.environ) as connected:
        _tell(connected)
        if manifest is not None:
            await _try(connected, manifest)
        return 0 if once else await connected.process.ended()


def _tell(connected: "Trial") -> None:
    peer = connected.peer
    click.echo(f"connected: {peer.name} {peer.version}, pid {connected.process.pid}")
    for kind in peer.kinds:
        click.echo(f"kind: {kind.kind} ({kind.api_version})")
    for service in peer.services:
        click.echo(f"service: {service}")


async def _try(connected: "Trial", manifest: "StoreManifest") -> None:
    from store_plugin.authoring.trying import walk

    store = await connected.open(manifest)
    try:
        async for line in walk(store):
            say(line)
    finally:
        await store.aclose()
