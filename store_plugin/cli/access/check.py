"""`store-plugin access check`: whether the clusters of a fleet answer us, and as whom."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store_plugin.cli._failures import EXIT_REFUSED, Failure
from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option, timeout_option
from store_plugin.cli._trust_options import trust_options
from store_plugin.cli.access._shared import (
    fleet_options,
    found,
    namespace_option,
    none_found,
    opened,
    profiles_argument,
)

if TYPE_CHECKING:
    from store_plugin.access.checking import Checked
    from store_plugin.access.config import AccessConfig

_SECONDS = 30.0


@click.command()
@profiles_argument
@fleet_options
@namespace_option
@timeout_option(default=_SECONDS, help="Longest that one cluster may take, its plugin included.")
@trust_options()
@output_option()
def check(
    profiles: tuple[str, ...],
    providers: Path,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    timeout: float,
    output: str,
    **trust: Any,
) -> None:
    """Log in to clusters and tell which of them answer.

    All of them are asked, or those that are named, and nothing is written to them. What plugins
    complain of goes to standard error. Ends with exit code 1 where a cluster does not answer, and
    where there is none to ask.
    """
    opening = partial(opened, providers, interactive=sys.stdin.isatty(), timeout=timeout, **trust)
    checked = asyncio.run(_checked(opening, kubeconfig, context, namespace, profiles, timeout))
    if output == "table":
        rows = [
            (str(c.profile), c.provider, c.server, c.version, c.problem or f"answers {c.user}".rstrip())
            for c in checked
        ]
        emit_table(("PROFILE", "PROVIDER", "SERVER", "VERSION", "STATE"), rows)
    else:
        emit([_document(one) for one in checked], output)
    if not checked:
        raise Failure(none_found(namespace))
    if any(one.problem for one in checked):
        raise SystemExit(EXIT_REFUSED)


async def _checked(
    opening: "Callable[[], AccessConfig]",
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    names: Sequence[str],
    timeout: float,
) -> "list[Checked]":
    from store_plugin.access import checking
    from store_plugin.cluster import connected

    with opening() as access:
        if not names:
            return await checking.check(access, await found(kubeconfig, context, namespace), timeout)
        async with connected(kubeconfig, context) as hub:
            return await checking.check_named(access, hub, names, timeout)


def _document(checked: "Checked") -> dict[str, str | bool]:
    return {
        "profile": str(checked.profile),
        "provider": checked.provider,
        "server": checked.server,
        "answers": not checked.problem,
        "version": checked.version,
        "user": checked.user,
        "problem": checked.problem,
    }
