"""The policies of the chart on a real API server: who gets the sidecar, and who is told why not."""

from collections.abc import Iterator
from typing import Any

import pytest

from store_plugin.cli.serve import serve
from store_plugin.sidecar.settings import Settings, host_and_port
from tests.support.helm import Manifest, Refused, render
from tests.support.injection import SIDECAR, Injection, injecting, pod
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually

QUOTED = 'a "b" \\ <c> ${d} $(POD_IP) \u00e9'
PROFILES: dict[str, Any] = {
    "default": {},
    "crossplane": {
        "listen": ["unix:///tmp/store-plugin.sock", "127.0.0.1:4040"],
        "certs": {"secretName": "ess-server-certs"},
        "hostnames": ["ess.crossplane-system"],
        "tokens": [{"audience": "vault", "path": "vault"}],
        "extraEnv": [{"name": "QUOTED", "value": QUOTED}],
    },
    "measured": {"metricsPort": 8092},
    "gone": {},
}


@pytest.fixture(scope="module")
def place(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injection]:
    with injecting(cluster, tmp_path_factory.mktemp("policies"), PROFILES, without="gone") as made:
        # The last policy that came into force may be the one that refuses.
        eventually(lambda: refused(made, pod("gone")), 30)
        yield made


def refused(place: Injection, manifest: Manifest) -> bool:
    try:
        place.admitted(manifest)
    except ApiError:
        return True
    return False


def refusal(place: Injection, manifest: Manifest) -> str:
    with pytest.raises(ApiError) as caught:
        place.admitted(manifest)
    assert caught.value.status == 422
    return caught.value.message


def names(spec: Manifest, of: str = "initContainers") -> list[str]:
    return [container["name"] for container in spec.get(of, [])]


def test_a_labelled_pod_gets_the_sidecar_once_and_first(place: Injection) -> None:
    spec = place.admitted(pod("default", initContainers=[{"name": "migrate", "image": "operator"}]))
    assert names(spec) == [SIDECAR, "migrate"]
    assert names(spec, "containers") == ["operator"]
    sidecar = spec["initContainers"][0]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["image"] == "registry.example.com/store-plugin:0.1.0"
    assert "--crds=off" in sidecar["args"]
    assert sidecar["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {volume["name"] for volume in spec["volumes"]} >= {"store-plugin-tmp", "store-plugin-api"}


def test_the_options_of_an_injected_sidecar_are_those_of_the_command(place: Injection) -> None:
    sidecar = place.admitted(pod("default"))["initContainers"][0]
    options = serve.make_context(sidecar["args"][0], sidecar["args"][1:]).params
    assert options["listen"] == Settings().listen
    assert options["config_dir"] is None
    port = sidecar["readinessProbe"]["httpGet"]["port"]
    assert host_and_port(options["health_listen"]) == ("0.0.0.0", port)


def test_the_sidecar_has_a_token_whether_the_pod_has_one_or_not(place: Injection) -> None:
    spec = place.admitted(pod("default", automountServiceAccountToken=False))
    mounts = {mount["mountPath"]: mount["name"] for mount in spec["initContainers"][0]["volumeMounts"]}
    assert mounts["/var/run/secrets/kubernetes.io/serviceaccount"] == "store-plugin-api"
    assert "volumeMounts" not in spec["containers"][0]


def test_a_profile_changes_what_it_says(place: Injection) -> None:
    spec = place.admitted(pod("crossplane"))
    sidecar = spec["initContainers"][0]
    assert "--listen=127.0.0.1:4040" in sidecar["args"]
    assert {one["name"]: one.get("value") for one in sidecar["env"]}["QUOTED"] == QUOTED
    assert spec["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["ess.crossplane-system"]}]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["store-plugin-certs"]["secret"]["secretName"] == "ess-server-certs"
    (token,) = volumes["store-plugin-tokens"]["projected"]["sources"]
    assert token == {"serviceAccountToken": {"audience": "vault", "path": "vault", "expirationSeconds": 3600}}


def test_a_profile_may_show_metrics(place: Injection) -> None:
    (sidecar,) = place.admitted(pod("measured"))["initContainers"]
    options = serve.make_context("serve", sidecar["args"][1:]).params
    (port,) = sidecar["ports"]
    assert host_and_port(options["metrics_listen"]) == ("0.0.0.0", port["containerPort"])


def test_what_a_pod_has_stays(place: Injection) -> None:
    aliases = [{"ip": "10.0.0.1", "hostnames": ["db"]}]
    spec = place.admitted(pod("crossplane", hostAliases=aliases, volumes=[{"name": "v", "emptyDir": {}}]))
    assert spec["hostAliases"] == [*aliases, {"ip": "127.0.0.1", "hostnames": ["ess.crossplane-system"]}]
    assert "v" in {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("host_network", [False, True])
def test_a_pod_without_the_label_is_left_alone(place: Injection, host_network: bool) -> None:
    spec = place.admitted(pod(None, hostNetwork=host_network))
    assert names(spec) == []
    assert not any(volume["name"].startswith(SIDECAR) for volume in spec["volumes"])


def test_an_injected_pod_is_not_injected_again(place: Injection) -> None:
    once = place.admitted(pod("default"))
    again = place.admitted(pod("default", **once))
    assert again == once


def test_a_pod_of_a_deployment_is_injected(place: Injection) -> None:
    labelled = pod("default")
    template = {"metadata": {"labels": labelled["metadata"]["labels"]}, "spec": labelled["spec"]}
    deployment = {
        "metadata": {"name": "operator"},
        "spec": {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
    }
    path = f"/apis/apps/v1/namespaces/{place.namespace}/deployments?dryRun=All"
    kept = place.cluster.api("POST", path, deployment)["spec"]["template"]
    assert names(kept["spec"]) == []  # what its author wrote stays as it is
    made = {"metadata": {"generateName": "operator-5d4f-", **kept["metadata"]}, "spec": kept["spec"]}
    assert names(place.admitted(made)) == [SIDECAR]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        pytest.param(
            pod("vaultt"),
            "there is no profile 'vaultt' of store-plugin: the label secrets.crossplane.io/inject takes "
            "crossplane, default, gone, measured",
            id="unknown profile",
        ),
        pytest.param(
            pod("default", hostNetwork=True),
            "store-plugin is not injected under hostNetwork: every process of the node could reach its "
            "socket. Leave out hostNetwork or the label",
            id="host network",
        ),
        pytest.param(
            pod("default", containers=[{"name": SIDECAR, "image": "other"}]),
            "the Pod has a container store-plugin already, so none was injected: rename it, or leave out the "
            "label",
            id="container of that name",
        ),
        pytest.param(
            pod("default", initContainers=[{"name": SIDECAR, "image": "other"}]),
            "or the Pod has an init container store-plugin of its own (rename it)",
            id="init container of that name",
        ),
        pytest.param(
            pod("default", initContainers=[{"name": SIDECAR, "image": "other", "restartPolicy": "Always"}]),
            "or the Pod has an init container store-plugin of its own (rename it)",
            id="native sidecar of that name",
        ),
        pytest.param(
            pod("gone"), "the policy that does it is new and not in force yet (try again", id="policy is gone"
        ),
    ],
)
def test_a_pod_that_cannot_be_injected_is_refused_with_what_to_do(
    place: Injection, manifest: Manifest, message: str
) -> None:
    assert message in refusal(place, manifest)


def test_the_policies_need_no_object_that_could_be_missing() -> None:
    values = {"image": {"repository": "r"}, "crds": {"enabled": False}, "rbac": {"enabled": False}}
    made = render({**values, "injection": {"enabled": True}})
    assert not any("paramKind" in one["spec"] for one in made)
    assert {one["kind"] for one in made} == {
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }


def test_only_the_namespaces_of_the_selector_are_looked_at() -> None:
    selector = {"matchLabels": {"team": "a"}}
    made = render(
        {"image": {"repository": "r"}, "injection": {"enabled": True, "namespaceSelector": selector}}
    )
    constraints = [
        one["spec"]["matchConstraints"] for one in made if "matchConstraints" in one.get("spec", {})
    ]
    assert len(constraints) == 2
    assert all(one["namespaceSelector"] == selector for one in constraints)


def test_an_older_api_server_gets_the_older_version_or_a_refusal() -> None:
    values = {"image": {"repository": "r"}, "injection": {"enabled": True}}
    beta = "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"
    versions = {one["apiVersion"] for one in render(values, api_versions=[beta]) if "Mutating" in one["kind"]}
    assert versions == {"admissionregistration.k8s.io/v1beta1"}
    with pytest.raises(Refused, match=r"this API server has no MutatingAdmissionPolicy: it takes Kubernetes"):
        render(values, api_versions=[])
