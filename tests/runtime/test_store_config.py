"""What a StoreConfig may say, and what it means."""

from typing import Any

import pytest

from store_plugin.errors import ConfigInvalid
from store_plugin.model import ConfigReference
from store_plugin.runtime import StoreConfig

VAULT = {"apiVersion": "secrets.crossplane.io/v1alpha1", "kind": "VaultConfig", "name": "vault-internal"}


def store_config(**spec: Any) -> StoreConfig:
    manifest = {
        "apiVersion": "gcp.crossplane.io/v1alpha1",
        "kind": "StoreConfig",
        "metadata": {"name": "vault", "uid": "1"},
        "spec": {"defaultScope": "crossplane-system", **spec},
    }
    return StoreConfig.from_manifest(manifest)


def refusal(**spec: Any) -> str:
    with pytest.raises(ConfigInvalid) as refused:
        store_config(**spec)
    return refused.value.message


def test_the_manifest_of_the_design_document_is_read() -> None:
    endpoint = "unix:///@crossplane/secret/default.sock"
    config = store_config(type="External", external={"endpoint": endpoint, "configRef": VAULT})
    assert (config.name, config.spec.type, config.spec.default_scope) == (
        "vault",
        "External",
        "crossplane-system",
    )
    assert config.spec.outside is not None
    assert config.spec.outside.endpoint == endpoint
    assert config.spec.outside.config_ref.reference == ConfigReference(
        "secrets.crossplane.io/v1alpha1", "VaultConfig", "vault-internal"
    )


def test_plugin_is_another_name_for_external() -> None:
    plugin = store_config(type="Plugin", plugin={"configRef": VAULT})
    external = store_config(type="External", external={"configRef": VAULT})
    assert plugin.spec.outside == external.spec.outside


@pytest.mark.parametrize(("type_", "block"), [("Plugin", "external"), ("External", "plugin")])
def test_type_and_block_may_use_different_names(type_: str, block: str) -> None:
    assert store_config(type=type_, **{block: {"configRef": VAULT}}).spec.outside is not None


def test_the_type_is_kubernetes_where_none_is_told() -> None:
    assert store_config().spec.type == "Kubernetes"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            {"type": "Vault", "vault": {}}, 'unknown secret store type: "Vault"', id="type of before 1.14"
        ),
        pytest.param({"type": 3}, 'unknown secret store type: ""', id="type that is no word"),
        pytest.param({"type": "Plugin"}, "type Plugin needs the block plugin", id="no block"),
        pytest.param({"type": "External"}, "type External needs the block external", id="no block, new name"),
        pytest.param(
            {"type": "External", "external": {}}, "spec.external.configRef: Field required", id="to nothing"
        ),
        pytest.param(
            {"type": "External", "external": {"configRef": {**VAULT, "kind": "StoreConfig"}}},
            "name the config of a store",
            id="to itself",
        ),
        pytest.param(
            {
                "type": "External",
                "external": {"configRef": VAULT},
                "plugin": {"configRef": VAULT},
            },
            "external and plugin mean the same",
            id="told twice",
        ),
        pytest.param(
            {"type": "External", "external": {"configRef": VAULT, "endpoint": "ftp://x"}},
            "is not an endpoint: write unix:///@name",
            id="endpoint",
        ),
        pytest.param({"defaultScope": "../team-b"}, "spec.defaultScope", id="scope that climbs"),
        pytest.param({"defaultScope": None}, "spec.defaultScope", id="no scope"),
        pytest.param({"kubernets": {}}, "spec.kubernets", id="misspelt field"),
        pytest.param(
            {"kubernetes": {"auth": {"source": "Secret"}}}, "needs the block secretRef", id="auth's block"
        ),
    ],
)
def test_a_mistake_is_told_with_its_field(spec: dict[str, Any], told: str) -> None:
    message = refusal(**spec)
    assert message.startswith("StoreConfig vault: ")
    assert told in message


@pytest.mark.parametrize("manifest", [{}, {"metadata": {}}, {"metadata": "x", "spec": []}])
def test_an_object_without_a_name_is_none(manifest: dict[str, object]) -> None:
    with pytest.raises(ConfigInvalid, match=r"without metadata\.name"):
        StoreConfig.from_manifest(manifest)


def test_an_object_without_a_spec_lacks_its_scope() -> None:
    with pytest.raises(ConfigInvalid, match=r"defaultScope: Field required"):
        StoreConfig.from_manifest({"metadata": {"name": "x"}})
