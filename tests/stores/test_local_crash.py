"""A process killed in the middle of its writes loses nothing that it acknowledged."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.local_files import NAME, open_local

WRITER = """
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


@pytest.mark.parametrize("acknowledged", [1, 25, 60])
async def test_kill_in_the_middle_of_writes(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "secrets.db"
    last = killed_after(path, acknowledged)
    store = await open_local(path)
    stored = await store.read(NAME)
    assert int(stored.secret.data["number"]) in (last, last + 1)
    assert await store.check() is not None
    await store.aclose()


def killed_after(path: Path, acknowledged: int) -> int:
    """Number of the last write that the writer said was done."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as writer:
        assert writer.stdout is not None
        numbers = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.kill()
        numbers.extend(int(line) for line in writer.stdout if line.endswith("\n"))
    return numbers[-1]
