"""Secrets of a fleet's member as a store: from the config of the hub to the member's API server."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import yaml
from click.testing import CliRunner, Result

from store_plugin.access import AccessConfig
from store_plugin.access.members import FleetMembers, FleetOptions
from store_plugin.cli._app import cli
from store_plugin.client import Client
from store_plugin.cluster import connected
from store_plugin.errors import (
    ConfigInvalid,
    DeadlineExceeded,
    LoginRefused,
    PluginUntrusted,
    StoreDenied,
    StoreUnavailable,
)
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.store import Store
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.kubernetes import KubernetesFactory
from stores.kubernetes.spec import KubernetesSpec
from tests.docs.pages import DOCS, blocks
from tests.support import manifests
from tests.support.exec_plugins import ExecPlugin, access_file, provider
from tests.support.fleet import apply_profile
from tests.support.kubernetes import Cluster
from tests.support.processes import alive
from tests.support.sidecar import PROGRAM, running_sidecar
from tests.support.waiting import eventually

SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}]
CANARY = "canary-6ce9"
VALUE = b"canary-6cea"


class Place:
    """A namespace of the hub with profiles, one of the member with secrets, and who may use them."""

    def __init__(self, hub: Cluster, member: Cluster, directory: Path) -> None:
        self.hub, self.member, self.directory = hub, member, directory
        self.namespace, self.team = hub.namespace(), member.namespace()
        self.plugin = ExecPlugin(directory)
        self.hub_file = str(directory / "hub")
        Path(self.hub_file).write_text(yaml.safe_dump(hub.kubeconfig()))

    def user(self) -> str:
        """A new user of the member."""
        user = self.member.service_account(self.team, f"user-{uuid4().hex[:8]}")
        self.member.allow(user, SECRETS, self.team)
        return user

    def apply(self, name: str = "member", **fields: Any) -> None:
        apply_profile(self.hub, self.member, self.namespace, name, **fields)

    def spec(self, name: str = "member") -> dict[str, Any]:
        return {"clusterProfileRef": {"namespace": self.namespace, "name": name}}

    @property
    def name(self) -> ScopedName:
        return ScopedName.parse(f"{self.team}/db")

    def held(self) -> dict[str, bytes]:
        """What the member's Secret holds."""
        found = self.member.api("GET", f"/api/v1/namespaces/{self.team}/secrets/db")
        return {key: b64decode(value) for key, value in found["data"].items()}

    @asynccontextmanager
    async def store(self, profile: str = "member", **options: Any) -> AsyncIterator[Store]:
        """The store, opened as a sidecar would."""
        options = {"timeout": 20.0, **options}
        file = access_file(self.directory, provider(self.plugin.path))
        access = AccessConfig.from_file(file, **options)
        fleet = FleetMembers(access, lambda: connected(self.directory / "hub"))
        environment = memory_environment(
            MemoryCredentials({}), None, "KubernetesStoreConfig/member", fleet=fleet
        )
        spec = KubernetesSpec.model_validate(self.spec(profile))
        store = await KubernetesFactory().open(spec, environment)
        try:
            yield store
        finally:
            await store.aclose()
            await fleet.aclose()


@pytest.fixture
def place(hub: Cluster, member: Cluster, tmp_path: Path) -> Iterator[Place]:
    made = Place(hub, member, tmp_path)
    yield made
    hub.api("DELETE", f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{made.namespace}/clusterprofiles")


async def test_secrets_of_a_member_are_a_store(place: Place) -> None:
    place.apply()
    place.plugin.answers(place.member.token(place.user()))
    async with place.store() as store:
        assert await store.read(place.name) == ABSENT
        await store.write(place.name, Secret({"password": b"s3cret"}), base=ABSENT)
        found = await store.read(place.name)
        assert found.secret.data == place.held() == {"password": b"s3cret"}
        await store.delete(place.name, base=found)
        assert await store.read(place.name) == ABSENT
        assert await store.check() != []
    assert place.plugin.runs == 1


async def test_a_refused_credential_is_renewed_within_the_call(place: Place) -> None:
    place.apply()
    place.plugin.answers(CANARY)
    outdated = (place.directory / "plugin.answer").rename(place.directory / "outdated")
    place.plugin = ExecPlugin(
        place.directory,
        body=f'[ "$(wc -l < "$0.runs")" = 1 ] && cat {outdated} || cat {place.directory}/plugin.answer\n',
    )
    place.plugin.answers(place.member.token(place.user()))
    async with place.store() as store:
        assert [await store.read(place.name) for _ in range(3)] == [ABSENT] * 3
    assert place.plugin.runs == 2


async def test_many_calls_wait_for_one_run(place: Place) -> None:
    place.apply()
    place.plugin.answers(place.member.token(place.user()))
    async with place.store() as store:
        await asyncio.gather(*(store.read(place.name) for _ in range(100)))
    assert place.plugin.runs == 1


async def test_a_profile_that_moves_is_followed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stores.kubernetes.profile.LOOK_SECONDS", 0.0)
    place.apply(server="https://127.0.0.1:1")
    place.plugin.answers(place.member.token(place.user()))
    async with place.store() as store:
        with pytest.raises(StoreUnavailable, match="gave no answer"):
            await store.read(place.name)
        place.apply()
        assert await store.read(place.name) == ABSENT


Break = Callable[[Place], None]


def body(text: str) -> Break:
    def write(place: Place) -> None:
        place.plugin = ExecPlugin(place.directory, body=text)

    return write


def gone(place: Place) -> None:
    place.plugin.path.unlink()


def not_executable(place: Place) -> None:
    place.plugin.path.chmod(0o600)


def refused(place: Place) -> None:
    place.plugin.answers(CANARY)


hanging = body("sleep 600\n")
BROKEN: dict[str, tuple[Break, type[Exception], str]] = {
    "missing": (gone, ConfigInvalid, "is not there"),
    "not executable": (not_executable, ConfigInvalid, "is not executable"),
    "hanging": (hanging, StoreUnavailable, "no answer within"),
    "crashing": (body(f"echo {CANARY} >&2; kill -SEGV $$\n"), StoreUnavailable, "was ended by SIGSEGV"),
    "failing": (body(f"echo {CANARY}; exit 3\n"), LoginRefused, "failed with exit code 3"),
    "printing garbage": (body(f"echo {CANARY}\n"), ConfigInvalid, "does not answer as one"),
    "printing 10 MB": (body("head -c 10000000 /dev/zero\n"), ConfigInvalid, "prints more than"),
    "refused by the member": (refused, LoginRefused, "the API server answers: Unauthorized"),
}


@pytest.mark.parametrize(("breaks", "error", "told"), BROKEN.values(), ids=BROKEN)
async def test_a_plugin_that_fails_is_told_as_what_it_is(
    place: Place, breaks: Break, error: type[Exception], told: str
) -> None:
    place.apply()
    breaks(place)
    async with place.store(timeout=1.0 if breaks is hanging else 20.0) as store:
        with pytest.raises(error, match=told) as caught:
            await store.read(place.name)
    assert CANARY not in repr(caught.value)


async def test_a_sidecar_gives_a_plugin_the_time_that_others_do(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a check does not find good what the sidecar cannot use."""
    monkeypatch.setattr("store_plugin.access.config.TIMEOUT", 0.5)
    place.apply()
    hanging(place)
    file = access_file(place.directory, provider(place.plugin.path))
    fleet = FleetMembers.of(FleetOptions(file, kubeconfig=Path(place.hub_file)))
    found = await fleet.member(place.namespace, "member")
    async with found.connect() as api:
        with pytest.raises(StoreUnavailable, match=r"gave no answer within 0\.5 s"):
            await api.call_api("GET", f"{place.member.address}/version")
    await fleet.aclose()


async def test_an_executable_that_nobody_vouched_for_is_not_run(place: Place) -> None:
    place.apply()
    async with place.store(require_digest=True) as store:
        with pytest.raises(PluginUntrusted, match="a digest is demanded"):
            await store.read(place.name)
    assert place.plugin.runs == 0


async def test_profiles_that_cannot_be_used_are_told(place: Place) -> None:
    async with place.store("nobody") as store:
        with pytest.raises(ConfigInvalid, match=f"no ClusterProfile {place.namespace}/nobody"):
            await store.read(place.name)
    place.apply("other", provider="of-others")
    async with place.store("other") as store:
        with pytest.raises(ConfigInvalid, match="names 'of-others', the access config has 'tests'"):
            await store.read(place.name)


async def test_the_documented_right_is_all_it_takes(place: Place) -> None:
    place.apply()
    place.plugin.answers(place.member.token(place.user()))
    user = place.hub.service_account(place.namespace)
    document = yaml.safe_dump(place.hub.kubeconfig(token=place.hub.token(user)))
    Path(place.hub_file).write_text(document)
    async with place.store() as store:
        with pytest.raises(StoreDenied, match="clusterprofiles"):
            await store.read(place.name)
    (role,) = [
        block for block in blocks(DOCS / "stores" / "kubernetes.md", "yaml") if "kind: Role\n" in block
    ]
    place.hub.allow(user, yaml.safe_load(role)["rules"], place.namespace)
    async with place.store() as store:
        assert await store.read(place.name) == ABSENT


async def test_a_hub_that_is_away_is_told(place: Place) -> None:
    away = place.hub.kubeconfig()
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (place.directory / "hub").write_text(yaml.safe_dump(away))
    async with place.store() as store:
        with pytest.raises(StoreUnavailable):
            await store.read(place.name)


def test_an_access_config_that_cannot_be_used_is_told_at_once(place: Place) -> None:
    (place.directory / "broken.yaml").write_text("providers: 3")
    with pytest.raises(ConfigInvalid, match=r"broken\.yaml:1"):
        FleetMembers.of(FleetOptions(place.directory / "broken.yaml"))


# The whole of it: a sidecar whose one store has the credential for the other.


@pytest.fixture
def configs(place: Place) -> Path:
    """A KubernetesStoreConfig of the member, and a LocalConfig that holds credentials."""
    directory = place.directory / "configs"
    directory.mkdir()
    manifests.local(directory, "files", place.directory)
    manifests.write(directory, "KubernetesStoreConfig", "member", place.spec())
    return directory


def providers(place: Place, endpoint: str) -> list[str]:
    """Options of a sidecar whose exec plugin asks itself."""
    name = "{profile.namespace}/{cluster}"
    arguments = ["exec-credential", "LocalConfig/files", name, "--endpoint", endpoint]
    file = access_file(place.directory, provider(PROGRAM, args=arguments, provideClusterInfo=True))
    return ["--access-config", str(file), "--kubeconfig", place.hub_file]


def credential_of(place: Place, token: str) -> dict[str, bytes]:
    return {"token": token.encode(), "server": place.member.address.encode(), "ca.crt": place.member.ca}


def test_a_sidecar_reaches_the_member_with_a_credential_of_its_own_store(place: Place, configs: Path) -> None:
    endpoint = f"unix://{place.directory}/ess.sock"
    place.apply(extensions={"client.authentication.k8s.io/exec": {"cluster": "member"}})
    token = place.member.token(place.user())
    others = {"token": CANARY.encode(), **of_the_member(place)}
    with (
        running_sidecar(configs, *providers(place, endpoint), listen=[endpoint]) as sidecar,
        Client(endpoint) as client,
    ):
        client.apply("LocalConfig/files", f"{place.team}/member", others)
        with pytest.raises(LoginRefused):
            client.get("KubernetesStoreConfig/member", str(place.name))
        own = {"token": token.encode(), **of_the_member(place)}
        client.apply("LocalConfig/files", f"{place.namespace}/member", own)
        eventually(lambda: publishes(client, place))
        log = sidecar.log
    assert place.held() == {"password": VALUE}
    assert f"there is no secret {place.namespace}/member in LocalConfig/files" in log
    for secret in (token, CANARY, VALUE.decode()):
        assert secret not in log


def of_the_member(place: Place) -> dict[str, bytes]:
    """What a credential says of its cluster."""
    return {"server": place.member.address.encode(), "ca.crt": place.member.ca}


def publishes(client: Client, place: Place) -> bool:
    """A failed login is remembered for a second."""
    try:
        return client.apply("KubernetesStoreConfig/member", place.name, {"password": VALUE}).changed
    except LoginRefused:
        return False


def waits_in_vain(client: Client, place: Place) -> bool:
    with pytest.raises((DeadlineExceeded, StoreUnavailable)):
        client.get("KubernetesStoreConfig/member", place.name, timeout=0.5)
    return True


def test_a_plugin_that_hangs_holds_up_neither_other_stores_nor_the_end(place: Place, configs: Path) -> None:
    place.apply()
    place.plugin = ExecPlugin(place.directory, body="sleep 600\n")
    file = access_file(place.directory, provider(place.plugin.path))
    options = ["--access-config", str(file), "--kubeconfig", place.hub_file]
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint) as client:
        eventually(lambda: waits_in_vain(client, place) and place.plugin.runs)
        started = psutil.Process(sidecar.pid).children(recursive=True)
        assert client.apply("LocalConfig/files", "team-a/db", {"password": VALUE}).changed
        assert sidecar.stop() == 0
    assert started
    # Each was killed, and a process that another one has started ends when its turn comes.
    eventually(lambda: not any(alive(process.pid) for process in started))


def check(place: Place, configs: Path, *options: str) -> Result:
    arguments = ["config", "check", str(configs), "--connect", "--kubeconfig", place.hub_file]
    return CliRunner().invoke(cli, [*arguments, *options])


def test_a_check_logs_in_to_the_member(place: Place, configs: Path) -> None:
    place.apply()
    place.plugin.answers(place.member.token(place.user()))
    file = access_file(place.directory, provider(place.plugin.path))
    checked = check(place, configs, "--access-config", str(file))
    assert "ok      KubernetesStoreConfig/member" in checked.output
    assert "error" not in checked.output.replace("0 errors", "")
    without = check(place, configs)
    assert "KubernetesStoreConfig/member: clusterProfileRef needs an access config" in without.output
    assert without.exit_code == 1


def test_a_check_runs_only_what_the_sidecar_would(
    place: Place, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply()
    file = access_file(place.directory, provider(place.plugin.path))
    monkeypatch.setenv("STORE_PLUGIN_ACCESS_CONFIG", str(file))
    monkeypatch.setenv("STORE_PLUGIN_ACCESS_REQUIRE_DIGEST", "1")
    checked = [
        check(place, configs),
        CliRunner().invoke(cli, ["access", "check", "--kubeconfig", place.hub_file]),
    ]
    for one in checked:
        assert "a digest is demanded" in " ".join(one.output.split())
        assert one.exit_code == 1
    assert place.plugin.runs == 0
