"""A sidecar's access config, which changes while it runs: what is wrong with it is told."""

import json
from pathlib import Path

import pytest

from store_plugin.access.members import FleetMembers, FleetOptions
from store_plugin.sidecar.fleet import AccessConfigWatch
from tests.support import manifests
from tests.support.exec_plugins import access_file, provider
from tests.support.fakes import RecordingLog
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually

WRONG = '{"providers": [{"name": "x"}]}'
TOLD = "access config not renewed, the last one stays in force"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return access_file(tmp_path, provider("p"))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is one at the file."""
    monkeypatch.setattr("store_plugin.access.following.LOOK_SECONDS", 0.0)


async def test_it_is_told_once_when_it_becomes_wrong_and_once_when_it_is_well(
    file: Path, at_once: None
) -> None:
    log, good = RecordingLog(), file.read_text()
    fleet = FleetMembers.of(FleetOptions(file))
    watch = AccessConfigWatch(fleet, file, log)
    for _ in range(2):
        await watch.look()
    assert log.lines == []
    assert watch.problems == []
    for content, told in ((WRONG, (TOLD, 1)), (good, ("access config renewed", 0))):
        file.write_text(content)
        for _ in range(3):
            await watch.look()
        assert log.events() == [told[0]]
        assert [problem.file for problem in watch.problems] == [str(file)] * told[1]
        log.lines.clear()
    await fleet.aclose()


def test_a_running_sidecar_shows_it(tmp_path: Path, file: Path) -> None:
    """Although no store needs it."""
    configs = tmp_path / "configs"
    configs.mkdir()
    manifests.local(configs, "files", tmp_path)
    with running_sidecar(configs, "--access-config", str(file)) as sidecar:

        def shown() -> list[str]:
            return [problem["message"] for problem in json.loads(sidecar.http("/configs"))["problems"]]

        assert shown() == []
        file.write_text(WRONG)
        eventually(shown)
        assert shown() == [f"{file}:1: providers[0].execConfig: is required"]
        assert "store_plugin_config_problems 1.0" in sidecar.http("/metrics")
        access_file(tmp_path, provider("p"))
        eventually(lambda: not shown())
        eventually(lambda: "access config renewed" in sidecar.log)
        assert TOLD in sidecar.log
