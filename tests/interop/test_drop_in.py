"""Crossplane with ess-plugin-vault becomes Crossplane with store-plugin, as
docs/migrate-from-ess-plugin-vault.md says: its commands against a real API server, and then
Crossplane's own client against a sidecar that runs as the manifests say.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from store_plugin.crds.definition import VERSION_ANNOTATION
from store_plugin.model import OWNER_LABEL
from stores.vault.spec import VaultSpec
from tests.docs.pages import ROOT
from tests.interop.migration import (
    HOST,
    Manifest,
    World,
    commands,
    container_of,
    deployed,
    pod_of,
    user_of,
)
from tests.support import ess_plugin_vault as before
from tests.support.certificates import CertificateAuthority
from tests.support.crossplane_client import Crossplane
from tests.support.ess_plugin_vault import leave_secret
from tests.support.kubernetes import APPLY, MERGE, Cluster, control_plane, path_of
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cluster]:
    """One whose CRDs and namespace `crossplane-system` are nobody else's."""
    with control_plane(tmp_path_factory.mktemp("crossplane"), ca) as cluster:
        yield cluster


@pytest.fixture
def world(own_cluster: Cluster, bao: OpenBao, ca: CertificateAuthority, tmp_path: Path) -> World:
    return World(own_cluster, bao, ca, tmp_path)


def test_configs_mean_the_same_under_our_crd_and_crossplanes_stays(world: World) -> None:
    theirs = world.get(before.store_config_crd())
    stored = {config["metadata"]["name"]: world.get(config) for config in world.configs}
    for command in commands("Prepare"):
        world.shell.run(command)
    assert world.get(before.store_config_crd()) == theirs
    assert VERSION_ANNOTATION in world.get(before.vault_config_crd())["metadata"]["annotations"]
    for config in world.configs:
        now, then = world.get(config), stored[config["metadata"]["name"]]
        assert now["metadata"]["uid"] == then["metadata"]["uid"]
        assert {field: now["spec"][field] for field in then["spec"]} == then["spec"]
        assert VaultSpec.model_validate(now["spec"]) == VaultSpec.model_validate(config["spec"])
        world.cluster.apply(config, "kubectl")


def test_a_config_that_never_worked_is_told_before_anything_depends_on_it(world: World) -> None:
    broken = manifest("VaultConfig", "broken", {"server": "x", "mountPath": "a", "auth": {"method": "Token"}})
    world.cluster.apply(broken)
    apply_crds, check = commands("Prepare")
    world.shell.run(apply_crds)
    try:
        with pytest.raises(AssertionError, match="method Token needs the block token"):
            world.shell.run(check)
    finally:
        world.cluster.api("DELETE", path_of(broken))


def test_the_rights_of_sidecars_beside_crossplane_are_those_of_any_sidecar() -> None:
    any_sidecar = yaml.safe_load_all((ROOT / "deploy" / "rbac" / "sidecar.yaml").read_text())
    rules = [one["rules"] for one in deployed("rbac.yaml") if "rules" in one]
    assert rules == [one["rules"] for one in any_sidecar if "rules" in one]


def available(cluster: Cluster) -> None:
    """What a Deployment's controller would say; here are no nodes."""
    deployment = deployed("standalone.yaml")[1]
    condition = {"type": "Available", "status": "True", "reason": "Test", "message": ""}
    status = {"status": {"conditions": [condition]}}
    cluster.api("PATCH", f"{path_of(deployment)}/status", status, content_type=MERGE)


def test_the_service_is_taken_over_without_a_gap_and_given_back(world: World) -> None:
    for command in commands("Prepare"):
        world.shell.run(command)
    ours, theirs = deployed("service.yaml")[0], world.get(before.service())["spec"]
    rights, start, wait, lead, uninstall, again = commands("As a service")
    for command in (rights, start):
        world.shell.run(command)
    assert world.get(before.service())["spec"] == theirs
    available(world.cluster)
    for command in (wait, lead):
        world.shell.run(command)
    led = world.get(before.service())["spec"]
    assert (led["selector"], led["ports"]) == (ours["spec"]["selector"], ours["spec"]["ports"])
    back, _ = commands("Going back")
    world.shell.run(back)
    assert world.get(before.service())["spec"] == theirs
    for command in (lead, uninstall, again):
        world.shell.run(command)
    assert world.get(before.service())["spec"]["selector"] == ours["spec"]["selector"]
    assert {world.get(config)["metadata"]["name"] for config in world.configs} == {"v1", "v2"}


def test_a_pod_gets_its_sidecar_and_loses_it_again(world: World) -> None:
    deployment = before.deployment("crossplane", {})
    pod = world.get(deployment)["spec"]["template"]["spec"]
    rights, patch = commands("As a sidecar")
    for command in (rights, patch):
        world.shell.run(command)
    patched = world.get(deployment)["spec"]["template"]["spec"]
    assert {one["name"] for one in patched["containers"]} == {"crossplane", "store-plugin"}
    (alias,) = patched["hostAliases"]
    assert alias["ip"] == "127.0.0.1"
    assert HOST in alias["hostnames"]
    _, back = commands("Going back")
    world.shell.run(back)
    left = world.get(deployment)["spec"]["template"]["spec"]
    left.pop("volumes", None)
    assert left == pod


def test_the_sidecar_of_providers_is_that_of_crossplane_and_makes_a_valid_pod(world: World) -> None:
    provider, crossplane = pod_of("provider.yaml"), pod_of("crossplane.yaml")
    runtime, ours = provider["containers"]
    assert runtime == {"name": "package-runtime", "args": ["--enable-external-secret-stores"]}
    assert {**provider, "containers": [ours]} == crossplane
    merged = {**provider, "containers": [{"name": "package-runtime", "image": "provider"}, ours]}
    checked = before.deployment("provider", {"a": "b"}, **merged)
    query = "fieldManager=tests&dryRun=All&fieldValidation=Strict"
    world.cluster.api("PATCH", f"{path_of(checked)}?{query}", checked, content_type=APPLY)


STATUS = ("vaultconfigs", "awsconfigs", "localconfigs", "kubernetesstoreconfigs")
WAYS = {
    "as a service": ("As a service", "ess-plugin-vault", "standalone.yaml", {"leases", "events", *STATUS}),
    "as a sidecar": ("As a sidecar", "crossplane", "crossplane.yaml", set()),
}


@pytest.mark.parametrize(("title", "account", "file", "writes"), WAYS.values(), ids=WAYS)
def test_crossplane_goes_on_with_the_secrets_that_ess_plugin_vault_left(
    world: World, title: str, account: str, file: str, writes: set[str]
) -> None:
    """Its own client, its certificates, a login that a real API server reviews."""
    for command in (*commands("Prepare"), commands(title)[0]):
        world.shell.run(command)
    user = user_of(account)
    reviews = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    world.cluster.allow(user, [reviews])
    for version, mount in world.mounts.items():
        leave_secret(world.bao, mount, version, "team-a/db", "uid-1", user="admin", host="db")
    with (
        world.cluster.recorded(user) as requests,
        world.crossplane(account, container_of(file)) as clients,
    ):
        for version, crossplane in clients.items():
            go_on(world, version, crossplane)
        if writes:
            eventually(lambda: all(ready(world, config) for config in world.configs), 30)
            (shown,) = map(world.shell.run, commands("Is all well?"))
            assert shown.count(" True") == len(world.configs)
        world.doctor(account)
    asked = {(request.verb, request.resource) for request in requests}
    assert ("create", "tokenreviews") in asked
    written = {resource for verb, resource in asked if verb not in ("list", "watch")}
    assert {resource for resource in written if not resource.endswith("reviews")} <= writes


def ready(world: World, config: Manifest) -> bool:
    """As `kubectl get store` shows it."""
    conditions = world.get(config).get("status", {}).get("conditions", [])
    return "True" in [one["status"] for one in conditions if one["type"] == "Ready"]


def go_on(world: World, version: str, crossplane: Crossplane) -> None:
    left = {"user": b"admin", "host": b"db"}
    read = crossplane.read("db", scope="team-a")
    assert (read.data, read.labels, read.error) == (left, {OWNER_LABEL: "uid-1"}, "")
    assert crossplane.write("db", left, "uid-1", scope="team-a").changed is False
    assert crossplane.write("db", {"host": b"db2"}, "uid-1", scope="team-a").changed is True
    refused = crossplane.write("db", {"host": b"mine"}, "uid-2", scope="team-a")
    assert refused.code == "FailedPrecondition"
    stored = world.stored(version, "team-a/db")
    assert (stored["user"], stored["host"]) == ("admin", "db2")
    assert crossplane.delete("db", scope="team-a").error == ""
    assert world.stored(version, "team-a/db") == {}
