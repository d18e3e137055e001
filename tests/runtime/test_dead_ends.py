"""StoreConfigs that lead nowhere, as API servers take them where a provider's own CRD has no rule
against it: each says what is wrong with it, and what it leads to is not asked."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from store_plugin.errors import ConfigInvalid, ConfigNotFound, KindNotServed, StorePluginError
from store_plugin.runtime import ClusterStoreConfigs, DetailsManager
from tests.runtime.conftest import Thing
from tests.support.ess_plugin_vault import store_config_crd
from tests.support.kubernetes import Cluster, path_of
from tests.support.kubernetes_clients import threaded_client
from tests.support.manifests import GROUP_VERSION
from tests.support.sidecar import SidecarProcess

GROUP = "aws.example.org"


@pytest.fixture(scope="module")
def provider(cluster: Cluster) -> Iterator[Cluster]:
    crd = store_config_crd(GROUP)
    cluster.define(crd)
    yield cluster
    cluster.api("DELETE", path_of(crd))


@pytest.mark.parametrize(
    ("leads_to", "error", "told"),
    [
        pytest.param(
            {"apiVersion": GROUP_VERSION, "kind": "ThingConfig", "name": "files"},
            KindNotServed,
            "cannot read from secret store: .*ThingConfig",
            id="an unknown kind",
        ),
        pytest.param(
            {"apiVersion": "example.org/v1", "kind": "LocalConfig", "name": "files"},
            KindNotServed,
            "cannot read from secret store: .*example.org/v1",
            id="a kind of another group",
        ),
        pytest.param(
            {"apiVersion": GROUP_VERSION, "kind": "LocalConfig", "name": "nobody"},
            ConfigNotFound,
            "cannot read from secret store: .*nobody",
            id="a config that is not there",
        ),
        pytest.param(
            {"apiVersion": f"{GROUP}/v1alpha1", "kind": "StoreConfig", "name": "self"},
            ConfigInvalid,
            "cannot get store config: .*names a StoreConfig: name the config of a store",
            id="itself",
        ),
        pytest.param(None, ConfigInvalid, "cannot get store config: .*plugin", id="nothing"),
    ],
)
def test_a_store_config_that_leads_nowhere_is_told(
    provider: Cluster,
    sidecar: SidecarProcess,
    leads_to: dict[str, str] | None,
    error: type[StorePluginError],
    told: str,
) -> None:
    name = "self" if leads_to and leads_to["name"] == "self" else f"dead-{uuid4().hex[:8]}"
    plugin = {"plugin": {"endpoint": sidecar.endpoint, "configRef": leads_to}} if leads_to else {}
    provider.apply(
        {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "StoreConfig",
            "metadata": {"name": name},
            "spec": {"type": "Plugin", "defaultScope": "crossplane-system", **plugin},
        }
    )
    with (
        threaded_client(provider) as api,
        DetailsManager(ClusterStoreConfigs(api, f"{GROUP}/v1alpha1")) as manager,
        pytest.raises(error, match=told),
    ):
        manager.fetch(Thing("team-a").manifest(configRef={"name": name}))
