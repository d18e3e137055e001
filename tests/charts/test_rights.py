"""What the accounts of the chart may do in a real cluster, and what they may not."""

from collections.abc import Iterator

import pytest
import yaml

from tests.charts.switches import HUB, IMAGE, PLUGINS, SWITCHES
from tests.docs.pages import ROOT
from tests.support.helm import Manifest, kubectl, only, render
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually

GROUP = "secrets.crossplane.io"


def rights(manifests: list[Manifest]) -> list[Manifest]:
    return [rule for one in manifests for rule in one.get("rules", [])]


@pytest.mark.parametrize(
    ("switch", "file", "roles"),
    [
        ("rbac", "rbac/sidecar.yaml", ["store-plugin-sidecar"]),
        (
            "standalone",
            "rbac/standalone.yaml",
            ["store-plugin-status", "store-plugin-status-events", "store-plugin-status-lease"],
        ),
        ("hub", "rbac/plugins.yaml", ["store-plugin-hub-events"]),
        ("publisher", "publisher/rbac.yaml", ["store-plugin-publisher"]),
    ],
)
def test_the_rights_are_those_that_were_shown_to_be_enough(switch: str, file: str, roles: list[str]) -> None:
    """The tests of those files run the programs with them."""
    documents = yaml.safe_load_all((ROOT / "deploy" / file).read_text())
    wanted = rights([one for one in documents if "crds" not in one["metadata"]["name"]])
    assert rights([one for one in render(SWITCHES[switch]) if one["metadata"]["name"] in roles]) == wanted


class Place:
    """A namespace with the accounts and roles of a release."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def may(self, account: str, verb: str, resource: str, name: str = "", **attributes: str) -> bool:
        """What `kubectl auth can-i` asks; the resource is written group/resource."""
        group, _, plural = resource.rpartition("/")
        asked = {"verb": verb, "group": group, "resource": plural, "name": name, **attributes}
        user = f"system:serviceaccount:{self.namespace}:{account}"
        groups = [
            "system:authenticated",
            "system:serviceaccounts",
            f"system:serviceaccounts:{self.namespace}",
        ]
        review = {"spec": {"user": user, "groups": groups, "resourceAttributes": asked}}
        answer = self.cluster.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def gets(self, account: str, verb: str, resource: str, name: str = "", **attributes: str) -> None:
        """Wait until it may: the API server learns of each role and binding by itself."""
        eventually(lambda: self.may(account, verb, resource, name, **attributes))


@pytest.fixture(scope="module")
def place(prepared: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    namespace = prepared.namespace()
    values = {
        **IMAGE,
        **HUB,
        "fullnameOverride": namespace,
        "crds": {"enabled": False},
        "plugins": PLUGINS,
        "publisher": {"enabled": True, "namespaces": [namespace]},
        "rbac": {
            "sidecars": [{"namespace": namespace, "serviceAccount": "operator"}],
            "secrets": [{"namespace": namespace, "names": ["vault-token"]}],
        },
    }
    made = [one for one in render(values, namespace=namespace) if "rbac" in one["apiVersion"]]
    directory = tmp_path_factory.mktemp("rights")
    kubectl(prepared, directory, "apply", "--server-side", manifests=made)
    found = Place(prepared, namespace)
    yield found
    kubectl(prepared, directory, "delete", manifests=made)


def test_a_sidecar_reads_configs_and_its_secrets_and_writes_nothing(place: Place) -> None:
    own = {"namespace": place.namespace}
    for verb in ("list", "watch"):
        place.gets("operator", verb, f"{GROUP}/vaultconfigs")
    place.gets("operator", "list", "secrets", "vault-token", **own)
    assert not place.may("operator", "list", "secrets", **own)
    assert not place.may("operator", "list", "secrets", "vault-token", namespace="default")
    for verb in ("create", "update", "patch", "delete"):
        assert not place.may("operator", verb, f"{GROUP}/vaultconfigs")
        assert not place.may("operator", verb, f"{GROUP}/vaultconfigs", subresource="status")
        assert not place.may("operator", verb, "secrets", "vault-token", **own)
        assert not place.may("operator", verb, "apiextensions.k8s.io/customresourcedefinitions")


def test_a_sidecar_really_is_let_in_and_kept_out(place: Place) -> None:
    token = place.cluster.token(place.cluster.service_account(place.namespace, "operator"))
    configs = f"/apis/{GROUP}/v1alpha1/vaultconfigs"
    place.gets("operator", "list", f"{GROUP}/vaultconfigs")
    assert place.cluster.api("GET", configs, token=token)["kind"] == "VaultConfigList"
    with pytest.raises(ApiError, match="403"):
        place.cluster.api("POST", configs, {}, token=token)


def test_a_plugin_may_register_its_name_and_nothing_else(place: Place) -> None:
    account, own = f"{place.namespace}-plugin-folder", {"namespace": place.namespace}
    place.gets(account, "register", f"{GROUP}/plugins", "folder", **own)
    assert not place.may(account, "register", f"{GROUP}/plugins", "other", **own)
    assert not place.may(account, "list", f"{GROUP}/vaultconfigs")
    assert not place.may(account, "list", "secrets", **own)


def test_the_hub_asks_who_plugins_are_and_reads_their_kinds(place: Place) -> None:
    account = place.namespace
    place.gets(account, "create", "authentication.k8s.io/tokenreviews")
    place.gets(account, "create", "authorization.k8s.io/subjectaccessreviews")
    place.gets(account, "watch", "stores.example.org/folderconfigs")
    assert not place.may(account, "watch", "other.example.org/folderconfigs")
    assert not place.may(account, "register", f"{GROUP}/plugins", "folder", namespace=place.namespace)


def test_a_publisher_of_namespaces_sees_no_secret_elsewhere(place: Place) -> None:
    account = f"{place.namespace}-publisher"
    place.gets(account, "patch", "secrets", namespace=place.namespace)
    place.gets(account, "list", f"{GROUP}/storeconfigs")
    assert not place.may(account, "list", "secrets", namespace="default")
    assert not place.may(account, "list", "secrets")


def test_secrets_of_a_tenant_are_read_by_its_sidecars_only() -> None:
    tenants = [{"namespace": name, "serviceAccount": "operator"} for name in ("team-a", "team-b")]
    own = [{"namespace": one["namespace"], "names": ["vault"], "sidecars": [one]} for one in tenants]
    shared = [{"namespace": "team-a", "names": ["ca"]}]
    made = render({"rbac": {"sidecars": tenants, "secrets": [*own, *shared]}})
    read = {
        (one["metadata"]["namespace"], *role["rules"][0]["resourceNames"]): {
            subject["namespace"] for subject in one["subjects"]
        }
        for one in made
        if one["kind"] == "RoleBinding"
        for role in [only(made, "Role", one["roleRef"]["name"], namespace=one["metadata"]["namespace"])]
    }
    assert read == {
        ("team-a", "vault"): {"team-a"},
        ("team-b", "vault"): {"team-b"},
        ("team-a", "ca"): {"team-a", "team-b"},
    }


def test_without_rights_of_the_chart_there_is_no_role() -> None:
    made = render({**SWITCHES["standalone"], "rbac": {"enabled": False}})
    assert not any("rbac" in one["apiVersion"] for one in made)


def test_every_account_of_a_namespace_may_be_meant() -> None:
    values = {"rbac": {"sidecars": [{"namespace": "operators", "serviceAccount": "*"}]}}
    (subject,) = only(render(values), "ClusterRoleBinding")["subjects"]
    assert (subject["kind"], subject["name"]) == ("Group", "system:serviceaccounts:operators")
