"""Status and Events of one config, as requests to the API server."""

from collections.abc import Mapping
from datetime import UTC, datetime

from store_plugin.cluster import plural_of
from store_plugin.cluster_api import ClusterApi, Json
from store_plugin.model import ConfigReference
from store_plugin.sidecar.status.conditions import Said

FIELD_MANAGER = "store-plugin-status"
_ONE = "/apis/{group}/{version}/{plural}/{name}"
_STATUS = f"{_ONE}/status"
_EVENTS = "/api/v1/namespaces/default/events"
"""Where Events of cluster-wide objects go."""
_APPLY = "application/apply-patch+yaml"


class StatusApi:
    """Reads and writes the conditions of configs."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    async def read(self, reference: ConfigReference) -> tuple[str, dict[str, Said]] | None:
        """UID and conditions; None where the object is gone."""
        found = await self._api.find(_ONE, **_names(reference))
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
        await self._api.change("PATCH", _STATUS, _names(reference), body, query=query, content_type=_APPLY)

    async def tell(self, reference: ConfigReference, uid: str, said: Said) -> None:
        """An Event that a condition has changed."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        involved = {"apiVersion": reference.api_version, "kind": reference.kind}
        body: Json = {
            "metadata": {"generateName": f"{reference.name[:200]}.", "namespace": "default"},
            "involvedObject": {**involved, "name": reference.name, "uid": uid},
            "type": "Normal" if said.status == "True" else "Warning",
            "reason": said.reason,
            "message": said.message or f"{said.type} is {said.status}",
            "source": {"component": "store-plugin"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._api.change("POST", _EVENTS, {}, body)


def _names(reference: ConfigReference) -> dict[str, str]:
    group, _, version = reference.api_version.partition("/")
    return {"group": group, "version": version, "plural": plural_of(reference.kind), "name": reference.name}
