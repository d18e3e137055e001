"""`store-plugin config check`: what is wrong with store configs, before a sidecar uses them."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store_plugin.cli._extras import missing_extra
from store_plugin.cli._failures import EXIT_REFUSED
from store_plugin.cli._output import emit
from store_plugin.cli._parameters import cluster_options, output_option, timeout_option
from store_plugin.cli._plugin_kinds import brought, with_plugin_kinds
from store_plugin.cli._trust_options import trust_options

if TYPE_CHECKING:
    from store_plugin.access.members import FleetMembers
    from store_plugin.cli._connecting import Finding
    from store_plugin.config.check import Check
    from store_plugin.config.declarations import Problem
    from store_plugin.config.kinds import Kinds

_CONNECT_SECONDS = 30.0
_NOT_ASKED = "not asked: only the sidecar that its plugin is connected to can ask the store"


@click.group()
def config() -> None:
    """Look after store configs."""


@config.command()
@click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--kubernetes", is_flag=True, help="Check the configs of a cluster instead of a directory.")
@cluster_options
@click.option("--connect", is_flag=True, help="Also open each store, log in and check that it can be used.")
@timeout_option(default=_CONNECT_SECONDS, help="Longest that one store may take, with --connect.")
@click.option(
    "--access-config",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="STORE_PLUGIN_ACCESS_CONFIG",
    show_envvar=True,
    help="How members of a fleet are logged in to, with --connect, as for serve.",
)
@trust_options()
@output_option()
@with_plugin_kinds
def check(
    kinds: "Kinds",
    directory: Path | None,
    kubernetes: bool,
    kubeconfig: Path | None,
    context: str | None,
    connect: bool,
    timeout: float,
    access_config: Path | None,
    output: str,
    **trust: Any,
) -> None:
    """Tell everything that is wrong in a directory of store configs, or in a cluster.

    Each problem comes with file and line, or with the config, and says what to do. Warnings
    name what is allowed and should be known, such as a config that everyone may use. Ends
    with exit code 1 where there is any error.

    With --connect all stores are asked at once; nothing is written to them. Configs of kinds
    that plugins bring are checked against the plugins' schemas where these are known.
    """
    if kubernetes is (directory is not None):
        raise click.UsageError("name a directory, or pass --kubernetes")
    if directory is None:
        checked = asyncio.run(_check_cluster(kubeconfig, context, kinds))
    else:
        checked = _check_directory(directory, kinds)
    findings = declared(directory, checked)
    if connect:
        from store_plugin.cli._connecting import Finding, connected
        from store_plugin.cli._opening import open_cluster, open_directory

        fleet = _fleet(access_config, kubeconfig=kubeconfig, context=context, **trust)
        opening = (
            open_cluster(kubeconfig, context, kinds, fleet)
            if directory is None
            else open_directory(directory, kinds, fleet)
        )
        elsewhere = brought(kinds, (config.reference for config in checked.reading.configs if config.spec))
        findings += asyncio.run(connected(opening, {*checked.without_credentials, *elsewhere}, timeout))
        findings += [Finding("warning", str(one), _NOT_ASKED) for one in elsewhere]
    else:
        findings += _not_installed(kinds, checked)
    _show(findings, len(checked.reading.configs), output)
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(EXIT_REFUSED)


def _fleet(access_config: Path | None, **options: Any) -> "FleetMembers | None":
    if access_config is None:
        return None
    from store_plugin.access.members import FleetMembers, FleetOptions

    return FleetMembers.of(FleetOptions(access_config, **options))


def _check_directory(directory: Path, kinds: "Kinds") -> "Check":
    from store_plugin.config.check import check_directory

    return check_directory(directory, kinds, os.environ)


async def _check_cluster(kubeconfig: Path | None, context: str | None, kinds: "Kinds") -> "Check":
    from store_plugin.cluster import connected
    from store_plugin.cluster_api import ClusterApi
    from store_plugin.config.check import check_reading
    from store_plugin.config.kubernetes.reading import read_cluster

    async with connected(kubeconfig, context) as client:
        return check_reading(await read_cluster(ClusterApi(client), kinds), kinds, os.environ)


def declared(directory: Path | None, checked: "Check") -> "list[Finding]":
    """What the manifests say."""
    from store_plugin.cli._connecting import Finding

    def finding(level: str, problem: "Problem") -> Finding:
        if directory is None or problem.file == str(directory):
            return Finding(level, problem.place, problem.message)
        place = f"{directory / problem.file}{problem.place[len(problem.file) :]}"
        return Finding(level, place, problem.message)

    errors = [finding("error", problem) for problem in checked.problems]
    return errors + [finding("warning", problem) for problem in checked.warnings]


def _not_installed(kinds: "Kinds", checked: "Check") -> "Iterator[Finding]":
    """A manifest can be right although its store could not be opened here."""
    from store_plugin.cli._connecting import Finding
    from store_plugin.store import ServedKind

    declared = {(c.reference.api_version, c.reference.kind) for c in checked.reading.configs if c.spec}
    for kind in (kinds[name] for name in sorted(declared)):
        if isinstance(kind, ServedKind) and (missing := missing_extra(kind.entry_point)):
            yield Finding("warning", kind.kind, f"cannot be served from here: pip install '{missing}'")


def _show(findings: "Sequence[Finding]", configs: int, output: str) -> None:
    errors, warnings = (sum(f.level == level for f in findings) for level in ("error", "warning"))
    if output != "table":
        lines = [{"level": f.level, "where": f.where, "message": f.message} for f in findings]
        emit({"configs": configs, "errors": errors, "warnings": warnings, "findings": lines}, output)
        return
    for finding in findings:
        click.echo(str(finding))
    click.echo(f"{_count(configs, 'config')}, {_count(errors, 'error')}, {_count(warnings, 'warning')}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
