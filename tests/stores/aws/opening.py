"""How the tests here open a store: configs as manifests spell them, credentials by path."""

import asyncio
from pathlib import Path
from uuid import uuid4

from store_plugin.dispatch.guards.guarded import GuardedStore
from store_plugin.dispatch.guards.observer import Unobserved
from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.model import ConfigReference
from store_plugin.store import Store
from store_plugin.testing.environment import MemoryCredentials, RecordingLog, memory_environment
from stores.aws import AWSFactory
from stores.aws.spec import AWSSpec
from stores.aws.store import AWSStore
from tests.support.moto import ACCESS_KEY, REGION, SECRET_KEY

NO_POD = Path("/nonexistent/token")
GIVEN = {"source": "Environment", "env": {"name": "UNUSED"}}
"""A credential reference; what it resolves to is in `MemoryCredentials`."""
STATIC = {"method": "Static", "static": {"accessKeyID": GIVEN, "secretAccessKey": GIVEN}}
KEYS = {
    "auth.static.accessKeyID": ACCESS_KEY.encode(),
    "auth.static.secretAccessKey": SECRET_KEY.encode(),
}


def spec_of(**fields: object) -> AWSSpec:
    return AWSSpec.model_validate({"region": REGION, **fields})


def new_prefix() -> str:
    """A place where nothing is yet."""
    return f"t{uuid4().hex[:12]}"


async def open_static(
    endpoint: str,
    *,
    credentials: MemoryCredentials | None = None,
    log: RecordingLog | None = None,
    factory: AWSFactory | None = None,
    **fields: object,
) -> AWSStore:
    """A store that logs in with static keys. Each has clients of its own, as another process
    has them, unless they share a factory."""
    spec = spec_of(endpoint=endpoint, **{"auth": STATIC, **fields})
    environment = memory_environment(credentials or MemoryCredentials(KEYS), log, "AWSConfig/test")
    return await (factory or AWSFactory(NO_POD)).open(spec, environment)


def engine_over(store: Store) -> Engine:
    """An engine with locks and guards of its own, as another process has them."""
    config = ConfigReference("secrets.crossplane.io/v1alpha1", "AWSConfig", "test")
    guarded = GuardedStore(store, config, spec_of(), Unobserved(), RecordingLog())
    return Engine(guarded, Rules(), LocationLocks())


def soon(seconds: float = 30.0) -> float:
    """A deadline in the event loop's time."""
    return asyncio.get_running_loop().time() + seconds
