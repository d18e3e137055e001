"""A directory of manifests, each file read once per change.

Files taken are `*.yaml` and `*.yml` directly in the directory, symbolic links followed;
names that begin with a dot are not, nor are subdirectories. So a mounted ConfigMap works:
its files are links into `..data`, a link itself that Kubernetes swaps.
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from store_plugin.config.declarations import FileReading, Problem, broken_file
from store_plugin.config.kinds import KindName, Kinds
from store_plugin.config.manifests.reader import read_manifests
from store_plugin.config.merging import Reading, carry_over, merge
from store_plugin.signatures import Signature, lasting, signature_of

MAX_FILE_BYTES = 8 * 1024 * 1024
"""Largest file that is read, in bytes."""

_MOST_LOOKS_AGAIN = 5
_SUFFIXES = (".yaml", ".yml")
Look: TypeAlias = Mapping[str, Signature]
"""The files of a directory with what tells a change of each."""


def read_directory(directory: Path, kinds: Kinds) -> Reading:
    """What the directory declares now. A directory that cannot be read is a problem too."""
    reader = DirectoryReader(directory, kinds)
    try:
        look = reader.look()
    except OSError as error:
        return Reading(problems=(unreadable_directory(directory, error),))
    reader.read(look, look)
    return reader.reading()


def unreadable_directory(directory: Path, error: OSError) -> Problem:
    """The problem with a config directory that cannot be listed."""
    return Problem(str(directory), 0, f"the config directory cannot be read: {error.strerror}")


@dataclass(frozen=True, slots=True)
class _ReadFile:
    signature: Signature | None
    """None: read it again, its times tell nothing yet."""
    digest: bytes
    reading: FileReading


class DirectoryReader:
    """Reads a directory again and again, each file only when it changed.

    Blocking: for a thread, one call at a time.
    """

    def __init__(self, directory: Path, kinds: Kinds) -> None:
        self._directory = directory
        self._kinds = kinds
        self._files: dict[str, _ReadFile] = {}

    def look(self) -> Look:
        """The files there are now. Raises OSError where the directory cannot be listed.

        One that was read and is not there may just have got another name, between the listing
        and the look at itself: so it counts as gone once two looks agree on what there is.
        """
        found = self._seen()
        for _ in range(_MOST_LOOKS_AGAIN):
            if found.keys() >= self._files.keys():
                break
            before, found = found, self._seen()
            if found.keys() == before.keys():
                break
        return found

    def _seen(self) -> Look:
        with os.scandir(self._directory) as entries:
            names = sorted(entry.name for entry in entries if _is_manifest(entry.name))
        signatures = {name: _signature(self._directory / name) for name in names}
        return {name: signature for name, signature in signatures.items() if signature is not None}

    def is_current(self, look: Look) -> bool:
        """Whether everything in `look` has been read, and nothing else."""
        return look.keys() == self._files.keys() and all(
            self._files[name].signature == signature for name, signature in look.items()
        )

    def read(self, look: Look, names: Collection[str]) -> bool:
        """Take in those of `names` that changed since they were read; returns whether any
        of them says something new."""
        changed = [name for name in names if self._read_file(name, look.get(name))]
        return bool(changed)

    def forget(self, kinds: Collection[KindName]) -> Look:
        """Have the files read again, unchanged or not, that may hold configs of these kinds;
        returns how they were when they were read, where that is known."""
        files = {name: file for name, file in self._files.items() if _may_hold(file.reading, kinds)}
        for name, file in files.items():
            self._files[name] = replace(file, signature=None, digest=b"")
        return {name: file.signature for name, file in files.items() if file.signature is not None}

    @property
    def names(self) -> Collection[str]:
        """The files read so far and not gone since."""
        return self._files.keys()

    def reading(self) -> Reading:
        """All files put together."""
        return merge(self._files[name].reading for name in sorted(self._files))

    def _read_file(self, name: str, signature: Signature | None) -> bool:
        before = self._files.get(name)
        if signature is None:
            return self._files.pop(name, None) is not None
        if before is not None and before.signature == signature:
            return False
        try:
            content = _content(self._directory / name)
        except OSError as error:
            return self._keep(name, None, b"", _unreadable(name, error))
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if before is not None and before.digest == digest:
            self._files[name] = replace(before, signature=lasting(signature))
            return False
        return self._keep(name, lasting(signature), digest, self._parse(name, content))

    def _keep(self, name: str, signature: Signature | None, digest: bytes, reading: FileReading) -> bool:
        before = self._files.get(name)
        if before is not None:
            reading = carry_over(before.reading, reading)
        self._files[name] = _ReadFile(signature, digest, reading)
        return before is None or before.reading != reading

    def _parse(self, name: str, content: bytes) -> FileReading:
        if len(content) > MAX_FILE_BYTES:
            return broken_file(Problem(name, 0, f"the file is larger than {MAX_FILE_BYTES} bytes"))
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            return broken_file(Problem(name, line, "the file is not UTF-8 text"))
        try:
            return read_manifests(name, text, self._kinds)
        except Exception as error:  # a parser or a model may fail in any way; other files must not
            return broken_file(Problem(name, 0, f"the file cannot be read ({type(error).__name__})"))


def _may_hold(reading: FileReading, kinds: Collection[KindName]) -> bool:
    named = ((config.reference.api_version, config.reference.kind) for config in reading.configs)
    return reading.unidentified is not None or any(kind in kinds for kind in named)


def _is_manifest(name: str) -> bool:
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def _signature(path: Path) -> Signature | None:
    """None for what is no file. A link that points to nothing counts as a file that
    cannot be read, so that nothing is lost by it."""
    try:
        return signature_of(path)
    except OSError as error:
        return (-(error.errno or 1),) if path.is_symlink() else None


def _content(path: Path) -> bytes:
    """At most one byte more than allowed, so that the size tells."""
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def _unreadable(name: str, error: OSError) -> FileReading:
    return broken_file(Problem(name, 0, f"the file cannot be read: {error.strerror}"))
