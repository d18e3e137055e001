"""One sidecar and one OpenBao mount for all, a publisher for each module; every test has a
namespace of its own."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.publisher import Publisher, PublisherPlace, running_publisher, vault_configs
from tests.support.sidecar import running_sidecar


@pytest.fixture(scope="package")
def common(
    bao: OpenBao, with_kinds: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublisherPlace]:
    """With the StoreConfig `vault`, over VaultConfig `vault`."""
    data = tmp_path_factory.mktemp("publisher")
    mount = bao.mount_kv()
    with running_sidecar(vault_configs(data, bao, mount)) as sidecar:
        place = PublisherPlace(with_kinds, bao, mount, sidecar.endpoint, data)
        place.store_config("vault")
        yield place
        for name in sorted(place.made):
            place.delete_store_config(name)


@pytest.fixture(scope="module")
def publisher(common: PublisherPlace) -> Iterator[Publisher]:
    """Of all namespaces: no other may run beside it."""
    with running_publisher(common, "--resync-interval", "0") as process:
        yield process
        assert "a bug" not in process.log


@pytest.fixture
def place(common: PublisherPlace) -> PublisherPlace:
    return replace(common, namespace=common.cluster.namespace())
