"""The switches of the chart, each with the least that it needs."""

from collections.abc import Mapping
from typing import Any

NAMESPACE = "store-plugin"
IMAGE: Mapping[str, Any] = {"image": {"repository": "registry.example.com/store-plugin"}}
SIDECARS = [{"namespace": "operators", "serviceAccount": "operator"}]
SECRETS = [{"namespace": "operators", "names": ["vault-token"]}]
HUB: Mapping[str, Any] = {
    "standalone": {"enabled": True},
    "hub": {"enabled": True, "pluginGroups": ["stores.example.org"]},
}
PROXY = {
    "enabled": True,
    "auth": "rbac-proxy",
    "pluginGroups": ["stores.example.org"],
    "proxy": {"image": "registry.example.com/kube-rbac-proxy:v0.21"},
}
PLUGINS = {"folder": {"image": "registry.example.com/folder:1.0"}}

SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {"rbac": {"enabled": False}, "crds": {"enabled": False}},
    "crds": {"rbac": {"enabled": False}},
    "rbac": {"rbac": {"sidecars": SIDECARS, "secrets": SECRETS}},
    "injection": {**IMAGE, "injection": {"enabled": True}},
    "crossplane": {**IMAGE, "crossplane": {"enabled": True}},
    "standalone": {**IMAGE, "standalone": {"enabled": True}},
    "autoscaling": {**IMAGE, "standalone": {"enabled": True, "autoscaling": {"enabled": True}}},
    "hub": {**IMAGE, **HUB, "plugins": PLUGINS},
    "rbac-proxy": {**IMAGE, **HUB, "plugins": PLUGINS, "hub": PROXY},
    "publisher": {**IMAGE, "publisher": {"enabled": True}},
    "publisher-of-namespaces": {**IMAGE, "publisher": {"enabled": True, "namespaces": ["operators"]}},
}
"""Values by the name of what they switch on."""
