"""Which version of which plugin an executable is."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store_plugin.cli.plugin._shared import note

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.origins import Origin
    from store_plugin.lifecycle.administration.registering import Registrar


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says it is; None: nothing."""

    name: str | None
    version: str | None


def identity_of(registrar: "Registrar", digest: str, origin: "Origin | None", said: Said) -> tuple[str, str]:
    """Name and version: the person's words count most, then its origin's. Where neither says both,
    it is run to ask, and the person is told so. InvalidRequest, PluginUntrusted."""
    name = said.name or (origin.name if origin else None)
    version = said.version or (origin.version if origin else None)
    if name is None or version is None:
        from store_plugin.lifecycle.administration.describing import describe

        note("running it with --describe to ask for its name and version")
        told = asyncio.run(describe(registrar.content.path(digest), digest))
        name, version = name or told.name, version or told.version
    return name, version
