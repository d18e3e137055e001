"""Login with a client certificate, over both HTTP clients."""

from datetime import timedelta

import pytest

from store_plugin.errors import ConfigInvalid, LoginRefused
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, NAME, open_with, refusal_of, spec_of, works
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao

pytestmark = pytest.mark.usefixtures("both_clients")
Pair = tuple[bytes, bytes]


@pytest.fixture
def mount(tls_bao: OpenBao) -> str:
    return tls_bao.mount_kv("v2")


@pytest.fixture
def auth_mount(tls_bao: OpenBao, mount: str, ca: CertificateAuthority) -> str:
    """With one role, for certificates of the CA with one name."""
    return tls_bao.cert_auth([tls_bao.kv_policy(mount)], ca.pem, names=["sidecar.internal"])


def values_of(ca: CertificateAuthority, pair: Pair) -> dict[str, bytes]:
    return {"caBundle": ca.pem, "clientCertificate.certificate": pair[0], "clientCertificate.key": pair[1]}


async def open_cert(
    bao: OpenBao, mount: str, auth_mount: str, credentials: MemoryCredentials, **block: object
) -> VaultStore:
    auth = {"method": "Cert", "cert": {"mountPath": auth_mount, **block}}
    pair = {"certificate": GIVEN, "key": GIVEN}
    spec = spec_of(bao.address, mount, auth, caBundle=GIVEN, clientCertificate=pair)
    return await open_with(spec, credentials)


@pytest.mark.parametrize("block", [{}, {"name": "app"}], ids=["any role", "one role"])
async def test_a_certificate_logs_in(
    tls_bao: OpenBao, mount: str, auth_mount: str, ca: CertificateAuthority, block: dict[str, object]
) -> None:
    pair = ca.issue(["sidecar.internal"], client=True)
    store = await open_cert(tls_bao, mount, auth_mount, MemoryCredentials(values_of(ca, pair)), **block)
    assert await works(store)
    await store.aclose()


async def test_a_renewed_certificate_is_shown_by_the_next_login(
    tls_bao: OpenBao, mount: str, auth_mount: str, ca: CertificateAuthority
) -> None:
    credentials = MemoryCredentials(values_of(ca, ca.issue(["sidecar.internal"], client=True)))
    store = await open_cert(tls_bao, mount, auth_mount, credentials)
    before = tls_bao.accessors()
    assert await works(store)
    (first,) = tls_bao.accessors() - before
    credentials.replace(values_of(ca, ca.issue(["sidecar.internal"], client=True)))
    tls_bao.api("POST", "auth/token/revoke-accessor", {"accessor": first})
    assert (await store.read(NAME)).present
    await store.aclose()


@pytest.mark.parametrize("case", ["another name", "another CA", "another role"])
async def test_a_certificate_that_no_role_allows_is_refused(
    tls_bao: OpenBao, mount: str, auth_mount: str, ca: CertificateAuthority, case: str
) -> None:
    issuer = CertificateAuthority.create("Other") if case == "another CA" else ca
    name = "intruder.internal" if case == "another name" else "sidecar.internal"
    block = {"name": "missing"} if case == "another role" else {}
    credentials = MemoryCredentials(values_of(ca, issuer.issue([name], client=True)))
    error = await refusal_of(await open_cert(tls_bao, mount, auth_mount, credentials, **block))
    assert type(error) is LoginRefused
    assert "mend auth.cert" in error.message


async def test_an_expired_certificate_is_told_before_it_is_shown(
    tls_bao: OpenBao, mount: str, auth_mount: str, ca: CertificateAuthority
) -> None:
    pair = ca.issue(["sidecar.internal"], client=True, life=timedelta(seconds=-1))
    store = await open_cert(tls_bao, mount, auth_mount, MemoryCredentials(values_of(ca, pair)))
    error = await refusal_of(store)
    assert type(error) is ConfigInvalid
    assert "clientCertificate.certificate expired" in error.message
