"""From a client through the sidecar to a plugin, all of them processes that may die."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from store_plugin.errors import Code, PluginDisconnected, StorePluginError
from tests.sidecar.hub.conftest import FILES, Bench
from tests.support.local_plugin import API_VERSION, config
from tests.support.waiting import eventually

TRANSIENT = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}


class Load:
    """Callers that go on until they are told to stop, and what became of their calls."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: list[StorePluginError] = []
        self._stopped = threading.Event()

    @contextmanager
    def running(self, act: Callable[[str], object], callers: int = 4) -> Iterator[None]:
        threads = [threading.Thread(target=self._go_on, args=(act, number)) for number in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join(timeout=30)

    def wait_for_more(self, number: int = 10) -> None:
        before = len(self.done)
        eventually(lambda: len(self.done) >= before + number)

    def _go_on(self, act: Callable[[str], object], caller: int) -> None:
        for number in count():
            if self._stopped.is_set():
                return
            key = f"k{caller}-{number}"
            try:
                act(key)
                self.done.append(key)
            except StorePluginError as error:
                self.failures.append(error)


def test_a_kind_that_comes_with_a_plugin_makes_its_configs_valid(bench: Bench) -> None:
    assert isinstance(bench.error(), PluginDisconnected)
    assert "served once a plugin that brings this kind connects" in bench.sidecar.http("/configs")
    assert bench.sidecar.http("/readyz").startswith("ok")
    with bench.plugin():
        bench.wait_until_it_works()
        bench.put("k")
        assert bench.keys() == {"k"}
        assert "served once" not in bench.sidecar.http("/configs")


def test_a_kind_of_a_group_that_no_plugin_may_bring_is_not_served(bench: Bench) -> None:
    other = FILES.__class__("files.elsewhere.org/v1", FILES.kind, FILES.name)
    with pytest.raises(StorePluginError) as refused:
        bench.client.get(other, "team/db")
    assert refused.value.reason == "KIND_NOT_SERVED"


def test_a_config_written_while_the_plugin_is_there_is_served(bench: Bench) -> None:
    with bench.plugin():
        bench.wait_until_it_works()
        config(bench.directory / "configs", "more", bench.directory)
        more = FILES.__class__(API_VERSION, FILES.kind, "more")

        def applied() -> bool:
            try:
                return bool(bench.client.apply(more, "team/db", {"k": b"v"}))
            except StorePluginError as error:
                assert error.reason == "CONFIG_NOT_FOUND"
                return False

        eventually(applied)


def test_a_plugin_that_is_away_is_unavailable_and_comes_back(bench: Bench) -> None:
    with bench.plugin():
        bench.wait_until_it_works()
        bench.put("k")
    eventually(lambda: bench.connected() == 0)
    assert isinstance(bench.error(), PluginDisconnected)
    assert bench.sidecar.http("/readyz").startswith("ok")
    with bench.plugin():
        bench.wait_until_it_works()
        assert bench.keys() == {"k"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_no_acknowledged_key_is_lost_with_a_plugin(bench: Bench, number: signal.Signals) -> None:
    load = Load()
    with bench.plugin() as process:
        bench.wait_until_it_works()
        with load.running(bench.put):
            load.wait_for_more()
            process.send_signal(number)
            eventually(lambda: bench.connected() == 0)
            eventually(lambda: any(isinstance(error, PluginDisconnected) for error in load.failures))
            process.kill()  # a stopped one may hold the lock of the shared file
            with bench.plugin(instance="two"):
                load.wait_for_more()
    with bench.plugin(instance="three"):
        bench.wait_until_it_works()
        assert set(load.done) <= bench.keys()
    assert {error.code for error in load.failures} <= TRANSIENT
    assert "Traceback" not in bench.sidecar.log


def test_instances_share_the_calls(bench: Bench) -> None:
    load = Load()
    with bench.plugin(instance="one"), bench.plugin(instance="two"):
        eventually(lambda: bench.connected() == 2)
        bench.wait_until_it_works()
        with load.running(bench.put):
            load.wait_for_more(50)
        assert set(load.done) <= bench.keys()
        assert not load.failures


def test_no_read_fails_while_instances_are_replaced_one_by_one(bench: Bench) -> None:
    load = Load()
    with ExitStack() as stack:
        old = [stack.enter_context(bench.plugin(instance=f"old-{number}")) for number in range(2)]
        eventually(lambda: bench.connected() == 2)
        bench.wait_until_it_works()
        bench.put("k")
        with load.running(lambda _: bench.keys()):
            for number, process in enumerate(old):
                stack.enter_context(bench.plugin(instance=f"new-{number}", version="2.0"))
                eventually(lambda: bench.connected() == 3)
                load.wait_for_more()
                process.terminate()
                assert process.wait(20) == 0
                eventually(lambda: bench.connected() == 2)
                load.wait_for_more()
    assert Counter(map(repr, load.failures)) == Counter()
