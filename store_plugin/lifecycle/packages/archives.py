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
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16


def check_archive(path: Path) -> None:
    """Look at all names and sizes of a zip archive; nothing is unpacked. InvalidRequest, TooLarge."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        raise InvalidRequest(f"{path.name} is not a zip archive that can be read") from None
    if len(members) > MOST_MEMBERS:
        raise TooLarge(f"{path.name} has {len(members)} members; at most {MOST_MEMBERS} are taken")
    for member in members:
        _check_member(path, member)
    if (size := sum(member.file_size for member in members)) > MAX_EXECUTABLE_BYTES:
        raise TooLarge(f"{path.name} unpacks to {size} bytes; at most {MAX_EXECUTABLE_BYTES} are taken")


def is_archive(path: Path) -> bool:
    """Whether a file is, or ends in, a zip archive."""
    try:
        return zipfile.is_zipfile(path)
    except OSError:
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


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    # `filename` has lost what follows a NUL, and has its separators changed.
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0]:
        raise InvalidRequest(f"{path.name} holds a name that leaves its directory: {name[:200]!r}")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidRequest(f"{path.name} holds what is no file and no directory: {name[:200]!r}")


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in directory.rglob("*"):
        if path.is_symlink():
            raise InvalidRequest(
                f"{path.relative_to(directory)} is a symbolic link: put the file itself there"
            )
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path
