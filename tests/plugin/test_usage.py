"""What the program that a plugin is says of its own use."""

import pytest

from store_plugin.plugin import Plugin
from stores.local import factory


@pytest.fixture
def plugin() -> Plugin:
    plugin = Plugin("shelf", "1.0")
    plugin.serve_store(factory, api_version="backends.example.org/v1", kind="ShelfConfig")
    return plugin


def test_help_tells_what_it_is_and_every_option(plugin: Plugin, capsys: pytest.CaptureFixture[str]) -> None:
    plugin.main(["--help"])
    told = capsys.readouterr().out
    assert told.startswith("Usage: shelf [--hub ENDPOINT | --describe]\n\nshelf 1.0, ")
    assert "the kind ShelfConfig (backends.example.org/v1)" in told
    assert {"--hub", "--describe", "--help"} <= set(told.split())


def test_without_a_sidecar_it_names_every_way_to_start_it(plugin: Plugin) -> None:
    with pytest.raises(SystemExit, match=r"^shelf: .*'store-plugin plugin run --dev'.*\(--hub ENDPOINT\)$"):
        plugin.main([])


def test_a_hub_without_an_endpoint_is_told(plugin: Plugin) -> None:
    with pytest.raises(SystemExit, match="--hub needs an endpoint"):
        plugin.main(["--hub"])
