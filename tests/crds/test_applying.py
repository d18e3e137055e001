"""CRDs come into a cluster, and nothing that others put there is taken away."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from kubernetes.aio.client import ApiClient

from store_plugin import __version__
from store_plugin.cluster import connected
from store_plugin.crds.applying import FIELD_MANAGER, Outcome, State, apply, look
from store_plugin.crds.definition import VERSION_ANNOTATION, Definition
from store_plugin.errors import ConfigInvalid, LoginRefused, StoreDenied, StoreUnavailable
from store_plugin.sidecar.crds import bring_crds
from stores.local.spec import LocalSpec
from tests.support.fakes import RecordingLog
from tests.support.kubernetes import MERGE, Cluster, path_of

CRD_RULE = {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"]}


@pytest.fixture
def definition(cluster: Cluster) -> Iterator[Definition]:
    """A kind in an API group of the test's own, removed again."""
    yield (made := Definition(f"g{uuid4().hex[:8]}.example.org/v1alpha1", "LocalConfig", LocalSpec))
    if made.name in names(cluster):
        cluster.api("DELETE", path_of(made.manifest()))


@pytest.fixture
async def api(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with connected(kubeconfig(cluster, tmp_path)) as client:
        yield client


def kubeconfig(cluster: Cluster, directory: Path, **options: Any) -> Path:
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.kubeconfig(**options)))
    return path


def names(cluster: Cluster) -> set[str]:
    listed = cluster.api("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return {item["metadata"]["name"] for item in listed["items"]}


def stored(cluster: Cluster, definition: Definition) -> dict[str, Any]:
    return cluster.api("GET", path_of(definition.manifest()))


def applied_by(cluster: Cluster, definition: Definition, version: str | None) -> None:
    """The CRD as another version of ours, or somebody else, would have applied it."""
    manifest = definition.manifest()
    manifest["metadata"]["annotations"] = {VERSION_ANNOTATION: version} if version else {}
    manifest["spec"]["versions"][0]["additionalPrinterColumns"] = []
    cluster.apply(manifest, manager=FIELD_MANAGER if version else "helm")


async def test_a_missing_crd_is_applied_under_our_name(
    cluster: Cluster, api: ApiClient, definition: Definition
) -> None:
    assert await look(api, [definition]) == [Outcome(definition.name, State.MISSING)]
    assert await apply(api, [definition]) == [Outcome(definition.name, State.APPLIED)]
    assert await look(api, [definition]) == [Outcome(definition.name, State.CURRENT, __version__)]
    managers = stored(cluster, definition)["metadata"]["managedFields"]
    assert ("Apply", FIELD_MANAGER) in {(one["operation"], one["manager"]) for one in managers}


async def test_applying_again_changes_nothing(
    cluster: Cluster, api: ApiClient, definition: Definition
) -> None:
    await apply(api, [definition])
    before = stored(cluster, definition)["metadata"]["generation"]
    assert await apply(api, [definition]) == [Outcome(definition.name, State.APPLIED, __version__)]
    assert stored(cluster, definition)["metadata"]["generation"] == before


@pytest.mark.parametrize(
    ("version", "shared", "state"),
    [
        pytest.param("0.0.9", False, State.OLDER, id="older"),
        pytest.param("999.0.0", False, State.NEWER, id="newer"),
        pytest.param("next", False, State.NEWER, id="unreadable"),
        pytest.param(None, False, State.OLDER, id="a kind of ours, installed by others"),
        pytest.param(None, True, State.FOREIGN, id="a kind that others define too"),
        pytest.param("0.0.9", True, State.OLDER, id="such a kind, applied by us"),
    ],
)
async def test_only_what_is_older_is_replaced(
    cluster: Cluster, api: ApiClient, definition: Definition, version: str | None, shared: bool, state: State
) -> None:
    ours = Definition(definition.api_version, definition.kind, definition.model, shared=shared)
    applied_by(cluster, ours, version)
    assert await look(api, [ours]) == [Outcome(ours.name, state, version)]
    (outcome,) = await apply(api, [ours])
    columns = stored(cluster, ours)["spec"]["versions"][0].get("additionalPrinterColumns", [])
    replaced = state is State.OLDER
    assert outcome == Outcome(ours.name, State.APPLIED if replaced else state, version)
    assert bool(columns) is replaced


async def test_a_crd_that_the_api_server_refuses_is_told_with_its_name_and_why(
    cluster: Cluster, api: ApiClient, definition: Definition
) -> None:
    """Its version was another one, of which objects may be stored."""
    await apply(api, [definition])
    moved = Definition(f"{definition.group}/v2", definition.kind, definition.model)
    with pytest.raises(ConfigInvalid, match=f"refuses the CRD {re.escape(definition.name)}: ") as refused:
        await apply(api, [moved])
    assert "storedVersions" in refused.value.message
    assert len(refused.value.message) < 600


async def test_a_crd_that_is_refused_holds_up_no_other(
    cluster: Cluster, api: ApiClient, definition: Definition, tmp_path: Path
) -> None:
    await apply(api, [definition])
    moved = Definition(f"{definition.group}/v2", definition.kind, definition.model)
    another = Definition(definition.api_version, "AnotherConfig", LocalSpec)
    log = RecordingLog()
    try:
        await bring_crds("apply", kubeconfig(cluster, tmp_path), None, log, lambda: [moved, another])
        assert another.name in names(cluster)
    finally:
        if another.name in names(cluster):
            cluster.api("DELETE", path_of(another.manifest()))
    refused, applied = log.lines
    assert refused[:2] == ("error", "CRD")
    assert refused[2]["name"] == moved.name
    assert refused[2]["state"] == "refused"
    assert "storedVersions" in refused[2]["reason"]
    assert (applied[0], applied[2]["name"], applied[2]["state"]) == ("info", another.name, "applied")


async def test_what_others_add_to_a_crd_of_ours_stays(
    cluster: Cluster, api: ApiClient, definition: Definition
) -> None:
    await apply(api, [definition])
    label = {"metadata": {"labels": {"argocd.example.org/instance": "platform"}}}
    cluster.api("PATCH", path_of(definition.manifest()), label, content_type=MERGE)
    await apply(api, [definition])
    assert stored(cluster, definition)["metadata"]["labels"] == label["metadata"]["labels"]


async def test_sidecars_that_start_at_once_all_succeed(
    cluster: Cluster, api: ApiClient, definition: Definition
) -> None:
    outcomes = await asyncio.gather(*(apply(api, [definition]) for _ in range(8)))
    assert {outcome.state for (outcome,) in outcomes} == {State.APPLIED}


async def test_a_service_account_that_may_not_apply_is_told_what_it_lacks(
    cluster: Cluster, tmp_path: Path, definition: Definition
) -> None:
    user = cluster.service_account(cluster.namespace())
    path = kubeconfig(cluster, tmp_path, token=cluster.token(user))
    async with connected(path) as api:
        with pytest.raises(StoreDenied, match="let this ServiceAccount read CustomResourceDefinitions: add"):
            await look(api, [definition])
        cluster.allow(user, [CRD_RULE | {"verbs": ["get"]}])
        assert await look(api, [definition]) == [Outcome(definition.name, State.MISSING)]
        with pytest.raises(StoreDenied, match="apply CustomResourceDefinitions"):
            await apply(api, [definition])


async def test_get_create_and_patch_of_these_crds_are_all_the_rights_it_takes(
    cluster: Cluster, tmp_path: Path, definition: Definition
) -> None:
    user = cluster.service_account(cluster.namespace())
    cluster.allow(
        user, [CRD_RULE | {"verbs": ["get", "create", "patch"], "resourceNames": [definition.name]}]
    )
    async with connected(kubeconfig(cluster, tmp_path, token=cluster.token(user))) as api:
        with cluster.recorded(user) as requests:
            await apply(api, [definition])
    assert [(request.verb, request.name) for request in requests] == [
        ("get", definition.name),
        ("patch", definition.name),
    ]


async def test_a_wrong_token_is_told_and_not_shown(
    cluster: Cluster, tmp_path: Path, definition: Definition
) -> None:
    async with connected(kubeconfig(cluster, tmp_path, token="s3cret-token")) as api:
        with pytest.raises(LoginRefused) as refused:
            await look(api, [definition])
    assert "s3cret-token" not in repr(refused.value)
    assert refused.value.__cause__ is None


async def test_an_api_server_that_is_away_is_unavailable(
    cluster: Cluster, tmp_path: Path, definition: Definition
) -> None:
    config = cluster.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    async with connected(tmp_path / "kubeconfig") as api:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await look(api, [definition])


@pytest.mark.parametrize("content", ["", "- 1", "kind: Config", "token: {s3cret"], ids=str)
async def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(ConfigInvalid, match="cannot be used as a kubeconfig") as refused:
        async with connected(path):
            raise AssertionError("connected")
    assert refused.value.__context__ is None


async def test_kubeconfigs_that_are_not_there_are_told_by_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = Path(f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    told = f"the kubeconfig {tmp_path / 'one'} cannot be read: No such file or directory"
    with pytest.raises(ConfigInvalid, match=f"^{re.escape(told)}$"):
        async with connected(both):
            raise AssertionError("connected")
    assert caplog.messages == []


async def test_one_kubeconfig_of_several_is_enough(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "two").write_text(yaml.safe_dump(cluster.kubeconfig()))
    async with connected(Path(f"{tmp_path / 'one'}:{tmp_path / 'two'}")) as api:
        assert api.configuration.host == cluster.address


async def test_outside_of_a_pod_a_kubeconfig_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigInvalid, match="name a cluster with --kubeconfig"):
        async with connected():
            raise AssertionError("connected")
