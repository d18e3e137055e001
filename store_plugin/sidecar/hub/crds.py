"""CRDs of the kinds that plugins bring (`--crds apply`), so that a cluster takes their configs.

A CRD that somebody else made stays as it is, whoever the plugin is: only what a sidecar has
applied is changed by one.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import partial

from store_plugin.crds.definition import Definition
from store_plugin.crds.models import schema_of
from store_plugin.crds.structural import structural
from store_plugin.hub.peer import PluginKind
from store_plugin.sidecar.crds import bring_crds
from store_plugin.sidecar.settings import Settings
from store_plugin.spec import StoreSpec
from store_plugin.store import Logger


class PluginCrds:
    """Applies or compares them, one batch after the other, beside everything else."""

    def __init__(self, settings: Settings, log: Logger) -> None:
        self._settings = settings
        self._log = log
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def bring(self, kinds: Sequence[PluginKind]) -> None:
        """Begin with these kinds; what goes wrong is told in the log."""
        if self._settings.crds == "off":
            return
        task = asyncio.create_task(self._bring(kinds), name="CRDs of a plugin")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Leave what is not done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _bring(self, kinds: Sequence[PluginKind]) -> None:
        settings = self._settings
        async with self._one_at_a_time:
            await bring_crds(
                settings.crds, settings.kubeconfig, settings.context, self._log, partial(definitions, kinds)
            )


def definitions(kinds: Sequence[PluginKind]) -> list[Definition]:
    """The kinds' CRDs: the common fields, and the plugin's as its schema says."""
    common = structural(schema_of(StoreSpec))
    return [
        Definition(
            kind.api_version,
            kind.kind,
            StoreSpec,
            shared=True,
            spec_schema=_with(common, kind),
            given_plural=kind.plural,
        )
        for kind in kinds
    ]


def _with(common: dict[str, object], kind: PluginKind) -> dict[str, object]:
    schema = json.loads(kind.spec_schema)
    return {**schema, "properties": {**schema.get("properties", {}), **_properties(common)}}


def _properties(schema: dict[str, object]) -> dict[str, object]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}
