"""Events about Secrets, for `kubectl describe`. The condition is the record; an Event tells
that it changed, and may be left out where there are too many."""

import asyncio
from datetime import UTC, datetime

from store_plugin.bucket import TokenBucket
from store_plugin.cluster_api import ApiClient, ClusterApi, Json
from store_plugin.errors import StoreDenied, StorePluginError
from store_plugin.publisher.conditions import GOOD, Reason
from store_plugin.publisher.queue import Key
from store_plugin.store import Logger

_EVENTS = "/api/v1/namespaces/{namespace}/events"
_RATE, _BURST = 20.0, 500
"""Events a second, and after a rest: the API server serves others too."""
_LONGEST = 1024
"""Characters that the API server takes as a message."""


class Events:
    """Writes them."""

    def __init__(self, client: ApiClient, log: Logger) -> None:
        self._api = ClusterApi(client)
        self._log = log
        self._bucket = TokenBucket(_RATE, _BURST, asyncio.get_running_loop().time())

    async def tell(self, key: Key, uid: str, reason: Reason, message: str) -> bool:
        """Whether it was told. Where the namespace is being deleted, and so takes no Events any
        more, the Event is about the namespace, and in the namespace `default`."""
        if not self._bucket.take(asyncio.get_running_loop().time()):
            return False
        try:
            await self._post(_about_secret(key, uid), key.namespace, reason, message)
        except StoreDenied:
            return await self._tell_elsewhere(key, reason, message)
        except StorePluginError as error:
            self._log.warning("an Event was not taken", secret=str(key), problem=error.message)
            return False
        return True

    async def _tell_elsewhere(self, key: Key, reason: Reason, message: str) -> bool:
        about = {"apiVersion": "v1", "kind": "Namespace", "name": key.namespace}
        try:
            await self._post(about, "default", reason, f"Secret {key}: {message}")
        except StorePluginError as error:
            self._log.warning("an Event was not taken", secret=str(key), problem=error.message)
            return False
        return True

    async def _post(self, about: dict[str, str], namespace: str, reason: Reason, message: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        body: Json = {
            "metadata": {"generateName": f"{about['name'][:200]}.", "namespace": namespace},
            "involvedObject": about,
            "type": "Normal" if reason in GOOD else "Warning",
            "reason": str(reason),
            "message": (message or f"is {reason}")[:_LONGEST],
            "source": {"component": "store-plugin-publisher"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._api.send("POST", _EVENTS, body, namespace=namespace)


def _about_secret(key: Key, uid: str) -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "Secret", "namespace": key.namespace, "name": key.name, "uid": uid}
