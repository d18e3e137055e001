import asyncio

import pytest

from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from tests.stores.vault.opening import GIVEN, WITH_TOKEN, open_with, open_with_token, spec_of
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao

pytestmark = pytest.mark.usefixtures("both_clients")
NAME = ScopedName.parse("team-a/db")


@pytest.fixture
def server(tls_bao: OpenBao) -> OpenBao:
    return tls_bao


async def error_of(server: OpenBao, **options: object) -> StorePluginError:
    store = await open_with_token(server, "kv", **options)  # type: ignore[arg-type]
    with pytest.raises(StorePluginError) as caught:
        await store.read(NAME)
    await store.aclose()
    return caught.value


async def test_the_ca_of_the_config_is_trusted(server: OpenBao, ca: CertificateAuthority) -> None:
    store = await open_with_token(server, server.mount_kv("v2"), ca=ca.pem)
    await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    assert await store.check() == []
    await store.aclose()


async def test_another_ca_is_not_trusted(server: OpenBao) -> None:
    error = await error_of(server, ca=CertificateAuthority.create("Other").pem)
    assert type(error) is StoreUnavailable
    assert "certificate verify failed" in error.message


async def test_without_a_ca_the_system_decides(server: OpenBao) -> None:
    error = await error_of(server)
    assert type(error) is StoreUnavailable
    assert "certificate verify failed" in error.message


@pytest.mark.parametrize(
    "bundle",
    [b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"],
    ids=["text", "broken", "bytes"],
)
async def test_a_bundle_that_is_none_is_told(server: OpenBao, bundle: bytes) -> None:
    error = await error_of(server, ca=bundle)
    assert type(error) is ConfigInvalid
    assert "caBundle" in error.message


async def test_a_certificate_for_another_name_is_not_trusted(
    server: OpenBao, ca: CertificateAuthority
) -> None:
    error = await error_of(server, ca=ca.pem, tlsServerName="elsewhere.internal")
    assert type(error) is StoreUnavailable


async def test_the_expected_name_can_be_said(server: OpenBao, ca: CertificateAuthority) -> None:
    store = await open_with_token(server, server.mount_kv("v2"), ca=ca.pem, tlsServerName="vault.internal")
    assert not (await store.read(NAME)).present
    await store.aclose()


async def test_a_changed_bundle_counts_from_the_next_request_on(
    server: OpenBao, ca: CertificateAuthority
) -> None:
    token = server.root_token.encode()
    wrong = {"auth.token": token, "caBundle": CertificateAuthority.create("Other").pem}
    credentials = MemoryCredentials(wrong)
    spec = spec_of(server.address, server.mount_kv("v2"), WITH_TOKEN, caBundle=GIVEN)
    store = await open_with(spec, credentials)
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    credentials.replace({"auth.token": token, "caBundle": ca.pem})
    assert not (await store.read(NAME)).present
    credentials.replace(wrong)
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    await store.aclose()


async def test_plain_http_to_a_tls_server_is_an_error(server: OpenBao) -> None:
    store = await open_with_token(server, "kv", server=server.address.replace("https", "http"))
    with pytest.raises(StorePluginError, match="400"):
        await store.read(NAME)
    await store.aclose()


async def test_requests_at_once_share_one_context(server: OpenBao, ca: CertificateAuthority) -> None:
    store = await open_with_token(server, server.mount_kv("v2"), ca=ca.pem)
    await asyncio.gather(*(store._transport._home._trust.load() for _ in range(8)))
    context = await store._transport._home._trust.load()
    await asyncio.gather(*(store.read(NAME) for _ in range(8)))
    assert await store._transport._home._trust.load() is context
    await store.aclose()
