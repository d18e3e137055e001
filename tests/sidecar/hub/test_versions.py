"""Plugins that come as another version: other capabilities, another schema, another mind."""

import asyncio
from typing import Any

from store_plugin.client import AsyncClient
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from store_plugin.plugin import Plugin
from store_plugin.store import Capabilities
from tests.hub.conftest import running
from tests.hub.shelf import API_VERSION, KIND, ShelfFactory, ShelfSpec
from tests.sidecar.hub.conftest import Bench
from tests.support import manifests

SHELF = ConfigReference(API_VERSION, KIND, "a")


class LabelledSpec(ShelfSpec):
    """The next version's: a field more."""

    label: str


class LabelledFactory(ShelfFactory):
    spec_model = LabelledSpec


def plugin(factory: Any, version: str, **kind: str) -> Plugin:
    made = Plugin("shelves", version, instance_id=version)
    made.serve_store(factory, **{"api_version": API_VERSION, "kind": KIND, **kind})
    return made


def write(bench: Bench, **spec: str) -> None:
    path = manifests.write(bench.directory / "configs", KIND, "a", {"shelf": "a", **spec})
    path.write_text(path.read_text().replace(manifests.GROUP_VERSION, API_VERSION))


async def failure(client: AsyncClient, **options: str) -> str:
    """Reason of what a get fails with; empty where it does not."""
    try:
        await client.get(SHELF, "team/db", **options)
    except StorePluginError as error:
        return error.reason
    return ""


async def until(client: AsyncClient, reason: str, **options: str) -> None:
    async with asyncio.timeout(40):
        while await failure(client, **options) != reason:
            await asyncio.sleep(0.02)


async def test_stores_are_opened_anew_for_another_version(bench: Bench) -> None:
    write(bench)
    factory = ShelfFactory(Capabilities(compare_and_set=True, conditional_delete=True))
    async with AsyncClient(bench.sidecar.endpoint) as client:
        async with running(plugin(factory, "1.0"), bench.hub):
            await until(client, "")
            assert await failure(client, version="1") == "INVALID_REQUEST", "this one keeps no versions"
        await until(client, "PLUGIN_DISCONNECTED")
        factory.capabilities = Capabilities(compare_and_set=True, conditional_delete=True, versions=True)
        async with running(plugin(factory, "2.0"), bench.hub):
            await until(client, "VERSION_NOT_FOUND", version="1")


async def test_another_schema_holds_for_manifests_that_are_there(bench: Bench) -> None:
    write(bench)
    async with AsyncClient(bench.sidecar.endpoint) as client:
        async with running(plugin(ShelfFactory(), "1.0"), bench.hub):
            await until(client, "")
        async with running(plugin(LabelledFactory(), "2.0"), bench.hub):
            await until(client, "CONFIG_INVALID")
            async with asyncio.timeout(40):
                while '"Stale"' not in bench.sidecar.http("/configs"):
                    await asyncio.sleep(0.02)
            write(bench, label="new")
            await until(client, "")


async def test_a_built_in_kind_cannot_be_taken(bench: Bench) -> None:
    thief = plugin(ShelfFactory(), "1.0", api_version=manifests.GROUP_VERSION, kind="VaultConfig")
    async with running(thief, bench.hub), asyncio.timeout(40):
        while 'refused"' not in bench.sidecar.log:
            await asyncio.sleep(0.02)
        assert bench.connected() == 0
