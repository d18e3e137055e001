"""One credential for all users of a cluster."""

import asyncio
import copy
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store_plugin.access.clients.certificates import CertificateFiles
from store_plugin.access.clients.logins import PAUSE, Login
from store_plugin.access.exec_credential import ExecStatus
from store_plugin.errors import LoginRefused, StoreUnavailable

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Bench:
    """A login whose plugin and clocks are the test's."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.now, self.seconds, self.runs = NOW, 0.0, 0
        self.lasts: timedelta | None = None
        self.error: Exception | None = None
        self.may_end = threading.Event()
        self.may_end.set()
        self.login = Login(self.run, pool, now=lambda: self.now, clock=lambda: self.seconds)

    def run(self) -> ExecStatus:
        self.runs += 1
        number = self.runs
        assert self.may_end.wait(20)
        if self.error is not None:
            raise self.error
        return ExecStatus(f"token-{number}", expires=self.lasts and self.now + self.lasts)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture
def bench(pool: ThreadPoolExecutor) -> Bench:
    return Bench(pool)


def test_a_credential_without_an_expiry_is_kept(bench: Bench) -> None:
    assert bench.login.known is None
    assert {bench.login.current().token for _ in range(5)} == {"token-1"}
    bench.now += timedelta(days=365)
    assert bench.login.current().token == "token-1"


def test_a_credential_is_kept_until_it_expires(bench: Bench) -> None:
    bench.lasts = timedelta(minutes=10)
    assert bench.login.current().token == "token-1"
    bench.now += timedelta(minutes=10) - timedelta(seconds=1)
    assert bench.login.current().token == "token-1"
    bench.now += timedelta(seconds=1)
    assert bench.login.known is None
    assert bench.login.current().token == "token-2"


def test_a_credential_that_was_refused_is_replaced_once(bench: Bench) -> None:
    first = bench.login.current()
    for _ in range(10):  # ten requests that showed it
        bench.login.refused(first)
    assert [bench.login.current().token for _ in range(3)] == ["token-2"] * 3
    bench.seconds += PAUSE
    bench.login.refused(first)  # a late answer
    assert bench.login.current().token == "token-2"


def test_a_server_that_refuses_everything_has_the_plugin_run_once_a_moment(bench: Bench) -> None:
    for _ in range(20):
        bench.login.refused(bench.login.current())
    assert bench.runs == 2
    bench.seconds += PAUSE
    bench.login.refused(bench.login.current())
    bench.login.current()
    assert bench.runs == 3


def test_a_plugin_that_fails_is_run_once_a_moment(bench: Bench) -> None:
    bench.error = LoginRefused("no", retry_after=3.0)
    for _ in range(5):
        with pytest.raises(LoginRefused, match="no") as caught:
            bench.login.current()
        assert caught.value.retry_after == 3.0
    assert bench.runs == 1
    bench.seconds += PAUSE
    bench.error = None
    assert bench.login.current().token == "token-2"


def test_a_failure_that_is_no_typed_error_is_raised_as_it_is(bench: Bench) -> None:
    bench.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        bench.login.current()


async def test_threads_and_coroutines_wait_for_one_run(bench: Bench) -> None:
    bench.may_end.clear()
    with ThreadPoolExecutor(50) as threads:
        begun = threading.Semaphore(0)

        def use() -> str:
            begun.release()
            return bench.login.current().token

        waiting = [threads.submit(use) for _ in range(50)]
        tasks = [asyncio.create_task(bench.login.current_async()) for _ in range(50)]
        for _ in waiting:
            await asyncio.to_thread(begun.acquire)
        await asyncio.sleep(0)
        bench.may_end.set()
        tokens = {found.token for found in await asyncio.gather(*tasks)}
        tokens |= {await asyncio.wrap_future(one) for one in waiting}
    assert (tokens, bench.runs) == ({"token-1"}, 1)


async def test_who_stops_waiting_ends_nobodys_run(bench: Bench) -> None:
    bench.may_end.clear()
    leaving, staying = (asyncio.create_task(bench.login.current_async()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    bench.may_end.set()
    assert (await staying).token == "token-1"
    assert bench.runs == 1


def test_a_run_may_outlive_the_loop_that_waited_for_it(
    bench: Bench, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bench.may_end.clear()

    async def wait_a_little() -> None:
        task = asyncio.create_task(bench.login.current_async())
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(wait_a_little())
    bench.may_end.set()
    pool.shutdown()
    assert bench.login.known
    assert caplog.records == []


async def test_coroutines_get_errors_of_their_own(bench: Bench) -> None:
    bench.error = LoginRefused("no")
    found = await asyncio.gather(*(bench.login.current_async() for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in found] == ["no"] * 3
    assert len({id(one) for one in found}) == 3


def test_a_copy_is_the_login_itself(bench: Bench) -> None:
    assert copy.deepcopy(bench.login) is bench.login


def test_after_the_end_nothing_is_run(bench: Bench, pool: ThreadPoolExecutor) -> None:
    pool.shutdown()
    with pytest.raises(StoreUnavailable, match="closed"):
        bench.login.current()
    assert bench.runs == 0


def test_certificates_are_files_that_only_we_read_until_they_are_removed() -> None:
    files = CertificateFiles()
    file, another, left = files.file(), files.file(), files.file()
    first = file.write(ExecStatus(certificate=b"CERT", key=b"KEY"))
    assert first.read_bytes() == b"CERT\nKEY\n"
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert file.write(ExecStatus(certificate=b"NEW", key=b"KEY")) == first
    assert first.read_bytes().startswith(b"NEW")
    other = another.write(ExecStatus(certificate=b"CERT", key=b"KEY"))
    left.write(ExecStatus(certificate=b"CERT", key=b"KEY"))
    file.remove()
    file.remove()
    del left
    assert [path.name for path in first.parent.iterdir()] == [other.name]
    files.close()
    assert not Path(first.parent).exists()
    files.close()
    del another


def test_no_certificate_is_written_after_the_end() -> None:
    """As by a request that was under way: nobody would remove it."""
    files = CertificateFiles()
    files.close()
    with pytest.raises(StoreUnavailable, match="the access config was closed"):
        files.file().write(ExecStatus(certificate=b"CERT", key=b"KEY"))


def test_an_error_that_many_are_told_keeps_nothing_of_them(bench: Bench) -> None:
    bench.error = LoginRefused("no")
    for _ in range(3):
        with pytest.raises(LoginRefused, match="no") as caught:
            bench.login.current()
        assert caught.value is not bench.error
        assert caught.value.__context__ is None
    with pytest.raises(LoginRefused):
        asyncio.run(bench.login.current_async())
    assert bench.runs == 1
    frames, traceback = [], bench.error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert not {"current", "current_async", "_answer"} & set(frames)
