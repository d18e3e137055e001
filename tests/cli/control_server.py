"""The control socket of a sidecar that runs plugins as a test tells it to, in this process."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from store_plugin.dispatch.state import Counts
from store_plugin.errors import PluginNotFound
from store_plugin.lifecycle.supervision.output import Output
from store_plugin.lifecycle.supervision.states import PluginStatus, State
from store_plugin.sidecar.control.managed import ManagedMethods
from store_plugin.sidecar.control.server import ControlServer
from store_plugin.sidecar.control.service import ControlService, Running
from store_plugin.testing.environment import RecordingLog

BEGUN = datetime(2026, 1, 2, tzinfo=UTC)


def status(state: State, version: str = "1.0", wanted: str = "", why: str = "") -> PluginStatus:
    return PluginStatus(
        "shelves", version, "d" * 64, state, BEGUN, 0, f"{version}-a", 7, why, wanted or version
    )


@dataclass
class Script:
    """What the sidecar says: `steps` one after the other, the last one from then on."""

    directory: Path
    steps: list[PluginStatus] = field(default_factory=list)
    on_step: Callable[[], None] = lambda: None
    """Called before each answer, as what else happens meanwhile."""
    told: int = 0
    """How often it was told that the catalog has changed."""
    restarted: list[str] = field(default_factory=list)
    written: Output = field(default_factory=lambda: Output("shelves", RecordingLog()))
    loop: asyncio.AbstractEventLoop | None = None
    """Where it is served."""

    def write(self, *lines: str) -> None:
        """Have the plugin write lines, at once."""
        self._there(lambda: [self.written.take(line) for line in lines])

    def end(self) -> None:
        """Have the plugin run no more."""
        self._there(self.written.end)

    def _there(self, done: Callable[[], object]) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(done)

    def statuses(self) -> Sequence[PluginStatus]:
        self.on_step()
        return [self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]] if self.steps else []

    def restart(self, name: str) -> None:
        self.restarted.append(name)
        self.steps = [replace(one, instance_id=f"{one.instance_id}-again") for one in self.steps]

    def output(self, name: str) -> Output:
        if name != "shelves":
            raise PluginNotFound(f"plugin {name} is not enabled")
        return self.written

    async def catalog_changed(self) -> None:
        self.told += 1


@contextmanager
def control_server(socket: Path, script: Script | None) -> Iterator[None]:
    """Serves until the block ends, on an event loop of its own; None: it runs no plugins."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    if script is not None:
        script.loop = loop

    async def started() -> ControlServer:
        running = Running([], lambda: True, lambda: 0, Counts, None)
        server = ControlServer(socket, ControlService(running), ManagedMethods(script), RecordingLog())
        await server.start()
        return server

    try:
        server = asyncio.run_coroutine_threadsafe(started(), loop).result(10)
        yield
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
