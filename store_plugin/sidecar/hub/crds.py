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
    """Applies or compares them, one batch after the other, beside everything else. What comes
    while a batch is under way is the next one, the latest of each kind."""

    def __init__(self, settings: Settings, log: Logger) -> None:
        self._settings = settings
        self._log = log
        self._wanted: dict[tuple[str, str], PluginKind] = {}
        self._bringing: asyncio.Task[None] | None = None

    def bring(self, kinds: Sequence[PluginKind]) -> None:
        """Begin with these kinds; what goes wrong is told in the log."""
        if self._settings.crds == "off":
            return
        self._wanted.update({(kind.api_version, kind.kind): kind for kind in kinds})
        if self._bringing is None or self._bringing.done():
            self._bringing = asyncio.create_task(self._bring_all(), name="CRDs of plugins")

    async def aclose(self) -> None:
        """Leave what is not done."""
        if self._bringing is not None:
            self._bringing.cancel()
            await asyncio.wait((self._bringing,))

    async def _bring_all(self) -> None:
        settings = self._settings
        while self._wanted:
            kinds, self._wanted = tuple(self._wanted.values()), {}
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
