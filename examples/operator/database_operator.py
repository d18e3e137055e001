"""An operator that publishes connection details: for each Database a login, kept in the store
that its StoreConfig names, gone with the Database.

    kopf run --all-namespaces examples/operator/database_operator.py

The lines about store-plugin are those with `details`; the rest any operator has.
docs/runtime.md explains them, README.md beside this file runs it.
"""

import os
import secrets
from contextlib import AsyncExitStack
from typing import Any

import kopf
from kubernetes.aio import client, config

from store_plugin.errors import StorePluginError
from store_plugin.runtime import AsyncDetailsManager, OwnCluster, WatchedStoreConfigs
from store_plugin.runtime.conditions import available, failed, reconciled, with_conditions

DATABASES = "databases.example.org"
# Each operator has StoreConfigs in an API group of its own.
STORE_CONFIGS = os.environ.get("STORE_CONFIGS", "example.org/v1alpha1")
RETRY_SECONDS = 5


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.enabled = False
    settings.persistence.finalizer = "example.org/connection-details"
    memo.stack = AsyncExitStack()
    await config.load_config()  # KUBECONFIG, or the Pod's own
    api = await memo.stack.enter_async_context(client.ApiClient())
    configs = await memo.stack.enter_async_context(WatchedStoreConfigs(api, STORE_CONFIGS))
    memo.details = await memo.stack.enter_async_context(
        AsyncDetailsManager(configs, clusters=OwnCluster(api))
    )


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.stack.aclose()


@kopf.on.resume(DATABASES)
@kopf.on.create(DATABASES)
@kopf.on.update(DATABASES, field="spec")
async def publish(body: kopf.Body, spec: kopf.Spec, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    details: AsyncDetailsManager = memo.details
    try:
        known = await details.fetch(body) or {}
        login = {
            "username": body["metadata"]["name"].encode(),
            "password": known.get("password") or secrets.token_urlsafe(24).encode(),
            "port": str(spec["port"]).encode(),
        }
        await details.publish(body, login)
    except StorePluginError as error:
        report(body, patch, failed(error))
        raise kopf.TemporaryError(str(error), delay=RETRY_SECONDS) from None
    report(body, patch, available(), reconciled())


@kopf.on.delete(DATABASES)
async def unpublish(body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:
    details: AsyncDetailsManager = memo.details
    try:
        await details.unpublish(body)
    except StorePluginError as error:
        raise kopf.TemporaryError(str(error), delay=RETRY_SECONDS) from None


def report(body: kopf.Body, patch: kopf.Patch, *news: Any) -> None:
    """Into `status.conditions`, where they say something new."""
    generation = body["metadata"]["generation"]
    conditions = with_conditions(body.get("status", {}).get("conditions"), *news, generation=generation)
    if conditions is not None:
        patch.status["conditions"] = conditions
