"""The cluster that charts are brought into."""

import pytest

from tests.charts.switches import NAMESPACE
from tests.support.helm import Manifest
from tests.support.kubernetes import ApiError, Cluster

RUNTIME_CONFIG: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "deploymentruntimeconfigs.pkg.crossplane.io"},
    "spec": {
        "group": "pkg.crossplane.io",
        "names": {"kind": "DeploymentRuntimeConfig", "plural": "deploymentruntimeconfigs"},
        "scope": "Cluster",
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
"""Of Crossplane only the name: what is in it is applied as a Deployment in another test."""


@pytest.fixture(scope="session")
def prepared(with_kinds: Cluster) -> Cluster:
    """The cluster with the namespaces that the values name."""
    with_kinds.define(RUNTIME_CONFIG)
    for name in (NAMESPACE, "operators", "crossplane-system"):
        try:
            with_kinds.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        except ApiError as error:
            assert error.status == 409, error.body
    return with_kinds
