"""Several processes at one local file: none loses what it acknowledged, also when killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.local_files import NAME, open_local

ROOT = Path(__file__).parents[2]
ONE_WRITER_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from tests.stores.local_files import open_local, put

async def main():
    store = await open_local(Path(sys.argv[1]))
    number = 0
    while True:
        number += 1
        await put(store, {"number": b"%d" % number, "filler": b"x" * 5000})
        print(number, flush=True)

asyncio.run(main())
"""
MANY_WRITERS = """
import asyncio, sys
from pathlib import Path
from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.model import Secret
from stores.local import store as local
from tests.stores.local_files import NAME, open_local

local.BUSY_SECONDS = 60.0  # however slow the disk is: nobody is to give up

async def main():
    store = await open_local(Path(sys.argv[1]))
    engine = Engine(store, Rules(), LocationLocks())
    deadline = asyncio.get_running_loop().time() + 60
    for key in sys.argv[2:]:
        await engine.apply(NAME, Secret({key: b"x"}), deadline=deadline)
        print(key, flush=True)
    await store.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 25, 60])
async def test_a_kill_in_the_middle_of_writes_loses_no_acknowledged_one(
    tmp_path: Path, acknowledged: int
) -> None:
    path = tmp_path / "secrets.db"
    last = killed_after(path, acknowledged)
    store = await open_local(path)
    stored = await store.read(NAME)
    assert int(stored.secret.data["number"]) in (last, last + 1)
    assert await store.check() == []
    await store.aclose()


async def test_processes_that_write_one_secret_lose_no_acknowledged_key(tmp_path: Path) -> None:
    path = tmp_path / "secrets.db"
    keys = [[f"{process}-{number}" for number in range(15)] for process in range(3)]
    writers = [started(MANY_WRITERS, path, *mine) for mine in keys]
    acknowledged = {key for writer in writers for key in writer.communicate(timeout=90)[0].split()}
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    store = await open_local(path)
    assert (await store.read(NAME)).secret.data.keys() == acknowledged
    assert len(acknowledged) == 45
    await store.aclose()


def started(program: str, path: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)


def killed_after(path: Path, acknowledged: int) -> int:
    """Number of the last write that the writer said was done."""
    with started(ONE_WRITER_FOR_EVER, path) as writer:
        assert writer.stdout is not None
        numbers = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.kill()
        numbers.extend(int(line) for line in writer.stdout if line.endswith("\n"))
    return numbers[-1]
