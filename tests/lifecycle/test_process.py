"""Real processes, kept: started from checked bytes, seen to their end, and nothing left behind."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from store_plugin.errors import PluginUntrusted, StoreUnavailable
from store_plugin.lifecycle.supervision import keeper
from store_plugin.lifecycle.supervision import process as process_module
from store_plugin.lifecycle.supervision.process import LINES_AT_A_TIME, LONGEST_LINE, Command, PluginProcess
from tests.support.memory_rules import run_under
from tests.support.processes import alive, stop
from tests.support.waiting import until

Start = Callable[..., Any]


def script(directory: Path, text: str, interpreter: str = sys.executable) -> Path:
    path = directory / "plugin"
    path.write_text(f"#!{interpreter}\n{textwrap.dedent(text)}")
    return path


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def start(lines: list[str]) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(executable: Path, digest: str | None = None, **options: Any) -> PluginProcess:
            given = {"arguments": ["plugin"], "environment": {}, "limits": {}, "grace": 30.0, **options}
            found = digest or hashlib.sha256(executable.read_bytes()).hexdigest()
            process = await PluginProcess.start(Command(executable, found, **given), lines.append)
            stack.callback(process.kill)
            return process

        yield start


async def test_a_script_runs_with_its_arguments_and_nothing_of_our_environment(
    start: Start, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "secret")
    plugin = script(
        tmp_path,
        """
        import os, sys
        names = sorted(k for k in os.environ if k != "LC_CTYPE")
        print(sys.argv[1:], names, os.getcwd(), os.getsid(0) == os.getpid())
        print(sorted(int(f) for f in os.listdir("/proc/self/fd"))[:3], flush=True)
        """,
    )
    process = await start(plugin, arguments=["plugin", "--debug"], environment={"GIVEN": "x"})
    assert await process.ended() == 0
    await until(lambda: len(lines) == 2)
    assert lines == ["['--debug'] ['GIVEN'] / True", "[0, 1, 2]"]


async def test_it_ignores_no_signal_that_others_do(start: Start, tmp_path: Path, lines: list[str]) -> None:
    """Neither what its keeper ignores nor what Python does: whoever hangs up on it means it. What is
    left are signals of the C library's own, which nobody can set: programs that start others, as make
    does, may leave these ignored."""
    plugin = script(tmp_path, "exec grep -E 'Sig(Ign|Blk)' /proc/self/status", interpreter="/bin/sh")
    # As in a sidecar that a shell runs in the background.
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        process = await start(plugin, environment={"PATH": os.environ["PATH"]})
    finally:
        signal.signal(signal.SIGQUIT, before)
    assert await process.ended() == 0
    await until(lambda: len(lines) == 2)
    kept = [_signals(line) & signal.valid_signals() for line in lines]
    assert kept == [set(), set()]


def _signals(line: str) -> set[int]:
    """Of a line of /proc/PID/status."""
    mask = int(line.split()[1], 16)
    return {number for number in range(1, 65) if mask & 1 << (number - 1)}


LARGE = {f"GIVEN_{number}": "x" * 100_000 for number in range(3)}
"""An environment that takes more room than a pipe has."""


async def test_a_large_environment_reaches_it(start: Start, tmp_path: Path, lines: list[str]) -> None:
    plugin = script(tmp_path, "import os; print(sum(map(len, os.environ.values())), flush=True)")
    environment = {**LARGE, "LC_CTYPE": "C"}
    assert await (await start(plugin, environment=environment)).ended() == 0
    await until(lambda: lines)
    assert int(lines[0]) > 300_000


async def test_a_keeper_that_listens_to_nothing_holds_nobody_up_and_is_ended(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf, told = tmp_path / "deaf.py", tmp_path / "pid"
    deaf.write_text(f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    monkeypatch.setattr(keeper, "__file__", str(deaf))
    monkeypatch.setattr(process_module, "_START_SECONDS", 3.0)
    with pytest.raises(StoreUnavailable, match="its keeper does not start it: it does not answer"):
        await start(script(tmp_path, "print()"), environment=LARGE)
    pid = told.read_text() if told.exists() else ""
    await until(lambda: not pid or not alive(int(pid)))


async def test_a_zipapp_and_an_elf_file_run(start: Start, tmp_path: Path, lines: list[str]) -> None:
    app = tmp_path / "app.pyz"
    with app.open("wb") as file:
        file.write(f"#!{sys.executable}\n".encode())
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", "import helper; print(helper.said, flush=True)")
            archive.writestr("helper.py", "said = 'from a zipapp'")
    assert await (await start(app)).ended() == 0
    assert (
        await (await start(Path("/bin/echo").resolve(), arguments=["echo", "from an ELF file"])).ended() == 0
    )
    await until(lambda: lines == ["from a zipapp", "from an ELF file"])


async def test_another_content_than_was_registered_does_not_run(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    plugin = script(tmp_path, "print('registered', flush=True)")
    digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
    script(tmp_path, "print('replaced', flush=True)")
    with pytest.raises(PluginUntrusted, match="not the one that was registered"):
        await start(plugin, digest)
    assert lines == []


async def test_a_racing_writer_never_gets_its_bytes_run(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    """Somebody swaps the file back and forth while it is started again and again."""
    plugin = script(tmp_path, "print('good', flush=True)")
    good = plugin.read_bytes()
    bad = good.replace(b"good", b"evil")
    digest = hashlib.sha256(good).hexdigest()
    racer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import itertools\n"
            f"for c in itertools.cycle(({good!r}, {bad!r})): open({str(plugin)!r}, 'wb').write(c)",
        ]
    )
    ran = refused = 0
    try:
        for _ in range(25):
            try:
                await (await start(plugin, digest)).ended()
                ran += 1
            except PluginUntrusted:
                refused += 1
    finally:
        racer.kill()
        racer.wait(10)
    assert refused > 0
    await until(lambda: len(lines) == ran)
    assert set(lines) <= {"good"}


@pytest.mark.parametrize("content", [b"", b"no program", b"#!/does/not/exist\n"], ids=repr)
async def test_what_cannot_run_is_said(start: Start, tmp_path: Path, content: bytes) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_bytes(content)
    with pytest.raises(PluginUntrusted, match="cannot be run"):
        await start(plugin)


async def test_a_stop_asks_first(start: Start, tmp_path: Path, lines: list[str]) -> None:
    plugin = script(
        tmp_path,
        """
        import os, signal, time
        # No print: the signal may come while the other one is not over yet.
        signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"ending\\n"), os._exit(3)))
        print("ready", flush=True)
        time.sleep(60)
        """,
    )
    process = await start(plugin)
    await until(lambda: lines == ["ready"])
    assert await process.stop() == 3
    await until(lambda: lines == ["ready", "ending"])


STUBBORN = """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print("grandchild", os.getpid(), flush=True)
            time.sleep(60)
        os._exit(0)
    print("plugin", os.getpid(), flush=True)
    time.sleep(60)
"""


def pids(lines: list[str]) -> dict[str, int]:
    return {line.split()[0]: int(line.split()[1]) for line in lines if len(line.split()) == 2}


async def test_what_ignores_the_end_is_killed_with_all_its_children(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    process = await start(script(tmp_path, STUBBORN), grace=0.2)
    await until(lambda: len(pids(lines)) == 2)
    assert await process.stop() == -signal.SIGKILL
    assert not any(alive(pid) for pid in pids(lines).values())


async def test_children_that_are_left_behind_go_with_the_plugin(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    marker = tmp_path / "go"
    end = f"while not os.path.exists({str(marker)!r}): time.sleep(0.01)"
    text = STUBBORN.replace('print("plugin", os.getpid(), flush=True)\n    time.sleep(60)', end)
    process = await start(script(tmp_path, text))
    await until(lambda: "grandchild" in pids(lines))
    assert alive(pids(lines)["grandchild"])
    marker.touch()
    assert await process.ended() == 0
    assert not alive(pids(lines)["grandchild"])


HOST = """
import asyncio, hashlib, sys
from pathlib import Path
from store_plugin.lifecycle.supervision import keeper
from store_plugin.lifecycle.supervision.process import Command, PluginProcess

async def main():
    plugin = Path(sys.argv[1])
    digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
    command = Command(plugin, digest, ["plugin"], {}, {}, 5.0)
    process = await PluginProcess.start(command, lambda line: print(line, flush=True))
    await process.ended()

asyncio.run(main())
"""


KILLED: dict[str, tuple[str, ...]] = {
    "sidecar": ("sidecar",),
    "sidecar and keeper": ("sidecar", "keeper"),
    "sidecar and guard": ("sidecar", "guard"),
    "all of its group": ("group",),
}


@pytest.mark.parametrize("killed", KILLED.values(), ids=KILLED)
async def test_nothing_outlives_a_killed_sidecar(tmp_path: Path, killed: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", HOST, str(script(tmp_path, STUBBORN))]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert host.stdout is not None
    found = pids([host.stdout.readline(), host.stdout.readline()])
    assert all(alive(pid) for pid in found.values())
    found |= keeping(found["plugin"])
    those = found | {"sidecar": host.pid, "group": -host.pid}
    for name in killed:
        os.kill(those[name], signal.SIGKILL)
    host.wait(10)
    await until(lambda: not any(alive(pid) for pid in found.values()), within=30)
    host.stdout.close()


def keeping(plugin: int) -> dict[str, int]:
    """Who keeps a plugin, by pid."""
    its_keeper = psutil.Process(plugin).ppid()
    return {"keeper": its_keeper, "guard": psutil.Process(its_keeper).ppid()}


@pytest.mark.parametrize("killed", ["keeper", "guard"])
async def test_nothing_outlives_a_killed_keeper(
    start: Start, tmp_path: Path, lines: list[str], killed: str
) -> None:
    """A child with a session of its own neither, which neither the plugin's end nor its group reaches."""
    process = await start(script(tmp_path, STUBBORN))
    await until(lambda: len(pids(lines)) == 2)
    its_keepers = keeping(process.pid)
    os.kill(its_keepers[killed], signal.SIGKILL)
    assert await process.ended() == -signal.SIGKILL
    assert not any(alive(pid) for pid in pids(lines).values())
    await until(lambda: not any(alive(pid) for pid in its_keepers.values()))


async def test_limits_hold(start: Start, tmp_path: Path, lines: list[str]) -> None:
    plugin = script(
        tmp_path,
        """
        import resource
        print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE))
        print([l.split()[1] for l in open("/proc/self/status") if l.startswith("NoNewPrivs")])
        try:
            bytearray(1 << 30)
        except MemoryError:
            print("no memory", flush=True)
        """,
    )
    limits = {"open_files": 64, "core_bytes": 0, "memory_bytes": 512 * 1024 * 1024, "processes": None}
    assert await (await start(plugin, limits=limits)).ended() == 0
    await until(lambda: lines == ["(64, 64) (0, 0)", "['1']", "no memory"])


async def test_a_flood_of_output_is_cut_to_size(start: Start, tmp_path: Path, lines: list[str]) -> None:
    plugin = script(
        tmp_path,
        """
        import os
        os.write(2, b"x" * 100_000 + b"\\n" + b"short\\n\\xff\\n" + b"no end")
        """,
    )
    assert await (await start(plugin)).ended() == 0
    await until(lambda: len(lines) == 4)
    assert [len(lines[0]), *lines[1:]] == [LONGEST_LINE, "short", "\ufffd", "no end"]


async def test_the_token_in_its_environment_is_in_no_argument(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    plugin = script(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    process = await start(plugin, environment={"STORE_PLUGIN_TOKEN": "canary-token"})
    await until(lambda: lines == ["up"])
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            assert b"canary-token" not in (entry / "cmdline").read_bytes()
        except OSError:
            continue
    assert process.running


async def test_what_has_ended_can_be_stopped(start: Start, tmp_path: Path) -> None:
    process = await start(script(tmp_path, "import sys; sys.exit(3)"))
    assert await process.ended() == 3
    assert await process.stop() == 3


async def test_who_is_killed_with_both_of_its_keepers_takes_its_group_along(
    start: Start, tmp_path: Path, lines: list[str]
) -> None:
    text = """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("child", child.pid, flush=True)
        time.sleep(60)
    """
    process = await start(script(tmp_path, text))
    await until(lambda: lines)
    found = pids(lines) | keeping(process.pid)
    for name in ("guard", "keeper"):
        stop(found[name])
    for name in ("guard", "keeper"):
        os.kill(found[name], signal.SIGKILL)
    assert await process.ended() == -signal.SIGKILL
    await until(lambda: not any(alive(pid) for pid in (process.pid, *found.values())))


MEMORY_RULES = {
    0: "ran, and exited with 0",
    1: "ran, and exited with 0",
    2: "may not be executed on this node: set the sysctl vm.memfd_noexec to 1 or 0",
}
ONCE = """
import asyncio, hashlib, sys
from pathlib import Path
from store_plugin.errors import PluginUntrusted
from store_plugin.lifecycle.supervision.process import Command, PluginProcess

async def main():
    plugin, lines = Path(sys.argv[1]), []
    digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
    try:
        process = await PluginProcess.start(Command(plugin, digest, ["plugin"], {}, {}, 5.0), lines.append)
    except PluginUntrusted as refusal:
        print(refusal)
        return
    code = await process.ended()
    await process.drained()
    print(*lines, f"and exited with {code}", sep=", ")

asyncio.run(main())
"""


@pytest.mark.parametrize("memfd_noexec", MEMORY_RULES)
def test_a_node_that_is_wary_of_programs_in_memory(tmp_path: Path, memfd_noexec: int) -> None:
    """Where programs have to say that they mean it, it runs; where none may, it is told what to set."""
    plugin = script(tmp_path, "print('ran', flush=True)")
    assert MEMORY_RULES[memfd_noexec] in run_under(memfd_noexec, ONCE, str(plugin))


async def test_what_is_no_file_is_not_waited_for(start: Start, tmp_path: Path) -> None:
    """A pipe in the place of an executable would keep its reader for ever."""
    os.mkfifo(tmp_path / "plugin")
    with pytest.raises(PluginUntrusted, match="is no file"):
        await start(tmp_path / "plugin", "0" * 64)


async def test_a_start_that_is_given_up_leaves_nothing(start: Start, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    file = script(tmp_path, f"import time\nopen({str(marker)!r}, 'w').close()\ntime.sleep(60)")
    for wait in (0.0, 0.001, 0.01, 0.05):
        starting = asyncio.create_task(start(file))
        await asyncio.wait((starting,), timeout=wait)
        if not starting.cancel():
            starting.result().kill()
        await asyncio.wait((starting,))
    await until(lambda: not keepers())


def keepers() -> list[int]:
    """Those of this process that run."""
    return [one.pid for one in psutil.Process().children(recursive=True) if is_keeper(one)]


def is_keeper(process: psutil.Process) -> bool:
    try:
        return alive(process.pid) and keeper.__file__ in process.cmdline()
    except psutil.Error:  # it has ended meanwhile
        return False


@pytest.mark.parametrize("at_a_time", [65536, 399])
async def test_a_flood_of_empty_lines_is_read_no_faster_than_it_can_be_taken(
    start: Start, tmp_path: Path, lines: list[str], at_a_time: int
) -> None:
    """The event loop goes on between batches, however short the lines are."""
    text = f"import os, time\nwhile True: os.write(1, b'\\n' * {at_a_time}), time.sleep(0.005)"
    await start(script(tmp_path, text))
    await until(lambda: lines)
    most = 0
    while len(lines) < 5_000:
        before = len(lines)
        await asyncio.sleep(0)
        most = max(most, len(lines) - before)
    assert most <= LINES_AT_A_TIME
