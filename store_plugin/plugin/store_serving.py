"""Kinds of store configs that a plugin brings: their factories, and their schemas for the hub."""

import json
from typing import Any

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.crds.models import schema_of
from store_plugin.crds.structural import Unconvertible, structural
from store_plugin.errors import InvalidRequest
from store_plugin.log import Logger
from store_plugin.model import plural_of
from store_plugin.plugin.backend import SecretBackend
from store_plugin.plugin.stores import OpenStores
from store_plugin.store import StoreFactory


class StoreServing:
    """All kinds of one plugin."""

    def __init__(self, log: Logger) -> None:
        self._factories: dict[tuple[str, str], StoreFactory[Any]] = {}
        self._stores = OpenStores(self._factories, log)

    def add_to(self, server: Any) -> None:
        """Add SecretBackend to what takes servicers."""
        SecretBackend(self._stores).add_to(server)

    def add(
        self, factory: StoreFactory[Any], api_version: str, kind: str, plural: str = ""
    ) -> proto.PluginKind:
        """Serve a kind; what to register it with. InvalidRequest."""
        try:
            schema = structural(schema_of(factory.spec_model))
        except Unconvertible as error:
            raise InvalidRequest(
                f"the model of {kind} has no schema that Kubernetes takes: {error}"
            ) from None
        self._factories[api_version, kind] = factory
        return proto.PluginKind(
            api_version=api_version,
            kind=kind,
            plural=plural or plural_of(kind),
            spec_schema=json.dumps(schema).encode(),
        )

    async def aclose(self) -> None:
        """Close all stores."""
        await self._stores.aclose()
