"""Plugins with client certificates: a name is bound to what the certificate says."""

from pathlib import Path
from typing import Any

import pytest

from store_plugin.hub.access import HubAccess, HubAuth
from store_plugin.hub.authentication.allowing import AllowRule
from store_plugin.hub.events import EventKind
from tests.hub.authentication.conftest import OpenHub, Visit, WatchedHub
from tests.support.certificates import Bundle, CertificateAuthority
from tests.support.ports import free_port
from tests.support.waiting import until


@pytest.fixture
def endpoint() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def access(tmp_path: Path, ca: CertificateAuthority) -> HubAccess:
    return HubAccess(auth=HubAuth.MTLS, certs_dir=ca.server().write(tmp_path / "hub"))


def shown(bundle: Bundle, directory: Path) -> dict[str, Any]:
    """The options of a plugin that shows the certificate."""
    bundle.write(directory)
    files = {"ca": "ca.crt", "certificate": "tls.crt", "key": "tls.key"}
    return {option: directory / name for option, name in files.items()}


def connected(watched: WatchedHub, name: str) -> bool:
    return any(entry.peer.name == name for entry in watched.hub.registry.entries())


@pytest.mark.parametrize(
    ("san", "name"),
    [
        pytest.param(("vault",), "vault", id="the name"),
        pytest.param(("vault.team-a.svc",), "vault", id="the first label"),
        pytest.param(("other", "vault.team-a"), "vault", id="one of several"),
    ],
)
async def test_a_plugin_has_the_name_of_its_certificate(
    san: tuple[str, ...],
    name: str,
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    hub = await open_hub(endpoint, access)
    await visit(name, f"https://{endpoint}", **shown(ca.client(*san), tmp_path))
    await until(lambda: connected(hub, name))
    assert await hub.say(name, b"hello") == b"hello"
    (entry,) = hub.hub.registry.entries()
    assert (entry.peer.identity.user, entry.peer.identity.names) == (san[0], san)


NAME = "hub.team-a.svc"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_hub_may_be_dialled_by_what_is_not_in_its_certificate(
    host: str,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    access = HubAccess(auth=HubAuth.MTLS, certs_dir=ca.server(NAME).write(tmp_path / "hub"))
    hub = await open_hub("127.0.0.1:0", access)
    port = hub.hub.endpoints[0].address.rpartition(":")[2]
    files = shown(ca.client("vault"), tmp_path)
    await visit("vault", f"https://{host}:{port}", server_name=NAME, **files)
    await until(lambda: connected(hub, "vault"))
    assert await hub.say("vault", b"hello") == b"hello"


@pytest.mark.parametrize("server_name", [None, "another.team-a.svc"])
async def test_a_hub_with_the_certificate_of_another_is_told_as_that(
    server_name: str | None,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    access = HubAccess(auth=HubAuth.MTLS, certs_dir=ca.server(NAME).write(tmp_path / "hub"))
    hub = await open_hub("127.0.0.1:0", access)
    files = shown(ca.client("vault"), tmp_path)
    guest = await visit("vault", f"https://{hub.hub.endpoints[0]}", server_name=server_name, **files)
    await until(lambda: "NOT_REACHABLE" in guest.log.text)
    assert "say with server_name which name is in it" in guest.log.text
    assert "PLUGIN_REFUSED" not in guest.log.text


@pytest.mark.parametrize(
    ("san", "name"),
    [
        pytest.param(("vault",), "aws", id="another name"),
        pytest.param(("vault-eu",), "vault", id="a longer name"),
        pytest.param(("team-a.vault",), "vault", id="a later label"),
        pytest.param(("*.vault",), "vault", id="a wildcard"),
        pytest.param(("10.0.0.7",), "10", id="an address"),
        pytest.param(("spiffe://vault/ns/a",), "vault", id="a URI"),
    ],
)
async def test_another_name_is_refused(
    san: tuple[str, ...],
    name: str,
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    hub = await open_hub(endpoint, access)
    guest = await visit(name, f"https://{endpoint}", **shown(ca.client(*san), tmp_path))
    assert "refuses this plugin" in await guest.refused()
    await until(lambda: hub.told(EventKind.REFUSED))
    refusal = hub.told(EventKind.REFUSED)[0]
    assert (refusal.name, refusal.user) == (name, san[0])
    assert not hub.hub.registry.entries()


async def test_a_certificate_without_names_is_refused(
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    hub = await open_hub(endpoint, access)
    guest = await visit("vault", f"https://{endpoint}", **shown(ca.client(), tmp_path))
    assert "no subject alternative name" in await guest.refused()
    await until(lambda: hub.told(EventKind.REFUSED))


@pytest.mark.parametrize("whose", ["another authority's", "a server's"])
async def test_other_certificates_do_not_get_through_the_handshake(
    whose: str,
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    stranger = CertificateAuthority.create("Another CA").client("vault")
    bundle = (
        ca.server("vault") if whose == "a server's" else Bundle(ca.pem, stranger.certificate, stranger.key)
    )
    hub = await open_hub(endpoint, access)
    guest = await visit("vault", f"https://{endpoint}", **shown(bundle, tmp_path))
    await until(lambda: "NOT_REACHABLE" in guest.log.text)
    assert not hub.events


async def test_rules_of_the_hub_take_the_place_of_names(
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    user = "spiffe://cluster.local/ns/team-a/sa/vault"
    allow = (AllowRule.parse("spiffe://cluster.local/ns/team-a/sa/*=vault-*"),)
    ruled = HubAccess(auth=HubAuth.MTLS, certs_dir=access.certs_dir, allow=allow)
    hub = await open_hub(endpoint, ruled)
    await visit("vault-eu", f"https://{endpoint}", **shown(ca.client(user), tmp_path / "a"))
    guest = await visit("vault", f"https://{endpoint}", **shown(ca.client("vault"), tmp_path / "b"))
    await until(lambda: connected(hub, "vault-eu"))
    assert "no rule of this hub allows vault" in await guest.refused()


async def test_the_hubs_certificate_is_renewed_while_plugins_stay(
    endpoint: str,
    access: HubAccess,
    tmp_path: Path,
    ca: CertificateAuthority,
    open_hub: OpenHub,
    visit: Visit,
) -> None:
    hub = await open_hub(endpoint, access)
    await visit("old", f"https://{endpoint}", **shown(ca.client("old"), tmp_path / "a"))
    await until(lambda: connected(hub, "old"))
    newer = CertificateAuthority.create("Newer CA")
    assert access.certs_dir is not None
    newer.server().write(access.certs_dir)
    await visit("new", f"https://{endpoint}", **shown(newer.client("new"), tmp_path / "b"))
    await until(lambda: connected(hub, "new"))
    assert await hub.say("old", b"still here") == b"still here"
    assert not hub.told(EventKind.GONE)
