"""Archives are looked into before they are unpacked."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from store_plugin.errors import InvalidRequest, TooLarge
from store_plugin.lifecycle.packages import archives
from store_plugin.lifecycle.packages.archives import check_archive, is_archive, zipapp


def archive(directory: Path, *members: zipfile.ZipInfo | str) -> Path:
    path = directory / "a.zip"
    with zipfile.ZipFile(path, "w") as written:
        for member in members:
            written.writestr(member, b"content")
    return path


def kind(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    return member


CLIMBING = ["../x", "a/../../x", "/etc/x", "a\\..\\x", "C:/x", ".."]


@pytest.mark.parametrize("name", CLIMBING)
def test_a_name_that_leaves_its_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="leaves its directory"):
        check_archive(archive(tmp_path, "fine", name))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "pipe", "device"])
def test_a_link_or_a_device_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidRequest, match="no file and no directory"):
        check_archive(archive(tmp_path, kind("x", mode | 0o777)))


def test_what_is_there_normally_passes(tmp_path: Path) -> None:
    path = archive(
        tmp_path, "a/b.py", kind("c", stat.S_IFREG | 0o644), kind("d/", stat.S_IFDIR | 0o755), "..x"
    )
    check_archive(path)
    assert is_archive(path)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_EXECUTABLE_BYTES", 10)
    with pytest.raises(TooLarge, match="unpacks to 14 bytes"):
        check_archive(archive(tmp_path, "a", "b"))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(TooLarge, match="2 members"):
        check_archive(archive(tmp_path, "a", "b"))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + b"\xff" * 18], ids=repr)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InvalidRequest, match="not a zip archive"):
        check_archive(tmp_path / "a.zip")


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        written.writestr("__main__.py", "print()")
    return content.getvalue()


MARK = b"PK\x05\x06"
"""What an archive ends in, and what programs look for that read archives."""
ECHO = Path("/bin/echo").read_bytes()
ARCHIVES = {
    "an archive": zipped(),
    "a zipapp": b"#!/usr/bin/env python3\n" + zipped(),
    "a native executable that unpacks itself": ECHO + zipped(),
    "a script that unpacks itself": b"#!/bin/sh\nexec unzip $0\n" + zipped(),
    "half an archive": zipped()[:-30],
    "half a zipapp": b"#!/usr/bin/env python3\n" + zipped()[:-30],
    "a zipapp with bytes lost": b"#!/usr/bin/env python3\n" + zipped()[:20] + zipped()[40:],
}
OTHERS = {
    "nothing": b"",
    "a script": b"#!/bin/sh\n",
    "a script that tells of archives": b"#!/bin/sh\n# ends in " + MARK + b", and so on\nexec sleep 60\n",
    "a native executable": ECHO,
    "a native executable that reads archives": ECHO + MARK + ECHO[-200:],
}


@pytest.mark.parametrize("name", [*ARCHIVES, *OTHERS])
def test_what_is_or_was_an_archive_is_told_from_what_only_holds_its_marks(tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    file.write_bytes((ARCHIVES | OTHERS)[name])
    assert is_archive(file) == (name in ARCHIVES)


def test_a_zipapp_takes_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidRequest, match="link is a symbolic link"):
        zipapp(tmp_path, "/usr/bin/env python3")


def test_a_zipapp_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    made = []
    for directory, order in (("a", ("x.py", "y.py")), ("b", ("y.py", "x.py"))):
        (tmp_path / directory).mkdir()
        for name in order:
            file = tmp_path / directory / name
            file.write_text(f"print({name!r})")
            file.chmod(0o600 if directory == "a" else 0o755)
        made.append(zipapp(tmp_path / directory, "/usr/bin/env python3"))
    assert made[0] == made[1]
    assert made[0].startswith(b"#!/usr/bin/env python3\nPK")
