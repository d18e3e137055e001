"""Events about Secrets, for `kubectl describe`. The condition is the record; an Event tells
that it changed, and may be left out where there are too many."""

import asyncio

from store_plugin import cluster_events
from store_plugin.bucket import TokenBucket
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import StoreDenied, StorePluginError
from store_plugin.publisher.cluster.budgets import Budgets
from store_plugin.publisher.conditions import GOOD, Reason
from store_plugin.publisher.queue import Key
from store_plugin.store import Logger

_RATE, _BURST = 20.0, 500
"""Events a second, and after a rest: the API server serves others too."""
_RATE_OF_ONE, _BURST_OF_ONE = 5.0, 100
"""The same for one namespace, which must not take what is meant for all."""


class Events:
    """Writes them."""

    def __init__(self, client: ApiClient, log: Logger) -> None:
        self._api = ClusterApi(client)
        self._log = log
        self._bucket = TokenBucket(_RATE, _BURST, asyncio.get_running_loop().time())
        self._budgets = Budgets[str](_RATE_OF_ONE, _BURST_OF_ONE)

    async def tell(self, key: Key, uid: str, reason: Reason, message: str) -> bool:
        """Whether it was told. Where the namespace is being deleted, and so takes no Events any
        more, the Event is about the namespace, and in the namespace `default`."""
        if not self._budgets.take(key.namespace) or not self._bucket.take(asyncio.get_running_loop().time()):
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
        body = cluster_events.event(
            about,
            {"generateName": f"{about['name'][:200]}.", "namespace": namespace},
            warning=reason not in GOOD,
            reason=str(reason),
            message=message or f"is {reason}",
            component="store-plugin-publisher",
        )
        await self._api.send("POST", cluster_events.COLLECTION, body, namespace=namespace)


def _about_secret(key: Key, uid: str) -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "Secret", "namespace": key.namespace, "name": key.name, "uid": uid}
