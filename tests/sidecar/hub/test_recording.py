"""Plugins that dial in by themselves, in the audit record."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from store_plugin.enrolment import PluginInstance
from store_plugin.hub.events import EventKind, Events, RegistryEvent
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.layout import Layout
from store_plugin.plugin import Plugin
from store_plugin.sidecar.hub.recording import AT_ONCE, Recorder
from tests.hub.conftest import running
from tests.support.echo import Echo, add_echo
from tests.support.fakes import RecordingLog
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually, until


def recorded(audit: AuditLog) -> list[dict[str, Any]]:
    return [json.loads(line) for line in audit.lines()]


class Clock:
    """It is asked once for each event that is taken up."""

    now = 0.0
    asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now


@asynccontextmanager
async def recording(audit: AuditLog, log: RecordingLog, clock: Clock) -> AsyncIterator[Events]:
    events = Events()
    recorder = Recorder(audit, events.listen(), log, clock)
    clock.asked = 0
    task = asyncio.create_task(recorder.run())
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.wait((task,))


def event(kind: EventKind, name: str = "vault", user: str = "somebody", why: str = "") -> RegistryEvent:
    return RegistryEvent(kind, name, "one", "1.0", user, why)


async def test_a_flood_is_bounded_and_counted(tmp_path: Path) -> None:
    audit, clock = AuditLog(tmp_path), Clock()
    async with recording(audit, RecordingLog(), clock) as events:
        for _ in range(3 * AT_ONCE):
            events.tell(event(EventKind.REFUSED, why="no"))
        await until(lambda: clock.asked == 3 * AT_ONCE)
        assert len(recorded(audit)) == AT_ONCE
        clock.now = 10.0
        events.tell(event(EventKind.CONNECTED))
        await until(lambda: len(recorded(audit)) == AT_ONCE + 1)
    assert recorded(audit)[-1]["not_recorded"] == 2 * AT_ONCE
    assert audit.verify().records == AT_ONCE + 1


async def test_those_that_the_sidecar_runs_are_recorded_by_who_runs_them(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path)
    async with recording(audit, RecordingLog(), Clock()) as events:
        events.tell(event(EventKind.CONNECTED, user=PluginInstance("vault", "one").uri))
        events.tell(event(EventKind.READY))
        events.tell(event(EventKind.GONE, why="it is gone"))
        await until(lambda: recorded(audit))
    (only,) = recorded(audit)
    assert (only["event"], only["plugin"], only["why"]) == ("gone", "vault", "it is gone")


async def test_a_record_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    log = RecordingLog()
    async with recording(AuditLog(tmp_path / "nowhere"), log, Clock()) as events:
        for _ in range(3):
            events.tell(event(EventKind.CONNECTED))
        await until(lambda: log.lines)
    assert log.events("error") == ["what plugins do is not recorded"]


async def test_a_sidecar_with_a_plugins_directory_records_who_dials_in(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    hub, plugins = f"unix://{tmp_path}/hub.sock", tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    plugin = Plugin("echo", "1.0", instance_id="one")
    add_echo(Echo(), plugin)
    with running_sidecar(tmp_path / "configs", "--hub-listen", hub, "--plugins-dir", str(plugins)):
        async with running(plugin, hub):
            await until(lambda: "connect" in events_of(plugins), within=30)
        await until(lambda: "gone" in events_of(plugins), within=30)


def events_of(plugins: Path) -> list[str]:
    return [line["event"] for line in recorded(AuditLog(plugins / "audit"))]


def test_the_head_is_told_whatever_is_logged(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "plugins")
    layout.prepare()
    head = AuditLog(layout.audit).record("install", "shelves")
    (tmp_path / "configs").mkdir()
    options = ("--plugins-dir", str(layout.root), "--log-level", "error")
    with running_sidecar(tmp_path / "configs", *options) as sidecar:
        eventually(lambda: "audit head" in sidecar.log)
        (told,) = (
            line for line in map(json.loads, sidecar.log.splitlines()) if line["event"] == "audit head"
        )
    assert (told["head"], told["level"]) == (head, "info")
