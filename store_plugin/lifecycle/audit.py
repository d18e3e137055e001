"""The record of what happened to plugins: JSON lines, each sealed together with the one before.

A line begins with its HMAC-SHA256 over the seal of the line before and its own text. So a line
that was changed, dropped, added or moved breaks the chain where it stood. Who has the key can
write another chain; therefore the newest seal, the head, is told to the log at intervals, where
somebody else keeps it. Files are closed at a size, and the chain goes on in the next.

Whoever writes may be killed in the middle of a line, and the power may fail. What half a line tells of
was not in force yet, so the next writer takes it out, and says so in a record of its own.
"""

import hmac
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from store_plugin.errors import StoreUnavailable, Tampered
from store_plugin.lifecycle.files import replace_file, settle, turn

MAX_FILE_BYTES = 16 * 1024 * 1024
"""A file that has grown to this is closed; the next event begins another."""
MOST_TEXT = 2048
"""Characters that one value of an event may have."""
_START = "0" * 64
_PREFIX = '{"seal":"'
_SEAL_AT = len(_PREFIX)
_SEAL_END = '",'
_TEXT_AT = _SEAL_AT + 64 + len(_SEAL_END)
_TAIL_BYTES = 64 * 1024

_NO_RECORD = "ends in a line that is no record: check it with 'store-plugin audit verify'"

Value = str | int | bool | list[str]
"""What an event's fields may hold: names, digests, numbers; never a secret."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole record found."""

    records: int
    head: str
    """The newest seal; 64 zeros where nothing is recorded."""


class AuditLog:
    """One directory. Several processes may write; each waits its turn. Blocking."""

    def __init__(self, directory: Path, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._directory = directory
        self._max_file_bytes = max_file_bytes

    def record(self, event: str, plugin: str, fields: Mapping[str, Value] | None = None) -> str:
        """Write an event down, and return the new head. StoreUnavailable where it cannot be
        written: then what it tells of must not happen."""
        try:
            with turn(self._directory):
                if torn := self._take_out_torn():
                    self._record("torn", "", {"bytes": len(torn), "text": torn.decode("ascii", "replace")})
                return self._record(event, plugin, fields or {})
        except OSError as error:
            raise StoreUnavailable(f"the audit record cannot be written: {error.strerror}") from None

    def head(self) -> str:
        """The newest seal. StoreUnavailable, Tampered."""
        try:
            with turn(self._directory):
                return self._end()[0]
        except OSError as error:
            raise _unreadable(error) from None

    def lines(self) -> Iterator[str]:
        """All records as they stand, oldest first."""
        for file in self._files():
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from lines

    def verify(self, head: str | None = None) -> Verdict:
        """Check every line there is now. Tampered says which one is wrong, or that `head`, noted elsewhere
        before, is not among the seals: then the end was cut off, or all was written anew.
        StoreUnavailable."""
        try:
            with turn(self._directory):  # nobody is in the middle of a line
                files = [(file, file.stat().st_size) for file in self._files()]
            key = self._key(new=False) if files else b""
            return _verdict(files, key, head)
        except OSError as error:
            raise _unreadable(error) from None

    def _record(self, event: str, plugin: str, fields: Mapping[str, Value]) -> str:
        head, number, file = self._end()
        text = _text(number + 1, event, plugin, fields)
        sealed = _seal(self._key(new=number == 0), head, text.encode())
        self._append(file, f"{_PREFIX}{sealed}{_SEAL_END}{text}\n".encode())
        return sealed

    def _take_out_torn(self) -> bytes:
        """What comes after the last whole line, which is gone then; nothing as a rule."""
        files = self._files()
        if not files:
            return b""
        with files[-1].open("r+b") as file:
            torn = _tail(file).rpartition(b"\n")[2]
            if torn and len(torn) < _TAIL_BYTES:
                file.truncate(file.seek(0, os.SEEK_END) - len(torn))
        return torn

    def _end(self) -> tuple[str, int, Path]:
        """The newest seal, the number of its record, and the file that the next one goes to."""
        files = self._files()
        for file in reversed(files):
            if (line := _last_line(file)) is not None:
                number = _number(line, file)
                full = file.stat().st_size >= self._max_file_bytes
                return line[_SEAL_AT : _SEAL_AT + 64], number, _after(file) if full else file
        return _START, 0, files[0] if files else self._directory / "audit-000001.jsonl"

    def _append(self, file: Path, line: bytes) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
                if size == 0:
                    settle(self._directory)
            except OSError:
                os.ftruncate(descriptor, size)  # half a line would break the chain
                raise
        finally:
            os.close(descriptor)

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("audit-*.jsonl"))

    def _key(self, *, new: bool) -> bytes:
        """The key of all seals, made with the first record. Tampered where it is gone later."""
        file = self._directory / "key"
        if not file.exists():
            if not new:
                raise Tampered(f"{file} is gone: without it nobody can tell what was changed")
            replace_file(file, secrets.token_bytes(32))
        return file.read_bytes()


def _verdict(files: Sequence[tuple[Path, int]], key: bytes, head: str | None) -> Verdict:
    """Of files, each as far as so many bytes. Tampered, OSError."""
    sealed, count, found = _START, 0, head in (None, _START)
    for file, size in files:
        with file.open("rb") as opened:
            lines = io.BytesIO(opened.read(size))
        for number, line in enumerate(lines, start=1):
            sealed = _seal(key, sealed, line[_TEXT_AT:-1])
            if not line.startswith(f"{_PREFIX}{sealed}{_SEAL_END}".encode()) or not line.endswith(b"\n"):
                raise Tampered(f"{file.name} line {number}: {_wrong(line)}")
            count += 1
            found = found or sealed == head
    if not found:
        raise Tampered("the head is not in the record: its end was cut off, or it was written anew")
    return Verdict(count, sealed)


def _wrong(line: bytes) -> str:
    if line.endswith(b"\n"):
        return "changed, or lines before it are missing or moved"
    return (
        "half a line, as the end of a process or of the power leaves it in the middle of a write; the next "
        "event that is recorded takes it out, and says so"
    )


def _unreadable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the audit record cannot be read: {error.strerror}")


def _number(line: str, file: Path) -> int:
    """Of a record. Tampered where the line is none."""
    try:
        return int(json.loads(line)["number"])
    except (ValueError, KeyError, TypeError):
        raise Tampered(f"{file.name} {_NO_RECORD}") from None


def _text(number: int, event: str, plugin: str, fields: Mapping[str, Value]) -> str:
    """The line after its seal: JSON without its opening brace."""
    record: dict[str, Value] = {
        "number": number,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": event,
        "plugin": plugin,
    }
    assert not record.keys() & fields.keys()  # else a field would pass for another event
    record.update((name, _bounded(value)) for name, value in fields.items())
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"))[1:]


def _bounded(value: Value) -> Value:
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[:MOST_TEXT] + "…"
    if isinstance(value, list):
        return [str(_bounded(one)) for one in value[:64]]
    return value


def _seal(key: bytes, before: str, text: bytes) -> str:
    return hmac.digest(key, before.encode() + text, "sha256").hex()


def _last_line(file: Path) -> str | None:
    """The last whole line; None where there is none. Tampered where it has no end."""
    with file.open("rb") as lines:
        whole, end, torn = _tail(lines).rpartition(b"\n")
    if len(torn) == _TAIL_BYTES:
        raise Tampered(f"{file.name} {_NO_RECORD}")
    return whole.rpartition(b"\n")[2].decode("utf-8", "replace") if end else None


def _tail(file: BinaryIO) -> bytes:
    """The end of a file, more than a record is long."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return file.read()


def _after(file: Path) -> Path:
    number = int(file.stem.partition("-")[2]) + 1
    return file.with_name(f"audit-{number:06}.jsonl")
