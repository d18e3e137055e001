"""One secret through its life in a store that is tried: what a person wants to see first."""

import asyncio
import uuid
from collections.abc import AsyncIterator

from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.model import ScopedName, Secret
from store_plugin.store import Store

_SECONDS = 30.0


async def walk(store: Store) -> AsyncIterator[str]:
    """Check, apply, get and delete one new secret; a line after each. What the store raises."""
    engine = Engine(store, Rules(), LocationLocks())
    name = ScopedName.parse(f"trial/{uuid.uuid4().hex[:12]}")
    for warning in await store.check():
        yield f"check: {warning}"
    yield "check: well"
    deadline = asyncio.get_running_loop().time() + _SECONDS
    await engine.apply(name, Secret({"key": b"value"}), deadline=deadline)
    yield f"apply {name}: + key"
    keys = sorted((await engine.get(name)).secret.data)
    yield f"get {name}: {', '.join(keys) or 'nothing'}"
    await engine.delete(name, [], deadline=deadline)
    yield f"delete {name}: gone"
