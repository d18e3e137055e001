"""Plugins are started, watched, started again, updated and ended, as real processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from store_plugin.errors import PluginNotFound, StoreUnavailable
from store_plugin.hub.events import EventKind
from store_plugin.lifecycle.supervision import runner as runner_module
from store_plugin.lifecycle.supervision import supervisor as supervisor_module
from store_plugin.lifecycle.supervision.circuit import MOST_FAILURES, Circuit
from store_plugin.lifecycle.supervision.process import PluginProcess
from store_plugin.lifecycle.supervision.states import State
from store_plugin.plugin import Plugin
from tests.lifecycle.conftest import CHECK_THAT_FAILS, CHECK_THAT_HANGS, World, world_in
from tests.support.echo import Echo, EchoStub, add_echo
from tests.support.processes import alive, stop
from tests.support.waiting import until


async def say(world: World) -> str:
    return (await EchoStub(world.hub.plugin("echo")).Say(b"", timeout=30)).decode()


async def test_what_is_enabled_runs_and_what_is_disabled_ends(world: World) -> None:
    world.install("1.0")
    await world.enable("1.0")
    status = await world.ready("1.0")
    assert await say(world) == "1.0"
    assert status.pid is not None
    world.catalog.disable("echo")
    await world.supervisor.look()
    await until(lambda: world.status is None)
    assert not alive(status.pid)
    assert world.events() == ["start", "exit"]
    world.audit.verify()


async def test_a_change_that_nobody_told_of_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install("1.0")
    world.catalog.enable("echo", "1.0")
    await world.ready("1.0")


async def test_a_crash_is_followed_by_a_restart(world: World) -> None:
    world.install("1.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    await until(lambda: world.status is not None and world.status.restarts == 1)
    after = await world.ready("1.0")
    assert after.pid != before.pid
    assert after.why == "it was ended by signal 9"  # who looks later still finds out
    assert await say(world) == "1.0"
    assert world.events() == ["start", "crash", "start"]


async def test_a_crash_loop_opens_the_circuit_and_a_restart_closes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    marker = world.scratch / "well"
    world.install("1.0", before=f"if not os.path.exists({str(marker)!r}): sys.exit(7)")
    await world.enable("1.0")
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    assert world.status is not None
    assert "exited with 7" in world.status.why
    assert world.events().count("crash") == MOST_FAILURES
    assert world.events()[-1] == "circuit-open"
    marker.touch()
    world.supervisor.restart("echo")
    await world.ready("1.0")


async def test_another_version_closes_the_circuit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    world.install("1.0", before="sys.exit(7)")
    world.install("2.0")
    await world.enable("1.0")
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    await world.enable("2.0")
    await world.ready("2.0")


async def test_one_that_fails_slowly_opens_the_circuit_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try takes as long as the window is, as that of a plugin which enrols too late each time."""
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "Circuit", partial(Circuit, window=0.1))
    world.install("1.0", before="import time; time.sleep(0.1); sys.exit(7)")
    await world.enable("1.0")
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    assert world.status is not None
    assert "it exited with 7 before it connected" in world.status.why
    assert world.events() == ["start", "crash"] * MOST_FAILURES + ["circuit-open"]


async def test_an_open_circuit_is_tried_now_and_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs was away, and nobody is there to restart it when that is back."""
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LEFT_ALONE", 0.01)
    marker = world.scratch / "well"
    world.install("1.0", before=f"if not os.path.exists({str(marker)!r}): sys.exit(7)")
    await world.enable("1.0")
    await until(lambda: world.events().count("circuit-open") >= 2)
    assert world.events().count("crash") >= MOST_FAILURES + 1
    tries = world.events()[world.events().index("circuit-open") :]
    assert tries[:4] == ["circuit-open", "start", "crash", "circuit-open"]  # one try, not five
    marker.touch()
    await world.ready("1.0")


async def test_what_cannot_be_started_for_want_of_a_process_opens_no_circuit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wrong with the plugin; the record is not filled with that either."""
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)

    async def none(*_: object) -> None:
        raise StoreUnavailable("no process can be started: Cannot allocate memory")

    with monkeypatch.context() as without:
        without.setattr(PluginProcess, "start", none)
        world.install("1.0")
        await world.enable("1.0")
        await until(lambda: world.status is not None and world.status.restarts > MOST_FAILURES + 1)
        assert world.events().count("not-started") == 1
    await world.ready("1.0")
    assert "circuit-open" not in world.events()


async def test_one_that_never_registers_is_given_up_and_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping = "import time; print('here', os.getpid(), flush=True); time.sleep(60)"
    world.install("1.0", before=sleeping, start_timeout=3)
    await world.enable("1.0")
    await until(lambda: world.status is not None and "has not connected" in world.status.why)
    # Of a later try, where the first one was too short to write anything.
    await until(lambda: world.supervisor.output("echo").last())
    (line, *_) = world.supervisor.output("echo").last()
    await until(lambda: not alive(int(line.split()[1])))


async def test_one_that_hangs_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, it neither answers nor ends: its stream is given up, and then its process."""
    monkeypatch.setattr(runner_module, "LOST_AFTER", 0.5)
    world.install("1.0", stop_grace=0.5)
    await world.enable("1.0")
    before = await world.ready("1.0")
    assert before.pid is not None
    stop(before.pid)
    world.hub.registry.entries()[0].instance.end("it gave no sign of life")
    await until(lambda: world.status is not None and "it hung" in world.status.why)
    await world.ready("1.0")
    assert not alive(before.pid)


async def test_a_replaced_executable_does_not_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = world.install("1.0")
    path = world.content.path(registration.digest)
    path.chmod(0o700)
    path.write_text("#!/bin/sh\ntouch " + str(world.scratch / "ran"))
    await world.enable("1.0")
    await until(lambda: world.status is not None and "not the one that was registered" in world.status.why)
    assert not (world.scratch / "ran").exists()


async def test_it_sees_the_allowed_part_of_the_environment(world: World) -> None:
    world.environ.update(ALLOWED="yes", CANARY="secret")
    world.install("1.0", before="print(sorted(os.environ), flush=True)", environment=["ALLOWED", "MISSING"])
    await world.enable("1.0")
    await world.ready("1.0")
    await until(lambda: world.supervisor.output("echo").last())
    (line, *_) = world.supervisor.output("echo").last()
    assert "ALLOWED" in line
    assert "CANARY" not in line


async def test_a_stranger_under_a_plugins_name_does_not_get_in(world: World) -> None:
    world.install("1.0")
    await world.enable("1.0")
    await world.ready("1.0")
    stranger = Plugin("echo", "6.6.6", instance_id="stranger")
    running = asyncio.create_task(stranger.run(f"unix://{world.scratch}/hub.sock", signals=()))
    refused = asyncio.create_task(refusal(world))
    try:
        assert "no instance stranger" in await asyncio.wait_for(refused, 20)
        assert await say(world) == "1.0"
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def refusal(world: World) -> str:
    with world.hub.registry.events.listen() as events:
        async for event in events:
            if event.kind is EventKind.REFUSED:
                return event.why
    raise AssertionError


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"before": "sys.exit(9)"}, "exited with 9"),
        ({"before": "import time; time.sleep(60)", "start_timeout": 3}, "has not connected"),
        ({"extra": CHECK_THAT_FAILS}, "its check failed: not well"),
        ({"extra": CHECK_THAT_HANGS}, "its check failed"),
    ],
    ids=["crashes", "hangs", "fails its check", "hangs in its check"],
)
async def test_an_update_that_fails_is_rolled_back_and_no_call_fails(
    world: World, how: dict[str, object], why: str
) -> None:
    world.install("1.0")
    world.install("2.0", **how)
    await world.enable("1.0")
    before = await world.ready("1.0")
    answers: list[str] = []
    async with steady_calls(world, answers):
        await world.enable("2.0")
        await until(lambda: "roll-back" in world.events())
        await world.ready("1.0")
    assert set(answers) == {"1.0"}
    after = world.status
    assert after is not None
    assert after.pid == before.pid
    assert why in after.why
    assert world.catalog.enabled()["echo"].registration.version == "1.0"


async def test_a_version_that_was_never_ready_is_left_for_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enabled while no sidecar ran, or one that ended during the update: no old process serves beside it."""
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    async with world_in(tmp_path) as before:
        before.install("1.0")
        before.install("2.0", before="sys.exit(9)")
    for version in ("1.0", "2.0"):
        before.catalog.enable("echo", version)
    async with world_in(tmp_path) as world:
        status = await world.ready("1.0")
        assert "version 2.0 did not become ready: it exited with 9" in status.why
        assert world.catalog.enabled()["echo"].registration.version == "1.0"
        assert world.events() == ["start", "crash"] * MOST_FAILURES + ["roll-back", "start"]


async def test_a_version_that_was_ready_once_is_left_for_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT", 0.01)
    marker = world.scratch / "away"
    world.install("1.0")
    world.install("2.0", before=f"if os.path.exists({str(marker)!r}): sys.exit(9)")
    world.catalog.enable("echo", "1.0")
    await world.enable("2.0")
    pid = (await world.ready("2.0")).pid
    await until(lambda: world.catalog.enabled()["echo"].previous is None)
    marker.touch()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    assert world.status is not None
    assert world.status.version == "2.0"


async def test_a_restart_during_an_update_costs_no_way_back(world: World) -> None:
    """Not the old version for a new one that is broken: the update is decided first."""
    world.install("1.0")
    world.install("2.0", before="sys.exit(9)")
    await world.enable("1.0")
    before = await world.ready("1.0")
    await world.enable("2.0")
    world.supervisor.restart("echo")
    await until(lambda: world.status is not None and world.status.instance_id not in ("", before.instance_id))
    await world.ready("1.0")
    assert "roll-back" in world.events()
    assert world.catalog.enabled()["echo"].registration.version == "1.0"


async def test_an_update_takes_over_and_no_call_fails(world: World) -> None:
    world.install("1.0")
    world.install("2.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    answers: list[str] = []
    async with steady_calls(world, answers):
        await world.enable("2.0")
        await world.ready("2.0")
        await until(lambda: "exit" in world.events())
    assert answers[0] == "1.0"
    assert answers[-1] == "2.0"
    assert before.pid is not None
    assert not alive(before.pid)
    assert world.events() == ["start", "start", "updated", "exit"]


async def test_an_old_version_that_does_not_end_keeps_no_sidecar_from_ending(world: World) -> None:
    """It is stopped, and has its whole grace left when there is no more time for it."""
    world.install("1.0", stop_grace=300)
    world.install("2.0")
    await world.enable("1.0")
    pid = (await world.ready("1.0")).pid
    assert pid is not None
    stop(pid)
    await world.enable("2.0")
    await world.ready("2.0")
    world.running.cancel()

    def ended() -> bool:
        world.supervisor.kill()
        return world.running.done()

    await until(ended)
    assert not alive(pid)


SLOW = "import time; print('here', os.getpid(), flush=True); time.sleep(60)"
"""Never connects."""


async def begun(world: World) -> int:
    """The pid of a plugin that is slow, once it runs."""
    await until(lambda: world.supervisor.output("echo").last())
    return int(world.supervisor.output("echo").last()[0].split()[1])


async def test_an_update_waits_for_no_version_that_is_not_wanted_any_more(world: World) -> None:
    """Another version, asked for while one is being tried, neither waits for that nor is lost."""
    world.install("1.0")
    world.install("2.0", before=SLOW, start_timeout=600)
    world.install("3.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    await world.enable("2.0")
    slow = await begun(world)
    await world.enable("3.0")
    await world.ready("3.0")
    await until(lambda: before.pid is not None and not alive(before.pid))
    assert not alive(slow)
    assert world.catalog.enabled()["echo"].registration.version == "3.0"
    assert "roll-back" not in world.events()


@pytest.mark.parametrize("how", ["disabled", "the sidecar ends"])
async def test_the_end_waits_for_no_start(world: World, how: str) -> None:
    world.install("1.0", before=SLOW, start_timeout=600)
    await world.enable("1.0")
    slow = await begun(world)
    if how == "disabled":
        world.catalog.disable("echo")
        await world.supervisor.look()
    else:
        world.running.cancel()
    await until(lambda: world.status is None)
    assert not alive(slow)
    assert world.events() == ["start", "exit"]


async def test_a_roll_back_takes_back_nothing_that_was_asked_for_since(world: World) -> None:
    """What was disabled while a bad version was tried stays disabled, told to the supervisor or not."""
    world.install("1.0")
    marker = world.scratch / "go"
    wait = f"import time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.01)\nsys.exit(9)"
    world.install("2.0", before=wait)
    await world.enable("1.0")
    await world.ready("1.0")
    await world.enable("2.0")
    await until(lambda: world.events().count("start") == 2)
    world.catalog.disable("echo")
    marker.touch()
    await until(lambda: world.status is None)
    assert world.catalog.enabled() == {}


async def test_a_version_that_the_catalog_cannot_be_told_of_is_not_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.install("1.0")
    world.install("2.0", before="sys.exit(9)")
    await world.enable("1.0")
    await world.ready("1.0")

    def full(*_: object) -> bool:
        raise StoreUnavailable("No space left on device")

    monkeypatch.setattr(world.catalog, "roll_back", full)
    await world.enable("2.0")
    await until(lambda: "roll-back" in world.events())
    await world.ready("1.0")
    await world.supervisor.look()
    await world.supervisor.look()
    assert world.events().count("roll-back") == 1
    monkeypatch.undo()
    await world.enable("1.0")
    await world.enable("2.0")
    await until(lambda: world.events().count("roll-back") == 2)


async def test_what_is_enabled_again_at_once_runs_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "LOOK_SECONDS", 3600.0)
    await asyncio.sleep(0)
    world.install("1.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    world.catalog.disable("echo")
    await world.supervisor.look()
    await world.enable("1.0")
    await until(lambda: world.status is not None and world.status.instance_id != before.instance_id)
    await world.ready("1.0")


async def test_what_nobody_enabled_is_not_known(world: World) -> None:
    with pytest.raises(PluginNotFound):
        world.supervisor.restart("echo")


async def test_the_end_of_the_supervisor_is_the_end_of_all(tmp_path: Path) -> None:
    async with world_in(tmp_path) as world:
        world.install("1.0")
        await world.enable("1.0")
        status = await world.ready("1.0")
        assert status.pid is not None
        assert alive(status.pid)
    assert not alive(status.pid)
    assert world.events() == ["start", "exit"]


@asynccontextmanager
async def steady_calls(world: World, answers: list[str]) -> AsyncIterator[None]:
    """Eight callers, until the block ends; a call that fails fails the test."""
    over = False

    async def caller() -> None:
        while not over:
            answers.append(await say(world))

    callers = [asyncio.create_task(caller()) for _ in range(8)]
    try:
        yield
    finally:
        over = True
        await asyncio.gather(*callers)


async def test_a_full_disk_starts_nothing_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.install("1.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    record = world.audit.record

    def full(*_: object) -> str:
        raise StoreUnavailable("the audit record cannot be written: No space left on device")

    monkeypatch.setattr(world.audit, "record", full)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    await until(lambda: world.status is not None and "No space left" in world.status.why)
    assert world.status is not None
    assert world.status.pid is None
    monkeypatch.setattr(world.audit, "record", record)
    await world.ready("1.0")
    assert await say(world) == "1.0"


async def test_a_damaged_record_ends_nothing_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "HEAD_SECONDS", 0.01)
    async with world_in(tmp_path) as world:
        world.install("1.0")
        await world.enable("1.0")
        await world.ready("1.0")
        (file,) = world.layout.audit.glob("*.jsonl")
        with file.open("ab") as record:
            record.write(b"no record\n")
        await until(lambda: [one for one in world.log.events("error") if "audit record cannot" in one])
        assert not world.running.done()
        assert await say(world) == "1.0"


async def test_a_stranger_who_came_before_gets_no_calls_of_a_plugin_that_runs_here(world: World) -> None:
    """Its name was free when it came; what runs under that name now gets credentials."""
    world.admits_all = True
    stranger = Plugin("echo", "6.6.6", instance_id="stranger")
    add_echo(Echo(), stranger)
    running = asyncio.create_task(stranger.run(f"unix://{world.scratch}/hub.sock", signals=()))
    try:
        await asyncio.wait_for(world.hub.registry.wait_for("echo"), 20)
        world.admits_all = False
        world.install("1.0")
        await world.enable("1.0")
        assert world.hub.registry.pick("echo") is None
        await world.ready("1.0")
        assert {await say(world) for _ in range(20)} == {"1.0"}
    finally:
        running.cancel()
        await asyncio.wait((running,))
