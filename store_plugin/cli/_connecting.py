"""Asking the stores of many configs whether they can be used, for `config check --connect`.

Each config has a deadline of its own and some are asked at once, so that one whose server is
a black hole costs its own time only.
"""

import asyncio
import sys
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import click

from store_plugin.cli._opening import OpenConfigs
from store_plugin.cli._printable import printable
from store_plugin.dispatch.failures import told
from store_plugin.dispatch.lease import Lease
from store_plugin.dispatch.router import Router
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference

AT_ONCE = 16
"""Most configs that are asked at a time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result: `level` is `ok`, `warning` or `error`."""

    level: str
    where: str
    message: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<7} {self.where}"
        return f"{line}: {printable(self.message)}" if self.message else line


async def connected(
    configs: AbstractAsyncContextManager[OpenConfigs],
    leave_out: Collection[ConfigReference],
    seconds: float,
) -> list[Finding]:
    """What the stores of all valid configs say, in the order of their names; `seconds` is the
    longest that one of them may take."""
    async with configs as opened:
        valid = {config.reference for config in opened.table.all() if config.spec is not None}
        asked = sorted(valid.difference(leave_out), key=str)
        progress, turn, leases = _Progress(asked), asyncio.Semaphore(AT_ONCE), _Leases(opened.router)

        async def ask(reference: ConfigReference) -> list[Finding]:
            async with turn:
                try:
                    return await _asked(leases, reference, seconds)
                finally:
                    progress.done(reference)

        try:
            found = await asyncio.gather(*map(ask, asked))
        finally:
            progress.clear()
    return [finding for findings in found for finding in findings]


class _Leases:
    """Leases on stores; the first of each kind one after another, for it imports libraries:
    several threads that import disturb each other's filters of Python's warnings, and what is
    filtered out by a library is then printed."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._importing = asyncio.Lock()
        self._imported: set[str] = set()

    async def on(self, reference: ConfigReference) -> Lease:
        """Raises what opening the store raises."""
        if reference.kind in self._imported:
            return await self._router.lease(reference)
        async with self._importing:
            try:
                return await self._router.lease(reference)
            finally:
                self._imported.add(reference.kind)


async def _asked(leases: _Leases, reference: ConfigReference, seconds: float) -> list[Finding]:
    where = str(reference)
    try:
        async with asyncio.timeout(seconds):
            with await leases.on(reference) as lease:
                warnings = await lease.engine.store.check()
    except TimeoutError:
        silent = f"no answer within {seconds:g} s; is the address right, and the network open?"
        return [Finding("error", where, silent)]
    except StorePluginError as error:
        return [Finding("error", where, _on_one_line(error.message.removeprefix(f"{reference}: ")))]
    except Exception as error:  # the fault of one store must not hide what others say
        return [Finding("error", where, f"{told(error)}: this is a bug of the store, please report it")]
    return [Finding("ok", where), *(Finding("warning", where, _on_one_line(text)) for text in warnings)]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


class _Progress:
    """Says on a terminal how many are done and who is waited for; elsewhere nothing."""

    def __init__(self, asked: Collection[ConfigReference]) -> None:
        self._all = len(asked)
        self._waiting = dict.fromkeys(map(str, asked))
        self._shown = sys.stderr.isatty()
        self._show()

    def done(self, reference: ConfigReference) -> None:
        self._waiting.pop(str(reference), None)
        self._show()

    def clear(self) -> None:
        self._write("")

    def _show(self) -> None:
        ready = self._all - len(self._waiting)
        first = next(iter(self._waiting), "")
        self._write(f"{ready} of {self._all} checked" + (f", waiting for {first[:40]}" if first else ""))

    def _write(self, text: str) -> None:
        if self._shown:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
