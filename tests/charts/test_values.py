"""Values that make no sense are refused, with the name of the field; what the README says is so."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import yaml

from store_plugin import __version__
from store_plugin.endpoints import Endpoint
from tests.charts.switches import IMAGE, SWITCHES
from tests.support.helm import CHART, CHARTS, LIBRARY, Manifest, Refused, lint, only, render
from tools.charts import Value, values_of


@pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)
def test_every_switch_passes_a_strict_lint(values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in lint(CHART, values)


def test_the_library_passes_a_strict_lint() -> None:
    assert "0 chart(s) failed" in lint(LIBRARY)


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        pytest.param({"imagee": {}}, "", "additional properties 'imagee' not allowed", id="typo"),
        pytest.param(
            {"injection": {"enable": True}}, "/injection", "'enable' not allowed", id="typo in a switch"
        ),
        pytest.param(
            {"sidecar": {"listens": []}}, "/sidecar", "'listens' not allowed", id="typo in the sidecar"
        ),
        pytest.param(
            {"injection": {"profiles": {"default": {"adminport": 1}}}},
            "/injection/profiles/default",
            "'adminport' not allowed",
            id="typo in a profile",
        ),
        pytest.param(
            {"injection": {"enabled": "yes"}}, "/injection/enabled", "got string, want boolean", id="text"
        ),
        pytest.param(
            {"sidecar": {"adminPort": "8090"}}, "/sidecar/adminPort", "got string, want integer", id="number"
        ),
        pytest.param({"sidecar": {"adminPort": 70000}}, "/sidecar/adminPort", "maximum", id="range"),
        pytest.param(
            {"injection": {"profiles": {"default": {"resources": {"limit": {}}}}}},
            "/injection/profiles/default/resources",
            "'limit' not allowed",
            id="typo in resources",
        ),
        pytest.param(
            {"sidecar": {"securityContext": {"capabilities": {"dropp": []}}}},
            "/sidecar/securityContext/capabilities",
            "'dropp' not allowed",
            id="typo in a security context",
        ),
        pytest.param(
            {"sidecar": {"probes": {"liveness": {"httpGet": {}}}}},
            "/sidecar/probes/liveness",
            "'httpGet' not allowed",
            id="probe of something else",
        ),
        pytest.param(
            {"sidecar": {"extraEnv": [{"name": "A", "value": 1}]}},
            "/sidecar/extraEnv/0/value",
            "got number, want",
            id="variable that is a number",
        ),
        pytest.param(
            {"sidecar": {"extraVolumes": [{"name": "a", "emptydir": {}}]}},
            "/sidecar/extraVolumes/0",
            "'emptydir' not allowed",
            id="typo in a volume",
        ),
        pytest.param(
            {"standalone": {"tolerations": [{"ky": "a"}]}},
            "/standalone/tolerations/0",
            "'ky' not allowed",
            id="typo in a toleration",
        ),
        pytest.param(
            {"standalone": {"networkPolicy": {"from": [{"podselector": {}}]}}},
            "/standalone/networkPolicy/from/0",
            "'podselector' not allowed",
            id="typo in a peer",
        ),
        pytest.param(
            {"plugins": {"folder": {"livenessProbe": {"http": {}}}}},
            "/plugins/folder/livenessProbe",
            "'http' not allowed",
            id="typo in a plugin's probe",
        ),
        pytest.param(
            {"image": {"repository": "registry.example.com:5000/store-plugin:0.1.0"}},
            "/image/repository",
            "does not match pattern",
            id="tag in the repository",
        ),
        pytest.param(
            {"sidecar": {"listen": ["unix//@crossplane/secret/default.sock"]}},
            "/sidecar/listen/0",
            "does not match pattern",
            id="endpoint that is none",
        ),
        pytest.param({"sidecar": {"listen": []}}, "/sidecar/listen", "minItems", id="none"),
        pytest.param(
            {"sidecar": {"logLevel": None}},
            "",
            "missing property 'logLevel'",
            id="null in the sidecar",
        ),
        pytest.param({"hub": {"port": None}}, "/hub", "missing property 'port'", id="null"),
        pytest.param({"crds": None}, "", "missing property 'crds'", id="null for a whole part"),
        pytest.param({"sidecar": {"logLevel": "loud"}}, "/sidecar/logLevel", "must be one of", id="choice"),
        pytest.param({"image": {"digest": "abc"}}, "/image/digest", "does not match pattern", id="digest"),
        pytest.param(
            {"injection": {"profiles": {"Not_a_label": {}}}},
            "/injection/profiles",
            "'Not_a_label' not allowed",
            id="name of a profile",
        ),
        pytest.param(
            {"plugins": {"Not_a_name": {}}}, "/plugins", "'Not_a_name' not allowed", id="name of a plugin"
        ),
        pytest.param(
            {"plugins": {"folder": {"replica": 1}}},
            "/plugins/folder",
            "'replica' not allowed",
            id="typo in a plugin",
        ),
        pytest.param(
            {"rbac": {"secrets": [{"namespace": "a", "names": []}]}},
            "/rbac/secrets/0/names",
            "minItems",
            id="no Secret, which is not all of them",
        ),
        pytest.param(
            {"publisher": {"storeConfigs": "foo"}},
            "/publisher/storeConfigs",
            "does not match pattern",
            id="version without a group",
        ),
        pytest.param(
            {"standalone": {"podDisruptionBudget": {"maxUnavailable": "abc"}}},
            "/standalone/podDisruptionBudget/maxUnavailable",
            "does not match pattern",
            id="neither a number nor percent",
        ),
        pytest.param(
            {"standalone": {"podDisruptionBudget": {"maxUnavailable": -1}}},
            "/standalone/podDisruptionBudget/maxUnavailable",
            "minimum",
            id="fewer than none away",
        ),
        pytest.param(
            {"rbac": {"sidecars": ["operator"]}}, "/rbac/sidecars/0", "got string, want object", id="account"
        ),
        pytest.param(
            {"rbac": {"sidecars": [{"namespace": "a"}]}},
            "/rbac/sidecars/0",
            "missing property 'serviceAccount'",
            id="half an account",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_name(
    values: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        render(values)
    lines = [line for line in str(caught.value).splitlines() if line.lstrip().startswith("- at ")]
    assert any(f"at '{field}'" in line and reason in line for line in lines), caught.value
    # The values of all sidecars are those of a subchart, which says the same of its own.
    places = {line.partition("at '")[2].partition("'")[0] for line in lines}
    assert places <= {field, field.removeprefix("/sidecar")}, caught.value


def nulls(values: Iterable[Value]) -> dict[str, Any]:
    """A null for all that is empty by default, but for what only Kubernetes gives a meaning."""
    found = {value.path[-1]: nulls(value.below) if value.below else None for value in values if empty(value)}
    return {name: value for name, value in found.items() if value != {}}


def empty(value: Value) -> bool:
    return "$ref" not in value.said and (bool(value.below) or not value.default)


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two sets of values, as Helm takes them together."""
    both = {
        name: laid_over(below[name], value) if isinstance(value, Mapping) and below.get(name) else value
        for name, value in above.items()
    }
    return {**below, **both}


@pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)
def test_a_null_is_as_good_as_what_is_empty(values: dict[str, Any]) -> None:
    everywhere = nulls(values_of(CHART / "values.yaml"))
    everywhere["sidecar"] = nulls(values_of(LIBRARY / "values.yaml"))
    for part in ("crossplane", "standalone", "publisher"):
        everywhere[part]["sidecar"] = None
    assert render(laid_over(everywhere, values)) == render(values)


def test_without_an_image_the_message_says_what_to_set() -> None:
    with pytest.raises(Refused, match=r"image\.repository is empty: name the registry and repository"):
        render({"injection": {"enabled": True}})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({}, f"r/store-plugin:{__version__}", id="version of the chart"),
        pytest.param({"tag": "1.2"}, "r/store-plugin:1.2", id="tag"),
        pytest.param(
            {"tag": "1.2", "digest": f"sha256:{'a' * 64}"}, f"r/store-plugin@sha256:{'a' * 64}", id="digest"
        ),
    ],
)
def test_an_image_is_named_by_tag_or_digest(image: dict[str, str], expected: str) -> None:
    made = render({**SWITCHES["injection"], "image": {"repository": "r/store-plugin", **image}})
    assert expected in str(made)


@pytest.mark.parametrize(
    "repository",
    ["r", "team/r", "registry.example.com:5000/team/r", "localhost/r", "[::1]:5000/r", "10.0.0.1:5000/r"],
)
def test_an_image_is_in_any_registry(repository: str) -> None:
    values = {**SWITCHES["standalone"], "crds": {"enabled": False}, "image": {"repository": repository}}
    assert f"{repository}:{__version__}" in str(render(values))


@pytest.mark.parametrize(
    "endpoint",
    [
        "unix:///@a/b",
        "unix:@a",
        "unix-abstract:a",
        "@a",
        "unix:///a",
        "/a",
        "dns:///a:1",
        "[::]:4040",
        "*:4040",
    ],
)
def test_a_sidecar_listens_wherever_the_command_does(endpoint: str) -> None:
    assert Endpoint.parse(endpoint)
    values = {
        **SWITCHES["injection"],
        "injection": {"enabled": True, "profiles": {"a": {"listen": [endpoint]}}},
    }
    assert f"--listen={endpoint}" in str(render(values))


A, B = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.mark.parametrize(
    ("general", "sidecar", "own", "expected"),
    [
        pytest.param({}, {}, {"repository": "q"}, f"q:{__version__}", id="repository"),
        pytest.param({"tag": "1"}, {}, {"repository": "q"}, "q:1", id="tag of all, repository of its own"),
        pytest.param({"tag": "1"}, {}, {"tag": "2"}, "r:2", id="tag"),
        pytest.param({"tag": "1"}, {}, {"tag": ""}, f"r:{__version__}", id="tag left empty"),
        pytest.param({"tag": "1"}, {"tag": "2"}, {}, "r:2", id="tag of all sidecars"),
        pytest.param({}, {"tag": "2"}, {"tag": "3"}, "r:3", id="tag over that of all sidecars"),
        pytest.param({}, {}, {"digest": A}, f"r@{A}", id="digest"),
        pytest.param({"digest": A}, {}, {"digest": B}, f"r@{B}", id="digest over that of all"),
        pytest.param({"digest": A}, {}, {"tag": "2"}, "r:2", id="tag over the digest of all"),
        pytest.param({"digest": A}, {"tag": "2"}, {}, "r:2", id="tag of all sidecars over the digest"),
        pytest.param({"digest": A}, {}, {"repository": "q", "tag": "2"}, "q:2", id="another image"),
        pytest.param({"digest": A}, {}, {"tag": "2", "digest": B}, f"r@{B}", id="tag and digest"),
        pytest.param({"digest": A}, {}, {"pullPolicy": "Always"}, f"r@{A}", id="nothing of which image"),
    ],
)
@pytest.mark.parametrize("part", ["standalone", "publisher"])
def test_a_part_changes_what_it_says_of_the_image(
    part: str, general: dict[str, str], sidecar: dict[str, str], own: dict[str, str], expected: str
) -> None:
    values = {
        "image": {"repository": "r", **general},
        "sidecar": {"image": sidecar},
        part: {"enabled": True, "sidecar": {"image": own}},
    }
    assert {one["image"] for one in parts_of(values)} == {expected}


@pytest.mark.parametrize(
    ("general", "sidecar", "own", "expected"),
    [
        ("Always", {}, {}, "Always"),
        ("Always", {"pullPolicy": "IfNotPresent"}, {}, "IfNotPresent"),
        ("Always", {"pullPolicy": "IfNotPresent"}, {"pullPolicy": "Never"}, "Never"),
        ("Never", {}, {"tag": "2"}, "Never"),
    ],
)
def test_a_part_asks_the_registry_when_it_is_told_to(
    general: str, sidecar: dict[str, str], own: dict[str, str], expected: str
) -> None:
    values = {
        "image": {"repository": "r", "pullPolicy": general},
        "sidecar": {"image": sidecar},
        "publisher": {"enabled": True, "sidecar": {"image": own}},
    }
    assert {one["imagePullPolicy"] for one in parts_of(values)} == {expected}


def parts_of(values: dict[str, Any]) -> list[Manifest]:
    """All containers of the one Deployment."""
    spec = only(render(values), "Deployment")["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def test_a_profile_changes_what_it_says_of_the_image() -> None:
    profiles = {"new": {"image": {"tag": "2", "pullPolicy": "Always"}}, "default": {}}
    made = render({**IMAGE, "injection": {"enabled": True, "profiles": profiles}})
    policy = str(only(made, "MutatingAdmissionPolicy", "store-plugin-inject-new"))
    assert "registry.example.com/store-plugin:2" in policy
    assert '"imagePullPolicy": dyn("Always")' in policy
    other = str(only(made, "MutatingAdmissionPolicy", "store-plugin-inject-default"))
    assert f"registry.example.com/store-plugin:{__version__}" in other


@pytest.mark.parametrize("away", [0, 2, "0%", "50%", "100%"])
def test_how_many_may_be_away_is_a_number_or_in_percent(away: int | str) -> None:
    budget = {"podDisruptionBudget": {"maxUnavailable": away}}
    made = render({**IMAGE, "standalone": {"enabled": True, **budget}})
    assert only(made, "PodDisruptionBudget")["spec"]["maxUnavailable"] == away


@pytest.mark.parametrize("chart", [CHART, LIBRARY], ids=lambda chart: chart.name)
def test_a_chart_has_the_version_of_the_project(chart: Any) -> None:
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (__version__, __version__)
    assert all(one["version"] == __version__ for one in about.get("dependencies", []))


def test_every_kind_can_be_left_out() -> None:
    kinds = {
        yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in CHARTS.parent.glob("crds/*")
    }
    (crds,) = (value for value in values_of(CHART / "values.yaml") if value.name == "crds")
    (listed,) = (value for value in crds.below if value.name == "crds.kinds")
    assert {value.path[-1] for value in listed.below} == kinds
    left = render({"crds": {"kinds": {"StoreConfig": False}}})
    names = {one["spec"]["names"]["kind"] for one in left if one["kind"] == "CustomResourceDefinition"}
    assert names == kinds - {"StoreConfig"}


@pytest.mark.parametrize("keep", [True, False])
def test_kinds_stay_when_the_release_goes_unless_told_otherwise(keep: bool) -> None:
    made = render({"crds": {"keep": keep}, "rbac": {"enabled": False}})
    policies = {one["metadata"]["annotations"].get("helm.sh/resource-policy") for one in made}
    assert policies == ({"keep"} if keep else {None})
