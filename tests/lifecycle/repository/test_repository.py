"""What is published is found and fetched again, and what is wrong with a repository is told."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from store_plugin.errors import (
    AlreadyRegistered,
    InvalidRequest,
    PluginNotFound,
    PluginUntrusted,
    StorePluginError,
    StoreUnavailable,
    TooLarge,
)
from store_plugin.lifecycle.repository import fetching, index
from store_plugin.lifecycle.repository.fetching import fetch, shown
from store_plugin.lifecycle.repository.index import INDEX_NAME, read_index
from store_plugin.lifecycle.repository.publishing import Publication, publish, signed
from store_plugin.trust import Signer, verified
from tests.support.ports import free_port


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "shelves.pyz"
    path.write_bytes(b"#!/bin/sh\necho hello\n")
    return path


@pytest.fixture
def repository(tmp_path: Path, executable: Path) -> Path:
    directory = tmp_path / "repository"
    publish(directory, Publication(executable, "shelves", "1.0", "c2lnbmVk"))
    return directory


@contextmanager
def web_server(directory: Path, **redirects: str) -> Iterator[str]:
    """Serves a directory; `redirects`: Location by the first part of the path."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(directory))

        def do_GET(self) -> None:
            if (target := redirects.get(self.path.split("/")[1])) is not None:
                self.send_response(302)
                self.send_header("Location", target)
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_directory_is_a_repository(repository: Path, executable: Path, tmp_path: Path) -> None:
    fetched = fetch(str(repository), "shelves", "1.0", tmp_path)
    assert fetched.file.read_bytes() == executable.read_bytes()
    assert (fetched.release.version, fetched.release.signature) == ("1.0", "c2lnbmVk")


def test_a_web_server_is_a_repository(repository: Path, executable: Path, tmp_path: Path) -> None:
    with web_server(repository) as url:
        fetched = fetch(url, "shelves", None, tmp_path)
    assert fetched.file.read_bytes() == executable.read_bytes()
    assert fetched.where == f"{url}/"


def test_the_last_one_published_is_meant_where_no_version_is_said(
    repository: Path, executable: Path, tmp_path: Path
) -> None:
    executable.write_bytes(b"#!/bin/sh\necho newer\n")
    publish(repository, Publication(executable, "shelves", "1.1"))
    assert fetch(str(repository), "shelves", None, tmp_path).release.version == "1.1"
    assert fetch(str(repository), "shelves", "1.0", tmp_path).release.version == "1.0"


@pytest.mark.parametrize(("name", "version"), [("other", None), ("shelves", "9")])
def test_what_is_not_there_is_told_with_what_is(
    repository: Path, tmp_path: Path, name: str, version: str | None
) -> None:
    with pytest.raises(PluginNotFound, match=r"it has (shelves|1\.0)"):
        fetch(str(repository), name, version, tmp_path)


def test_what_was_published_never_changes(repository: Path, executable: Path) -> None:
    publish(repository, Publication(executable, "shelves", "1.0", "c2lnbmVk"))  # the same again
    executable.write_bytes(b"other")
    with pytest.raises(AlreadyRegistered, match="another version"):
        publish(repository, Publication(executable, "shelves", "1.0"))
    assert len(json.loads((repository / INDEX_NAME).read_text())["releases"]) == 1


def test_several_publish_at_once_and_all_are_in_the_index(executable: Path, tmp_path: Path) -> None:
    directory = tmp_path / "repository"
    with ThreadPoolExecutor(8) as threads:
        for number in range(24):
            threads.submit(publish, directory, Publication(executable, "shelves", f"1.{number}"))
    found = read_index((directory / INDEX_NAME).read_bytes(), "here").releases
    assert len(found) == 24
    assert not [path for path in directory.iterdir() if path.name.startswith(".")]


DAMAGED = {
    "no JSON": (b"{", "Invalid JSON"),
    "another format": (b'{"formatVersion": 2}', "formatVersion"),
    "unknown field": (b'{"formatVersion": 1, "more": 1}', "more"),
    "a path as file": (
        b'{"releases":[{"name":"a","version":"1","file":"../a","size":1,"digest":"%s"}]}',
        "plain name",
    ),
    "the index as file": (
        b'{"releases":[{"name":"a","version":"1","file":"index.json","size":1,"digest":"%s"}]}',
        "plain name",
    ),
    "a wrong name": (
        b'{"releases":[{"name":"../a","version":"1","file":"a","size":1,"digest":"%s"}]}',
        "DNS label",
    ),
    "a wrong digest": (
        b'{"releases":[{"name":"a","version":"1","file":"a","size":1,"digest":"1"}]}',
        "SHA-256",
    ),
    "a huge size": (
        b'{"releases":[{"name":"a","version":"1","file":"a","size":99999999999,"digest":"%s"}]}',
        "size",
    ),
}


@pytest.mark.parametrize(("content", "told"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_index_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / INDEX_NAME).write_bytes(content.replace(b"%s", b"a" * 64))
    with pytest.raises(InvalidRequest, match=told) as refused:
        fetch(str(tmp_path), "a", None, tmp_path)
    assert "damaged" in refused.value.message


def test_a_huge_index_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (index, fetching):
        monkeypatch.setattr(module, "MAX_INDEX_BYTES", 1000)
    (tmp_path / INDEX_NAME).write_bytes(b" " * 10_000)
    with pytest.raises(TooLarge):
        fetch(str(tmp_path), "a", None, tmp_path)
    with web_server(tmp_path) as url, pytest.raises(TooLarge):
        fetch(url, "a", None, tmp_path)


REFUSED_URLS = {
    "http://plugins.example.org/": "not encrypted",
    "http://10.0.0.1/x": "not encrypted",
    "ftp://127.0.0.1/": "no https",
    "https:///x": "no https",
    "https://[::1": "not a URL",
    "https://plugins.example.org/?token=canary": "no query",
}


@pytest.mark.parametrize(("url", "told"), REFUSED_URLS.items())
def test_an_address_that_is_not_safe_is_refused(url: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=told) as refused:
        fetch(url, "shelves", None, tmp_path)
    assert "canary" not in refused.value.message


@pytest.mark.parametrize(
    ("target", "error"),
    [("http://plugins.example.org/index.json", InvalidRequest), ("/index.json", StoreUnavailable)],
)
def test_a_redirect_leads_to_no_unsafe_place_and_not_round_in_circles(
    repository: Path, tmp_path: Path, target: str, error: type[StorePluginError]
) -> None:
    with web_server(repository, **{"index.json": target}) as url, pytest.raises(error):
        fetch(url, "shelves", None, tmp_path)


def test_what_began_encrypted_stays_so() -> None:
    there = "https://plugins.example.org/index.json"
    assert fetching._redirected(there, "/moved.json") == "https://plugins.example.org/moved.json"
    assert fetching._redirected("http://127.0.0.1:1/a", "http://127.0.0.1:2/b") == "http://127.0.0.1:2/b"
    for target in ("http://127.0.0.1:8080/configs", "http://localhost/", "http://plugins.example.org/"):
        with pytest.raises(InvalidRequest, match="not encrypted"):
            fetching._redirected(there, target)


def test_a_redirect_to_a_safe_place_is_followed(repository: Path, executable: Path, tmp_path: Path) -> None:
    (repository / "moved.pyz").write_bytes(executable.read_bytes())
    with web_server(repository, **{"shelves-1.0.pyz": "/moved.pyz"}) as url:
        assert fetch(url, "shelves", None, tmp_path).file.read_bytes() == executable.read_bytes()


@pytest.mark.parametrize("content", [b"x" * 21, b"#!/bin/sh\necho evil!\n" * 100], ids=["other", "larger"])
def test_a_file_that_is_not_the_one_in_the_index_is_refused(
    repository: Path, tmp_path: Path, content: bytes
) -> None:
    (repository / "shelves-1.0.pyz").write_bytes(content)
    with web_server(repository) as url, pytest.raises(PluginUntrusted):
        fetch(url, "shelves", None, tmp_path)


def test_a_file_for_which_there_is_no_room_is_told(repository: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "shelves-1.0.pyz").mkdir()  # nothing can be written in its place
    with web_server(repository) as url, pytest.raises(StoreUnavailable, match="cannot be kept: Is a dir"):
        fetch(url, "shelves", None, there)


def test_what_does_not_answer_as_a_repository_is_told(tmp_path: Path) -> None:
    with web_server(tmp_path) as url, pytest.raises(InvalidRequest, match="answers 404"):
        fetch(url, "shelves", None, tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        fetch(url, "shelves", None, tmp_path)
    with pytest.raises(InvalidRequest, match="no repository"):
        fetch(str(tmp_path), "shelves", None, tmp_path)


def test_a_link_out_of_a_repository_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "shelves-1.0.pyz").unlink()
    (repository / "shelves-1.0.pyz").symlink_to("/bin/sh")
    with pytest.raises(InvalidRequest, match="symbolic link"):
        fetch(str(repository), "shelves", None, tmp_path)


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://me:canary@host:1/p?token=canary#x") == "https://host:1/p"


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate]
)
def test_a_signature_made_here_is_one_that_is_taken_here(executable: Path, tmp_path: Path, make: Any) -> None:
    private = make()
    key = tmp_path / "key.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signature = signed(executable, key)
    verified(executable.read_bytes(), signature.encode(), [Signer("k", private.public_key())])


def test_other_keys_do_not_sign(executable: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(b"canary")
    with pytest.raises(InvalidRequest, match="cosign") as refused:
        signed(executable, key)
    assert "canary" not in refused.value.message
    private = rsa.generate_private_key(65537, 2048)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InvalidRequest, match=r"P-256 and Ed25519"):
        signed(executable, key)
