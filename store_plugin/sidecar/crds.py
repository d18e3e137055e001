"""The CRDs that a sidecar brings along (`--crds`): applied or compared once, at start.

Serving never waits for it and never fails by it: what is wrong goes to the log. Everything
that takes long to import is imported here, beside the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.bugs import a_bug
from store_plugin.errors import ConfigInvalid, Conflict, StorePluginError
from store_plugin.store import Logger

if TYPE_CHECKING:
    from store_plugin.crds.definition import Definition

_SECONDS = 60.0
"""Budget for all of them together."""


async def bring_crds(
    mode: str,
    kubeconfig: Path | None,
    context: str | None,
    log: Logger,
    definitions: "Callable[[], Sequence[Definition]] | None" = None,
) -> None:
    """`apply` them or `check` what the cluster has; a line of the log for each. Which ones,
    `definitions` tells, called in a thread; those of the installed stores where it is left out."""
    try:
        async with asyncio.timeout(_SECONDS):
            await _bring(mode, kubeconfig, context, log, definitions or _installed)
    except StorePluginError as error:
        log.error("CRDs were not looked after", mode=mode, reason=error.message)
    except TimeoutError:
        log.error("CRDs were not looked after", mode=mode, reason=f"it took more than {_SECONDS:g} s")
    except Exception as error:  # nobody waits for this task: what ends it would be told when all ends
        log.error("CRDs were not looked after", mode=mode, reason=a_bug(error))


async def _bring(
    mode: str,
    kubeconfig: Path | None,
    context: str | None,
    log: Logger,
    wanted: "Callable[[], Sequence[Definition]]",
) -> None:
    definitions = await asyncio.to_thread(_prepared, wanted)
    from store_plugin.cluster import connected
    from store_plugin.crds import applying

    work = applying.apply if mode == "apply" else applying.look
    async with connected(kubeconfig, context) as api:
        for definition in definitions:
            try:
                (outcome,) = await work(api, [definition])
            except (ConfigInvalid, Conflict) as error:  # of this one: others may do better
                log.error("CRD", name=definition.name, state="refused", reason=error.message)
                continue
            wrong = outcome.state in (applying.State.MISSING, applying.State.OLDER)
            tell = log.warning if wrong else log.info
            tell("CRD", name=outcome.name, state=outcome.state.value, version=outcome.version)


def _prepared(wanted: "Callable[[], Sequence[Definition]]") -> "Sequence[Definition]":
    """The definitions, and everything imported that bringing them takes."""
    from store_plugin.store import library_missing

    try:
        import_module("kubernetes.aio.client")
    except ImportError as error:
        raise library_missing("CustomResourceDefinition", error) from error
    return wanted()


def _installed() -> "Sequence[Definition]":
    from store_plugin.crds.collection import definitions

    return definitions()
