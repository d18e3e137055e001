"""A real API server takes the CRDs, and with them the manifests that the models take."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from store_plugin.runtime import StoreConfigSpec
from store_plugin.spec import Manifest
from stores.aws.spec import AWSSpec
from stores.kubernetes.spec import KubernetesSpec
from stores.local.spec import LocalSpec
from stores.vault.spec import VaultSpec
from tests.crds.conftest import CRDS, committed
from tests.docs.pages import ROOT, blocks, pages
from tests.support.kubernetes import ApiError, Cluster, path_of
from tests.support.manifests import GROUP_VERSION, manifest
from tests.support.tools import tool
from tests.support.waiting import eventually

SPECS: dict[str, type[Manifest]] = {
    "AWSConfig": AWSSpec,
    "KubernetesStoreConfig": KubernetesSpec,
    "LocalConfig": LocalSpec,
    "StoreConfig": StoreConfigSpec,
    "VaultConfig": VaultSpec,
}
NONE = {"source": "None"}
ENV = {"source": "Environment", "env": {"name": "TOKEN"}}
TOKEN = {"method": "Token", "token": ENV}
VAULT = {"server": "https://vault:8200", "mountPath": "secret", "auth": TOKEN}
AWS = {"region": "eu-west-1"}
LOCAL = {"path": "/data/db", "key": ENV}
STORE = {"defaultScope": "crossplane-system"}
VAULT_REFERENCE = {"apiVersion": GROUP_VERSION, "kind": "VaultConfig", "name": "vault"}
REFERENCE = {"configRef": VAULT_REFERENCE}


def vault(**auth: Any) -> dict[str, Any]:
    return {**VAULT, "auth": auth}


REFUSED = [
    ("VaultConfig", VAULT | {"auth": {"method": "Magic"}}, "spec.auth.method: Unsupported value"),
    ("VaultConfig", vault(method="Token"), "method Token needs the block token"),
    ("VaultConfig", vault(method="Kubernetes", token=ENV), "method Kubernetes needs the block kubernetes"),
    ("VaultConfig", vault(method="AppRole"), "method AppRole needs the block appRole"),
    ("VaultConfig", vault(method="JWT"), "method JWT needs the block jwt"),
    ("VaultConfig", vault(method="Kubernetes", kubernetes={"role": ""}), "should be at least 1 chars long"),
    (
        "VaultConfig",
        vault(method="Token", token={"source": "Secret"}),
        "spec.auth.token: Invalid value: source Secret needs the block secretRef",
    ),
    (
        "VaultConfig",
        VAULT | {"caBundle": {"source": "Filesystem", "env": {"name": "X"}}},
        "spec.caBundle: Invalid value: source Filesystem needs the block fs",
    ),
    (
        "VaultConfig",
        vault(method="Token", token={"source": "Environment"}),
        "spec.auth.token: Invalid value: source Environment needs the block env",
    ),
    ("VaultConfig", {key: VAULT[key] for key in ("mountPath", "auth")}, "spec.server: Required value"),
    ("VaultConfig", VAULT | {"version": "v3"}, "spec.version: Unsupported value"),
    (
        "VaultConfig",
        VAULT | {"version": "v1", "maxVersions": 3},
        "spec: Invalid value: KV version 1 keeps no versions: leave maxVersions out",
    ),
    ("VaultConfig", vault(method="UserPass"), "method UserPass needs the block userPass"),
    ("VaultConfig", vault(method="LDAP"), "method LDAP needs the block ldap"),
    ("VaultConfig", vault(method="Cert"), "method Cert needs the block cert"),
    ("VaultConfig", vault(method="AWS"), "method AWS needs the block aws"),
    (
        "VaultConfig",
        vault(method="AWS", aws={"headerValue": "a b"}),
        "spec.auth.aws.headerValue: Invalid value",
    ),
    ("VaultConfig", vault(method="Cert", cert={}), "method Cert logs in with clientCertificate"),
    (
        "VaultConfig",
        VAULT | {"server": "http://vault:8200", "clientCertificate": {"certificate": ENV, "key": ENV}},
        "clientCertificate needs a server with https://",
    ),
    (
        "VaultConfig",
        vault(method="AppRole", appRole={"roleId": "x", "secretIdWrapped": True}),
        "secretIdWrapped needs the wrapping token in secretIdSource",
    ),
    (
        "VaultConfig",
        vault(method="AppRole", appRole={"roleId": "x-{scope}", "secretIdSource": ENV}),
        "a secret ID is of one role: roleId holds {scope} only where no role binds a secret ID",
    ),
    ("VaultConfig", VAULT | {"timeout": "0s"}, 'spec.timeout: Invalid value: "0s": must be longer than 0s'),
    ("VaultConfig", VAULT | {"timeout": 0}, "spec.timeout: Invalid value: 0: must be longer than 0s"),
    ("VaultConfig", VAULT | {"timeout": "soon"}, "spec.timeout: Invalid value"),
    ("VaultConfig", VAULT | {"access": [{"callers": []}]}, "should have at least 1 items"),
    ("VaultConfig", VAULT | {"ownership": {"policy": "Mine"}}, "spec.ownership.policy: Unsupported value"),
    (
        "KubernetesStoreConfig",
        {"clusterProfileRef": {"namespace": "fleet", "name": "member"}, "context": "x"},
        "spec: Invalid value: clusterProfileRef names the cluster: leave kubeconfig and context out",
    ),
    ("LocalConfig", LOCAL | {"key": NONE}, "a key needs a source: Secret, Environment or Filesystem"),
    ("LocalConfig", LOCAL | {"olderKeys": [ENV, NONE]}, "a key needs a source"),
    (
        "LocalConfig",
        LOCAL | {"driftCheckInterval": -1},
        "spec.driftCheckInterval: Invalid value: -1: must be at least 0s",
    ),
    (
        "LocalConfig",
        LOCAL | {"limits": {"burst": 5}},
        "spec.limits: Invalid value: burst needs requestsPerSecond",
    ),
    ("LocalConfig", LOCAL | {"limits": {"maxConcurrent": 0}}, "spec.limits.maxConcurrent: Invalid value"),
    (
        "LocalConfig",
        LOCAL | {"limits": {"requestsPerSecond": 0}},
        "spec.limits.requestsPerSecond: Invalid value",
    ),
    ("LocalConfig", LOCAL | {"path": ""}, "should be at least 1 chars long"),
    ("AWSConfig", AWS | {"auth": {"method": "Static"}}, "method Static needs the block static"),
    (
        "AWSConfig",
        AWS | {"auth": {"static": {"accessKeyID": ENV, "secretAccessKey": ENV}}},
        "the block static goes with method Static only",
    ),
    (
        "AWSConfig",
        AWS | {"auth": {"method": "WebIdentity"}},
        "method WebIdentity needs the block webIdentity",
    ),
    (
        "AWSConfig",
        AWS | {"auth": {"webIdentity": {"roleARN": "arn:aws:iam::123456789012:role/a"}}},
        "the block webIdentity goes with method WebIdentity only",
    ),
    (
        "AWSConfig",
        AWS | {"parameterStore": {}},
        "the block parameterStore goes with service ParameterStore only",
    ),
    ("AWSConfig", AWS | {"region": "Frankfurt"}, "spec.region: Invalid value"),
    (
        "AWSConfig",
        AWS | {"service": "ParameterStore", "secretsManager": {}},
        "the block secretsManager goes with service SecretsManager only",
    ),
    (
        "AWSConfig",
        AWS | {"endpoint": "https://example.com", "useFIPS": True},
        "an endpoint of its own is neither useFIPS nor useDualStack",
    ),
    (
        "AWSConfig",
        AWS | {"secretsManager": {"replicaRegions": [{"region": "eu-west-1"}]}},
        "replicaRegions names the region itself",
    ),
    (
        "AWSConfig",
        AWS | {"secretsManager": {"forceDelete": True, "recoveryWindowDays": 7}},
        "forceDelete leaves nothing to recover",
    ),
    (
        "AWSConfig",
        AWS | {"service": "ParameterStore", "parameterStore": {"type": "String", "kmsKeyID": "k"}},
        "kmsKeyID is for type SecureString",
    ),
    ("StoreConfig", {}, "spec.defaultScope: Required value"),
    ("StoreConfig", STORE | {"type": "Vault"}, "spec.type: Unsupported value"),
    (
        "StoreConfig",
        STORE | {"type": "External"},
        "spec: Invalid value: a type other than Kubernetes needs the block external",
    ),
    (
        "StoreConfig",
        STORE | {"type": "Plugin", "plugin": REFERENCE, "external": REFERENCE},
        "external and plugin mean the same: give one of them",
    ),
    (
        "StoreConfig",
        STORE | {"type": "External", "external": {"configRef": {**VAULT_REFERENCE, "kind": "StoreConfig"}}},
        "names a StoreConfig: name the config of a store, such as a VaultConfig",
    ),
    ("StoreConfig", STORE | {"type": "External", "external": {}}, "spec.external.configRef: Required value"),
]


@pytest.mark.parametrize("path", committed(), ids=lambda path: path.stem)
def test_a_crd_is_structural_and_established(installed: Cluster, path: Path) -> None:
    found = installed.api("GET", path_of(yaml.safe_load(path.read_text())))
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert conditions.pop("Established") == "True"
    assert conditions == {"NamesAccepted": "True"}


@pytest.mark.parametrize(("kind", "spec", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_does_not_belong_together_is_refused_by_api_server_and_model(
    installed: Cluster, kind: str, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError):
        SPECS[kind].model_validate(spec)
    with pytest.raises(ApiError) as refused:
        create(installed, manifest(kind, "bad", spec))
    assert refused.value.status == 422
    assert message in refused.value.message


def test_every_rule_of_a_model_is_among_those_that_refuse() -> None:
    """A rule that no manifest breaks here might say nothing."""
    broken = [re.sub(r"^.*value: (-?\d+: )?", "", message) for _, _, message in REFUSED]
    rules = {rule for path in committed() for rule in rules_in(yaml.safe_load(path.read_text()))}
    assert {rule for rule in rules if not any(map(rule.startswith, broken))} == set()


DOCUMENTED = [
    pytest.param(document, id=f"{page.relative_to(ROOT)}-{document['kind']}-{document['metadata']['name']}")
    for page in [*pages(), *sorted((ROOT / "examples").rglob("*.yaml"))]
    if "templates" not in page.parts  # of a chart: no YAML before Helm made it
    for text in (blocks(page, "yaml") if page.suffix == ".md" else [page.read_text()])
    for document in yaml.safe_load_all(text)
    if f"apiVersion: {GROUP_VERSION}" in text and document["kind"] in SPECS
]


@pytest.mark.parametrize("document", DOCUMENTED)
def test_a_documented_manifest_is_accepted_and_means_the_same(
    installed: Cluster, document: dict[str, Any]
) -> None:
    """What comes back, with the defaults that the API server put in, is what it was. The
    StoreConfig of an operator, in its own API group, has the fields of ours."""
    stored = create(installed, document | {"apiVersion": GROUP_VERSION})["spec"]
    model = SPECS[document["kind"]]
    assert model.model_validate(stored) == model.model_validate(document["spec"])


@pytest.mark.parametrize("timeout", ["250ms", "1h30m", "2.5s", 10])
def test_every_spelling_of_a_duration_is_accepted(installed: Cluster, timeout: object) -> None:
    assert create(installed, manifest("LocalConfig", "a", LOCAL | {"timeout": timeout}))


@pytest.mark.parametrize("kind", ["External", "Plugin"])
def test_both_spellings_of_an_external_store_are_accepted(installed: Cluster, kind: str) -> None:
    spec = STORE | {"type": kind, kind.lower(): REFERENCE}
    stored = create(installed, manifest("StoreConfig", "a", spec))["spec"]
    parsed = StoreConfigSpec.model_validate(stored).outside
    assert parsed is not None
    assert parsed.config_ref.name == "vault"


def test_a_store_config_is_of_type_kubernetes_unless_it_says_otherwise(installed: Cluster) -> None:
    assert create(installed, manifest("StoreConfig", "a", STORE))["spec"]["type"] == "Kubernetes"
    assert StoreConfigSpec.model_validate(STORE).outside is None


def test_a_misspelt_field_is_refused_by_kubectl(installed: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        yaml.safe_dump(manifest("VaultConfig", "bad", VAULT | {"mountpath": "x"}))
    )
    eventually(lambda: 'unknown field "spec.mountpath"' in refusal(kubeconfig, tmp_path / "bad.yaml"))


def test_kubectl_shows_columns_categories_and_explanations(installed: Cluster, kubeconfig: Path) -> None:
    config = manifest("VaultConfig", "shown", VAULT)
    installed.apply(config)
    condition = {"type": "Ready", "status": "True", "reason": "LoggedIn"}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    status = {"apiVersion": GROUP_VERSION, "kind": "VaultConfig", "metadata": {"name": "shown"}}
    status |= {"status": {"conditions": [condition]}}
    installed.apply(status, subresource="status")

    def listed() -> list[list[str]]:
        lines = kubectl(kubeconfig, "get", "store").stdout.splitlines()
        return [line.split() for line in lines if "NAME" in line or "vaultconfig" in line]

    eventually(lambda: len(listed()) == 2)
    head, row = listed()
    assert head == ["NAME", "AGE", "SERVER", "READY"]
    assert (row[0], row[2:]) == ("vaultconfig.secrets.crossplane.io/shown", ["https://vault:8200", "True"])
    explain = ("explain", "vaultconfig.spec.version")
    eventually(lambda: "Of the KV secrets engine at `mountPath`." in kubectl(kubeconfig, *explain).stdout)
    installed.api("DELETE", path_of(config))


def test_the_crds_can_be_installed_with_kubectl(installed: Cluster, kubeconfig: Path) -> None:
    ended = kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.kubeconfig()))
    return path


def kubectl(kubeconfig: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refusal(kubeconfig: Path, manifest: Path) -> str:
    """What kubectl says that does not apply it. A new kind is known to it a little after it is served."""
    ended = kubectl(kubeconfig, "apply", "-f", str(manifest))
    assert ended.returncode == 1
    return ended.stderr


def create(cluster: Cluster, document: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it."""
    collection = path_of(document).rpartition("/")[0]
    return cluster.api("POST", f"{collection}?dryRun=All&fieldValidation=Strict", document)


def rules_in(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
        for inner in schema.values():
            yield from rules_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from rules_in(inner)
