"""What the status and the Events of a config say."""

from typing import Any

from tests.integration.place import Place


def conditions(place: Place) -> dict[str, dict[str, Any]]:
    found = place.cluster.api("GET", f"/apis/secrets.crossplane.io/v1alpha1/vaultconfigs/{place.config}")
    return {one["type"]: one for one in found.get("status", {}).get("conditions", [])}


def events(place: Place) -> set[tuple[str, str]]:
    """Type and reason of each."""
    query = f"fieldSelector=involvedObject.name={place.config}"
    found = place.cluster.api("GET", f"/api/v1/namespaces/default/events?{query}")["items"]
    return {(one["type"], one["reason"]) for one in found}
