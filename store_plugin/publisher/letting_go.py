"""The way out for who uninstalls the publisher: its finalizer taken off every Secret, so that
none, and no namespace, waits for somebody who does not come any more."""

from collections.abc import AsyncIterator

from store_plugin.cluster import connected
from store_plugin.cluster_api import ApiClient
from store_plugin.errors import Conflict, StorePluginError, StoreUnavailable
from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.cluster.watching import MetadataApi, secrets_of
from store_plugin.publisher.settings import Settings
from store_plugin.store import Logger
from store_plugin.watching.requests import Forgotten, Listing

_TRIES = 5
"""Lists that took too long, and races lost for one Secret."""


async def let_all_go(settings: Settings, log: Logger) -> None:
    """What was published stays. Raises the first error of a Secret that keeps its finalizer, after
    all others were let go, and what the API server refuses."""
    async with connected(settings.kubeconfig, settings.context) as client:
        for namespace in settings.namespaces or (None,):
            await _let_go_in(client, namespace, log)


async def _let_go_in(client: ApiClient, namespace: str | None, log: Logger) -> None:
    secrets = ClusterSecrets(client, lambda _: None)
    for _ in range(_TRIES):
        try:
            refused = await _refused(secrets, client, namespace, log)
        except Forgotten:
            continue
        if refused is not None:
            raise refused
        return
    raise StoreUnavailable("Secrets change faster than they can be listed")


async def _refused(
    secrets: ClusterSecrets, client: ApiClient, namespace: str | None, log: Logger
) -> StorePluginError | None:
    """Let all go that are listed; the first error of one that was not. Raises Forgotten."""
    refused: StorePluginError | None = None
    async for secret in _held(client, namespace):
        try:
            await _let_go(secrets, secret)
            log.info("let go", secret=str(secret.key))
        except StorePluginError as error:
            log.error("a Secret keeps its finalizer", secret=str(secret.key), problem=error.message)
            refused = refused or error
    return refused


async def _held(client: ApiClient, namespace: str | None) -> AsyncIterator[FoundSecret]:
    listing = Listing(MetadataApi(client), secrets_of(namespace, connection=False))
    async for page in listing.pages():
        for item in page:
            secret = FoundSecret.of(item)
            if secret.has_finalizer:
                yield secret


async def _let_go(secrets: ClusterSecrets, secret: FoundSecret) -> None:
    """Gone meanwhile is let go as well."""
    found: FoundSecret | None = secret
    for _ in range(_TRIES):
        if found is None or not found.has_finalizer:
            return
        try:
            await secrets.release(found, found.version)
        except Conflict:
            found = await secrets.read_metadata(secret.key)
        else:
            return
    raise Conflict(f"Secret {secret.key} changes all the time")
