"""A token that somebody else made is renewed while no request comes: in virtual time, against a
server that knows one token; and once against the real one."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from store_plugin.errors import LoginRefused, StoreUnavailable
from store_plugin.testing.environment import MemoryCredentials, RecordingLog
from stores.vault.auth.token import TokenMethod
from stores.vault.http.answer import Answer
from stores.vault.session.session import Session
from tests.stores.vault.opening import NAME, open_with_token
from tests.support.openbao import OpenBao
from tests.support.proxy import Proxy
from tests.support.virtual_time import virtually
from tests.support.waiting import until

HOUR = 3600.0
LOOKUP, RENEW = "lookup-self", "renew-self"


class Server:
    """What the server says of its tokens, by the loop's time. A `Transport`."""

    def __init__(self, period: float, *, renewable: bool = True) -> None:
        self._clock = asyncio.get_running_loop().time
        self.period = period
        self.renewable = renewable
        self.away = False
        self.ends = {"first": self._clock() + period}
        self.asked: list[tuple[str, str]] = []

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        what, token = path.rpartition("/")[2], headers["X-Vault-Token"]
        self.asked.append((what, token))
        if self.away:
            raise StoreUnavailable("away")
        if self._clock() >= self.ends.get(token, 0.0):
            return Answer(path, 403, b'{"errors": ["permission denied"]}')
        if what == RENEW:
            self.ends[token] = self._clock() + self.period
        left = self.ends[token] - self._clock()
        data = {"ttl": left, "renewable": self.renewable}
        auth = {"client_token": token, "lease_duration": left, "renewable": self.renewable}
        return Answer(path, 200, json.dumps({"data": data, "auth": auth}).encode())

    def reload(self) -> None: ...

    async def aclose(self) -> None: ...

    def times(self, what: str, token: str = "first") -> int:
        return self.asked.count((what, token))


class Bench:
    """A session that was used once, and the server that it talks to."""

    def __init__(self, period: float, *, renewable: bool = True) -> None:
        self.server = Server(period, renewable=renewable)
        self.credentials = MemoryCredentials({"auth.token": b"first"})
        self.log = RecordingLog()
        self.session = Session(
            TokenMethod(self.credentials),
            self.server,
            namespace="",
            login_namespace="",
            log=self.log,
            clock=asyncio.get_running_loop().time,
        )
        self.credentials.subscribe(self.session.credentials_changed)


@asynccontextmanager
async def used_once(period: float = HOUR, *, renewable: bool = True) -> AsyncIterator[Bench]:
    bench = Bench(period, renewable=renewable)
    await bench.session.token()
    yield bench
    await bench.session.aclose()
    asked = len(bench.server.asked)
    await asyncio.sleep(10 * period)
    assert len(bench.server.asked) == asked, "after the end nothing is asked"


def test_an_idle_session_keeps_its_token() -> None:
    async def main() -> None:
        async with used_once() as bench:
            await asyncio.sleep(100 * HOUR)
            assert 100 <= bench.server.times(RENEW) <= 160
            assert (await bench.session.token()).grant.token == "first"
            assert bench.server.times(LOOKUP) == 1
            assert not bench.log.events("warning")

    virtually(main())


def test_a_renewal_by_a_request_puts_off_the_next() -> None:
    async def main() -> None:
        async with used_once() as bench:
            for _ in range(100):
                await asyncio.sleep(HOUR * 2 / 3)
                await bench.session.token()
            assert bench.server.times(RENEW) == 100

    virtually(main())


def test_a_server_that_is_away_for_a_while_costs_few_attempts_and_no_token() -> None:
    async def main() -> None:
        async with used_once() as bench:
            bench.server.away = True
            await asyncio.sleep(HOUR * 0.95)
            assert 1 < bench.server.times(RENEW) < 20
            bench.server.away = False
            await asyncio.sleep(HOUR)
            assert (await bench.session.token()).grant.token == "first"

    virtually(main())


def test_a_token_that_is_lost_is_told_once_and_left_alone() -> None:
    async def main() -> None:
        async with used_once() as bench:
            bench.server.ends.clear()
            await asyncio.sleep(2 * HOUR)
            asked = len(bench.server.asked)
            assert asked < 60
            await asyncio.sleep(1000 * HOUR)
            assert len(bench.server.asked) == asked
            assert bench.log.events("warning").count("vault_token_not_kept") == 1
            with pytest.raises(LoginRefused):
                await bench.session.token()

    virtually(main())


@pytest.mark.parametrize("lost", [False, True], ids=["renewed", "lost"])
def test_a_new_token_in_its_place_is_kept_without_a_request(lost: bool) -> None:
    async def main() -> None:
        async with used_once() as bench:
            if lost:
                bench.server.ends.clear()
                await asyncio.sleep(2 * HOUR)
            bench.server.period = HOUR / 10
            bench.server.ends["second"] = asyncio.get_running_loop().time() + bench.server.period
            bench.credentials.replace({"auth.token": b"second"})
            await asyncio.sleep(HOUR)
            assert bench.server.times(RENEW, "second") >= 10
            assert (await bench.session.token()).grant.token == "second"

    virtually(main())


def test_a_token_that_cannot_be_renewed_is_left_alone() -> None:
    async def main() -> None:
        async with used_once(renewable=False) as bench:
            await asyncio.sleep(10 * HOUR)
            assert bench.server.asked == [(LOOKUP, "first")]

    virtually(main())


def test_the_end_waits_no_longer_for_a_renewal_than_for_others() -> None:
    async def main() -> None:
        async with used_once() as bench:
            reached = asyncio.Event()

            async def silent(*_: object) -> Answer:
                reached.set()
                await asyncio.Event().wait()
                raise AssertionError

            bench.server.send = silent  # type: ignore[assignment,method-assign]
            await reached.wait()
            began = asyncio.get_running_loop().time()
            await bench.session.aclose()
            assert asyncio.get_running_loop().time() - began < 5

    virtually(main())


async def test_the_real_server_is_asked_without_a_request(
    bao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.vault.session.token._REFRESH_AT", 1 / 1000)
    monkeypatch.setattr("stores.vault.session.upkeep._LATEST", 0)
    async with Proxy(bao.address) as proxy:
        mount = bao.mount_kv("v2")
        token = bao.token([bao.kv_policy(mount)], period="60s")
        store = await open_with_token(bao, mount, token=token, server=proxy.address)
        await store.read(NAME)
        session = store._session
        await until(lambda: proxy.count("POST", RENEW))
        assert (await session.token()).grant.token == token
        await store.aclose()
    assert bao.api("GET", "auth/token/lookup-self", token=token)["data"]["ttl"] > 0
