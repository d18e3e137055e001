"""An operator that renews tokens in Secrets before they end, whoever's tokens they are: providers
are plugins, which connect to the hub inside the operator.

    kopf run --all-namespaces examples/token-renewer/renewer.py

README.md beside this file runs it; docs/plugins.md explains it.
"""

import os
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import kopf
from fake_provider import FakeProvider
from kubernetes.aio import client, config
from token_provider_pb2 import GetTokenValidityRequest, RenewTokenRequest, RenewTokenResponse
from token_provider_pb2_grpc import TokenProviderServiceStub, add_TokenProviderServiceServicer_to_server

from store_plugin.endpoints import Endpoint
from store_plugin.hub import HandlerTable, Hub, HubListener, any_name, anyone

TOKENS = "tokens.renewer.example.org"
METADATA, ENDS = "renewer.example.org/metadata", "renewer.example.org/ends"
CHECK_SECONDS = float(os.environ.get("CHECK_SECONDS", "10"))
CALL_SECONDS = 30.0


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.enabled = False
    memo.stack = AsyncExitStack()
    await config.load_config()  # KUBECONFIG, or the Pod's own
    memo.core = client.CoreV1Api(await memo.stack.enter_async_context(client.ApiClient()))
    memo.unwritten = {}
    # An owner-only socket in a volume of the Pod; docs/plugins.md tells of other ways in.
    endpoint = Endpoint.parse(os.environ.get("HUB_LISTEN", "unix:///run/token-renewer/hub.sock"))
    memo.hub = await memo.stack.enter_async_context(Hub([HubListener(endpoint, anyone, any_name)]))
    # A provider may live here as well: it is found and called as if it had connected.
    local = HandlerTable()
    add_TokenProviderServiceServicer_to_server(FakeProvider(lifetime=24 * 3600), local)
    memo.hub.register("built-in", local)


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.stack.aclose()


@kopf.timer(TOKENS, interval=CHECK_SECONDS)
async def keep_valid(
    spec: kopf.Spec, status: kopf.Status, patch: kopf.Patch, namespace: str, memo: kopf.Memo, **_: Any
) -> None:
    try:
        ends = await renewed_in_time(spec, namespace, memo)
        now = {"ready": True, "message": "", "ends": ends.isoformat()}
    except grpc.aio.AioRpcError as error:
        now = {"ready": False, "message": f"provider {spec['provider']}: {error.details()}"}
    except (client.ApiException, KeyError) as error:
        why = error.reason if isinstance(error, client.ApiException) else f"it has no key {error}"
        now = {"ready": False, "message": f"Secret {spec['secretRef']['name']}: {why}"}
    if any(status.get(key) != value for key, value in now.items()):
        patch.status.update(now)


async def renewed_in_time(spec: kopf.Spec, namespace: str, memo: kopf.Memo) -> datetime:
    """When the token in the Secret ends; it is another one by then, if it was about to."""
    name, key = spec["secretRef"]["name"], spec["secretRef"]["key"]
    secret = await memo.core.read_namespaced_secret(name, namespace)
    token = b64decode((secret.data or {})[key]).decode()
    notes = secret.metadata.annotations or {}
    provider = TokenProviderServiceStub(memo.hub.plugin(spec["provider"]))
    about = {"metadata": notes.get(METADATA, spec["metadata"]), "token": token}

    validity = await provider.GetTokenValidity(GetTokenValidityRequest(**about), timeout=CALL_SECONDS)
    ends: datetime = validity.expiration.ToDatetime(UTC)
    if ends - datetime.now(UTC) > timedelta(seconds=spec["renewBeforeSeconds"]):
        return ends
    # The old token may be dead from here on: what was not written is kept until it is.
    unwritten: dict[tuple[str, str, str], RenewTokenResponse] = memo.unwritten
    place = namespace, name, token
    if place not in unwritten:
        unwritten[place] = await provider.RenewToken(RenewTokenRequest(**about), timeout=CALL_SECONDS)
    renewed = unwritten[place]
    ends = renewed.expiration.ToDatetime(UTC)
    change = {
        "data": {key: b64encode(renewed.token.encode()).decode()},
        "metadata": {"annotations": {METADATA: renewed.new_metadata, ENDS: ends.isoformat()}},
    }
    await memo.core.patch_namespaced_secret(
        name, namespace, change, _content_type="application/merge-patch+json"
    )
    del unwritten[place]
    return ends
