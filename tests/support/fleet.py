"""ClusterProfiles of real API servers."""

from base64 import b64encode
from typing import Any

from tests.support.exec_plugins import profile
from tests.support.kubernetes import Cluster


def apply_profile(
    hub: Cluster, member: Cluster, namespace: str, name: str, api_version: str = "v1alpha1", **fields: Any
) -> None:
    """A ClusterProfile of `member` in `hub`, as its cluster manager writes it: the status apart.
    `fields` say otherwise."""
    ca = b64encode(member.ca).decode()
    found = profile(name, **{"server": member.address, "certificate-authority-data": ca, **fields})
    found["apiVersion"] = f"multicluster.x-k8s.io/{api_version}"
    found["metadata"]["namespace"] = namespace
    hub.apply({key: value for key, value in found.items() if key != "status"})
    hub.apply({key: value for key, value in found.items() if key != "spec"}, subresource="status")
