"""`store-plugin config check`: what is wrong with a config directory, before a sidecar uses it."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import click

from store_plugin.cli._failures import EXIT_REFUSED
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference

_CONNECT_SECONDS = 30.0
"""Longest that one store may take to be opened and checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result: `level` is `ok`, `warning` or `error`."""

    level: str
    where: str
    message: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<7} {self.where}"
        return f"{line}: {self.message}" if self.message else line


@click.group()
def config() -> None:
    """Look after store configs."""


@config.command()
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--connect", is_flag=True, help="Also open each store, log in and check that it can be used.")
def check(directory: Path, connect: bool) -> None:
    """Tell everything that is wrong in a directory of store configs.

    Each problem comes with file and line. Warnings name what is allowed and should be
    known, such as a config that everyone may use. Ends with exit code 1 where there is
    any error.
    """
    findings, configs = _declared(directory)
    if connect:
        findings += asyncio.run(_connected(directory))
    for finding in findings:
        click.echo(str(finding))
    errors, warnings = (sum(f.level == level for f in findings) for level in ("error", "warning"))
    click.echo(f"{_count(configs, 'config')}, {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        raise SystemExit(EXIT_REFUSED)


def _declared(directory: Path) -> tuple[list[Finding], int]:
    """What the manifests say, and how many configs they declare."""
    from store_plugin.config.check import check_directory
    from store_plugin.config.declarations import Problem
    from store_plugin.store import served_kinds

    def finding(level: str, problem: Problem) -> Finding:
        if problem.file == str(directory):
            return Finding(level, problem.place, problem.message)
        return Finding(
            level, f"{directory / problem.file}{problem.place[len(problem.file) :]}", problem.message
        )

    found = check_directory(directory, served_kinds(), os.environ)
    errors = [finding("error", problem) for problem in found.problems]
    warnings = [finding("warning", problem) for problem in found.warnings]
    return errors + warnings, len(found.reading.configs)


async def _connected(directory: Path) -> list[Finding]:
    """What the stores of all valid configs say, all of them asked at once."""
    from store_plugin.cli._directory import open_directory
    from store_plugin.dispatch.router import Router

    async def ask(router: Router, reference: ConfigReference) -> list[Finding]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                with await router.lease(reference) as lease:
                    warnings = await lease.engine.store.check()
        except StorePluginError as error:
            return [Finding("error", str(reference), error.message.removeprefix(f"{reference}: "))]
        except TimeoutError:
            return [Finding("error", str(reference), f"no answer within {_CONNECT_SECONDS:g} s")]
        return [Finding("ok", str(reference)), *(Finding("warning", str(reference), w) for w in warnings)]

    async with open_directory(directory) as opened:
        usable = sorted(
            (config.reference for config in opened.table.all() if config.spec is not None), key=str
        )
        found = await asyncio.gather(*(ask(opened.router, reference) for reference in usable))
    return [finding for findings in found for finding in findings]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
