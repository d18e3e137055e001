"""Exit codes as a shell sees them, from the installed command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store_plugin import errors
from store_plugin.cli._failures import failure_of
from store_plugin.errors import (
    Code,
    ConnectionLost,
    DeadlineExceeded,
    NotReachable,
    StorePluginError,
    StoreUnavailable,
)
from tests.client.ess_server import EssServer

PROGRAM = str(Path(sys.executable).with_name("store-plugin"))


def run(endpoint: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "STORE_PLUGIN_ENDPOINT": endpoint, "STORE_PLUGIN_CONNECT_TIMEOUT": "30"}
    return subprocess.run([PROGRAM, *arguments], env=environ, capture_output=True, text=True, timeout=60)


def test_done_ends_with_zero(endpoint: str, server: EssServer) -> None:
    assert run(endpoint, "get", "LocalConfig/files", "team-a/db").returncode == 0


def test_refused_ends_with_one(endpoint: str, server: EssServer) -> None:
    server.fail("GetSecret", errors.ScopeNotAllowed("not yours"))
    done = run(endpoint, "get", "LocalConfig/files", "team-a/db")
    assert (done.returncode, done.stderr) == (1, "Error: not yours (SCOPE_NOT_ALLOWED)\n")


def test_who_shows_no_token_is_told_how(endpoint: str, server: EssServer) -> None:
    server.fail("GetSecret", errors.CallerUnknown("this socket needs a token"))
    done = run(endpoint, "get", "LocalConfig/files", "team-a/db")
    told = "Error: this socket needs a token; give --token-file (CALLER_UNKNOWN)\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_token_that_cannot_be_read_is_told_as_it_is(endpoint: str, server: EssServer) -> None:
    done = run(endpoint, "get", "LocalConfig/files", "team-a/db", "--token-file", "/nonexistent/token")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot read the token file /nonexistent/token: ")
    assert "give --token-file" not in done.stderr


def test_wrong_usage_ends_with_two(endpoint: str) -> None:
    assert run(endpoint, "get").returncode == 2


def test_not_reachable_ends_with_three(endpoint: str) -> None:
    done = run(endpoint, "get", "LocalConfig/files", "team-a/db", "--connect-timeout", "0.3")
    assert done.returncode == 3
    assert endpoint in done.stderr
    assert len(done.stderr.splitlines()) == 1  # nothing of gRPC's own


def test_unset_variables_of_other_commands_do_not_matter(endpoint: str, server: EssServer) -> None:
    environ = {**os.environ, "STORE_PLUGIN_ENDPOINT": endpoint, "STORE_PLUGIN_LISTEN": "nonsense"}
    command = [PROGRAM, "get", "LocalConfig/files", "team-a/db"]
    assert subprocess.run(command, env=environ, capture_output=True).returncode == 0


TRY_AGAIN = (
    NotReachable,
    ConnectionLost,
    StoreUnavailable,
    errors.BreakerOpen,
    errors.PluginDisconnected,
    DeadlineExceeded,
)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in errors.error_classes() if cls is not errors.RemoteError],
    ids=lambda cls: cls.__name__,
)
def test_each_error_has_its_exit_code(cls: type[StorePluginError]) -> None:
    assert failure_of(cls("why")).exit_code == (3 if cls in TRY_AGAIN else 1)


def test_unavailable_without_our_reason_may_be_tried_again() -> None:
    assert failure_of(errors.RemoteError(Code.UNAVAILABLE, "proxy")).exit_code == 3
