"""The test kind and an empty config directory."""

from pathlib import Path

import pytest

from tests.support.fakes import GROUP_VERSION, FakeKind, RecordingLog

Kinds = dict[tuple[str, str], FakeKind]


@pytest.fixture
def kinds() -> Kinds:
    return {(GROUP_VERSION, "ShelfConfig"): FakeKind(), (GROUP_VERSION, "OtherConfig"): FakeKind()}


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    return directory


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()
