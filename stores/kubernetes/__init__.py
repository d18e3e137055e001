"""Secrets in Kubernetes Secrets: of the cluster that the sidecar runs in, or of another one.

The library is imported below here and not before a store is opened.
"""

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from store_plugin.store import Environment, StoreFactory
from stores.kubernetes.spec import KubernetesSpec

if TYPE_CHECKING:
    from stores.kubernetes.store import KubernetesStore


class KubernetesFactory:
    """Opens stores; each has connections of its own."""

    spec_model = KubernetesSpec

    async def open(self, spec: KubernetesSpec, environment: Environment) -> "KubernetesStore":
        """A store that connects with its first request. ConfigInvalid for a kubeconfig that
        cannot be used, or where there is neither one nor a Pod's ServiceAccount."""
        await asyncio.to_thread(import_module, "stores.kubernetes.store")
        from stores.kubernetes.store import KubernetesStore

        return KubernetesStore(spec, environment)


factory: StoreFactory[KubernetesSpec] = KubernetesFactory()
