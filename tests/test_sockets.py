"""Why a socket cannot be listened on is told as it is."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.sockets import cannot_listen, protect, remove_stale_socket

_NOBODY = 65534
TAKEN = "it is taken by another process"
DIRECTORY = "; is its directory there, and may this user write into it?"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may do everything, so what others may not has to be tried as one of them."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def why(endpoint: str) -> str:
    message = cannot_listen(Endpoint.parse(endpoint)).message
    assert message.startswith(f"cannot listen on {Endpoint.parse(endpoint)}: ")
    return message.partition(": ")[2]


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert why(f"unix://{tmp_path}/absent/s.sock") == "No such file or directory" + DIRECTORY


def test_a_directory_that_may_not_be_written_into_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with as_nobody():
        assert why(f"unix://{tmp_path}/s.sock") == "Permission denied" + DIRECTORY


def test_what_can_be_bound_after_all_was_taken_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert why(f"unix://{tmp_path}/s.sock") == TAKEN
    assert list(tmp_path.iterdir()) == []


def test_a_taken_abstract_name_is_told() -> None:
    name = f"store-plugin-test/{uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(f"\0{name}")
        assert why(f"@{name}") == TAKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "*", "0.0.0.0"])
def test_a_taken_port_is_told(host: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        assert why(f"{host}:{other.getsockname()[1]}") == TAKEN


def test_an_address_of_another_machine_is_told() -> None:
    assert why("192.0.2.1:4040") == "Cannot assign requested address"


def test_a_path_that_may_not_be_looked_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with as_nobody(), pytest.raises(InvalidRequest, match=r"cannot listen on .*: Permission denied"):
        remove_stale_socket(tmp_path / "closed" / "s.sock")


def test_a_group_that_a_socket_may_not_be_given_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.sock").touch()
    told = "--socket-group root: this user may not give .* to it; run as a member of the group"
    with as_nobody(), pytest.raises(InvalidRequest, match=told):
        protect(tmp_path / "s.sock", 0o660, "root")
