"""Status and Events of one config, as requests to the API server."""

from collections.abc import Mapping

from store_plugin import cluster_events
from store_plugin.cluster_api import ClusterApi
from store_plugin.config.kinds import Kinds, plural_in
from store_plugin.model import ConfigReference
from store_plugin.sidecar.status.conditions import Said

FIELD_MANAGER = "store-plugin-status"
_ONE = "/apis/{group}/{version}/{plural}/{name}"
_STATUS = f"{_ONE}/status"
_EVENTS = "default"
"""The namespace of cluster-wide objects' Events."""
_APPLY = "application/apply-patch+yaml"


class StatusApi:
    """Reads and writes the conditions of configs."""

    def __init__(self, api: ClusterApi, kinds: Kinds) -> None:
        self._api = api
        self._kinds = kinds

    async def read(self, reference: ConfigReference) -> tuple[str, dict[str, Said]] | None:
        """UID and conditions; None where the object is gone."""
        found = await self._api.find(_ONE, **self._names(reference))
        if found is None:
            return None
        conditions = (found.get("status") or {}).get("conditions") or []
        said = map(Said.read, conditions)
        return str(found["metadata"]["uid"]), {one.type: one for one in said}

    async def write(self, reference: ConfigReference, said: Mapping[str, Said]) -> None:
        """Server-side apply: conditions of others stay."""
        body = {
            "apiVersion": reference.api_version,
            "kind": reference.kind,
            "metadata": {"name": reference.name},
            "status": {"conditions": [one.manifest() for one in said.values()]},
        }
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        names = self._names(reference)
        await self._api.change("PATCH", _STATUS, names, body, query=query, content_type=_APPLY)

    async def tell(self, reference: ConfigReference, uid: str, said: Said) -> None:
        """An Event that a condition has changed."""
        about = {"apiVersion": reference.api_version, "kind": reference.kind}
        body = cluster_events.event(
            {**about, "name": reference.name, "uid": uid},
            {"generateName": f"{reference.name[:200]}.", "namespace": _EVENTS},
            warning=said.status != "True",
            reason=said.reason,
            message=said.message or f"{said.type} is {said.status}",
        )
        await self._api.change("POST", cluster_events.COLLECTION, {"namespace": _EVENTS}, body)

    def _names(self, reference: ConfigReference) -> dict[str, str]:
        group, _, version = reference.api_version.partition("/")
        plural = plural_in(self._kinds, reference.api_version, reference.kind)
        return {"group": group, "version": version, "plural": plural, "name": reference.name}
