"""A disk that is really full, which takes a file system of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lifecycle.administration import full_disk

ROOT = Path(__file__).parents[3]
MOUNT = "mount -t tmpfs -o size=1m none"


def in_a_small_file_system(directory: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command while `directory` is a megabyte of memory, for that command alone."""
    script = f'{MOUNT} "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(directory), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    if in_a_small_file_system(tmp_path, "true").returncode != 0:
        missing = "no file system can be mounted here: allow user namespaces, or run the tests as root"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return tmp_path


def test_a_full_disk_costs_no_change_that_was_made_and_breaks_nothing(small: Path) -> None:
    ended = in_a_small_file_system(small, sys.executable, "-m", full_disk.__name__, str(small))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = ended.stdout.splitlines()
    assert len(told) == full_disk.MOST_PAGES
    assert any("audit record cannot be written: No space left on device" in line for line in told)
    assert any("catalog.db cannot be used: database or disk is full" in line for line in told)
