"""What is said where containers cannot be had."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """On a machine without any of the programs."""
    return subprocess.run(
        [sys.executable, "-m", "tools.containers", *arguments],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_where_they_are_optional_one_line_says_what_is_skipped(tmp_path: Path) -> None:
    done = run(tmp_path, "--optional")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.endswith("TESTS OF CONTAINERS ARE SKIPPED")
    assert "make e2e-tools" in line
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "environment"), [((), {}), (("--optional",), {"CI": "true"})], ids=["wanted", "in CI"]
)
def test_elsewhere_it_is_an_error(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    done = run(tmp_path, *arguments, **environment)
    assert done.returncode == 1
    assert "podman" in done.stderr
    assert "must be installed" in done.stderr
