"""The API servers that StoreConfigs of type Kubernetes keep their secrets in."""

from base64 import b64decode, b64encode
from collections.abc import Mapping

from store_plugin.cluster_api import MERGE_PATCH, ApiClient, ClusterApi, Json
from store_plugin.errors import ConfigInvalid, Conflict, InvalidRequest
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime.connection_secrets import Change, ConnectionSecret, Secrets
from store_plugin.runtime.store_config import StoreConfig

_ALL = "/api/v1/namespaces/{namespace}/secrets"
_ONE = _ALL + "/{name}"


class OwnCluster:
    """The API server that an operator works with. `client`: an ApiClient of
    `kubernetes.client` for a DetailsManager, of `kubernetes.aio.client` for an
    AsyncDetailsManager. It stays open: whoever made it closes it."""

    def __init__(self, client: ApiClient) -> None:
        self._secrets = ClusterSecrets(ClusterApi(client))

    async def secrets(self, config: StoreConfig) -> Secrets:
        """ConfigInvalid for a StoreConfig that names another cluster."""
        block = config.spec.kubernetes
        if block is not None and block.auth.source != "None":
            raise ConfigInvalid(
                f"StoreConfig {config.name} names another cluster (kubernetes.auth.source "
                f"{block.auth.source}), and this operator writes to its own only: use source None, or "
                "type External with a KubernetesStoreConfig that names the cluster"
            )
        return self._secrets


class ClusterSecrets:
    """The Secrets of one API server."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    async def read(self, namespace: str, name: str) -> ConnectionSecret | None:
        found = await self._api.find(_ONE, namespace=namespace, name=name)
        return None if found is None else _secret_from(found)

    async def create(self, namespace: str, name: str, secret: ConnectionSecret) -> None:
        metadata = {"name": name, "labels": dict(secret.labels), "annotations": dict(secret.annotations)}
        body = {"metadata": metadata, "type": secret.type, "data": _encoded(secret.data)}
        if await self._api.send("POST", _ALL, body, namespace=namespace) is None:
            raise InvalidRequest(f"there is no namespace {namespace}")

    async def change(self, namespace: str, name: str, change: Change, resource_version: str) -> None:
        metadata = {
            "resourceVersion": resource_version,
            "labels": dict(change.labels),
            "annotations": dict(change.annotations),
        }
        body = {"metadata": metadata, "data": _encoded(change.data)}
        changed = await self._api.send(
            "PATCH", _ONE, body, content_type=MERGE_PATCH, namespace=namespace, name=name
        )
        if changed is None:
            raise Conflict(f"Secret {namespace}/{name} has just been deleted")

    async def delete(self, namespace: str, name: str, resource_version: str) -> None:
        body = {"preconditions": {"resourceVersion": resource_version}}
        await self._api.send("DELETE", _ONE, body, namespace=namespace, name=name)


def _secret_from(found: Json) -> ConnectionSecret:
    metadata: Json = found.get("metadata") or {}
    labels: Mapping[str, str] = metadata.get("labels") or {}
    return ConnectionSecret(
        data={key: b64decode(value) for key, value in (found.get("data") or {}).items()},
        labels=labels,
        annotations=metadata.get("annotations") or {},
        type=str(found.get("type", "")),
        owner=labels.get(OWNER_LABEL) or _controller(metadata),
        resource_version=str(metadata.get("resourceVersion", "")),
    )


def _controller(metadata: Json) -> str | None:
    """UID of the object that controls a Secret, or of the first that owns it."""
    references = sorted(metadata.get("ownerReferences") or [], key=lambda one: not one.get("controller"))
    return str(references[0]["uid"]) if references else None


def _encoded(data: Mapping[str, bytes] | Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {key: None if value is None else b64encode(value).decode() for key, value in data.items()}
