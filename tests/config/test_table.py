"""What the table puts in effect: generations, last good specs, and who is told."""

from collections.abc import Collection
from typing import Any

import pytest

from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.config.declarations import DeclaredConfig
from store_plugin.config.table import ConfigStatus, ConfigTable, LoadedConfig
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec
from tests.config.manifest_text import reference
from tests.support.fakes import RecordingLog, ShelfSpec


def declared(
    name: str, server: str | None = "https://x", *, error: str | None = None, line: int = 1
) -> DeclaredConfig:
    spec = None if server is None else ShelfSpec(server=server)
    return DeclaredConfig(file="a.yaml", line=line, reference=reference(name), spec=spec, error=error)


class Table:
    """A table with what tests ask of it."""

    def __init__(self) -> None:
        self.table = ConfigTable()
        self.told: list[set[str]] = []
        self.sources = CredentialSources({}, RecordingLog())
        self.stop = self.table.subscribe(self._hear)

    def put(self, *configs: DeclaredConfig) -> None:
        self.table.replace(configs, lambda spec: ConfigCredentials(spec, self.sources))

    def config(self, name: str) -> LoadedConfig:
        config = self.table.get(reference(name))
        assert config is not None
        return config

    def _hear(self, changed: Collection[ConfigReference]) -> None:
        self.told.append({reference.name for reference in changed})


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.mark.parametrize(
    ("then", "generation", "status"),
    [
        pytest.param(declared("a"), 1, ConfigStatus.VALID, id="the same spec"),
        pytest.param(declared("a", line=9), 1, ConfigStatus.VALID, id="another line"),
        pytest.param(declared("a", "https://y"), 2, ConfigStatus.VALID, id="another spec"),
        pytest.param(declared("a", None, error="bad"), 1, ConfigStatus.STALE, id="invalid"),
    ],
)
def test_a_generation_counts_specs_that_differ(
    then: DeclaredConfig, generation: int, status: ConfigStatus, table: Table
) -> None:
    table.put(declared("a"))
    table.put(then)
    config = table.config("a")
    assert (config.generation, config.status, config.source) == (generation, status, then.source)


def test_an_invalid_config_keeps_its_last_good_spec_and_credentials(table: Table) -> None:
    table.put(declared("a"))
    before = table.config("a")
    table.put(declared("a", None, error="a.yaml:3: bad"))
    config = table.config("a")
    assert (config.spec, config.error) == (before.spec, "a.yaml:3: bad")
    assert config.credentials is before.credentials
    table.put(declared("a"))
    assert (table.config("a").generation, table.config("a").error) == (1, None)


def test_a_config_that_never_was_valid_has_no_spec_until_it_is(table: Table) -> None:
    table.put(declared("a", None, error="bad"))
    config = table.config("a")
    assert (config.spec, config.generation, config.status) == (None, 0, ConfigStatus.INVALID)
    table.put(declared("a"))
    assert table.config("a").generation == 1


def test_new_specs_come_with_new_credentials(table: Table) -> None:
    table.put(declared("a"))
    before = table.config("a").credentials
    table.put(declared("a", "https://y"))
    assert table.config("a").credentials is not before


def test_subscribers_hear_what_changed_and_nothing_else(table: Table) -> None:
    a, b = declared("a"), declared("b")
    table.put(a, b)
    table.put(a, b)
    table.put(a, declared("b", "https://y"), declared("c"))
    table.put(a)
    table.stop()
    table.put()
    assert table.told == [{"a", "b"}, {"b", "c"}, {"b", "c"}]


def test_a_removed_config_is_gone(table: Table) -> None:
    table.put(declared("a"), declared("b"))
    table.put(declared("b"))
    assert table.table.get(reference("a")) is None
    assert [config.reference.name for config in table.table.all()] == ["b"]


def test_counts_tell_configs_by_kind_and_status(table: Table) -> None:
    table.put(declared("a"), declared("b"), declared("c", None, error="bad"))
    table.put(declared("a"), declared("b", None, error="bad"), declared("c", None, error="bad"))
    assert dict(table.table.counts()) == {("ShelfConfig", status): 1 for status in ConfigStatus}
    assert [config.reference.name for config in table.table.broken()] == ["b", "c"]


def test_counts_follow_each_change(table: Table) -> None:
    assert (dict(table.table.counts()), list(table.table.broken())) == ({}, [])
    table.put(declared("a", None, error="bad"))
    assert dict(table.table.counts()) == {("ShelfConfig", ConfigStatus.INVALID): 1}
    table.put(declared("a"))
    assert dict(table.table.counts()) == {("ShelfConfig", ConfigStatus.VALID): 1}
    assert list(table.table.broken()) == []


def test_a_spec_of_the_same_values_and_another_model_is_another_spec(table: Table) -> None:
    class Other(ShelfSpec):
        pass

    specs: list[StoreSpec] = [ShelfSpec(server="https://x"), Other(server="https://x")]
    for spec in specs:
        arguments: dict[str, Any] = {"file": "a.yaml", "line": 1, "reference": reference("a")}
        table.put(DeclaredConfig(spec=spec, **arguments))
    assert table.config("a").generation == 2
