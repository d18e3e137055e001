"""Threads that nobody waits for at the end of the process: one may hang for long in a request that
is never answered, and what it would bring is not wanted any more. Those of the standard library's
executor would hold the process up for as long.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_Work = tuple["Future[Any]", Callable[[], Any]]


class Threads(Executor):
    """At most `most`, each begun when there is work that no other one is free for."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        """None: there will be no more."""
        self._free = threading.Semaphore(0)
        self._starting = threading.Lock()
        self._started = 0
        self.closed = False

    def submit(
        self, function: Callable[P, ResultT], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[ResultT]":
        """As Executor. RuntimeError after `shutdown`, and where there is no thread to be had."""
        future: Future[ResultT] = Future()
        with self._starting:
            if self.closed:
                raise RuntimeError("these threads take no more work")
            if not self._free.acquire(blocking=False) and self._started < self._most:
                self._start()
            self._work.put((future, lambda: function(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take no more work; what was taken is done. Waits for nothing."""
        with self._starting:
            if not self.closed:
                self.closed = True
                self._work.put(None)

    def _start(self) -> None:
        """One thread more; those there are will do, where the system lets us have no other."""
        name = f"{self._name}_{self._started}"
        try:
            threading.Thread(target=self._run, name=name, daemon=True).start()
        except RuntimeError:
            if not self._started:
                raise
        else:
            self._started += 1

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            _do(*work)
            del work  # a thread that waits keeps nobody's secret alive
            self._free.release()
        self._work.put(None)  # for the next thread


def _do(future: "Future[Any]", work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # as the standard library's: whoever waits is told
        future.set_exception(error)
    else:
        future.set_result(result)
