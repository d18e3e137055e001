"""The schema of the values knows the types of Kubernetes as a real API server has them."""

import json
from typing import Any

import pytest

from tests.support.helm import CHART, LIBRARY
from tests.support.kubernetes import Cluster
from tools.charts import SCHEMA
from tools.kubernetes_types import OPEN, PROBE_TIMES, definitions, references

OWN = ("sidecar", "plugin")


def used(chart: Any) -> dict[str, Any]:
    """The types of Kubernetes in a chart's schema."""
    found: dict[str, Any] = json.loads((chart / SCHEMA).read_text())["$defs"]
    return {name: schema for name, schema in found.items() if name not in OWN}


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> dict[str, Any]:
    """The API server's own schemas, by the names of the client library."""
    documents = [
        cluster.api("GET", f"/openapi/v3/{path}") for path in ("api/v1", "apis/networking.k8s.io/v1")
    ]
    return {
        f"V1{name.rpartition('.')[2]}": schema
        for document in documents
        for name, schema in document["components"]["schemas"].items()
        if ".v1." in name
    }


@pytest.mark.parametrize("chart", [CHART, LIBRARY], ids=lambda chart: chart.name)
def test_every_type_that_is_meant_is_there(chart: Any) -> None:
    schema = json.loads((chart / SCHEMA).read_text())
    assert set(references(schema)) == set(schema["$defs"])


def test_no_field_is_refused_that_the_api_server_takes(served: dict[str, Any]) -> None:
    for name, ours in used(CHART).items():
        if name not in (*OPEN, PROBE_TIMES):
            theirs = served[name.removeprefix("Core")]
            assert set(ours["properties"]) >= set(theirs["properties"]), name
            assert set(ours.get("required", ())) <= set(theirs.get("required", ())), name


def test_a_part_takes_back_a_value_with_a_null() -> None:
    made = definitions(iter(["V1SecurityContext", "V1Toleration", "V1ResourceRequirements"]))
    assert made["V1SecurityContext"]["properties"]["runAsUser"] == {"type": ["integer", "null"]}
    assert made["V1ResourceRequirements"]["properties"]["limits"]["additionalProperties"] == {
        "type": ["string", "number", "null"]
    }


def test_what_a_type_needs_cannot_be_null() -> None:
    variable = definitions(iter(["V1EnvVar"]))["V1EnvVar"]
    assert variable["required"] == ["name"]
    assert variable["properties"]["name"] == {"type": "string"}
