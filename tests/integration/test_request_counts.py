"""How many requests a call costs OpenBao, counted between the two."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from store_plugin.client import Client
from store_plugin.runtime import DetailsManager, StaticStoreConfigs, StoreConfig
from tests.integration.conftest import World
from tests.support.background_proxy import background_proxy
from tests.support.manifests import GROUP_VERSION
from tests.support.proxy import Proxy
from tests.support.sidecar import SidecarProcess, running_sidecar


@pytest.fixture(scope="module")
def counted(world: World) -> Iterator[Proxy]:
    with background_proxy(world.bao.address) as proxy:
        world.vault("counted", server=proxy.address)
        world.vault("remembering", server=proxy.address, driftCheckInterval="1h")
        world.vault("counted-v1", version="v1", server=proxy.address)
        yield proxy


@pytest.fixture(scope="module")
def sidecar(world: World, counted: Proxy) -> Iterator[SidecarProcess]:
    with running_sidecar(world.configs) as process:
        yield process


def requests_of(proxy: Proxy, action: Callable[[], object]) -> list[str]:
    before = len(proxy.requests)
    action()
    return proxy.requests[before:]


@pytest.mark.parametrize("config", ["VaultConfig/counted", "VaultConfig/counted-v1"])
def test_a_get_and_an_unchanged_apply_are_one_request(client: Client, counted: Proxy, config: str) -> None:
    name, data = f"counted/{uuid4().hex}", {"k": b"v"}
    client.apply(config, name, data, owner="uid-1")
    assert len(requests_of(counted, lambda: client.get(config, name))) == 1
    assert len(requests_of(counted, lambda: client.apply(config, name, data, owner="uid-1"))) == 1


def calls(sidecar: SidecarProcess) -> Counter[str]:
    """How many it has answered, by method."""
    lines = re.findall(r'requests_total{.*method="(\w+)"} ([\d.]+)', sidecar.http("/metrics"))
    return Counter({method: int(float(count)) for method, count in lines})


def test_to_publish_unchanged_details_is_one_call_and_one_read(
    sidecar: SidecarProcess, counted: Proxy
) -> None:
    reference = {"apiVersion": GROUP_VERSION, "kind": "VaultConfig", "name": "counted"}
    spec = {"type": "External", "defaultScope": "crossplane-system"}
    spec |= {"external": {"endpoint": sidecar.endpoint, "configRef": reference}}
    configs = StaticStoreConfigs([StoreConfig.from_manifest({"metadata": {"name": "default"}, "spec": spec})])
    owner = {
        "metadata": {"namespace": "team-a", "name": "db", "uid": "uid-1"},
        "spec": {"publishConnectionDetailsTo": {"name": f"db-{uuid4().hex}"}},
    }
    with DetailsManager(configs) as manager:
        assert manager.publish(owner, {"password": b"x"})
        before = calls(sidecar)
        seen = requests_of(counted, lambda: manager.publish(owner, {"password": b"x"}))
        assert calls(sidecar) - before == {"ApplySecret": 1}
    assert [request.partition(" ")[0] for request in seen] == ["GET"]


@pytest.mark.parametrize("config", ["VaultConfig/counted", "VaultConfig/counted-v1"])
def test_a_changed_apply_is_two_requests(client: Client, counted: Proxy, config: str) -> None:
    name = f"counted/{uuid4().hex}"
    client.apply(config, name, {"k": b"v"}, owner="uid-1")
    changed = requests_of(counted, lambda: client.apply(config, name, {"k": b"w"}, owner="uid-1"))
    assert len(changed) == 2, changed


def test_a_changed_apply_with_metadata_is_three_requests(client: Client, counted: Proxy) -> None:
    """The token's policy has no `patch`: the store has found that out by the first of them."""
    name = f"counted/{uuid4().hex}"
    client.apply("VaultConfig/counted", name, {"k": b"v"}, metadata={"team": "a"})
    changed = requests_of(
        counted, lambda: client.apply("VaultConfig/counted", name, {"k": b"w"}, metadata={"team": "b"})
    )
    assert len(changed) == 3, changed


def test_deletes_cost_a_read_and_a_write(client: Client, counted: Proxy) -> None:
    name = f"counted/{uuid4().hex}"
    client.apply("VaultConfig/counted", name, {"a": b"1", "b": b"2"})
    assert len(requests_of(counted, lambda: client.delete_keys("VaultConfig/counted", name, ["a"]))) == 2
    assert len(requests_of(counted, lambda: client.delete("VaultConfig/counted", name))) == 2
    assert len(requests_of(counted, lambda: client.delete("VaultConfig/counted", name))) == 1


def test_within_its_drift_check_interval_an_identical_apply_is_no_request(
    client: Client, counted: Proxy
) -> None:
    config, name, data = "VaultConfig/remembering", f"counted/{uuid4().hex}", {"k": b"v"}

    def apply() -> None:
        assert not client.apply(config, name, data, owner="uid-1").changed

    client.apply(config, name, data, owner="uid-1")
    assert requests_of(counted, apply) == []
    with ThreadPoolExecutor(16) as callers:
        assert requests_of(counted, lambda: list(callers.map(lambda _: apply(), range(16)))) == []


def test_our_own_change_through_another_config_is_noticed(client: Client, counted: Proxy) -> None:
    config, name, data = "VaultConfig/remembering", f"counted/{uuid4().hex}", {"k": b"v"}
    client.apply(config, name, data, owner="uid-1")
    client.apply("VaultConfig/counted", name, {"k": b"w"}, owner="uid-1")
    assert client.apply(config, name, data, owner="uid-1").changed
    client.delete("VaultConfig/counted", name)
    assert client.apply(config, name, data, owner="uid-1").changed
