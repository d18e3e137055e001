"""The roles of deploy/rbac are what it takes, and no more: under tokens of their ServiceAccounts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.client import Client
from tests.docs.pages import ROOT
from tests.integration.place import KINDS, Place, synced
from tests.integration.status_of import conditions, events
from tests.support.kubernetes import Cluster, Request
from tests.support.openbao import OpenBao
from tests.support.waiting import eventually

RBAC = ROOT / "deploy" / "rbac"
Manifest = dict[str, Any]


def manifests_of(name: str, namespace: str, account: str) -> list[Manifest]:
    """As somebody would fill them in."""
    text = (RBAC / name).read_text()
    text = text.replace("namespace: operators", f"namespace: {namespace}")
    text = text.replace("name: operator\n", f"name: {account}\n")
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:  # cluster-wide names must not meet those of other tests
        if document["kind"].startswith("Cluster"):
            document["metadata"]["name"] += f"-{namespace}"
        if document.get("roleRef", {}).get("kind") == "ClusterRole":
            document["roleRef"]["name"] += f"-{namespace}"
    return documents


@pytest.fixture
def place(installed: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Place]:
    made = Place(installed, bao, tmp_path)
    for binding in made.bindings:
        installed.take_back(binding)
    yield made
    made.delete()


def install(place: Place, name: str) -> list[Manifest]:
    """Apply the manifests; returns all their rules, in force."""
    documents = manifests_of(name, place.namespace, place.user.rpartition(":")[2])
    for document in documents:
        place.cluster.apply(document)
    roles = [document for document in documents if "rules" in document]
    for role in roles:
        place.cluster.await_rights(place.user, role["rules"], role["metadata"].get("namespace", ""))
    return [rule for role in roles for rule in role["rules"]]


def allowed(cluster: Cluster, user: str, namespace: str) -> set[tuple[str, str, str, str]]:
    """(group, resource, name, verb) that a ServiceAccount may do in a namespace, as the API
    server tells it."""
    review = cluster.api(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {"spec": {"namespace": namespace}},
        token=cluster.token(user),
    )
    return flat(review["status"]["resourceRules"])


def used(requests: list[Request]) -> set[tuple[str, str]]:
    """Resource and verb of each."""
    return {(request.resource, request.verb) for request in requests}


def flat(rules: list[Manifest]) -> set[tuple[str, str, str, str]]:
    return {
        (group, resource, name, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }


def test_the_role_of_a_sidecar_is_enough_and_all_of_it_is_used(place: Place) -> None:
    rules = install(place, "sidecar.yaml")
    with (
        place.cluster.recorded(place.user) as requests,
        place.sidecar() as sidecar,
        Client(sidecar.endpoint) as client,
    ):
        assert synced(sidecar)
        assert "store_plugin_config_problems 0.0" in sidecar.http("/metrics")
        assert client.apply(place.reference, "team-a/db", {"k": b"v"}).changed
        granted = {(resource, verb) for _, resource, _, verb in flat(rules)}
        eventually(lambda: granted <= used(requests.look()))  # it may begin to watch after it is ready
    assert used(requests) == granted


def test_the_role_of_a_sidecar_allows_nothing_more(place: Place) -> None:
    before = allowed(place.cluster, place.user, place.namespace)
    rules = install(place, "sidecar.yaml")
    assert allowed(place.cluster, place.user, place.namespace) - before == flat(rules)
    elsewhere = place.cluster.namespace()
    assert not any("secrets" in rule[1] for rule in allowed(place.cluster, place.user, elsewhere))
    assert {verb for *_, verb in flat(rules)} == {"list", "watch"}


def test_the_roles_of_a_standalone_deployment_are_enough_and_all_of_them_are_used(place: Place) -> None:
    rules = install(place, "sidecar.yaml") + install(place, "standalone.yaml")
    options = ("--write-status", "--lease-namespace", place.namespace, "--crds", "apply")
    with place.cluster.recorded(place.user) as requests, place.sidecar(*options) as sidecar:
        eventually(lambda: conditions(place).keys() == {"Ready", "Synced"})
        eventually(lambda: sidecar.log.count('"event": "CRD"') == 5)
        place.write(timeout="0.5s", mountPath="elsewhere")  # an Event comes of it
        eventually(lambda: conditions(place)["Ready"]["status"] == "False")
        eventually(lambda: events(place))
        assert "cannot be written" not in sidecar.log
        assert sidecar.stop() == 0
    granted = {(resource.partition("/")[0], verb) for _, resource, _, verb in flat(rules)}
    assert granted - used(requests) <= UNUSED


UNUSED = {
    *((kind, verb) for kind in KINDS for verb in ("get", "patch") if kind != "vaultconfigs"),
    ("customresourcedefinitions", "create"),  # there already, as every kind is
}


def test_every_kind_of_store_config_is_in_the_role() -> None:
    kinds = {
        yaml.safe_load(path.read_text())["spec"]["names"]["plural"] for path in (ROOT / "crds").glob("*.yaml")
    }
    (rule,) = yaml.safe_load((RBAC / "sidecar.yaml").read_text().partition("---")[0])["rules"]
    assert set(rule["resources"]) == kinds - {"storeconfigs"}
