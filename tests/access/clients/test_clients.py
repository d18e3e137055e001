"""Clients of both kinds against a real API server, logged in with what a plugin gives."""

import asyncio
import copy
import gc
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes.aio.client
import kubernetes.client
import psutil
import pytest
from cryptography.hazmat.primitives import serialization

from store_plugin.access import AccessConfig
from store_plugin.access.exec_credential import API_VERSIONS, ExecStatus, status_text
from store_plugin.errors import ConfigInvalid, LoginRefused, StoreUnavailable
from tests.support.certificates import CertificateAuthority
from tests.support.connect_proxy import connect_proxy
from tests.support.exec_plugins import ExecPlugin, access_file, profile, provider
from tests.support.http_answer import answering
from tests.support.kubernetes import Cluster
from tests.support.waiting import eventually

ALLOWED = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]


class Fleet:
    """A cluster, a plugin for it, and the consumer's side."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.plugin = ExecPlugin(directory)
        namespace = cluster.namespace()
        self.user = cluster.service_account(namespace)
        cluster.allow(self.user, ALLOWED)
        self.access = AccessConfig.from_file(access_file(directory, provider(self.plugin.path)))

    def profile(self, **cluster: Any) -> dict[str, Any]:
        ca = b64encode(self.cluster.ca).decode()
        return profile(**{"server": self.cluster.address, "certificate-authority-data": ca, **cluster})

    def good(self, **fields: Any) -> None:
        self.plugin.answers(self.cluster.token(self.user), **fields)


@pytest.fixture
def fleet(cluster: Cluster, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(cluster, tmp_path)
    with made.access:
        yield made


Names = Callable[[Fleet, dict[str, Any]], list[str]]


def plainly(fleet: Fleet, found: dict[str, Any]) -> list[str]:
    with kubernetes.client.ApiClient(fleet.access.build_config(found)) as api:
        return names(kubernetes.client.CoreV1Api(api).list_namespace())


def connected(fleet: Fleet, found: dict[str, Any]) -> list[str]:
    with fleet.access.connect(found) as api:
        return names(kubernetes.client.CoreV1Api(api).list_namespace())


def plainly_aio(fleet: Fleet, found: dict[str, Any]) -> list[str]:
    async def ask() -> list[str]:
        async with kubernetes.aio.client.ApiClient(fleet.access.build_aio_config(found)) as api:
            return names(await kubernetes.aio.client.CoreV1Api(api).list_namespace())

    return asyncio.run(ask())


def connected_aio(fleet: Fleet, found: dict[str, Any]) -> list[str]:
    async def ask() -> list[str]:
        async with fleet.access.connect_aio(found) as api:
            return names(await kubernetes.aio.client.CoreV1Api(api).list_namespace())

    return asyncio.run(ask())


def names(listed: Any) -> list[str]:
    return [item.metadata.name for item in listed.items]


CLIENTS = pytest.mark.parametrize("ask", [plainly, connected, plainly_aio, connected_aio])
CONNECTED = pytest.mark.parametrize("ask", [connected, connected_aio])
REFUSALS = (kubernetes.client.ApiException, kubernetes.aio.client.ApiException)


@CLIENTS
def test_a_token_opens_the_cluster(fleet: Fleet, ask: Names) -> None:
    fleet.good()
    assert "kube-system" in ask(fleet, fleet.profile())
    ask(fleet, fleet.profile())
    assert fleet.plugin.runs == 1


@CLIENTS
def test_an_expired_token_is_replaced(fleet: Fleet, ask: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.good(lasts=timedelta(hours=1))
    ask(fleet, fleet.profile())
    fleet.good()
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(fleet.access.member(fleet.profile()).login, "_now", lambda: in_an_hour)
    assert "kube-system" in ask(fleet, fleet.profile())
    assert fleet.plugin.runs == 2


@pytest.mark.parametrize("ask", [plainly, plainly_aio])
def test_after_a_refusal_the_next_request_has_a_new_token(fleet: Fleet, ask: Names) -> None:
    """As in client-go, which does not send a refused request again either."""
    fleet.plugin.answers("revoked")
    with pytest.raises(REFUSALS) as caught:
        ask(fleet, fleet.profile())
    assert caught.value.status == 401  # type: ignore[attr-defined]
    fleet.good()
    assert "kube-system" in ask(fleet, fleet.profile())


@CONNECTED
def test_a_request_that_was_refused_is_sent_again_with_a_new_token(fleet: Fleet, ask: Names) -> None:
    fleet.plugin.answers("revoked")
    with pytest.raises(REFUSALS):
        ask(fleet, fleet.profile())  # both tries have the revoked one
    assert fleet.plugin.runs == 2
    fleet.good()
    fleet.access.close()
    with AccessConfig(fleet.access.providers) as fleet.access:
        fleet.plugin.answers("revoked")
        fleet.access.member(fleet.profile()).login.current()
        fleet.good()
        assert "kube-system" in ask(fleet, fleet.profile())
    assert fleet.plugin.runs == 4


@CONNECTED
def test_a_body_is_sent_again_too(fleet: Fleet, ask: Names) -> None:
    fleet.plugin.answers("revoked")
    fleet.access.member(fleet.profile()).login.current()
    fleet.good()
    review = {"spec": {"resourceAttributes": {"resource": "namespaces", "verb": "list"}}}
    if ask is connected:
        with fleet.access.connect(fleet.profile()) as api:
            answer = kubernetes.client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    else:

        async def create() -> Any:
            async with fleet.access.connect_aio(fleet.profile()) as api:
                authorization = kubernetes.aio.client.AuthorizationV1Api(api)
                return await authorization.create_self_subject_access_review(review)

        answer = asyncio.run(create())
    assert answer.status.allowed


@CLIENTS
def test_a_plugin_may_be_any_program_that_prints_a_credential(
    fleet: Fleet, ask: Names, tmp_path: Path
) -> None:
    answer = tmp_path / "credential.json"
    token = fleet.cluster.token(fleet.user)
    answer.write_text(status_text(API_VERSIONS[0], ExecStatus(token)))
    with AccessConfig.from_file(access_file(tmp_path, provider("cat", args=[str(answer)]))) as fleet.access:
        assert "kube-system" in ask(fleet, fleet.profile())


@CONNECTED
def test_a_client_certificate_opens_the_cluster_and_is_renewed(
    fleet: Fleet, ask: Names, ca: CertificateAuthority
) -> None:
    binding = fleet.cluster.allow(fleet.user, ALLOWED)
    role = fleet.cluster.api("GET", binding)
    for person in ("ann", "bob"):
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person}
        fleet.cluster.api(
            "POST",
            binding.rsplit("/", 1)[0],
            {"metadata": {"generateName": "x-"}, "roleRef": role["roleRef"], "subjects": [subject]},
        )
        fleet.cluster.await_rights(person, ALLOWED)
    login = fleet.access.member(fleet.profile()).login
    requests = []
    for person in ("ann", "bob"):
        certificate, key = ca.issue((person,), client=True)
        fleet.plugin.answers(certificate=certificate, key=key)
        with fleet.cluster.recorded() as seen:
            assert "kube-system" in ask(fleet, fleet.profile())
        requests += [request.user for request in seen if request.user in ("ann", "bob")]
        login.refused(login.current())
    assert requests == ["ann", "bob"]


def test_one_client_goes_over_to_a_renewed_certificate(fleet: Fleet, ca: CertificateAuthority) -> None:
    """Connections that were opened with the old one are not used again."""
    login = fleet.access.member(fleet.profile()).login

    def shown(person: str) -> None:
        certificate, key = ca.issue((person,), client=True)
        fleet.plugin.answers(certificate=certificate, key=key)
        if login.known:
            login.refused(login.current())

    async def who(api: Any) -> str:
        review = await kubernetes.aio.client.AuthenticationV1Api(api).create_self_subject_review({})
        return str(review.status.user_info.username)

    async def both() -> list[str]:
        async with fleet.access.connect_aio(fleet.profile()) as api:
            shown("ann")
            first = [await who(api), await who(api)]
            await asyncio.to_thread(shown, "bob")
            return [*first, await who(api)]

    assert asyncio.run(both()) == ["ann", "ann", "bob"]
    with AccessConfig(fleet.access.providers) as fresh, fresh.connect(fleet.profile()) as api:
        login = fresh.member(fleet.profile()).login
        ask = kubernetes.client.AuthenticationV1Api(api).create_self_subject_review
        shown("cid")
        assert ask({}).status.user_info.username == "cid"
        shown("dan")
        assert ask({}).status.user_info.username == "dan"


def test_certificates_are_gone_with_the_access_config(fleet: Fleet, ca: CertificateAuthority) -> None:
    certificate, key = ca.issue(("ann",), client=True)
    fleet.plugin.answers(certificate=certificate, key=key)
    member = fleet.access.member(fleet.profile())
    path = member.certificate_file(member.login.current())
    assert path.stat().st_mode & 0o777 == 0o600
    fleet.access.close()
    assert not path.exists()


@CONNECTED
@pytest.mark.parametrize("encrypted", [False, True], ids=["another-key", "encrypted-key"])
def test_a_certificate_and_a_key_that_are_no_pair_are_told(
    fleet: Fleet, ask: Names, ca: CertificateAuthority, encrypted: bool
) -> None:
    """Nor is anybody asked for a password."""
    certificate, key = ca.issue(("ann",), client=True)
    if encrypted:
        protection = serialization.BestAvailableEncryption(b"secret")
        loaded = serialization.load_pem_private_key(key, None)
        key = loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    else:
        _, key = ca.issue(("bob",), client=True)
    fleet.plugin.answers(certificate=certificate, key=key)
    with pytest.raises(ConfigInvalid, match="no pair in PEM"):
        ask(fleet, fleet.profile())


@pytest.mark.parametrize("ask", [plainly, plainly_aio])
def test_a_plain_client_says_what_to_do_with_a_certificate(fleet: Fleet, ask: Names) -> None:
    fleet.plugin.answers(certificate=b"c", key=b"k")
    with pytest.raises(ConfigInvalid, match=r"AccessConfig\.connect"):
        ask(fleet, fleet.profile())


@CLIENTS
def test_what_the_plugin_fails_with_reaches_the_caller(fleet: Fleet, ask: Names) -> None:
    fleet.plugin.path.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(LoginRefused, match="exit code 3"):
        ask(fleet, fleet.profile())


@CLIENTS
def test_the_name_in_the_servers_certificate_is_the_profiles(fleet: Fleet, ask: Names) -> None:
    fleet.good()
    assert ask(fleet, fleet.profile(**{"tls-server-name": "kubernetes.default.svc"}))
    with pytest.raises(Exception, match=r"(?i)certificate|hostname|ssl"):
        ask(fleet, fleet.profile(**{"tls-server-name": "elsewhere.example.org"}))


@CLIENTS
def test_the_authority_is_the_profiles_unless_it_says_to_skip_it(fleet: Fleet, ask: Names) -> None:
    fleet.good()
    other = b64encode(CertificateAuthority.create("Other").pem).decode()
    with pytest.raises(Exception, match=r"(?i)certificate"):
        ask(fleet, fleet.profile(**{"certificate-authority-data": other}))
    skipping = {"certificate-authority-data": "", "insecure-skip-tls-verify": True}
    assert ask(fleet, fleet.profile(**skipping))


def test_a_proxy_and_compression_are_the_profiles(fleet: Fleet) -> None:
    found = fleet.profile(**{"proxy-url": "http://proxy:3128", "disable-compression": True})
    assert fleet.access.build_config(found).proxy == "http://proxy:3128"
    made = fleet.access.build_aio_config(found)
    assert made.proxy == "http://proxy:3128"
    assert made.client_session_kwargs == {"headers": {"Accept-Encoding": "identity"}}
    with pytest.raises(ConfigInvalid, match="proxy-url is of a kind"):
        fleet.access.build_config(fleet.profile(**{"proxy-url": "socks5://proxy:1080"}))


@CLIENTS
def test_a_proxy_is_shown_the_credentials_of_its_address(fleet: Fleet, ask: Names) -> None:
    fleet.good()
    with connect_proxy("fleet:p@ss:wörd") as proxy:
        address = f"http://fleet:p%40ss%3Aw%C3%B6rd@{proxy.address}"
        assert "kube-system" in ask(fleet, fleet.profile(**{"proxy-url": address}))
        assert set(proxy.tunnels) == {fleet.cluster.address.removeprefix("https://")}
        assert proxy.refused == 0
        with pytest.raises(Exception, match=r"407|(?i:tunnel connection failed)"):
            ask(fleet, fleet.profile(**{"proxy-url": f"http://fleet:other@{proxy.address}"}))
        assert proxy.refused


def test_a_hundred_users_of_a_cluster_need_one_run(fleet: Fleet) -> None:
    token = fleet.cluster.token(fleet.user)
    fleet.plugin.answers(token)

    async def coroutines() -> list[list[str]]:
        async with fleet.access.connect_aio(fleet.profile()) as api:
            core = kubernetes.aio.client.CoreV1Api(api)
            return [
                names(found) for found in await asyncio.gather(*(core.list_namespace() for _ in range(50)))
            ]

    with ThreadPoolExecutor(51) as threads:
        found = [threads.submit(plainly, fleet, fleet.profile()) for _ in range(50)]
        beside = threads.submit(asyncio.run, coroutines())
        assert all("kube-system" in one.result() for one in found)
        assert all("kube-system" in one for one in beside.result())
    assert fleet.plugin.runs == 1


def test_a_hundred_refusals_need_one_more_run(fleet: Fleet) -> None:
    fleet.plugin.answers("revoked")
    fleet.access.member(fleet.profile()).login.current()
    fleet.good()

    async def ask() -> list[Any]:
        async with fleet.access.connect_aio(fleet.profile()) as api:
            core = kubernetes.aio.client.CoreV1Api(api)
            return await asyncio.gather(*(core.list_namespace() for _ in range(100)))

    assert all("kube-system" in names(found) for found in asyncio.run(ask()))
    assert fleet.plugin.runs == 2


def test_a_copied_configuration_logs_in_as_the_one_it_was_copied_from(fleet: Fleet) -> None:
    fleet.good()
    made, of_aio = fleet.access.build_config(fleet.profile()), fleet.access.build_aio_config(fleet.profile())
    with kubernetes.client.ApiClient(copy.deepcopy(made)) as api:
        assert names(kubernetes.client.CoreV1Api(api).list_namespace())

    async def ask(configuration: Any) -> Any:
        async with kubernetes.aio.client.ApiClient(configuration) as api:
            return await kubernetes.aio.client.CoreV1Api(api).list_namespace()

    assert names(asyncio.run(ask(copy.deepcopy(of_aio))))
    assert fleet.plugin.runs == 1


async def test_a_plugin_that_hangs_stops_nobody_elses_loop(fleet: Fleet, tmp_path: Path) -> None:
    release = tmp_path / "release"
    fleet.plugin.path.write_text(f"#!/bin/sh\nwhile [ ! -e {release} ]; do sleep 0.02; done; exit 1\n")
    async with fleet.access.connect_aio(fleet.profile()) as api:
        asking: Awaitable[Any] = kubernetes.aio.client.CoreV1Api(api).list_namespace()
        task = asyncio.ensure_future(asking)
        for _ in range(5):
            await asyncio.sleep(0)  # it goes on
        assert not task.done()
        release.touch()
        with pytest.raises(LoginRefused):
            await task


def test_what_is_forgotten_first_was_used_longest_ago(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store_plugin.access.config.MOST_LOGINS", 2)
    logins = {name: fleet.access.member(profile(name)).login for name in "ab"}
    assert fleet.access.member(profile("a")).login is logins["a"]
    fleet.access.member(profile("c"))
    assert fleet.access.member(profile("a")).login is logins["a"]
    assert fleet.access.member(profile("b")).login is not logins["b"]


@pytest.mark.parametrize("kept", [True, False], ids=["in use", "left"])
def test_a_certificate_stays_for_as_long_as_there_is_a_client_of_it(
    fleet: Fleet, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """Although its login was forgotten meanwhile: the client's next connection takes the file again."""
    monkeypatch.setattr("store_plugin.access.config.MOST_LOGINS", 1)
    certificate, key = ca.issue(("ann",), client=True)
    fleet.plugin.answers(certificate=certificate, key=key)
    with fleet.access.connect(fleet.profile()) as api:
        ask = kubernetes.client.AuthenticationV1Api(api).create_self_subject_review
        assert ask({}).status.user_info.username == "ann"
        path = Path(api.configuration.cert_file)
        fleet.access.member(profile("another"))
        if kept:
            api.rest_client.pool_manager.clear()
            assert ask({}).status.user_info.username == "ann"
    assert path.exists()
    del ask, api
    gc.collect()
    assert not path.exists()


def test_closing_ends_the_plugin_that_somebody_waits_for(fleet: Fleet, tmp_path: Path) -> None:
    fleet.plugin.path.write_text(
        f"#!/bin/sh\necho $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid\nexec sleep 600\n"
    )
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(connected, fleet, fleet.profile())
        eventually((tmp_path / "pid").exists)
        fleet.access.close()
        with pytest.raises(StoreUnavailable, match="the access config was closed"):
            waiting.result(20)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not psutil.pid_exists(pid))
    with pytest.raises(StoreUnavailable, match="closed"):
        fleet.access.member(profile("another")).login.current()


def test_what_is_sent_by_other_means_is_logged_in_too(fleet: Fleet) -> None:
    """`kubernetes.stream` sends what the client has prepared over a websocket of its own."""
    fleet.good()
    with fleet.access.connect(fleet.profile()) as api:
        prepared = api.param_serialize("GET", "/api/v1/namespaces", auth_settings=["BearerToken"])
        answer = kubernetes.client.ApiClient.call_api(api, *prepared)
    assert answer.status == 200


@CLIENTS
def test_a_server_that_sends_elsewhere_is_not_followed(
    fleet: Fleet, ask: Names, ca: CertificateAuthority, tmp_path: Path
) -> None:
    """In the clear, and to whatever address: a profile may say https only, and so may its server."""
    fleet.good()
    with answering(b"200 OK") as elsewhere:
        location = f"302 Found\r\nLocation: http://127.0.0.1:{elsewhere.port}/".encode()
        with answering(location, ca.server("127.0.0.1").write(tmp_path / "tls")) as server:
            address = f"https://127.0.0.1:{server.port}"
            found = fleet.profile(
                server=address, **{"certificate-authority-data": b64encode(ca.pem).decode()}
            )
            with pytest.raises((*REFUSALS, aiohttp.ClientError)):
                ask(fleet, found)
            assert server.requests == 1
        assert elsewhere.requests == 0
