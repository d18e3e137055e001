"""A plugin written with the SDK, run as a client runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store_plugin.access.exec_credential import API_VERSIONS, ExecCluster, ExecInfo, info_text
from tests.support.kubectl import exec_user, kubeconfig_of, kubectl
from tests.support.kubernetes import Cluster

EXAMPLE = Path(__file__).parents[2] / "examples" / "credential-plugin" / "token_file_plugin.py"
CANARY = "canary-77ab"
CERTIFICATE = "-----BEGIN CERTIFICATE-----"
HEAD = """\
import os, sys, time
from datetime import UTC, datetime
from store_plugin.access.credential_plugin import ExecInfo, ExecStatus, run
from store_plugin.errors import ConfigInvalid
def provide(info):
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin(tmp_path: Path) -> Run:
    """Runs a plugin whose provider has this body."""

    def run(
        body: str, info: ExecInfo | str | None = None, *, options: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        path = tmp_path / "my-plugin.py"
        path.write_text(f"{HEAD}    {body}\nrun(provide{options})\n")
        request = info if isinstance(info, str | None) else info_text(info)
        environ = {} if request is None else {"KUBERNETES_EXEC_INFO": request}
        return subprocess.run(
            [sys.executable, str(path)], env=environ, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.mark.parametrize("version", API_VERSIONS)
def test_the_answer_is_of_the_version_that_was_asked(plugin: Run, version: str) -> None:
    ended = plugin(
        "return ExecStatus(token=info.cluster.server)", ExecInfo(version, cluster=ExecCluster("srv"))
    )
    assert json.loads(ended.stdout) == {
        "apiVersion": version,
        "kind": "ExecCredential",
        "status": {"token": "srv"},
    }
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_person_may_try_it_out(plugin: Run) -> None:
    ended = plugin("return ExecStatus(token=str(info.cluster))")
    assert json.loads(ended.stdout) == {
        "apiVersion": API_VERSIONS[0],
        "kind": "ExecCredential",
        "status": {"token": "None"},
    }


def test_what_the_provider_prints_is_not_in_the_answer(plugin: Run) -> None:
    ended = plugin("print('working'); return ExecStatus(token='t')")
    assert json.loads(ended.stdout)["status"] == {"token": "t"}
    assert ended.stderr == "working\n"


def test_what_a_program_that_it_runs_prints_is_not_either(plugin: Run) -> None:
    ended = plugin("os.system('echo from a child'); return ExecStatus(token='t')")
    assert json.loads(ended.stdout)["status"] == {"token": "t"}
    assert ended.stderr == "from a child\n"


@pytest.fixture
def closing(tmp_path: Path) -> Callable[[str, str], "subprocess.CompletedProcess[str]"]:
    """Runs a plugin whose provider has this body, with what a shell does to its descriptors."""
    path = tmp_path / "my-plugin.py"

    def run(body: str, redirections: str) -> "subprocess.CompletedProcess[str]":
        path.write_text(f"{HEAD}    {body}\nrun(provide)\n")
        command = ["sh", "-c", f'exec "$0" "$1" {redirections}', sys.executable, str(path)]
        return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("redirections", [">&-", "<&- >&-"])
def test_without_a_standard_output_there_is_one_line(closing: Run, redirections: str) -> None:
    ended = closing("return ExecStatus(token='t')", redirections)
    assert ended.returncode == 1
    assert (
        ended.stderr == "my-plugin.py: standard output, where the answer goes, is closed (INVALID_REQUEST)\n"
    )


@pytest.mark.parametrize("redirections", ["2>&-", "<&- 2>&-"])
def test_without_a_standard_error_there_is_the_answer(closing: Run, redirections: str) -> None:
    """Nor is it mixed with what the provider and its programs print."""
    ended = closing("print('a'); os.system('echo b'); return ExecStatus(token='t')", redirections)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, {"token": "t"})
    ended = closing("raise ConfigInvalid('no')", redirections)
    assert (ended.returncode, ended.stdout) == (1, "")


REQUESTS = {
    "garbage": "{",
    "an array": "[]",
    "another kind": json.dumps({"apiVersion": API_VERSIONS[0], "kind": "Pod"}),
    "an old version": json.dumps(
        {"apiVersion": "client.authentication.k8s.io/v1alpha1", "kind": "ExecCredential"}
    ),
}


@pytest.mark.parametrize("request_text", REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_is_none_is_refused(plugin: Run, request_text: str) -> None:
    ended = plugin("return ExecStatus(token='t')", request_text)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("my-plugin.py: KUBERNETES_EXEC_INFO ")
    assert ended.stderr.count("\n") == 1


FAILURES = {
    "an error of ours": ("raise ConfigInvalid('log in\\nfirst')", "log in first (CONFIG_INVALID)"),
    "any other": (f"raise ValueError('{CANARY}')", "the provider failed with ValueError"),
    "its end": (f"sys.exit('{CANARY}')", "the provider failed with SystemExit"),
    "nothing": ("pass", "the provider returned no ExecStatus"),
    "an empty credential": ("return ExecStatus()", "neither a token nor a client certificate"),
    "half a certificate": (
        f"return ExecStatus(certificate=b'{CERTIFICATE}{CANARY}')",
        "client certificate without its key",
    ),
    "a token in two lines": (f"return ExecStatus(token='{CANARY}\\nx')", "none that a header can carry"),
    "an expired one": (
        f"return ExecStatus(token='{CANARY}', expires=datetime(2020, 1, 1, tzinfo=UTC))",
        "the credential expired at 2020-01-01T00:00:00",
    ),
    "an end without a zone": (
        f"return ExecStatus(token='{CANARY}', expires=datetime(2090, 1, 1))",
        "the provider's ExecStatus cannot be written (TypeError)",
    ),
    "a certificate that is no text": (
        f"return ExecStatus(certificate=b'\\xff{CANARY}', key=b'{CANARY}')",
        "the provider's ExecStatus cannot be written (UnicodeDecodeError)",
    ),
}


@pytest.mark.parametrize(("body", "told"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line_without_the_credential(plugin: Run, body: str, told: str) -> None:
    ended = plugin(body, ExecInfo(API_VERSIONS[0]))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert told in ended.stderr
    assert ended.stderr.startswith("my-plugin.py: ")
    assert ended.stderr.count("\n") == 1
    assert CANARY not in ended.stderr


def test_a_provider_that_hangs_is_left_behind(plugin: Run) -> None:
    ended = plugin("time.sleep(600)", options=", timeout=0.2, name='mine'")
    assert ended.returncode == 1
    assert ended.stderr == "mine: no credential within 0.2 s (CONFIG_INVALID)\n"


def test_nothing_but_the_standard_library_is_loaded(plugin: Run) -> None:
    ended = plugin("print(' '.join(sys.modules)); return ExecStatus(token='t')")
    loaded = {name.partition(".")[0] for name in ended.stderr.split()}
    assert loaded & {"grpc", "google", "click", "yaml", "pydantic", "kubernetes", "asyncio", "ssl"} == set()


# The example, with the real kubectl and the real API server.


def test_kubectl_gets_in_with_the_example(cluster: Cluster, tmp_path: Path) -> None:
    namespace = cluster.namespace()
    user = cluster.service_account(namespace, "reader")
    cluster.allow(user, [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}])
    (tmp_path / "reader").write_text(cluster.token(user))
    plugin = exec_user([sys.executable, str(EXAMPLE)], environ={"TOKENS": str(tmp_path)})
    config = kubeconfig_of(cluster, plugin, {"identity": "reader"})
    ended = kubectl(tmp_path, config, "get", "namespaces", "-o", "name")
    assert f"namespace/{namespace}" in ended.stdout.split(), ended.stderr


def test_kubectl_shows_why_the_example_refuses(cluster: Cluster, tmp_path: Path) -> None:
    plugin = exec_user([sys.executable, str(EXAMPLE)], environ={"TOKENS": str(tmp_path)})
    ended = kubectl(tmp_path, kubeconfig_of(cluster, plugin, {"identity": "../x"}), "get", "namespaces")
    assert ended.returncode != 0
    assert "the cluster's extension has to name an identity" in ended.stderr
