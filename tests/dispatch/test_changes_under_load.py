"""Files change while requests are in flight, and no request notices."""

import asyncio
from pathlib import Path

from store_plugin.config.directory import DirectorySource
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.engine import LocationLocks
from store_plugin.errors import Code
from store_plugin.model import ScopedName
from tests.support.fakes import GROUP_VERSION, FakeFactory, FakeKind, RecordingLog
from tests.support.house import reference

NAME = ScopedName.parse("team/db")


def manifest(server: str) -> str:
    head = f"apiVersion: {GROUP_VERSION}\nkind: ShelfConfig\nmetadata: {{name: a}}\n"
    return f"{head}spec: {{server: '{server}'}}\n"


class Load:
    """Workers that use a config without pause."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.done = 0
        self.servers: set[str] = set()
        self.stop = asyncio.Event()

    async def work(self) -> None:
        while not self.stop.is_set():
            with await self.router.lease(reference("a")) as lease:
                await lease.engine.get(NAME)
                await asyncio.sleep(0.001)
                await lease.engine.get(NAME)
                self.servers.add(lease.spec.server)  # type: ignore[attr-defined]
                self.done += 1

    async def reached(self, server: str) -> None:
        """Until requests are answered by that store, and as many again have passed."""
        async with asyncio.timeout(60):
            while server not in self.servers:
                await asyncio.sleep(0.001)
            passed = self.done
            while self.done < passed + 20:
                await asyncio.sleep(0.001)


async def test_no_request_fails_while_files_change(tmp_path: Path) -> None:
    table, factory, log = ConfigTable(), FakeFactory(), RecordingLog()
    kinds = {(GROUP_VERSION, "ShelfConfig"): FakeKind(factory)}
    outcomes: set[Code] = set()
    router = Router(table, kinds, LocationLocks(), log, lambda kind, verb, code, seconds: outcomes.add(code))
    source = DirectorySource(tmp_path, kinds, table, log, {}, rescan_interval=0.2, settle=0.02)
    path = tmp_path / "a.yaml"
    path.write_text(manifest("https://0"))
    await source.load()
    load = Load(router)
    following = asyncio.create_task(source.run())
    async with asyncio.TaskGroup() as workers:
        for _ in range(8):
            workers.create_task(load.work())
        for number in range(1, 6):
            path.write_text(f"a: b: c {number}")
            beside = tmp_path / ".new"
            beside.write_text(manifest(f"https://{number}"))
            beside.rename(path)
            await load.reached(f"https://{number}")
        path.rename(tmp_path / "b.yaml")
        (tmp_path / "b.yaml").write_text(manifest("https://moved"))
        await load.reached("https://moved")
        load.stop.set()
    following.cancel()
    await asyncio.wait({following})
    await router.aclose()
    assert outcomes == {Code.OK}
    assert [store.closed for store in factory.stores] == [1] * 7
