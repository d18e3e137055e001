"""The end of a sidecar is the end of its plugins, however long they would like to take."""

from pathlib import Path

import pytest

from tests.support.desk import Desk, executable
from tests.support.local_plugin import NAME
from tests.support.processes import alive
from tests.support.sidecar import running_sidecar

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other
STUBBORN = """\
import asyncio, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = lambda *_: None
"""
"""Does not hear that it should end."""


def test_a_plugin_that_will_not_end_keeps_no_sidecar_from_ending(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "configs").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text("run: {stopGrace: 300}\n")
    arguments = ("--plugins-dir", str(desk.plugins), "--shutdown-grace", "1")
    with running_sidecar(tmp_path / "configs", *arguments, "--hub-plugin-groups", "*.example.org") as sidecar:
        file = str(executable(tmp_path, "1.0", before=STUBBORN))
        desk.run("plugin", "install", file)
        desk.run("plugin", "register", file, "--config", str(config))
        desk.run("plugin", "enable", NAME, "--wait")
        pid = desk.shown("plugin", "status", NAME)["pid"]
        assert sidecar.stop() == 0
        assert not alive(pid)
    last = desk.records()[-1]
    assert last["event"] == "exit"
    assert last["why"].endswith("was ended by signal 9"), last
