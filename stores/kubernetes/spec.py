"""The fields of KubernetesStoreConfig: which cluster, and what its Secrets look like."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from store_plugin.spec import CredentialReference, Manifest, Rule, StoreSpec

SECRET_TYPE = "connection.crossplane.io/v1alpha1"  # noqa: S105
"""Type of the Secrets that Crossplane writes."""


_ONE_CLUSTER = "clusterProfileRef names the cluster: leave kubeconfig and context out"


class ClusterProfileReference(Manifest):
    """A ClusterProfile (multicluster.x-k8s.io) of the cluster that the sidecar's configs
    come from, or of the one that its `--kubeconfig` names."""

    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class KubernetesSpec(StoreSpec):
    """Secrets of a Kubernetes cluster; a scope is a namespace."""

    columns: ClassVar[Mapping[str, str]] = {"Type": "secretType"}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!has(self.clusterProfileRef) || (!has(self.kubeconfig) && !has(self.context))", _ONE_CLUSTER),
    )

    kubeconfig: CredentialReference | None = None
    """A kubeconfig for another cluster; left out: the ServiceAccount of the Pod that runs the
    sidecar. It holds everything it needs: no paths of files and no commands to run."""
    context: str | None = Field(default=None, min_length=1)
    """Of the kubeconfig; left out: its current context."""
    cluster_profile_ref: ClusterProfileReference | None = None
    """A member of the fleet instead, reached as `serve --access-config` says."""
    secret_type: str = Field(default=SECRET_TYPE, min_length=1, max_length=253)
    """Of Secrets that are created here; existing ones keep theirs."""

    @model_validator(mode="after")
    def _one_way_to_the_cluster(self) -> Self:
        if self.cluster_profile_ref is not None and (self.kubeconfig is not None or self.context is not None):
            raise ValueError(_ONE_CLUSTER)
        return self
