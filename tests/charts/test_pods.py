"""The Pods of every part are taken by a real API server, also where only restricted ones are."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.switches import IMAGE, SECRETS, SIDECARS, SWITCHES
from tests.support.helm import CHART, LIBRARY, Manifest, Refused, helm, kubectl, only, render
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
OPERATOR = {
    "name": "operator",
    "image": "registry.example.com/operator",
    "securityContext": {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


class Place:
    """A namespace of restricted Pods. Nothing that is admitted is kept."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.namespace = cluster.namespace()
        labels = {"metadata": {"labels": RESTRICTED}}
        cluster.api(
            "PATCH",
            f"/api/v1/namespaces/{self.namespace}",
            labels,
            content_type="application/merge-patch+json",
        )
        cluster.service_account(self.namespace, "default")
        eventually(self._is_restricted)

    def _is_restricted(self) -> bool:
        """Whether the label is in force: a Pod that says nothing of its rights is refused."""
        try:
            self.admit({"containers": [{"name": "any", "image": "any"}]})
        except ApiError as error:
            return error.status == 403
        return False

    def admit(self, spec: Manifest) -> Manifest:
        pod = {
            "metadata": {"generateName": "pod-"},
            "spec": {**spec, "serviceAccountName": "default"},
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        admitted: Manifest = self._cluster.api("POST", path, pod)["spec"]
        return admitted


@pytest.fixture(scope="module")
def place(prepared: Cluster) -> Place:
    return Place(prepared)


def templates(manifests: list[Manifest]) -> Iterator[Manifest]:
    for one in manifests:
        if one["kind"] in ("Deployment", "DeploymentRuntimeConfig"):
            found = one["spec"].get("deploymentTemplate", one)["spec"]
            yield found["template"]["spec"]


@pytest.mark.parametrize("switch", ["standalone", "hub", "rbac-proxy", "publisher"])
def test_pods_of_a_part_are_restricted(place: Place, switch: str) -> None:
    found = list(templates(render(SWITCHES[switch])))
    assert found
    for spec in found:
        assert place.admit(spec)["automountServiceAccountToken"] is False


def test_a_user_may_be_left_to_the_platform() -> None:
    own = {"securityContext": {"runAsUser": None}}
    made = render({**SWITCHES["standalone"], "sidecar": own})
    (spec,) = templates(made)
    assert "runAsUser" not in spec["containers"][0]["securityContext"]
    assert spec["containers"][0]["securityContext"]["runAsNonRoot"]


@pytest.mark.parametrize("part", ["standalone", "publisher"])
def test_a_part_takes_back_what_all_sidecars_have(part: str) -> None:
    limits = {"memory": None, "cpu": 1}
    own = {"resources": {"limits": limits}, "securityContext": {"runAsUser": None}, "extraArgs": []}
    values = {**IMAGE, "sidecar": {"extraArgs": ["--access-log"]}, part: {"enabled": True, "sidecar": own}}
    (spec,) = templates(render(values))
    (sidecar,) = (
        one for one in spec.get("initContainers", spec["containers"]) if one["name"] == "store-plugin"
    )
    assert sidecar["resources"]["limits"] == {"cpu": 1}
    assert "runAsUser" not in sidecar["securityContext"]
    assert "--access-log" not in sidecar["args"]


PLACEMENT = {
    "podLabels": {"azure.workload.identity/use": "true"},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "system-cluster-critical",
}


@pytest.mark.parametrize("part", ["standalone", "publisher", "plugin"])
def test_pods_of_a_part_go_where_they_are_told_to(part: str) -> None:
    if part == "plugin":
        values = {**SWITCHES["hub"], "plugins": {"folder": {"image": "r", **PLACEMENT}}}
        name = "store-plugin-plugin-folder"
    else:
        values = {**IMAGE, part: {"enabled": True, **PLACEMENT}}
        name = "store-plugin" if part == "standalone" else "store-plugin-publisher"
    template = only(render(values), "Deployment", name)["spec"]["template"]
    assert template["metadata"]["labels"].items() >= PLACEMENT["podLabels"].items()
    assert template["metadata"]["annotations"] == PLACEMENT["podAnnotations"]
    wanted = {field: value for field, value in PLACEMENT.items() if not field.startswith("pod")}
    assert {field: template["spec"][field] for field in wanted} == wanted


@pytest.mark.parametrize("part", ["standalone", "publisher"])
def test_a_part_has_the_role_of_a_cloud_by_its_account(part: str) -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/store"}
    made = render({**IMAGE, part: {"enabled": True, "serviceAccount": {"name": "own", "annotations": role}}})
    account = only(made, "ServiceAccount")["metadata"]
    assert (account["name"], account["annotations"]) == ("own", role)
    assert only(made, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "own"
    subjects = [one["subjects"] for one in made if one["kind"].endswith("Binding")]
    assert subjects
    assert all(subject["name"] == "own" for (subject,) in subjects)


@pytest.mark.parametrize("part", ["standalone", "publisher"])
def test_an_account_of_somebody_else_is_not_made(part: str) -> None:
    account = {"create": False, "name": "there"}
    made = render({**IMAGE, part: {"enabled": True, "serviceAccount": account}})
    assert not any(one["kind"] == "ServiceAccount" for one in made)
    assert only(made, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "there"


def test_the_publisher_shows_the_token_that_its_sidecar_asks_for() -> None:
    values = {"sidecar": {"clientToken": {"secretName": "client"}}, "publisher": {"enabled": True}}
    (spec,) = templates(render({**IMAGE, **values}))
    (sidecar,), (container,) = spec["initContainers"], spec["containers"]
    (asked,) = (one for one in sidecar["args"] if one.startswith("--client-token-file="))
    assert asked.replace("--client-token", "--token") in container["args"]
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    folder = str(Path(asked.partition("=")[2]).parent)
    assert mounts[folder] in sidecar["volumeMounts"]
    assert mounts[folder]["readOnly"]


def test_the_publisher_has_a_certificate_for_sidecars_on_tcp(place: Place) -> None:
    (spec,) = templates(render({**IMAGE, "publisher": {"enabled": True, "certsSecret": "certs"}}))
    assert place.admit(spec)
    (container,) = spec["containers"]
    (name,) = (one["name"] for one in container["volumeMounts"] if one["mountPath"] == "/certs")
    (secret,) = (one["secret"] for one in spec["volumes"] if one["name"] == name)
    assert secret == {"secretName": "certs"}
    (plain,) = templates(render(SWITCHES["publisher"]))
    assert name not in str(plain)


MONITORING = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


@pytest.mark.parametrize(
    ("policy", "peers"),
    [({}, [{"podSelector": {}}]), ({"metricsFrom": MONITORING}, MONITORING)],
    ids=["namespace", "as told"],
)
def test_metrics_have_a_port_that_only_scrapers_reach(policy: Any, peers: Any) -> None:
    values = {
        **IMAGE,
        "sidecar": {"metricsPort": 8092},
        "standalone": {"enabled": True, "networkPolicy": policy},
    }
    made = render(values)
    (spec,) = templates(made)
    (container,) = spec["containers"]
    assert container["ports"] == [{"name": "store-plugin", "containerPort": 8092}]
    assert "--metrics-listen=0.0.0.0:8092" in container["args"]
    _, metrics = only(made, "NetworkPolicy")["spec"]["ingress"]
    assert metrics == {"from": peers, "ports": [{"port": 8092}]}


@pytest.mark.parametrize(
    "values",
    [{}, {"sidecar": {"metricsPort": 8092}, "standalone": {"enabled": True, "sidecar": {"metricsPort": 0}}}],
    ids=["nothing said", "taken back"],
)
def test_metrics_are_on_loopback_unless_asked_for(values: dict[str, Any]) -> None:
    made = render({**SWITCHES["standalone"], **values})
    (spec,) = templates(made)
    assert "ports" not in spec["containers"][0]
    assert not any("metrics" in argument for argument in spec["containers"][0]["args"])
    assert len(only(made, "NetworkPolicy")["spec"]["ingress"]) == 1


@pytest.mark.parametrize("auth", ["hub", "rbac-proxy"])
def test_a_cluster_with_ipv6_only_is_listened_to_at_its_addresses(auth: str) -> None:
    made = render({**SWITCHES[auth], "sidecar": {"address": "[::]"}, "publisher": {"enabled": True}})
    arguments = [
        argument
        for one in templates(made)
        for container in (*one.get("initContainers", ()), *one["containers"])
        for argument in container.get("args", ())
    ]
    assert not any("0.0.0.0" in argument for argument in arguments)
    hub = "--hub-listen" if auth == "hub" else "--secure-listen-address"
    wanted = {
        "--listen=[::]:4040",
        "--health-listen=[::]:8091",
        "--admin-listen=[::]:8082",
        f"{hub}=[::]:8443",
    }
    assert set(arguments) >= wanted


OLD = ("--kube-version=1.28.9",)


@pytest.mark.parametrize("switch", ["crossplane", "standalone"])
def test_an_older_cluster_gets_containers_that_it_knows(switch: str) -> None:
    for spec in templates(render(SWITCHES[switch], options=OLD)):
        assert not any("restartPolicy" in container for container in spec["containers"])


def test_an_older_cluster_gets_no_native_sidecar(place: Place) -> None:
    with pytest.raises(
        Refused, match=r"native: Kubernetes v1\.28\.9 has no .* it takes 1\.29; set native=false"
    ):
        render(SWITCHES["publisher"], options=OLD)
    (spec,) = templates(render({**SWITCHES["publisher"], "sidecar": {"native": False}}, options=OLD))
    assert [one["name"] for one in place.admit(spec)["containers"]] == ["store-plugin", "publisher"]


# Crossplane.


def test_a_provider_gets_the_sidecar_beside_its_own_container(place: Place) -> None:
    (spec,) = templates(render(SWITCHES["crossplane"]))
    provider, sidecar = spec["containers"]
    assert (provider["name"], sidecar["name"]) == ("package-runtime", "store-plugin")
    assert provider["args"] == ["--enable-external-secret-stores"]
    admitted = place.admit({**spec, "containers": [{**OPERATOR, **provider}, sidecar]})
    assert admitted["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["ess.crossplane-system"]}]
    volumes = {volume["name"]: volume for volume in admitted["volumes"]}
    assert volumes["store-plugin-certs"]["secret"]["secretName"] == "ess-server-certs"
    assert {"name": "store-plugin-certs", "mountPath": "/certs", "readOnly": True} in sidecar["volumeMounts"]


def test_crossplane_waits_for_a_sidecar_that_takes_longer_than_pods_have() -> None:
    made = render({**SWITCHES["crossplane"], "sidecar": {"shutdownGrace": 60}})
    (provider,) = templates(made)
    patch = yaml.safe_load(only(made, "ConfigMap")["data"]["patch.yaml"])["spec"]["template"]["spec"]
    assert provider["terminationGracePeriodSeconds"] == patch["terminationGracePeriodSeconds"] == 75


def test_the_patch_brings_the_same_sidecar_into_crossplane(prepared: Cluster, tmp_path: Path) -> None:
    made = render(SWITCHES["crossplane"])
    data = only(made, "ConfigMap")["data"]
    assert yaml.safe_load(data["values.yaml"]) == {"args": ["--enable-external-secret-stores"]}
    namespace = prepared.namespace()
    (tmp_path / "patch.yaml").write_text(data["patch.yaml"])
    prepared.apply(crossplane(namespace))
    where = (f"--namespace={namespace}", "deployment", "crossplane")
    kubectl(prepared, tmp_path, "patch", *where, f"--patch-file={tmp_path / 'patch.yaml'}")
    spec = prepared.api("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/crossplane")["spec"]
    patched = spec["template"]["spec"]
    assert {one["name"] for one in patched["containers"]} == {"crossplane", "store-plugin"}
    assert {one["name"] for one in patched["volumes"]} >= {"package-cache", "store-plugin-certs"}
    (provider,) = templates(made)
    assert patched["hostAliases"] == provider["hostAliases"]
    (sidecar,) = (one for one in patched["containers"] if one["name"] == "store-plugin")
    assert sidecar["args"] == provider["containers"][1]["args"]


def crossplane(namespace: str) -> Manifest:
    labels = {"app": "crossplane"}
    pod = {
        "containers": [{"name": "crossplane", "image": "crossplane"}],
        "volumes": [{"name": "package-cache", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "crossplane"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_the_store_config_leads_to_the_alias_in_every_group_asked_for() -> None:
    groups = ["secrets.crossplane.io/v1alpha1", "gcp.crossplane.io/v1alpha1"]
    values = {**IMAGE, "crossplane": {"enabled": True, "storeConfig": {"apiVersions": groups}}}
    configs = [one for one in render(values) if one["kind"] == "StoreConfig"]
    assert [one["apiVersion"] for one in configs] == groups
    assert {one["spec"]["plugin"]["endpoint"] for one in configs} == {"ess.crossplane-system:4040"}


def test_crossplane_keeps_its_own_kind_and_its_accounts_may_read() -> None:
    made = render(SWITCHES["crossplane"])
    assert not any(one["metadata"]["name"].startswith("storeconfigs.") for one in made)
    (subject,) = only(made, "ClusterRoleBinding", "store-plugin-sidecar")["subjects"]
    assert (subject["kind"], subject["name"]) == ("Group", "system:serviceaccounts:crossplane-system")


# Parts that need another one.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            {**IMAGE, "hub": {"enabled": True}},
            "hub.enabled: the hub is in the standalone Deployment; set standalone.enabled too",
            id="hub without a Deployment",
        ),
        pytest.param(
            {**IMAGE, "plugins": {"folder": {"image": "r"}}},
            "plugins: there is no hub that they could connect to; set hub.enabled too",
            id="plugin without a hub",
        ),
        pytest.param(
            {**SWITCHES["hub"], "plugins": {"folder": {}}},
            "plugins.folder.image is empty: name the image of the plugin",
            id="plugin without an image",
        ),
        pytest.param(
            {**SWITCHES["hub"], "hub": {"enabled": True, "auth": "rbac-proxy"}},
            "hub.proxy.image is empty: name the image of kube-rbac-proxy, or take hub.auth=tokenreview",
            id="proxy without an image",
        ),
        pytest.param(
            {**IMAGE, "standalone": {"enabled": True, "sidecar": {"native": True}}},
            "standalone.sidecar.native: the sidecar is a container of its own there; leave native out",
            id="native without an operator",
        ),
        pytest.param(
            {**IMAGE, "crossplane": {"enabled": True, "sidecar": {"native": True}}},
            "crossplane.sidecar.native: Crossplane's runtime config knows no sidecars that start first",
            id="native in Crossplane's Pods",
        ),
        pytest.param(
            {**IMAGE, "standalone": {"enabled": True, "serviceAccount": {"create": False}}},
            "standalone.serviceAccount.name is empty: name the ServiceAccount, or let it be made with",
            id="no account",
        ),
        pytest.param(
            {**IMAGE, "publisher": {"enabled": True, "serviceAccount": {"create": False}}},
            "publisher.serviceAccount.name is empty: name the ServiceAccount, or let it be made with",
            id="no account of the publisher",
        ),
        pytest.param(
            {**IMAGE, "injection": {"enabled": True, "profiles": {"default": {"native": False}}}},
            "injection.profiles.default: an injected sidecar is native; leave native out",
            id="injection of a container",
        ),
        pytest.param(
            {**SWITCHES["standalone"], "sidecar": {"healthPort": 8090}},
            "adminPort and healthPort are both 8090: give each a port of its own",
            id="two listeners on a port",
        ),
        pytest.param(
            {**SWITCHES["injection"], "sidecar": {"metricsPort": 8091}},
            "healthPort and metricsPort are both 8091: give each a port of its own",
            id="metrics where probes are",
        ),
        pytest.param(
            {**IMAGE, "publisher": {"enabled": True, "adminPort": 8091}},
            "publisher.adminPort and the healthPort of its sidecar are both 8091: give each a port of its",
            id="publisher on a port of its sidecar",
        ),
        pytest.param(
            {"rbac": {"sidecars": SIDECARS, "secrets": [*SECRETS, *SECRETS]}},
            "rbac.secrets: the namespace operators is there twice for the same sidecars; name all of",
            id="Secrets of a namespace twice",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_to_set(values: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as caught:
        render(values)
    assert message in str(caught.value)


# The library, in a chart of somebody else.

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
spec:
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec:
      initContainers:
        {{- include "store-plugin.sidecar" . | nindent 8 }}
      hostAliases:
        {{- include "store-plugin.sidecar.hostAliases" . | nindent 8 }}
      containers:
        - {{ .Values.operator | toJson }}
      volumes:
        {{- include "store-plugin.sidecar.volumes" . | nindent 8 }}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of an operator that takes the library."""
    about = {
        "apiVersion": "v2",
        "name": "operator",
        "version": "1.0.0",
        "dependencies": [
            {"name": LIBRARY.name, "version": "0.1.0", "repository": f"file://{LIBRARY}"},
        ],
    }
    made = tmp_path / "operator"
    (made / "templates").mkdir(parents=True)
    (made / "Chart.yaml").write_text(yaml.safe_dump(about))
    (made / "values.yaml").write_text(yaml.safe_dump({"operator": OPERATOR}))
    (made / "templates" / "deployment.yaml").write_text(DEPLOYMENT)
    shutil.copytree(LIBRARY, made / "charts" / LIBRARY.name)
    return made


def test_a_chart_of_an_operator_includes_the_sidecar_that_is_injected(place: Place, chart: Path) -> None:
    values = {LIBRARY.name: {"image": {"repository": "r"}, "hostnames": ["ess.operators"]}}
    (spec,) = templates(render(values, chart, api_versions=[]))
    admitted = place.admit(spec)
    assert [one["name"] for one in admitted["initContainers"]] == ["store-plugin"]
    assert admitted["initContainers"][0]["restartPolicy"] == "Always"
    assert admitted["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["ess.operators"]}]


def test_the_values_of_the_library_are_checked_in_the_chart_of_an_operator(chart: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)store-plugin-sidecar:.*at '/image'.*'repo' not allowed"):
        render({LIBRARY.name: {"image": {"repo": "r"}}}, chart)


def test_without_an_image_the_library_says_what_to_set(chart: Path) -> None:
    with pytest.raises(Refused, match=r"image\.repository is empty: name the registry"):
        render({}, chart)


def test_a_packed_chart_is_whole(tmp_path: Path) -> None:
    helm("package", str(CHART), f"--destination={tmp_path}")
    (packed,) = tmp_path.glob("store-plugin-*.tgz")
    assert render(SWITCHES["hub"], packed) == render(SWITCHES["hub"])
