"""One run of a plugin, behaving and misbehaving."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from store_plugin.access.exec_credential import API_VERSIONS, EXEC_INFO, ExecInfo
from store_plugin.access.execution.collecting import LONGEST_ANSWER, GivingUp
from store_plugin.access.execution.runner import ExecCall, Executable, Runner
from store_plugin.errors import (
    ConfigInvalid,
    LoginRefused,
    PluginUntrusted,
    StorePluginError,
    StoreUnavailable,
)
from tests.support.exec_plugins import ExecPlugin
from tests.support.processes import alive
from tests.support.waiting import eventually

CANARY = "canary-5b1f"
V1, V1BETA1 = API_VERSIONS


def call(path: object, *arguments: str, version: str = V1, hint: str = "", **environment: str) -> ExecCall:
    return ExecCall(
        provider="tests",
        command=str(path),
        arguments=arguments,
        environment={"PATH": "/usr/bin:/bin", **environment},
        info=ExecInfo(version),
        install_hint=hint,
    )


def test_arguments_environment_and_request_reach_the_plugin_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", CANARY)
    plugin = ExecPlugin(tmp_path, body=f'printf "%s|" "$@" > {tmp_path}/args; env > {tmp_path}/env; exit 1\n')
    with pytest.raises(LoginRefused):
        Runner().run(call(plugin.path, "--a", "b c", CLIENT_ID="x"))
    assert (tmp_path / "args").read_text() == "--a|b c|"
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert seen["CLIENT_ID"] == "x"
    assert json.loads(seen[EXEC_INFO]) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    assert "VAULT_TOKEN" not in seen


def test_a_name_is_found_on_the_plugins_own_path(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, "found-by-name")
    plugin.answers("t")
    assert Runner().run(call("found-by-name", PATH=f"{tmp_path}:/bin:/usr/bin")).token == "t"


def test_a_missing_plugin_is_told_with_its_install_hint(tmp_path: Path) -> None:
    for command in (tmp_path / "missing", "missing-on-path"):
        with pytest.raises(ConfigInvalid, match=r"'tests'.*missing.* is not there.*; apt install it"):
            Runner().run(call(command, hint="apt install it\n"))


def test_an_install_hint_is_one_line_that_no_terminal_obeys(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Runner().run(call(tmp_path / "missing", hint="first\n\x1b[31mapt\tinstall it\n"))
    assert caught.value.message.endswith("is not there; first [31mapt install it")


@pytest.mark.parametrize("text", ["\0", "\ud800"], ids=["nul", "half a character"])
def test_what_no_program_can_be_given_is_told_and_not_shown(tmp_path: Path, text: str) -> None:
    plugin = ExecPlugin(tmp_path)
    for given in (call(plugin.path, CANARY + text), call(plugin.path, SECRET=CANARY + text)):
        with pytest.raises(ConfigInvalid, match="is given what no argument or variable can hold") as caught:
            Runner().run(given)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
    assert plugin.runs == 0


def test_a_file_that_is_not_executable_and_one_that_is_no_program_are_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ConfigInvalid, match="is not executable"):
        Runner().run(call(tmp_path / "text"))
    (tmp_path / "text").chmod(0o700)
    with pytest.raises(ConfigInvalid, match="cannot be executed: Exec format error"):
        Runner().run(call(tmp_path / "text"))
    (tmp_path / "text").write_text("#!/no/such/interpreter\n")
    with pytest.raises(ConfigInvalid, match="cannot be executed: No such file"):
        Runner().run(call(tmp_path / "text"))


ANSWER = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": CANARY}})


@pytest.mark.parametrize(
    ("body", "error", "problem"),
    [
        ("exit 7\n", LoginRefused, "failed with exit code 7"),
        (f"echo '{ANSWER}'; echo {CANARY} >&2; exit 1\n", LoginRefused, "failed with exit code 1"),
        ("kill -SEGV $$\n", StoreUnavailable, "was ended by SIGSEGV"),
        ("kill -KILL $$\n", StoreUnavailable, "was ended by SIGKILL"),
        (f"echo {CANARY}\n", ConfigInvalid, "does not answer as one: what it printed is no JSON object"),
        ("", ConfigInvalid, "no JSON object"),
        ("printf '\\377\\376'\n", ConfigInvalid, "no JSON object"),
        (f"echo '{ANSWER.replace('/v1', '/v1beta1')}'\n", ConfigInvalid, "answers in another version"),
        (f"echo '{ANSWER} {ANSWER}'\n", ConfigInvalid, "no JSON object"),
        ("head -c 10000000 /dev/zero\n", ConfigInvalid, "prints more than a credential can be"),
    ],
    ids=[
        "exit",
        "exit-after-answer",
        "crash",
        "killed",
        "garbage",
        "nothing",
        "bytes",
        "version",
        "two",
        "10MB",
    ],
)
def test_a_plugin_that_misbehaves_is_told_without_what_it_said(
    tmp_path: Path, body: str, error: type[StorePluginError], problem: str
) -> None:
    plugin = ExecPlugin(tmp_path, body=body)
    with pytest.raises(error, match=problem) as caught:
        Runner().run(call(plugin.path))
    assert CANARY not in str(caught.value) + repr(caught.value.__context__)
    assert "provider 'tests'" in str(caught.value)


def test_endless_output_takes_no_more_memory_than_an_answer_may(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body="exec cat /dev/zero\n")
    before = psutil.Process().memory_info().rss
    with pytest.raises(ConfigInvalid, match="prints more"):
        Runner().run(call(plugin.path))
    assert psutil.Process().memory_info().rss - before < 16 * LONGEST_ANSWER


def test_a_flood_on_standard_error_is_no_answer_and_no_obstacle(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body=f"head -c 3000000 /dev/zero >&2; echo '{ANSWER}'\n")
    assert Runner().run(call(plugin.path)).token == CANARY


def test_a_plugin_that_is_just_being_replaced_may_be_run_later(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path)
    plugin.answers("t")
    with plugin.path.open("ab"), pytest.raises(StoreUnavailable, match="Text file busy") as caught:
        Runner().run(call(plugin.path))
    assert caught.value.retry_after
    assert Runner().run(call(plugin.path)).token == "t"


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE], ids=os.strerror)
def test_what_is_short_for_a_moment_is_no_mistake_in_the_config(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    plugin = ExecPlugin(tmp_path)
    for name in ("subprocess.Popen", "os.pidfd_open"):
        with (
            monkeypatch.context() as patched,
            pytest.raises(StoreUnavailable, match="cannot be run now") as caught,
        ):
            patched.setattr(name, short)
            Runner().run(call(plugin.path))
        assert caught.value.retry_after


def test_a_plugin_that_is_not_ours_to_end_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that has become another user's."""

    def refused(*_: object) -> None:
        raise PermissionError

    plugin = ExecPlugin(tmp_path, body=f"while [ ! -e {tmp_path}/release ]; do sleep 0.1; done\n")
    monkeypatch.setattr("store_plugin.access.execution.collecting._LONGEST_END", 0.1)
    with ThreadPoolExecutor(1) as threads, monkeypatch.context() as patched:
        patched.setattr("os.killpg", refused)
        try:
            running = threads.submit(Runner(timeout=0.2).run, call(plugin.path))
            with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
                running.result(20)
        finally:
            (tmp_path / "release").touch()


def test_a_plugin_that_hangs_is_ended(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body="exec sleep 600\n")
    with pytest.raises(StoreUnavailable, match=r"no answer within 0.2 s") as caught:
        Runner(timeout=0.2).run(call(plugin.path))
    assert caught.value.retry_after


def test_a_plugin_that_complains_for_ever_is_ended(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body="exec cat /dev/zero >&2\n")
    with pytest.raises(StoreUnavailable, match=r"no answer within 0.2 s"):
        Runner(timeout=0.2).run(call(plugin.path))


def test_what_a_plugin_started_ends_with_it(tmp_path: Path) -> None:
    plugin = ExecPlugin(
        tmp_path, body=f"sleep 600 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/child; wait\n"
    )
    giving_up = GivingUp()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(Runner(timeout=60, giving_up=giving_up).run, call(plugin.path))
        eventually((tmp_path / "child").exists)
        giving_up.tell()
        with pytest.raises(StoreUnavailable, match="was ended"):
            running.result(20)
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not alive(child))


def test_a_child_that_holds_the_output_open_delays_nobody(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body=f"sleep 600 & echo '{ANSWER}'\n")
    assert Runner(timeout=20).run(call(plugin.path)).token == CANARY


def test_a_credential_that_has_expired_is_refused(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path)
    plugin.answers(CANARY, lasts=timedelta(seconds=-5))
    with pytest.raises(LoginRefused, match="had expired at 20") as caught:
        Runner().run(call(plugin.path))
    assert CANARY not in str(caught.value)


def test_nothing_is_run_for_those_who_have_given_up(tmp_path: Path) -> None:
    asked: list[Path] = []

    @contextmanager
    def verify(_name: str, path: Path) -> Iterator[Executable]:
        asked.append(path)
        yield Executable(path)

    plugin = ExecPlugin(tmp_path)
    giving_up = GivingUp()
    giving_up.tell()
    with pytest.raises(StoreUnavailable, match="the access config was closed"):
        Runner(verify=verify, giving_up=giving_up).run(call(plugin.path))
    assert (asked, plugin.runs) == ([], 0)


def test_a_plugin_reads_nothing_from_our_standard_input(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body=f"read -r line && exit 9; echo '{ANSWER}'\n")
    assert Runner().run(call(plugin.path)).token == CANARY


def test_a_plugin_that_may_asks_the_person_at_standard_input(tmp_path: Path) -> None:
    """Which is that of the whole program: so a program of its own shows it."""
    plugin = ExecPlugin(
        tmp_path, body=f"echo 'Code:' >&2; read -r code; echo '{ANSWER}' | sed s/{CANARY}/$code/\n"
    )
    program = (
        "from store_plugin.access.exec_credential import ExecInfo\n"
        "from store_plugin.access.execution.runner import ExecCall, Runner\n"
        f"info = ExecInfo({V1!r}, interactive=True)\n"
        f"call = ExecCall('tests', {str(plugin.path)!r}, (), {{'PATH': '/usr/bin:/bin'}}, info)\n"
        "print(Runner().run(call).token)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input="4711\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("4711\n", "Code:\n")


def test_standard_error_goes_to_whom_it_concerns(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body="echo first >&2; echo; printf 'not\\tallow\\033ed\\n' >&2; exit 1\n")
    lines: list[tuple[str, str]] = []
    with pytest.raises(LoginRefused):
        Runner(on_output=lambda name, line: lines.append((name, line))).run(call(plugin.path))
    assert lines == [("tests", "first"), ("tests", "not allow ed")]


def test_w5_an_executable_is_verified_before_it_is_run(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path)
    plugin.answers("t")
    asked: list[tuple[str, Path]] = []

    @contextmanager
    def refusing(name: str, path: Path) -> Iterator[Executable]:
        asked.append((name, path))
        raise PluginUntrusted("nobody signed it")
        yield

    with pytest.raises(PluginUntrusted):
        Runner(verify=refusing).run(call(plugin.path))
    assert asked == [("tests", plugin.path)]
    assert plugin.runs == 0


def test_w5_what_is_executed_may_be_an_open_file(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body=f"echo '{ANSWER}'\n")

    @contextmanager
    def opened(_name: str, path: Path) -> Iterator[Executable]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield Executable(Path(f"/proc/self/fd/{descriptor}"), (descriptor,))
        finally:
            os.close(descriptor)

    assert Runner(verify=opened).run(call(plugin.path)).token == CANARY


def test_a_plugin_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    """So that signals to ours do not end it, and it can be ended with all it started."""
    plugin = ExecPlugin(tmp_path, body=f"cut -d' ' -f6 /proc/$$/stat > {tmp_path}/sid; echo '{ANSWER}'\n")
    Runner().run(call(plugin.path))
    assert int((tmp_path / "sid").read_text()) != os.getsid(0)


def test_a_signal_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    plugin = ExecPlugin(tmp_path, body="kill -40 $$\n")
    with pytest.raises(StoreUnavailable, match="was ended by signal 40"):
        Runner().run(call(plugin.path))
