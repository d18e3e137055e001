"""The certificate that we show: to a server that demands one, renewed without a restart."""

from datetime import datetime, timedelta, tzinfo

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from store_plugin.errors import ConfigInvalid, LoginRefused, StorePluginError
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials, RecordingLog
from stores.vault.http import client_certificate
from stores.vault.store import VaultStore
from tests.stores.vault import opening
from tests.stores.vault.opening import GIVEN, WITH_TOKEN, open_with, spec_of
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao

pytestmark = pytest.mark.usefixtures("both_clients")
NAME = ScopedName.parse("team-a/db")
Pair = tuple[bytes, bytes]
PAIR = {"certificate": GIVEN, "key": GIVEN}
CERTIFICATE, KEY = "clientCertificate.certificate", "clientCertificate.key"


def values_of(bao: OpenBao, ca: CertificateAuthority, pair: Pair) -> dict[str, bytes]:
    return {
        "auth.token": bao.root_token.encode(),
        "caBundle": ca.pem,
        CERTIFICATE: pair[0],
        KEY: pair[1],
    }


async def open_strict(
    bao: OpenBao, credentials: MemoryCredentials, log: RecordingLog | None = None, **fields: object
) -> VaultStore:
    fields = {"caBundle": GIVEN, "clientCertificate": PAIR, **fields}
    spec = spec_of(bao.strict_address, bao.mount_kv("v2"), WITH_TOKEN, **fields)
    return await open_with(spec, credentials, log=log)


async def error_of(bao: OpenBao, ca: CertificateAuthority, pair: Pair, **fields: object) -> StorePluginError:
    store = await open_strict(bao, MemoryCredentials(values_of(bao, ca, pair)), **fields)
    with pytest.raises(StorePluginError) as caught:
        await store.read(NAME)
    await store.aclose()
    return caught.value


async def test_a_server_that_demands_a_certificate_is_shown_it(
    tls_bao: OpenBao, ca: CertificateAuthority
) -> None:
    values = values_of(tls_bao, ca, ca.issue(["sidecar.internal"], client=True))
    store = await open_strict(tls_bao, MemoryCredentials(values), tlsServerName="vault.internal")
    await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    assert (await store.read(NAME)).present
    await store.aclose()


async def test_a_server_that_demands_a_certificate_and_is_shown_none(
    tls_bao: OpenBao, ca: CertificateAuthority
) -> None:
    error = await error_of(tls_bao, ca, (b"", b""), clientCertificate=None)
    assert type(error) is ConfigInvalid
    assert "set clientCertificate" in error.message


async def test_a_certificate_that_the_server_does_not_trust(
    tls_bao: OpenBao, ca: CertificateAuthority
) -> None:
    stranger = CertificateAuthority.create("Other").issue(["sidecar.internal"], client=True)
    error = await error_of(tls_bao, ca, stranger)
    assert type(error) is LoginRefused
    assert "check clientCertificate" in error.message


def encrypted(pair: Pair) -> Pair:
    key = load_pem_private_key(pair[1], None)
    return pair[0], key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def unusable(ca: CertificateAuthority, case: str) -> tuple[Pair, str]:
    """What cannot be shown, and what is said of it."""
    good, other = ca.issue(["a"], client=True), ca.issue(["b"], client=True)
    late, early = timedelta(hours=-1), timedelta(days=1)
    return {
        "expired": (ca.issue(["a"], client=True, life=late), f"{CERTIFICATE} expired at"),
        "not yet": (ca.issue(["a"], client=True, starts=early), f"{CERTIFICATE} is not valid before"),
        "key of another": ((good[0], other[1]), f"{KEY} is not the key of {CERTIFICATE}"),
        "encrypted key": (encrypted(good), f"{KEY} is encrypted: store it without a passphrase"),
        "no certificate": ((b"\xff", good[1]), f"{CERTIFICATE} holds no PEM"),
        "no key": ((good[0], b"x"), f"{KEY} holds no PEM"),
        "exchanged": ((good[1], good[0]), f"{CERTIFICATE} holds no PEM"),
    }[case]


@pytest.mark.parametrize(
    "case",
    ["expired", "not yet", "key of another", "encrypted key", "no certificate", "no key", "exchanged"],
)
async def test_a_certificate_that_cannot_be_shown_is_told_by_its_field(
    tls_bao: OpenBao, ca: CertificateAuthority, case: str
) -> None:
    pair, said = unusable(ca, case)
    error = await error_of(tls_bao, ca, pair)
    assert type(error) is ConfigInvalid
    assert said in error.message
    assert "\n" not in error.message


async def test_a_renewed_pair_counts_from_the_next_request_on(
    tls_bao: OpenBao, ca: CertificateAuthority
) -> None:
    stranger = CertificateAuthority.create("Other").issue(["sidecar.internal"], client=True)
    credentials = MemoryCredentials(values_of(tls_bao, ca, stranger))
    store = await open_strict(tls_bao, credentials)
    with pytest.raises(LoginRefused):
        await store.read(NAME)
    credentials.replace(values_of(tls_bao, ca, ca.issue(["sidecar.internal"], client=True)))
    assert not (await store.read(NAME)).present
    credentials.replace(values_of(tls_bao, ca, stranger))
    with pytest.raises(LoginRefused):
        await store.read(NAME)
    await store.aclose()


async def test_half_a_renewal_leaves_the_pair_before_in_use(
    tls_bao: OpenBao, ca: CertificateAuthority
) -> None:
    """The two are files, and one is seen to change before the other."""
    old, new = ca.issue(["a"], client=True), ca.issue(["b"], client=True)
    credentials, log = MemoryCredentials(values_of(tls_bao, ca, old)), RecordingLog()
    store = await open_strict(tls_bao, credentials, log)
    assert not (await store.read(NAME)).present
    credentials.replace(values_of(tls_bao, ca, (new[0], old[1])))
    assert not (await store.read(NAME)).present
    assert log.events("warning") == ["vault_certificates_not_renewed"]
    context = await store._transport._home._trust.load()
    credentials.replace(values_of(tls_bao, ca, new))
    assert not (await store.read(NAME)).present
    assert await store._transport._home._trust.load() is not context
    await store.aclose()


async def test_a_certificate_that_expires_in_use_is_told_and_a_renewed_one_shown(
    tls_bao: OpenBao, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InThreeDays(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "InThreeDays":
            return cls.fromtimestamp((datetime.now(tz) + timedelta(days=3)).timestamp(), tz)

    credentials = MemoryCredentials(values_of(tls_bao, ca, ca.issue(["a"], client=True)))
    store = await open_strict(tls_bao, credentials)
    assert not (await store.read(NAME)).present
    monkeypatch.setattr(client_certificate, "datetime", InThreeDays)
    if opening.HTTP_CLIENT == "Lean":
        store._transport._home._pool.retire()  # it is told by new connections
    with pytest.raises(ConfigInvalid, match=f"{CERTIFICATE} expired at .* UTC: renew it"):
        await store.read(NAME)
    renewed = ca.issue(["a"], client=True, life=timedelta(days=9))
    credentials.replace(values_of(tls_bao, ca, renewed))
    assert not (await store.read(NAME)).present
    await store.aclose()
