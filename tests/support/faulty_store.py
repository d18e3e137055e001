"""A store that raises what no store should: `environ` has a sidecar serve it as a kind."""

import os
from pathlib import Path

from store_plugin.spec import StoreSpec
from store_plugin.store import Environment
from tests.support.fakes import GROUP_VERSION, FakeStore

KIND = "FaultyConfig"
CANARY = "canary-in-an-error-2c91"


class _Factory:
    spec_model = StoreSpec

    async def open(self, spec: StoreSpec, environment: Environment) -> FakeStore:
        store = FakeStore(spec, environment)
        store.failure = KeyError(CANARY)
        return store


factory = _Factory()


def environ(directory: Path) -> dict[str, str]:
    """The environment of a process that finds the kind installed, in `directory`."""
    group, version = GROUP_VERSION.split("/")
    info = directory / "faulty_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[store_plugin.stores]\n{KIND}.{version}.{group} = {__name__}:factory\n"
    )
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": os.pathsep.join(map(str, (directory, root)))}
