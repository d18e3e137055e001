"""What a user writes stays what it is: a name of digits is a name, and labels of ours are ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.switches import SWITCHES
from tests.support.helm import CHART, helm, kubectl, only, render
from tests.support.kubernetes import Cluster

DIGITS = "007"
"""A name, a label and an audience may be that; as YAML it is a number."""
NAMES: dict[str, Any] = {
    "image": {"repository": "r"},
    "crds": {"enabled": False},
    "labels": {"team": DIGITS},
    "sidecar": {
        "clientToken": {"secretName": DIGITS, "key": DIGITS},
        "tokens": [{"audience": DIGITS, "path": DIGITS}],
    },
    "rbac": {
        "sidecars": [{"namespace": DIGITS, "serviceAccount": DIGITS}],
        "secrets": [{"namespace": DIGITS, "names": [DIGITS]}],
    },
    "injection": {"enabled": True, "profiles": {DIGITS: {}}},
    "crossplane": {
        "enabled": True,
        "namespace": DIGITS,
        "certsSecret": DIGITS,
        "runtimeConfigName": DIGITS,
        "providerArgs": [DIGITS],
        "storeConfig": {"name": DIGITS, "defaultScope": DIGITS, "configRef": {"name": DIGITS}},
    },
    "standalone": {
        "enabled": True,
        "certsSecret": DIGITS,
        "service": {"name": DIGITS},
        "serviceAccount": {"name": DIGITS, "annotations": {"a": DIGITS}},
        "podLabels": {"a": DIGITS},
        "priorityClassName": DIGITS,
    },
    "hub": {"enabled": True, "audience": DIGITS, "certsSecret": DIGITS, "pluginGroups": [DIGITS]},
    "plugins": {DIGITS: {"image": DIGITS, "args": [DIGITS], "priorityClassName": DIGITS}},
    "publisher": {"enabled": True, "namespaces": [DIGITS], "serviceAccount": {"name": DIGITS}},
}


def numbers(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every number in a manifest, and where it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(key, f"{path} (key)")
            yield from numbers(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, f"{path}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def test_a_name_of_digits_stays_a_text() -> None:
    made = render({**NAMES, "fullnameOverride": DIGITS}, namespace=DIGITS)
    assert len(made) > 30
    found = [(one["kind"], path) for one in made for path, number in numbers(one) if number == int(DIGITS)]
    assert found == []


def test_a_release_of_digits_is_labelled_with_a_text() -> None:
    made = yaml.safe_load_all(helm("template", "123", str(CHART), values=SWITCHES["standalone"]))
    assert {one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in made} == {"123"}


def test_an_api_server_takes_names_of_digits(prepared: Cluster, tmp_path: Path) -> None:
    values = {
        **SWITCHES["hub"],
        "crds": {"enabled": False},
        "fullnameOverride": DIGITS,
        "plugins": {DIGITS: {"image": "r"}},
    }
    made = render(values)
    options = ("apply", "--server-side", "--dry-run=server", "--validate=strict")
    assert len(kubectl(prepared, tmp_path, *options, manifests=made).splitlines()) == len(made)


# Labels.


@pytest.mark.parametrize("part", ["standalone", "publisher"])
def test_labels_of_the_user_never_take_the_place_of_those_that_pods_are_chosen_by(part: str) -> None:
    theirs = {"app.kubernetes.io/component": "mine", "team": "a"}
    made = render(
        {**SWITCHES[part], "labels": theirs, part: {"enabled": True, "podLabels": {**theirs, "team": "b"}}}
    )
    deployment = only(made, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= deployment["spec"]["selector"]["matchLabels"].items()
    assert labels["app.kubernetes.io/component"] == part
    assert (deployment["metadata"]["labels"]["team"], labels["team"]) == ("a", "b")
