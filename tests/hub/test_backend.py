"""A store that a plugin serves keeps the contract of stores, seen from the hub's side."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from store_plugin.errors import (
    ConfigInvalid,
    Conflict,
    InvalidRequest,
    Overloaded,
    PluginDisconnected,
    PluginRefused,
    StoreUnavailable,
)
from store_plugin.hub.calling.channel import PluginChannel
from store_plugin.hub.peer import Peer, PluginKind
from store_plugin.hub.registry import Registry
from store_plugin.hub.session import Session
from store_plugin.hub.store_kinds import kinds as kinds_module
from store_plugin.hub.store_kinds import plugin_spec
from store_plugin.hub.store_kinds.kinds import Kinds
from store_plugin.hub.store_kinds.plugin_spec import PluginSpec
from store_plugin.model import ScopedName, Secret
from store_plugin.plugin.notes import Notes
from store_plugin.store import Capabilities, Limits, Store
from store_plugin.stream.outbox import Outbox
from store_plugin.testing.contract import OpenStore, StoreContract
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from store_plugin.testing.machine import store_machine
from tests.hub.bench import Bench, hub_bench
from tests.hub.conftest import running
from tests.hub.shelf import API_VERSION, KIND, ShelfFactory, shelf_plugin
from tests.support.waiting import until

NAME = ScopedName.parse("team/db")
REFERENCE = {"source": "Environment", "env": {"name": "TOKEN"}}
OVER_THE_STREAM = Capabilities(
    compare_and_set=True,
    conditional_delete=True,
    versions=True,
    tombstones=True,
    limits=Limits(keys=40, metadata_entries=10, metadata_key_bytes=300, metadata_value_bytes=300),
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with hub_bench(f"unix://{tmp_path}/hub.sock") as bench:
        yield bench


@asynccontextmanager
async def shelves(bench: Bench, factory: ShelfFactory, **options: Any) -> AsyncIterator[None]:
    """A plugin with shelves, connected."""
    before = len(bench.hub.registry)
    async with running(shelf_plugin(factory, **options), bench.endpoint):
        await until(lambda: len(bench.hub.registry) > before)
        yield


class TestThroughAPlugin(StoreContract):
    capabilities = OVER_THE_STREAM

    @pytest.fixture
    async def open_store(self, bench: Bench) -> AsyncIterator[OpenStore]:
        async with shelves(bench, ShelfFactory(OVER_THE_STREAM)):

            async def open_store() -> Store:
                return await bench.open({"shelf": "a"})

            yield open_store


@asynccontextmanager
async def empty_store() -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        endpoint = f"unix:///@store-plugin-tests/backend-{uuid4().hex}"
        bench = await stack.enter_async_context(hub_bench(endpoint))
        await stack.enter_async_context(shelves(bench, ShelfFactory()))
        yield await bench.open({"shelf": "a"})


TestMachine = store_machine(empty_store, examples=15).TestCase


async def test_credentials_reach_the_plugin_and_nobody_else_over_a_shared_socket(bench: Bench) -> None:
    factory = ShelfFactory()
    async with shelves(bench, factory):
        store = await bench.open({"shelf": "a", "token": REFERENCE}, {"token": b"sesame"})
        assert not (await store.read(NAME)).present
        assert factory.opened == [("a", b"sesame")]
    async with (
        hub_bench(f"unix:///@store-plugin-tests/{uuid4().hex}") as open_to_all,
        shelves(open_to_all, factory),
    ):
        with pytest.raises(ConfigInvalid, match="owner-only"):
            await open_to_all.open({"shelf": "a", "token": REFERENCE}, {"token": b"sesame"})
        assert len(factory.opened) == 1


async def test_credentials_go_to_the_instance_that_nobody_else_hears() -> None:
    async def unheard(_frame: object) -> None: ...

    registry = Registry()
    for instance, private in (("shared", False), ("own", True)):
        about = Peer("shelves", "1", instance, announced_instance=True, private=private)
        registry.add(Session(about, Outbox(unheard)), lambda: None)
    channel = PluginChannel(registry, "shelves", private=True)
    assert {(await channel.entry(wait=0.0)).peer.instance_id for _ in range(3)} == {"own"}


async def test_a_rotated_credential_opens_another_store(bench: Bench) -> None:
    factory = ShelfFactory()
    async with shelves(bench, factory):
        made: Any = bench.kinds[API_VERSION, KIND].load()
        credentials = MemoryCredentials({"token": b"first"})
        spec = made.spec_model.model_validate({"shelf": "a", "token": REFERENCE})
        store = await made.open(spec, memory_environment(credentials, config=f"{KIND}/test"))
        await store.write(NAME, Secret({"k": b"v"}), base=await store.read(NAME))
        credentials.replace({"token": b"second"})
        assert (await store.read(NAME)).secret.data == {"k": b"v"}
        assert factory.opened == [("a", b"first"), ("a", b"second")]
        credentials.replace({"token": b"wrong"})
        with pytest.raises(ConfigInvalid, match="does not open the shelf"):
            await store.read(NAME)


async def test_a_plugin_that_is_away_is_unavailable_and_comes_back(bench: Bench) -> None:
    factory = ShelfFactory()
    async with shelves(bench, factory):
        store = await bench.open({"shelf": "a"})
        await store.write(NAME, Secret({"k": b"v"}), base=await store.read(NAME))
    await until(lambda: len(bench.hub.registry) == 0)
    with pytest.raises(PluginDisconnected):
        await store.read(NAME)
    async with shelves(bench, factory):
        assert (await store.read(NAME)).secret.data == {"k": b"v"}


async def test_a_lost_instances_reads_go_to_another(bench: Bench) -> None:
    """Reads that are under way when an instance goes are answered by the one that stays."""
    factory = ShelfFactory()
    hanging = asyncio.Event()

    class Hanging(ShelfFactory):
        async def open(self, spec: Any, environment: Any) -> Store:
            store = await super().open(spec, environment)

            async def read(*_: Any) -> Any:
                hanging.set()
                await asyncio.Event().wait()

            store.read = read  # type: ignore[method-assign]
            return store

    plugin = shelf_plugin(Hanging(), instance_id="one")
    one = asyncio.create_task(plugin.run(bench.endpoint, signals=()))
    await until(lambda: len(bench.hub.registry) == 1)
    store = await bench.open({"shelf": "a", "timeout": 90.0})
    reading = asyncio.create_task(store.read(NAME))
    await asyncio.wait_for(hanging.wait(), 30)
    async with shelves(bench, factory, instance_id="two"):
        one.cancel()
        await asyncio.wait((one,))
        assert not (await asyncio.wait_for(reading, 30)).present


async def test_a_store_that_says_it_is_away_is_not_asked_again_at_once(bench: Bench) -> None:
    reads = 0

    class Away(ShelfFactory):
        async def open(self, spec: Any, environment: Any) -> Store:
            store = await super().open(spec, environment)

            async def read(*_: Any) -> Any:
                nonlocal reads
                reads += 1
                raise StoreUnavailable("its service is down", retry_after=5.0)

            store.read = read  # type: ignore[method-assign]
            return store

    async with shelves(bench, Away()):
        store = await bench.open({"shelf": "a"})
        with pytest.raises(StoreUnavailable, match="its service is down") as told:
            await store.read(NAME)
    assert (reads, told.value.retry_after) == (1, 5.0)


async def test_a_write_that_is_lost_is_not_sent_again(bench: Bench) -> None:
    writes = 0

    class Losing(ShelfFactory):
        async def open(self, spec: Any, environment: Any) -> Store:
            store = await super().open(spec, environment)

            async def write(*_: Any, **__: Any) -> Any:
                nonlocal writes
                writes += 1
                bench.hub.registry.entries()[0].instance.end("lost on purpose")  # type: ignore[attr-defined]
                await asyncio.sleep(1)

            store.write = write  # type: ignore[method-assign]
            return store

    async with shelves(bench, Losing()):
        store = await bench.open({"shelf": "a"})
        with pytest.raises(StoreUnavailable):
            await store.write(NAME, Secret({"k": b"v"}), base=await store.read(NAME))
    assert writes == 1


async def test_a_ticket_that_is_gone_costs_a_read_and_loses_nothing(bench: Bench) -> None:
    factory = ShelfFactory()
    store = await ShelfFactory().open(factory.spec_model(shelf="a"), memory_environment())
    kept = await store.read(NAME)
    notes = Notes(most=1)
    base = kept.__class__(kept.presence, kept.secret, kept.version, raw=b"t" + b"0" * 16)
    assert await notes.base_of(base, store, NAME) == kept
    await store.write(NAME, Secret({"k": b"v"}), base=kept)
    with pytest.raises(Conflict):
        await notes.base_of(base, store, NAME)


BAD_SPECS = {
    "unknown field": ({"shelf": "a", "canary-field": 1}, "does not have"),
    "wrong type": ({"shelf": 5}, "shelf must be of type"),
    "missing": ({}, "required"),
    "too long": ({"shelf": "canary" * 10}, "at most 20"),
    "common field": ({"shelf": "a", "ownership": {"policy": "canary"}}, "ownership"),
}


@pytest.mark.parametrize(("spec", "told"), BAD_SPECS.values(), ids=BAD_SPECS.keys())
async def test_a_spec_is_held_against_the_plugins_schema(
    bench: Bench, spec: dict[str, Any], told: str
) -> None:
    async with shelves(bench, ShelfFactory()):
        with pytest.raises(ValueError, match=told) as failure:
            await bench.open(spec)
        if "common" not in told and told != "ownership":
            assert "canary" not in str(failure.value.errors()[0]["msg"])  # type: ignore[attr-defined]


def kind(
    api_version: str = API_VERSION, name: str = KIND, schema: bytes = b'{"type":"object"}'
) -> PluginKind:
    return PluginKind(api_version, name, f"{name.lower()}s", schema)


def peer(*kinds: PluginKind, name: str = "shelves") -> Peer:
    return Peer(name, "1", "one", announced_instance=True, kinds=kinds)


def test_built_in_kinds_and_foreign_groups_cannot_be_taken() -> None:
    built_in: Any = {("secrets.crossplane.io/v1alpha1", "VaultConfig"): object()}
    kinds = Kinds(built_in, Registry(), ("*.example.org", "secrets.crossplane.io"))
    with pytest.raises(PluginRefused, match="built in"):
        kinds.check(peer(kind("secrets.crossplane.io/v1alpha1", "VaultConfig")))
    with pytest.raises(PluginRefused, match="API group"):
        kinds.check(peer(kind("other.org/v1")))
    kinds.check(peer(kind()))
    kinds.take(peer(kind()))
    with pytest.raises(PluginRefused, match="belongs to plugin shelves"):
        kinds.check(peer(kind(), name="thief"))


@pytest.mark.parametrize(
    "schema", [b"", b"[]", b'{"type":"array"}', b'{"type":5}', b"\xff", b"[" * 100_000], ids=repr
)
def test_what_is_no_schema_is_refused(schema: bytes) -> None:
    with pytest.raises(InvalidRequest):
        Kinds({}, Registry(), ("*",)).check(peer(kind(schema=schema[:100_001])))


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:1/schema", "file:///etc/hostname", "#/properties/own"]
)
def test_a_schema_that_refers_to_anything_is_refused(reference: str) -> None:
    """A reference to a server would be fetched by the hub, one to itself would never end."""
    schema = {"type": "object", "properties": {"own": {"items": [{"$ref": reference}]}}}
    with pytest.raises(InvalidRequest, match=r"\$ref"):
        Kinds({}, Registry(), ("*",)).check(peer(kind(schema=json.dumps(schema).encode())))


def test_kinds_of_all_plugins_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds_module, "MOST_KINDS", 3)
    kinds = Kinds({}, Registry(), ("*",))
    for number in range(3):
        one = peer(kind(name=f"Kind{number}"), name=f"plugin-{number}")
        kinds.check(one)
        kinds.take(one)
    kinds.check(peer(kind(name="Kind1", schema=b'{"type":"object","title":"newer"}'), name="plugin-1"))
    with pytest.raises(Overloaded, match="brought 3 kinds, and 3 is the limit"):
        kinds.check(peer(kind(name="OneMore")))
    monkeypatch.setattr(kinds_module, "MOST_SCHEMA_BYTES", 80)
    with pytest.raises(Overloaded, match="larger than 80 bytes"):
        kinds.check(peer(kind(name="Kind0", schema=b'{"type":"object"}' + b" " * 60), name="plugin-0"))


def test_a_schema_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its plugin comes."""
    made: list[str] = []

    def spec_model(name: str, schema: bytes) -> type[PluginSpec]:
        made.append(name)
        return plugin_spec.spec_model(name, schema)

    monkeypatch.setattr(kinds_module, "spec_model", spec_model)
    kinds = Kinds({}, Registry(), ("*",))
    for _ in range(3):
        kinds.check(peer(kind()))
        kinds.take(peer(kind()))
    assert made == [KIND]


def test_a_plural_stays_what_it_was() -> None:
    kinds = Kinds({}, Registry(), ("*",))
    shelf = PluginKind(API_VERSION, KIND, "shelves", b'{"type":"object"}')
    assert kinds.plural(API_VERSION, KIND) is None
    kinds.take(peer(shelf))
    assert kinds.plural(API_VERSION, KIND) == "shelves"
    with pytest.raises(PluginRefused, match="came with the plural shelves"):
        kinds.check(peer(kind()))


@pytest.mark.parametrize(
    ("brought", "of"),
    [
        ([PluginKind("a.example.org/v1", "Other", "shelves", b"{}")], "Shelf"),
        ([PluginKind("a.example.org/v2", "Other", "shelves", b"{}")], "Shelf"),
        ([PluginKind("secrets.example.org/v9", "Mine", "builtinconfigs", b"{}")], "BuiltInConfig"),
        ([PluginKind("a.example.org/v1", name, "ones", b"{}") for name in ("One", "Two")], "One"),
    ],
    ids=["of another plugin", "in another version", "of a built-in kind", "of its own"],
)
def test_a_plural_is_one_kinds_in_its_group(brought: list[PluginKind], of: str) -> None:
    """The API server would take one CRD of them."""
    built_in: Any = {("secrets.example.org/v1", "BuiltInConfig"): None}
    kinds = Kinds(built_in, Registry(), ("*",))
    kinds.take(peer(PluginKind("a.example.org/v1", "Shelf", "shelves", b'{"type":"object"}')))
    with pytest.raises(
        PluginRefused, match=f"cannot have the plural {brought[-1].plural}, which the kind {of} "
    ):
        kinds.check(peer(*brought, name="another"))


def test_a_kind_may_come_in_two_versions_and_a_plural_in_two_groups() -> None:
    kinds = Kinds({}, Registry(), ("*",))
    schema = b'{"type":"object"}'
    kinds.take(peer(PluginKind("a.example.org/v1", "Shelf", "shelves", schema)))
    kinds.check(
        peer(
            PluginKind("a.example.org/v2", "Shelf", "shelves", schema),
            PluginKind("b.example.org/v1", "Board", "shelves", schema),
        )
    )


def test_kinds_are_new_once_and_changed_with_their_schema() -> None:
    kinds = Kinds({}, Registry(), ("*",))
    assert kinds.take(peer(kind())) == {(API_VERSION, KIND)}
    assert kinds.take(peer(kind())) == frozenset()
    other = kind(schema=b'{"type":"object","properties":{"x":{"type":"string"}}}')
    assert kinds.take(peer(other)) == {(API_VERSION, KIND)}
    assert list(kinds) == [(API_VERSION, KIND)]
