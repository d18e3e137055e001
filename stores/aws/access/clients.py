"""boto3's clients, shared by all configs that mean the same service and identity.

A client is made with its first call, and closed when the last store that holds it lets go.
"""

import logging
from collections.abc import Collection
from dataclasses import replace

from stores.aws.access.client import Answer, Client, Target
from stores.aws.access.models import models


class Clients:
    """The clients in use, each counted. Used from one thread at a time."""

    def __init__(self) -> None:
        # botocore shows whole requests at DEBUG, secrets and all, and at WARNING the traceback
        # of each login that fails, which the request that needed it tells as well.
        for name in ("botocore", "boto3", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._models = models()
        self._held: dict[tuple[object, ...], tuple[Client, int]] = {}

    def acquire(self, target: Target) -> Client:
        """The client for a target; `release` it once."""
        client, users = self._held.get(target.key, (None, 0))
        client = client or Client(target, self._models)
        self._held[target.key] = client, users + 1
        return client

    def release(self, target: Target) -> None:
        """Close the client after its last user."""
        client, users = self._held[target.key]
        if users > 1:
            self._held[target.key] = client, users - 1
            return
        del self._held[target.key]
        client.close()

    def __len__(self) -> int:
        return len(self._held)


class SharedClient:
    """A store's hold on a client, which may change while the store is open."""

    def __init__(self, clients: Clients, target: Target) -> None:
        self._clients = clients
        self._target = target
        self._client = clients.acquire(target)
        self._closed = False

    async def call(
        self, operation: str, where: str, expect: Collection[str] = (), /, **parameters: object
    ) -> Answer:
        """As `Client.call`."""
        return await self._client.call(operation, where, expect, **parameters)

    def of_service(self, service: str, region: str) -> "SharedClient":
        """A hold on the client of another service, at AWS's endpoint of a region, for the same
        identity. The caller closes it."""
        return SharedClient(
            self._clients, replace(self._target, service=service, region=region, endpoint=None)
        )

    def move(self, target: Target) -> None:
        """Use the client for another target from the next call on."""
        if self._closed or target.key == self._target.key:
            return
        self._client = self._clients.acquire(target)
        self._clients.release(self._target)
        self._target = target

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._clients.release(self._target)
