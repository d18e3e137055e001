"""Supervised plugins that behave badly, as real processes: they cost nobody else anything."""

import psutil
import pytest

from store_plugin.lifecycle.supervision import instance as instance_module
from store_plugin.lifecycle.supervision.output import KEPT_LINES
from store_plugin.testing.environment import RecordingLog
from tests.lifecycle.conftest import World
from tests.support.echo import EchoStub
from tests.support.waiting import until

FLOOD = """
import threading

def flood():
    while True:
        os.write(2, b"x" * 60_000 + b"\\n" + b"short\\n" * 10_000)

threading.Thread(target=flood, daemon=True).start()
"""
GROWTH = 64 * 1024 * 1024
"""Bytes; a flood that is kept would be more than that within a second."""


def lost_and_told(log: RecordingLog) -> tuple[int, int]:
    """How many lines were left out of the log, as it says itself, and how many are in it."""
    told = [fields for _, event, fields in log.entries if event == "plugin output"]
    return sum(fields.get("lines_lost", 0) for fields in told), len(told)


async def test_a_flood_of_output_takes_nobody_down(world: World) -> None:
    world.install("1.0", before=FLOOD)
    await world.enable("1.0")
    await world.ready("1.0")
    here, stub = psutil.Process(), EchoStub(world.hub.plugin("echo"))
    before = here.memory_info().rss
    for number in range(300):
        payload = str(number).encode()
        assert await stub.Say(payload, timeout=30) == b"1.0"
    await until(lambda: len(world.supervisor.output("echo").last()) == KEPT_LINES)
    assert here.memory_info().rss - before < GROWTH
    await until(lambda: lost_and_told(world.log)[0] > lost_and_told(world.log)[1])
    assert world.events() == ["start"]


async def test_one_that_ends_before_it_could_enrol_is_said_to_have_been_too_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_module, "LONGEST_LIFE", 0.0)  # as if it had taken that long
    world.install("1.0", before="sys.exit(9)")
    await world.enable("1.0")
    await until(lambda: world.status is not None and "0 s to enrol" in world.status.why)
    assert world.status is not None
    assert "it exited with 9 before it connected" in world.status.why
