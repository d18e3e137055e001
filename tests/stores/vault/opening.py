"""How the tests here open a store: configs as manifests spell them, credentials by path."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.errors import StorePluginError
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.store import Store
from store_plugin.testing.environment import MemoryCredentials, RecordingLog, memory_environment
from stores.vault import VaultFactory, VaultSpec
from stores.vault.store import VaultStore
from tests.support.openbao import OpenBao

NO_POD = Path("/nonexistent/token")
GIVEN = {"source": "Environment", "env": {"name": "UNUSED"}}
"""A credential reference; what it resolves to is in `MemoryCredentials`."""
NAME = ScopedName.parse("team-a/db")
WITH_TOKEN = {"method": "Token", "token": GIVEN}
HTTP_CLIENT = "Lean"
"""Set by the fixture `both_clients`."""


def spec_of(server: str, mount: str, auth: Mapping[str, object], **fields: object) -> VaultSpec:
    common = {"server": server, "mountPath": mount, "auth": auth, "httpClient": HTTP_CLIENT}
    return VaultSpec.model_validate({**common, **fields})


async def open_with(
    spec: VaultSpec,
    credentials: MemoryCredentials,
    *,
    log: RecordingLog | None = None,
    pod_token: Path = NO_POD,
    factory: VaultFactory | None = None,
) -> VaultStore:
    return await (factory or VaultFactory(pod_token)).open(
        spec, memory_environment(credentials, log, "VaultConfig/test")
    )


async def open_with_token(
    bao: OpenBao,
    mount: str,
    *,
    token: str = "",
    server: str = "",
    log: RecordingLog | None = None,
    ca: bytes | None = None,
    **fields: object,
) -> VaultStore:
    """A store that logs in with a token: the root token where none is given."""
    values = {"auth.token": (token or bao.root_token).encode()}
    if ca:
        values["caBundle"] = ca
        fields["caBundle"] = GIVEN
    spec = spec_of(server or bao.address, mount, WITH_TOKEN, **fields)
    return await open_with(spec, MemoryCredentials(values), log=log)


async def works(store: VaultStore) -> bool:
    """Whether it takes a secret and gives it back."""
    await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    return (await store.read(NAME)).secret.data == {"a": b"1"}


async def refusal_of(store: VaultStore) -> StorePluginError:
    """What it says to the first request, on one line; it is closed then."""
    with pytest.raises(StorePluginError) as caught:
        await store.read(NAME)
    await store.aclose()
    assert "\n" not in caught.value.message
    return caught.value


def engine_over(store: Store) -> Engine:
    """An engine with locks of its own, as another process has them."""
    return Engine(store, Rules(), LocationLocks())


def soon(seconds: float = 30.0) -> float:
    """A deadline in the event loop's time."""
    return asyncio.get_running_loop().time() + seconds
