"""Opens local stores on files, for the tests of this folder."""

import base64
from pathlib import Path

from store_plugin.model import ScopedName, Secret
from store_plugin.store import Store
from store_plugin.testing.environment import MemoryCredentials, RecordingLog, memory_environment
from stores.local import factory
from stores.local.spec import LocalSpec

NAME = ScopedName.parse("team/database")
REFERENCE = {"source": "Filesystem", "fs": {"path": "not-read-here"}}


def key(number: int) -> bytes:
    """A key as it is written in a credential; the same for the same number."""
    return base64.b64encode(bytes([number]) * 32)


def spec(path: Path, older_keys: int = 0) -> LocalSpec:
    manifest = {"path": str(path), "key": REFERENCE, "olderKeys": [REFERENCE] * older_keys}
    return LocalSpec.model_validate(manifest)


def credentials(*keys: bytes) -> MemoryCredentials:
    paths = ("key", *(f"olderKeys.{position}" for position in range(len(keys) - 1)))
    return MemoryCredentials(dict(zip(paths, keys, strict=True)))


async def open_local(path: Path, *keys: bytes, log: RecordingLog | None = None) -> Store:
    """A store on a file with these keys, the sealing one first; without any: key 1."""
    ring = keys or (key(1),)
    environment = memory_environment(credentials(*ring), log, config="LocalConfig/test")
    return await factory.open(spec(path, len(ring) - 1), environment)


async def put(store: Store, data: dict[str, bytes], name: ScopedName = NAME, **metadata: str) -> None:
    """Write over whatever is there."""
    await store.write(name, Secret(data, metadata), base=await store.read(name))
