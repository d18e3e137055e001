"""The tool cache: what is missing is built once, and appears complete or not at all.

A script stands in for Go; what the real one builds, the tests against a real API server use.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.build import TOOLS, Tool

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "tools" / "build.py"
OURS = TOOLS["crossplane-client"].path().name
_BUILDS = """\
[ "$1" = env ] && { echo go1.26.8; exit; }
echo "$*" >> "$GO_CALLS"
while [ "$1" != -o ]; do shift; done
printf built > "$2"
"""
_FAILS = """\
[ "$1" = env ] && { echo go1.26.8; exit; }
echo "$*" >> "$GO_CALLS"
while [ "$1" != -o ]; do shift; done
printf half > "$2"
[ "$3" != go.etcd.io/etcd/server/v3 ] || exit 1
"""


class Machine:
    """A user's machine: a PATH that holds this Go or none, and an empty cache."""

    def __init__(self, directory: Path) -> None:
        self.programs, self.bin = directory / "programs", directory / "cache/store-plugin/bin"
        self.programs.mkdir()
        self.calls = directory / "calls"
        self.calls.touch()
        self._environment = {"PATH": str(self.programs), "XDG_CACHE_HOME": str(directory / "cache")}
        self._environment["GO_CALLS"] = str(self.calls)

    def install_go(self, script: str) -> None:
        go = self.programs / "go"
        go.write_text(f"#!/bin/sh\n{script}")
        go.chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(BUILD), *arguments],
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        output, errors = process.communicate(timeout=100)
        return process.returncode, output, errors

    def built(self) -> list[str]:
        return sorted(path.name for path in self.bin.iterdir()) if self.bin.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_every_tool_is_built_once(machine: Machine) -> None:
    machine.install_go(_BUILDS)
    assert machine.run()[0] == 0
    calls = machine.calls.read_text()
    assert machine.run() == (0, "", "")
    assert machine.calls.read_text() == calls
    assert machine.built() == sorted(tool.path().name for tool in TOOLS.values())
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in calls


def test_only_what_was_asked_for_is_built(machine: Machine) -> None:
    machine.install_go(_BUILDS)
    status, _, errors = machine.run("etcd")
    assert (status, machine.built()) == (0, ["etcd-v3.6.16"])
    assert "etcd v3.6.16: building from its Go module; the first time takes 1 minute" in errors
    assert machine.run("--list")[1] == f"etcd\t{machine.bin}/etcd-v3.6.16\n"


def test_an_unknown_tool_is_refused_with_the_names_there_are(machine: Machine) -> None:
    status, _, errors = machine.run("etcdd")
    assert status == 2
    assert "no such tool: etcdd; there are etcd, kube-apiserver" in errors


def test_a_failed_build_leaves_nothing_and_keeps_no_other_from_being_built(machine: Machine) -> None:
    machine.install_go(_FAILS)
    status, _, errors = machine.run()
    assert status == 1
    assert "etcd could not be built; Go's own lines above say why" in errors
    assert machine.built() == sorted(tool.path().name for tool in TOOLS.values() if tool.name != "etcd")


def test_leftovers_of_a_killed_build_are_removed(machine: Machine) -> None:
    machine.install_go(_BUILDS)
    (machine.bin / ".building-x").mkdir(parents=True)
    machine.run("etcd")
    assert machine.built() == ["etcd-v3.6.16"]


def test_two_runs_at_once_build_once(machine: Machine, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    # The first build waits in the gate; opened by the test once the second run waits too.
    machine.install_go(_BUILDS.replace("printf built", f"read line < {gate}; printf built"))
    first = machine.start("etcd")
    writer = gate.open("w")  # returns once the build is reading
    second = machine.start("etcd")
    assert second.stderr is not None
    assert "another run is building tools" in second.stderr.readline()
    writer.write("go on\n")
    writer.close()
    assert [first.communicate(timeout=100) and first.returncode, second.wait(100)] == [0, 0]
    second.communicate()
    assert len(machine.calls.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(None, "Go is not installed: install Go 1.21 or newer", id="missing"),
        pytest.param("echo go1.19.8", "go1.19.8, which is too old: install Go 1.21", id="too old"),
        pytest.param("exit 1", "is broken, which is too old", id="broken"),
    ],
)
def test_without_a_go_that_can_build_the_message_says_what_to_do(
    machine: Machine, script: str | None, message: str
) -> None:
    if script:
        machine.install_go(script)
    status, _, errors = machine.run()
    assert (status, machine.built()) == (1, [])
    assert message in errors


@pytest.mark.parametrize(("environment", "status"), [({}, 0), ({"CI": "true"}, 1)], ids=["user", "CI"])
def test_a_missing_go_skips_tests_for_users_and_fails_in_ci(
    machine: Machine, environment: dict[str, str], status: int
) -> None:
    found, _, errors = machine.run("--optional", **environment)
    assert found == status
    assert len(errors.splitlines()) == 1
    assert ("TESTS THAT NEED IT ARE SKIPPED" in errors) == (status == 0)


def test_a_program_of_our_own_is_another_tool_once_its_source_changes(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module m\n")
    (tmp_path / "main.go").write_text("package main\n")
    tool = Tool("ours", "v1", str(tmp_path), ".", "1 minute", ours=True)
    before = tool.path()
    (tmp_path / "main_test.py").write_text("# not built from")
    assert tool.path() == before
    (tmp_path / "main.go").write_text("package main // changed\n")
    assert tool.path() != before
