"""The fields of KubernetesStoreConfig: which cluster, and what its Secrets look like."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from store_plugin.spec import CredentialReference, StoreSpec

SECRET_TYPE = "connection.crossplane.io/v1alpha1"  # noqa: S105
"""Type of the Secrets that Crossplane writes."""


class KubernetesSpec(StoreSpec):
    """Secrets of a Kubernetes cluster; a scope is a namespace."""

    columns: ClassVar[Mapping[str, str]] = {"Type": "secretType"}

    kubeconfig: CredentialReference | None = None
    """A kubeconfig for another cluster; left out: the ServiceAccount of the Pod that runs the
    sidecar. It holds everything it needs: no paths of files and no commands to run."""
    context: str | None = Field(default=None, min_length=1)
    """Of the kubeconfig; left out: its current context."""
    secret_type: str = Field(default=SECRET_TYPE, min_length=1, max_length=253)
    """Of Secrets that are created here; existing ones keep theirs."""
