"""Plugins of released versions go on working at this sidecar. docs/upgrade.md says so."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from store_plugin import __version__
from store_plugin.client import Client
from store_plugin.errors import NotOwner, StorePluginError
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually
from tests.wire.plugins import API_VERSION, KIND, OldPlugin
from tests.wire.releases import FILES, descriptors

RELEASES = [release for release in FILES if "plugin_stream" in str(descriptors(release).file)]
"""The first generation knew no plugins."""


@pytest.fixture
def hub() -> str:
    return f"unix:///@store-plugin-test/{uuid4().hex}"


@pytest.fixture
def sidecar(tmp_path: Path, hub: str) -> Iterator[SidecarProcess]:
    config = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "old"}, "spec": {}}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "old.yaml").write_text(yaml.safe_dump(config))
    options = ("--hub-listen", hub, "--hub-plugin-groups", API_VERSION.partition("/")[0])
    with running_sidecar(tmp_path / "configs", *options) as process:
        yield process


def served(client: Client, config: str, name: str) -> bool:
    """The plugin's kind is known a moment after it has registered."""
    try:
        return client.get(config, name).data == {}
    except StorePluginError:
        return False


def test_this_version_is_among_those_with_plugins() -> None:
    assert __version__ in RELEASES


@pytest.mark.parametrize("release", RELEASES)
def test_an_old_plugin_serves_a_kind_of_this_sidecar(release: str, sidecar: SidecarProcess, hub: str) -> None:
    with OldPlugin(release, hub) as plugin, Client(sidecar.endpoint) as client:
        assert plugin.registered.instance_id
        where = (f"{API_VERSION}/{KIND}/old", "team-a/database")
        eventually(lambda: served(client, *where))
        assert client.apply(*where, {"a": b"1", "b": b"2"}, owner="uid").changed
        assert not client.apply(*where, {"a": b"1"}, owner="uid").changed
        with pytest.raises(NotOwner):
            client.apply(*where, {"a": b"3"}, owner="another")
        client.delete_keys(*where, ["a"])
        assert client.get(*where).data == {"b": b"2"}
        client.delete(*where)
        assert plugin.secrets == {}
