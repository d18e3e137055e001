"""`store-plugin copy`: secrets from one store to another, in this process.

The protocol has no call to list secrets, so this works on a config directory and opens
both stores itself; no sidecar is needed. The rules are those of every apply: the engine
of the target checks owner and limits.
"""

import asyncio
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._completing import complete_config
from store_plugin.cli._failures import EXIT_REFUSED, Failure
from store_plugin.cli._parameters import dry_run_option, parsed_by
from store_plugin.cli._printable import say
from store_plugin.client import parse_config
from store_plugin.errors import StorePluginError
from store_plugin.model import NO_SECRET, ConfigReference, ScopedName, Secret

if TYPE_CHECKING:
    from store_plugin.engine import Engine

_SECONDS_PER_SECRET = 30.0
_KEEPS = "has it with other content, and keeps that: its updatePolicy is IfNotExists"


class Outcome(Enum):
    """What became of one secret."""

    COPIED = "copied"
    WOULD_COPY = "would copy"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Report:
    """One secret's line."""

    name: ScopedName
    outcome: Outcome
    why: str = ""

    def __str__(self) -> str:
        return f"{self.outcome.value} {self.name}" + (f": {self.why}" if self.why else "")


@click.command()
@click.argument("source", metavar="FROM", type=parsed_by(parse_config), shell_complete=complete_config)
@click.argument("target", metavar="TO", type=parsed_by(parse_config), shell_complete=complete_config)
@click.argument("names", metavar="[SCOPE/NAME]...", nargs=-1, type=parsed_by(ScopedName.parse))
@click.option(
    "--config-dir",
    metavar="DIR",
    envvar="STORE_PLUGIN_CONFIG_DIR",
    show_envvar=True,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory that declares both store configs.",
)
@click.option(
    "--scope", metavar="SCOPE", default="", help="Only secrets below this scope; all of them by default."
)
@dry_run_option
@click.option("--overwrite", is_flag=True, help="Also merge into secrets that exist with other content.")
def copy(
    source: ConfigReference,
    target: ConfigReference,
    names: tuple[ScopedName, ...],
    config_dir: Path,
    scope: str,
    dry_run: bool,
    overwrite: bool,
) -> None:
    """Copy secrets from one store to another.

    FROM and TO are store configs, KIND/NAME. Without names all secrets are copied that
    FROM can list; where it cannot list, give them. Keys, values and labels, the owner's
    too, arrive as they are. A secret that exists in TO with other content is refused
    unless --overwrite is given; even then nothing in it is removed. Where TO keeps what it
    has (updatePolicy: IfNotExists) it is refused with --overwrite too.

    What FROM holds under a name that is no scoped name, such as one with a space in it, is
    left out without a word: no config can reach it.

    Each secret is reported: copied, unchanged, or refused and why. Ends with exit code 1
    where one was refused. Values are never shown.
    """
    if source == target:
        raise click.UsageError("FROM and TO are the same store config")
    if names and scope:
        raise click.UsageError("give either names or --scope, not both")
    job = _Job(source, target, names, scope, dry_run, overwrite)
    counts = asyncio.run(job.run(config_dir))
    click.echo(
        ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
        or "nothing to copy"
    )
    if counts[Outcome.REFUSED]:
        raise SystemExit(EXIT_REFUSED)


@dataclass(frozen=True, slots=True)
class _Job:
    source: ConfigReference
    target: ConfigReference
    names: tuple[ScopedName, ...]
    scope: str
    dry_run: bool
    overwrite: bool

    async def run(self, config_dir: Path) -> dict[Outcome, int]:
        """Copy one by one; returns how many ended in which way."""
        from store_plugin.cli._opening import open_directory

        counts = dict.fromkeys(Outcome, 0)
        async with open_directory(config_dir) as opened:
            with (
                await opened.router.lease(self.source) as source,
                await opened.router.lease(self.target) as target,
            ):
                names = self.names or await self._listed(source.engine)
                for number, name in enumerate(names, start=1):
                    _show_progress(number, len(names))
                    report = await self._reported(source.engine, target.engine, name)
                    counts[report.outcome] += 1
                    _clear_progress()
                    say(str(report))
        return counts

    async def _listed(self, engine: "Engine") -> tuple[ScopedName, ...]:
        if not engine.store.capabilities.listing:
            raise Failure(f"{self.source} cannot list its secrets: give their names")
        return tuple(sorted([name async for name in engine.store.names(self.scope)], key=str))

    async def _reported(self, source: "Engine", target: "Engine", name: ScopedName) -> Report:
        try:
            async with asyncio.timeout(_SECONDS_PER_SECRET):
                return await self._copy(source, target, name)
        except TimeoutError:
            return Report(name, Outcome.REFUSED, f"not done within {_SECONDS_PER_SECRET:g} s")
        except StorePluginError as error:
            return Report(name, Outcome.REFUSED, error.message)

    async def _copy(self, source: "Engine", target: "Engine", name: ScopedName) -> Report:
        found = await source.get(name)
        if not found.present:
            return Report(name, Outcome.REFUSED, f"there is no such secret in {self.source}")
        deadline = asyncio.get_running_loop().time() + _SECONDS_PER_SECRET
        planned = await target.apply(name, found.secret, deadline=deadline, dry_run=True)
        if not planned.changed:
            if target.rules.keep_existing and _lacks((await target.get(name)).secret, found.secret):
                return Report(name, Outcome.REFUSED, f"{self.target} {_KEEPS}")
            return Report(name, Outcome.UNCHANGED)
        if not self.overwrite and (await target.get(name)).present:
            return Report(
                name, Outcome.REFUSED, f"it exists in {self.target} with other content (--overwrite)"
            )
        if self.dry_run:
            return Report(name, Outcome.WOULD_COPY)
        # Where the store can, nobody else's secret of this moment is merged into either.
        must_be_new = not self.overwrite and target.store.capabilities.compare_and_set
        if_version = NO_SECRET if must_be_new else None
        await target.apply(name, found.secret, deadline=deadline, if_version=if_version)
        return Report(name, Outcome.COPIED)


def _lacks(held: Secret, wanted: Secret) -> bool:
    """Whether a key or label of `wanted` is missing from `held`, or is another there."""
    from store_plugin.engine.merging import differences, merge

    return bool(differences(held, merge(held, wanted)))


def _show_progress(number: int, total: int) -> None:
    """A line that the next one replaces, for a person at a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r{number}/{total} ", err=True, nl=False)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
