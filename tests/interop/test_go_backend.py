"""A backend in Go that shares nothing with us but the .proto files keeps the contract of stores."""

import json
import subprocess
from pathlib import Path

import pytest

from store_plugin.lifecycle.administration.describing import describe
from store_plugin.trust import digest_of
from tests.support.sidecar import PROGRAM
from tests.support.tools import tool

MANIFEST = """\
apiVersion: memory.example.org/v1
kind: MemoryConfig
metadata:
  name: memory
spec:
  place: here
"""


@pytest.fixture
def backend() -> Path:
    return tool("memory-backend")


def test_it_passes_every_rule(backend: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "store.yaml"
    manifest.write_text(MANIFEST)
    command = [PROGRAM, "plugin", "test", "--config", str(manifest), "-o", "json", str(backend)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    assert report["failed"] == 0
    assert report["passed"] > 60


async def test_it_says_what_it_is(backend: Path) -> None:
    told = await describe(backend, digest_of(backend))
    assert (told.name, told.version) == ("memory", "1.0")
    assert [(kind.api_version, kind.kind) for kind in told.kinds] == [
        ("memory.example.org/v1", "MemoryConfig")
    ]
