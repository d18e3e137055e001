"""The life of the token: against the real server, with a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from store_plugin.errors import (
    DeadlineExceeded,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials, RecordingLog, memory_environment
from stores.vault.auth.approle import AppRoleMethod
from stores.vault.auth_spec import AppRoleAuth
from stores.vault.http.transport import open_transport
from stores.vault.secret_ids import SecretIds
from stores.vault.session.session import Session
from stores.vault.session.shared import SharedAttempt
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, open_with, open_with_token, spec_of
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError
from tests.support.proxy import Proxy
from tests.support.waiting import until

NAME = ScopedName.parse("team-a/db")
LOGIN, RENEW, LOOKUP = "/login", "/auth/token/renew-self", "/auth/token/lookup-self"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A session that logs in by AppRole through a proxy that counts."""

    def __init__(self, bao: OpenBao, proxy: Proxy, **role: object) -> None:
        self.bao = bao
        self.proxy = proxy
        self.clock = Clock()
        self.log = RecordingLog()
        mount, role_id, secret_id = bao.approle(["default"], **role)
        credentials = MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()})
        self.transport = open_transport(
            spec_of(proxy.address, "kv", {"method": "Token", "token": GIVEN}),
            memory_environment(credentials, config="VaultConfig/test"),
        )
        self.session = Session(
            AppRoleMethod(AppRoleAuth(role_id=role_id, mount_path=mount), credentials, "", SecretIds()),
            self.transport,
            namespace="",
            login_namespace="",
            log=self.log,
            clock=self.clock,
        )

    async def token(self) -> str:
        return (await self.session.token()).grant.token

    async def aclose(self) -> None:
        await self.session.aclose()
        await self.transport.aclose()


MakeBench = Callable[..., Bench]


@pytest.fixture
async def make_bench(bao: OpenBao) -> AsyncIterator[MakeBench]:
    benches = []
    async with Proxy(bao.address) as proxy:

        def make(**role: object) -> Bench:
            benches.append(Bench(bao, proxy, **role))
            return benches[-1]

        yield make
        for bench in benches:
            await bench.aclose()


async def test_sixteen_who_wait_log_in_once(make_bench: MakeBench) -> None:
    bench = make_bench()
    tokens = await asyncio.gather(*(bench.token() for _ in range(16)))
    assert len(set(tokens)) == 1
    assert len(bench.proxy.requests) == 1


async def test_a_token_is_renewed_before_it_ends(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    token = await bench.token()
    bench.clock.now += 59
    await bench.token()
    assert bench.proxy.count("POST", RENEW) == 0
    bench.clock.now += 2
    assert await bench.token() == token
    assert (bench.proxy.count("POST", RENEW), bench.proxy.count("POST", LOGIN)) == (1, 1)
    bench.clock.now += 59
    assert await bench.token() == token
    assert bench.proxy.count("POST", RENEW) == 1


async def test_while_one_renews_the_others_go_on(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    token = await bench.token()
    bench.clock.now += 61
    bench.proxy.silent = True
    renewing = asyncio.create_task(bench.token())
    await until(lambda: bench.proxy.count("POST", RENEW))
    assert await asyncio.gather(*(bench.token() for _ in range(16))) == [token] * 16
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)


async def test_at_the_end_of_its_longest_life_a_token_is_replaced(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=5, token_max_ttl=5)
    token = await bench.token()

    def seconds_left() -> int:
        try:
            return int(bench.bao.api("GET", "auth/token/lookup-self", token=token)["data"]["ttl"])
        except ApiError:  # it has ended
            return 0

    await until(lambda: seconds_left() <= 1)
    bench.clock.now += 4
    assert await bench.token() != token
    assert (bench.proxy.count("POST", LOGIN), bench.proxy.count("POST", RENEW)) == (2, 1)


async def test_a_token_that_cannot_be_renewed_is_replaced(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90, token_type="batch")
    token = await bench.token()
    bench.clock.now += 61
    assert await bench.token() != token
    assert (bench.proxy.count("POST", LOGIN), bench.proxy.count("POST", RENEW)) == (2, 0)


async def test_an_expired_token_is_replaced_without_asking_about_it(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    token = await bench.token()
    bench.clock.now += 91
    assert await bench.token() != token
    assert (bench.proxy.count("POST", LOGIN), bench.proxy.count("POST", RENEW)) == (2, 0)


async def test_a_failed_renewal_leaves_a_token_that_still_lives(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    token = await bench.token()
    bench.clock.now += 61
    bench.proxy.cut_answers = True
    assert await bench.token() == token
    assert bench.log.events("warning") == ["vault_token_not_renewed"]
    assert await bench.token() == token
    assert bench.proxy.count("POST", RENEW) == 1, "no renewal with every request"
    bench.proxy.cut_answers = False
    bench.clock.now += 10
    assert await bench.token() == token
    assert bench.proxy.count("POST", RENEW) == 2


async def test_a_failed_renewal_of_a_dead_token_is_a_login(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    token = await bench.token()
    bench.bao.revoke(token)
    bench.clock.now += 61
    assert await bench.token() != token


async def test_a_refused_login_rests_before_the_next(make_bench: MakeBench) -> None:
    bench = make_bench(secret_id_num_uses=1, token_ttl=90)
    await bench.token()
    bench.clock.now += 100
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await bench.token()
    assert bench.proxy.count("POST", LOGIN) == 2
    bench.clock.now += 2
    with pytest.raises(LoginRefused):
        await bench.token()
    assert bench.proxy.count("POST", LOGIN) == 3


async def test_who_waited_for_a_failed_login_shares_the_failure(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.proxy.cut_answers = True
    results = await asyncio.gather(*(bench.token() for _ in range(16)), return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    assert bench.proxy.count("POST", LOGIN) == 1


@pytest.mark.usefixtures("unhurried_end")
async def test_our_token_is_revoked_at_the_end(make_bench: MakeBench) -> None:
    bench = make_bench()
    token = await bench.token()
    await bench.session.aclose()
    with pytest.raises(ApiError):
        bench.bao.api("GET", "auth/token/lookup-self", token=token)


async def test_a_token_that_has_ended_is_not_revoked(make_bench: MakeBench) -> None:
    bench = make_bench(token_ttl=90)
    await bench.token()
    bench.clock.now += 91
    await bench.session.aclose()
    assert bench.proxy.count("POST", "/auth/token/revoke-self") == 0
    assert bench.log.events("warning") == []


async def test_an_end_without_a_server_is_quiet(make_bench: MakeBench) -> None:
    bench = make_bench()
    await bench.token()
    bench.proxy.cut_answers = True
    await bench.session.aclose()
    assert bench.log.events("warning") == ["vault_token_not_revoked"]


async def test_a_login_outlives_the_request_that_wanted_it(make_bench: MakeBench) -> None:
    """However short the deadlines are, one login is made, and its token serves the next."""
    bench = make_bench()
    before = bench.bao.accessors()
    bench.proxy.passing.clear()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bench.token()
    bench.proxy.passing.set()
    await bench.token()
    assert bench.proxy.count("POST", LOGIN) == 1
    assert len(bench.bao.accessors() - before) == 1


@pytest.mark.usefixtures("unhurried_end")
async def test_a_login_that_is_under_way_at_the_end_leaves_no_token(make_bench: MakeBench) -> None:
    bench = make_bench()
    before = bench.bao.accessors()
    bench.proxy.passing.clear()
    login = asyncio.create_task(bench.token())
    await until(lambda: bench.proxy.count("POST", LOGIN))
    closing = asyncio.create_task(bench.session.aclose())
    await asyncio.sleep(0)
    bench.proxy.passing.set()
    await closing
    await asyncio.gather(login, return_exceptions=True)
    assert bench.bao.accessors() <= before


async def test_a_login_that_hangs_does_not_hold_up_the_end(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.vault.session.session._CLOSE_SECONDS", 0.05)
    bench = make_bench()
    bench.proxy.silent = True
    login = asyncio.create_task(bench.token())
    await until(lambda: bench.proxy.count("POST", LOGIN))
    await bench.session.aclose()
    assert bench.log.events("warning") == ["vault_token_not_revoked"]
    with pytest.raises(StoreUnavailable, match="closed"):
        await login


async def test_a_login_that_reads_for_ever_ends(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("stores.vault.session.session._LOGIN_SECONDS", 0.05)
    monkeypatch.setattr(AppRoleMethod, "login", never)
    with pytest.raises(DeadlineExceeded):
        await make_bench().token()


async def test_a_closed_session_gives_no_token(make_bench: MakeBench) -> None:
    bench = make_bench()
    held = await bench.session.token()
    await bench.session.aclose()
    before = bench.bao.accessors()
    for call in (bench.session.token(), bench.session.after_refusal(held)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call
    assert bench.bao.accessors() == before


@pytest.fixture
async def proxy(bao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(bao.address) as proxy:
        yield proxy


async def approle_store(
    bao: OpenBao,
    proxy: Proxy,
    mount: str,
    policies: list[str],
    *,
    log: RecordingLog | None = None,
    **role: object,
) -> VaultStore:
    auth_mount, role_id, secret_id = bao.approle(policies, **role)
    auth = {"method": "AppRole", "appRole": {"roleId": role_id, "mountPath": auth_mount}}
    credentials = MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()})
    return await open_with(spec_of(proxy.address, mount, auth), credentials, log=log)


# Tokens that can be sent so many times, and tokens the server keeps no record of.


@pytest.mark.parametrize("uses", [1, 2, 3])
async def test_a_token_of_limited_uses_is_replaced_when_they_are_used_up(
    bao: OpenBao, proxy: Proxy, uses: int
) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)], token_num_uses=uses)
    for _ in range(7):
        assert not (await store.read(NAME)).present
    assert proxy.count("POST", LOGIN) == -(-7 // uses)
    assert proxy.count("GET", LOOKUP) == 0, "counted, not found out"
    await store.aclose()


async def test_many_at_once_share_tokens_of_limited_uses(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)], token_num_uses=5)
    found = await asyncio.gather(*(store.read(NAME) for _ in range(32)))
    assert not any(stored.present for stored in found)
    assert proxy.count("POST", LOGIN) == 7
    await store.aclose()


@pytest.mark.usefixtures("unhurried_end")
@pytest.mark.parametrize(
    ("role", "revoked"),
    [
        pytest.param({"token_type": "batch"}, 0, id="batch"),
        pytest.param({"token_num_uses": 1}, 0, id="used-up"),
        pytest.param({"token_num_uses": 2}, 1, id="one-use-left"),
        pytest.param({}, 1, id="service"),
    ],
)
async def test_what_can_be_revoked_at_the_end_is(
    bao: OpenBao, proxy: Proxy, role: dict[str, object], revoked: int
) -> None:
    mount = bao.mount_kv("v2")
    before = bao.accessors()
    log = RecordingLog()
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)], log=log, **role)
    await store.read(NAME)
    await store.aclose()
    assert proxy.count("POST", "/auth/token/revoke-self") == revoked
    assert log.events("warning") == []
    # The server itself revokes what is used up, soon after.
    await until(lambda: bao.accessors() <= before)


# A store whose token dies.


async def test_a_revoked_token_is_replaced_once_for_all(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)])
    await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    bao.revoke((await store._session.token()).grant.token)
    proxy.requests.clear()
    found = await asyncio.gather(*(store.read(NAME) for _ in range(16)))
    assert all(stored.present for stored in found)
    assert (proxy.count("POST", LOGIN), proxy.count("GET", LOOKUP)) == (1, 1)
    await store.aclose()


async def test_a_revoked_token_is_replaced_for_a_write_too(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)])
    base = await store.read(NAME)
    bao.revoke((await store._session.token()).grant.token)
    assert await store.write(NAME, Secret({"a": b"1"}), base=base) == "1"
    await store.aclose()


async def test_what_the_policy_denies_causes_no_login(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, ["default"])
    results = await asyncio.gather(*(store.read(NAME) for _ in range(16)), return_exceptions=True)
    assert {type(result) for result in results} == {StoreDenied}
    assert proxy.count("POST", LOGIN) == 1
    await store.aclose()


async def test_denied_calls_ask_about_their_token_once_a_second(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, ["default"])
    clock = store._session._clock = Clock()
    for asked in (1, 2):
        for _ in range(5):
            with pytest.raises(StoreDenied):
                await store.read(NAME)
        assert proxy.count("GET", LOOKUP) == asked
        clock.now += 1.1
    await store.aclose()


async def test_a_closed_store_says_so(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [bao.kv_policy(mount)])
    await store.read(NAME)
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.read(NAME)


async def test_a_denied_token_that_may_not_look_itself_up_causes_no_login(bao: OpenBao, proxy: Proxy) -> None:
    mount = bao.mount_kv("v2")
    store = await approle_store(bao, proxy, mount, [], token_no_default_policy=True)
    for _ in range(3):
        with pytest.raises(StoreDenied, match=str(NAME)):
            await store.read(NAME)
    assert proxy.count("POST", LOGIN) == 1
    await store.aclose()


async def test_a_revoked_token_of_the_config_is_a_refused_login(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    token = bao.token([bao.kv_policy(mount)])
    store = await open_with_token(bao, mount, token=token)
    await store.read(NAME)
    bao.revoke(token)
    with pytest.raises(LoginRefused, match="wrong, expired or revoked"):
        await store.read(NAME)
    await store.aclose()


# One attempt for all.


async def test_an_attempt_goes_on_when_who_wanted_it_gives_up() -> None:
    shared = SharedAttempt(asyncio.Lock())
    started, release = asyncio.Event(), asyncio.Event()
    attempts = []

    async def attempt() -> None:
        attempts.append(len(attempts))
        started.set()
        await release.wait()

    first = asyncio.create_task(shared.run(attempt))
    await started.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(shared.run(attempt))
    await asyncio.sleep(0)
    release.set()
    await second
    assert first.cancelled()
    assert attempts == [0]


async def test_the_owner_ends_an_attempt() -> None:
    shared = SharedAttempt(asyncio.Lock())
    ended = asyncio.Event()

    async def attempt() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(shared.run(attempt))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await shared.aclose()
    assert ended.is_set()
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_who_comes_after_a_failure_makes_an_attempt_of_its_own() -> None:
    shared = SharedAttempt(asyncio.Lock())
    attempts = []

    async def fail() -> None:
        attempts.append(1)
        raise StoreUnavailable("away")

    for _ in range(2):
        with pytest.raises(StorePluginError, match="away"):
            await shared.run(fail)
    assert len(attempts) == 2
