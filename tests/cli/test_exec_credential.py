"""`store-plugin exec-credential`, run as kubectl runs it."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from click.testing import CliRunner
from google.protobuf.message import Message

from store_plugin._proto import ess_pb2
from store_plugin.access.exec_credential import (
    API_VERSIONS,
    PROFILE_NAMESPACE,
    ExecCluster,
    ExecInfo,
    info_text,
)
from store_plugin.cli._app import cli
from store_plugin.cli._exec_credential.options import OPTIONS, read
from store_plugin.cli._opening import open_directory
from store_plugin.client import parse_config
from store_plugin.errors import InvalidRequest, StoreDenied
from store_plugin.model import ScopedName, Secret
from tests.client.ess_server import EssServer
from tests.docs.pages import DOCS, ROOT, blocks, rows, section
from tests.support import manifests
from tests.support.certificates import CertificateAuthority
from tests.support.kubectl import exec_user, kubeconfig_of, kubectl
from tests.support.kubernetes import Cluster
from tests.support.sidecar import PROGRAM
from tests.support.tokens import jwt

CANARY = "canary-20fd"
SERVER = "https://member.example.com"
INFO = ExecInfo(API_VERSIONS[0])
WHOAMI = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")

Ended = subprocess.CompletedProcess[str]
Ask = Callable[..., Ended]


def ask_with(arguments: Sequence[str], info: ExecInfo, environ: Mapping[str, str]) -> Ended:
    environ = {**environ, "KUBERNETES_EXEC_INFO": info_text(info)}
    command = [PROGRAM, "exec-credential", *arguments]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        assert ended.stdout == ""
        assert ended.stderr.startswith("store-plugin exec-credential: ")
        assert re.search(r" \([A-Z_]+\)\n$", ended.stderr), "it ends with the reason of the table"
        assert ended.stderr.count("\n") == 1
        assert ended.returncode == 1
    assert CANARY not in ended.stderr
    return ended


@pytest.fixture
def ask(endpoint: str) -> Ask:
    """Asks the plugin, which asks the server at `endpoint`."""

    def run(*arguments: str, info: ExecInfo = INFO, **environ: str) -> Ended:
        known = {"STORE_PLUGIN_ENDPOINT": endpoint, "STORE_PLUGIN_TIMEOUT": "30"}
        return ask_with(arguments, info, {**known, **environ})

    return run


def hold(running: EssServer, /, **data: str) -> None:
    def answer(_request: Message, _context: object) -> Message:
        encoded = {key: value.encode() for key, value in data.items()}
        return ess_pb2.GetSecretResponse(secret=ess_pb2.Secret(data=encoded))

    running.answers["GetSecret"] = answer


def asked_of(server: EssServer) -> list[tuple[str, str]]:
    """Config and secret of each request."""
    requests = [call.request for call in server.received]
    assert all(isinstance(request, ess_pb2.GetSecretRequest) for request in requests)
    return [(f"{r.config.kind}/{r.config.name}", r.secret.scoped_name) for r in requests]  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_token_comes_from_the_sidecar(ask: Ask, server: EssServer, version: str) -> None:
    token = jwt(exp=4_000_000_000)
    hold(server, token=token)
    ended = ask("VaultConfig/prod", "fleet/one", info=ExecInfo(version))
    assert json.loads(ended.stdout) == {
        "apiVersion": version,
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": "2096-10-02T07:06:40Z"},
    }
    assert asked_of(server) == [("VaultConfig/prod", "fleet/one")]


def test_keys_and_options_are_named(ask: Ask, server: EssServer) -> None:
    hold(server, t=jwt(aud="kube"))
    ended = ask("VaultConfig/prod", "--token-key=t", "fleet/one", "--audience", "kube")
    assert "token" in json.loads(ended.stdout)["status"]


def test_the_extension_chooses_within_the_template(ask: Ask, server: EssServer) -> None:
    hold(server, token=CANARY, server=SERVER)
    cluster = ExecCluster(SERVER, config={"cluster": "spoke-1"})
    ended = ask("VaultConfig/prod", "fleet/{cluster}", info=ExecInfo(API_VERSIONS[0], cluster=cluster))
    assert json.loads(ended.stdout)["status"] == {"token": CANARY}
    assert asked_of(server) == [("VaultConfig/prod", "fleet/spoke-1")]


@pytest.mark.parametrize("value", ["../other-tenant/admin", "a/b", "..", "other\ntenant"])
def test_a_profile_that_names_another_tenants_secret_gets_none(
    ask: Ask, server: EssServer, value: str
) -> None:
    """W6."""
    hold(server, token=CANARY, server=SERVER)
    cluster = ExecCluster(SERVER, config={"cluster": value})
    ended = ask("VaultConfig/prod", "fleet/{cluster}", info=ExecInfo(API_VERSIONS[0], cluster=cluster))
    assert "is not allowed in a name" in ended.stderr
    assert server.received == []


def test_a_profile_reaches_the_secrets_of_its_own_namespace(ask: Ask, server: EssServer) -> None:
    """W6 again: the namespace is that of the object, whatever its extension says."""
    hold(server, token=CANARY, server=SERVER)
    cluster = ExecCluster(SERVER, config={"cluster": "member", "profile.namespace": "team-b"})
    info = ExecInfo(API_VERSIONS[0], cluster=cluster)
    ask("VaultConfig/prod", "{profile.namespace}/{cluster}", info=info, **{PROFILE_NAMESPACE: "team-a"})
    assert asked_of(server) == [("VaultConfig/prod", "team-a/member")]


def test_a_secret_that_a_profile_chose_is_not_given_for_a_cluster_nobody_tells(
    ask: Ask, server: EssServer
) -> None:
    hold(server, token=CANARY, server=SERVER)
    ended = ask("VaultConfig/prod", "{profile.namespace}/token", **{PROFILE_NAMESPACE: "team-a"})
    assert "set provideClusterInfo: true" in ended.stderr
    assert server.received == []


def test_a_profile_that_names_another_clusters_secret_gets_none(ask: Ask, server: EssServer) -> None:
    hold(server, token=CANARY, server=SERVER)
    cluster = ExecCluster("https://mine.example.com", config={"cluster": "spoke-1"})
    ended = ask("VaultConfig/prod", "fleet/{cluster}", info=ExecInfo(API_VERSIONS[0], cluster=cluster))
    assert "secret fleet/spoke-1 in VaultConfig/prod: this credential is for another server" in ended.stderr


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (["--token-key", "admin"], "--token-key is given twice"),
        (["VaultConfig/other", "other/admin"], "two arguments beside options, and got 4"),
        (["--endpoint", "attacker:1"], "two arguments beside options, and got 4"),
    ],
)
def test_arguments_that_a_profile_adds_replace_nothing(
    ask: Ask, server: EssServer, added: list[str], told: str
) -> None:
    own = ["VaultConfig/prod", "fleet/one", "--token-key", "t"]
    ended = ask(*own, *(["--"] if "attacker:1" in added else []), *added)
    assert told in ended.stderr
    assert server.received == []


def test_config_and_name_never_come_from_the_environment(ask: Ask, server: EssServer) -> None:
    ended = ask(
        STORE_PLUGIN_EXEC_CREDENTIAL_CONFIG="VaultConfig/prod", STORE_PLUGIN_EXEC_CREDENTIAL_NAME="a/b"
    )
    assert "two arguments beside options, and got 0" in ended.stderr
    assert all(option.variable in ("", f"STORE_PLUGIN_{spelled(option.name)}") for option in OPTIONS)


def spelled(name: str) -> str:
    return name.upper().replace("-", "_")


def test_nobody_answers(ask: Ask) -> None:
    ended = ask("VaultConfig/prod", "fleet/one", "--connect-timeout", "0.3")
    assert "nobody answers at" in ended.stderr
    assert "NOT_REACHABLE" in ended.stderr


def test_what_the_sidecar_refuses_is_told(ask: Ask, server: EssServer) -> None:
    server.fail("GetSecret", StoreDenied("the store does not let us read it"))
    assert "the store does not let us read it (STORE_DENIED)" in ask("VaultConfig/prod", "fleet/one").stderr


def test_a_server_that_is_silent_is_not_waited_for(ask: Ask, server: EssServer) -> None:
    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(30)
        return ess_pb2.GetSecretResponse()

    server.answers["GetSecret"] = answer
    ended = ask("VaultConfig/prod", "fleet/one", "--timeout", "5")
    assert "within" in ended.stderr, ended.stderr


WRONG = {
    "no secret": ({}, [], "there is no secret fleet/one in VaultConfig/prod, or it is empty"),
    "no credential": ({"password": CANARY}, [], "none of the keys token, tls.crt and tls.key, or kubeconfig"),
    "an expired token": (
        {"token": jwt(exp=1, name=CANARY)},
        [],
        "the credential expired at 1970-01-01T00:00:01",
    ),
    "a token that no header carries": ({"token": f"{CANARY} x"}, [], "none that a header can carry"),
    "another audience": ({"token": jwt(aud=CANARY)}, ["--audience", "kube"], "another audience"),
}


@pytest.mark.parametrize(("data", "options", "told"), WRONG.values(), ids=WRONG)
def test_a_secret_that_is_no_credential(
    ask: Ask, server: EssServer, data: dict[str, str], options: list[str], told: str
) -> None:
    hold(server, **data)
    assert told in ask("VaultConfig/prod", "fleet/one", *options).stderr


USAGE = {
    "unknown": (["a/b", "c/d", "--tokenkey", "x"], "there is no option '--tokenkey'"),
    "shortened": (["a/b", "c/d", "--token-k", "x"], "there is no option '--token-k'"),
    "without a value": (["a/b", "c/d", "--token-key"], "--token-key needs a value: --token-key KEY"),
    "with another option as value": (
        ["a/b", "c/d", "--token-key", "--audience"],
        "--token-key needs a value",
    ),
    "twice": (["a/b", "c/d", "--context=a", "--context=a"], "--context is given twice"),
    "no key": (["a/b", "c/d", "--token-key", "a/b"], "the key 'a/b' is not allowed"),
    "no time": (["a/b", "c/d", "--timeout", "soon"], "--timeout is not a number of seconds above 0"),
    "endless": (["a/b", "c/d", "--timeout", "inf"], "--timeout is not a number of seconds above 0"),
    "one argument": (["a/b"], "two arguments beside options, and got 1"),
    "an open scope": (["a/b", "{tenant}/x"], "the first segment of the name has to be fixed"),
    "no name": (["a/b", "../x"], "segment 1 of the scoped name '..' is not allowed"),
}


@pytest.mark.parametrize(("arguments", "told"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_told(arguments: list[str], told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(arguments, {})
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["a", "b/c"], "is not a store config"), (["A/b", "b/c", "--endpoint", "x"], "is not an endpoint")],
)
def test_what_cannot_be_asked_is_told(ask: Ask, arguments: list[str], told: str) -> None:
    assert told in ask(*arguments).stderr


# Without a sidecar.


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A directory with a local store, which holds the token of fleet/one."""
    directory, data = tmp_path / "configs", tmp_path / "data"
    directory.mkdir()
    data.mkdir(mode=0o700)
    manifests.local(directory, "files", data)

    async def fill() -> None:
        async with open_directory(directory) as opened:
            with await opened.router.lease(parse_config("LocalConfig/files")) as lease:
                secret = Secret({"token": CANARY.encode()})
                deadline = asyncio.get_running_loop().time() + 30
                await lease.engine.apply(ScopedName.parse("fleet/one"), secret, deadline=deadline)

    asyncio.run(fill())
    return directory


def test_a_store_is_opened_in_the_process(configs: Path) -> None:
    ended = ask_with(["LocalConfig/files", "fleet/one", "--config-dir", str(configs)], INFO, {})
    assert json.loads(ended.stdout)["status"] == {"token": CANARY}


@pytest.mark.parametrize(
    ("config", "told"),
    [("LocalConfig/none", "CONFIG_NOT_FOUND"), ("NoConfig/files", "KIND_NOT_SERVED")],
)
def test_a_config_that_the_directory_has_not(configs: Path, config: str, told: str) -> None:
    assert told in ask_with([config, "fleet/one", "--config-dir", str(configs)], INFO, {}).stderr


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    ended = ask_with(["LocalConfig/files", "fleet/one", "--config-dir", str(tmp_path / "no")], INFO, {})
    assert "is no directory" in ended.stderr


# As a command.


def test_it_starts_without_what_the_other_commands_need(server: EssServer, endpoint: str) -> None:
    hold(server, token="t")
    program = (
        "import os, sys; write = os.write\n"
        "os.write = lambda fd, text: (write(2, ' '.join(sys.modules).encode()), write(fd, text))[1]\n"
        f"sys.argv[1:] = ['exec-credential', 'A/b', 'c/d', '--endpoint', {endpoint!r}]\n"
        "from store_plugin.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert json.loads(ended.stdout)["status"] == {"token": "t"}
    loaded = {name.partition(".")[0] for name in ended.stderr.split()}
    assert "grpc" in loaded
    assert (
        loaded & {"click", "rich", "yaml", "pydantic", "structlog", "aiohttp", "argparse", "kubernetes"}
        == set()
    )


def test_the_help_tells_every_option() -> None:
    shown = CliRunner().invoke(cli, ["exec-credential", "--help"]).output
    for option in OPTIONS:
        assert f"--{option.name} {option.metavar}" in shown
        assert option.variable in shown


def test_the_options_are_documented() -> None:
    table = rows(section(DOCS / "exec-credential.md", "Options"))
    documented = {row[0].strip("`"): row[1].strip("`") for row in table}
    assert documented == {f"--{o.name} {o.metavar}": o.default or "none" for o in OPTIONS}


def test_it_may_stand_after_an_option_of_all_commands(server: EssServer, endpoint: str) -> None:
    hold(server, token="t")
    program = (
        "import sys; from store_plugin.cli._app import cli\n"
        f"cli(['exec-credential', 'A/b', 'c/d', '--endpoint', {endpoint!r}])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert json.loads(ended.stdout)["status"] == {"token": "t"}


# With the real kubectl and the real API server.


def bare(cluster: Cluster, token: str) -> dict[str, str]:
    return {"token": token, "server": cluster.address, "ca.crt": cluster.ca.decode()}


def in_a_kubeconfig(cluster: Cluster, token: str) -> dict[str, str]:
    return {"kubeconfig": yaml.safe_dump(cluster.kubeconfig(token=token))}


@pytest.mark.parametrize(("version", "held"), [("v1", bare), ("v1beta1", in_a_kubeconfig)])
def test_kubectl_gets_in_with_a_secret_of_a_store(
    server: EssServer,
    endpoint: str,
    cluster: Cluster,
    tmp_path: Path,
    version: str,
    held: Callable[[Cluster, str], dict[str, str]],
) -> None:
    namespace = cluster.namespace()
    user = cluster.service_account(namespace, "reader")
    cluster.allow(user, [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}])
    hold(server, **held(cluster, cluster.token(user)))
    command = [PROGRAM, "exec-credential", "VaultConfig/prod", "fleet/{cluster}", "--endpoint", endpoint]
    config = kubeconfig_of(cluster, exec_user(command, version=version), {"cluster": "member"})
    ended = kubectl(tmp_path, config, "get", "namespaces", "-o", "name")
    assert f"namespace/{namespace}" in ended.stdout.split(), ended.stderr
    assert set(asked_of(server)) == {("VaultConfig/prod", "fleet/member")}


def test_the_user_that_the_readme_sets_up_gets_in(
    server: EssServer, endpoint: str, cluster: Cluster, tmp_path: Path
) -> None:
    (command,) = (block for block in blocks(ROOT / "README.md", "console") if "set-credentials" in block)
    program, *arguments = shlex.split(command.removeprefix("$ ").replace("\\\n", ""))
    assert program == "kubectl"
    user = cluster.service_account(cluster.namespace())
    hold(server, **bare(cluster, cluster.token(user)))
    config = kubeconfig_of(cluster, {})
    config["contexts"][0]["context"]["user"] = "fleet"
    environ = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}", "STORE_PLUGIN_ENDPOINT": endpoint}
    made = kubectl(tmp_path, config, *arguments)
    assert made.returncode == 0, made.stderr
    config = yaml.safe_load((tmp_path / "kubeconfig.json").read_text())
    ended = kubectl(tmp_path, config, *WHOAMI, **environ)
    assert ended.stdout == user, ended.stderr
    assert asked_of(server)[-1] == ("VaultConfig/prod", "fleet/member-1")


def beside_a_server(cluster: Cluster, certificate: bytes, key: bytes) -> dict[str, str]:
    said = {"server": cluster.address, "ca.crt": cluster.ca.decode()}
    return {"tls.crt": certificate.decode(), "tls.key": key.decode(), **said}


def of_a_kubeconfigs_user(cluster: Cluster, certificate: bytes, key: bytes) -> dict[str, str]:
    document = cluster.kubeconfig()
    document["users"][0]["user"] = {
        "client-certificate-data": b64encode(certificate).decode(),
        "client-key-data": b64encode(key).decode(),
    }
    return {"kubeconfig": yaml.safe_dump(document)}


Held = Callable[[Cluster, bytes, bytes], dict[str, str]]


@pytest.fixture
def whoami(
    server: EssServer, endpoint: str, cluster: Cluster, tmp_path: Path
) -> Callable[[dict[str, str], str], Ended]:
    """What kubectl is told of who it is, with a secret that holds this."""

    def ask(data: dict[str, str], version: str = "v1") -> Ended:
        hold(server, **data)
        command = [PROGRAM, "exec-credential", "VaultConfig/prod", "fleet/{cluster}", "--endpoint", endpoint]
        config = kubeconfig_of(cluster, exec_user(command, version=version), {"cluster": "member"})
        return kubectl(tmp_path, config, *WHOAMI)

    return ask


@pytest.mark.parametrize(
    ("version", "held"), [("v1", beside_a_server), ("v1beta1", of_a_kubeconfigs_user)], ids=["v1", "v1beta1"]
)
def test_kubectl_logs_in_with_a_client_certificate_of_a_store(
    whoami: Callable[..., Ended], cluster: Cluster, ca: CertificateAuthority, version: str, held: Held
) -> None:
    """Which the API server holds against its authority of clients."""
    ended = whoami(held(cluster, *ca.issue(("ann",), client=True)), version)
    assert ended.stdout == "ann", ended.stderr


def test_a_token_beside_a_client_certificate_is_shown_with_it(
    whoami: Callable[..., Ended], cluster: Cluster, ca: CertificateAuthority
) -> None:
    """The API server looks at the certificate first; without a good one, at the token."""
    user = cluster.service_account(cluster.namespace())
    token = cluster.token(user)
    good, unknown = ca, CertificateAuthority.create("Unknown")
    for issuer, name in ((good, "ann"), (unknown, user)):
        held = beside_a_server(cluster, *issuer.issue(("ann",), client=True))
        assert whoami({**held, "token": token}).stdout == name


@pytest.mark.parametrize("why", ["of another authority", "expired"])
def test_kubectl_is_refused_with_a_client_certificate_that_is_none_for_the_server(
    whoami: Callable[..., Ended], cluster: Cluster, ca: CertificateAuthority, why: str
) -> None:
    issuer = CertificateAuthority.create("Unknown") if why == "of another authority" else ca
    certificate, key = issuer.issue(("ann",), client=True, life=timedelta(days=-1 if why == "expired" else 1))
    ended = whoami(beside_a_server(cluster, certificate, key))
    assert ended.stdout == ""
    assert "Unauthorized" in ended.stderr or "must be logged in" in ended.stderr


def test_kubectl_shows_why_there_is_no_credential(
    server: EssServer, endpoint: str, cluster: Cluster, tmp_path: Path
) -> None:
    hold(server, kubeconfig=yaml.safe_dump(cluster.kubeconfig(token=CANARY)), server=SERVER)
    command = [PROGRAM, "exec-credential", "VaultConfig/prod", "fleet/a", "--endpoint", endpoint]
    config = kubeconfig_of(cluster, exec_user([*command, "--context", "none"]))
    ended = kubectl(tmp_path, config, "get", "namespaces")
    assert "secret fleet/a in VaultConfig/prod: the kubeconfig has no context of the name" in ended.stderr
    assert CANARY not in ended.stderr


@pytest.mark.parametrize("missing", ["pydantic", "yaml", "watchfiles"])
def test_what_a_directory_of_configs_needs_is_told_where_it_is_not_installed(
    tmp_path: Path, missing: str
) -> None:
    start = f"import sys; sys.modules[{missing!r}] = None; from store_plugin.cli import main; main()"
    arguments = ["exec-credential", "LocalConfig/a", "fleet/a", "--config-dir", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-c", start, *arguments], env={}, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    told = (
        f"store-plugin exec-credential: --config-dir needs the module {missing!r}: pip install 'store-plugin["
    )
    assert ended.stderr.startswith(told)
