"""ServiceAccount tokens, reviewed by a real API server."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from store_plugin.hub.access import HubAccess, HubAuth
from store_plugin.hub.authentication.allowing import AllowRule
from store_plugin.hub.authentication.tokenreview import DEFAULT_AUDIENCE
from store_plugin.hub.events import EventKind
from store_plugin.hub.settings import HubSettings
from tests.hub.authentication.cluster import for_hub, kubeconfig, registering, reviewer, signed_token
from tests.hub.authentication.conftest import OpenHub, Visit, WatchedHub
from tests.hub.conftest import FOR_EVER
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import Cluster
from tests.support.ports import free_port
from tests.support.proxy import Proxy
from tests.support.waiting import eventually, until

SHORT = HubSettings(heartbeat_interval=0.1, missed_heartbeats=FOR_EVER, max_stream_age=0.5, drain_grace=1.0)
"""Streams that are soon old."""


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-tests/hub-{uuid4().hex}"


@dataclass(frozen=True)
class House:
    """A namespace with a hub's ServiceAccount, and one that may register `vault`."""

    cluster: Cluster
    namespace: str
    hub: str
    plugin: str
    access: HubAccess

    def token(self) -> str:
        return for_hub(self.cluster, self.plugin)


@pytest.fixture
def house(cluster: Cluster, tmp_path: Path) -> House:
    namespace = cluster.namespace()
    hub, plugin = reviewer(cluster, namespace), cluster.service_account(namespace, "vault")
    cluster.allow(plugin, [registering("vault")], namespace)
    file = kubeconfig(cluster, hub, tmp_path / "kubeconfig")
    access = HubAccess(auth=HubAuth.TOKENREVIEW, kubeconfig=file, namespace=namespace)
    return House(cluster, namespace, hub, plugin, access)


def generation(watched: WatchedHub) -> int:
    return max((entry.generation for entry in watched.hub.registry.entries()), default=0)


@pytest.mark.usefixtures("unhurried")
async def test_a_plugin_comes_in_as_its_service_account(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(endpoint, house.access)
    with house.cluster.recorded(house.hub) as requests:
        await visit("vault", endpoint, token=house.token())
        await until(hub.hub.registry.entries)
        assert await hub.say("vault", b"hello") == b"hello"
    (entry,) = hub.hub.registry.entries()
    assert entry.peer.identity.user == house.plugin
    assert f"system:serviceaccounts:{house.namespace}" in entry.peer.identity.groups
    # The token was shown twice, at the door and with the stream.
    asked = [request.resource for request in requests]
    assert sorted(asked) == ["subjectaccessreviews", "tokenreviews"]


async def test_over_tcp_the_token_travels_in_tls(
    house: House, tmp_path: Path, ca: CertificateAuthority, open_hub: OpenHub, visit: Visit
) -> None:
    address = f"127.0.0.1:{free_port()}"
    certs = ca.server().write(tmp_path / "certs")
    access = HubAccess(
        auth=HubAuth.TOKENREVIEW,
        kubeconfig=house.access.kubeconfig,
        namespace=house.namespace,
        certs_dir=certs,
    )
    hub = await open_hub(address, access)
    await visit("vault", f"https://{address}", token=house.token(), ca=certs / "ca.crt")
    await until(hub.hub.registry.entries)


async def test_a_token_counts_until_its_end(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    """What the table below has as ended differs in nothing but its end."""
    hub = await open_hub(endpoint, house.access)
    await visit("vault", endpoint, token=signed_token(house.cluster, house.plugin, ends_in=600))
    await until(hub.hub.registry.entries)


def _of_an_account_that_is_gone(house: House) -> str:
    user = house.cluster.service_account(house.namespace, "gone")
    token = for_hub(house.cluster, user)
    house.cluster.api("DELETE", f"/api/v1/namespaces/{house.namespace}/serviceaccounts/gone")
    # It looks for accounts in a copy of its own, and keeps what it found for ten seconds.
    eventually(lambda: not _is_known(house, token), within=40)
    return token


def _is_known(house: House, token: str) -> bool:
    review = {"spec": {"token": token, "audiences": [DEFAULT_AUDIENCE]}}
    answer = house.cluster.api("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    return bool(answer["status"].get("authenticated"))


@pytest.mark.parametrize(
    ("token", "why"),
    [
        pytest.param(lambda house: None, "needs a token", id="none"),
        pytest.param(lambda house: "nonsense", "not valid here", id="no token at all"),
        pytest.param(lambda house: house.cluster.token(house.plugin), "audience", id="the API server's own"),
        pytest.param(
            lambda house: house.cluster.token(house.plugin, "another-hub"), "audience", id="another's"
        ),
        pytest.param(
            lambda house: signed_token(house.cluster, house.plugin, ends_in=-600), "ended", id="ended"
        ),
        pytest.param(lambda house: house.token()[:-8] + "AAAAAAAA", "not valid", id="forged"),
        pytest.param(_of_an_account_that_is_gone, "is gone", id="of an account that is gone"),
    ],
)
async def test_who_has_no_good_token_is_unknown(
    token: Callable[[House], str | None],
    why: str,
    house: House,
    endpoint: str,
    open_hub: OpenHub,
    visit: Visit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = token(house)
    hub = await open_hub(endpoint, house.access)
    guest = await visit("vault", endpoint, token=shown)
    told = await guest.refused()
    assert why in told
    await until(lambda: any(why in event.why for event in hub.told(EventKind.REFUSED)))
    assert not hub.hub.registry.entries()
    assert shown is None or shown not in told + hub.log.text + caplog.text + repr(hub.events)


async def test_who_may_not_register_the_name_is_refused(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(endpoint, house.access)
    guest = await visit("aws", endpoint, token=house.token())
    assert "it needs the verb register on plugins.secrets.crossplane.io/aws" in await guest.refused()
    await until(lambda: hub.told(EventKind.REFUSED))
    refusal = hub.told(EventKind.REFUSED)[0]
    assert (refusal.name, refusal.user) == ("aws", house.plugin)


async def test_a_right_given_later_is_found(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(endpoint, house.access)
    guest = await visit("aws", endpoint, token=house.token())
    await guest.refused()
    house.cluster.allow(house.plugin, [registering("aws")])
    await until(hub.hub.registry.entries, within=30)


async def test_without_a_namespace_only_rights_in_all_of_them_count(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    access = HubAccess(auth=HubAuth.TOKENREVIEW, kubeconfig=house.access.kubeconfig)
    hub = await open_hub(endpoint, access)
    guest = await visit("vault", endpoint, token=house.token())
    await guest.refused()
    house.cluster.allow(house.plugin, [registering("vault")])
    await until(hub.hub.registry.entries, within=30)


async def test_with_rules_of_its_own_the_hub_asks_for_no_right(
    house: House, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    rule = AllowRule.parse(f"system:serviceaccount:{house.namespace}:*=aws-*")
    access = HubAccess(auth=HubAuth.TOKENREVIEW, kubeconfig=house.access.kubeconfig, allow=(rule,))
    hub = await open_hub(endpoint, access)
    with house.cluster.recorded(house.hub) as requests:
        await visit("aws-eu", endpoint, token=house.token())
        guest = await visit("vault", endpoint, token=house.token())
        await guest.refused()
        await until(hub.hub.registry.entries)
    assert {request.resource for request in requests} == {"tokenreviews"}


async def test_while_the_api_server_is_away_plugins_wait(
    house: House, tmp_path: Path, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    async with Proxy(house.cluster.address) as proxy:
        file = kubeconfig(house.cluster, house.hub, tmp_path / "by-proxy", server=proxy.address)
        access = HubAccess(auth=HubAuth.TOKENREVIEW, kubeconfig=file, namespace=house.namespace)
        hub = await open_hub(endpoint, access)
        proxy.silent = True
        guest = await visit("vault", endpoint, token=house.token())
        await until(lambda: "the hub could not review tokens" in guest.log.text)
        assert "NOT_REACHABLE" in guest.log.text
        assert not hub.hub.registry.entries()
        proxy.silent = False
        proxy.drop()
        await until(hub.hub.registry.entries)
        assert "PLUGIN_REFUSED" not in guest.log.text


async def test_a_hub_without_rights_says_what_it_lacks_and_blames_no_plugin(
    house: House, tmp_path: Path, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    poor = house.cluster.service_account(house.namespace, "poor")
    file = kubeconfig(house.cluster, poor, tmp_path / "poor")
    hub = await open_hub(endpoint, HubAccess(auth=HubAuth.TOKENREVIEW, kubeconfig=file))
    guest = await visit("vault", endpoint, token=house.token())
    await until(lambda: "add it to its role" in hub.log.text)
    await until(lambda: "NOT_REACHABLE" in guest.log.text)
    assert "PLUGIN_REFUSED" not in guest.log.text


@pytest.mark.usefixtures("patient", "unhurried")
async def test_an_old_stream_is_renewed_with_the_token_of_now(
    house: House, tmp_path: Path, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(endpoint, house.access, replace(SHORT, drain_grace=30.0))
    file = tmp_path / "token"
    file.write_text(f"{house.token()}\n")
    with house.cluster.recorded(house.hub) as requests:
        await visit("vault", endpoint, token=file)
        await until(lambda: generation(hub) >= 1)
        file.write_text(f"{house.token()}\n")
        await until(lambda: generation(hub) >= 3, within=30)
    assert [request.resource for request in requests].count("tokenreviews") == 2


@pytest.mark.usefixtures("patient")
async def test_who_loses_its_token_loses_its_stream(
    house: House, tmp_path: Path, endpoint: str, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(endpoint, house.access, SHORT)
    file = tmp_path / "token"
    file.write_text(house.token())
    guest = await visit("vault", endpoint, token=file)
    await until(lambda: generation(hub) >= 1)
    file.write_text(house.cluster.token(house.plugin, "another-hub"))
    await guest.refused()
    await until(lambda: not hub.hub.registry.entries())
    await until(lambda: hub.told(EventKind.GONE))
