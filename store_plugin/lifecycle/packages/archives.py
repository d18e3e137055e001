"""Zip archives, read with suspicion and written so that the same content is the same bytes.

A name that climbs out of its directory, a symbolic link or a bomb is refused before anything is
unpacked, whoever made the archive.
"""

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from store_plugin.errors import InvalidRequest, TooLarge
from store_plugin.trust import MAX_EXECUTABLE_BYTES

MOST_MEMBERS = 50_000
_LONGEST_FIRST_LINE = 1024
"""Bytes; Linux reads 256 of it."""
_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
"""Of an archive: its first member, or its end where it has none."""
_UNREADABLE = (OSError, zipfile.BadZipFile, NotImplementedError, ValueError)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16


def check_archive(path: Path, called: str | None = None) -> None:
    """Look at all names and sizes of a zip archive; nothing is unpacked. `called`: what errors call it;
    None: by the file's name. InvalidRequest, TooLarge."""
    called = called or path.name
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _UNREADABLE:
        raise InvalidRequest(f"{called} is not a zip archive that can be read") from None
    if len(members) > MOST_MEMBERS:
        raise TooLarge(f"{called} has {len(members)} members; at most {MOST_MEMBERS} are taken")
    for member in members:
        _check_member(called, member)
    if (size := sum(member.file_size for member in members)) > MAX_EXECUTABLE_BYTES:
        raise TooLarge(f"{called} unpacks to {size} bytes; at most {MAX_EXECUTABLE_BYTES} are taken")


def is_archive(path: Path) -> bool:
    """Whether a file is, or ends in, a zip archive. What begins as one counts, also where it is damaged;
    the mark of an archive's end does not: programs that read archives hold it too."""
    try:
        if _begins_as_archive(path):
            return True
        with zipfile.ZipFile(path):
            return True
    except _UNREADABLE:
        return False


def zipapp(directory: Path, interpreter: str) -> bytes:
    """The content of a directory as a zipapp that `interpreter` runs: same files, same bytes."""
    content = io.BytesIO()
    content.write(f"#!{interpreter}\n".encode())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in sorted(_files(directory)):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.external_attr = _MODE
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.read_bytes())
    return content.getvalue()


def _begins_as_archive(path: Path) -> bool:
    """At once, or after a first line that names an interpreter, as a zipapp does."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_FIRST_LINE)
    if start.startswith(b"#!"):
        start = start.partition(b"\n")[2]
    return start.startswith(_BEGINNINGS)


def _check_member(called: str, member: zipfile.ZipInfo) -> None:
    # `filename` has lost what follows a NUL, and has its separators changed.
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0]:
        raise InvalidRequest(f"{called} holds a name that leaves its directory: {name[:200]!r}")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidRequest(f"{called} holds what is no file and no directory: {name[:200]!r}")


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in directory.rglob("*"):
        if path.is_symlink():
            raise InvalidRequest(
                f"{path.relative_to(directory)} is a symbolic link: put the file itself there"
            )
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path
