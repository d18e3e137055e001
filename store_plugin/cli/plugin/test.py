"""`store-plugin plugin test`: the contract of stores against an executable."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._failures import EXIT_REFUSED, Failure
from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli._printable import say
from store_plugin.cli.plugin._launching import config_option, launch_of, launch_options
from store_plugin.cli.plugin._shared import note

if TYPE_CHECKING:
    from store_plugin.authoring.contract import Outcome

_LIBRARIES = ("pytest", "pytest_asyncio", "hypothesis")


@click.command(context_settings={"ignore_unknown_options": True})
@config_option(required=True)
@click.option("-k", "chosen", metavar="WORD", default="", help="Only rules with this word in their name.")
@launch_options
@output_option()
def test(
    command: tuple[str, ...], variables: tuple[str, ...], config: Path, chosen: str, output: str
) -> None:
    """Run the contract of stores against a plugin.

    CMD starts it, whatever it is written in. It finds the hub in STORE_PLUGIN_HUB_ENDPOINT, or where
    an argument says {endpoint}. Each rule gets an empty scope of the store that --config describes.
    Ends with exit code 1 where a rule is broken.
    """
    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise Failure(f"this needs {', '.join(missing)}: pip install 'store-plugin[all,testing]'")
    from store_plugin.authoring.contract import prove
    from store_plugin.authoring.manifests import read_manifest

    manifest, launch = read_manifest(config), launch_of(command, variables)
    note(f"running {' '.join(command)} with a hub of its own")
    outcomes = prove(launch, manifest, chosen.replace(" ", "_"))
    if not outcomes:
        raise Failure(f"no rule that applies to it has {chosen!r} in its name")
    _show(outcomes, output)
    if not all(outcome.passed for outcome in outcomes):
        raise SystemExit(EXIT_REFUSED)


def _show(outcomes: "Sequence[Outcome]", output: str) -> None:
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if output != "table":
        rules = [asdict(outcome) for outcome in outcomes]
        emit({"passed": len(outcomes) - len(failed), "failed": len(failed), "rules": rules}, output)
        return
    for outcome in outcomes:
        click.echo(f"{'ok    ' if outcome.passed else 'failed'}  {outcome.rule}")
        for line in outcome.problem.splitlines():
            say(f"          {line}")
    click.echo(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
