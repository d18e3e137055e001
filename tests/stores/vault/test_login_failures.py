"""A login that fails is not tried with every request: counted, with a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from store_plugin.errors import ConfigInvalid, LoginRefused, StorePluginError, StoreUnavailable, Throttled
from store_plugin.model import ScopedName
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.session.backoff import Backoff
from stores.vault.store import VaultStore
from tests.stores.vault.opening import open_with, spec_of
from tests.support.clock import FakeClock
from tests.support.openbao import OpenBao, dev_server
from tests.support.proxy import Proxy

NAME = ScopedName.parse("team-a/db")
LOGIN = "/login"


# The pauses.


def pauses(error: StorePluginError, jitter: float, times: int) -> list[float]:
    clock = FakeClock()
    backoff = Backoff(clock, lambda: jitter)
    found = []
    for _ in range(times):
        found.append(backoff.failed(error).retry_after or 0.0)
        clock.now += found[-1]
    return found


@pytest.mark.parametrize(
    ("error", "jitter", "expected"),
    [
        pytest.param(LoginRefused("no"), 0.0, [1, 2, 4, 8, 16, 32, 60, 60], id="refused"),
        pytest.param(LoginRefused("no"), 1.0, [0.5, 1, 2, 4, 8, 16, 30, 30], id="refused-with-jitter"),
        pytest.param(StoreUnavailable("away"), 0.0, [1, 2, 4, 5, 5], id="away"),
        pytest.param(ConfigInvalid("no file"), 0.0, [1, 2, 4, 5, 5], id="credential-missing"),
    ],
)
def test_pauses_grow(error: StorePluginError, jitter: float, expected: list[float]) -> None:
    assert pauses(error, jitter, len(expected)) == expected


def test_a_pause_is_as_long_as_the_server_wishes() -> None:
    backoff = Backoff(FakeClock(), lambda: 0.0)
    assert backoff.failed(Throttled("slow down", retry_after=9.0)).retry_after == 9.0


def test_within_a_pause_the_last_failure_is_told_with_what_is_left_of_it() -> None:
    clock = FakeClock()
    backoff = Backoff(clock, lambda: 0.0)
    backoff.failed(LoginRefused("no such role", metadata={"config": "x"}))
    clock.now += 0.75
    with pytest.raises(LoginRefused, match=r"no such role; the next login is tried in 0\.2 s") as caught:
        backoff.check()
    assert (caught.value.retry_after, caught.value.metadata) == (0.25, {"config": "x"})
    clock.now += 0.25
    backoff.check()


def test_a_success_makes_the_next_pause_a_short_one() -> None:
    backoff = Backoff(FakeClock(), lambda: 0.0)
    for _ in range(5):
        backoff.failed(LoginRefused("no"))
    backoff.reset()
    backoff.check()
    assert backoff.failed(LoginRefused("no")).retry_after == 1.0


# A store that cannot log in.


@pytest.fixture
async def proxy(bao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(bao.address) as proxy:
        yield proxy


class Refused:
    """A store whose secret ID is wrong, until the test puts it right."""

    def __init__(self, bao: OpenBao, proxy: Proxy) -> None:
        mount, role_id, self.right = bao.approle([bao.kv_policy("secret")])
        self.credentials = MemoryCredentials({"auth.appRole.secretIdSource": b"wrong"})
        auth = {"method": "AppRole", "appRole": {"roleId": role_id, "mountPath": mount}}
        self.spec = spec_of(proxy.address, "secret", auth)
        self.clock = FakeClock(1000.0)

    async def open(self) -> VaultStore:
        store = await open_with(self.spec, self.credentials)
        store._session._clock = self.clock
        store._session._backoff = Backoff(self.clock, lambda: 0.0)
        return store


async def test_a_config_that_is_refused_does_not_hammer_the_server(bao: OpenBao, proxy: Proxy) -> None:
    """Ten minutes of requests: one login a pause, everything else is told at once."""
    refused = Refused(bao, proxy)
    store = await refused.open()
    for _ in range(600):
        for _ in range(3):
            with pytest.raises(LoginRefused) as caught:
                await store.read(NAME)
            assert caught.value.retry_after
        refused.clock.now += 1.0
    assert proxy.count("POST", LOGIN) == 15, "1, 2, 4 ... 60 seconds apart"
    assert len(proxy.requests) == 15
    await store.aclose()


async def test_new_credentials_are_tried_at_once(bao: OpenBao, proxy: Proxy) -> None:
    refused = Refused(bao, proxy)
    store = await refused.open()
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await store.read(NAME)
    refused.credentials.replace({"auth.appRole.secretIdSource": refused.right.encode()})
    assert not (await store.read(NAME)).present
    assert proxy.count("POST", LOGIN) == 2
    await store.aclose()


async def test_a_server_that_comes_back_is_asked_after_the_pause(bao: OpenBao, proxy: Proxy) -> None:
    refused = Refused(bao, proxy)
    refused.credentials.replace({"auth.appRole.secretIdSource": refused.right.encode()})
    store = await refused.open()
    proxy.cut_answers = True
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            await store.read(NAME)
    assert proxy.count("POST", LOGIN) == 1
    proxy.cut_answers = False
    refused.clock.now += 1.0
    assert not (await store.read(NAME)).present
    await store.aclose()


# Counted by the server itself.


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with dev_server(tmp_path_factory.mktemp("audited"), audit=True) as server:
        yield server


async def test_two_hundred_callers_on_a_revoked_token_are_one_login(audited: OpenBao) -> None:
    mount, role_id, secret_id = audited.approle([audited.kv_policy("secret")])
    auth = {"method": "AppRole", "appRole": {"roleId": role_id, "mountPath": mount}}
    credentials = MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()})
    store = await open_with(spec_of(audited.address, "secret", auth), credentials)
    await store.read(NAME)
    audited.revoke((await store._session.token()).grant.token)
    await asyncio.gather(*(store.read(NAME) for _ in range(200)))
    assert audited.audited("update", f"{mount}/login") == 2, "one for the first token, one now"
    assert audited.audited("read", "auth/token/lookup-self") == 1
    await store.aclose()
