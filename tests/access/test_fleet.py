"""A hub with ClusterProfiles, a member that they lead to, and the commands about them."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import kubernetes.client
import pytest
import yaml
from click.testing import CliRunner, Result

from store_plugin.access import AccessConfig
from store_plugin.access.fleet import find_profile, list_profiles
from store_plugin.access.planning import ARGUMENTS_EXTENSION, CONFIG_EXTENSION, VARIABLES_EXTENSION
from store_plugin.cli._app import cli
from store_plugin.errors import ConfigInvalid, ConfigNotFound, InvalidRequest, StoreDenied
from tests.docs.pages import ROOT
from tests.support.exec_plugins import ExecPlugin, access_file, profile, provider
from tests.support.fleet import apply_profile
from tests.support.kubectl import kubectl
from tests.support.kubernetes import APPLY, Cluster
from tests.support.kubernetes_clients import threaded_client
from tests.support.tools import tool
from tests.support.waiting import eventually

LIST = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]


class Place:
    """A namespace of the hub, and a plugin for the member."""

    def __init__(self, hub: Cluster, member: Cluster, directory: Path) -> None:
        self.hub, self.member, self.directory = hub, member, directory
        self.namespace = hub.namespace()
        self.plugin = ExecPlugin(directory)
        self.user = member.service_account(member.namespace())
        member.allow(self.user, LIST)
        self.plugin.answers(member.token(self.user))
        self.providers = access_file(directory, provider(self.plugin.path, provideClusterInfo=True))
        (directory / "hub").write_text(yaml.safe_dump(hub.kubeconfig()))

    def apply(self, name: str, **fields: Any) -> None:
        apply_profile(self.hub, self.member, self.namespace, name, **fields)

    def run(self, *arguments: str) -> Result:
        options = ["--access-config", str(self.providers), "--kubeconfig", str(self.directory / "hub")]
        return CliRunner().invoke(cli, ["access", arguments[0], *options, *arguments[1:]])


@pytest.fixture
def place(hub: Cluster, member: Cluster, tmp_path: Path) -> Iterator[Place]:
    made = Place(hub, member, tmp_path)
    yield made
    hub.api("DELETE", f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{made.namespace}/clusterprofiles")


def test_profiles_are_listed_and_found_by_name(place: Place) -> None:
    for name in ("b", "a"):
        place.apply(name)
    with threaded_client(place.hub) as api:
        found = list_profiles(api, place.namespace)
        assert [str(one) for one in found] == [f"{place.namespace}/{name}" for name in "ab"]
        assert {str(one) for one in found} <= {str(one) for one in list_profiles(api)}
        assert find_profile(api, f"{place.namespace}/a") == found[0]
        with pytest.raises(ConfigNotFound, match="store-plugin access list"):
            find_profile(api, f"{place.namespace}/c")
        with pytest.raises(InvalidRequest, match="NAMESPACE/NAME"):
            find_profile(api, "a")
    with AccessConfig.from_file(place.providers) as access, access.connect(found[0]) as client:
        listed = kubernetes.client.CoreV1Api(client).list_namespace()
    assert "kube-system" in [one.metadata.name for one in listed.items]


@pytest.fixture
def without_v1alpha1(hub: Cluster) -> Iterator[None]:
    """The hub serves ClusterProfiles of the next version alone; what is stored stays."""
    crd = yaml.safe_load((ROOT / "examples" / "fleet" / "crd.yaml").read_text())
    (old,) = crd["spec"]["versions"]
    following = {**deepcopy(old), "name": "v1alpha2", "storage": False}
    del following["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["credentialProviders"]
    hub.define({**crd, "spec": {**crd["spec"], "versions": [following, {**old, "served": False}]}})
    served = "/apis/multicluster.x-k8s.io/v1alpha1/clusterprofiles"
    eventually(lambda: not hub.serves(served))
    yield
    hub.define(crd)


def test_profiles_of_the_next_version_are_read(place: Place, without_v1alpha1: None) -> None:
    apply = partial(apply_profile, place.hub, place.member, place.namespace, api_version="v1alpha2")
    apply("a")
    with threaded_client(place.hub) as api, AccessConfig.from_file(place.providers) as access:
        (found,) = list_profiles(api, place.namespace)
        assert find_profile(api, str(found)) == found
        assert access.choose(found)[1].server == place.member.address
        with pytest.raises(ConfigNotFound):
            find_profile(api, f"{place.namespace}/b")
    assert f"answers {place.user}" in place.run("check", str(found)).output


def test_who_may_not_list_is_told(place: Place) -> None:
    token = place.hub.token(place.hub.service_account(place.namespace))
    with (
        threaded_client(place.hub, token) as api,
        pytest.raises(StoreDenied, match="may not list ClusterProfiles"),
    ):
        list_profiles(api)


def test_extensions_of_any_shape_are_kept_by_the_api_server(place: Place) -> None:
    extensions = {
        CONFIG_EXTENSION: {"audience": "x", "deep": [{"a": 1}]},
        ARGUMENTS_EXTENSION: ["--zone", "eu"],
        VARIABLES_EXTENSION: None,
    }
    place.apply("a", extensions=extensions)
    with threaded_client(place.hub) as api:
        found = find_profile(api, f"{place.namespace}/a").access("tests")
    assert {name: value for name, value in found.extensions.items() if value is not None} == {
        CONFIG_EXTENSION: extensions[CONFIG_EXTENSION],
        ARGUMENTS_EXTENSION: ["--zone", "eu"],
    }


@pytest.mark.parametrize("levels", [500, 5000])
def test_a_profile_that_is_nested_deep_keeps_no_other_from_being_read(
    place: Place, tmp_path: Path, levels: int
) -> None:
    """Python's parser gives up at less than what an API server takes, its copies sooner."""
    for name in ("deep", "good"):
        place.apply(name, extensions={CONFIG_EXTENSION: {"audience": "x"}})
    found = profile("deep", server=place.member.address, extensions={CONFIG_EXTENSION: "NEST"})
    text = json.dumps({"status": found["status"]}).replace('"NEST"', '{"a":' * levels + "1" + "}" * levels)
    (tmp_path / "status.json").write_text(text)
    by_kubectl = partial(kubectl, tmp_path, place.hub.kubeconfig())
    there = ["clusterprofile", "deep", "-n", place.namespace]
    patch = ["--type=merge", "--subresource=status", f"--patch-file={tmp_path}/status.json", "-o", "name"]
    patched = by_kubectl("patch", *there, *patch)
    assert patched.returncode == 0, patched.stderr
    with threaded_client(place.hub) as api, AccessConfig.from_file(place.providers) as access:
        deep, good = list_profiles(api, place.namespace)
        assert deep == find_profile(api, str(deep))
        assert access.choose(good)[1].server == place.member.address
        with pytest.raises(ConfigInvalid, match=f"profile {deep}, .* is nested too deep"):
            access.choose(deep)
    by_kubectl("delete", *there)


def test_a_second_manager_of_another_provider_leaves_the_first_alone(place: Place) -> None:
    place.apply("a")
    more = {
        **profile("a", provider="other", server="https://other"),
        "metadata": {"namespace": place.namespace, "name": "a"},
    }
    del more["spec"]
    path = f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{place.namespace}/clusterprofiles/a/status"
    place.hub.api("PATCH", f"{path}?fieldManager=second&force=true", more, content_type=APPLY)
    with threaded_client(place.hub) as api:
        found = find_profile(api, f"{place.namespace}/a")
    assert set(found.accesses) == {"tests", "other"}


def test_list_shows_profiles_and_providers_without_asking_any(place: Place) -> None:
    place.apply("a")
    place.apply("b", provider="unknown")
    shown = place.run("list", "-n", place.namespace)
    assert shown.exit_code == 0, shown.output
    first, second = shown.output.splitlines()[1:]
    assert first.split() == [f"{place.namespace}/a", "a", "tests", place.member.address, "tests"]
    assert "it names 'unknown', the access config has 'tests'" in second
    found = json.loads(place.run("list", "-n", place.namespace, "-o", "json").output)
    assert [(one["provider"], one["offered"]) for one in found] == [("tests", ["tests"]), (None, ["unknown"])]
    assert place.plugin.runs == 0


def test_list_shows_what_only_kubectl_can_use(place: Place) -> None:
    place.apply("a", **{"proxy-url": "socks5://proxy:1080"})
    (found,) = json.loads(place.run("list", "-n", place.namespace, "-o", "json").output)
    assert (found["provider"], found["server"]) == ("tests", place.member.address)
    assert "proxy-url is of a kind that this client cannot use" in found["problem"]
    assert f"tests: {found['problem']}" in place.run("list", "-n", place.namespace).output
    written = yaml.safe_load(place.run("kubeconfig", f"{place.namespace}/a").output)
    assert written["clusters"][0]["cluster"]["proxy-url"] == "socks5://proxy:1080"


def test_check_tells_which_clusters_answer_and_as_whom(place: Place) -> None:
    place.apply("a")
    shown = place.run("check", f"{place.namespace}/a")
    assert shown.exit_code == 0, shown.output
    assert f"answers {place.user}" in shown.output
    assert "v1.36" in shown.output
    assert place.member.token(place.user)[:20] not in shown.output

    place.apply("gone", server="https://127.0.0.1:1")
    place.apply("other", provider="unknown")
    shown = place.run("check", "-n", place.namespace, "-o", "json", "--timeout", "20")
    assert shown.exit_code == 1
    checked = {one["profile"].partition("/")[2]: one for one in json.loads(shown.stdout)}
    assert {name: one["answers"] for name, one in checked.items()} == {
        "a": True,
        "gone": False,
        "other": False,
    }
    assert "gave no answer" in checked["gone"]["problem"]
    assert "no provider for profile" in checked["other"]["problem"]


def test_check_tells_of_each_profile_that_is_named(place: Place) -> None:
    """Also of one that is not there, which is no reason not to ask the others."""
    place.apply("a")
    names = [f"{place.namespace}/missing", f"{place.namespace}/a"]
    shown = place.run("check", *names, "-o", "json")
    assert shown.exit_code == 1
    missing, there = json.loads(shown.stdout)
    assert [missing["profile"], there["profile"]] == names
    assert "there is no ClusterProfile" in missing["problem"]
    assert (missing["answers"], there["answers"]) == (False, True)


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_check_of_no_cluster_is_no_success(place: Place, output: str) -> None:
    shown = place.run("check", "-n", place.namespace, "-o", output)
    assert shown.exit_code == 1
    assert f"there are no ClusterProfiles in the namespace {place.namespace}" in shown.stderr
    assert output == "table" or json.loads(shown.stdout) == []


@pytest.mark.parametrize(
    ("body", "seconds", "problem"),
    [
        ("echo 'log in first' >&2; exit 1\n", "60", "failed with exit code 1"),
        ("exec sleep 600\n", "1", "no answer within 1 s"),
    ],
    ids=["fails", "hangs"],
)
def test_check_tells_of_a_plugin_and_shows_what_it_says(
    place: Place, body: str, seconds: str, problem: str
) -> None:
    place.apply("a")
    place.plugin.path.write_text("#!/bin/sh\n" + body)
    shown = place.run("check", f"{place.namespace}/a", "--timeout", seconds)
    assert shown.exit_code == 1
    assert problem in shown.stdout
    assert ("tests: log in first" in shown.stderr) is ("log in" in body)


def test_check_tells_that_a_credential_is_refused(place: Place) -> None:
    place.apply("a")
    place.plugin.answers("revoked")
    shown = place.run("check", f"{place.namespace}/a")
    assert shown.exit_code == 1
    assert "Unauthorized" in shown.stdout


def test_kubectl_reaches_the_member_through_a_kubeconfig(place: Place) -> None:
    extensions = {CONFIG_EXTENSION: {"audience": "x"}}
    place.apply("a", extensions=extensions, **{"tls-server-name": "kubernetes.default.svc"})
    target = place.directory / "member.kubeconfig"
    shown = place.run("kubeconfig", f"{place.namespace}/a", "--to", str(target))
    assert shown.exit_code == 0, shown.output
    assert target.stat().st_mode & 0o777 == 0o600
    assert place.plugin.runs == 0
    command = [str(tool("kubectl")), "get", "namespaces", "-o", "name"]
    environment = {"KUBECONFIG": str(target), "HOME": str(place.directory), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "namespace/kube-system" in ended.stdout, ended.stderr
    assert place.plugin.runs == 1
    printed = place.run("kubeconfig", f"{place.namespace}/a")
    assert printed.output == target.read_text()


def test_a_kubeconfig_says_all_that_the_provider_and_the_profile_say(place: Place) -> None:
    place.providers = access_file(
        place.directory,
        provider(
            place.plugin.path,
            args=["--own"],
            env=[{"name": "CLIENT_ID", "value": "own"}],
            installHint="install it",
            provideClusterInfo=True,
            profileSourcedCLIArgsPolicy="Append",
            profileSourcedEnvVarsPolicy="Replace",
        ),
    )
    extensions = {
        CONFIG_EXTENSION: {"audience": "x"},
        ARGUMENTS_EXTENSION: ["--more"],
        VARIABLES_EXTENSION: {"ZONE": "eu"},
    }
    place.apply("a", extensions=extensions, **{"proxy-url": "http://proxy:3128", "disable-compression": True})
    found = yaml.safe_load(place.run("kubeconfig", f"{place.namespace}/a").output)
    assert found["current-context"] == f"{place.namespace}/a"
    assert found["clusters"][0]["cluster"] == {
        "server": place.member.address,
        "certificate-authority-data": b64encode(place.member.ca).decode(),
        "proxy-url": "http://proxy:3128",
        "disable-compression": True,
        "extensions": [{"name": CONFIG_EXTENSION, "extension": {"audience": "x"}}],
    }
    assert found["users"][0]["user"]["exec"] == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(place.plugin.path),
        "args": ["--own", "--more"],
        "env": [
            {"name": "CLIENT_ID", "value": "own"},
            {"name": "ZONE", "value": "eu"},
            {"name": "STORE_PLUGIN_CLUSTER_PROFILE_NAMESPACE", "value": place.namespace},
            {"name": "STORE_PLUGIN_CLUSTER_PROFILE_NAME", "value": "a"},
        ],
        "interactiveMode": "Never",
        "provideClusterInfo": True,
        "installHint": "install it",
    }


def test_a_bad_access_config_ends_each_command_with_its_line(place: Place) -> None:
    place.providers.write_text('{"providers": [\n{"name": "x"}]}')
    for command in ("list", "check", "kubeconfig"):
        shown = place.run(command, *(["x/y"] if command == "kubeconfig" else []))
        assert shown.exit_code == 1
        assert f"{place.providers}:2: providers[0].execConfig: is required" in shown.output


def test_a_cluster_without_the_crd_is_told(place: Place) -> None:
    (place.directory / "hub").write_text(yaml.safe_dump(place.member.kubeconfig()))
    shown = place.run("list")
    assert shown.exit_code == 1
    assert "a cluster manager brings the CRD" in shown.output
