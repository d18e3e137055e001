"""Store configs from a directory of manifests, followed while the process runs.

A file counts once two looks a moment apart find it the same: editors and copies write in
steps, and half a file may be valid and mean something else. What cannot be read keeps
what it last said. Changes are told by the system and, where it does not tell (a network
file system, a directory that was swapped itself), found by looking again at intervals.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from time import monotonic

from watchfiles import awatch

from store_plugin.config.credentials.losses import credential_problems
from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.sources import SETTLE_SECONDS, CredentialSources
from store_plugin.config.declarations import Problem
from store_plugin.config.kinds import KindName, Kinds
from store_plugin.config.merging import Reading
from store_plugin.config.reading import DirectoryReader, Look, unreadable_directory
from store_plugin.config.source import SourceState
from store_plugin.config.table import ConfigTable
from store_plugin.model import ConfigReference
from store_plugin.store import Logger
from store_plugin.watching.state import WatchState

_EMPTY = Reading()


class DirectorySource:
    """Keeps a ConfigTable and its credentials as a directory says.

    `await load()` once, then own a task of `run()` and cancel it at the end. Intervals
    are in seconds: `poll_interval` between looks at credential files, `rescan_interval`
    between looks at the directory without being told of a change.
    """

    def __init__(
        self,
        directory: Path,
        kinds: Kinds,
        table: ConfigTable,
        log: Logger,
        environ: Mapping[str, str],
        *,
        poll_interval: float = 2.0,
        rescan_interval: float = 10.0,
        settle: float = 0.2,
    ) -> None:
        self._directory = directory
        self._table = table
        self._log = log
        self._poll_interval = poll_interval
        self._rescan_interval = rescan_interval
        self._settle = settle
        self._reader = DirectoryReader(directory, kinds)
        self._sources = CredentialSources(environ, log)
        self._credentials_of = partial(ConfigCredentials, sources=self._sources)
        self._directory_problem: Problem | None = None
        self._behind_since: float | None = None
        self._reading = _EMPTY
        self._logged: frozenset[Problem] = frozenset()
        self._news = asyncio.Event()
        self._changed_kinds: set[KindName] = set()
        self._watch_problem: str | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong now: the directory, its manifests, and credentials in use
        whose source is gone."""
        directory = () if self._directory_problem is None else (self._directory_problem,)
        return (*directory, *self._reading.problems, *credential_problems(self._table, self._sources))

    @property
    def state(self) -> SourceState:
        problem, since = self._directory_problem, self._behind_since
        behind = 0.0 if since is None else monotonic() - since
        message = problem.message if problem is not None else None
        return SourceState((WatchState(str(self._directory), problem is None, behind, message),))

    def generation(self, _reference: ConfigReference) -> int:
        """None is counted in files."""
        return 0

    async def load(self) -> None:
        """Read the directory for the first time, as it is. Raises nothing: what is wrong
        is among `problems`."""
        if (look := await self._look()) is not None:
            await self._take_in(look, look.keys())
        self._log_problems()

    async def run(self) -> None:
        """Follow the directory and the credentials until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_directory(), name="config directory")
            group.create_task(self._watch_directory(), name="config watch")
            group.create_task(self._follow_credentials(), name="credentials")

    def kinds_changed(self, kinds: Collection[KindName]) -> None:
        """As ConfigSource; their files are read at the next look, which is soon."""
        self._changed_kinds.update(kinds)
        self._news.set()

    async def refresh(self) -> None:
        """Take in what changed since the last time, each file once it holds still."""
        changed_kinds, self._changed_kinds = self._changed_kinds, set()
        forgotten = await asyncio.to_thread(self._reader.forget, changed_kinds) if changed_kinds else {}
        before = await self._look()
        if before is not None:
            # A file that only its kind has changed for has held still since it was read.
            await self._take_in(before, forgotten.keys() & _still(forgotten, before, ()))
        while before is not None and not self._reader.is_current(before):
            await asyncio.sleep(self._settle)
            if (now := await self._look()) is None:
                break
            await self._take_in(now, _still(before, now, self._reader.names))
            if now == before:
                break
            before = now
        self._log_problems()

    async def _follow_directory(self) -> None:
        """Look again at every news of a change, and now and then without any."""
        while True:
            try:
                async with asyncio.timeout(self._rescan_interval):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self.refresh()

    async def _watch_directory(self) -> None:
        """Bring news of changes; a directory put in the watched one's place is watched next."""
        while True:
            try:
                await self._watch()
                self._watch_problem = None
            except (OSError, RuntimeError) as error:  # the latter from the watcher's own library
                if self._watch_problem != str(error):
                    self._watch_problem = str(error)
                    self._log.warning(
                        "config directory cannot be watched, only looked at now and then",
                        problem=self._watch_problem,
                        seconds=self._rescan_interval,
                    )
                await asyncio.sleep(self._rescan_interval)

    async def _watch(self) -> None:
        watched = await asyncio.to_thread(_identity, self._directory)
        # Whatever happened before the watch begins, which is with the first step below.
        self._news.set()
        changes = awatch(
            self._directory,
            watch_filter=None,
            recursive=False,
            debounce=200,
            rust_timeout=int(self._rescan_interval * 1000),
            yield_on_timeout=True,
        )
        async with aclosing(changes):
            async for _ in changes:
                self._news.set()
                if await asyncio.to_thread(_identity, self._directory) != watched:
                    return

    async def _follow_credentials(self) -> None:
        changing = False
        while True:
            await asyncio.sleep(SETTLE_SECONDS if changing else self._poll_interval)
            changing = await self._sources.poll()

    async def _look(self) -> Look | None:
        """The files there are now; None, and everything stays, where that cannot be told."""
        try:
            look = await asyncio.to_thread(self._reader.look)
        except OSError as error:
            self._directory_problem = unreadable_directory(self._directory, error)
            self._behind_since = self._behind_since or monotonic()
            return None
        self._directory_problem = self._behind_since = None
        return look

    async def _take_in(self, look: Look, names: Collection[str]) -> None:
        if not await asyncio.to_thread(self._reader.read, look, names):
            return
        self._reading = await asyncio.to_thread(self._reader.reading)
        # Secrets first: a config that changed with them finds them.
        self._sources.update_secrets(self._reading.secrets)
        changed = self._table.replace(self._reading.configs, self._credentials_of)
        if changed:
            self._log.info("store configs changed", changed=len(changed), configs=len(self._table.all()))

    def _log_problems(self) -> None:
        """Each problem once, until it is gone."""
        directory = [] if self._directory_problem is None else [self._directory_problem]
        problems = frozenset([*directory, *self._reading.problems])
        for problem in sorted(problems - self._logged):
            self._log.warning("config problem", place=problem.place, problem=problem.message)
        self._logged = problems


def _still(before: Look, now: Look, read: Collection[str]) -> list[str]:
    """The names that two looks found the same, or both found gone."""
    return [name for name in {*now, *read} if before.get(name) == now.get(name)]


def _identity(directory: Path) -> tuple[int, int]:
    """Which directory this is, however it is named. Blocking; raises OSError."""
    found = directory.stat()
    return found.st_dev, found.st_ino
